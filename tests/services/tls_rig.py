"""A mosquitto with TLS 1.3 and client certificates, and an authority that issues for it.

The authority is made once a rig, in a folder of the test; the broker listens on a free loopback
port as `localhost`. Stop, reload and start again as a site would.
"""

import itertools
import os
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

import pytest

from gatepost.demo.broker import SEARCH_PATH, free_port
from gatepost_services.pki import profiles
from gatepost_services.pki.authority import Authority, Issued, utc_now

DEADLINE_S = 30.0
SITE, GATE = "north", "gate-1"
# One line for every gate: its own topics, and nothing else. The centre may do everything.
OWN_TOPICS = "user centre\ntopic readwrite gatepost/#\npattern readwrite gatepost/%u/#\n"


@dataclass(frozen=True)
class Files:
    """What a client needs, as `[tls]` in the settings names it."""

    ca: Path
    certificate: Path
    key: Path
    revoked: Path = Path("/dev/null")
    serial: int = 0

    def context(self) -> ssl.SSLContext:
        """Return a plain context of these files, not of the code under test."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.load_verify_locations(self.ca)
        made.load_cert_chain(self.certificate, self.key)
        return made


class Rig:
    """An authority, and files of certificates from it."""

    def __init__(self, folder: Path, site: str = SITE) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._now_utc = utc_now
        self.authority = Authority.create(folder / "authority", site, clock_utc=self._clock)
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(self.authority.pem)

    def gate(self, gate: str = GATE, *, ended: bool = False) -> Files:
        """Issue a certificate for a gate; `ended` gives one that ended yesterday."""
        key = profiles.new_key()
        with self._yesterday(ended):
            made = self.authority.issue_gate(
                gate, key.public_key(), lifetime=timedelta(days=1 if ended else 365)
            )
        return self._files(f"{gate}-{made.serial:x}", key, made)

    def client(self, name: str = "centre") -> Files:
        """Issue a certificate for a client that is no gate."""
        key = profiles.new_key()
        return self._files(name, key, self.authority.issue_client(name, key.public_key()))

    def server(self, *hosts: str, ended: bool = False) -> Files:
        """Issue a certificate for a server of these names (default: localhost and 127.0.0.1)."""
        key = profiles.new_key()
        with self._yesterday(ended):
            made = self.authority.issue_server(
                list(hosts or ("localhost", "127.0.0.1")),
                key.public_key(),
                lifetime=timedelta(days=1 if ended else 730),
            )
        return self._files(f"server-{made.serial:x}", key, made)

    def revoke(self, files: Files) -> None:
        """Revoke a certificate; the broker knows after `TlsBroker.reload`."""
        self.authority.revoke([files.serial])

    def _clock(self) -> datetime:
        return self._now_utc()

    def _yesterday(self, ended: bool) -> "_Clock":
        return _Clock(self, timedelta(days=2 if ended else 0))

    def _files(self, stem: str, key: profiles.EllipticCurvePrivateKey, made: Issued) -> Files:
        certificate, private = self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
        certificate.write_bytes(made.pem)
        private.write_bytes(profiles.key_pem(key))
        private.chmod(0o600)
        return Files(self.ca, certificate, private, serial=made.serial)


class _Clock:
    def __init__(self, rig: Rig, behind: timedelta) -> None:
        self._rig, self._behind = rig, behind

    def __enter__(self) -> None:
        self._rig._now_utc = lambda: utc_now() - self._behind

    def __exit__(self, *exc_info: object) -> None:
        self._rig._now_utc = utc_now


class TlsBroker:
    """A mosquitto of a rig: TLS 1.3, client certificates, access list, revocation list."""

    host = "localhost"

    def __init__(
        self,
        rig: Rig,
        *,
        acl: str = OWN_TOPICS,
        server: Files | None = None,
        settings: Iterable[str] = (),
        tls_version: str = "tlsv1.3",
    ) -> None:
        binary = shutil.which("mosquitto", path=SEARCH_PATH)
        if binary is None:
            pytest.skip("mosquitto is not installed (apt-get install mosquitto)")
        self.rig, self.port = rig, free_port()
        self.folder = rig.folder / f"broker-{self.port}"
        self.folder.mkdir()
        self._binary = binary
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = itertools.count(1)
        self._log = self.folder / "log-0"
        self.use(server or rig.server())
        self.write_acl(acl)
        self._write_revoked()
        (self.folder / "mosquitto.conf").write_text(
            "\n".join([*self._lines(tls_version), *settings, ""])
        )

    def use(self, server: Files) -> None:
        """Lay another certificate and key down for the broker; it takes them at `reload`."""
        shutil.copyfile(server.certificate, self.folder / "server.pem")
        shutil.copyfile(server.key, self.folder / "server.key")

    def write_acl(self, acl: str) -> None:
        """Lay another access list down; the broker takes it at `reload`."""
        path = self.folder / "acl"
        path.write_text(acl)
        path.chmod(0o600)

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._log = self.folder / f"log-{next(self._starts)}"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [self._binary, "-c", str(self.folder / "mosquitto.conf")], stderr=log
            )
        self._wait_for(" running", 0)

    def reload(self) -> None:
        """Have it read its access list, certificates and revocation list again.

        Who connects after this meets the new ones. Connections that stand are not ended.
        """
        self._write_revoked()
        assert self._process is not None
        read_so_far = len(self.log())
        self._process.send_signal(signal.SIGHUP)
        self._wait_for("Reloading config", read_so_far)

    def log(self) -> str:
        """Return what it has said since it was started."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """Stop it in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End it, if it runs."""
        self._end(signal.SIGKILL)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.communicate(timeout=DEADLINE_S)
            self._process = None

    def _wait_for(self, text: str, after: int) -> None:
        assert self._process is not None
        until_s = time.monotonic() + DEADLINE_S
        while text not in self.log()[after:]:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)
                raise AssertionError(f"mosquitto ended: {self.log()}")
            assert time.monotonic() < until_s, self.log()

    def _write_revoked(self) -> None:
        (self.folder / "crl.pem").write_bytes(self.rig.authority.crl_pem)

    def _lines(self, tls_version: str) -> list[str]:
        return [
            f"listener {self.port} 127.0.0.1",
            f"cafile {self.rig.ca}",
            f"certfile {self.folder}/server.pem",
            f"keyfile {self.folder}/server.key",
            f"crlfile {self.folder}/crl.pem",
            f"tls_version {tls_version}",
            "require_certificate true",
            "use_identity_as_username true",
            f"acl_file {self.folder}/acl",
            "persistence true",
            f"persistence_location {self.folder}/",
            "max_queued_messages 0",
            "max_inflight_messages 0",
            "set_tcp_nodelay true",
            "log_dest stderr",
            "log_type error",
            "log_type notice",
            "log_type information",
            "log_type warning",
            "connection_messages false",
            *(["user root"] if os.getuid() == 0 else []),
        ]
