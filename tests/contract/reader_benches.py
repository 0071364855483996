"""Pass readers together with the hand that holds codes before them and pulls their plugs."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from gatepost_hal.ports import Direction, HardwareEvent, PassRead
from gatepost_hal.readers.line import LineReader
from gatepost_hal.simulated.keyboard import ESCAPE, SimulatedKeyboard, reports_of
from gatepost_hal.simulated.plugged import PluggedDevice
from gatepost_hal.simulated.scanner import PtyScanner, SimulatedScanner
from gatepost_hal.simulated.wiegand import SimulatedWiegand, frame
from gatepost_hal.simulated.world import SimulatedMailbox, World
from gatepost_hal.system import SystemClock, ThreadMailbox

# Until a test gives up on a real device; none waits for it when all is well.
PATIENCE_S = 20.0
# Above what a simulated reader may take for anything.
_ALWAYS_ENOUGH_S = 60.0
# A real scanner's half pass lapses so soon in tests: they have to wait for it.
_HALF_READ_S = 0.2
FACILITY = 123


class ReaderBench(Protocol):
    """A reader of any kind, whose passes have numbers here."""

    def text(self, number: int) -> str: ...
    def scan(self, number: int) -> None: ...
    def scan_half(self, number: int) -> None: ...
    def scan_garbage(self) -> None: ...
    def flood(self) -> None: ...
    def unplug(self) -> None: ...
    def plug(self) -> None: ...
    def now_s(self) -> float: ...
    def until(self, is_last: Callable[[HardwareEvent], bool]) -> list[HardwareEvent]: ...
    def within(self, duration_s: float) -> list[HardwareEvent]: ...
    def close(self) -> None: ...


class Texts:
    """Passes as texts."""

    def text(self, number: int) -> str:
        return f"GP1:Pass-{number:04d}/$%*+."


class Cards:
    """Passes as cards."""

    def text(self, number: int) -> str:
        return f"W26:{FACILITY}:{number}"


class _Simulated:
    """What a reader in simulated time has, whatever its kind."""

    device: PluggedDevice

    def __init__(self) -> None:
        self.world = World()
        self.mailbox = SimulatedMailbox(self.world)

    def unplug(self) -> None:
        self.device.unplug()

    def plug(self) -> None:
        self.device.plug()

    def now_s(self) -> float:
        return self.world.now_s()

    def until(self, is_last: Callable[[HardwareEvent], bool]) -> list[HardwareEvent]:
        return collect_until(self.mailbox.wait, self.now_s, is_last, _ALWAYS_ENOUGH_S)

    def within(self, duration_s: float) -> list[HardwareEvent]:
        return collect_within(self.mailbox.wait, self.now_s, duration_s)

    def close(self) -> None:
        pass


class SimulatedKeyboardBench(Texts, _Simulated):
    def __init__(
        self, direction: Direction, *, folder: Path | None = None, plugged: bool = True
    ) -> None:
        del folder  # no device of this machine
        super().__init__()
        self.device: SimulatedKeyboard = SimulatedKeyboard(
            world=self.world, mailbox=self.mailbox, direction=direction, plugged=plugged
        )

    def scan(self, number: int) -> None:
        self.device.scan(self.text(number))

    def scan_half(self, number: int) -> None:
        self.device.press(reports_of(self.text(number)[:8], None))

    def scan_garbage(self) -> None:
        escape = [frozenset({ESCAPE}), frozenset[int]()]
        self.device.press([*reports_of("x", None), *escape, *reports_of("y")])

    def flood(self) -> None:
        for _ in range(100):
            self.device.scan("x")


class SimulatedScannerBench(Texts, _Simulated):
    def __init__(
        self, direction: Direction, *, folder: Path | None = None, plugged: bool = True
    ) -> None:
        del folder  # no device of this machine
        super().__init__()
        self.device: SimulatedScanner = SimulatedScanner(
            world=self.world, mailbox=self.mailbox, direction=direction, plugged=plugged
        )

    def scan(self, number: int) -> None:
        self.device.scan(self.text(number))

    def scan_half(self, number: int) -> None:
        self.device.send(self.text(number)[:8].encode())

    def scan_garbage(self) -> None:
        self.device.send(b"\xff\xfe\r")

    def flood(self) -> None:
        self.device.send(b"x\r" * 2000)


class SimulatedWiegandBench(Cards, _Simulated):
    def __init__(
        self, direction: Direction, *, folder: Path | None = None, plugged: bool = True
    ) -> None:
        del folder  # no device of this machine
        super().__init__()
        self.device: SimulatedWiegand = SimulatedWiegand(
            world=self.world, mailbox=self.mailbox, direction=direction, plugged=plugged
        )

    def scan(self, number: int) -> None:
        self.device.scan(FACILITY, number)

    def scan_half(self, number: int) -> None:
        self.device.send(frame(26, FACILITY, number)[:13])

    def scan_garbage(self) -> None:
        wrong_parity = [1 - bit for bit in frame(26, FACILITY, 1)[:1]]
        self.device.send([*wrong_parity, *frame(26, FACILITY, 1)[1:]])

    def flood(self) -> None:
        self.device.send([0, 1] * 1000, period_s=0.0002)


class PtyScannerBench(Texts):
    """The real reader, thread and all, on a terminal of this machine's kernel."""

    def __init__(self, direction: Direction, *, folder: Path, plugged: bool = True) -> None:
        self._scanner = PtyScanner(folder / "scanner")
        if plugged:
            self._scanner.plug()
        self._clock = SystemClock()
        self._mailbox = ThreadMailbox(self._clock)
        self._reader = LineReader(
            folder / "scanner",
            clock=self._clock,
            mailbox=self._mailbox,
            direction=direction,
            half_read_s=_HALF_READ_S,
        )

    def scan(self, number: int) -> None:
        self._scanner.send(self.text(number).encode() + b"\r")

    def scan_half(self, number: int) -> None:
        self._scanner.send(self.text(number)[:8].encode())

    def scan_garbage(self) -> None:
        self._scanner.send(b"\xff\xfe\r")

    def flood(self) -> None:
        self._scanner.send(b"x\r" * 4000)

    def unplug(self) -> None:
        self._scanner.unplug()

    def plug(self) -> None:
        self._scanner.plug()

    def now_s(self) -> float:
        return self._clock.now_s()

    def until(self, is_last: Callable[[HardwareEvent], bool]) -> list[HardwareEvent]:
        return collect_until(self._mailbox.wait, self.now_s, is_last, PATIENCE_S)

    def within(self, duration_s: float) -> list[HardwareEvent]:
        return collect_within(self._mailbox.wait, self.now_s, duration_s)

    def close(self) -> None:
        self._reader.close()
        self._scanner.unplug()


def is_pass(text: str) -> Callable[[HardwareEvent], bool]:
    """Return what knows the pass with this text."""
    return lambda event: isinstance(event, PassRead) and event.credential == text


def collect_until(
    wait: Callable[[float], list[HardwareEvent]],
    now_s: Callable[[], float],
    is_last: Callable[[HardwareEvent], bool],
    patience_s: float,
) -> list[HardwareEvent]:
    """Return the events up to one that is awaited, which then is the last.

    Raises:
        AssertionError: it did not come, or something came after it.
    """
    until_s = now_s() + patience_s
    events: list[HardwareEvent] = []
    while now_s() < until_s:
        events += wait(until_s)
        if any(map(is_last, events)):
            assert is_last(events[-1]), events
            return events
    raise AssertionError(f"awaited in vain; there were {events}")


def collect_within(
    wait: Callable[[float], list[HardwareEvent]], now_s: Callable[[], float], duration_s: float
) -> list[HardwareEvent]:
    """Return the events of a time."""
    until_s = now_s() + duration_s
    events: list[HardwareEvent] = []
    while now_s() < until_s:
        events += wait(until_s)
    return events
