"""SQLite as the gate's writers open it: one writer a file, WAL, one fsync a commit.

A commit that returned is on disk; one that failed has not happened, also after a kill. WAL mode:
https://sqlite.org/wal.html.
"""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

_SET_ASIDE = "move it away together with its -wal and -shm; the gate starts a new one"
_REMEDIES = {
    sqlite3.SQLITE_FULL: "free space on that disk",
    sqlite3.SQLITE_BUSY: "stop the second process that writes it; such a file has one writer",
    sqlite3.SQLITE_CANTOPEN: "see that the directory exists and that this user may write to it",
    sqlite3.SQLITE_READONLY: "see that this user may write to the file and to its directory",
    sqlite3.SQLITE_NOTADB: _SET_ASIDE,
    sqlite3.SQLITE_CORRUPT: _SET_ASIDE,
    # A number that is taken: somebody else wrote in the file.
    sqlite3.SQLITE_CONSTRAINT: _SET_ASIDE,
    # A table that is not there, text that is no UTF-8, a format from nowhere.
    sqlite3.SQLITE_ERROR: _SET_ASIDE,
}
# What belongs together: the database, what was committed since the last checkpoint, its index.
SUFFIXES = ("", "-wal", "-shm")
_MOST_SET_ASIDE = 3  # a dying disk must not be filled with what it broke
_DAMAGE = {code for code, remedy in _REMEDIES.items() if remedy is _SET_ASIDE}
# What SQLite says of a damaged file quotes bytes of it; where they are no text, this is raised.
FAILURES = (sqlite3.Error, UnicodeDecodeError)


class Kind(NamedTuple):
    """What a file holds, and how that is told.

    `noun` stands in messages ("journal"). `application_id` tells file(1) and us that such a file is
    ours. `probe` is a read that works on every such file. `error` is raised for whatever goes
    wrong, `damaged` where the file itself is the cause: no database, a broken one, or another
    program's.
    """

    noun: str
    application_id: int
    version: int
    probe: str
    error: type[OSError]
    damaged: type[OSError]


class SqliteWriter(ABC):
    """An open file of one kind; the base of what writes it. Belongs to the thread that made it.

    Creates the file when there is none. `connection_class` is for tests of a failing disk.

    Raises:
        kind.error: the file cannot be opened, is of another kind, or of a newer version.
    """

    def __init__(
        self,
        path: Path,
        kind: Kind,
        *,
        busy_timeout_s: float = 1.0,
        connection_class: type[sqlite3.Connection] = sqlite3.Connection,
    ) -> None:
        self._path = path
        self._kind = kind
        self._busy_timeout_s = busy_timeout_s
        self._connection_class = connection_class
        self._is_suspect = False
        self._connection = self._open()

    def close(self) -> None:
        """Close the file. SQLite then moves everything into the main file and removes the -wal."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @abstractmethod
    def _fill(self, connection: sqlite3.Connection) -> None:
        """Make the tables of a new file, within the transaction that makes it ours."""

    def _read(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        try:
            # Not one on which a rollback failed: it would answer with what never came to be.
            return self._sound_connection().execute(sql, parameters).fetchall()
        except FAILURES as error:
            raise explained(self._path, self._kind, "read", error) from error

    @contextmanager
    def _transaction(self, verb: str) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._sound_connection()
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except FAILURES as error:
            raise self._undone(verb, error) from error
        except BaseException:
            self._roll_back()
            raise

    def _commit(self, verb: str, sql: str, parameters: tuple[object, ...]) -> None:
        """Execute one statement that is a transaction of its own: cheaper than `_transaction`."""
        try:
            self._sound_connection().execute(sql, parameters)
        except FAILURES as error:
            raise self._undone(verb, error) from error
        except BaseException:
            self._roll_back()
            raise

    def _undone(self, verb: str, error: Exception) -> OSError:
        self._roll_back()
        self._bury_commit(error)
        return explained(self._path, self._kind, verb, error)

    def _roll_back(self) -> None:
        self._is_suspect = True
        with suppress(sqlite3.Error):
            self._connection.execute("ROLLBACK")

    def _bury_commit(self, error: Exception) -> None:
        """Overwrite what a failed fsync left in the -wal, so that no recovery can find it.

        A commit whose fsync failed is complete in the page cache. Rolled back, it is invisible to
        all who have the file open, yet whoever opens the -wal after a kill would read it as valid
        (measured with a failing fsync). Any write lands on the same frames, whether or not its own
        fsync works.
        """
        if _primary_code(error) == sqlite3.SQLITE_IOERR:
            with suppress(sqlite3.Error):
                self._connection.execute(f"PRAGMA user_version = {self._kind.version}")

    def _sound_connection(self) -> sqlite3.Connection:
        if self._is_suspect:
            # Linux reports a failed fsync once and then calls the same pages clean, so whatever
            # the old connection still believes to be written is not trusted. The new one opens
            # first: were the old one the last to close, the next to open would read the -wal from
            # its bytes, and a batch whose fsync failed would come back.
            # Had its rollback failed as well, it would hold the lock that the new one needs.
            with suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
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
            raise explained(self._path, self._kind, "open", error) from error
        try:
            is_new = not is_checked(connection, self._path, self._kind)
            self._configure(connection)
            if is_new:
                connection.execute("BEGIN IMMEDIATE")
                self._fill(connection)
                connection.execute(f"PRAGMA application_id = {self._kind.application_id}")
                connection.execute(f"PRAGMA user_version = {self._kind.version}")
                connection.execute("COMMIT")
            # The first read makes the -wal and -shm that a reader needs.
            connection.execute(self._kind.probe).fetchone()
        except FAILURES as error:
            connection.close()
            raise explained(self._path, self._kind, "open", error) from error
        except self._kind.error:
            connection.close()
            raise
        return connection

    def _configure(self, connection: sqlite3.Connection) -> None:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise self._kind.error(
                f"{self._path}: this file system has no shared memory for SQLite's WAL; "
                f"put the {self._kind.noun} on a local disk"
            )
        # FULL: one fsync for each commit. NORMAL lost 337 of 20,000 events in a power cut.
        connection.execute("PRAGMA synchronous = FULL")


def set_aside(path: Path, cause: OSError) -> Path:
    """Rename a file that cannot be used, with its -wal and -shm; return where it is now.

    The names are `<name>.broken-1` to -3; of more, the last one is overwritten.

    Raises:
        OSError: of the type of `cause`, which it quotes: it cannot be renamed.
    """
    names = [path.with_name(f"{path.name}.broken-{n + 1}") for n in range(_MOST_SET_ASIDE)]
    target = next((name for name in names if not any(map(Path.exists, _parts(name)))), names[-1])
    try:
        for part, aside in zip(_parts(path), _parts(target), strict=True):
            # What is there already belongs to another one: they must not be taken for one file.
            aside.unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                part.replace(aside)
    except OSError as error:
        raise type(cause)(
            f"{cause}; and it cannot be renamed to {target.name}: {error.strerror}"
        ) from error
    return target


def _parts(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in SUFFIXES]


def is_checked(connection: sqlite3.Connection, path: Path, kind: Kind) -> bool:
    """Return whether the file holds what it should (True) or nothing yet (False).

    Raises:
        kind.damaged: it holds something else.
        kind.error: it is of a newer version.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if (application, version, tables) == (0, 0, 0):
        return False
    if application != kind.application_id:
        raise kind.damaged(f"{path}: a database, but no Gatepost {kind.noun}; {_SET_ASIDE}")
    if version > kind.version:
        raise kind.error(
            f"{path}: {kind.noun} of version {version}, this Gatepost knows {kind.version}; "
            f"install the newer Gatepost again, or {_SET_ASIDE}"
        )
    return True


def explained(path: Path, kind: Kind, verb: str, error: Exception) -> OSError:
    """Return the error of `kind` that says what could not be done, why, and what helps."""
    code = _primary_code(error)
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_IOERR_SHORT_READ:
        # The file ends before its last page. SQLite 3.46 says this where older ones say CORRUPT;
        # a disk that fails to read says another.
        code = sqlite3.SQLITE_CORRUPT
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    remedy = _REMEDIES.get(code, "check the disk (dmesg, free space, permissions)")
    said = f"{path}: cannot {verb} the {kind.noun}: {error} ({name}); {remedy}"
    return kind.damaged(said) if code in _DAMAGE else kind.error(said)


def _primary_code(error: Exception) -> int:
    # The low byte; the others tell the variant: https://sqlite.org/rescode.html
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF
