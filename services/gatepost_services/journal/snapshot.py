"""A journal at one moment, to be looked at: also one that is in use, and one that is broken."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from gatepost_services.journal.schema import (
    ALL_CLASSES,
    KIND,
    JournalDamaged,
    JournalError,
    JournalUnavailable,
)
from gatepost_services.record import EventClass
from gatepost_services.sqlite_file import FAILURES, explained, is_checked

_LAST = 2**63 - 1
# The members before `data`, in the one order in which a gate writes them (contract/events.py).
_ENVELOPE = re.compile(
    rb'\{"specversion":"1\.0","id":"[^"]*/([0-9]{1,19})","source":"[^"]*","type":"[^"]*",'
    rb'(?:"dataschema":"[^"]*",)?'
    rb'"time":"([^"]*Z)",(?:"datacontenttype":"[^"]*",)?"sequence":"([0-9]{19})",'
    rb'"bootid":"(?:[^"\\]|\\.)*","uptimes":"[^"]*","timequality":"[^"]*",'
    rb'"class":"([a-z]*)","previoushash":"([0-9a-f]{64})","data":'
)
# Not the file's own fault: another user, or a process, can do something about it.
_CURABLE = {
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}


class Row(NamedTuple):
    """An event as it stands in a table. `utc_s`: POSIX seconds by the gate's wall clock.

    What a broken file holds for the last three may be of any type.
    """

    seq: int
    event_class: EventClass
    utc_s: object
    hash: object
    body: object


class Said(NamedTuple):
    """What the body of an event says of itself; `utc_s` to the millisecond, cut off."""

    seq: int
    label: str
    utc_s: float
    previous: bytes


def said_of(body: object) -> Said | None:
    """Return what a body says of itself, None if no gate wrote it. Reads no further than `data`."""
    found = _ENVELOPE.match(body) if isinstance(body, bytes) else None
    if found is None or int(found[1]) != int(found[3]):
        return None
    try:
        utc_s = datetime.fromisoformat(found[2].decode()).timestamp()
    except ValueError:
        return None
    return Said(int(found[3]), found[4].decode(), utc_s, bytes.fromhex(found[5].decode()))


# Told what cannot be read: after which number of which class, and why.
OnBreak = Callable[[int, EventClass, str], None]


@contextmanager
def snapshot(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection that reads the journal as it was at one moment.

    Neither locks nor changes anything; while it is open the gate's -wal cannot begin anew, so it
    grows by what the gate writes. Works as `JournalReader` where nobody has the file open.

    Raises:
        JournalUnavailable: no such file, no permission, or the gate opened it meanwhile.
        JournalDamaged: what is there is no journal, or cannot be read as one.
        JournalError: it is of a newer version.
    """
    is_at_rest = not path.with_name(path.name + "-wal").exists()
    before = _stamp(path)
    uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' * is_at_rest}"
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=1.0, isolation_level=None)
    except sqlite3.Error as error:
        raise told(path, error) from error
    with closing(connection):
        try:
            if not is_checked(connection, path, KIND):
                raise JournalDamaged(f"{path}: there is nothing in it")
            connection.execute("BEGIN")
            connection.execute(KIND.probe).fetchone()
        except FAILURES as error:
            raise told(path, error) from error
        yield connection
    if is_at_rest and (_stamp(path) != before or path.with_name(path.name + "-wal").exists()):
        raise JournalUnavailable(f"{path}: the gate opened it meanwhile; do it again")


def told(path: Path, error: Exception) -> JournalError:
    """Return the error to raise for one of SQLite's: unavailable, or damaged."""
    said = explained(path, KIND, "read", error)
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    return JournalUnavailable(str(said)) if code in _CURABLE else JournalDamaged(str(said))


def rows_of(
    connection: sqlite3.Connection,
    event_class: EventClass,
    on_break: OnBreak,
    *,
    after_seq: int = 0,
    through_seq: int = _LAST,
    most_breaks: int = 1000,
) -> Iterator[Row]:
    """Yield the events of one class in ascending order, past what cannot be read.

    Behind a page that cannot be read others may be: each attempt begins twice as far behind the
    last event that was read. Ends after `most_breaks` attempts.
    """
    select = (
        f"SELECT seq, utc_s, hash, body FROM {event_class.label}"  # noqa: S608
        " WHERE seq > ? AND seq <= ? ORDER BY seq"
    )
    step, breaks = 1, 0
    while after_seq < through_seq:
        try:
            for seq, utc_s, digest, body in connection.execute(select, (after_seq, through_seq)):
                if not after_seq < seq <= through_seq:
                    raise sqlite3.DatabaseError(f"event {seq} stands where it does not belong")
                after_seq, step = seq, 1
                yield Row(seq, event_class, utc_s, digest, body)
        except FAILURES as error:
            on_break(after_seq, event_class, str(error))
            after_seq, step, breaks = after_seq + step, step * 2, breaks + 1
            if breaks >= most_breaks:
                on_break(after_seq, event_class, "too much is broken; not read any further")
                return
        else:
            return


def count_after(connection: sqlite3.Connection, after_seq: int) -> int:
    """Return how many events have a number above this one. Raises sqlite3.Error."""
    counts = (
        connection.execute(
            f"SELECT count(*) FROM {each.label} WHERE seq > ?",  # noqa: S608
            (after_seq,),
        ).fetchone()
        for each in ALL_CLASSES
    )
    return sum(count for (count,) in counts)


def count_since(connection: sqlite3.Connection, since_utc_s: float) -> int:
    """Return how many of the last events are dated at or after an instant (POSIX seconds).

    Reads each class backwards to its first older event, so that it need not read a gigabyte.
    Raises sqlite3.Error.
    """
    found = 0
    for each in ALL_CLASSES:
        newest_first = connection.execute(
            f"SELECT utc_s FROM {each.label} ORDER BY seq DESC"  # noqa: S608
        )
        for (utc_s,) in newest_first:
            if not isinstance(utc_s, float) or utc_s < since_utc_s:
                break
            found += 1
    return found


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise JournalUnavailable(f"{path}: cannot be read: {error.strerror}") from error
    return found.st_ino, found.st_size, found.st_mtime_ns
