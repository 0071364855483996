"""Virtual time: everything simulated happens on one thread, in the order of its instants.

The same seed gives the same run, however slow the machine is. A `pace` makes it watchable.
"""

import heapq
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gatepost_hal.ports import HardwareEvent, Reading, SensorFault, Thermometer, TimeQuality


class World:
    """A `Clock` and a `Timer` whose time passes only when `step` lets it.

    Args:
        start_utc_s: what the wall clock shows at monotonic 0.
        pace: called with each new instant before anything happens at it.
    """

    def __init__(
        self,
        *,
        start_utc_s: float = 1_790_000_000.0,
        pace: Callable[[float], None] = lambda _at_s: None,
    ) -> None:
        self._now_s = 0.0
        self._spent_s = 0.0
        self._start_utc_s = start_utc_s
        self._quality: TimeQuality = "ntp"
        self._pace = pace
        self._order = itertools.count()
        self._due: list[tuple[float, int, list[Callable[[], None]]]] = []

    def now_s(self) -> float:
        """Return the virtual instant, including what a blocking call under way has spent."""
        return self._now_s + self._spent_s

    def utc_s(self) -> float:
        """Return the virtual wall clock."""
        return self._start_utc_s + self.now_s()

    def utc_quality(self) -> TimeQuality:
        """Return what the wall clock says of itself: that a time server keeps it, or otherwise."""
        return self._quality

    def set_clock(self, *, by_s: float = 0.0, quality: TimeQuality | None = None) -> None:
        """Set the wall clock forward or back, or let something else keep it from now on."""
        self._start_utc_s += by_s
        self._quality = quality or self._quality

    def call_at(self, at_s: float, action: Callable[[], None]) -> Callable[[], None]:
        """Run `action` at `at_s`; return what cancels it."""
        cell = [action]
        heapq.heappush(self._due, (max(at_s, self._now_s), next(self._order), cell))
        return cell.clear

    def step(self, until_s: float) -> bool:
        """Let time pass to the next thing due, and do it. False when `until_s` came first."""
        if not self._due or self._due[0][0] > until_s:
            if until_s > self._now_s:
                self._pace(until_s)
                self._now_s = until_s
            return False
        at_s, _, cell = heapq.heappop(self._due)
        if at_s > self._now_s:
            self._pace(at_s)
            self._now_s = at_s
        for action in cell:
            action()
        return True

    def advance(self, duration_s: float) -> None:
        """Let everything happen that is due within `duration_s`."""
        until_s = self._now_s + duration_s
        while self.step(until_s):
            pass

    def spend(self, duration_s: float) -> None:
        """Block the caller: what a bus transfer or a pause takes, seen by the caller's clock."""
        self._spent_s += duration_s

    @contextmanager
    def beside(self) -> Iterator[Callable[[], float]]:
        """Run a blocking call beside the rest of the world, as a thread would.

        Yields a function that returns how long the call has blocked so far.
        """
        self._spent_s = 0.0
        try:
            yield lambda: self._spent_s
        finally:
            self._spent_s = 0.0


class SimulatedMailbox:
    """A `Mailbox` that lets the world go on while the control loop waits."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._events: list[HardwareEvent] = []

    def post(self, event: HardwareEvent) -> None:
        """Leave an event."""
        self._events.append(event)

    def wait(self, until_s: float) -> list[HardwareEvent]:
        """Return all events there are, letting the world go on until the first, or `until_s`."""
        while not self._events and self._world.step(until_s):
            pass
        events, self._events = self._events, []
        return events


class SimulatedSampler:
    """A `Sampler` beside the loop: a bus that hangs delays its sample and nothing else."""

    def __init__(
        self, thermometer: Thermometer, *, world: World, mailbox: SimulatedMailbox
    ) -> None:
        self._thermometer = thermometer
        self._world = world
        self._mailbox = mailbox
        self._outstanding = False

    def request(self) -> None:
        """Ask for one sample; ignored while one is outstanding."""
        if not self._outstanding:
            self._outstanding = True
            self._world.call_at(self._world.now_s(), self._measure)

    def _measure(self) -> None:
        with self._world.beside() as spent_s:
            sample = self._thermometer.measure()
            blocked_s = spent_s()
        self._world.call_at(self._world.now_s() + blocked_s, lambda: self._deliver(sample))

    def _deliver(self, sample: Reading | SensorFault) -> None:
        self._outstanding = False
        self._mailbox.post(sample)
