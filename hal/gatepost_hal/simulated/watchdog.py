"""A watchdog that bites on paper."""

from collections.abc import Callable

from gatepost_hal.simulated.world import World


class SimulatedWatchdog:
    """A `Watchdog` in virtual time: `bites_at_s` has the instants at which it would have bitten.

    It counts from the start, as one does that was opened. After a bite it counts anew, as after
    the restart.
    """

    def __init__(self, world: World, *, timeout_s: float) -> None:
        self._world = world
        self.timeout_s = timeout_s
        self.bites_at_s: list[float] = []
        self._cancel = self._count()

    def pet(self) -> None:
        """Put the bite off by the whole time-out."""
        self._cancel()
        self._cancel = self._count()

    def close(self) -> None:
        """Disarm it."""
        self._cancel()

    def _bite(self) -> None:
        self.bites_at_s.append(self._world.now_s())
        self._cancel = self._count()

    def _count(self) -> Callable[[], None]:
        return self._world.call_at(self._world.now_s() + self.timeout_s, self._bite)
