"""How often each counted pass was used, and which step of it last: over restarts and power cuts.

Used is used: a use is on disk before the caller is told that it may let somebody through, and what
a power cut leaves counts. Only who was let in and did not walk gets the use back (`give_back`).

One file of the gate that counts. Ids of passes and numbers, no subjects; a row goes once its pass
has ended. See `gatepost_services.sqlite_file` for what a kill can do to it.
"""

import os
import sqlite3
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Self

from gatepost_services.credentials.errors import CredentialError, Refusal
from gatepost_services.sqlite_file import Kind, SqliteWriter, set_aside

SCHEMA_VERSION = 1
APPLICATION_ID = 0x47504352  # "GPCR"
# Of 50 bytes: 5 MB. More passes that count at a time are no gate's, and nobody's count is dropped.
MAX_ROWS = 100_000
# A clock that was ahead, and is set back, must not find forgotten what ended meanwhile.
KEPT = timedelta(days=1)
_MOST_PRUNED = 500  # at once: it holds up the next person

_MODE = 0o600
_TABLES = (
    """
    CREATE TABLE uses (
        id        BLOB PRIMARY KEY CHECK (length(id) = 16),
        used      INTEGER NOT NULL CHECK (used >= 0),
        last_step INTEGER NOT NULL CHECK (last_step >= -1),
        ends_s    INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX ends ON uses (ends_s)",
    # What was made up to this instant may have been counted in a file that was lost.
    "CREATE TABLE lost (until_s INTEGER NOT NULL) STRICT",
)
_GET = "SELECT used, last_step FROM uses WHERE id = ?"
_PUT = "INSERT OR REPLACE INTO uses (id, used, last_step, ends_s) VALUES (?, ?, ?, ?)"
_GIVE_BACK = "UPDATE uses SET used = used - 1 WHERE id = ? AND used > 0"
_PRUNE = "DELETE FROM uses WHERE id IN (SELECT id FROM uses WHERE ends_s < ? LIMIT ?)"
_UNKNOWN_INSTANT = -1  # of a loss that no clock saw


class ReplayError(OSError):
    """The file cannot do what it was asked."""


class _DamagedError(ReplayError):
    """What is in the file's place is none of ours, or no longer."""


_KIND = Kind(
    "counts of passes",
    APPLICATION_ID,
    SCHEMA_VERSION,
    probe="SELECT until_s FROM lost UNION ALL SELECT ends_s FROM uses LIMIT 1",
    error=ReplayError,
    damaged=_DamagedError,
)


class Counted(NamedTuple):
    """What is counted of a pass.

    Attributes:
        id: the pass's.
        uses: how many it has; None: only its steps are counted.
        step: the step that was shown; None: it has none.
        made_utc: when this code came into being: the pass was issued, or the step began.
        ends_utc: after which it is refused in any case.
    """

    id: bytes
    uses: int | None
    step: int | None
    made_utc: datetime
    ends_utc: datetime


class ReplayStore(SqliteWriter):
    """The counts. Get it with `open`. Belongs to the thread that made it.

    `set_aside`: where the file is that could not be used, None if there was none such.
    """

    def __init__(
        self,
        path: Path,
        *,
        busy_timeout_s: float = 1.0,
        connection_class: type[sqlite3.Connection] = sqlite3.Connection,
    ) -> None:
        self.set_aside: Path | None = None
        _make(path)
        super().__init__(
            path, _KIND, busy_timeout_s=busy_timeout_s, connection_class=connection_class
        )
        try:
            self._check_whole()
            ((self._lost_until_s,),) = self._read("SELECT max(until_s) FROM lost")
            ((self._rows,),) = self._read("SELECT count(*) FROM uses")
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(cls, path: Path) -> Self:
        """Return what the file holds; make it when there is none.

        What is damaged, or something else, is set aside as `<name>.broken-<number>`, and a new one
        begun. What was counted in it is unknown from then on: codes made before are refused
        (NO_MEMORY), so that none works twice.

        Raises:
            ReplayError: the file cannot be read or written, or is of a newer version.
        """
        try:
            return cls(path)
        except _DamagedError as error:
            aside = set_aside(path, error)
        store = cls(path)
        store.set_aside = aside
        store._note_loss(_UNKNOWN_INSTANT)
        return store

    def peek(self, counted: Counted) -> None:
        """Return if the pass may be used now; count nothing.

        Raises:
            CredentialError: USED; NO_MEMORY: the disk does not tell, or its count was lost.
        """
        self._check_not_lost(counted)
        try:
            rows = self._read(_GET, (counted.id,))
        except ReplayError as error:
            raise _no_memory(error) from error
        _check_left(counted, rows)

    def consume(self, counted: Counted) -> None:
        """Count one use, and the step. It is on disk when this returns; blocks for one fsync.

        Raises:
            CredentialError: USED, NO_MEMORY; nothing was counted.
        """
        self._check_not_lost(counted)
        refusal: CredentialError | None = None
        is_new = False
        try:
            with self._transaction("write") as connection:
                rows = connection.execute(_GET, (counted.id,)).fetchall()
                is_new = not rows
                # Not raised in here: that would be taken for a failure of the file.
                refusal = _refusal_of(counted, rows) or self._room(is_new=is_new)
                if refusal is None:
                    connection.execute(_PUT, _row(counted, rows))
        except ReplayError as error:
            raise _no_memory(error) from error
        if refusal is not None:
            raise refusal
        self._rows += is_new

    def give_back(self, pass_id: bytes) -> bool:
        """Take back one use of somebody who did not walk; return whether that is on disk.

        A step is not given back: the phone shows the next one.
        """
        try:
            self._commit("write", _GIVE_BACK, (pass_id,))
        except ReplayError:
            return False
        return True

    def keep_house(self, now_utc: datetime) -> int:
        """Forget passes that ended more than `KEPT` ago; return how many. Needs a trusted clock.

        Raises:
            ReplayError: nothing was forgotten.
        """
        if self._lost_until_s == _UNKNOWN_INSTANT:
            self._note_loss(int(now_utc.timestamp()))
        before_s = int((now_utc - KEPT).timestamp())
        gone = 0
        with self._transaction("prune") as connection:
            gone = connection.execute(_PRUNE, (before_s, _MOST_PRUNED)).rowcount
        self._rows -= gone
        return gone

    def _note_loss(self, until_s: int) -> None:
        self._commit("write", "INSERT INTO lost (until_s) VALUES (?)", (until_s,))
        self._lost_until_s = until_s

    def _check_not_lost(self, counted: Counted) -> None:
        if self._lost_until_s is None:
            return
        is_lost = counted.made_utc.timestamp() <= self._lost_until_s
        if is_lost or self._lost_until_s == _UNKNOWN_INSTANT:
            raise CredentialError(
                Refusal.NO_MEMORY, "it may have been used before the file of counts was damaged"
            )

    def _room(self, *, is_new: bool) -> CredentialError | None:
        if is_new and self._rows >= MAX_ROWS:
            return CredentialError(Refusal.NO_MEMORY, f"{MAX_ROWS} passes are counted already")
        return None

    def _check_whole(self) -> None:
        ((finding,),) = self._read("PRAGMA quick_check(1)")
        if finding != "ok":
            raise _DamagedError(f"{self._path}: damaged: {finding}")

    def _fill(self, connection: sqlite3.Connection) -> None:
        for table in _TABLES:
            connection.execute(table)


def _row(counted: Counted, rows: list[tuple[int, int]]) -> tuple[bytes, int, int, int]:
    used, last_step = rows[0] if rows else (0, -1)
    step = last_step if counted.step is None else counted.step
    return counted.id, used + 1, step, int(counted.ends_utc.timestamp())


def _refusal_of(counted: Counted, rows: list[tuple[int, int]]) -> CredentialError | None:
    if not rows:
        return None
    ((used, last_step),) = rows
    if counted.uses is not None and used >= counted.uses:
        return CredentialError(Refusal.USED, "as often as it may be")
    if counted.step is not None and counted.step <= last_step:
        return CredentialError(Refusal.USED, "this step of it, or a later one")
    return None


def _check_left(counted: Counted, rows: list[tuple[int, int]]) -> None:
    if refusal := _refusal_of(counted, rows):
        raise refusal


def _no_memory(error: ReplayError) -> CredentialError:
    return CredentialError(Refusal.NO_MEMORY, f"its use cannot be counted: {error}")


def _make(path: Path) -> None:
    """Make the file, for the gate's user alone; SQLite makes the others like it."""
    with suppress(OSError):  # who opens it tells why it cannot be
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, _MODE))
