"""Runs the gate and the link of the demo, and starts them again when they die, as systemd would."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

_RESTART_S = 0.1
_STOP_TIMEOUT_S = 10.0


class Service:
    """One `gatepost` command that is kept running until it ends by itself with status 0.

    Its process id stands in `<name>.pid`, its standard error in `<name>.log` of the folder; each
    line of its standard output goes to `on_line`, on a thread of the service's own.
    """

    def __init__(
        self,
        name: str,
        arguments: list[str],
        folder: Path,
        *,
        on_line: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.name = name
        self._command = [sys.executable, "-P", "-m", "gatepost", *arguments]
        self._folder = folder
        self._on_line = on_line
        self._stopping = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._keep_running, name=name, daemon=True)
        self.restarts = 0
        self.failure: str | None = None  # why it cannot be kept running
        self.finished = threading.Event()

    @property
    def log(self) -> Path:
        """The file with the standard error of all its runs."""
        return self._folder / f"{self.name}.log"

    def start(self) -> None:
        """Start the service."""
        self._thread.start()

    def stop(self) -> None:
        """End the service, if it was started: SIGTERM, and SIGKILL where that does not do."""
        self._stopping.set()
        if self._thread.ident is None:
            return
        for end in (subprocess.Popen.terminate, subprocess.Popen.kill):
            with self._lock:
                if self._process is not None:
                    end(self._process)
            self._thread.join(_STOP_TIMEOUT_S)
            if not self._thread.is_alive():
                return

    def _keep_running(self) -> None:
        try:
            self._restart_until_done()
        except OSError as error:  # the folder is gone, or its disk full
            self.failure = str(error)
        finally:
            self.finished.set()

    def _restart_until_done(self) -> None:
        while not self._stopping.is_set():
            started_s = time.monotonic()
            status = self._run_once()
            if status == 0 or self._stopping.is_set():
                break
            self.restarts += 1
            # A service that cannot start at all must not spin.
            self._stopping.wait(max(_RESTART_S, _RESTART_S * 10 - (time.monotonic() - started_s)))

    def _run_once(self) -> int:
        with self.log.open("ab") as log:
            with self._lock:
                if self._stopping.is_set():
                    return 0
                process = subprocess.Popen(  # noqa: S603 - our own command
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                )
                self._process = process
            with process:
                try:
                    pid_file = self._folder / f"{self.name}.pid"
                    pid_file.write_text(str(process.pid), encoding="ascii")
                except OSError:
                    process.kill()
                    raise
                assert process.stdout is not None  # noqa: S101 - it was asked for
                for line in process.stdout:
                    self._on_line(line)
        return process.returncode
