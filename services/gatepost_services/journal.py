"""The durable event log: what the gate did, in order, until the centre has it.

The gate is the only writer (`Journal`), the link the only reader (`JournalReader`): another
process, which needs no write permission.

An object of this module belongs to the thread that made it.
"""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from gatepost_services.record import MAX_DATA_BYTES, Entry, JsonValue, Record
from gatepost_services.sqlite_file import FAILURES, Kind, SqliteWriter, explained, is_checked

__all__ = ["Entry", "Journal", "JournalError", "JournalReader", "JournalUnavailable", "Record"]

MAX_BOOT_ID_LENGTH = 64
SCHEMA_VERSION = 1
APPLICATION_ID = 0x47504A4C  # "GPJL"

# AUTOINCREMENT keeps the highest number ever used, also when every row is pruned.
_TABLE = """
    CREATE TABLE entry (
        seq      INTEGER PRIMARY KEY AUTOINCREMENT,
        boot_id  TEXT NOT NULL,
        type     TEXT NOT NULL,
        uptime_s REAL NOT NULL,
        utc_s    REAL NOT NULL,
        data     TEXT NOT NULL
    ) STRICT
"""
_INSERT = "INSERT INTO entry (boot_id, type, uptime_s, utc_s, data) VALUES (?, ?, ?, ?, ?)"
_LAST_SEQ = "SELECT seq FROM sqlite_sequence WHERE name = 'entry'"
_BEGIN_ABOVE = "INSERT INTO sqlite_sequence VALUES ('entry', ?)"
_READ_AFTER = (
    "SELECT seq, boot_id, type, uptime_s, utc_s, data FROM entry WHERE seq > ? ORDER BY seq LIMIT ?"
)
_PRUNE = (
    "DELETE FROM entry WHERE seq IN (SELECT seq FROM entry WHERE seq <= ? ORDER BY seq LIMIT ?)"
)


class JournalError(OSError):
    """The journal cannot do what it was asked; nothing of the request has happened."""


class JournalUnavailable(JournalError):  # noqa: N818 - it states what is, like BlockingIOError
    """The journal cannot be read now; it may be at the next try."""


_KIND = Kind(
    "journal",
    APPLICATION_ID,
    SCHEMA_VERSION,
    probe=_LAST_SEQ,
    error=JournalError,
    damaged=JournalError,
)


class Journal(SqliteWriter):
    """The writer: every entry gets a number that never repeats, and is on disk before it counts.

    Creates the file when there is none; its numbers then begin above `above_seq`, so that a journal
    that takes a lost one's place repeats none that the centre knows. `boot_id` goes into every
    record; uptimes of different boots cannot be compared. `connection_class` is for tests of a
    failing disk.

    Raises:
        JournalError: the file cannot be opened, is no journal, or is of a newer version.
        ValueError: an empty, overlong or unprintable `boot_id`.
    """

    def __init__(
        self,
        path: Path,
        boot_id: str,
        *,
        above_seq: int = 0,
        busy_timeout_s: float = 1.0,
        connection_class: type[sqlite3.Connection] = sqlite3.Connection,
    ) -> None:
        if not (0 < len(boot_id) <= MAX_BOOT_ID_LENGTH and boot_id.isprintable()):
            raise ValueError(f"boot_id {boot_id!r}: use 1 to {MAX_BOOT_ID_LENGTH} characters")
        self._boot_id = boot_id
        self._above_seq = above_seq
        super().__init__(
            path, _KIND, busy_timeout_s=busy_timeout_s, connection_class=connection_class
        )

    def append(self, entries: Iterable[Entry]) -> int:
        """Keep all entries or none; return the number of the last. Durable when it returns.

        Blocks for one fsync, and every 4 MB for a checkpoint as well.

        Raises:
            JournalError: not kept. The next call starts on a fresh connection.
            ValueError: data that JSON cannot hold (NaN, infinity) or more than 48 KiB of it.
        """
        rows = [self._row(entry) for entry in entries]
        if not rows:
            return self.last_seq()
        seq = 0
        with self._transaction("append to") as connection:
            for row in rows:
                seq = connection.execute(_INSERT, row).lastrowid or 0
        return seq

    def prune(self, through_seq: int, *, max_rows: int = 1000) -> int:
        """Delete the oldest records up to and including `through_seq`; return how many.

        At most `max_rows` in one call, so that a long backlog never holds up the control loop.

        Raises:
            JournalError: nothing deleted.
        """
        with self._transaction("prune") as connection:
            return connection.execute(_PRUNE, (through_seq, max_rows)).rowcount

    def last_seq(self) -> int:
        """Return the highest number ever given, 0 before the first.

        Raises:
            JournalError: the file cannot be read.
        """
        return self._number(_LAST_SEQ)

    def depth(self) -> int:
        """Return how many records there are. Exact, because only the oldest are ever removed.

        Raises:
            JournalError: the file cannot be read.
        """
        # count(*) would read the whole file: 76 MB after a day without the centre.
        return self._number("SELECT ifnull(max(seq) - min(seq) + 1, 0) FROM entry")

    def _fill(self, connection: sqlite3.Connection) -> None:
        connection.execute(_TABLE)
        if self._above_seq:
            connection.execute(_BEGIN_ABOVE, (self._above_seq,))

    def _row(self, entry: Entry) -> tuple[str, str, float, float, str]:
        data = _canonical_json(entry.type, dict(entry.data))
        return self._boot_id, entry.type, float(entry.at_s), float(entry.utc_s), data

    def _number(self, sql: str) -> int:
        rows = self._read(sql)
        return int(rows[0][0]) if rows else 0


class JournalReader:
    """The reader: takes records out in order, and never makes, changes or locks out anything.

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

    def read_after(self, seq: int, limit: int) -> list[Record]:
        """Return up to `limit` records with a number above `seq`, oldest first.

        Raises:
            JournalUnavailable: try again later.
        """
        return [Record(*row) for row in self._query(_READ_AFTER, (seq, limit))]

    def last_seq(self) -> int:
        """Return the highest number ever given, 0 before the first.

        Raises:
            JournalUnavailable: try again later.
        """
        rows = self._query(_LAST_SEQ)
        return int(rows[0][0]) if rows else 0

    def close(self) -> None:
        """Close the file. The next read opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _query(self, sql: str, parameters: tuple[int, ...] = ()) -> list[Any]:
        try:
            inode = self._path.stat().st_ino
            if inode != self._inode:  # another file has taken this one's place
                self.close()
            if self._connection is None and not self._wal_path.exists():
                return self._query_at_rest(sql, parameters)
            if self._connection is None:
                self._connection = self._open("mode=ro")
                self._inode = inode
            # fetchall ends the read transaction; one left open would keep the -wal growing.
            return self._connection.execute(sql, parameters).fetchall()
        except JournalError as error:
            self.close()
            raise JournalUnavailable(str(error)) from error
        except FAILURES as error:
            self.close()
            raise JournalUnavailable(str(explained(self._path, _KIND, "read", error))) from error
        except OSError as error:
            self.close()
            raise JournalUnavailable(
                f"{self._path}: cannot read ({error.strerror}); "
                "the gate makes it when it starts, and this user needs read permission"
            ) from error

    def _query_at_rest(self, sql: str, parameters: tuple[int, ...]) -> list[Any]:
        before = self._stamp()
        with closing(self._open("mode=ro&immutable=1")) as connection:
            rows: list[Any] = connection.execute(sql, parameters).fetchall()
        if self._wal_path.exists() or self._stamp() != before:
            raise JournalUnavailable(f"{self._path}: the gate is opening it; read it again")
        return rows

    def _stamp(self) -> tuple[int, int, int]:
        found = self._path.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _open(self, mode: str) -> sqlite3.Connection:
        uri = f"{self._path.absolute().as_uri()}?{mode}"
        connection = sqlite3.connect(uri, uri=True, timeout=1.0, isolation_level=None)
        try:
            is_journal = is_checked(connection, self._path, _KIND)
        except (JournalError, *FAILURES):
            connection.close()
            raise
        if not is_journal:
            connection.close()
            raise JournalUnavailable(f"{self._path}: still empty; the gate is making it")
        return connection


def _canonical_json(entry_type: str, data: JsonValue) -> str:
    try:
        text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        size = len(text.encode())
    except (TypeError, ValueError) as error:
        raise ValueError(f"{entry_type}: data cannot be JSON: {error}") from error
    if size > MAX_DATA_BYTES:
        raise ValueError(f"{entry_type}: data of {size} bytes; at most {MAX_DATA_BYTES} fit")
    return text
