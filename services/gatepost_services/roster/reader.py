"""The roster as the gate reads it: out of another process's file, one look-up at a time."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from gatepost_services.roster.key import RosterKey
from gatepost_services.roster.rows import (
    DURESS,
    ISOLATED,
    Member,
    OtherKeyError,
    Person,
    RosterError,
    Row,
    digest_of_lines,
)
from gatepost_services.roster.schema import KIND, LINES, ROWS, STATE, DamagedError, State, foreign
from gatepost_services.sqlite_reader import SqliteReader

_T = TypeVar("_T")

# The control loop asks: it has no second to wait for a writer.
_BUSY_TIMEOUT_S = 0.02
_IMPORT = "bring one in with gatepost roster import"
_REMEDY = f"see that this user may read it, or {_IMPORT}"
_WHOLE = "gatepost roster import of a whole roster sets this file aside and begins a new one"
_LOOK_UP = """
    SELECT state.version, key_id, subject, category, household, mark
    FROM state LEFT JOIN members ON members.digest = ?
"""
_PERSON = """
    SELECT category, household, max(mark = 'isolated') OVER ()
    FROM members WHERE subject = ? ORDER BY members.digest LIMIT 1
"""
_HOUSEHOLD = "SELECT DISTINCT subject FROM members WHERE household = ? AND household <> ''"
_ERASED = "SELECT digest FROM erased"
_LAST_ERASED = "SELECT max(utc_s) FROM erased"
_FLAWS = "PRAGMA integrity_check(1)"


class Roster(SqliteReader):
    """All members, found by credential or by subject; what is imported next counts at once.

    Keeps no credential, only keyed digests: neither the file nor a memory dump opens the gate
    without the site's key. Belongs to the thread that made it. A file or key that cannot be used
    raises RosterError, and a later call may work again: after a DamagedError only when the roster
    is another one.
    """

    def __init__(self, path: Path, key_path: Path) -> None:
        super().__init__(path, KIND, remedy=_REMEDY, busy_timeout_s=_BUSY_TIMEOUT_S)
        self._key_path = key_path
        self._key: RosterKey | None = None

    def look_up(self, credential: str) -> Member | None:
        """Return whom the credential stands for, None if it is unknown.

        Raises:
            RosterError: there is no roster that could say.
        """
        key = self._loaded_key()
        version, key_id, *found = self._row(_LOOK_UP, key.digest(credential))
        if version and key_id != key.id:  # a new key came with a new roster
            key = self._loaded_key(key_id)
            version, key_id, *found = self._row(_LOOK_UP, key.digest(credential))
        self._check(version, key_id, key)
        subject, category, household, mark = found
        if subject is None:
            return None
        self._check_texts(subject, category, household)
        return Member(subject, category, mark == DURESS, household or None, mark == ISOLATED)

    def person(self, subject: str) -> Person | None:
        """Return what is known of a subject, None for one that has no pass (any more).

        Raises:
            RosterError: there is no roster that could say.
        """
        text = subject.encode("utf-8", "replace").decode()  # SQLite takes no lone surrogates
        row = self._ask(lambda file: file.execute(_PERSON, (text,)).fetchone())
        if row is None:
            return None
        category, household, isolated = row
        self._check_texts(category, household)
        return Person(category, household or None, bool(isolated))

    def of_household(self, household: str) -> list[str]:
        """Return the subjects of a household.

        Raises:
            RosterError: there is no roster that could say.
        """
        rows = self._ask(lambda file: file.execute(_HOUSEHOLD, (household,)).fetchall())
        return [subject for (subject,) in rows]

    def state(self) -> State:
        """Return which roster it is.

        Raises:
            RosterError: there is none, or it was made with another key.
        """
        state = self.state_at_all()
        key = self._loaded_key(state.key_id)
        self._check(state.version, state.key_id, key)
        return state

    def check(self) -> State:
        """Return which roster it is, after all of it was read and is as it was written.

        Some tenths of a second for 100,000 members.

        Raises:
            RosterError: it cannot be used, or is damaged.
        """

        def look(file: sqlite3.Connection) -> tuple[str, bytes]:
            ((finding,),) = file.execute(_FLAWS).fetchall()
            return finding, digest_of_lines(line for (line,) in file.execute(LINES))

        state = self.state()
        finding, digest = self._ask(look)
        if finding != "ok":
            raise DamagedError(f"{self._path}: damaged: {finding}; {_WHOLE}")
        if digest != state.digest and self.state() == state:  # not changed in between
            raise DamagedError(
                f"{self._path}: damaged: its digest is not that of its members; {_WHOLE}"
            )
        return state

    def rows(self) -> tuple[State, list[Row]]:
        """Return which roster it is, and all rows, sorted by digest.

        Raises:
            RosterError: it cannot be used.
        """
        state, rows = self._ask(
            lambda file: (
                State(*file.execute(STATE).fetchone()),
                [Row._make(row) for row in file.execute(ROWS)],
            )
        )
        self._check(state.version, state.key_id, self._loaded_key(state.key_id))
        return state, rows

    def erased(self) -> frozenset[bytes]:
        """Return whom the gate must forget, as digests of their subjects.

        Raises:
            RosterError: there is no roster that could say.
        """
        rows = self._ask(lambda file: file.execute(_ERASED).fetchall())
        return frozenset(digest for (digest,) in rows)

    def last_erased_utc_s(self) -> int | None:
        """Return when somebody was erased last, None where nobody is still to be forgotten.

        Raises:
            RosterError: there is no roster that could say.
        """
        utc_s: int | None = self._row(_LAST_ERASED)[0]
        return utc_s

    def is_among(self, subject: str, erased: frozenset[bytes]) -> bool:
        """Return whether a subject is one of `erased`. Raises RosterError: there is no key."""
        return self._loaded_key().subject_digest(subject) in erased

    def __repr__(self) -> str:
        return f"Roster({str(self._path)!r})"

    def _row(self, sql: str, *parameters: object) -> tuple[Any, ...]:
        def one(file: sqlite3.Connection) -> tuple[Any, ...]:
            row: tuple[Any, ...] | None = file.execute(sql, parameters).fetchone()
            if row is None:
                raise DamagedError("it has no state")
            return row

        return self._ask(one)

    def _ask(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            return super()._ask(question)
        except DamagedError as error:
            raise DamagedError(
                foreign(self._path)
                or f"{self._path}: damaged: {error.__cause__ or error}; {_WHOLE}"
            ) from error

    def key_id(self) -> bytes | None:
        """Return the id of the key that it was made with, None where none was ever imported.

        Raises:
            RosterError: there is no roster that could say.
        """
        state = self.state_at_all()
        return state.key_id if state.version else None

    def state_at_all(self) -> State:
        """Return which roster it is, of whatever key; of version 0, none was ever imported.

        Raises:
            RosterError: there is no roster that could say.
        """
        return State(*self._row(STATE))

    def _loaded_key(self, wanted: bytes | None = None) -> RosterKey:
        if self._key is None or wanted not in (None, self._key.id):
            self._key = RosterKey.load(self._key_path, wanted)
        return self._key

    def _check(self, version: int, key_id: bytes, key: RosterKey) -> None:
        if not version:
            raise RosterError(f"{self._path}: no roster was imported yet; {_IMPORT}")
        if key_id != key.id:
            raise OtherKeyError(
                f"{self._path}: made with the key {key_id.hex()}, and {self._key_path} is "
                f"{key.id.hex()}; put the site's key there, or import the whole roster again"
            )

    def _check_texts(self, *texts: object) -> None:
        if not all(isinstance(text, str) for text in texts):
            raise DamagedError(f"{self._path}: damaged: a member that is no text; {_WHOLE}")
