"""The page on security says what is so: its commands run in its order, its broker lets gates in."""

import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from gatepost.demo.broker import SEARCH_PATH, free_port

pytestmark = [pytest.mark.packaging, pytest.mark.processes]
SERVICES = Path(__file__).parents[2] / "services"
TEXT = (SERVICES / "SECURITY.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    gatepost (.*)$", TEXT, re.MULTILINE)
(BROKER,) = re.findall(r"^```mosquitto\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
DEADLINE_S = 60.0
HELLO, WELCOME = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", b"\x20\x02\x00\x00"


class Shell:
    """Runs the page's commands in a folder, with this computer in place of its hosts."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.token, self.url = folder, "", ""
        self.serving: subprocess.Popen[str] | None = None
        (folder / "gatepost.toml").write_text(
            '[gate]\nsite = "north"\nname = "gate-1"\n[link]\nbroker_host = "localhost"\n'
            + "".join(
                f'{"[tls]" if key == "ca" else ""}\n{key} = "{folder}/tls/{name}"\n'
                for key, name in (
                    ("ca", "ca.pem"),
                    ("certificate", "device.pem"),
                    ("key", "device.key"),
                )
            )
        )

    def run(self, command: str) -> None:
        words = shlex.split(command.replace("mqtt.example.org", "localhost"))
        if words[:2] == ["pki", "serve"]:
            self._serve()
            return
        if words[0] == "enrol":
            words += ["--config", "gatepost.toml"]
        else:
            words += ["--dir", "authority"]
        words = [re.sub(r"^https://.*", self.url, word) for word in words]
        done = subprocess.run(
            [sys.executable, "-m", "gatepost", *words],
            cwd=self.folder,
            input=self.token,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
            env=_environment(),
        )
        assert done.returncode == 0, (command, done.stderr)
        assert done.stdout
        if words[:2] == ["pki", "token"]:
            self.token = done.stdout

    def close(self) -> None:
        if self.serving is not None:
            self.serving.kill()
            self.serving.communicate(timeout=DEADLINE_S)

    def _serve(self) -> None:
        words = ["pki", "serve", "--name", "localhost", "--listen", "127.0.0.1", "--port", "0"]
        self.serving = subprocess.Popen(
            [sys.executable, "-m", "gatepost", *words, "--dir", "authority"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=_environment(),
        )
        assert self.serving.stdout is not None
        self.url = self.serving.stdout.readline().split()[-1]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


@pytest.fixture
def shell(tmp_path):
    made = Shell(tmp_path)
    yield made
    made.close()


def test_the_page_from_top_to_bottom(shell):
    assert len(COMMANDS) == 11
    for command in COMMANDS:
        shell.run(command)


@pytest.mark.skipif(shutil.which("mosquitto", path=SEARCH_PATH) is None, reason="needs mosquitto")
def test_the_pages_broker_lets_the_pages_gate_in(shell):
    for command in COMMANDS[: COMMANDS.index("pki list")]:
        shell.run(command)
    port, broker = free_port(), shell.folder / "broker"
    shutil.copy(SERVICES / "acl" / "mosquitto.acl", broker)
    lines = BROKER.replace("/etc/mosquitto/gatepost", str(broker))
    lines = lines.replace("listener 8883", f"listener {port} 127.0.0.1")
    (broker / "conf").write_text(lines + ("user root\n" if os.getuid() == 0 else ""))
    command = [shutil.which("mosquitto", path=SEARCH_PATH) or "", "-c", str(broker / "conf")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        while b"running" not in (line := process.stderr.readline()):
            assert line
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(shell.folder / "tls" / "ca.pem")
        context.load_cert_chain(
            shell.folder / "tls" / "device.pem", shell.folder / "tls" / "device.key"
        )
        with (
            socket.create_connection(("localhost", port), DEADLINE_S) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as line,
        ):
            line.sendall(HELLO)
            assert line.recv(4) == WELCOME
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE_S)


def test_every_file_and_test_that_the_page_names_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (SERVICES / target).exists(), target
    for name in re.findall(r"\btests/[a-z_/]+(?:\.py)?", TEXT):
        assert (SERVICES.parent / name).exists(), name
