"""Is it all there, and as it was written? Walks a whole journal and names the first break.

What passes here: every event that the journal ever took is in it byte for byte, but for those that
were deleted after their delivery (up to `state.pruned`) and those that a gap event tells of. That
nothing is missing at the end is known from the witness, and from what was delivered.
"""

import heapq
import sqlite3
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from hashlib import sha256
from operator import attrgetter
from pathlib import Path
from typing import Literal

from gatepost_services.journal.gaps import ranges_of
from gatepost_services.journal.schema import (
    ALL_CLASSES,
    STATE,
    JournalDamaged,
    State,
    with_newer,
)
from gatepost_services.journal.snapshot import OnBreak, Row, rows_of, said_of, snapshot, told
from gatepost_services.journal.witness import Seen, read_witness, witness_path
from gatepost_services.record import NO_HASH, EventClass
from gatepost_services.sqlite_file import FAILURES

Kind = Literal[
    "file",  # no journal, or SQLite finds it broken
    "unreadable",  # events that SQLite cannot get at
    "hash",  # a body that is not what was written
    "chain",  # a predecessor that is not the one named
    "number",  # a number twice, beyond the last, or not the event's own
    "class",  # in the table of another class
    "date",  # not the event's own date
    "hole",  # numbers that are missing, and nobody tells why
    "state",  # the journal's account of itself
    "witness",  # what the file beside it says
    "end",  # shorter than what the server has
]
# So many findings are kept in words; all are counted.
MOST_FINDINGS = 100
# A body has the milliseconds only, cut off; a date that was read from it has been rounded.
_INSTANT_S = 0.0015


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be; `seq` is the number of the event, None if none."""

    seq: int | None
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification found.

    `events`: how many were read, from `first_seq` to `last_seq` (0: none). `head`: the hash of the
    last number ever given, as the journal says. `broken`: how many findings there are; `findings`
    are the first of them.
    """

    events: int
    first_seq: int
    last_seq: int
    head: bytes
    broken: int
    findings: tuple[Finding, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing was found."""
        return self.broken == 0


def verify(
    path: Path, *, delivered_seq: int = 0, on_event: Callable[[int], object] = lambda _seq: None
) -> Report:
    """Walk the journal at `path` from its first event to its last.

    `delivered_seq`: through which number a server has everything; a shorter journal is broken.
    `on_event` is told the number of each that was looked at.
    Reads only, also while the gate writes (see `snapshot`), in the memory of one event and the
    ranges that gap events tell of. Takes as long as it takes to read the file twice.

    Raises:
        JournalUnavailable: there is none, it may not be read, or the gate opened it meanwhile.
        JournalError: it is of a newer version.
    """
    # Before the journal: the gate writes there first, so the witness can only be behind.
    inspection = _Inspection(read_witness(witness_path(path)))
    with ExitStack() as closing:
        try:
            connection = closing.enter_context(snapshot(path))
        except JournalDamaged as error:
            inspection.find(None, "file", str(error))
            return inspection.report(State())
        inspection.check_pages(path, connection)
        state = inspection.state_of(path, connection)
        inspection.walk(connection, state, on_event)
        inspection.check_state(state)
        inspection.check_end(state, delivered_seq)
        return inspection.report(state)


class _Inspection:
    """What is found, and what a walk has to remember from one event to the next."""

    def __init__(self, seen: Seen | None) -> None:
        self._seen = seen
        self.findings: list[Finding] = []
        self.broken = 0
        self._events = self._first_seq = self._last_seq = 0
        self._last_hash: object = NO_HASH
        self._rows = [0] * len(ALL_CLASSES)
        self._bytes = [0] * len(ALL_CLASSES)
        self._told = _Told()
        self._stored = State()  # the account that was written down, some events ago

    def find(self, seq: int | None, kind: Kind, text: str) -> None:
        """Take a finding down."""
        self.broken += 1
        if len(self.findings) < MOST_FINDINGS:
            # A broken file's own words may be anything.
            self.findings.append(Finding(seq, kind, text.encode("ascii", "replace").decode()))

    def report(self, state: State) -> Report:
        """Return what was found."""
        last_seq = self._last_seq or state.last_seq
        return Report(
            self._events, self._first_seq, last_seq, state.head, self.broken, tuple(self.findings)
        )

    def check_pages(self, path: Path, connection: sqlite3.Connection) -> None:
        """Have SQLite check that its pages belong together."""
        try:
            for (said,) in connection.execute(f"PRAGMA integrity_check({MOST_FINDINGS})"):
                # One row may hold many lines, and a heading.
                for line in said.splitlines():
                    if line != "ok" and not line.startswith("*** "):
                        self.find(None, "file", f"SQLite: {line}")
        except FAILURES as error:
            self.find(None, "file", str(told(path, error)))

    def state_of(self, path: Path, connection: sqlite3.Connection) -> State:
        """Return the journal's account of itself; a new journal's where it has none."""
        try:
            (row,) = connection.execute(STATE).fetchall()
            self._stored = State.of_row(row)
            with suppress(*FAILURES):  # a table that cannot be read is found when it is walked
                return with_newer(connection, self._stored)
            return self._stored  # noqa: TRY300 - of what is suppressed above
        except FAILURES as error:
            self.find(None, "state", str(told(path, error)))
        except (ValueError, TypeError) as error:
            self.find(None, "state", f"its one row makes no sense: {error}")
        return State()

    def walk(
        self, connection: sqlite3.Connection, state: State, on_event: Callable[[int], object]
    ) -> None:
        """Check each event by itself, against the one before, and what is missing between."""
        alarms = rows_of(connection, EventClass.ALARM, lambda *_: None)
        self._told.take(row.body for row in alarms)
        for row in _merged(connection, self._unreadable):
            on_event(row.seq)
            self._check(row)
            if row.seq == self._last_seq:
                self.find(row.seq, "number", f"event {row.seq} is there twice")
                continue
            self._check_before(row, state.pruned)
            self._events += 1
            self._first_seq = self._first_seq or row.seq
            self._last_seq, self._last_hash = row.seq, row.hash
            self._rows[row.event_class] += 1
            self._bytes[row.event_class] += len(row.body) if isinstance(row.body, bytes) else 0

    def check_state(self, state: State) -> None:
        """Check the journal's account of itself against what is there."""
        if self._last_seq < state.last_seq:
            self._check_hole(self._last_seq + 1, state.last_seq, state.pruned)
        if state.pruned > state.last_seq:
            self.find(None, "state", f"says that {state.pruned} was deleted, which never was")
        for each in ALL_CLASSES:
            for noun, said, found in (
                ("events", state.rows[each], self._rows[each]),
                ("bytes", state.bytes[each], self._bytes[each]),
            ):
                if said != found:
                    text = f"says {said} {noun} of class {each.label}, and there are {found}"
                    self.find(None, "state", text)

    def check_end(self, state: State, delivered_seq: int) -> None:
        """Check that nothing is missing behind the last event."""
        seen = self._seen
        if seen is None:
            if state.last_seq > 0:
                text = "cannot be read; that nothing is missing at the end is unproven"
                self.find(None, "witness", text)
        elif seen.last_seq > state.last_seq:
            self.find(
                state.last_seq + 1,
                "witness",
                f"the journal ends at {state.last_seq}, and once it went to {seen.last_seq}",
            )
        elif seen.last_seq == state.last_seq and seen.head != state.head:
            self.find(seen.last_seq, "witness", "the last event is not the one that was noted")
        if state.last_seq < delivered_seq:
            self.find(
                state.last_seq + 1,
                "end",
                f"the journal ends at {state.last_seq}, and a server has {delivered_seq}",
            )

    def _check(self, row: Row) -> None:
        """Check an event by itself."""
        seq, event_class, utc_s, digest, body = row
        if not isinstance(body, bytes) or sha256(body).digest() != digest:
            self.find(seq, "hash", f"event {seq} is not what was written")
            return
        if self._seen is not None and seq == self._seen.last_seq and digest != self._seen.head:
            self.find(seq, "witness", f"event {seq} is not the one that was noted")
        if seq == self._stored.last_seq and digest != self._stored.head:
            self.find(seq, "state", "the last event is not the one that was written")
        said = said_of(body)
        if said is None:
            self.find(seq, "hash", f"event {seq} is none that a gate writes")
            return
        if said.seq != seq:
            self.find(seq, "number", f"event {seq} says that it is {said.seq}")
        if said.label != event_class.label:
            text = f"event {seq} stands with {event_class.label}, and is {said.label}"
            self.find(seq, "class", text)
        if not isinstance(utc_s, float) or abs(utc_s - said.utc_s) > _INSTANT_S:
            text = f"event {seq} is dated {said.utc_s:.3f}, and its table says {utc_s}"
            self.find(seq, "date", text)

    def _check_before(self, row: Row, pruned: int) -> None:
        """Check what is before an event: the one it names, or a hole that somebody explains."""
        if row.seq - 1 > self._last_seq:
            self._check_hole(self._last_seq + 1, row.seq - 1, pruned)
        is_named = row.seq > 1 and row.seq - 1 == self._last_seq
        if is_named or row.seq == 1:
            previous = self._last_hash if is_named else NO_HASH
            said = said_of(row.body)
            if said is None or said.previous != previous:
                self.find(row.seq, "chain", f"event {row.seq} does not name the one before it")

    def _check_hole(self, first: int, through: int, pruned: int) -> None:
        for begin, end in self._told.untold(max(first, pruned + 1), through):
            what = f"events {begin} to {end} are" if end > begin else f"event {begin} is"
            self.find(begin, "hole", f"{what} missing, and nothing tells why")

    def _unreadable(self, after_seq: int, event_class: EventClass, why: str) -> None:
        text = f"cannot be read behind event {after_seq} of class {event_class.label}: {why}"
        self.find(after_seq + 1, "unreadable", text)


class _Told:
    """The numbers that gap events tell of, 16 bytes a range. Ask in ascending order."""

    def __init__(self) -> None:
        self._firsts, self._throughs = array("q"), array("q")
        self._at = 0

    def take(self, bodies: Iterator[object]) -> None:
        """Take in what these events tell, in any order."""
        firsts, throughs = array("q"), array("q")
        for body in bodies:
            if isinstance(body, bytes):
                for first, through in ranges_of(body):
                    if 0 < first <= through < 2**63:
                        firsts.append(first)
                        throughs.append(through)
        order = sorted(range(len(firsts)), key=firsts.__getitem__)
        self._firsts = array("q", (firsts[index] for index in order))
        self._throughs = array("q", (throughs[index] for index in order))

    def untold(self, first: int, through: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges between two numbers, both inclusive, that nobody tells of."""
        while first <= through:
            while self._at < len(self._firsts) and self._throughs[self._at] < first:
                self._at += 1
            begin = self._firsts[self._at] if self._at < len(self._firsts) else through + 1
            if first < begin:
                yield first, min(begin - 1, through)
            if begin > through:
                return
            first = self._throughs[self._at] + 1


def _merged(connection: sqlite3.Connection, on_break: OnBreak) -> Iterator[Row]:
    """Return the events of all classes in ascending order, past what cannot be read."""
    return heapq.merge(
        *(rows_of(connection, each, on_break) for each in ALL_CLASSES), key=attrgetter("seq")
    )
