"""One lane's devices in the guest, worked from outside: contacts, lens, relays, lamps.

Instants are seconds of CLOCK_MONOTONIC, of the kernel's tracepoints as well: the clock that the
firmware reads, and that it writes into its events.
"""

import re
import struct
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from typing import NamedTuple

from gatepost_config.settings import Pins

PINS = Pins()
CHIP = Path("/sys/devices/platform/gpio-sim.0/gpiochip0")
SENSOR = Path("/sys/kernel/debug/mlx90614-sim.3")
TRACING = Path("/sys/kernel/tracing")
ROOM_C = 24.0
# Two apparent temperatures of foreheads, well on either side of the limit.
HEALTHY_C, FEVERISH_C = 34.0, 36.6
UPDATE_MS = 135  # a DCC's, between two results
# In words of 0.02 C. A real part's noise never repeats a value for long, and neither does this;
# unlike chance it measures everybody in one attempt. 11 values: no stride of samples lines up.
_NOISE = (0, 5, -4, 2, -6, 6, -2, 4, -5, 1, -1)
_SET = re.compile(r" ([0-9]+\.[0-9]+): gpio_value: ([0-9]+) set ([01])")
_POLL_S = 0.02


class LaneError(AssertionError):
    """What was waited for did not come; the message says what."""


class Change(NamedTuple):
    """A level that the kernel set on an output line."""

    at_s: float
    line: int
    level: int


def pull(line: int, how: str) -> float:
    """Do this to a line from outside; return the instant before."""
    at_s = time.monotonic()
    (CHIP / f"sim_gpio{line}" / "pull").write_text(how)
    return at_s


def close(line: int) -> float:
    """Close a contact to ground."""
    return pull(line, "ground")


def open_(line: int) -> float:
    """Open it again."""
    return pull(line, "open")


def level(line: int) -> int:
    """Return a line's level now, as a volt meter would show it."""
    return int((CHIP / f"sim_gpio{line}" / "value").read_text())


def rest() -> None:
    """Bring all contacts to where they are while nobody is there: the fire loop is closed."""
    close(PINS.fire)
    for line in (PINS.presence, PINS.passage, PINS.exit_button):
        open_(line)


def show(object_c: float, ambient_c: float = ROOM_C) -> None:
    """Hold something of this apparent temperature before the lens."""
    at = round((object_c + 273.15) / 0.02)
    (SENSOR / "update_ms").write_text(str(UPDATE_MS))
    (SENSOR / "object").write_bytes(struct.pack("=11H", *(at + noise for noise in _NOISE)))
    (SENSOR / "ambient").write_bytes(struct.pack("=H", round((ambient_c + 273.15) / 0.02)))


def fail_transfers(with_errno: int, after_ms: int = 0) -> None:
    """End every transfer on the sensor's bus so, after a time; with 0 it works again."""
    (SENSOR / "error_ms").write_text(str(after_ms))
    (SENSOR / "error").write_text(str(with_errno))


def wait_until(condition: Callable[[], object], what: str, timeout_s: float = 60.0) -> float:
    """Return the instant at which a condition was first seen to hold.

    Raises:
        LaneError: it does not, in time.
    """
    until_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until_s:
            raise LaneError(f"not in {timeout_s:.0f} s: {what}")
        Event().wait(_POLL_S)
    return time.monotonic()


def unload_sensor() -> None:
    """Take the bus away, as `dtoverlay -r` does. The kernel refuses while somebody has it open."""
    done = subprocess.CompletedProcess[str]([], 1)

    def is_gone() -> bool:
        nonlocal done
        done = subprocess.run(
            ["rmmod", "mlx90614_sim"], capture_output=True, text=True, check=False
        )
        return not done.returncode

    wait_until(is_gone, "rmmod mlx90614_sim")


def load_sensor() -> None:
    """Bring the bus back, with a part on it that sees the room."""
    subprocess.run(["insmod", "/run/modules/mlx90614_sim.ko", "buses=1"], check=True)
    show(ROOM_C)


class Trace:
    """The kernel's own record of every level that a process sets on a line, exact in time."""

    def __init__(self, events: Sequence[str] = ()) -> None:
        text = Path("/sys/kernel/debug/gpio").read_text()
        found = re.search(r"gpiochip0: GPIOs (\d+)-", text)
        assert found, text
        self._base = int(found[1])
        (TRACING / "trace_clock").write_text("mono")
        (TRACING / "buffer_size_kb").write_text("8192")
        (TRACING / "events/gpio/gpio_value/filter").write_text("get==0")
        for event in ("gpio/gpio_value", *events):
            (TRACING / "events" / event / "enable").write_text("1")

    def clear(self) -> None:
        """Forget what was."""
        (TRACING / "trace").write_text("")

    def text(self) -> str:
        """Return all lines since `clear`."""
        return (TRACING / "trace").read_text()

    def changes(self, *lines: int, text: str | None = None) -> list[Change]:
        """Return each change of these output lines since `clear`, the first level of each too."""
        changes: list[Change] = []
        last: dict[int, int] = {}
        for at_s, number, set_to in _SET.findall(self.text() if text is None else text):
            line, level_ = int(number) - self._base, int(set_to)
            if line in lines and last.get(line) != level_:
                last[line] = level_
                changes.append(Change(float(at_s), line, level_))
        return changes
