"""Anti-passback: one pass lets in one person, who is outside.

Two rules, and a person wants to enter. The place: who is inside already cannot come in again; how
hard that is taken is the site's mode. The interval: one pass does not enter twice within so many
seconds, whatever the mode, also where nobody notes exits. Nobody is ever asked anything on the way
out: a way out holds nobody in.

A time that has passed is told by the monotonic clock within one boot, and by the wall clock across
boots. Where that went back (a Pi without a battery, set wrong) nothing is known of the time, and a
rule about time then objects to nothing: a doubt of ours is not the resident's. Only HARD knows no
time, and holds whatever the clocks say.
"""

from enum import Enum
from typing import NamedTuple


class PassbackMode(Enum):
    """What it means for somebody who wants to enter to be inside already."""

    OFF = "off"  # nothing
    SOFT = "soft"  # it is told, and lets in
    HARD = "hard"  # it blocks, until the exit is seen
    TIMED = "timed"  # it blocks for a while


class PassbackPolicy(NamedTuple):
    """What the site decides.

    `window_s`: how long TIMED blocks. `pass_interval_s`: how long the same pass cannot enter again,
    in every mode; 0 is no such rule.
    """

    mode: PassbackMode
    window_s: float = 0.0
    pass_interval_s: float = 0.0


class Moment(NamedTuple):
    """An instant on both clocks: monotonic within the boot, and POSIX seconds of the wall clock."""

    boot_id: str
    at_s: float
    utc_s: float


class Place(Enum):
    """Where a pass was last seen to go."""

    INSIDE = "inside"
    OUTSIDE = "outside"


class Sighting(NamedTuple):
    """What is known of a pass: where it went, when, and when it last entered, if it ever did."""

    place: Place
    moved: Moment
    entered: Moment | None


class Objection(NamedTuple):
    """What speaks against an entry: "already_inside" or "too_soon", and whether it keeps out."""

    reason: str
    blocks: bool


ALREADY_INSIDE = "already_inside"
TOO_SOON = "too_soon"


def objection(sighting: Sighting | None, now: Moment, policy: PassbackPolicy) -> Objection | None:
    """Return what speaks against letting in a pass that was last seen so; None is nothing.

    Where both rules speak, what blocks is told before what does not, and the place before the time.
    """
    if sighting is None:
        return None
    of_place = _about_place(sighting, now, policy)
    if of_place is not None and of_place.blocks:
        return of_place
    if is_within(sighting.entered, now, policy.pass_interval_s):
        return Objection(TOO_SOON, blocks=True)
    return of_place


def moved(sighting: Sighting | None, place: Place, now: Moment) -> Sighting:
    """Return what is known after a pass went to `place`."""
    if place is Place.INSIDE:
        return Sighting(place, moved=now, entered=now)
    return Sighting(place, moved=now, entered=None if sighting is None else sighting.entered)


def _about_place(sighting: Sighting, now: Moment, policy: PassbackPolicy) -> Objection | None:
    if sighting.place is Place.OUTSIDE:
        return None
    match policy.mode:
        case PassbackMode.OFF:
            return None
        case PassbackMode.SOFT:
            return Objection(ALREADY_INSIDE, blocks=False)
        case PassbackMode.HARD:
            return Objection(ALREADY_INSIDE, blocks=True)
        case PassbackMode.TIMED if is_within(sighting.moved, now, policy.window_s):
            return Objection(ALREADY_INSIDE, blocks=True)
        case PassbackMode.TIMED:
            return None


def is_within(then: Moment | None, now: Moment, span_s: float) -> bool:
    """Return whether `then` is known to be less than `span_s` ago."""
    if then is None:
        return False
    age_s = now.at_s - then.at_s if now.boot_id == then.boot_id else now.utc_s - then.utc_s
    # Both ways round, so that a clock that went back, and a NaN, are known to be nothing.
    return 0 <= age_s < span_s
