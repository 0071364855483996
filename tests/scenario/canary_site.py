"""A small site with a secret in every place that has one: what is said and kept lies in a folder.

`desk/` is the technician's, `office/` the authority's and the broker's, `card/` the card of the
gate, `gate/` the gate, `log/` what both processes say, `out/` what commands print, `mqtt/` what
crosses the broker, `systemd/` what systemd is told. What people do at the lane lies beside it.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from tests.services.tls_rig import Rig, TlsBroker

from gatepost_services.credentials import signing
from gatepost_services.hub.messages import Broker, Incoming
from gatepost_services.hub.mqtt import HubClient
from gatepost_services.pki.est_server import EstServer

from .canary_codes import ADMIN, CARDS, HOUR, PASSES, ROOT, SITE, Codes, now

LIMIT_S = 180.0
GATE_PROCESS = Path(__file__).with_name("canary_gate.py")
# Whoever may, says all there is to say: what is told at DEBUG is looked at as well.
LINK_PROCESS = """
import logging, sys
logging.basicConfig(stream=sys.stderr, level=logging.DEBUG)
from gatepost.cli.main import main
sys.exit(main(["uplink", "--config", sys.argv[1]]))
"""
# The doctor of a machine whose systemd has the logs of both processes.
DOCTOR = """
import dataclasses, pathlib, sys
from gatepost.cli import doctor
from gatepost.cli.main import main
from gatepost.doctor.site import Ran
log = "".join(path.read_text() for path in sorted(pathlib.Path(sys.argv[1]).glob("*.log")))
lines = ["2026-11-22T10:00:00+0800 gate gatepost[7]: " + line for line in log.splitlines()]
of_machine = doctor.machine

def machine(config, operator):
    site = of_machine(config, operator)
    told = Ran(0, "\\n".join(lines))
    run = lambda words: told if words[0] == "journalctl" else site.run(words)
    return dataclasses.replace(site, run=run)

doctor.machine = machine
sys.exit(main(sys.argv[2:]))
"""
ACCESS = (
    "user centre\ntopic readwrite #\n"
    "pattern readwrite gatepost/%u/#\npattern write homeassistant/device/%u/config\n"
)
WIFI, WIFI_PASSWORD = "North court", "kanarienvogel im bergwerk"
SUBJECTS = {"known": "r-kanari-1", "feverish": "r-kanari-2", "pushed": "r-kanari-3"}


class Site:
    """All of it; a context that ends what it started."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.people = folder / "s", folder / "people"
        self.codes = Codes()
        self.desk, self.card, self.gate = (self.folder / each for each in ("desk", "card", "gate"))
        self.log, self.out, self.mqtt = (self.folder / each for each in ("log", "out", "mqtt"))
        self.systemd = self.folder / "systemd"
        self.config = self.gate / "etc/gatepost.toml"
        kept = (self.desk, self.card, self.log, self.out, self.mqtt, self.systemd)
        for each in (*kept, self.people):
            each.mkdir(parents=True)
        for name in ("etc", "state", "link", "run/gate", "run/link", "calibration"):
            (self.gate / name).mkdir(parents=True)
        self.rig = Rig(self.folder / "office", site=SITE)
        self.broker = TlsBroker(self.rig, acl=ACCESS)
        self.centre = self.rig.client("centre")
        self.url = ""
        self._closing = ExitStack()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._heard: list[str] = []
        self._changed = threading.Condition()
        self._told = 0

    def __enter__(self) -> Self:
        self.broker.start()
        self._closing.callback(self.broker.close)
        self._listen()
        self._hear_systemd()
        server = EstServer(self.rig.authority, ["localhost"], port=0)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        self._closing.callback(server.server_close)
        self._closing.callback(thread.join, LIMIT_S)
        self._closing.callback(server.shutdown)
        self.url = f"https://localhost:{server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._processes):
            self.end(name)
        self._closing.close()

    # ----------------------------------------------------------------------------------- commands

    def run(self, *words: object, status: int | None = 0, typed: str = "", **env: str) -> str:
        """Run a command; keep and return what it says. `status` None: whatever comes."""
        return self._run(["-m", "gatepost", *map(str, words)], words, status, typed, env)

    def ask(self, *words: object, status: int | None = 0, config: Path | None = None) -> str:
        """Run a command on the gate's settings, or on others."""
        # Some take them before the name of what is to be done.
        place = 1 if words[0] in ("journal", "lane", "roster") else len(words)
        given = ("--config", config or self.config)
        return self.run(*words[:place], *given, *words[place:], status=status)

    def doctor(self, *words: object) -> str:
        """Run the doctor with the logs of both processes; something is wrong on any PC."""
        given = ["-c", DOCTOR, str(self.log), "doctor", *map(str, words)]
        return self._run(given, ("doctor", *words), None, "", {})

    def _run(
        self,
        arguments: list[str],
        words: tuple[object, ...],
        status: int | None,
        typed: str,
        env: dict[str, str],
    ) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            input=typed,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
            cwd=self.desk,
            env={**self._environment(), **env},
        )
        said = done.stdout + done.stderr
        self._told += 1
        name = "-".join(word for word in map(str, words) if word.isalpha())
        (self.out / f"{self._told:02}-{name}.txt").write_text(said)
        assert status is None or done.returncode == status, (words, said)
        return said

    def watch(self, *words: str) -> None:
        """Look at the site until all that is retained has come."""
        path = self.out / f"watch{''.join(words)}.txt"
        files = ("--cert", str(self.centre.certificate), "--key", str(self.centre.key))
        given = ["-m", "gatepost", "watch", "--config", str(self.config), *files, *words]
        with path.open("wb") as file:
            self._start("watch", given, file)
        self.wait(lambda: b"online" in path.read_bytes())
        self.ask("journal", "replay", status=None)
        self.wait(lambda: b"visit." in path.read_bytes())
        self.end("watch", signal.SIGTERM)

    # ---------------------------------------------------------------------------------- processes

    def start_gate(self, steps: list[dict[str, Any]], *, behind_s: float) -> Path:
        """Start the gate; return the file that is there when the people are through."""
        self._told += 1
        path = self.people / f"steps-{self._told}.json"
        path.write_text(json.dumps(steps))
        done = path.with_suffix(".done")
        with (self.log / "gate.log").open("ab") as log:
            given = [str(GATE_PROCESS), str(self.config), str(path), str(behind_s)]
            self._start("gate", given, log)
        return done

    def start_link(self) -> None:
        with (self.log / "link.log").open("ab") as log:
            self._start("link", ["-c", LINK_PROCESS, str(self.config)], log)

    def _start(self, name: str, arguments: list[str], output: Any) -> None:
        self._processes[name] = subprocess.Popen(
            [sys.executable, *arguments], stdout=output, stderr=output, env=self._environment()
        )

    def has_ended(self, name: str) -> bool:
        return self._processes[name].poll() is not None

    def end(self, name: str, number: int = signal.SIGKILL) -> None:
        process = self._processes.pop(name)
        process.send_signal(number)
        process.wait(LIMIT_S)

    def _environment(self) -> dict[str, str]:
        path = os.pathsep.join(filter(None, sys.path))
        known = {"PYTHONPATH": path, "NOTIFY_SOCKET": f"{self.folder}/notify"}
        return {**os.environ, **known, "LC_ALL": "C.UTF-8", "LANGUAGE": ""}

    # ----------------------------------------------------------------------------- what is heard

    def _listen(self) -> None:
        client = HubClient(
            Broker(self.broker.host, self.broker.port, tls=self.centre.context),
            topics=["gatepost/#", "homeassistant/#"],
            on_message=self._take,
        )
        client.start()
        self._closing.callback(client.stop)
        assert client.wait_subscribed(LIMIT_S), client.trouble

    def _take(self, message: Incoming) -> None:
        name = "_".join(message.topic.split("/")[:5])
        about = f"{message.topic} {message.response_topic} {message.correlation!r}\n"
        with self._changed, (self.mqtt / name).open("ab") as file:
            file.write(about.encode() + message.payload + b"\n")
            self._heard.append(message.topic)
            self._changed.notify_all()

    def heard(self, *ends: str) -> None:
        """Wait until there was a message on a topic with each of these ends."""
        with self._changed:
            for end in ends:
                is_there = self._changed.wait_for(
                    lambda: any(topic.endswith(end) for topic in self._heard),  # noqa: B023
                    LIMIT_S,
                )
                assert is_there, (end, self.log_ends())

    def _hear_systemd(self) -> None:
        ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ear.bind(f"{self.folder}/notify")
        ear.settimeout(0.1)
        stop = threading.Event()

        def hear() -> None:
            with (self.systemd / "notified.txt").open("ab") as file:
                while not stop.is_set():
                    try:
                        file.write(ear.recv(65536) + b"\n")
                    except TimeoutError:
                        continue

        thread = threading.Thread(target=hear)
        thread.start()
        self._closing.callback(ear.close)
        self._closing.callback(thread.join, LIMIT_S)
        self._closing.callback(stop.set)

    def wait(self, condition: Callable[[], bool]) -> None:
        pause = threading.Event()
        for _ in range(int(LIMIT_S / 0.05)):
            if condition():
                return
            pause.wait(0.05)
        raise AssertionError(self.log_ends())

    def log_ends(self) -> str:
        return "".join(path.read_text()[-2000:] for path in self.log.glob("*.log"))

    # ------------------------------------------------------------------------- before it is opened

    def prepare(self) -> None:
        """Make keys, list and card, as a site does before its gate is switched on."""
        desk = self.desk
        for name, key in {"root": ROOT, "admin": ADMIN, "passes": PASSES}.items():
            signing.write_key(desk / f"{name}.pem", key)
        self.run("pass", "keygen", "--step", self.gate / "etc/step.key")
        (desk / "sites.csv").write_text(
            "site,gate,network,wifi_country,broker,broker_port\n"
            f"{SITE},g,wifi:{WIFI},CN,{self.broker.host},{self.broker.port}\n"
        )
        (desk / "all.toml").write_text(self._template())
        wifi = desk / "wifi.toml"
        wifi.touch(0o600)
        wifi.write_text(f'"{WIFI}" = "{WIFI_PASSWORD}"\n')
        words = ("--template", "all.toml", "--pki", self.rig.authority.folder, "--enrol", self.url)
        self.run("provision", "sites.csv", "cards", *words, "--wifi-passwords", "wifi.toml")
        for path in (desk / f"cards/{SITE}-g").iterdir():
            shutil.copy(path, self.card)
        people = [(CARDS[who].hex().upper(), SUBJECTS[who]) for who in ("known", "feverish")]
        lines = [f"{card},{subject},resident" for card, subject in people]
        (desk / "people.csv").write_text("\n".join(["credential,subject,category", *lines, ""]))
        card = CARDS["pushed"].hex().upper()
        lines.append(f"{card},{SUBJECTS['pushed']},resident")
        (desk / "pushed.csv").write_text("\n".join(["credential,subject,category", *lines, ""]))

    def _template(self) -> str:
        gate, tls = self.gate, self.gate / "etc/tls"
        root = signing.hex_of(ROOT.public_key())
        return (
            "[screening]\noffset_c = 2.43\nlearns = false\n"
            '[sensor]\ncalibration = "factory"\nsupply_v = 3.0\nwarm_up_s = 0\nemissivity = 1.0\n'
            '[regime]\nname = "medium-risk"\n'
            '[link]\nkeep_until = "puback"\nreconnect_max_s = 1.0\nstatus_s = 5\nwill_delay_s = 0\n'
            "[home_assistant]\nenabled = true\n"
            f'[passes]\nroot_key = "{root}"\nstep_secret = "{gate}/etc/step.key"\n'
            f'[tls]\nca = "{tls}/ca.pem"\ncertificate = "{tls}/device.pem"\n'
            f'key = "{tls}/device.key"\n'
            f'[paths]\ngate_dir = "{gate}/state"\nlink_dir = "{gate}/link"\n'
            f'run_dir = "{gate}/run"\nroster = "{gate}/state/roster.db"\n'
            f'roster_key = "{gate}/etc/roster.key"\ncalibration_dir = "{gate}/calibration"\n'
        )

    def trust_list(self, state_key: Any) -> None:
        """Issue and install the list of keys that count."""
        begin, end = (f"{(now() + sign * 1000 * HOUR).isoformat()}" for sign in (-1, 1))
        uses = {
            "pass": PASSES.public_key(),
            "test": state_key.public_key(),
            "administrator": ADMIN.public_key(),
        }
        keys = [
            {"public": signing.hex_of(key), "use": [use], "not_before": begin, "not_after": end}
            for use, key in uses.items()
        ]
        text = json.dumps({"site": SITE, "version": 1, "keys": keys})
        (self.desk / "list.json").write_text(text)
        self.run("trust", "issue", "list.json", "--key", "root.pem", "--out", "trust.cose")
        self.run("trust", "install", "trust.cose", "--config", self.config)
