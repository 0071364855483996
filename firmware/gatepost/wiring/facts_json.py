"""Facts as JSON: the form in which `gatepost decide` and tests state them."""

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from gatepost.core.facts import (
    Category,
    Code,
    DatedCode,
    Facts,
    Mask,
    Pass,
    Proof,
    ProofKind,
    Refusal,
    Stay,
)
from gatepost.core.screening import Zone
from gatepost_hal.ports import Direction

_ZONES = {
    "pass": Zone.PASS,
    "recheck": Zone.RECHECK,
    "refer": Zone.REFER,
    "none": Zone.NO_INFORMATION,
    "unknown": Zone.NO_INFORMATION,
    None: Zone.NO_INFORMATION,
}
_MASKS = {
    "worn": Mask.WORN,
    "yes": Mask.WORN,
    "not_worn": Mask.NOT_WORN,
    "no": Mask.NOT_WORN,
    "unknown": Mask.UNKNOWN,
    None: Mask.UNKNOWN,
}
_Count = Annotated[int, Meta(ge=0, le=1_000_000)]
_Id = Annotated[str, Meta(min_length=1, max_length=512)]
_Word = Literal["green", "yellow", "red", "unknown"]


class _Object(Struct, frozen=True, forbid_unknown_fields=True):
    """An object of JSON. An unknown key is an error, never a silent default."""


class _Test(_Object, frozen=True):
    kind: Literal["negative", "sampled"]
    taken_utc: datetime


class _Pass(_Object, frozen=True):
    id: _Id
    household: _Id | None = None
    valid: bool | None = None


class _Stay(_Object, frozen=True):
    area: _Id
    until_utc: datetime


class _Facts(_Object, frozen=True):
    direction: Literal["entry", "exit"]
    category: Category
    zone: Literal["pass", "recheck", "refer", "none", "unknown"] | None = None
    index_c: Annotated[float, Meta(ge=-100, le=1000)] | None = None
    attempts_left: _Count | None = None
    health_code: _Word | None = None
    health_code_utc: datetime | None = None
    trip_card: _Word | None = None
    trip_card_utc: datetime | None = None
    test: _Test | None = None
    shown: _Pass | None = msgspec.field(name="pass", default=None)
    household_last_exit_utc: datetime | None = None
    vouchers: _Count | None = None
    isolation: bool | None = None
    isolation_since_utc: datetime | None = None
    registered: bool | None = None
    escort: _Id | None = None
    risk_area_days: _Count | None = None
    stays: list[_Stay] | None = None
    mask: Literal["worn", "not_worn", "yes", "no", "unknown"] | None = None
    works_inside: _Count | None = None
    people_inside: _Count | None = None
    refused: list[Refusal] | None = None
    now_utc: datetime | None = None


_decoder = msgspec.json.Decoder(_Facts)


class FactsError(ValueError):
    """The text is not one person's facts; the message names the key and what it must be."""


def facts_of(text: bytes | str) -> Facts:
    """Return the facts in one JSON object. A time without an offset is UTC.

    Raises:
        FactsError: not JSON, a key that there is not, or a value that it cannot have.
    """
    try:
        raw = _decoder.decode(text)
        return _facts(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, OverflowError) as error:
        words, _, where = str(error).partition(" - at `$.")
        raise FactsError(f"{where.rstrip('`')}: {words}" if where else words) from None


def _facts(raw: _Facts) -> Facts:
    test, shown = raw.test, raw.shown
    return Facts(
        direction=Direction(raw.direction),
        category=raw.category,
        zone=_ZONES[raw.zone],
        index_c=raw.index_c,
        attempts_left=1 if raw.attempts_left is None else raw.attempts_left,
        health_code=DatedCode(Code(raw.health_code or "unknown"), _utc(raw.health_code_utc)),
        trip_card=DatedCode(Code(raw.trip_card or "unknown"), _utc(raw.trip_card_utc)),
        test=None if test is None else Proof(ProofKind(test.kind), _sure(test.taken_utc)),
        shown=None if shown is None else Pass(shown.id, shown.household, shown.valid),
        household_last_exit=_utc(raw.household_last_exit_utc),
        vouchers=raw.vouchers or 0,
        isolated=_is_isolated(raw),
        isolated_since=_utc(raw.isolation_since_utc),
        registered=raw.registered,
        escort=raw.escort,
        risk_area_days=raw.risk_area_days,
        stays=tuple(Stay(stay.area, _sure(stay.until_utc)) for stay in raw.stays or ()),
        mask=_MASKS[raw.mask],
        works_inside=raw.works_inside,
        people_inside=raw.people_inside,
        refused=frozenset(raw.refused or ()),
        now=_utc(raw.now_utc),
    )


def _is_isolated(raw: _Facts) -> bool:
    """Return what is said; since when somebody is says it as well, unless it is denied."""
    return raw.isolation_since_utc is not None if raw.isolation is None else raw.isolation


def _utc(instant: datetime | None) -> datetime | None:
    return None if instant is None else _sure(instant)


def _sure(instant: datetime) -> datetime:
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
