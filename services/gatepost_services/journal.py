"""The durable event log: what the gate did, in order, until the centre has it.

The gate is the only writer (`Journal`), the link the only reader (`JournalReader`): another
process, which needs no write permission. SQLite in WAL mode: https://sqlite.org/wal.html.

An object of this module belongs to the thread that made it.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from gatepost_services.record import MAX_DATA_BYTES, Entry, JsonValue, Record

__all__ = ["Entry", "Journal", "JournalError", "JournalReader", "JournalUnavailable", "Record"]

MAX_BOOT_ID_LENGTH = 64
SCHEMA_VERSION = 1
APPLICATION_ID = 0x47504A4C  # "GPJL": tells file(1) and us that this is a Gatepost journal

_SCHEMA = (
    # AUTOINCREMENT keeps the highest number ever used, also when every row is pruned.
    """CREATE TABLE entry (
           seq      INTEGER PRIMARY KEY AUTOINCREMENT,
           boot_id  TEXT NOT NULL,
           type     TEXT NOT NULL,
           uptime_s REAL NOT NULL,
           utc_s    REAL NOT NULL,
           data     TEXT NOT NULL
       ) STRICT""",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)
_INSERT = "INSERT INTO entry (boot_id, type, uptime_s, utc_s, data) VALUES (?, ?, ?, ?, ?)"
_LAST_SEQ = "SELECT seq FROM sqlite_sequence WHERE name = 'entry'"
_BEGIN_ABOVE = "INSERT INTO sqlite_sequence VALUES ('entry', ?)"
_READ_AFTER = (
    "SELECT seq, boot_id, type, uptime_s, utc_s, data FROM entry WHERE seq > ? ORDER BY seq LIMIT ?"
)
_PRUNE = (
    "DELETE FROM entry WHERE seq IN (SELECT seq FROM entry WHERE seq <= ? ORDER BY seq LIMIT ?)"
)
_SET_ASIDE = "move it away together with its -wal and -shm; the gate starts a new one"
_REMEDIES = {
    sqlite3.SQLITE_FULL: "free space on that disk",
    sqlite3.SQLITE_BUSY: "stop the second process that writes it; a journal has one writer",
    sqlite3.SQLITE_CANTOPEN: "see that the directory exists and that this user may write to it",
    sqlite3.SQLITE_READONLY: "see that this user may write to the file and to its directory",
    sqlite3.SQLITE_NOTADB: _SET_ASIDE,
    sqlite3.SQLITE_CORRUPT: _SET_ASIDE,
}


class JournalError(OSError):
    """The journal cannot do what it was asked; nothing of the request has happened."""


class JournalUnavailable(JournalError):  # noqa: N818 - it states what is, like BlockingIOError
    """The journal cannot be read now; it may be at the next try."""


class Journal:
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
        self._path = path
        self._boot_id = boot_id
        self._above_seq = above_seq
        self._busy_timeout_s = busy_timeout_s
        self._connection_class = connection_class
        self._is_suspect = False
        self._connection = self._open()

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

    def close(self) -> None:
        """Close the file. SQLite then moves everything into the main file and removes the -wal."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _row(self, entry: Entry) -> tuple[str, str, float, float, str]:
        data = _canonical_json(entry.type, dict(entry.data))
        return self._boot_id, entry.type, float(entry.at_s), float(entry.utc_s), data

    def _number(self, sql: str) -> int:
        try:
            row = self._connection.execute(sql).fetchone()
        except sqlite3.Error as error:
            raise self._error("read", error) from error
        return int(row[0]) if row else 0

    @contextmanager
    def _transaction(self, verb: str) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._sound_connection()
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            self._is_suspect = True
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                self._bury_commit(error)
                raise self._error(verb, error) from error
            raise

    def _bury_commit(self, error: sqlite3.Error) -> None:
        """Overwrite what a failed fsync left in the -wal, so that no recovery can find it.

        A commit whose fsync failed is complete in the page cache. Rolled back, it is invisible to
        all who have the file open, yet whoever opens the -wal after a kill would read it as valid
        (measured with a failing fsync). Any write lands on the same frames, whether or not its own
        fsync works.
        """
        if _primary_code(error) == sqlite3.SQLITE_IOERR:
            with suppress(sqlite3.Error):
                self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _sound_connection(self) -> sqlite3.Connection:
        if self._is_suspect:
            # Linux reports a failed fsync once and then calls the same pages clean, so whatever
            # the old connection still believes to be written is not trusted. The new one opens
            # first: were the old one the last to close, the next to open would read the -wal from
            # its bytes, and a batch whose fsync failed would come back.
            fresh = self._open()
            self._connection.close()
            self._connection = fresh
            self._is_suspect = False
        return self._connection

    def _open(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                self._path,
                timeout=self._busy_timeout_s,
                isolation_level=None,
                factory=self._connection_class,
            )
        except sqlite3.Error as error:
            raise self._error("open", error) from error
        try:
            is_new = not _is_checked_journal(connection, self._path)
            self._configure(connection)
            if is_new:
                connection.execute("BEGIN IMMEDIATE")
                for statement in _SCHEMA:
                    connection.execute(statement)
                if self._above_seq:
                    connection.execute(_BEGIN_ABOVE, (self._above_seq,))
                connection.execute("COMMIT")
            # The first read makes the -wal and -shm that the reader needs.
            connection.execute(_LAST_SEQ).fetchone()
        except sqlite3.Error as error:
            connection.close()
            raise self._error("open", error) from error
        except JournalError:
            connection.close()
            raise
        return connection

    def _configure(self, connection: sqlite3.Connection) -> None:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise JournalError(
                f"{self._path}: this file system has no shared memory for SQLite's WAL; "
                "put the journal on a local disk"
            )
        # FULL: one fsync for each commit. NORMAL lost 337 of 20,000 events in a power cut.
        connection.execute("PRAGMA synchronous = FULL")

    def _error(self, verb: str, error: sqlite3.Error) -> JournalError:
        return JournalError(_explain(self._path, verb, error))


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
        except sqlite3.Error as error:
            self.close()
            raise JournalUnavailable(_explain(self._path, "read", error)) from error
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
            is_journal = _is_checked_journal(connection, self._path)
        except (JournalError, sqlite3.Error):
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


def _is_checked_journal(connection: sqlite3.Connection, path: Path) -> bool:
    """Return whether the file holds a journal (True) or nothing yet (False).

    Raises:
        JournalError: it holds something else, or a journal of a newer version.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if (application, version, tables) == (0, 0, 0):
        return False
    if application != APPLICATION_ID:
        raise JournalError(f"{path}: a database, but no Gatepost journal; {_SET_ASIDE}")
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"{path}: journal of version {version}, this Gatepost knows {SCHEMA_VERSION}; "
            f"install the newer Gatepost again, or {_SET_ASIDE}"
        )
    return True


def _primary_code(error: sqlite3.Error) -> int:
    # The low byte; the others tell the variant: https://sqlite.org/rescode.html
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF


def _explain(path: Path, verb: str, error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    remedy = _REMEDIES.get(_primary_code(error), "check the disk (dmesg, free space, permissions)")
    return f"{path}: cannot {verb} the journal: {error} ({name}); {remedy}"
