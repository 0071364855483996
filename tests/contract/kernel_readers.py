"""Pass readers on a real kernel: a keyboard of uinput, and two lines of gpio-sim.

The readers, evdev and the GPIO character device are those of a Pi; see kernel_bench.py.
"""

import contextlib
import fcntl
import os
import struct
from collections.abc import Callable
from pathlib import Path
from threading import Event

from gatepost_hal.ports import Direction, HardwareEvent
from gatepost_hal.readers.device import DeviceReader
from gatepost_hal.readers.keyboard import KeyboardReader
from gatepost_hal.readers.wiegand import WiegandReader
from gatepost_hal.simulated.keyboard import ESCAPE, REPORT_S, KeyRecords, reports_of
from gatepost_hal.simulated.wiegand import D0, D1, PAUSE_S, PERIOD_S, PULSE_S, frame
from gatepost_hal.system import SystemClock, ThreadMailbox

from .kernel_bench import pull
from .reader_benches import FACILITY, PATIENCE_S, Cards, Texts, collect_until, collect_within

# linux/uinput.h
_SET_EVBIT, _SET_KEYBIT, _SET_MSCBIT = 0x40045564, 0x40045565, 0x40045568
_DEV_SETUP, _DEV_CREATE, _DEV_DESTROY, _GET_SYSNAME = 0x405C5503, 0x5501, 0x5502, 0x8040552C
_SETUP = struct.Struct("=HHHH80sI")
_EV_KEY, _EV_MSC, _MSC_SCAN = 1, 4, 4
_KEYS = 128
_NAME_BYTES = 64
_FOUND_S = 5.0
_CHIP = Path("/dev/gpiochip0")


class KernelKeyboard:
    """A keyboard that the kernel believes in, at a path that stays the same."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None
        self._records = KeyRecords()

    def plug(self) -> None:
        """Make it."""
        self._records = KeyRecords()
        self._fd = os.open("/dev/uinput", os.O_WRONLY | os.O_NONBLOCK)
        fcntl.ioctl(self._fd, _SET_EVBIT, _EV_KEY)
        fcntl.ioctl(self._fd, _SET_EVBIT, _EV_MSC)
        fcntl.ioctl(self._fd, _SET_MSCBIT, _MSC_SCAN)
        for code in range(1, _KEYS):
            fcntl.ioctl(self._fd, _SET_KEYBIT, code)
        fcntl.ioctl(self._fd, _DEV_SETUP, _SETUP.pack(3, 1, 1, 1, b"scanner", 0))
        fcntl.ioctl(self._fd, _DEV_CREATE)
        name = fcntl.ioctl(self._fd, _GET_SYSNAME, bytes(_NAME_BYTES)).rstrip(b"\0").decode()
        (event,) = Path(f"/sys/class/input/{name}").glob("event*")
        device = Path("/dev/input") / event.name
        for _ in range(round(_FOUND_S / REPORT_S)):
            if device.exists():
                break
            Event().wait(REPORT_S)
        self._path.symlink_to(device)

    def unplug(self) -> None:
        """Take it away."""
        if self._fd is not None:
            self._path.unlink()
            fcntl.ioctl(self._fd, _DEV_DESTROY)
            os.close(self._fd)
            self._fd = None

    def press(self, reports: list[frozenset[int]]) -> None:
        """Send these reports, one every `REPORT_S`."""
        assert self._fd is not None
        for down in reports:
            os.write(self._fd, b"".join(self._records.report(down, 0.0)))
            Event().wait(REPORT_S)

    def press_at_once(self, reports: list[frozenset[int]]) -> None:
        """Send these reports faster than anybody can read."""
        assert self._fd is not None
        data = [record for down in reports for record in self._records.report(down, 0.0)]
        os.write(self._fd, b"".join(data))


class _Kernel:
    """What a real reader has, whatever its kind."""

    reader: DeviceReader

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.mailbox = ThreadMailbox(self.clock)

    def now_s(self) -> float:
        return self.clock.now_s()

    def until(self, is_last: Callable[[HardwareEvent], bool]) -> list[HardwareEvent]:
        return collect_until(self.mailbox.wait, self.now_s, is_last, PATIENCE_S)

    def within(self, duration_s: float) -> list[HardwareEvent]:
        return collect_within(self.mailbox.wait, self.now_s, duration_s)


class KernelKeyboardBench(Texts, _Kernel):
    def __init__(self, direction: Direction, *, folder: Path, plugged: bool = True) -> None:
        super().__init__()
        path = folder / "keyboard"
        self.keyboard = KernelKeyboard(path)
        if plugged:
            self.keyboard.plug()
        self.path = path
        self.reader = KeyboardReader(
            path, clock=self.clock, mailbox=self.mailbox, direction=direction
        )
        Event().wait(10 * REPORT_S)  # what is typed before it is open, nobody reads

    def scan(self, number: int) -> None:
        self.keyboard.press(reports_of(self.text(number)))

    def scan_half(self, number: int) -> None:
        self.keyboard.press(reports_of(self.text(number)[:8], None))

    def scan_garbage(self) -> None:
        escape = [frozenset({ESCAPE}), frozenset[int]()]
        self.keyboard.press([*reports_of("x", None), *escape, *reports_of("y")])

    def flood(self) -> None:
        for _ in range(100):
            self.keyboard.press(reports_of("x"))

    def unplug(self) -> None:
        self.keyboard.unplug()

    def plug(self) -> None:
        self.keyboard.plug()

    def close(self) -> None:
        self.reader.close()
        self.keyboard.unplug()


class KernelWiegandBench(Cards, _Kernel):
    def __init__(self, direction: Direction, *, folder: Path, plugged: bool = True) -> None:
        del folder
        assert plugged, "a GPIO chip is always there"
        super().__init__()
        for line in (D0, D1):
            pull(line, "open")
        self.reader = WiegandReader(
            _CHIP,
            d0=D0,
            d1=D1,
            bits=26,
            clock=self.clock,
            mailbox=self.mailbox,
            direction=direction,
        )
        Event().wait(10 * PERIOD_S)

    def scan(self, number: int) -> None:
        self._send(frame(26, FACILITY, number))

    def scan_half(self, number: int) -> None:
        self._send(frame(26, FACILITY, number)[:13])

    def scan_garbage(self) -> None:
        first, *others = frame(26, FACILITY, 1)
        self._send([1 - first, *others])

    def flood(self) -> None:
        self._send([0, 1] * 200)

    def unplug(self) -> None:
        raise AssertionError("a GPIO chip has no plug")

    plug = unplug

    def close(self) -> None:
        self.reader.close()

    def _send(self, bits: list[int]) -> None:
        for bit in bits:
            line = D1 if bit else D0
            pull(line, "ground")
            Event().wait(PULSE_S)
            pull(line, "open")
            Event().wait(PERIOD_S - PULSE_S)
        Event().wait(PAUSE_S)


def heard_by(path: Path) -> Callable[[], bytes]:
    """Return what tells all that another program reads of this input device from now on."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def read() -> bytes:
        heard = b""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(fd, 4096):
                heard += data
        return heard

    return read
