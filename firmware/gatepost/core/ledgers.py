"""Who is inside on somebody's word, or on duty: opened at the passage, and closed at the passage.

A visitor who was brought in is in the ledger until seen to leave (R077, R171: closed in time);
staff who came in, measured as everybody, are on duty until then (R015, R202). Pure: records in, the
ledger and the records that follow out. Without a reader at the exit nobody is seen to leave, and
there is no ledger.
"""

from collections.abc import Mapping
from typing import NamedTuple

from gatepost.core.events import Json, Record
from gatepost.core.facts import Category
from gatepost.core.passback import Moment, is_within

_IN = ("passage.entered",)
_OUT = ("passage.left",)
_UNCONFIRMED = "passage.unconfirmed"  # where the turnstile tells nothing, the release counts
_EVACUATED = ("fire.cleared", "emergency.cleared")


class Stay(NamedTuple):
    """One line of the ledger. `escort` None: on duty. `is_told`: that it is overdue."""

    since: Moment
    escort: str | None = None
    is_told: bool = False


Ledger = Mapping[str, Stay]  # by subject
EMPTY: Ledger = {}


def follow(ledger: Ledger, record: Record, now: Moment) -> tuple[Ledger, tuple[Record, ...]]:
    """Return the ledger after a record of the lane, and what is to be recorded of it."""
    if record.type in _EVACUATED:
        # Everybody left through a free turnstile, where nobody was seen.
        closed = (_closed(who, stay, record, now, "evacuated") for who, stay in ledger.items())
        return EMPTY, tuple(closed)
    subject = record.data.get("subject")
    if not isinstance(subject, str):
        return ledger, ()
    direction = record.data.get("direction")
    is_unconfirmed = record.type == _UNCONFIRMED
    if record.type in _IN or (is_unconfirmed and direction == "entry"):
        return _entered(ledger, subject, record, now)
    if (record.type in _OUT or (is_unconfirmed and direction == "exit")) and subject in ledger:
        rest = {who: stay for who, stay in ledger.items() if who != subject}
        return rest, (_closed(subject, ledger[subject], record, now, "left"),)
    return ledger, ()


def overdue(
    ledger: Ledger, now: Moment, at_s: float, escort_s: float
) -> tuple[Ledger, tuple[Record, ...]]:
    """Return the ledger, and a record for each visit that lasts for too long, once."""
    late = {
        who: stay
        for who, stay in ledger.items()
        if stay.escort is not None and not stay.is_told and not is_within(stay.since, now, escort_s)
    }
    if not late:
        return ledger, ()
    told = {who: stay._replace(is_told=True) for who, stay in late.items()}
    return {**ledger, **told}, tuple(
        Record(
            "escort.overdue",
            at_s,
            {"subject": who, "escort": stay.escort, "allowed_s": escort_s, "rules": ["R077"]},
        )
        for who, stay in late.items()
    )


def _entered(
    ledger: Ledger, subject: str, record: Record, now: Moment
) -> tuple[Ledger, tuple[Record, ...]]:
    escort = record.data.get("escort")
    if isinstance(escort, str):
        data: dict[str, Json] = {"subject": subject, "escort": escort, "rules": ["R077"]}
        stay, opened = Stay(now, escort), Record("escort.opened", record.at_s, data)
    elif record.data.get("category") == Category.PROPERTY_STAFF.value:
        data = {"subject": subject, "rules": ["R015", "R202"]}
        stay, opened = Stay(now), Record("duty.begun", record.at_s, data)
    else:
        return ledger, ()
    # Who is in it already went out unseen: that line is closed, and not counted twice.
    before = ledger.get(subject)
    closed = () if before is None else (_closed(subject, before, record, now, "entered_again"),)
    return {**ledger, subject: stay}, (*closed, opened)


def _closed(subject: str, stay: Stay, record: Record, now: Moment, why: str) -> Record:
    is_duty = stay.escort is None
    data: dict[str, Json] = {"subject": subject, "why": why, "lasted_s": _lasted_s(stay.since, now)}
    if is_duty:
        return Record("duty.ended", record.at_s, {**data, "rules": ["R015", "R202"]})
    return Record(
        "escort.closed",
        record.at_s,
        {**data, "escort": stay.escort, "rules": ["R077", "R171"]},
    )


def _lasted_s(since: Moment, now: Moment) -> float | None:
    """Return how long it was, None where no clock can tell."""
    same_boot = since.boot_id == now.boot_id
    lasted_s = now.at_s - since.at_s if same_boot else now.utc_s - since.utc_s
    return round(lasted_s, 3) if lasted_s >= 0 else None
