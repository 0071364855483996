"""What became of each command: written by the gate before it acts, read by the link to answer.

Three things outlast a kill and a power cut: how far the inbox is read, the highest counter of each
key, and what was answered to whom. A command is noted before it is obeyed, so that it acts at most
once (S7); one whose end nobody saw answers `interrupted`, and is not tried again.
"""

import logging
import secrets
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

from gatepost_services.inbox import Letter
from gatepost_services.sqlite_file import Kind, SqliteWriter, set_aside
from gatepost_services.sqlite_reader import SqliteReader

_LOG = logging.getLogger(__name__)

SCHEMA_VERSION = 1
APPLICATION_ID = 0x4750434D  # "GPCM"
# As many results are kept for whoever asks again, and answers for a link that is away.
MOST_KEPT = 10_000
_TABLES = (
    "CREATE TABLE memory (id BLOB NOT NULL) STRICT",
    "CREATE TABLE inbox (epoch BLOB NOT NULL, number INTEGER NOT NULL, since_s INTEGER) STRICT",
    "CREATE TABLE counter (kid BLOB PRIMARY KEY, highest INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    """
    CREATE TABLE command (
        id     TEXT PRIMARY KEY,
        digest BLOB NOT NULL,
        result BLOB
    ) STRICT
    """,
    """
    CREATE TABLE answer (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        epoch  BLOB NOT NULL,
        letter INTEGER NOT NULL,
        body   BLOB NOT NULL
    ) STRICT
    """,
)
_EPOCH_BYTES = 8
_EPOCH = "SELECT id FROM memory"
_NAMES = "SELECT name FROM sqlite_master WHERE type = 'table'"
_OURS = {"memory", "inbox", "counter", "command", "answer"}
_PLACE = "SELECT epoch, number, since_s FROM inbox"
_ANSWERS = "SELECT number, epoch, letter, body FROM answer WHERE number > ? ORDER BY number LIMIT ?"
_PASS = """
    UPDATE inbox SET number = CASE epoch WHEN ?1 THEN max(number, ?2) ELSE ?2 END, epoch = ?1
"""
_NOTE = "INSERT INTO command VALUES (?, ?, ?)"
_RESULT = "UPDATE command SET result = ? WHERE id = ? AND result IS NULL"
_COUNT = """
    INSERT INTO counter VALUES (?, ?)
    ON CONFLICT (kid) DO UPDATE SET highest = max(highest, excluded.highest)
"""
_ANSWER = "INSERT INTO answer (epoch, letter, body) VALUES (?, ?, ?)"
_PRUNE_COMMANDS = "DELETE FROM command WHERE rowid <= (SELECT max(rowid) FROM command) - ?"
_PRUNE_ANSWERS = "DELETE FROM answer WHERE number <= (SELECT max(number) FROM answer) - ?"


class CommandMemoryError(OSError):
    """The memory of commands cannot be read or written."""


class _DamagedError(CommandMemoryError):
    """What is in the file's place is none of ours, or no longer."""


_KIND = Kind(
    "memory of commands",
    APPLICATION_ID,
    SCHEMA_VERSION,
    probe=_PLACE,
    error=CommandMemoryError,
    damaged=_DamagedError,
)


class Case(NamedTuple):
    """A command, as it is noted: its id, the SHA-256 of its envelope, its key, and its counter."""

    id: str
    digest: bytes
    kid: bytes
    counter: int


class Noted(NamedTuple):
    """What is known of a command: the digest of its envelope, and what was answered, if so."""

    digest: bytes
    result: bytes | None


class Answer(NamedTuple):
    """An answer: its number, which letter of which inbox it is to, and what it says."""

    number: int
    epoch: bytes
    letter: int
    body: bytes


class CommandMemory(SqliteWriter):
    """The gate's side. Get it with `open`. Belongs to the thread that made it.

    `since_s`: since when it is known which commands were obeyed, POSIX seconds; None: no trusted
    clock has said since the file was begun. What is of before may have been obeyed already.
    `place`: the inbox's epoch, and the number through which it is dealt with.
    """

    def __init__(
        self, path: Path, *, connection_class: type[sqlite3.Connection] = sqlite3.Connection
    ) -> None:
        super().__init__(path, _KIND, connection_class=connection_class)
        try:
            epoch, number, since_s = self._whole_place()
            self.place: tuple[bytes, int] = (epoch, number)
            self.since_s: int | None = since_s
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(cls, path: Path) -> Self:
        """Return what the file holds; make it when there is none.

        Raises:
            CommandMemoryError: the file cannot be read or written, or is of a newer version.
        """
        try:
            return cls(path)
        except _DamagedError as error:
            target = set_aside(path, error)
            _LOG.error("%s; set aside as %s", error, target.name)
        return cls(path)

    def noted(self, id_: str) -> Noted | None:
        """Return what is known of a command, None for a new one."""
        rows = self._read("SELECT digest, result FROM command WHERE id = ?", (id_,))
        return Noted(*rows[0]) if rows else None

    def highest(self, kid: bytes) -> int:
        """Return the highest counter that a key has used, 0 for none."""
        rows = self._read("SELECT highest FROM counter WHERE kid = ?", (kid,))
        return int(rows[0][0]) if rows else 0

    def begin_to_remember(self, now_s: float) -> None:
        """Note the time from which on every command that is obeyed is remembered. Once.

        The second that has begun does not count: one of its commands may have been obeyed.

        Raises:
            CommandMemoryError: it is not noted.
        """
        since_s = int(now_s) + 1
        self._commit("write", "UPDATE inbox SET since_s = ? WHERE since_s IS NULL", (since_s,))
        (_, _, self.since_s) = self._read(_PLACE)[0]

    def begin(self, case: Case) -> None:
        """Note that a command is about to be obeyed. It is on the disk when this returns.

        Its letter is not passed: cut off in the middle, it is read again, and answered as that.

        Raises:
            CommandMemoryError: it is not, and must not be obeyed.
        """
        with self._transaction("write") as connection:
            _note(connection, case, None)

    def refuse(self, letter: Letter, case: Case, body: bytes) -> None:
        """Note that a command is not obeyed, ever, and what is answered.

        Raises:
            CommandMemoryError: it is not noted.
        """
        with self._transaction("write") as connection:
            _note(connection, case, body)
            _answer(connection, letter, body)
            _pass(connection, letter)
        self.place = letter.epoch, letter.number

    def end(self, letter: Letter, id_: str | None, body: bytes) -> None:
        """Note what is answered to a letter: the result of command `id_`, None for no command's.

        Raises:
            CommandMemoryError: it is not kept.
        """
        with self._transaction("write") as connection:
            if id_ is not None:
                connection.execute(_RESULT, (body, id_))
            _answer(connection, letter, body)
            _pass(connection, letter)
        self.place = letter.epoch, letter.number

    def end_all(self, ended: Sequence[tuple[Letter, bytes]]) -> None:
        """Note what is answered to letters in a row that are no commands: one wait for the disk.

        Raises:
            CommandMemoryError: nothing of it is kept.
        """
        with self._transaction("write") as connection:
            for letter, body in ended:
                _answer(connection, letter, body)
                _pass(connection, letter)
        last = ended[-1][0]
        self.place = last.epoch, last.number

    def _whole_place(self) -> tuple[bytes, int, int | None]:
        ((finding,),) = self._read("PRAGMA integrity_check(1)")
        rows = self._read(_PLACE)
        (names,) = zip(*self._read(_NAMES), strict=True)
        is_whole = finding == "ok" and set(names) >= _OURS
        if not is_whole or len(rows) != 1 or len(self._read(_EPOCH)) != 1:
            raise _DamagedError(f"{self._path}: damaged: {finding}")
        row: tuple[bytes, int, int | None] = rows[0]
        return row

    def _fill(self, connection: sqlite3.Connection) -> None:
        for table in _TABLES:
            connection.execute(table)
        connection.execute("INSERT INTO memory VALUES (?)", (secrets.token_bytes(_EPOCH_BYTES),))
        connection.execute("INSERT INTO inbox VALUES (?, 0, NULL)", (b"",))


def _note(connection: sqlite3.Connection, case: Case, result: bytes | None) -> None:
    connection.execute(_NOTE, (case.id, case.digest, result))
    connection.execute(_COUNT, (case.kid, case.counter))
    connection.execute(_PRUNE_COMMANDS, (MOST_KEPT,))


def _answer(connection: sqlite3.Connection, letter: Letter, body: bytes) -> None:
    connection.execute(_ANSWER, (letter.epoch, letter.number, body))
    connection.execute(_PRUNE_ANSWERS, (MOST_KEPT,))


def _pass(connection: sqlite3.Connection, letter: Letter) -> None:
    connection.execute(_PASS, (letter.epoch, letter.number))


class AnswerReader(SqliteReader):
    """The link's side: needs no more than to read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _KIND, remedy="see that the gate runs (gatepost run)")

    def after(self, number: int, most: int) -> list[Answer]:
        """Return the next answers after a number.

        Raises:
            CommandMemoryError: they cannot be read now.
        """

        def question(connection: sqlite3.Connection) -> list[Answer]:
            return [Answer(*row) for row in connection.execute(_ANSWERS, (number, most))]

        return self._ask(question)

    def epoch(self) -> bytes:
        """Return which memory this is: one that was lost, and begun anew, counts from 1 again.

        Raises:
            CommandMemoryError: it cannot be read now.
        """

        def question(connection: sqlite3.Connection) -> bytes:
            (epoch,) = connection.execute(_EPOCH).fetchone()
            return bytes(epoch)

        return self._ask(question)

    def place(self) -> tuple[bytes, int]:
        """Return the epoch of the inbox and the number through which the gate has read it.

        Raises:
            CommandMemoryError: it cannot be read now.
        """

        def question(connection: sqlite3.Connection) -> tuple[bytes, int]:
            epoch, number, _since_s = connection.execute(_PLACE).fetchone()
            return epoch, number

        return self._ask(question)
