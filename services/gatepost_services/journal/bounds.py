"""What has to go from the journal, and when: one decision at a time. Pure.

First what the server has, then by class: telemetry, bookkeeping, decisions, alarms. What the server
has goes silently; all else leaves a gap event.
"""

from dataclasses import dataclass
from typing import NamedTuple

from gatepost_services.journal.schema import ALL_CLASSES, Stats
from gatepost_services.journal.writer import EVER, MOST_EVICTED, NEVER, Dated
from gatepost_services.record import EventClass

_DAY_S = 86_400.0
# 2020-09-13: a wall clock that says less was never set.
_FIRST_DATE_S = 1.6e9
# Free pages that are worth a write to give back, and how many at a time: 64 take some 2 ms here.
_WORTH_GIVING_BACK_BYTES = 4 * 1024 * 1024
_PAGES_AT_A_TIME = 64
_FEWEST_EVICTED = 10


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the journal may come to.

    `max_events`, `max_bytes`: in the file. `min_free_bytes`: on its disk. `max_age_s`: of events
    that no server took. `keep_delivered_s`: how long a server may ask for them again.
    """

    max_events: int = 1_000_000
    max_bytes: int = 1_000_000_000
    max_age_s: float = 90 * _DAY_S
    keep_delivered_s: float = 7 * _DAY_S
    min_free_bytes: int = 100_000_000


class Forget(NamedTuple):
    """Delete what is delivered, but for what is dated within `keep`."""

    keep: Dated


class Evict(NamedTuple):
    """Give up the oldest events of a class that are dated within `dated`, at most so many."""

    event_class: EventClass
    dated: Dated
    cause: str
    most: int = MOST_EVICTED


class GiveBack(NamedTuple):
    """Give so many free pages back to the file system."""

    pages: int


Step = Forget | Evict | GiveBack


def next_step(
    stats: Stats,
    limits: Limits,
    *,
    delivered_seq: int,
    free_bytes: int,
    now_utc_s: float | None,
) -> Step | None:
    """Return what to do next, None when all is within its limits.

    `free_bytes`: of the disk. `now_utc_s` is None while nobody vouches for the wall clock: nothing
    is too old then, for a clock that is years ahead would empty the journal.
    """
    is_short_of_disk = free_bytes < limits.min_free_bytes
    if is_short_of_disk and stats.free_bytes:
        return GiveBack(_PAGES_AT_A_TIME)
    is_too_much = sum(stats.rows) > limits.max_events or stats.used_bytes > limits.max_bytes
    if is_too_much or is_short_of_disk:
        step = _make_room(stats, delivered_seq, "events" if is_too_much else "disk")
        if step is not None:
            return step
    if now_utc_s is not None:
        step = _too_old(stats, limits, delivered_seq, now_utc_s)
        if step is not None:
            return step
    if stats.free_bytes > _WORTH_GIVING_BACK_BYTES:
        return GiveBack(_PAGES_AT_A_TIME)
    return None


def _make_room(stats: Stats, delivered_seq: int, cause: str) -> Step | None:
    if any(oldest and oldest[0] <= delivered_seq for oldest in stats.oldest):
        return Forget(NEVER)
    for each in reversed(ALL_CLASSES):
        # The last gap event stays: it would only make place for the next one.
        if stats.rows[each] > (1 if each is EventClass.ALARM else 0):
            # A tenth: a small journal must not lose all that it has for one event too many. Not
            # one by one, for each time leaves a gap event.
            most = min(MOST_EVICTED, max(stats.rows[each] // 10, _FEWEST_EVICTED))
            return Evict(each, EVER, cause, most)
    return None


def _too_old(stats: Stats, limits: Limits, delivered_seq: int, now_utc_s: float) -> Step | None:
    # What is dated after today was dated by a wrong clock; the server has it, so it may go.
    keep = (now_utc_s - limits.keep_delivered_s, now_utc_s + _DAY_S)
    for each in reversed(ALL_CLASSES):
        oldest = stats.oldest[each]
        if oldest is None:
            continue
        seq, utc_s = oldest
        if seq <= delivered_seq and not keep[0] <= utc_s <= keep[1]:
            return Forget(keep)
        old = (_FIRST_DATE_S, now_utc_s - limits.max_age_s)
        if seq > delivered_seq and old[0] <= utc_s <= old[1]:
            return Evict(each, old, "age")
    return None
