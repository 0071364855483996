"""What the journal's file looks like: one table a class, and one row of what it comes to.

A table a class, and not a column: eviction by class then frees whole pages, and the alarms are
found without an index, which would cost one more page a commit. What the file comes to is written
down every so many events, and with all that deletes some, so that nobody has to count a gigabyte at
the start; what was appended since is counted (`state_of`).
"""

import sqlite3
from pathlib import Path
from typing import Any, NamedTuple, Self

from gatepost_services.record import HASH_BYTES, NO_HASH, EventClass
from gatepost_services.sqlite_file import Kind

SCHEMA_VERSION = 2
APPLICATION_ID = 0x47504A4C  # "GPJL"
ALL_CLASSES = tuple(EventClass)
# A row's share of the pages besides its body: keys, hash, and what stays free in a page.
ROW_OVERHEAD_BYTES = 60


_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES, _APPLICATION_AT = 100, 68  # https://sqlite.org/fileformat2.html, 1.3


class JournalError(OSError):
    """The journal cannot do what it was asked; nothing of the request has happened."""


class JournalDamaged(JournalError):  # noqa: N818 - it states what is, like BlockingIOError
    """The file itself is the cause: broken, no journal, or not what this process left in it."""


class JournalLate(JournalError):  # noqa: N818
    """Not on the disk in time. It may still get there, and is then in the order of the requests."""


class JournalUnavailable(JournalError):  # noqa: N818
    """The journal cannot be read now; it may be at the next try."""


class State(NamedTuple):
    """What the file comes to; the one row of `state`.

    `last_seq` is the highest number ever given, `head` the hash of that event's body. `pruned` is
    the highest number that was deleted after its delivery: holes below it mean nothing. `rows`,
    `bytes` (of bodies) and `dropped` (events that were given up) are by class.
    """

    last_seq: int = 0
    head: bytes = NO_HASH
    pruned: int = 0
    rows: tuple[int, ...] = (0,) * len(ALL_CLASSES)
    bytes: tuple[int, ...] = (0,) * len(ALL_CLASSES)
    dropped: tuple[int, ...] = (0,) * len(ALL_CLASSES)

    @classmethod
    def of_row(cls, row: tuple[Any, ...]) -> Self:
        """Return the state that a row of the table holds. Raises ValueError for nonsense."""
        last_seq, head, pruned, *counts = row
        if not (isinstance(head, bytes) and len(head) == HASH_BYTES):
            raise ValueError("head is no hash")
        # A damaged page holds what no STRICT table takes.
        if not all(isinstance(each, int) and each >= 0 for each in (last_seq, pruned, *counts)):
            raise ValueError("a number is none, or negative")
        size = len(ALL_CLASSES)
        return cls(
            last_seq,
            head,
            pruned,
            rows=tuple(counts[:size]),
            bytes=tuple(counts[size : 2 * size]),
            dropped=tuple(counts[2 * size :]),
        )

    def row(self) -> tuple[object, ...]:
        """Return what the table holds."""
        return (self.last_seq, self.head, self.pruned, *self.rows, *self.bytes, *self.dropped)

    def changed(
        self, event_class: EventClass, rows: int, size: int, *, dropped: int = 0
    ) -> "State":
        """Return the state with so many more rows and bytes of a class (or fewer)."""

        def plus(counts: tuple[int, ...], change: int) -> tuple[int, ...]:
            return tuple(
                count + change if each is event_class else count
                for each, count in zip(ALL_CLASSES, counts, strict=True)
            )

        return self._replace(
            rows=plus(self.rows, rows),
            bytes=plus(self.bytes, size),
            dropped=plus(self.dropped, dropped),
        )


def appended(state: State, event_class: EventClass, head: bytes, size: int) -> State:
    """Return the state with one more event, of so many bytes."""
    rows, sizes = list(state.rows), list(state.bytes)
    rows[event_class] += 1
    sizes[event_class] += size
    return State(state.last_seq + 1, head, state.pruned, tuple(rows), tuple(sizes), state.dropped)


class Stats(NamedTuple):
    """The journal at one moment. Counts by class, in the order of `EventClass`.

    `oldest`: number and POSIX seconds of the oldest event of each class, None where there is none.
    `used_bytes`: pages with something in them; `free_bytes`: pages in the file that the next
    events will use.
    """

    last_seq: int
    head: bytes
    pruned: int
    rows: tuple[int, ...]
    bytes: tuple[int, ...]
    dropped: tuple[int, ...]
    oldest: tuple[tuple[int, float] | None, ...]
    used_bytes: int
    free_bytes: int

    @property
    def oldest_utc_s(self) -> float | None:
        """POSIX seconds of the oldest event, None when there is none."""
        found = [each for each in self.oldest if each is not None]
        return min(found)[1] if found else None


_COUNTS = [
    f"{count}_{each.label}" for count in ("rows", "bytes", "dropped") for each in ALL_CLASSES
]
_STATE_COLUMNS = ["last_seq", "head", "pruned", *_COUNTS]
STATE = f"SELECT {', '.join(_STATE_COLUMNS)} FROM state"  # noqa: S608 - names of ours
_SINCE = tuple(
    f"SELECT count(*), ifnull(sum(length(body)), 0), max(seq) FROM {each.label} WHERE seq > ?"  # noqa: S608
    for each in ALL_CLASSES
)
UPDATE_STATE = (
    f"UPDATE state SET {', '.join(f'{name} = ?' for name in _STATE_COLUMNS)}"  # noqa: S608
    " WHERE last_seq = ? AND head = ?"
)
# In the order of ALL_CLASSES.
INSERT = tuple(
    f"INSERT INTO {each.label} VALUES (?, ?, ?, ?)"  # noqa: S608
    for each in ALL_CLASSES
)

KIND = Kind(
    "journal",
    APPLICATION_ID,
    SCHEMA_VERSION,
    probe=STATE,
    error=JournalError,
    damaged=JournalDamaged,
)


def fill(connection: sqlite3.Connection, state: State) -> None:
    """Make the tables of a new file."""
    for each in ALL_CLASSES:
        connection.execute(
            f"CREATE TABLE {each.label} (seq INTEGER PRIMARY KEY, utc_s REAL NOT NULL,"
            " hash BLOB NOT NULL, body BLOB NOT NULL) STRICT"
        )
    columns = ", ".join(f"{name} INTEGER NOT NULL" for name in ["last_seq", "pruned", *_COUNTS])
    connection.execute(f"CREATE TABLE state ({columns}, head BLOB NOT NULL) STRICT")
    marks = ", ".join("?" for _ in _STATE_COLUMNS)
    connection.execute(
        f"INSERT INTO state ({', '.join(_STATE_COLUMNS)}) VALUES ({marks})",  # noqa: S608
        state.row(),
    )


def stored_state(connection: sqlite3.Connection) -> State:
    """Return what is written down of what the file comes to.

    Raises:
        sqlite3.Error: the file cannot be read.
        TypeError, ValueError: it is nonsense.
    """
    return State.of_row(connection.execute(STATE).fetchone())


def state_of(connection: sqlite3.Connection) -> State:
    """Return what the file comes to, with what was appended since that was written down.

    Raises:
        sqlite3.Error: the file cannot be read.
        TypeError, ValueError: what is written down is nonsense.
    """
    return with_newer(connection, stored_state(connection))


def with_newer(connection: sqlite3.Connection, stored: State) -> State:
    """Return a state with what was appended since. Raises sqlite3.Error."""
    rows, sizes = list(stored.rows), list(stored.bytes)
    last_seq, head = stored.last_seq, stored.head
    for each in ALL_CLASSES:
        count, size, highest = connection.execute(_SINCE[each], (stored.last_seq,)).fetchone()
        rows[each] += count
        sizes[each] += size
        if isinstance(highest, int) and highest > last_seq:
            last_seq = highest
            (found,) = connection.execute(
                f"SELECT hash FROM {each.label} WHERE seq = ?",  # noqa: S608
                (highest,),
            ).fetchone()
            head = found if isinstance(found, bytes) and len(found) == HASH_BYTES else NO_HASH
    return stored._replace(last_seq=last_seq, head=head, rows=tuple(rows), bytes=tuple(sizes))


def stats_of(connection: sqlite3.Connection) -> Stats:
    """Return the journal at this moment.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    state = state_of(connection)
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    oldest = tuple(
        connection.execute(
            f"SELECT seq, utc_s FROM {each.label} ORDER BY seq LIMIT 1"  # noqa: S608
        ).fetchone()
        for each in ALL_CLASSES
    )
    return Stats(
        *state,
        oldest=oldest,
        used_bytes=(pages - free) * page_bytes,
        free_bytes=free * page_bytes,
    )


def merged(classes: tuple[EventClass, ...], *, newest_first: bool = False) -> str:
    """Return the SELECT of all records of some classes with a number above ?, in order.

    Parameters: `after`, `through`, once for each class; then `limit`. SQLite merges the tables,
    each in its own order, and reads no further than the limit.
    """
    parts = [
        f"SELECT seq, {int(each)}, hash, body FROM {each.label} WHERE seq > ? AND seq <= ?"  # noqa: S608
        for each in classes
    ]
    return f"{' UNION ALL '.join(parts)} ORDER BY seq {'DESC ' * newest_first}LIMIT ?"


def is_something_else(path: Path) -> bool:
    """Return whether a file is plainly no journal, nor what is left of one.

    A wreck may have lost its header, and a new journal has its mark in the -wal for a while: such a
    file is one if it is named like one, and if it has a -wal.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if not header.startswith(_MAGIC):
        return ".db" not in path.name or not header
    mark = int.from_bytes(header[_APPLICATION_AT : _APPLICATION_AT + 4], "big")
    if mark == 0:
        return not path.with_name(f"{path.name}-wal").exists()
    return mark != APPLICATION_ID
