"""A gate's folder with its settings, and its two processes: the real commands."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gatepost_config.load import load
from gatepost_services.roster import RosterKey
from gatepost_services.roster.writer import RosterWriter, Whole
from saf.rates import GATE, SITE

READY_TIMEOUT_S = 60.0


class Station:
    """One gate on this machine, no limit to the rate of its backlog; `port` is its broker's."""

    def __init__(self, folder: Path, port: int) -> None:
        folder.mkdir()
        self.folder = folder
        self.config = folder / "gatepost.toml"
        for name in ("gate", "link", "run/gate", "run/link"):
            (folder / name).mkdir(parents=True)
        roster, roster_key = folder / "roster.db", folder / "roster.key"
        with RosterWriter.open(roster, RosterKey.load_or_make(roster_key)) as writer:
            writer.replace(Whole([], as_of_utc_s=0))
        lines = [
            f'[gate]\nsite = "{SITE}"\nname = "{GATE}"',
            f'[link]\nbroker_host = "127.0.0.1"\nbroker_port = {port}\n'
            'transport = "plain"\nreconnect_max_s = 1.0',
            'keep_until = "puback"\nbacklog_rate = 0',
            f'[paths]\ngate_dir = "{folder}/gate"\nlink_dir = "{folder}/link"',
            f'run_dir = "{folder}/run"\nroster = "{roster}"',
            f'roster_key = "{roster_key}"',
        ]
        self.config.write_text("\n".join((*lines, "")))
        self.paths = load(self.config).paths

    @contextmanager
    def process(self, *arguments: str) -> Iterator[tuple[int, float]]:
        """Run a `gatepost` command; yield its process id and the seconds until it was ready.

        Raises:
            RuntimeError: it does not say so; its log stands in the folder.
        """
        bell = self.folder / "notify"
        bell.unlink(missing_ok=True)
        command = [sys.executable, "-m", "gatepost", *arguments, "--config", str(self.config)]
        log_path = self.folder / f"{arguments[0]}.log"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told, log_path.open("ab") as log:
            told.bind(str(bell))
            began_s = time.monotonic()
            process = subprocess.Popen(
                command,
                env={**os.environ, "NOTIFY_SOCKET": str(bell)},
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
            try:
                _wait_ready(told, process, log_path)
                yield process.pid, time.monotonic() - began_s
            finally:
                process.terminate()
                try:
                    process.wait(READY_TIMEOUT_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _wait_ready(told: socket.socket, process: subprocess.Popen[bytes], log: Path) -> None:
    told.settimeout(0.5)
    give_up_s = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < give_up_s and process.poll() is None:
        try:
            if b"READY=1" in told.recv(4096):
                return
        except TimeoutError:
            continue
    last = (log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
    raise RuntimeError(f"{process.args!r} is not ready: {last}")
