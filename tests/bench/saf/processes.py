"""The processes of an edge: started in a session of their own, measured and ended as one."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Self

READY_TIMEOUT_S = 60.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# Of what follows the name in /proc/PID/stat: proc(5), counted from the state.
_STATE, _SESSION, _USER, _SYSTEM = 0, 3, 11, 12


class EdgeError(RuntimeError):
    """An edge that does not do what the protocol demands."""


def leave_in_order() -> None:
    """Make SIGINT and SIGTERM an exception: nothing is left running, and nothing mounted."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def cpu_s(pid: int) -> float:
    """Return the processor time of a process, user and system; 0 when there is none."""
    fields = _stat(pid)
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS_PER_S if fields else 0.0


def memory_kib(pid: int, field: str = "VmHWM") -> int:
    """Return the peak ("VmHWM") or present ("VmRSS") resident memory; 0 when there is none."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1])
    return 0


class Edge:
    """A running edge (see this package's text for its protocol).

    `events`: how many it is to accept now. Its errors go to `log`.
    """

    def __init__(
        self, command: Sequence[str], events: int, environment: Mapping[str, str], log: Path
    ) -> None:
        self._started_s = time.monotonic()
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **environment, "SAF_N": str(events)},
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        self._ready, self._accepted = threading.Event(), threading.Event()
        self._ready_at_s = self._accepted_at_s = 0.0
        self.accepted = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_ready(self) -> float:
        """Wait for READY; return how long it took, in seconds.

        Raises:
            EdgeError: it never came.
        """
        if not self._ready.wait(READY_TIMEOUT_S) or not self._ready_at_s:
            raise EdgeError(f"no READY; status {self._process.poll()}")
        return self._ready_at_s - self._started_s

    def wait_accepted(self, timeout_s: float) -> float:
        """Wait for ACCEPTED; return the seconds since READY.

        Raises:
            EdgeError: it never came.
        """
        if not self._accepted.wait(timeout_s) or not self.accepted:
            raise EdgeError(f"nothing accepted; status {self._process.poll()}")
        return self._accepted_at_s - self._ready_at_s

    @property
    def pid(self) -> int:
        """The first of its processes, and the number of their session."""
        return self._process.pid

    def cpu_s(self) -> float:
        """Return the processor time of its processes."""
        return sum(cpu_s(pid) for pid in self._pids())

    def memory_mb(self) -> float:
        """Return the peak resident memory of its processes, added up."""
        return sum(memory_kib(pid) for pid in self._pids()) / 1024

    def stop_still(self) -> None:
        """Stop every process where it is."""
        self._signal(signal.SIGSTOP)

    def kill(self) -> None:
        """Kill every process, and wait until none is left."""
        while any(True for _ in self._pids()):
            self._signal(signal.SIGKILL)
            self._process.poll()
            time.sleep(0.005)
        self._process.wait()
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.kill()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            if line.startswith(b"READY"):
                self._ready_at_s = time.monotonic()
                self._ready.set()
            elif line.startswith(b"ACCEPTED"):
                self._accepted_at_s = time.monotonic()
                self.accepted = int(line.split()[1])
                self._accepted.set()
        self._ready.set()
        self._accepted.set()

    def _pids(self) -> Iterator[int]:
        for path in Path("/proc").iterdir():
            fields = _stat(int(path.name)) if path.name.isdigit() else []
            if fields and int(fields[_SESSION]) == self.pid and fields[_STATE] != "Z":
                yield int(path.name)

    def _signal(self, number: signal.Signals) -> None:
        for pid in list(self._pids()):
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
