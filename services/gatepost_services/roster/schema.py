"""The tables of the roster's file, and how it is told from others."""

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from gatepost_services.roster.rows import RosterError
from gatepost_services.sqlite_file import Kind

SCHEMA_VERSION = 1
APPLICATION_ID = 0x4750524F  # "GPRO"


class DamagedError(RosterError):
    """What is in the file's place is none of ours, or no longer."""


class State(NamedTuple):
    """Which roster it is. `version` 0: none was ever imported.

    `as_of_utc_s`: POSIX seconds, of when it was true, by whoever made it. `digest`: of all rows
    (`gatepost_services.roster.rows.digest_of`). `key_id`: of the key that their digests were made
    with.
    """

    version: int
    as_of_utc_s: int
    digest: bytes
    members: int
    key_id: bytes

    @property
    def as_of_utc(self) -> str:
        """When it was true, as ISO 8601."""
        return datetime.fromtimestamp(self.as_of_utc_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# What is imported is checked before; these keep our own mistakes out (integrity_check asks them).
TABLES = (
    """
    CREATE TABLE state (
        one         INTEGER PRIMARY KEY CHECK (one = 1),
        version     INTEGER NOT NULL CHECK (version >= 0),
        as_of_utc_s INTEGER NOT NULL,
        digest      BLOB NOT NULL CHECK (length(digest) = 32),
        members     INTEGER NOT NULL CHECK (members >= 0),
        key_id      BLOB NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE members (
        digest    BLOB PRIMARY KEY CHECK (length(digest) = 32),
        subject   TEXT NOT NULL CHECK (subject <> ''),
        category  TEXT NOT NULL CHECK (category <> ''),
        household TEXT NOT NULL,
        mark      TEXT NOT NULL CHECK (mark IN ('', 'duress', 'isolated'))
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX members_subject ON members (subject)",
    "CREATE INDEX members_household ON members (household) WHERE household <> ''",
    # Whom the gate is still to forget, as keyed digests of their subjects.
    """
    CREATE TABLE erased (
        digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
        utc_s  INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
)
FIRST_STATE = "INSERT INTO state VALUES (1, ?, ?, ?, ?, ?)"
STATE = "SELECT version, as_of_utc_s, digest, members, key_id FROM state"
ROWS = "SELECT digest, subject, category, household, mark FROM members ORDER BY digest"
# The lines of `rows.line_of`, made where it is fastest.
LINES = """
    SELECT lower(hex(digest)) || char(9) || subject || char(9) || category || char(9)
           || household || char(9) || mark || char(10)
    FROM members ORDER BY digest
"""

KIND = Kind(
    "roster", APPLICATION_ID, SCHEMA_VERSION, probe=STATE, error=RosterError, damaged=DamagedError
)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_CSV = (b"credential,", b"digest,", b"change,")
_MAGIC = b"SQLite format 3\0"  # https://sqlite.org/fileformat.html, section 1.3
_APPLICATION_ID_AT = slice(68, 72)
_HEADER_BYTES = 100


def foreign(path: Path) -> str | None:
    """Return what a file is that must not be set aside as a damaged roster. None: nothing known."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except OSError:
        return None
    if header.removeprefix(_BYTE_ORDER_MARK).startswith(_CSV):
        return (
            f"{path}: a CSV file; name the database in [paths] roster (roster.db), and bring the "
            "file into it with gatepost roster import"
        )
    ours = (bytes(4), APPLICATION_ID.to_bytes(4, "big"))
    if header.startswith(_MAGIC) and header[_APPLICATION_ID_AT] not in ours:
        return f"{path}: a database of something else; name another file in [paths] roster"
    return None
