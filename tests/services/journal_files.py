"""What the tests of the journal share: entries, the whole file as plain values, and its claims."""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from gatepost_services.contract.events import Envelope, decode
from gatepost_services.journal import Entry, Journal, JournalReader, Record
from gatepost_services.journal.gaps import joined, ranges_of
from gatepost_services.journal.schema import ALL_CLASSES, State, state_of
from gatepost_services.record import EventClass

SEALER = Envelope("north", "gate-1", "boot-1")
# One type of each class, in the order of EventClass.
TYPES = ("visit.referred", "visit.admitted", "lane.locked", "thermometer.learnt")
NOW_UTC_S = 1_795_285_805.0
DAY_S = 86_400.0


def entry(number: int = 0, event_class: EventClass = EventClass.LIVE, **keywords: Any) -> Entry:
    """Return an entry of a class; `utc_s` and more of its data by keyword."""
    utc_s = keywords.pop("utc_s", NOW_UTC_S)
    return Entry(TYPES[event_class], 1.5, utc_s, {"n": number, **keywords})


def stamp(type_: str, data: Any) -> Entry:
    """Return what the gate's own stamp would."""
    return Entry(type_, 2.5, NOW_UTC_S, data, "ntp")


GAP = stamp("journal.gap", {"cause": "events"})


def opened(path: Path, **keywords: Any) -> Journal:
    """Return an open journal of the gate of all these tests."""
    return Journal(path, SEALER, **keywords)


class File(NamedTuple):
    """All that a journal's file holds, read by other means than its reader."""

    records: list[Record]
    state: State

    @property
    def seqs(self) -> list[int]:
        """The numbers, in order."""
        return [record.seq for record in self.records]

    @property
    def data(self) -> list[Any]:
        """What the events tell, in order."""
        return [decode(record.body).data for record in self.records]

    def of_type(self, type_: str) -> list[Any]:
        """Return what the events of a type tell, in order."""
        events = [decode(record.body) for record in self.records]
        return [event.data for event in events if event.type == f"gatepost.{type_}"]

    @property
    def told_gone(self) -> set[int]:
        """The numbers that its gap events say will never come."""
        ranges = joined(each for record in self.records for each in ranges_of(record.body))
        return {seq for first, through in ranges for seq in range(first, through + 1)}


def _looking(path: Path) -> sqlite3.Connection:
    # A file at rest stays so: SQLite would make a -wal and a -shm for it.
    at_rest = "" if path.with_name(path.name + "-wal").exists() else "&immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro{at_rest}", uri=True)


def contents(path: Path) -> File:
    """Read the whole file, as it is to whoever opens it."""
    with closing(_looking(path)) as connection:
        records = [
            Record(seq, each, digest, body)
            for each in ALL_CLASSES
            for seq, digest, body in connection.execute(
                f"SELECT seq, hash, body FROM {each.label}"  # noqa: S608
            )
        ]
        return File(sorted(records), state_of(connection))


def assert_sound(path: Path) -> File:
    """Claim what must hold of every journal at every moment; return what it holds."""
    file = contents(path)
    for record in file.records:
        event = decode(record.body)
        assert sha256(record.body).digest() == record.hash
        assert (event.seq, event.event_class) == (record.seq, record.event_class)
    for before, after in zip(file.records, file.records[1:], strict=False):
        assert before.seq < after.seq
        if before.seq == after.seq - 1:
            assert decode(after.body).previous_hash == before.hash, after.seq
    for each in ALL_CLASSES:
        bodies = [record.body for record in file.records if record.event_class is each]
        assert file.state.rows[each] == len(bodies)
        assert file.state.bytes[each] == sum(map(len, bodies))
    if file.records:
        assert file.state.last_seq >= file.records[-1].seq
    with closing(_looking(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return file


def numbers(reader: JournalReader) -> list[int]:
    """Return the `n` of every event that a reader finds."""
    return [json.loads(record.body)["data"]["n"] for record in reader.read(0, 1000).records]


def family(path: Path) -> list[Path]:
    """Return the database and what SQLite keeps beside it."""
    return [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")]


def gap_of(ranges: Iterable[tuple[int, int]]) -> int:
    """Return how many numbers some ranges hold."""
    return sum(through - first + 1 for first, through in ranges)
