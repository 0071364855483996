"""Clocks for tests: a wall clock that somebody sets, and what this gate makes of it."""

from pathlib import Path

from gatepost.wiring.clock_watch import ClockWatch, read_known
from gatepost.wiring.trusted_clock import JudgedClock, Known
from gatepost_hal.simulated.world import World

START_S = 1_790_000_000.0
HOUR_S, DAY_S = 3600.0, 86_400.0
TRUSTED, UNTRUSTED = ("ntp", "rtc"), ("restored", "none")
QUALITIES = ("ntp", "rtc", "restored", "none")


def rebooted(world: World, quality: str, *, lost_s: float = 0.0, off_s: float = 0.0) -> World:
    """Return the clocks of the next boot.

    `off_s`: how long the power was away. `lost_s`: by how much the wall clock is behind then.
    """
    fresh = World(start_utc_s=world.utc_s() + off_s - lost_s)
    fresh.set_clock(quality=quality)
    return fresh


class Watched:
    """A run of a gate as far as its clock goes: what it tells, and what it leaves."""

    def __init__(self, world: World, folder: Path, boot_id: str = "boot") -> None:
        self.world = world
        path = folder / "clock.json"
        self.clock = JudgedClock(world, boot_id, read_known(path))
        self._watch = ClockWatch(self.clock, path)

    @property
    def quality(self) -> str:
        return self.clock.utc_quality()

    @property
    def known(self) -> Known:
        return self.clock.known()

    def look(self) -> list[tuple]:
        """Return what is told by now, as (type, data's values ...)."""
        return [(each.type, *each.data.values()) for each in self._watch.due()]

    def run(self, duration_s: float = 5.0) -> list[tuple]:
        """Look every five seconds for this long; return all that is told."""
        told = []
        until_s = self.world.now_s() + duration_s
        while self.world.now_s() < until_s:
            self.world.advance(5.0)
            told += self.look()
        return told
