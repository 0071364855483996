"""The roster as its one writer changes it: whole, by the difference to the last one, or one person.

Each change is one transaction: a kill leaves the old roster or the new one. Whoever else writes
meanwhile (a server's roster, and a technician's command) waits for it, or is told to come again.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Self

from gatepost_services.roster.key import RosterKey
from gatepost_services.roster.rows import RosterError, Row, digest_of_lines
from gatepost_services.roster.schema import (
    FIRST_STATE,
    KIND,
    LINES,
    STATE,
    TABLES,
    DamagedError,
    State,
    foreign,
)
from gatepost_services.sqlite_file import SqliteWriter, set_aside

_MODE = 0o640  # the gate, of the same group, reads it
_BUSY_TIMEOUT_S = 10.0  # a whole import takes some seconds
_CACHE_KIBIBYTES = 16_384  # holds the indices of 100,000 members, so that none is written twice
# The gate forgets by itself whom it has not seen for so long.
_KEEP_ERASED_S = 30 * 86_400

_INCOMING = """
    CREATE TEMP TABLE incoming (
        digest BLOB PRIMARY KEY, subject TEXT, category TEXT, household TEXT, mark TEXT
    ) WITHOUT ROWID
"""
_TAKE = "INSERT INTO incoming VALUES (?, ?, ?, ?, ?)"
_LIKE = (
    "(members.subject, members.category, members.household, members.mark)"
    " IS (incoming.subject, incoming.category, incoming.household, incoming.mark)"
)
_COUNT = f"""
    SELECT count(*) FILTER (WHERE members.digest IS NULL),
           count(*) FILTER (WHERE members.digest IS NOT NULL AND NOT {_LIKE})
    FROM incoming LEFT JOIN members USING (digest)
"""  # noqa: S608
_PUT = f"""
    INSERT OR REPLACE INTO members
    SELECT incoming.digest, incoming.subject, incoming.category, incoming.household, incoming.mark
    FROM incoming LEFT JOIN members USING (digest)
    WHERE members.digest IS NULL OR NOT {_LIKE}
    ORDER BY incoming.digest
"""  # noqa: S608
# Apart, for it leaves the indices alone: most changes of a roster are of a category or a mark.
_CHANGE = f"""
    UPDATE members SET category = incoming.category, mark = incoming.mark
    FROM incoming
    WHERE members.digest = incoming.digest AND members.subject = incoming.subject
      AND members.household = incoming.household AND NOT {_LIKE}
"""  # noqa: S608
_DROP_OTHERS = "DELETE FROM members WHERE digest NOT IN (SELECT digest FROM incoming)"
_DROP = "DELETE FROM members WHERE digest = ?"
# One subject in two households, or of two categories: the gate could not say which.
_TWOFOLD = """
    SELECT count(*) FROM (
        SELECT subject FROM members WHERE subject IN (SELECT subject FROM incoming)
        GROUP BY subject HAVING min(category) <> max(category) OR min(household) <> max(household)
    )
"""
_STEP = "UPDATE state SET version = ?, as_of_utc_s = ?, digest = ?, members = ?, key_id = ?"


class Whole(NamedTuple):
    """A whole roster. `version` None: the one after that which is there.

    `digest`: what `rows.digest_of` must come to, None where the sender did not say.
    """

    rows: list[Row]
    as_of_utc_s: int
    version: int | None = None
    digest: bytes | None = None


class Delta(NamedTuple):
    """What changes in a roster: `put` adds passes and replaces them, `remove` names digests.

    `base_version`, `base_digest`: of the roster that it changes; None: whichever is there.
    """

    put: list[Row]
    remove: list[bytes]
    as_of_utc_s: int
    base_version: int | None = None
    base_digest: bytes | None = None
    version: int | None = None
    digest: bytes | None = None


class Change(NamedTuple):
    """How many passes came, changed and went, and which roster it is now."""

    added: int
    changed: int
    removed: int
    state: State


class RosterWriter(SqliteWriter):
    """The file, open for changes. Get it with `open`. Belongs to the thread that made it."""

    def __init__(
        self,
        path: Path,
        key: RosterKey,
        *,
        connection_class: type[sqlite3.Connection] = sqlite3.Connection,
    ) -> None:
        self._key = key
        _make_file(path)
        super().__init__(
            path, KIND, busy_timeout_s=_BUSY_TIMEOUT_S, connection_class=connection_class
        )

    @classmethod
    def open(cls, path: Path, key: RosterKey) -> Self:
        """Return the roster for changes; make an empty one when there is none.

        What is damaged is set aside as `<name>.broken-<number>`: it comes anew from where it came.

        Raises:
            RosterError: the file cannot be opened, is of a newer version, or something else.
        """
        if said := foreign(path):
            raise RosterError(said)
        try:
            writer = cls(path, key)
        except DamagedError as error:
            set_aside(path, error)
            return cls(path, key)
        try:
            writer.check()
        except DamagedError as error:
            writer.close()
            set_aside(path, error)
            return cls(path, key)
        return writer

    def state(self) -> State:
        """Return which roster it is; of version 0, none was ever imported.

        Raises:
            RosterError: it cannot be read.
        """
        return _state(self._read(STATE), self._path)

    def check(self) -> None:
        """Look at all of it.

        Raises:
            DamagedError: it is not as it was written.
            RosterError: it cannot be read.
        """
        ((finding,),) = self._read("PRAGMA integrity_check(1)")
        if finding != "ok":
            raise DamagedError(f"{self._path}: damaged: {finding}")
        if digest_of_lines(line for (line,) in self._read(LINES)) != self.state().digest:
            raise DamagedError(f"{self._path}: damaged: its digest is not that of its members")

    def gone_with(self, whole: Whole) -> int:
        """Return how many passes `replace` would remove; 0 of a roster of another key.

        That one is of no use here, and nothing of it can be compared.

        Raises:
            RosterError: it cannot be read.
        """
        if self.state().key_id != self._key.id:
            return 0
        kept = {row.digest for row in whole.rows}
        return sum(digest not in kept for (digest,) in self._read("SELECT digest FROM members"))

    def replace(self, whole: Whole) -> Change:
        """Put a whole roster in the place of the one that is there, with the key of this site.

        One of the same version that is there already changes nothing, however often it comes.

        Raises:
            RosterError: nothing was changed: it is older than the one that is there, does not hold
                together, or cannot be written.
        """
        with self._changing(whole.rows) as connection:
            was = self._state_in(connection)
            if whole.version == was.version:
                self._check_same(was, _digest_of_incoming(connection))
                return Change(0, 0, 0, was)
            version = _next_version(was, whole.version)
            added, changed = connection.execute(_COUNT).fetchone()
            removed = connection.execute(_DROP_OTHERS).rowcount
            state = self._put(connection, version, whole.as_of_utc_s, whole.digest)
        self._flush()
        return Change(added, changed, removed, state)

    def apply(self, delta: Delta) -> Change:
        """Change what is to be changed. A delta that was applied already changes nothing.

        Raises:
            RosterError: nothing was changed: it is for another roster than the one that is there,
                removes what is not there, does not hold together, or cannot be written.
        """
        with self._changing(delta.put) as connection:
            was = self._state_in(connection)
            if delta.version == was.version and delta.digest == was.digest:
                return Change(0, 0, 0, was)
            self._check_base(was, delta)
            version = _next_version(was, delta.version)
            added, changed = connection.execute(_COUNT).fetchone()
            removed = sum(connection.execute(_DROP, (each,)).rowcount for each in delta.remove)
            if removed != len(delta.remove):
                raise RosterError(
                    f"{self._path}: {len(delta.remove) - removed} of {len(delta.remove)} passes to "
                    "be removed are not on the roster; nothing was changed"
                )
            state = self._put(connection, version, delta.as_of_utc_s, delta.digest)
        self._flush()
        return Change(added, changed, removed, state)

    def erase(self, subject: str, now_utc_s: int) -> Change:
        """Remove all passes of a subject, and tell the gate to forget where it was seen.

        It is a new version: the sender's next delta does not fit, and it must leave the subject out
        of the whole one that follows.

        Raises:
            RosterError: nothing was changed.
        """
        with self._changing([]) as connection:
            was = self._state_in(connection)
            self._check_key(was)
            gone = connection.execute("DELETE FROM members WHERE subject = ?", (subject,)).rowcount
            connection.execute("DELETE FROM erased WHERE utc_s < ?", (now_utc_s - _KEEP_ERASED_S,))
            connection.execute(
                "INSERT OR REPLACE INTO erased VALUES (?, ?)",
                (self._key.subject_digest(subject), now_utc_s),
            )
            version = was.version + 1 if gone else was.version
            state = self._put(connection, version, was.as_of_utc_s, None)
        self._flush()
        return Change(0, 0, gone, state)

    # ------------------------------------------------------------------------------ in a change

    @contextmanager
    def _changing(self, rows: Iterable[Row]) -> Iterator[sqlite3.Connection]:
        with self._transaction("change") as connection:
            connection.execute(_INCOMING)
            connection.executemany(_TAKE, sorted(rows))
            yield connection
            connection.execute("DROP TABLE incoming")  # a rollback takes it away as well

    def _state_in(self, connection: sqlite3.Connection) -> State:
        return _state(connection.execute(STATE).fetchall(), self._path)

    def _put(
        self, connection: sqlite3.Connection, version: int, as_of_utc_s: int, wanted: bytes | None
    ) -> State:
        """Take over what came in, and return the state that this makes."""
        connection.execute(_CHANGE)
        connection.execute(_PUT)
        if connection.execute(_TWOFOLD).fetchone() != (0,):
            raise RosterError(
                f"{self._path}: a subject would be of two categories or in two households, by two "
                "of its passes; nothing was changed: change all passes of a subject together"
            )
        digest = digest_of_lines(line for (line,) in connection.execute(LINES))
        if wanted is not None and wanted != digest:
            raise RosterError(
                f"{self._path}: it would come to the digest {digest.hex()}, and its sender says "
                f"{wanted.hex()}; nothing was changed: send the whole roster"
            )
        self._recall_erased(connection)
        (members,) = connection.execute("SELECT count(*) FROM members").fetchone()
        state = State(version, as_of_utc_s, digest, members, self._key.id)
        connection.execute(_STEP, state)
        return state

    def _recall_erased(self, connection: sqlite3.Connection) -> None:
        """Whoever was erased and comes with this change is no longer to be forgotten.

        Digests of another key than ours find nobody any more.
        """
        if self._state_in(connection).key_id != self._key.id:
            connection.execute("DELETE FROM erased")
            return
        erased = {digest for (digest,) in connection.execute("SELECT digest FROM erased")}
        if not erased:
            return
        subjects = connection.execute("SELECT DISTINCT subject FROM incoming").fetchall()
        back = erased & {self._key.subject_digest(subject) for (subject,) in subjects}
        connection.executemany("DELETE FROM erased WHERE digest = ?", [(each,) for each in back])

    def _check_same(self, was: State, digest: bytes) -> None:
        if digest != was.digest or was.key_id != self._key.id:
            raise RosterError(
                f"{self._path}: holds another roster of the same version {was.version}; nothing "
                "was changed: give it a higher version"
            )

    def _check_base(self, was: State, delta: Delta) -> None:
        if not was.version:
            raise RosterError(
                f"{self._path}: no roster was imported yet, and a delta needs one; send the whole"
            )
        self._check_key(was)
        is_base = delta.base_version in (None, was.version)
        if not is_base or delta.base_digest not in (None, was.digest):
            raise RosterError(
                f"{self._path}: is version {was.version}, digest {was.digest.hex()}, and the delta "
                "is for another one; nothing was changed: send a delta for this one, or the whole"
            )

    def _check_key(self, was: State) -> None:
        if was.version and was.key_id != self._key.id:
            raise RosterError(
                f"{self._path}: made with the key {was.key_id.hex()}, and the key here is "
                f"{self._key.id.hex()}; nothing was changed: put the site's key there, or import "
                "the whole roster"
            )

    def _fill(self, connection: sqlite3.Connection) -> None:
        for table in TABLES:
            connection.execute(table)
        connection.execute(FIRST_STATE, State(0, 0, digest_of_lines(()), 0, self._key.id))

    def _configure(self, connection: sqlite3.Connection) -> None:
        super()._configure(connection)
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}")

    def _flush(self) -> None:
        # The -wal holds who is gone. Should this fail, the next checkpoint does it.
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _next_version(was: State, version: int | None) -> int:
    if version is None:
        return was.version + 1
    if version <= was.version:
        raise RosterError(
            f"version {version} does not follow version {was.version}, which is there; nothing was "
            "changed: give it a higher version"
        )
    return version


def _digest_of_incoming(connection: sqlite3.Connection) -> bytes:
    lines = connection.execute(LINES.replace("FROM members", "FROM incoming"))
    return digest_of_lines(line for (line,) in lines)


def _state(rows: list[tuple[int, int, bytes, int, bytes]], path: Path) -> State:
    if len(rows) != 1:
        raise DamagedError(f"{path}: damaged: it has no state; import the whole roster again")
    return State(*rows[0])


def _make_file(path: Path) -> None:
    """Make an empty file that the gate may read, in the name of whoever the folder belongs to."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    except FileExistsError:
        return  # also of another user: SQLite then says whether it may write
    except OSError as error:
        raise RosterError(
            f"{path}: cannot be made: {error.strerror}; see that the folder exists and that you "
            "may write there (sudo), or name another: [paths] roster"
        ) from error
    try:
        if os.geteuid() == 0:
            # SQLite gives -wal and -shm to the same owner: the gate's user writes them after us.
            folder = path.parent.stat()
            os.fchown(descriptor, folder.st_uid, folder.st_gid)
    finally:
        os.close(descriptor)
