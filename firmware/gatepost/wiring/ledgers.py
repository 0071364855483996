"""The ledger of escorts and duty on the disk: old or new after a power cut, and whole."""

import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gatepost.core.events import Record
from gatepost.core.ledgers import EMPTY, Ledger, Stay, follow, overdue
from gatepost.core.passback import Moment
from gatepost_hal.ports import Clock
from gatepost_services.state_file import StateFileError, read_state, write_state

_log = logging.getLogger(__name__)


class Ledgers:
    """Keeps the ledger over restarts. A file that cannot be read is an empty one, and said."""

    def __init__(self, path: Path, clock: Clock, boot_id: str, escort_s: float) -> None:
        self._path, self._clock, self._boot_id = path, clock, boot_id
        self._escort_s = escort_s
        self._ledger: Ledger = EMPTY
        self.why_not: str | None = None  # why it will not outlast a restart, if so
        try:
            content = read_state(path)
            self._ledger = msgspec.json.decode(content, type=dict[str, Stay]) if content else EMPTY
        except (StateFileError, ValueError) as error:
            self.why_not = f"{path}: cannot be read, and counts as empty: {error}"
            _log.error("%s", self.why_not)

    def follow(self, record: Record) -> Sequence[Record]:
        """Take one record of the lane; return what is to be recorded of it."""
        ledger, told = follow(self._ledger, record, self._now())
        self._keep(ledger)
        return told

    def overdue(self) -> Sequence[Record]:
        """Return a record for each visit that lasts for too long, once."""
        ledger, told = overdue(self._ledger, self._now(), self._clock.now_s(), self._escort_s)
        self._keep(ledger)
        return told

    def _keep(self, ledger: Ledger) -> None:
        if ledger == self._ledger:
            return
        self._ledger = ledger
        try:
            write_state(self._path, msgspec.json.encode(ledger))
            self.why_not = None
        except StateFileError as error:
            self.why_not = str(error)

    def _now(self) -> Moment:
        return Moment(self._boot_id, self._clock.now_s(), self._clock.utc_s())


class NoLedgers:
    """Where nobody is seen to leave."""

    why_not: str | None = None

    def follow(self, _record: Record) -> Sequence[Record]:
        """Return nothing."""
        return ()

    def overdue(self) -> Sequence[Record]:
        """Return nothing."""
        return ()
