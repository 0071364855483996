"""The roster: which passes exist, and what category of person each one stands for.

A member is an opaque subject id and a category: the gate needs no names, and what it does not hold
nobody can take from it. Somebody may have a second pass for the same subject, marked `duress`, to
show under threat: it opens as any other, and tells silently.
"""

import csv
import hashlib
import io
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Self

COLUMNS = ("credential", "subject", "category")
HOUSEHOLD = "household"  # optional columns, in this order
MARK = "mark"
DURESS = "duress"
ISOLATED = "isolated"
_MARKS = {"", DURESS, ISOLATED}
_OPTIONAL = (HOUSEHOLD, MARK)
_HEADERS = {(*COLUMNS, *more) for more in ((), (HOUSEHOLD,), (MARK,), _OPTIONAL)}
MAX_CELL_LENGTH = 512
_DIGEST_BYTES = 32


class RosterError(ValueError):
    """A roster that cannot be used as it is. The text names file and line, never a credential."""


class Member(NamedTuple):
    """Whom a credential stands for: an id that means something only to the centre, a category.

    `duress`: this credential is only shown under threat. `household`: whose outings count together.
    `isolated`: its subject is on the list of those who must stay at home, by any of their passes.
    """

    subject: str
    category: str
    duress: bool = False
    household: str | None = None
    isolated: bool = False


class Roster:
    """All members, found by credential.

    Keeps no credential, only keyed BLAKE2b digests (RFC 7693) under a key that this process drew
    for itself: a memory dump or a traceback holds nothing that opens the gate.
    """

    def __init__(self, members: Mapping[str, Member]) -> None:
        self._key = secrets.token_bytes(hashlib.blake2b.MAX_KEY_SIZE)
        self._members = {self._digest(credential): member for credential, member in members.items()}
        self._by_subject = {member.subject: member for member in members.values()}
        self._isolated = {member.subject for member in members.values() if member.isolated}

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return the roster of a CSV file with the header credential,subject,category.

        Two more columns may follow, one of them or both: household, an id or empty; and mark, empty
        or duress or isolated. UTF-8, with or without a byte order mark; blank lines are skipped;
        nothing else is guessed.

        Raises:
            RosterError: the file cannot be read, or a line is not as it must be.
        """
        members: dict[str, Member] = {}
        lines: dict[str, int] = {}
        for line, (credential, subject, category, household, mark) in _rows(path):
            if credential in lines:
                raise RosterError(
                    f"{path}:{line}: the credential of line {lines[credential]} again; keep one"
                )
            lines[credential] = line
            members[credential] = Member(
                subject,
                category,
                duress=mark == DURESS,
                household=household or None,
                isolated=mark == ISOLATED,
            )
        return cls(members)

    def look_up(self, credential: str) -> Member | None:
        """Return whom the credential stands for, None if it is unknown. Takes microseconds."""
        return self._members.get(self._digest(credential))

    def category_of(self, subject: str) -> str | None:
        """Return the category of a subject, None for one that has no pass (any more)."""
        member = self._by_subject.get(subject)
        return None if member is None else member.category

    def is_isolated(self, subject: str) -> bool:
        """Return whether a subject must stay at home."""
        return subject in self._isolated

    def household_of(self, subject: str) -> str | None:
        """Return the household of a subject, None where the roster names none."""
        member = self._by_subject.get(subject)
        return None if member is None else member.household

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        return f"Roster(<{len(self)} members>)"

    def _digest(self, credential: str) -> bytes:
        # surrogatepass: a credential that is no Unicode text is unknown, not an exception.
        text = credential.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._key, digest_size=_DIGEST_BYTES).digest()


def _rows(path: Path) -> Iterator[tuple[int, tuple[str, str, str, str, str]]]:
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        header = tuple(next(reader, []))
        if header not in _HEADERS:
            raise RosterError(
                f"{path}:1: the header must be exactly {','.join(COLUMNS)}, and after them "
                f"{HOUSEHOLD} or {MARK} or both if there are such; "
                f"{len(header)} other columns were found"
            )
        for cells in reader:
            if cells:
                place = f"{path}:{reader.line_num}"
                yield reader.line_num, _checked_cells(cells, header, place)
    except csv.Error as error:
        raise RosterError(f"{path}:{reader.line_num}: not CSV: {error}") from error


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RosterError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        # Not chained: the decoder's error holds the whole file.
        raise RosterError(f"{path}:{line}: not UTF-8; save it as CSV UTF-8") from None


def _checked_cells(
    cells: list[str], columns: tuple[str, ...], place: str
) -> tuple[str, str, str, str, str]:
    if len(cells) != len(columns):
        raise RosterError(f"{place}: {len(cells)} cells; each line has {len(columns)}")
    for column, cell in zip(columns, cells, strict=True):
        if not cell and column not in _OPTIONAL:
            raise RosterError(f"{place}: {column} is empty")
        if len(cell) > MAX_CELL_LENGTH:
            raise RosterError(
                f"{place}: {column} has {len(cell)} characters; at most {MAX_CELL_LENGTH} fit"
            )
        if cell != cell.strip() or not cell.isprintable():
            raise RosterError(
                f"{place}: {column} has blanks around it or control characters in it; remove them"
            )
    found = dict(zip(columns, cells, strict=True))
    mark = found.get(MARK, "")
    if mark not in _MARKS:
        # Not quoted: in a line whose cells are in another order it is the credential.
        raise RosterError(
            f"{place}: {MARK} is unknown; leave it empty, or write {DURESS} or {ISOLATED}"
        )
    credential, subject, category = cells[: len(COLUMNS)]
    return credential, subject, category, found.get(HOUSEHOLD, ""), mark
