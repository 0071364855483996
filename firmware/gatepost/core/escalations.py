"""Escalations that nobody has acknowledged: raised again until somebody does.

Whoever is to be told is told by an event (`escalation.raised`, section 2.8 of the rules has the
recipients). That it arrived says nothing of a person who read it. Pure: the book and a record in,
the book and what is to be recorded out.
"""

from collections.abc import Mapping
from typing import NamedTuple

from gatepost.core.events import Json, Record
from gatepost.core.passback import Moment, is_within

_MOST_OPEN = 64  # the oldest have been raised often enough by then
_MOST_TIMES = 6  # who has not answered by then needs another means than one more event


class Unanswered(NamedTuple):
    """One that waits: what was told, since when, when it was last told, and how often again."""

    data: Mapping[str, Json]
    since: Moment
    told: Moment
    times: int = 0


Book = tuple[Unanswered, ...]


def noted(book: Book, record: Record, now: Moment) -> Book:
    """Return the book after a record of the lane."""
    if record.type != "escalation.raised" or "again" in record.data:
        return book
    return (*book, Unanswered(record.data, now, now))[-_MOST_OPEN:]


def raised_again(
    book: Book, now: Moment, at_s: float, again_s: float
) -> tuple[Book, tuple[Record, ...]]:
    """Return the book, and a record for each that has waited for `again_s` since it was last told.

    It is the event as it was, with `again`: how many times it was raised before. 0 is never.
    """
    if not again_s:
        return (), ()
    after: list[Unanswered] = []
    records: list[Record] = []
    for waits in book:
        if is_within(waits.told, now, again_s):
            after.append(waits)
            continue
        times = waits.times + 1
        records.append(Record("escalation.raised", at_s, {**waits.data, "again": times}))
        if times < _MOST_TIMES:
            after.append(waits._replace(told=now, times=times))
    return tuple(after), tuple(records)


def acknowledged(book: Book, at_s: float, by: str) -> Record:
    """Return the record of somebody who knows of all that waits, after which nothing does."""
    who = sorted({str(waits.data.get("who")) for waits in book})
    return Record("escalation.acknowledged", at_s, {"by": by, "count": len(book), "who": who})
