"""The reader of the journal: pages of records, in order, out of another process's file."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

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
from gatepost_services.sqlite_file import FAILURES, explained, is_checked

_T = TypeVar("_T")
_LAST = 2**63 - 1


class Page(NamedTuple):
    """Some records in order, and how far they are all there are: through that number, inclusive."""

    records: list[Record]
    through: int


class JournalReader:
    """Takes records out in order, and never makes, changes or locks out anything.

    Opens lazily and may be made before the journal exists. Works without write permission on the
    directory, the -wal and the -shm:

    * while the writer runs, and after it was killed: by the -wal and -shm that are there;
    * after a clean close, which removes both: SQLite cannot open a WAL database then without
      writing, unless it is told that the file is immutable. It is told so for one read only, and
      what it read counts only if the file was the same, without a -wal, before and after.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal_path = path.with_name(path.name + "-wal")
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

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

    def close(self) -> None:
        """Close the file. The next read opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _query(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            inode = self._path.stat().st_ino
            if inode != self._inode:  # another file has taken this one's place
                self.close()
            if self._connection is None and not self._wal_path.exists():
                return self._ask_at_rest(question)
            if self._connection is None:
                self._connection = self._open("mode=ro")
                self._inode = inode
            return _asked(self._connection, question)
        except JournalError as error:
            self.close()
            raise JournalUnavailable(str(error)) from error
        except (*FAILURES, ValueError, TypeError) as error:
            # The last two: a damaged file, in which stands what no journal writes.
            self.close()
            raise JournalUnavailable(str(explained(self._path, KIND, "read", error))) from error
        except OSError as error:
            self.close()
            raise JournalUnavailable(
                f"{self._path}: cannot read ({error.strerror}); "
                "the gate makes it when it starts, and this user needs read permission"
            ) from error

    def _ask_at_rest(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        before = self._stamp()
        with closing(self._open("mode=ro&immutable=1")) as connection:
            answer = _asked(connection, question)
        if self._wal_path.exists() or self._stamp() != before:
            raise JournalUnavailable(f"{self._path}: the gate is opening it; read it again")
        return answer

    def _stamp(self) -> tuple[int, int, int]:
        found = self._path.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _open(self, mode: str) -> sqlite3.Connection:
        uri = f"{self._path.absolute().as_uri()}?{mode}"
        connection = sqlite3.connect(uri, uri=True, timeout=1.0, isolation_level=None)
        try:
            is_journal = is_checked(connection, self._path, KIND)
        except (JournalError, *FAILURES):
            connection.close()
            raise
        if not is_journal:
            connection.close()
            raise JournalUnavailable(f"{self._path}: still empty; the gate is making it")
        return connection


def _bytes(value: object) -> bytes:
    # A damaged page can hold anything. Empty, it fits no hash, and goes out as damaged.
    return value if isinstance(value, bytes) else b""


def _asked(connection: sqlite3.Connection, question: Callable[[sqlite3.Connection], _T]) -> _T:
    # One read transaction: what a question reads is of one moment. Left open, it would keep the
    # -wal growing.
    connection.execute("BEGIN")
    try:
        return question(connection)
    finally:
        connection.rollback()
