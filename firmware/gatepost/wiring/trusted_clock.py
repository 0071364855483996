"""The time of day, where somebody vouches for it; and what this gate knows of it by itself.

Nothing here sets a clock. What a wall clock says is weighed against what was dated before: see
firmware/CLOCK.md, which has the table of what each rule does by which quality.
"""

import math
import threading
from datetime import UTC, datetime
from typing import NamedTuple

from gatepost.core.passback import Moment
from gatepost_hal.ports import Clock, TimeQuality

_TRUSTED = ("ntp", "rtc")
# Wall clock and monotonic clock part by so much only when somebody sets the wall clock.
STEP_S = 1.0
_LOOKS = 3
_READ_AT_ONCE_S = 0.1


def is_trusted(clock: Clock) -> bool:
    """Return whether the wall clock was set by something that knows the time."""
    return clock.utc_quality() in _TRUSTED


def trusted_now(clock: Clock) -> datetime | None:
    """Return the time of day, None where no clock can be trusted."""
    return datetime.fromtimestamp(clock.utc_s(), UTC) if is_trusted(clock) else None


def judging_moment(clock: Clock, boot_id: str) -> Moment:
    """Return this moment, to judge by and not to keep: without a trusted clock it has no date.

    NaN compares with nothing: of another boot nothing is known then, of this one all.
    """
    utc_s = clock.utc_s() if is_trusted(clock) else math.nan
    return Moment(boot_id, clock.now_s(), utc_s)


def age_s(then: Moment, now: Moment) -> float:
    """Return how long ago that was, NaN where the two are of two boots and one has no date."""
    same_boot = then.boot_id == now.boot_id
    return now.at_s - then.at_s if same_boot else now.utc_s - then.utc_s


class Known(NamedTuple):
    """What was known of the wall clock, as it is kept over a restart. POSIX seconds.

    Attributes:
        quality: what it was worth; None: there was no run before.
        trusted_s: the last instant that something was dated with by a trusted clock, 0 for none.
        restored_s: the same by one that was restored, or better.
        boot_id: in which boot the two below held.
        offset_s: how far the wall clock was ahead of the monotonic one.
        kept_s: the same when a trusted clock had last set it; None: none did in that boot.
    """

    quality: TimeQuality | None = None
    trusted_s: float = 0.0
    restored_s: float = 0.0
    boot_id: str = ""
    offset_s: float = 0.0
    kept_s: float | None = None

    def dated(self, quality: TimeQuality, utc_s: float) -> "Known":
        """Return the same, where something is known to be dated so."""
        trusted_s = max(self.trusted_s, utc_s) if quality in _TRUSTED else self.trusted_s
        is_worth = quality != "none"
        restored_s = max(self.restored_s, utc_s) if is_worth else self.restored_s
        return self._replace(trusted_s=trusted_s, restored_s=restored_s)


def judged(said: TimeQuality, utc_s: float, offset_s: float, known: Known) -> TimeQuality:
    """Return what the wall clock is worth, given what the kernel says and what is known.

    A time server is believed. Anybody else is not whose time lies before one that somebody at least
    as good has dated an event with: "none". Where a trusted clock was set in this boot, and nobody
    has set it since, it runs on as good as any with a battery: "rtc".
    """
    if said == "ntp":
        return said
    if utc_s < known.trusted_s - STEP_S:
        return "none"
    if said == "rtc" or (known.kept_s is not None and abs(offset_s - known.kept_s) < STEP_S):
        return "rtc"
    return "none" if utc_s < known.restored_s - STEP_S else said


class JudgedClock:
    """A `Clock` whose quality is what it says, weighed against what the gate knows.

    Any thread may ask. `clock` is the machine's, `known` what the last run left.
    """

    def __init__(self, clock: Clock, boot_id: str, known: Known) -> None:
        self._clock = clock
        self._boot_id = boot_id
        self._lock = threading.Lock()
        # How far the clocks were apart in another boot says nothing of this one.
        apart = known if known.boot_id == boot_id else known._replace(boot_id=boot_id, kept_s=None)
        self._known = apart
        self._is_behind = False
        self._fell_behind_s: float | None = None

    def now_s(self) -> float:
        """Return the monotonic instant."""
        return self._clock.now_s()

    def utc_s(self) -> float:
        """Return the wall clock as POSIX seconds."""
        return self._clock.utc_s()

    def utc_quality(self) -> TimeQuality:
        """Return what the wall clock is worth now."""
        with self._lock:
            return self._look().quality or "none"

    def known(self) -> Known:
        """Return what is known of the wall clock by now, to be kept over a restart."""
        with self._lock:
            return self._look()

    def take_fall(self) -> float | None:
        """Return by how many seconds it fell behind what was dated before, once each time."""
        with self._lock:
            fell_s, self._fell_behind_s = self._fell_behind_s, None
            return fell_s

    def _look(self) -> Known:
        now_s, utc_s = both(self._clock)
        said, offset_s, known = self._clock.utc_quality(), utc_s - now_s, self._known
        quality = judged(said, utc_s, offset_s, known)
        floor_s = known.trusted_s if said in _TRUSTED else max(known.trusted_s, known.restored_s)
        is_behind = utc_s < floor_s - STEP_S
        if is_behind and not self._is_behind:
            self._fell_behind_s = floor_s - utc_s
        if said == "ntp":  # what was dated later was dated wrongly
            known = known._replace(trusted_s=utc_s, restored_s=utc_s)
            is_behind = False
        self._is_behind = is_behind
        kept_s = offset_s if quality == said and quality in _TRUSTED else known.kept_s
        self._known = known.dated(quality, utc_s)._replace(
            quality=quality, offset_s=offset_s, kept_s=kept_s
        )
        return self._known


def both(clock: Clock) -> tuple[float, float]:
    """Return the monotonic instant and the wall clock's, read as one.

    A busy machine may let much pass between the two: then they are read again.
    """
    for _ in range(_LOOKS):
        before_s, utc_s, after_s = clock.now_s(), clock.utc_s(), clock.now_s()
        if after_s - before_s <= _READ_AT_ONCE_S:
            break
    return before_s, utc_s
