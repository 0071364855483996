"""What the roster holds of a pass: one row, and the digest over all of them. Pure."""

from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

DURESS = "duress"
ISOLATED = "isolated"
MARKS = ("", DURESS, ISOLATED)
MOST_CHARACTERS = 512  # of a credential, a subject, a category, a household
DIGEST_BYTES = 32  # of a credential (keyed BLAKE2b) and of a roster (SHA-256)


class RosterError(OSError):
    """A roster that cannot be used or changed as asked. The text never holds a credential."""


class OtherKeyError(RosterError):
    """The roster was made with another key than the one that is here."""


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


class Row(NamedTuple):
    """One pass as it is kept. `digest` is of its credential; household and mark may be empty."""

    digest: bytes
    subject: str
    category: str
    household: str = ""
    mark: str = ""


class Person(NamedTuple):
    """What all passes of a subject say of it together."""

    category: str
    household: str | None
    isolated: bool


def cell_flaw(name: str, cell: str, *, may_be_empty: bool = False) -> str | None:
    """Return what is wrong with a text of a row, without quoting it. None: nothing."""
    if not cell and not may_be_empty:
        return f"{name} is empty"
    if len(cell) > MOST_CHARACTERS:
        return f"{name} has {len(cell)} characters; at most {MOST_CHARACTERS} fit"
    if cell != cell.strip() or not cell.isprintable():
        return f"{name} has blanks around it or control characters in it; remove them"
    return None


def mark_flaw(mark: str) -> str | None:
    """Return what is wrong with a mark. It is not quoted: it may be a credential gone astray."""
    if mark not in MARKS:
        return f"mark is unknown; leave it empty, or write {DURESS} or {ISOLATED}"
    return None


def line_of(row: Row) -> str:
    """Return the line of a row: what the digest is taken over.

    Digest of the credential in lower-case hexadecimal, subject, category, household, mark, with
    tabs between (no cell can hold one) and a line feed at the end.
    """
    return f"{row.digest.hex()}\t{row.subject}\t{row.category}\t{row.household}\t{row.mark}\n"


def digest_of(rows: Iterable[Row]) -> bytes:
    """Return the SHA-256 (FIPS 180-4) of all lines in UTF-8, sorted by their first column.

    Two rosters have the same one when they hold the same passes, however they came to it.
    """
    return digest_of_lines(line_of(row) for row in sorted(rows))


def digest_of_lines(lines: Iterable[str]) -> bytes:
    """Return the digest of lines that are sorted already."""
    hasher = sha256()
    for line in lines:
        hasher.update(line.encode())
    return hasher.digest()
