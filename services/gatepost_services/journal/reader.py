"""The reader of the journal: pages of records, in order, out of another process's file."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from gatepost_services.journal.schema import (
    ALL_CLASSES,
    KIND,
    JournalError,
    JournalUnavailable,
    Stats,
    merged,
    state_of,
    stats_of,
)
from gatepost_services.record import EventClass, Record
from gatepost_services.sqlite_reader import SqliteReader

_T = TypeVar("_T")
_LAST = 2**63 - 1


class Page(NamedTuple):
    """Some records in order, and how far they are all there are: through that number, inclusive."""

    records: list[Record]
    through: int


class JournalReader(SqliteReader):
    """Takes records out in order, and never makes, changes or locks out anything.

    A journal whose -wal a power cut left without its -shm is not read before the gate has opened
    it: the main file alone ends too early, and a server would be told of a journal that shrank.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(
            path,
            KIND,
            remedy="the gate makes it when it starts, and this user needs read permission",
            in_use_with=("-wal",),
        )

    def read(
        self,
        after_seq: int,
        limit: int,
        classes: tuple[EventClass, ...] = ALL_CLASSES,
        through_seq: int | None = None,
    ) -> Page:
        """Return up to `limit` records of some classes with after_seq < seq <= through_seq.

        Raises:
            JournalUnavailable: try again later.
        """
        last = _LAST if through_seq is None else through_seq
        parameters = (after_seq, last) * len(classes) + (limit,)

        def page(connection: sqlite3.Connection) -> Page:
            rows = connection.execute(merged(classes), parameters).fetchall()
            records = [
                Record(seq, EventClass(number), _bytes(digest), _bytes(body))
                for seq, number, digest, body in rows
            ]
            if len(records) == limit:
                return Page(records, records[-1].seq)
            known = state_of(connection).last_seq
            return Page(records, min(known, last))

        return self._query(page)

    def last_seq(self) -> int:
        """Return the highest number ever given, 0 before the first.

        Raises:
            JournalUnavailable: try again later.
        """
        return self._query(state_of).last_seq

    def head(self) -> tuple[int, bytes]:
        """Return the highest number and the hash of its event; 0 and `NO_HASH` before the first.

        Raises:
            JournalUnavailable: try again later.
        """
        state = self._query(state_of)
        return state.last_seq, state.head

    def stats(self) -> Stats:
        """Return the journal at one moment.

        Raises:
            JournalUnavailable: try again later.
        """
        return self._query(stats_of)

    def _query(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            return self._ask(question)
        except JournalError as error:
            raise JournalUnavailable(str(error)) from error


def _bytes(value: object) -> bytes:
    # A damaged page can hold anything. Empty, it fits no hash, and goes out as damaged.
    return value if isinstance(value, bytes) else b""
