"""The broker of the demo: mosquitto where there is one, else the NATS server from PyPI."""

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import sysconfig
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

# Debian installs mosquitto where an ordinary user's PATH does not look.
SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
_STOP_TIMEOUT_S = 10.0
DEFAULT_PORT = 1883
_FIRST_PORT = 10_000
_FIRST_EPHEMERAL = 32_768  # Linux's default


class BrokerError(RuntimeError):
    """There is no broker to be had; the message says what to install."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a broker listens, and which MQTT it speaks."""

    host: str
    port: int
    protocol: Literal["5", "3.1.1"]


def parse_url(url: str) -> Address:
    """Return the address in "mqtt://HOST[:PORT]".

    Raises:
        ValueError: it is something else.
    """
    parts = urlsplit(url)
    if parts.scheme != "mqtt" or not parts.hostname or parts.path.strip("/"):
        raise ValueError(f"{url!r}: write a broker as mqtt://HOST or mqtt://HOST:PORT")
    return Address(parts.hostname, parts.port or DEFAULT_PORT, "5")


class LocalBroker:
    """A broker of our own on a free loopback port; it can go away and come back on the same one.

    Its sessions are on disk, so that an outage loses nothing that it acknowledged.

    Args:
        folder: for its configuration, log and sessions.
        search_path: where mosquitto is looked for.

    Raises:
        BrokerError: neither broker is installed.
    """

    def __init__(self, folder: Path, *, search_path: str = SEARCH_PATH) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        port = free_port()
        mosquitto = shutil.which("mosquitto", path=search_path)
        nats = shutil.which("nats-server", path=sysconfig.get_path("scripts"))
        if mosquitto is not None:
            self.name = "mosquitto"
            self.address = Address("127.0.0.1", port, "5")
            self._command = [mosquitto, "-c", str(self._mosquitto_config(port))]
        elif nats is not None:
            self.name = "nats-server"
            self.address = Address("127.0.0.1", port, "3.1.1")
            self._command = [nats, "-c", str(self._nats_config(port))]
        else:
            raise BrokerError(
                "no MQTT broker found. Install one of: apt-get install mosquitto; "
                "pip install '.[demo]' in the checkout"
            )

    def start(self) -> None:
        """Start the broker and wait until it listens.

        Raises:
            BrokerError: it ended at once; its log is named.
        """
        log_path = self._folder / "broker.log"
        with log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder
            )
        listens = False
        while not listens:
            listens = _is_listening(self.address)
            try:
                # Asked after the probe: it may have been a stranger on our port that answered.
                status = self._process.wait(timeout=0.02)
            except subprocess.TimeoutExpired:
                continue
            raise BrokerError(f"the broker ended with status {status}; see {log_path}")

    def stop(self) -> None:
        """Stop the broker, as a machine that is switched off in good order."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _mosquitto_config(self, port: int) -> Path:
        lines = [
            f"listener {port} 127.0.0.1",
            "allow_anonymous true",
            "persistence true",
            f"persistence_location {self._folder}/",
            "max_queued_messages 0",
            "max_inflight_messages 0",
            "set_tcp_nodelay true",
        ]
        if os.geteuid() == 0:  # it would become user "mosquitto", who may not write the folder
            lines.append(f"user {getpass.getuser()}")
        path = self._folder / "mosquitto.conf"
        path.write_text("\n".join((*lines, "")), encoding="utf-8")
        return path

    def _nats_config(self, port: int) -> Path:
        path = self._folder / "nats.conf"
        path.write_text(
            "server_name: demo\nhost: 127.0.0.1\nport: -1\n"
            f'jetstream {{ store_dir: "{self._folder}" }}\n'
            # One unacknowledged message at a time: with more, order breaks after a lost connection.
            f'mqtt {{ host: 127.0.0.1, port: {port}, max_ack_pending: 1, ack_wait: "2s" }}\n',
            encoding="utf-8",
        )
        return path


def free_port() -> int:
    """Return a loopback port that nobody listens on, below the kernel's ephemeral range.

    Inside that range a client that keeps trying to reach an absent broker is sooner or later given
    the broker's own port as its source, connects to itself, and holds the port.
    """
    ephemeral = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first = int(ephemeral.read_text().split()[0]) if ephemeral.exists() else _FIRST_EPHEMERAL
    while True:
        port = _FIRST_PORT + secrets.randbelow(max(1, first - _FIRST_PORT))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _is_listening(address: Address) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address.host, address.port)) == 0
