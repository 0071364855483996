"""What ends a release when its process stops: real processes, under a stand-in for systemd.

* The loop hangs: the driver's timer thread lets go when the release is over. (`gate` itself.)
* The process is killed, or stopped (SIGSTOP, a frozen cgroup) until the watchdog of the service
  manager has it killed: no thread of it can let go. The line keeps its level until the next
  process claims it low, which is the first thing that one does; the kernel does so at once with
  `dtparam=strict_gpiod`, which no mock line can show.
* SIGTERM: the loop lets go, before it writes a word.
"""

import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from gatepost_services.contract.events import decode
from gatepost_services.journal import JournalReader

pytestmark = pytest.mark.processes
DRIVER = Path(__file__).with_name("mock_gate.py")
LIMIT_S = 60.0
# The stand-in's WatchdogSec; the process says WATCHDOG=1 every second.
PATIENCE_S = 3.0
ENTRY = "GPIO17"


class Supervisor:
    """Starts the process, hears what it notifies, and kills it when it hears nothing."""

    def __init__(self, config: Path, folder: Path, closing_: ExitStack) -> None:
        self._config = config
        self._closing = closing_
        self._address = str(folder / "notify.sock")
        self._socket = closing_.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self._socket.bind(self._address)
        self._levels: dict[str, str] = {}
        self.lines: list[str] = []  # what this process has printed
        self.start()

    def start(self) -> None:
        """Start the process on lines that have kept their levels, and wait until it is ready."""
        kept = [f"{line}={level}" for line, level in self._levels.items()]
        self.lines = []
        self.process = subprocess.Popen(
            [sys.executable, str(DRIVER), str(self._config), *kept],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,  # so that what is not read yet is in the pipe
            env={**os.environ, "NOTIFY_SOCKET": self._address},
        )
        self._closing.callback(self._kill, self.process)
        self.hear("READY=1")
        for _ in range(2):  # a second: what was pressed before counts as found pressed at the start
            self.hear("WATCHDOG=1")

    @staticmethod
    def _kill(process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait(LIMIT_S)
        process.stdout.close()

    def hear(self, word: str, patience_s: float = LIMIT_S) -> bool:
        """Hear until this word; return False when nothing at all was said for `patience_s`."""
        self._socket.settimeout(patience_s)
        try:
            while self._socket.recv(4096).decode() != word:
                pass
        except TimeoutError:
            return False
        return True

    def watch(self) -> None:
        """Wait until it says nothing for `PATIENCE_S`; kill it, and start it again."""
        while self.hear("WATCHDOG=1", PATIENCE_S):
            pass
        self.kill()
        self.start()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(LIMIT_S)
        self.read_all()

    def read(self, line: str) -> None:
        """Read what the process prints until this line."""
        while line not in self.lines:
            assert select.select([self.process.stdout], [], [], LIMIT_S)[0], self.lines
            self._note(self.process.stdout.readline().decode().strip())

    def read_all(self) -> None:
        for line in self.process.stdout.read().decode().splitlines():
            self._note(line)

    def _note(self, line: str) -> None:
        assert line, "it ended"
        self.lines.append(line)
        *_, name, level = line.split()
        self._levels[name] = level

    def is_high(self, line: str) -> bool:
        return self._levels.get(line) == "high"

    def release(self) -> None:
        """Let staff release the entry."""
        self.process.send_signal(signal.SIGUSR1)
        self.read(f"{ENTRY} high")


@pytest.fixture
def supervisor(config, tmp_path):
    def make(hold_s: float) -> Supervisor:
        with config.open("a") as file:
            file.write(f"[turnstile]\nrelease_hold_s = {hold_s}\n[pins]\nstaff_release = 26\n")
            file.write('[reader]\ndevice = "/dev/null"\n')
        return Supervisor(config, tmp_path, stack)

    with ExitStack() as stack:
        yield make


def told(tmp_path: Path) -> list[str]:
    """What was recorded of the gate itself: not its faults, nor that this machine was slow."""
    with JournalReader(tmp_path / "gate" / "journal.db") as journal:
        events = [decode(record.body) for record in journal.read(0, 100).records]
    types = [event.type.removeprefix("gatepost.") for event in events]
    return [
        type_
        for type_ in types
        if not type_.startswith(("fault.", "controller.overrun", "clock.", "config.", "health."))
    ]


def assert_claimed_low_first(supervisor: Supervisor) -> None:
    supervisor.read(f"{ENTRY} low")
    assert supervisor.lines[:2] == [f"claims {ENTRY} low", f"{ENTRY} low"]


def test_a_stopped_process_is_killed_and_the_next_one_claims_the_relay_low(supervisor, tmp_path):
    gate = supervisor(30.0)
    gate.release()
    gate.process.send_signal(signal.SIGSTOP)
    stopped = gate.process
    gate.watch()
    assert stopped.returncode == -signal.SIGKILL
    assert gate.process is not stopped
    assert_claimed_low_first(gate)
    assert told(tmp_path) == ["controller.started", "entry.commanded", "controller.started"]


def test_a_killed_process_holds_the_relay_until_the_next_one_claims_it_low(supervisor, tmp_path):
    gate = supervisor(30.0)
    gate.release()
    gate.kill()
    assert gate.is_high(ENTRY)
    gate.start()
    assert_claimed_low_first(gate)
    assert told(tmp_path) == ["controller.started", "entry.commanded", "controller.started"]


def test_a_process_that_is_told_to_end_lets_go_by_itself(supervisor, tmp_path):
    gate = supervisor(30.0)
    gate.release()
    gate.process.terminate()
    assert gate.hear("STOPPING=1")
    gate.read_all()
    assert not gate.is_high(ENTRY)
    assert gate.process.wait(LIMIT_S) == 0
    assert told(tmp_path) == ["controller.started", "entry.commanded", "controller.stopped"]


def test_a_loop_that_hangs_leaves_the_relay_let_go_at_the_end_of_the_release(supervisor):
    gate = supervisor(2.0)
    gate.release()
    gate.process.send_signal(signal.SIGUSR2)
    gate.read(f"{ENTRY} low")
    assert gate.process.poll() is None
    hung = gate.process
    gate.watch()
    assert hung.returncode == -signal.SIGKILL
