"""What came from the central server, as it came: written by the link, read by the gate.

The link checks the form and nothing else; whether a letter counts, the gate says. The broker is
told that a letter arrived when it is on the disk here. Each has a number that only grows within
one `epoch`: a file that was lost, and begun anew, has another one.
"""

import logging
import secrets
import sqlite3
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from gatepost_services.sqlite_file import Kind, SqliteWriter, set_aside
from gatepost_services.sqlite_reader import SqliteReader

_LOG = logging.getLogger(__name__)

SCHEMA_VERSION = 1
APPLICATION_ID = 0x4750494E  # "GPIN"
MOST_WAITING = 200
# More of a letter is not read: no signed text is longer.
MOST_CONTENT = 16 * 1024
_MOST_KIND = 16
_MOST_EPOCH = 64
# A question takes some hundred steps of SQLite's machine. The link's process can be reached from
# the network: whatever it writes must not keep the gate waiting.
_STEPS, _MOST_STEPS = 10_000, 10
_WAIT_S = 0.05
_EPOCH_BYTES = 8
_TABLES = (
    "CREATE TABLE epoch (id BLOB NOT NULL) STRICT",
    """
    CREATE TABLE letter (
        number      INTEGER PRIMARY KEY AUTOINCREMENT,
        kind        TEXT NOT NULL,
        content     BLOB NOT NULL,
        respond_to  TEXT,
        correlation BLOB
    ) STRICT
    """,
)
_EPOCH = "SELECT id FROM epoch"
_PUT = "INSERT INTO letter (kind, content, respond_to, correlation) VALUES (?, ?, ?, ?)"
_AFTER = """
    SELECT number, substr(kind, 1, ?), substr(content, 1, ?)
    FROM letter WHERE number > ? ORDER BY number LIMIT ?
"""
_BEGIN_OF_EPOCH = "SELECT substr(id, 1, ?) FROM epoch LIMIT 1"
_TABLE_NAMES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('epoch', 'letter')"
_SENDER = "SELECT respond_to, correlation FROM letter WHERE number = ?"

LetterKind = Literal["command", "desired"]


class InboxError(OSError):
    """The inbox cannot be read or written."""


class InboxFullError(InboxError):
    """More letters wait for the gate than it would ever have to deal with."""


class _DamagedError(InboxError):
    """What is in the file's place is none of ours, or no longer."""


_KIND = Kind(
    "inbox", APPLICATION_ID, SCHEMA_VERSION, probe=_EPOCH, error=InboxError, damaged=_DamagedError
)


class Letter(NamedTuple):
    """A letter, and where it stands: the file's `epoch`, and its number in it."""

    epoch: bytes
    number: int
    kind: str
    content: bytes


class Sender(NamedTuple):
    """Who sent a letter: where and with what the answer is wanted (MQTT 5)."""

    respond_to: str | None
    correlation: bytes | None


class Inbox(SqliteWriter):
    """The link's side. Get it with `open`. Belongs to the thread that made it."""

    def __init__(
        self, path: Path, *, connection_class: type[sqlite3.Connection] = sqlite3.Connection
    ) -> None:
        super().__init__(path, _KIND, connection_class=connection_class)
        try:
            self.epoch = self._whole_epoch()
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(cls, path: Path) -> Self:
        """Return what the file holds; make it when there is none.

        What is damaged is set aside as `<name>.broken-<number>`, and a new one begun: letters that
        the gate had not read are lost, and their senders get no answer.

        Raises:
            InboxError: the file cannot be read or written, or is of a newer version.
        """
        try:
            return cls(path)
        except _DamagedError as error:
            target = set_aside(path, error)
            _LOG.error("%s; set aside as %s", error, target.name)
        return cls(path)

    def put(
        self,
        kind: LetterKind,
        content: bytes,
        respond_to: str | None = None,
        correlation: bytes | None = None,
    ) -> int:
        """Keep a letter; return its number. It is on the disk when this returns.

        Raises:
            InboxFullError: too many wait.
            InboxError: it is not kept.
        """
        ((waiting,),) = self._read("SELECT count(*) FROM letter")
        if waiting >= MOST_WAITING:
            raise InboxFullError(f"{waiting} letters wait for the gate; see that it runs")
        with self._transaction("write") as connection:
            cursor = connection.execute(_PUT, (kind, content, respond_to, correlation))
            number = cursor.lastrowid
        if number is None:  # an INSERT has one
            raise InboxError(f"{self._path}: gave no number")
        return number

    def sender(self, number: int) -> Sender | None:
        """Return who sent a letter, None for one that is not there.

        Raises:
            InboxError: it cannot be read.
        """
        rows = self._read(_SENDER, (number,))
        return Sender(*rows[0]) if rows else None

    def forget(self, through: int) -> None:
        """Forget the letters through a number: the gate has dealt with them, and answered.

        Raises:
            InboxError: they are still there.
        """
        self._commit("write", "DELETE FROM letter WHERE number <= ?", (through,))

    def _whole_epoch(self) -> bytes:
        ((finding,),) = self._read("PRAGMA integrity_check(1)")
        rows = self._read(_EPOCH)
        if finding != "ok" or len(rows) != 1:
            raise _DamagedError(f"{self._path}: damaged: {finding}")
        epoch: bytes = rows[0][0]
        return epoch

    def _fill(self, connection: sqlite3.Connection) -> None:
        for table in _TABLES:
            connection.execute(table)
        connection.execute("INSERT INTO epoch VALUES (?)", (secrets.token_bytes(_EPOCH_BYTES),))


class InboxReader(SqliteReader):
    """The gate's side: needs no more than to read."""

    def __init__(self, path: Path) -> None:
        remedy = "see that the link runs (gatepost uplink)"
        super().__init__(path, _KIND, remedy=remedy, busy_timeout_s=_WAIT_S)
        self._steps = 0

    def after(self, epoch: bytes, number: int, most: int) -> list[Letter]:
        """Return the next letters after a number of an epoch; of another epoch, its first.

        Raises:
            InboxError: they cannot be read now.
        """

        def question(connection: sqlite3.Connection) -> list[Letter]:
            self._steps = 0
            if len(connection.execute(_TABLE_NAMES).fetchall()) != 2:  # noqa: PLR2004 - both
                raise _DamagedError(f"{self._path}: its tables are none of ours")
            (now,) = connection.execute(_BEGIN_OF_EPOCH, (_MOST_EPOCH + 1,)).fetchone()
            if not isinstance(now, bytes) or not 0 < len(now) <= _MOST_EPOCH:
                raise _DamagedError(f"{self._path}: its epoch is none of ours")
            begin = number if now == epoch else 0
            sizes = _MOST_KIND, MOST_CONTENT + 1
            rows = connection.execute(_AFTER, (*sizes, begin, most)).fetchall()
            if not all(_is_ours(*row) for row in rows):
                raise _DamagedError(f"{self._path}: a letter in it is none of ours")
            return [Letter(now, *row) for row in rows]

        return self._ask(question)

    def _open(self, mode: str) -> sqlite3.Connection:
        connection = super()._open(mode)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.set_progress_handler(self._is_enough, _STEPS)
        return connection

    def _is_enough(self) -> bool:
        self._steps += 1
        return self._steps > _MOST_STEPS


def _is_ours(number: Any, kind: Any, content: Any) -> bool:
    """Return whether a letter has the types that it should: the file is another process's."""
    return isinstance(number, int) and isinstance(kind, str) and isinstance(content, bytes)
