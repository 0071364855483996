"""What can be read of a broken journal, and the proof of what it was.

First as a database; then its bytes are searched for events, which works also where the pages that
lead to them are gone: an event of ours lies in one piece, behind its own hash, so that whatever is
found proves itself.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
from itertools import chain
from mmap import ACCESS_READ, mmap
from pathlib import Path

from gatepost_services.contract.events import WireError, decode
from gatepost_services.journal.schema import ALL_CLASSES
from gatepost_services.record import HASH_BYTES, EventClass, JsonValue, Record
from gatepost_services.sqlite_file import FAILURES, SUFFIXES

# How long entry may wait for it; and how much memory a Pi Zero has for it.
_RESCUE_S = 1.0
_MOST_EVENTS = 100_000
_MOST_SKIPS = 64
# What the body of every event begins with (contract/events.py).
_BEGINNING = b'{"specversion":"1.0"'
_PAGE_BYTES = 4096  # longer ones are not in one piece
_DECODER = json.JSONDecoder()
_CHUNK_BYTES = 1024 * 1024
_BROKEN, _TOLD = ".broken-", ".told"


@contextmanager
def opened_broken(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection that only reads, and of which every read may fail."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=0.0, isolation_level=None)
    except sqlite3.Error:  # not even there
        connection = sqlite3.connect(":memory:", isolation_level=None)
    with closing(connection):
        yield connection


def highest_seq(connection: sqlite3.Connection, below: int) -> int:
    """Return the highest number in any table or state, of those that make sense; 0 if none."""
    highest = 0
    for table, column in [("state", "last_seq"), *((each.label, "seq") for each in ALL_CLASSES)]:
        with suppress(*FAILURES):
            (found,) = connection.execute(f"SELECT max({column}) FROM {table}").fetchone()  # noqa: S608
            if isinstance(found, int) and found < below:
                highest = max(highest, found)
    return highest


def rescued(
    path: Path,
    connection: sqlite3.Connection,
    after_seq: int,
    through_seq: int,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[tuple[Record, float]]:
    """Yield what was written and can be found, with its date in POSIX seconds: the alarms first.

    Only numbers above `after_seq` up to `through_seq`. Ends after a second, or 100,000 events.
    """
    until_s = clock() + _RESCUE_S
    given: set[int] = set()
    sources = [_readable(connection, each, after_seq, through_seq) for each in ALL_CLASSES]
    sources += [_carved(path.with_name(path.name + suffix)) for suffix in SUFFIXES[:2]]
    for record, utc_s in chain.from_iterable(sources):
        if clock() >= until_s or len(given) >= _MOST_EVENTS:
            return
        if after_seq < record.seq <= through_seq and record.seq not in given:
            given.add(record.seq)
            yield record, utc_s


def _readable(
    connection: sqlite3.Connection, event_class: EventClass, after_seq: int, through_seq: int
) -> Iterator[tuple[Record, float]]:
    select = (
        f"SELECT seq, utc_s, hash, body FROM {event_class.label}"  # noqa: S608
        " WHERE seq > ? AND seq <= ? ORDER BY seq"
    )
    step, skips = 1, 0
    while after_seq < through_seq and skips < _MOST_SKIPS:
        try:
            for seq, utc_s, digest, body in connection.execute(select, (after_seq, through_seq)):
                after_seq, step = seq, 1
                if isinstance(body, bytes) and sha256(body).digest() == digest:
                    yield Record(seq, event_class, digest, body), float(utc_s)
        except (*FAILURES, TypeError, ValueError):
            # A page that cannot be read: behind it there are others.
            after_seq, step, skips = after_seq + step, step * 2, skips + 1
        else:
            return


def _carved(path: Path) -> Iterator[tuple[Record, float]]:
    """Yield every event whose bytes lie in a file in one piece, be it in use or long deleted."""
    with suppress(OSError, ValueError), path.open("rb") as file:  # ValueError: an empty file
        with mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            at = content.find(_BEGINNING)
            while at >= 0:
                digest, rest = content[at - HASH_BYTES : at], content[at : at + _PAGE_BYTES]
                body = rest[: _json_length(rest)]
                if len(digest) == HASH_BYTES and sha256(body).digest() == digest:
                    with suppress(WireError):
                        event = decode(body)
                        yield Record(event.seq, event.event_class, digest, body), event.utc_s
                at = content.find(_BEGINNING, at + 1)


def _json_length(content: bytes) -> int:
    try:
        # Latin-1 keeps the number of bytes, and JSON's own characters are what they were.
        return _DECODER.raw_decode(content.decode("latin-1"))[1]
    except (ValueError, RecursionError):
        return 0


def digest_of(aside: Path) -> Generator[None, None, dict[str, JsonValue]]:
    """Return the SHA-256 of a file and of its -wal, by name, after as many steps as it takes."""
    digests: dict[str, JsonValue] = {}
    for suffix in SUFFIXES[:2]:
        part = aside.with_name(aside.name + suffix)
        made = sha256()
        try:
            with part.open("rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    made.update(chunk)
                    yield
        except OSError as error:
            digests[part.name] = error.strerror or "cannot be read"
        else:
            digests[part.name] = made.hexdigest()
    return digests


def untold(path: Path) -> list[Path]:
    """Return what was set aside of a journal and nobody has been told of, the oldest first."""
    found = path.parent.glob(f"{path.name}{_BROKEN}?")
    return sorted(found, key=lambda name: name.stat().st_mtime)


def mark_told(aside: Path) -> Path:
    """Rename a file that was set aside, now that it has been told of; return its name.

    Of those only the last one is kept: a dying disk must not be filled with what it broke.
    """
    target = aside.with_name(aside.name.partition(_BROKEN)[0] + _TOLD)
    with suppress(OSError):  # it is told again, then
        for suffix in SUFFIXES:
            target.with_name(target.name + suffix).unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                aside.with_name(aside.name + suffix).replace(target.with_name(target.name + suffix))
    return target
