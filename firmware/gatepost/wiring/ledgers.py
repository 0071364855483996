"""The books of an order on the disk (escorts, duty, escalations): old or new after a power cut."""

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from gatepost.core.escalations import Book, Unanswered, acknowledged, noted, raised_again
from gatepost.core.events import Record
from gatepost.core.ledgers import EMPTY, Ledger, Stay, follow, overdue
from gatepost.core.passback import Moment
from gatepost.wiring.trusted_clock import is_trusted
from gatepost_hal.ports import Clock
from gatepost_services.state_file import StateFileError, read_state, write_state

_log = logging.getLogger(__name__)


class _Waits(NamedTuple):
    """`Unanswered`, with data as JSON has it: what refers to itself msgspec does not read."""

    data: dict[str, Any]
    since: Moment
    told: Moment
    times: int


class _File(msgspec.Struct):
    stays: dict[str, Stay] = {}
    unanswered: tuple[_Waits, ...] = ()


class Ledgers:
    """Keeps the books over restarts. A file that cannot be read is an empty one, and said.

    Args:
        path: the file.
        clock: both clocks.
        boot_id: of this boot.
        escort_s: after which a visit with an escort is overdue; None: nobody is seen to leave, and
            there is no ledger of stays.
        again_s: after which an escalation is raised again; 0 is never.
    """

    def __init__(
        self, path: Path, clock: Clock, boot_id: str, *, escort_s: float | None, again_s: float
    ) -> None:
        self._path, self._clock, self._boot_id = path, clock, boot_id
        self._escort_s, self._again_s = escort_s, again_s
        self._stays: Ledger = EMPTY
        self._unanswered: Book = ()
        self.why_not: str | None = None  # why it will not outlast a restart, if so
        try:
            content = read_state(path)
            file = msgspec.json.decode(content, type=_File) if content else _File()
            self._stays = file.stays
            self._unanswered = tuple(Unanswered(*waits) for waits in file.unanswered)
        except (StateFileError, ValueError) as error:
            self.why_not = f"{path}: cannot be read, and counts as empty: {error}"
            _log.error("%s", self.why_not)

    def follow(self, record: Record) -> Sequence[Record]:
        """Take one record of the lane; return what is to be recorded of it."""
        now, told = self._now(), tuple[Record, ...]()
        stays = self._stays
        if self._escort_s is not None:
            stays, told = follow(stays, record, now)
            told = tuple(self._without_doubt(each) for each in told)
        self._keep(stays, noted(self._unanswered, record, now))
        return told

    def due(self) -> Sequence[Record]:
        """Return a record for each visit that lasts too long, and what is to be raised again."""
        now, at_s = self._now(), self._clock.now_s()
        stays, late = self._stays, tuple[Record, ...]()
        if self._escort_s is not None:
            stays, late = overdue(stays, self._not_ahead(now), at_s, self._escort_s)
        unanswered, again = raised_again(self._unanswered, now, at_s, self._again_s)
        self._keep(stays, unanswered)
        return (*late, *again)

    def acknowledge(self, by: str) -> Sequence[Record]:
        """Note that somebody knows of all escalations that wait; return the record of it."""
        record = acknowledged(self._unanswered, self._clock.now_s(), by)
        self._keep(self._stays, ())
        return (record,)

    def _keep(self, stays: Ledger, unanswered: Book) -> None:
        if (stays, unanswered) == (self._stays, self._unanswered):
            return
        self._stays, self._unanswered = stays, unanswered
        try:
            waits = tuple(_Waits(dict(each.data), *each[1:]) for each in unanswered)
            write_state(self._path, msgspec.json.encode(_File(dict(stays), waits)))
            self.why_not = None
        except StateFileError as error:
            self.why_not = str(error)

    def _not_ahead(self, now: Moment) -> Moment:
        """Return the moment to judge stays of another boot by.

        A clock that was restored is late by as long as the power was away: what is overdue by it is
        overdue. One that nobody has set says nothing, and who may be overdue is told of.
        """
        return now._replace(utc_s=math.nan) if self._clock.utc_quality() == "none" else now

    def _without_doubt(self, record: Record) -> Record:
        """Return the record without how long it lasted, where no clock can tell."""
        subject = record.data.get("subject")
        stay = self._stays.get(subject) if isinstance(subject, str) else None
        if stay is None or stay.since.boot_id == self._boot_id or is_trusted(self._clock):
            return record
        if "lasted_s" not in record.data:
            return record
        return replace(record, data={**record.data, "lasted_s": None})

    def _now(self) -> Moment:
        return Moment(self._boot_id, self._clock.now_s(), self._clock.utc_s())
