"""What can be read of a broken journal, and the proof of what it was.

First as a database; then its bytes are searched for events, which works also where the pages that
lead to them are gone: an event of ours lies in one piece, behind its own hash, so that whatever is
found proves itself.
"""

import json
import sqlite3
import time
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from hashlib import sha256
from itertools import chain
from mmap import ACCESS_READ, mmap
from pathlib import Path

from gatepost_services.contract.events import WireError, decode
from gatepost_services.journal.gaps import joined, ranges_of
from gatepost_services.journal.schema import ALL_CLASSES
from gatepost_services.journal.snapshot import rows_of, said_of
from gatepost_services.journal.witness import witness_path
from gatepost_services.record import HASH_BYTES, EventClass, JsonValue, Record
from gatepost_services.sqlite_file import FAILURES, SUFFIXES

# How long entry may wait for it; and how much memory a Pi Zero has for it.
_RESCUE_S = 10.0
_MOST_EVENTS = 300_000
_MOST_SKIPS = 64
# So many events at the end of each class are looked at for the highest number.
_NEWEST = 100
_NO_END = 2**63
# What the body of every event begins with (contract/events.py).
_BEGINNING = b'{"specversion":"1.0"'
_PAGE_BYTES = 4096  # longer ones are not in one piece
_DECODER = json.JSONDecoder()
_CHUNK_BYTES = 1024 * 1024
_BROKEN, _TOLD = ".broken-", ".told"


@contextmanager
def opened_broken(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection that only reads, and of which every read may fail."""
    # SQLite deletes the -wal beside an empty file: it would be the only thing that is left.
    is_empty = not path.exists() or path.stat().st_size == 0
    name = ":memory:" if is_empty else f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(name, uri=True, timeout=0.0, isolation_level=None)
    with closing(connection):
        yield connection


class Told:
    """The numbers that gap events tell of: they never come, also where their bytes are found."""

    def __init__(self) -> None:
        self.ranges: list[tuple[int, int]] = []

    def __contains__(self, seq: object) -> bool:
        if not isinstance(seq, int):
            return False
        at = bisect_right(self.ranges, (seq, _NO_END))
        return at > 0 and seq <= self.ranges[at - 1][1]

    def hear(self, body: bytes) -> None:
        """Take in what an event tells."""
        told = ranges_of(body)
        if told:
            self.ranges = joined([*self.ranges, *told])


def highest_seq(connection: sqlite3.Connection, known_seq: int, leap: int) -> int:
    """Return the highest number that is known of: of the events that prove themselves, or more.

    What the file says of itself counts only up to `leap` above those: it may be broken as well.
    """
    highest = known_seq
    for each in ALL_CLASSES:
        newest = f"SELECT seq, hash, body FROM {each.label} ORDER BY seq DESC LIMIT ?"  # noqa: S608
        with suppress(*FAILURES):
            for seq, digest, body in connection.execute(newest, (_NEWEST,)):
                if seq > highest and _proven(seq, each, digest, body):
                    highest = seq
    with suppress(*FAILURES):
        for (last_seq,) in connection.execute("SELECT last_seq FROM state"):
            if isinstance(last_seq, int) and highest < last_seq <= highest + leap:
                highest = last_seq
    return highest


def rescued(
    path: Path,
    connection: sqlite3.Connection,
    between: tuple[int, int],
    told: Told,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[tuple[Record, float]]:
    """Yield what was written and can be found, with its date in POSIX seconds: the alarms first.

    Only numbers above the first of `between`, up to the second. `told` learns from the gap events
    among them, and what it knows of is left out. Ends after 10 s, or 300,000 events.
    """
    until_s = clock() + _RESCUE_S
    after_seq, through_seq = between
    given: set[int] = set()
    sources = [_readable(connection, each, after_seq, through_seq) for each in ALL_CLASSES]
    sources += [_carved(path.with_name(path.name + suffix)) for suffix in SUFFIXES[:2]]
    for found in chain.from_iterable(sources):
        if clock() >= until_s or len(given) >= _MOST_EVENTS:
            return
        if found is None:
            continue
        record, utc_s = found
        seq = record.seq
        if after_seq < seq <= through_seq and seq not in given and seq not in told:
            told.hear(record.body)
            given.add(seq)
            yield record, utc_s


# An event and its date; None where only time has passed, and may be up.
_Found = tuple[Record, float] | None


def _readable(
    connection: sqlite3.Connection, event_class: EventClass, after_seq: int, through_seq: int
) -> Iterator[_Found]:
    rows = rows_of(
        connection,
        event_class,
        lambda *_: None,  # what is missing in the end is told
        after_seq=after_seq,
        through_seq=through_seq,
        most_breaks=_MOST_SKIPS,
    )
    for row in rows:
        yield _proven(row.seq, event_class, row.hash, row.body)


def _carved(path: Path) -> Iterator[_Found]:
    """Yield every event whose bytes lie in a file in one piece, be it in use or long deleted."""
    with suppress(OSError, ValueError), ExitStack() as closing_:  # ValueError: an empty file
        file = closing_.enter_context(path.open("rb"))
        content = closing_.enter_context(mmap(file.fileno(), 0, access=ACCESS_READ))
        begin = 0
        while begin < len(content):
            yield None
            end = min(begin + _CHUNK_BYTES, len(content))
            at = content.find(_BEGINNING, begin, end + len(_BEGINNING) - 1)
            if at < 0:
                begin = end
                continue
            begin = at + 1
            digest, rest = content[max(at - HASH_BYTES, 0) : at], content[at : at + _PAGE_BYTES]
            body = rest[: _json_length(rest)]
            if sha256(body).digest() == digest:
                with suppress(WireError):
                    event = decode(body)
                    yield Record(event.seq, event.event_class, digest, body), event.utc_s


def _proven(
    seq: int, event_class: EventClass, digest: object, body: object
) -> tuple[Record, float] | None:
    """Return the record and its date, if a gate wrote this body under this number."""
    if not (isinstance(body, bytes) and isinstance(digest, bytes)):
        return None
    if sha256(body).digest() != digest:
        return None
    said = said_of(body)
    if said is None or (said.seq, said.label) != (seq, event_class.label):
        return None
    return Record(seq, event_class, digest, body), said.utc_s


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
    # Also where only the -wal was left to set aside.
    since: dict[Path, float] = {}
    for suffix in SUFFIXES:
        for part in path.parent.glob(f"{path.name}{_BROKEN}?{suffix}"):
            since.setdefault(part.with_name(part.name.removesuffix(suffix)), part.stat().st_mtime)
    return sorted(since, key=since.__getitem__)


def mark_told(aside: Path) -> Path:
    """Rename a file that was set aside, now that it has been told of; return its name.

    Of those only the last one is kept: a dying disk must not be filled with what it broke.
    """
    target = aside.with_name(aside.name.partition(_BROKEN)[0] + _TOLD)
    with suppress(OSError):  # it is told again, then
        parts = [
            (aside.with_name(aside.name + s), target.with_name(target.name + s)) for s in SUFFIXES
        ]
        for part, final in [*parts, (witness_path(aside), witness_path(target))]:
            final.unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                part.replace(final)
    return target
