"""Run in the guest by tests/hil/test_watchdog.py: a gate with the machine's watchdog, and its end.

Tells on the console what is done, and each change of the exit relay, with instants of this machine.
"""

import os
import signal
import socket
import tempfile
import threading
import time
from pathlib import Path
from threading import Event

from . import lane
from .lane import PINS
from .processes import GATEPOST, Process, prepare, run

TIMEOUT_S = 5  # the least that the settings take
HOLD_S = 2.0
_HANGING = (str(Path(__file__).with_name("hanging_gate.py")),)
_START_S = 120.0
_POLL_S = 0.002
_SETTINGS = f"""
[watchdog]
device = "/dev/watchdog"
timeout_s = {TIMEOUT_S}
[turnstile]
release_hold_s = {HOLD_S}
"""


def tell(words: str) -> None:
    print(f"{time.monotonic():.3f} {words}", flush=True)


class Relay(threading.Thread):
    """Tells the relay's level at each change, whatever becomes of the gate."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.told = 0

    def run(self) -> None:
        while True:
            if (now := lane.level(PINS.exit_relay)) != self.told:
                tell(f"relay {now}")
                self.told = now
            Event().wait(_POLL_S)


_relay = Relay()


def start(config: Path, program: tuple[str, ...] = GATEPOST) -> Process:
    """Start the gate; return it with somebody just let out, and the watchdog armed.

    It is armed by the first turn of its loop that came to its end. A press from before that may
    be seconds old when it is dealt with, and its hold be over.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path := str(config.parent / f"notify-{time.monotonic_ns()}"))
        os.environ["NOTIFY_SOCKET"] = path
        gate = run(config, "run", program)
        manager.settimeout(_START_S)
        while manager.recv(4096) != b"WATCHDOG=1":
            pass

    def answers() -> bool:
        lane.close(PINS.exit_button)
        Event().wait(0.1)
        lane.open_(PINS.exit_button)
        Event().wait(0.3)
        return bool(_relay.told)

    lane.wait_until(answers, "the exit relay, after the button", _START_S)
    return gate


def outlast(process: Process) -> None:
    """Wait until the watchdog has had its time; then put away what it bit."""
    Event().wait(TIMEOUT_S + 2.0)
    tell("over")
    process.kill()
    process.wait()
    # The driver still counts it as running, and would not start it again.
    with Path("/dev/watchdog").open("wb", buffering=0) as device:
        device.write(b"V")


def ends_in_good_order(config: Path) -> None:
    gate = start(config)
    tell("strikes")
    gate.send_signal(signal.SIGTERM)
    tell(f"ended with {gate.wait(30.0)}")
    outlast(gate)


def hangs(config: Path) -> None:
    gate = start(config, _HANGING)
    tell("strikes")
    gate.send_signal(signal.SIGUSR1)
    lane.wait_until(lambda: not lane.level(PINS.exit_relay), "the relay falls by itself")
    state = Path(f"/proc/{gate.pid}/stat").read_text().rpartition(") ")[2][0]
    tell(f"the process is {state}")
    outlast(gate)


def is_stopped(config: Path) -> None:
    gate = start(config)
    tell("strikes")
    gate.send_signal(signal.SIGSTOP)
    outlast(gate)


def is_killed(config: Path) -> None:
    gate = start(config)
    tell("strikes")
    gate.kill()
    Event().wait(10.0 * TIMEOUT_S)
    tell("the machine was not reset")


def main() -> None:
    lane.rest()
    lane.show(lane.ROOM_C)
    _relay.start()
    config = prepare(Path(tempfile.mkdtemp()), _SETTINGS)
    for story in (ends_in_good_order, hangs, is_stopped, is_killed):
        tell(f"begins {story.__name__}")
        story(config)


main()
