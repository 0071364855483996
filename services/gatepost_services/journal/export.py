"""The journal as a technician hands it over: JSON Lines, or a table for a spreadsheet."""

import csv
import heapq
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from io import StringIO
from operator import attrgetter
from pathlib import Path
from typing import Literal

from gatepost_services.contract.events import WireError, WireEvent, decode
from gatepost_services.journal.schema import ALL_CLASSES, JournalDamaged
from gatepost_services.journal.snapshot import Row, rows_of, snapshot
from gatepost_services.record import EventClass

Format = Literal["jsonl", "csv"]
# These columns in this order, for ever; new ones are added at the end.
COLUMNS = (
    "seq",
    "time",
    "time_quality",
    "type",
    "class",
    "boot_id",
    "uptime_s",
    "subject",
    "direction",
    "data",
    "hash",
)
_LAST = 2**63 - 1
# What makes a formula of a cell: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_MOST_TOLD = 100


@dataclass(frozen=True, slots=True)
class Choice:
    """Which events: numbers from `from_seq` through `through_seq`, of these classes."""

    from_seq: int = 1
    through_seq: int = _LAST
    classes: tuple[EventClass, ...] = ALL_CLASSES


@dataclass(slots=True)
class Exported:
    """How many events went out, and what could not be read: how often, and the first in words."""

    events: int = 0
    broken: int = 0
    unread: list[str] = field(default_factory=list)

    def miss(self, text: str) -> None:
        """Note what could not be read."""
        self.broken += 1
        if len(self.unread) < _MOST_TOLD:
            self.unread.append(text)


def export(
    path: Path,
    choice: Choice,
    format_: Format,
    write: Callable[[str], object],
    on_event: Callable[[int], object] = lambda _seq: None,
) -> Exported:
    """Give the events of the journal at `path` to `write`, in ascending order, piece by piece.

    JSON Lines are the events' bodies as they are, one a line. Of a broken file goes out what is
    as it was written; the rest is told in the result. Reads only, also while the gate writes.

    Raises:
        JournalUnavailable: there is none, it may not be read, or the gate opened it meanwhile.
        JournalError: it is of a newer version.
    """
    exported = Exported()
    line = _json_line if format_ == "jsonl" else _csv_line
    if format_ == "csv":
        write(_csv(COLUMNS))
    try:
        with snapshot(path) as connection:
            for row in rows_in(connection, choice, exported.miss):
                on_event(row.seq)
                text = line(row)
                if text is None:
                    exported.miss(f"event {row.seq} is none that a gate writes")
                    continue
                write(text)
                exported.events += 1
    except JournalDamaged as error:
        exported.miss(str(error))
    return exported


def rows_in(
    connection: sqlite3.Connection, choice: Choice, miss: Callable[[str], object]
) -> Iterator[Row]:
    """Yield the chosen events that are as they were written, in ascending order.

    `miss` is told what is not, or cannot be read.
    """

    def on_break(after_seq: int, event_class: EventClass, why: str) -> None:
        miss(f"cannot be read behind event {after_seq} of class {event_class.label}: {why}")

    parts = [
        rows_of(
            connection,
            each,
            on_break,
            after_seq=max(choice.from_seq, 1) - 1,
            through_seq=min(choice.through_seq, _LAST),
        )
        for each in choice.classes
    ]
    for row in heapq.merge(*parts, key=attrgetter("seq")):
        if isinstance(row.body, bytes) and sha256(row.body).digest() == row.hash:
            yield row
        else:
            miss(f"event {row.seq} is not what was written")


def _json_line(row: Row) -> str | None:
    with suppress(UnicodeDecodeError):
        if isinstance(row.body, bytes):
            return row.body.decode() + "\n"
    return None


def _csv_line(row: Row) -> str | None:
    if not (isinstance(row.body, bytes) and isinstance(row.hash, bytes)):
        return None
    try:
        event = decode(row.body)
    except WireError:
        return None
    return _csv(_cells(event, json.loads(row.body)["time"], row.hash))


def _cells(event: WireEvent, time: str, digest: bytes) -> tuple[str, ...]:
    return (
        str(event.seq),
        time,
        event.time_quality,
        _defused(event.type),
        event.event_class.label,
        _defused(event.boot_id),
        f"{event.uptime_s:.3f}",
        _defused(_word(event, "subject")),
        _defused(_word(event, "direction")),
        # Begins with a brace: never a formula.
        json.dumps(event.data, separators=(",", ":")),
        digest.hex(),
    )


def _word(event: WireEvent, key: str) -> str:
    value = event.data.get(key)
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _defused(text: str) -> str:
    """Return text that a spreadsheet takes for text: it would run a pass that begins with "="."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _csv(cells: tuple[str, ...]) -> str:
    made = StringIO()
    csv.writer(made).writerow(cells)
    return made.getvalue()
