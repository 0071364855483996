"""Where each pass was last seen, over restarts: inside or outside, and when it last entered.

The gate is the only one that reads or writes it. It works on its memory, and the file follows, so
that a full or failing disk costs what a restart would need, not what the gate knows.

These are personal data: one row a subject and no history, a file for the gate's user alone, and
what is forgotten is overwritten. See `gatepost_services.sqlite_file` for what a kill can do to it.
"""

import fcntl
import os
import sqlite3
import stat
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from io import FileIO
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import NamedTuple, Self

from gatepost_services.sqlite_file import Kind, SqliteWriter, set_aside
from gatepost_services.sqlite_reader import SqliteReader

PLACES = ("inside", "outside")
# Since 2: when a subject last left; since 3: what a signed pass said of somebody of no roster.
SCHEMA_VERSION = 3
APPLICATION_ID = 0x47505748  # "GPWH"

_MODE = 0o600
_MOST_TEXT = 512
# What a damaged file must not bring into the gate is checked here, and so by integrity_check.
_TABLE = """
    CREATE TABLE whereabouts (
        subject         TEXT PRIMARY KEY,
        place           TEXT NOT NULL CHECK (place IN ('inside', 'outside')),
        boot_id         TEXT NOT NULL,
        at_s            REAL NOT NULL CHECK (abs(at_s) < 9e999),
        utc_s           REAL NOT NULL CHECK (abs(utc_s) < 9e999),
        entered_boot_id TEXT,
        entered_at_s    REAL CHECK (abs(entered_at_s) < 9e999),
        entered_utc_s   REAL CHECK (abs(entered_utc_s) < 9e999),
        left_utc_s      REAL CHECK (abs(left_utc_s) < 9e999),
        category        TEXT,
        household       TEXT,
        CHECK ((entered_boot_id IS NULL) = (entered_at_s IS NULL)
           AND (entered_boot_id IS NULL) = (entered_utc_s IS NULL))
    ) STRICT, WITHOUT ROWID
"""
_SINCE_2 = "ALTER TABLE whereabouts ADD COLUMN left_utc_s REAL CHECK (abs(left_utc_s) < 9e999)"
_SINCE_3 = (
    "ALTER TABLE whereabouts ADD COLUMN category TEXT",
    "ALTER TABLE whereabouts ADD COLUMN household TEXT",
)
_KEEP = """
    INSERT OR REPLACE INTO whereabouts
    (subject, place, boot_id, at_s, utc_s, entered_boot_id, entered_at_s, entered_utc_s, left_utc_s,
     category, household)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_ROWS = """
    SELECT subject, place, boot_id, at_s, utc_s, entered_boot_id, entered_at_s, entered_utc_s,
           left_utc_s, category, household
    FROM whereabouts
"""
_KNOWN = "SELECT count(*) FROM whereabouts WHERE subject = ?"
_FORGET = "DELETE FROM whereabouts WHERE subject = ?"


class Row(NamedTuple):
    """Where a subject went last and when; and when it last entered, three times None for never.

    `place` is one of `PLACES`. Instants are monotonic seconds of the boot, and POSIX seconds.
    `left_utc_s`: when it last left, by a clock that was trusted; None where that is not known.
    `category`, `household`: what its signed pass said; None for one of the roster, which knows.
    """

    subject: str
    place: str
    boot_id: str
    at_s: float
    utc_s: float
    entered_boot_id: str | None = None
    entered_at_s: float | None = None
    entered_utc_s: float | None = None
    left_utc_s: float | None = None
    category: str | None = None
    household: str | None = None


class WhereaboutsError(OSError):
    """The file cannot do what it was asked."""


class _DamagedError(WhereaboutsError):
    """What is in the file's place is none of ours, or no longer."""


_KIND = Kind(
    "whereabouts",
    APPLICATION_ID,
    SCHEMA_VERSION,
    probe=_ROWS,
    error=WhereaboutsError,
    damaged=_DamagedError,
)


class WhereaboutsReader(SqliteReader):
    """The file, for another process than the one that has it open."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _KIND, remedy="the gate makes it")

    def knows(self, subject: str) -> bool:
        """Return whether a subject is in it.

        Raises:
            WhereaboutsError: it cannot be read.
        """
        (count,) = self._ask(lambda file: file.execute(_KNOWN, (subject,)).fetchone())
        return bool(count)


class Whereabouts(SqliteWriter):
    """The rows in memory, and the file that they outlive a restart in. Get it with `open`.

    `set_aside`: where the file is that could not be used, None if there was none such.
    """

    def __init__(self, path: Path) -> None:
        self.set_aside: Path | None = None
        self._unsaved: dict[str, Row] = {}
        self._claim = _claimed(path)
        with ExitStack() as undone:
            # Last: to close a descriptor of the file gives up all locks of SQLite's on it.
            undone.enter_context(self._claim)
            super().__init__(path, _KIND)
            undone.callback(super().close)
            self._rows = self._load()
            undone.pop_all()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Return what the file holds; make it when there is none.

        What is damaged, or something else, is set aside as `<name>.broken-<number>`, and a new one
        begun: nobody is there to do it by hand.

        Raises:
            WhereaboutsError: the file cannot be read or written, is of a newer version, or another
                process has it open.
        """
        try:
            return cls(path)
        except _DamagedError as error:
            aside = set_aside(path, error)
        made = cls(path)
        made.set_aside = aside
        return made

    def all(self) -> dict[str, Row]:
        """Return all rows by subject, also those that the disk did not take."""
        return dict(self._rows)

    def note(self, row: Row) -> None:
        """Keep where a subject is now, in place of where it was. Blocks for one fsync.

        Raises:
            WhereaboutsError: not on disk. It is kept in memory, and goes with the next one.
            ValueError: no row that could be read back.
        """
        if flaw := _flaw(row):
            raise ValueError(flaw)
        self._rows[row.subject] = row
        self._unsaved[row.subject] = row
        with self._transaction("write") as connection:
            connection.executemany(_KEEP, self._unsaved.values())
        self._unsaved.clear()

    def forget_before(self, utc_s: float, *, max_rows: int = 1000) -> int:
        """Forget who last moved before that, by the wall clock; return how many.

        At most `max_rows` in one call, so that it never holds up the control loop; infinity forgets
        everybody. What is forgotten is overwritten in the file; a file set aside still has it.

        Raises:
            WhereaboutsError: nobody was forgotten.
        """
        passed = (subject for subject, row in self._rows.items() if row.utc_s < utc_s)
        return self.forget(islice(passed, max_rows))

    def forget(self, subjects: Iterable[str]) -> int:
        """Forget some subjects; return how many of them were known. See `forget_before`.

        Raises:
            WhereaboutsError: nobody was forgotten.
        """
        forgotten = [subject for subject in subjects if subject in self._rows]
        if not forgotten:
            return 0
        with self._transaction("forget in") as connection:
            connection.executemany(_FORGET, [(subject,) for subject in forgotten])
        for subject in forgotten:
            del self._rows[subject]
            self._unsaved.pop(subject, None)
        # The -wal has them still. Should this fail, the next checkpoint does it.
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return len(forgotten)

    def close(self) -> None:
        """Close the file, and let another process have it."""
        super().close()
        self._claim.close()

    def _load(self) -> dict[str, Row]:
        ((finding,),) = self._read("PRAGMA integrity_check(1)")
        if finding != "ok":
            raise _DamagedError(f"{self._path}: damaged: {finding}")
        rows = map(Row._make, self._read(_ROWS))
        return {row.subject: row for row in rows}

    def _fill(self, connection: sqlite3.Connection) -> None:
        connection.execute(_TABLE)

    def _configure(self, connection: sqlite3.Connection) -> None:
        super()._configure(connection)
        connection.execute("PRAGMA secure_delete = ON")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        steps = (*([_SINCE_2] if version == 1 else []), *_SINCE_3) if version in (1, 2) else ()
        if steps:
            connection.execute("BEGIN IMMEDIATE")
            for step in steps:
                connection.execute(step)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")


def _flaw(row: Row) -> str | None:
    """Return what is wrong with a row, without telling whose it is. None: nothing."""
    entered = row[5:8]
    if None in entered and any(each is not None for each in entered):
        return "an entry of which not all is known"
    maybe = (row.subject, row.boot_id, row.entered_boot_id, row.category, row.household)
    texts = [text for text in maybe if text is not None]
    numbers = [
        number
        for number in (row.at_s, row.utc_s, row.entered_at_s, row.entered_utc_s, row.left_utc_s)
        if number is not None
    ]
    if row.place not in PLACES:
        return f"a place that is none of {', '.join(PLACES)}"
    if not all(0 < len(text) <= _MOST_TEXT and text.isprintable() for text in texts):
        return f"a subject, boot id or word that is not 1 to {_MOST_TEXT} printable characters"
    if not all(isfinite(number) for number in numbers):
        return "an instant that is no number"
    return None


def _claimed(path: Path) -> FileIO:
    """Return the file, made if there was none, locked against every other process."""
    try:
        file = FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE), "r+")
    except IsADirectoryError as error:
        raise _DamagedError(f"{path}: a directory") from error
    except OSError as error:
        raise _inaccessible(path, error) from error
    with ExitStack() as undone:
        undone.enter_context(file)
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise _DamagedError(f"{path}: no regular file")
        try:
            os.fchmod(file.fileno(), _MODE)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WhereaboutsError(
                f"{path}: another process has it open; stop that gate first"
            ) from error
        except OSError as error:
            raise _inaccessible(path, error) from error
        undone.pop_all()
    return file


def _inaccessible(path: Path, error: OSError) -> WhereaboutsError:
    return WhereaboutsError(
        f"{path}: cannot be opened: {error.strerror}; "
        "see that the folder exists and that this user may read and write there"
    )
