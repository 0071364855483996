"""How far the centre has acknowledged: one number, written by the link, read by the gate."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Self

SCHEMA_VERSION = 1
APPLICATION_ID = 0x4750554C  # "GPUL"
_SCHEMA = (
    """CREATE TABLE position (
           only         INTEGER PRIMARY KEY CHECK (only = 1),
           acknowledged INTEGER NOT NULL
       ) STRICT""",
    "INSERT INTO position VALUES (1, 0)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)
_READ = "SELECT acknowledged FROM position"


class PositionError(OSError):
    """The position cannot be read or stored."""


class PositionStore:
    """The writer of the link's file. Belongs to the thread that made it.

    Creates the file when there is none. Deleting it loses nothing: the link sends again whatever
    the journal still has, and the centre knows the events by their number.

    Raises:
        PositionError: the file cannot be opened, or is no file of this version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._connection = sqlite3.connect(path, timeout=1.0, isolation_level=None)
        except sqlite3.Error as error:
            raise self._error("open", error) from error
        try:
            self._acknowledged = self._prepare()
        except (sqlite3.Error, PositionError) as error:
            self._connection.close()
            if isinstance(error, sqlite3.Error):
                raise self._error("open", error) from error
            raise

    @property
    def acknowledged(self) -> int:
        """The number through which everything is with the centre, 0 before the first."""
        return self._acknowledged

    def advance(self, seq: int) -> None:
        """Store that everything through `seq` is with the centre. Never moves backwards.

        Does not wait for the disk.

        Raises:
            PositionError: not stored.
        """
        if seq <= self._acknowledged:
            return
        try:
            self._connection.execute("UPDATE position SET acknowledged = ?", (seq,))
        except sqlite3.Error as error:
            raise self._error("write", error) from error
        self._acknowledged = seq

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _prepare(self) -> int:
        connection = self._connection
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        is_new = (application, version, tables) == (0, 0, 0)
        if not is_new and (application != APPLICATION_ID or version > SCHEMA_VERSION):
            raise PositionError(
                f"{self._path}: not the link's file, or of a newer version ({version}); "
                "move it away, and the link sends again whatever the journal still has"
            )
        connection.execute("PRAGMA journal_mode = WAL")
        # NORMAL does not wait for the disk. A power cut may take the last steps back, which only
        # repeats events; it never takes the file.
        connection.execute("PRAGMA synchronous = NORMAL")
        if is_new:
            connection.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute("COMMIT")
        (acknowledged,) = connection.execute(_READ).fetchone()
        return int(acknowledged)

    def _error(self, verb: str, error: sqlite3.Error) -> PositionError:
        return PositionError(
            f"{self._path}: cannot {verb} the position: {error}; see that this user may write "
            "there; if the file is damaged, move it away with its -wal and -shm"
        )


def read_acknowledged(path: Path) -> int:
    """Return how far the centre has acknowledged, for a process that may only read.

    0 when the file cannot be read now (absent, damaged, or cleanly closed by the link in a
    directory that this user may not write to): then the gate prunes nothing, which is always safe.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with suppress(sqlite3.Error), closing(sqlite3.connect(uri, uri=True, timeout=0.1)) as reader:
        row = reader.execute(_READ).fetchone()
        return int(row[0]) if row else 0
    return 0
