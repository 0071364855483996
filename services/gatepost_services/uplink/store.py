"""The link's own memory: how far it has come, and which events it has set apart.

One file beside the number for the gate, fsynced at each step. Losing it loses no event: the link
begins again at that number, and the server knows the events by theirs.
"""

import json
import logging
import sqlite3
from collections.abc import Iterable
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Self

from gatepost_services.sqlite_file import Kind, SqliteWriter, set_aside
from gatepost_services.sqlite_reader import SqliteReader
from gatepost_services.uplink.position import (
    PositionError,
    read_acknowledged,
    write_acknowledged,
)
from gatepost_services.uplink.progress import MOST_DONE, NO_END, KeepUntil, Progress

_LOG = logging.getLogger(__name__)

SCHEMA_VERSION = 1
APPLICATION_ID = 0x4750554C  # "GPUL"
MOST_SET_APART = 1000
_TABLES = (
    """
    CREATE TABLE progress (
        alarm     INTEGER NOT NULL,
        rest      INTEGER NOT NULL,
        done      TEXT NOT NULL,
        watermark INTEGER NOT NULL,
        digest    BLOB NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE set_apart (
        seq   INTEGER PRIMARY KEY,
        hash  BLOB NOT NULL,
        why   TEXT NOT NULL,
        utc_s REAL NOT NULL
    ) STRICT
    """,
)
_PROGRESS = "SELECT alarm, rest, done, watermark, digest FROM progress"
_SET_APART = "SELECT seq, hash, why, utc_s FROM set_apart ORDER BY seq"
_STEP = "UPDATE progress SET alarm = ?, rest = ?, done = ?, watermark = ?, digest = ?"
_KEEP_APART = "INSERT OR REPLACE INTO set_apart VALUES (?, ?, ?, ?)"
_BOUND_APART = """
    DELETE FROM set_apart
    WHERE seq NOT IN (SELECT seq FROM set_apart ORDER BY utc_s DESC, seq DESC LIMIT ?)
"""


class SetApart(NamedTuple):
    """An event in whose place another went out: which, its hash, why, and when (POSIX s)."""

    seq: int
    hash: bytes
    why: str
    utc_s: float


class StoreError(OSError):
    """The link's memory cannot be read or written."""


class _DamagedError(StoreError):
    """What is in the file's place is none of ours, or no longer."""


_KIND = Kind(
    "uplink progress",
    APPLICATION_ID,
    SCHEMA_VERSION,
    probe=_PROGRESS,
    error=StoreError,
    damaged=_DamagedError,
)


class ProgressStore(SqliteWriter):
    """The progress and the events set apart, on disk; and the number for the gate. Use `open`.

    `set_apart` holds at most the last `MOST_SET_APART`, by number. Belongs to the thread that made
    it. `connection_class` is for tests of a failing disk.
    """

    def __init__(
        self,
        path: Path,
        acknowledged_path: Path,
        keep_until: KeepUntil,
        *,
        connection_class: type[sqlite3.Connection] = sqlite3.Connection,
    ) -> None:
        self._acknowledged_path = acknowledged_path
        self.keep_until: KeepUntil = keep_until
        through = read_acknowledged(acknowledged_path)
        self._begin = Progress(alarm=through, rest=through, watermark=through)
        super().__init__(path, _KIND, connection_class=connection_class)
        try:
            self.progress = self._load()
            self.set_apart = {row[0]: SetApart(*row) for row in self._read(_SET_APART)}
            self._told = -1  # find out now whether the number can be written
            self._tell(self.progress)
        except (StoreError, PositionError):
            self.close()
            raise

    @classmethod
    def open(cls, path: Path, acknowledged_path: Path, keep_until: KeepUntil) -> Self:
        """Return what the file holds; make it when there is none.

        What is damaged, or something else, is set aside as `<name>.broken-<number>`, and a new one
        begun at the number of the gate: that only repeats events.

        Raises:
            OSError: the file or the number cannot be read or written, or is of a newer version
                (StoreError, PositionError).
        """
        try:
            return cls(path, acknowledged_path, keep_until)
        except _DamagedError as error:
            target = set_aside(path, error)
            _LOG.error("%s; set aside as %s, and events are sent again", error, target.name)
        return cls(path, acknowledged_path, keep_until)

    def save(self, progress: Progress, set_apart: Iterable[SetApart] = ()) -> None:
        """Store both, then tell the gate. Blocks for one fsync.

        Raises:
            OSError: not stored (StoreError), or the gate not told (PositionError).
        """
        added = tuple(set_apart)
        if added or progress != self.progress:
            with self._transaction("write") as connection:
                connection.execute(_STEP, _row(progress))
                if added:
                    connection.executemany(_KEEP_APART, added)
                    connection.execute(_BOUND_APART, (MOST_SET_APART,))
            self.progress = progress
        if added:
            self.set_apart = {row[0]: SetApart(*row) for row in self._read(_SET_APART)}
        self._tell(progress)

    def _tell(self, progress: Progress) -> None:
        through = progress.forgettable(self.keep_until)
        if through != self._told:
            write_acknowledged(self._acknowledged_path, through)
            self._told = through

    def _load(self) -> Progress:
        ((finding,),) = self._read("PRAGMA integrity_check(1)")
        if finding != "ok":
            raise _DamagedError(f"{self._path}: damaged: {finding}")
        rows = self._read(_PROGRESS)
        progress = _progress(rows[0]) if len(rows) == 1 else None
        if progress is None:
            raise _DamagedError(f"{self._path}: holds no progress that makes sense")
        return progress

    def _fill(self, connection: sqlite3.Connection) -> None:
        for table in _TABLES:
            connection.execute(table)
        connection.execute("INSERT INTO progress VALUES (?, ?, ?, ?, ?)", _row(self._begin))


class ProgressReader(SqliteReader):
    """The same, for another process than the link: how far it has come."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _KIND, remedy="the link makes it when it starts")

    def progress(self) -> tuple[Progress, tuple[int, ...]]:
        """Return the progress, and the numbers of the events set apart.

        Raises:
            StoreError: there is none that can be read.
        """

        def look(file: sqlite3.Connection) -> tuple[Progress | None, tuple[int, ...]]:
            rows = file.execute(_PROGRESS).fetchall()
            apart = tuple(row[0] for row in file.execute(_SET_APART))
            return _progress(rows[0]) if len(rows) == 1 else None, apart

        progress, apart = self._ask(look)
        if progress is None:
            raise _DamagedError(f"{self._path}: holds no progress that makes sense")
        return progress, apart


_Row = tuple[int, int, str, int, bytes]


def _row(progress: Progress) -> _Row:
    """Return a row of the table. SQLite has no checksums, and a flipped bit would skip events."""
    row = progress.alarm, progress.rest, json.dumps(progress.done), progress.watermark
    return *row, sha256(repr(row).encode()).digest()


def _progress(row: _Row) -> Progress | None:
    """Return the progress of a row, None for one that no link writes."""
    alarm, rest, text, watermark, _ = row
    try:
        done = tuple((int(after), int(through)) for after, through in json.loads(text))
    except (ValueError, TypeError, RecursionError):
        return None
    ascending = [number for each in done for number in each]
    progress = Progress(alarm, rest, done, watermark)
    if not (0 <= alarm < NO_END and 0 <= rest < NO_END and len(done) <= MOST_DONE):
        return None
    if not 0 <= watermark <= progress.acknowledged:
        return None
    bounds = [rest, *ascending, NO_END]
    is_ascending = all(a < b for a, b in pairwise(bounds))
    return progress if is_ascending and _row(progress) == tuple(row) else None
