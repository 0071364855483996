"""A command's whole way: a server, a broker with TLS, the link's process, the gate's process."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from tests.services.tls_rig import Rig, TlsBroker

from gatepost_hal.system import SystemClock
from gatepost_services.commands.command import ServerVerb
from gatepost_services.credentials.keys import TrustedKey, Use
from gatepost_services.credentials.signing import key_of_seed, kid_of, write_key
from gatepost_services.credentials.trust import TrustList, issue
from gatepost_services.hub.commanding import Order, SignedCommand, signed
from gatepost_services.hub.messages import Broker, Incoming, Outgoing
from gatepost_services.hub.mqtt import HubClient
from gatepost_services.journal import JournalReader, JournalUnavailable

LIMIT_S = 60.0
KEY, ROOT = key_of_seed(bytes([41]) * 32), key_of_seed(bytes([42]) * 32)
# The gate of `gatepost run`, on a simulated lane in real time, with nobody there. What its relays
# do is written down at once, out of reach of a kill.
GATE = """
import os, sys, threading, time, uuid
from pathlib import Path
from gatepost.cli.process import Stopper, log_to_stderr
from gatepost.demo.hardware import simulated_hardware
from gatepost.wiring.lane import gate
from gatepost_config.load import load
from gatepost_hal.ports import Direction
from gatepost_hal.simulated.lane import SimulatedLane
from gatepost_hal.simulated.world import World
from gatepost_hal.system import SystemClock

settings = load(Path(sys.argv[1]))
log_to_stderr()
began = time.monotonic()

def pace(at_s):
    threading.Event().wait(max(0.0, began + at_s - time.monotonic()))

world = World(start_utc_s=SystemClock().utc_s(), pace=pace)
lane = SimulatedLane(world, seed=1)
relays = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
free = set()

def watch():
    global free
    now = {way.value for way in Direction if lane.is_released(way)}
    for way in now - free:
        os.write(relays, (way + "\\n").encode())
    free = now

hardware = simulated_hardware(lane, settings)
stop = Stopper()
with gate(settings, hardware, boot_id=str(uuid.uuid4()), notify=lambda text: None) as controller:
    def is_over():
        watch()
        return stop()
    controller.run(is_over, about={"version": "test", "simulated": True})
lane.close()
"""


class Chain:
    """All of it in one folder. `config` is a settings file of a gate `g` of the site `s`."""

    def __init__(self, config: Path) -> None:
        self.folder = config.parent
        self.config = config
        self.rig = Rig(self.folder / "site", site="s")
        self.broker = TlsBroker(self.rig)
        self.centre = self.rig.client("centre")
        self.key = self.folder / "operator.pem"
        self.relays = self.folder / "relays"
        self.replies: dict[str, list[bytes]] = {}
        self._changed = threading.Condition()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._hub: HubClient | None = None
        self._counter = 0
        self.relays.touch()
        write_key(self.key, KEY)
        self._prepare()

    def _prepare(self) -> None:
        files = self.rig.gate("g")
        text = self.config.read_text().replace(
            'broker_host = "127.0.0.1"\nbroker_port = 1\ntransport = "plain"\n',
            f'broker_host = "{self.broker.host}"\nbroker_port = {self.broker.port}\n',
        )
        root = ROOT.public_key().public_bytes_raw().hex()
        self.config.write_text(
            f'{text}\n[passes]\nroot_key = "{root}"\n[tls]\nca = "{files.ca}"\n'
            f'certificate = "{files.certificate}"\nkey = "{files.key}"\n'
        )
        now = datetime.fromtimestamp(SystemClock().utc_s(), UTC)
        public, year = KEY.public_key(), timedelta(days=365)
        key = TrustedKey(kid_of(public), public, frozenset({Use.OPERATOR}), now - year, now + year)
        (self.folder / "gate" / "trust.cose").write_bytes(
            issue(TrustList("s", 1, now, (key,)), ROOT)
        )

    def __enter__(self) -> Self:
        self.broker.start()
        self._hub = HubClient(
            Broker(self.broker.host, self.broker.port, tls=self.centre.context),
            # The events too: a link whose events nobody wants connects anew, ever more seldom.
            topics=["gatepost/s/g/reply", "gatepost/s/g/reply/+", "gatepost/s/g/event/#"],
            on_message=self._take,
        )
        self._hub.start()
        assert self._hub.wait_subscribed(LIMIT_S), self._hub.trouble
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._processes):
            self.kill(name)
        assert self._hub is not None
        self._hub.stop()
        self.broker.close()

    # ---------------------------------------------------------------------------------- processes

    def start(self, name: str) -> None:
        """Start "gate" or "link"."""
        command = {
            "gate": ["-c", GATE, str(self.config), str(self.relays)],
            "link": ["-m", "gatepost", "uplink", "--config", str(self.config)],
        }[name]
        log = (self.folder / f"{name}.log").open("ab")
        with log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, *command], stdout=log, stderr=log, env={**os.environ}
            )

    def kill(self, name: str) -> None:
        """kill -9."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait(LIMIT_S)

    def log(self) -> str:
        return "".join(path.read_text()[-3000:] for path in self.folder.glob("*.log"))

    # ----------------------------------------------------------------------------------- commands

    def command(self, verb: str, valid_s: int = 60) -> SignedCommand:
        """Return a signed command for now."""
        self._counter += 1
        order = Order("s", "g", ServerVerb(verb), "anna", valid_s)
        return signed(order, KEY, self._counter, SystemClock().utc_s())

    def publish(self, command: SignedCommand) -> None:
        self.publish_text(command.text)

    def publish_text(self, text: bytes, *, is_retained: bool = False) -> None:
        assert self._hub is not None
        post = Outgoing("gatepost/s/g/command", text, is_retained=is_retained)
        assert self._hub.publish(post).wait(LIMIT_S)

    def _take(self, message: Incoming) -> None:
        if "/reply" not in message.topic:
            return
        id_ = json.loads(message.payload)["id"]
        with self._changed:
            self.replies.setdefault(id_, []).append(message.payload)
            self._changed.notify_all()

    def answers(self, command: SignedCommand, count: int = 1) -> list[bytes]:
        """Wait for so many answers to a command, and return them."""
        return self.answers_to(command.id, count)

    def answers_to(self, id_: str, count: int = 1) -> list[bytes]:
        with self._changed:
            is_there = self._changed.wait_for(
                lambda: len(self.replies.get(id_, ())) >= count, LIMIT_S
            )
            assert is_there, (id_, self.replies, self.log())
            return list(self.replies[id_])

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so."""
        pause = threading.Event()
        for _ in range(int(LIMIT_S / 0.05)):
            if condition():
                return
            pause.wait(0.05)
        raise AssertionError(self.log())

    def ready(self) -> None:
        """Wait until the gate obeys: the link must have come once, and the gate remember."""
        for _ in range(int(LIMIT_S)):
            command = self.command("acknowledge")
            self.publish(command)
            with self._changed:
                self._changed.wait_for(lambda: command.id in self.replies, 1.0)  # noqa: B023
                found = self.replies.get(command.id)
            if found and json.loads(found[0])["status"] == "done":
                return
        raise AssertionError(self.log())

    # ------------------------------------------------------------------------------ what happened

    def pulses(self) -> list[str]:
        """Return what the relays did."""
        return self.relays.read_text().split()

    def obeyed(self, command: SignedCommand) -> int:
        """Return how often the journal says that a command was obeyed."""
        return self.obeyed_id(command.id)

    def obeyed_id(self, id_: str) -> int:
        events: list[dict[str, Any]] = []
        with JournalReader(self.folder / "gate" / "journal.db") as journal:
            after = 0
            while True:
                try:
                    page = journal.read(after, 500)
                except JournalUnavailable:
                    continue
                if not page.records:
                    break
                events += [json.loads(record.body) for record in page.records]
                after = page.through
        return sum(
            event["type"] == "gatepost.command.obeyed" and event["data"]["command"] == id_
            for event in events
        )
