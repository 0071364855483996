"""Proof of completeness: what came, twice, late, not at all, and whether it is what was written.

Pure.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from gatepost_services.contract.events import GAP, WITHHELD, WireEvent
from gatepost_services.record import HASH_BYTES, NO_HASH

# A gap event of a hostile gate must not make the tally count for ever.
_MOST_RANGES = 10_000
_MAX_SEQ = 2**63 - 1


@dataclass(frozen=True, slots=True)
class TallySnapshot:
    """The counts at one moment.

    `received` counts each event once; `out_of_order` the first receipts that came after a higher
    number of the same source and stream. `gone` are numbers that gap events account for, `withheld`
    events that others stand in for, `breaks` neighbours of which the second does not name the first
    one's hash. `highest_seq` and `complete_through` are by source, `by_type` counts first receipts.
    """

    received: int
    duplicates: int
    out_of_order: int
    malformed: int
    gone: int
    withheld: int
    breaks: int
    by_type: Mapping[str, int]
    highest_seq: Mapping[str, int]
    complete_through: Mapping[str, int]


class _Ranges:
    """A set of numbers as disjoint ranges, inclusive, ascending: small where they are dense."""

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int]] = []

    def __contains__(self, seq: int) -> bool:
        at = bisect_right(self._ranges, (seq, _MAX_SEQ)) - 1
        return at >= 0 and seq <= self._ranges[at][1]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._ranges)

    def add(self, begin: int, end: int) -> None:
        """Add all numbers from `begin` to `end`."""
        first = bisect_right(self._ranges, (begin, 0))
        if first > 0 and self._ranges[first - 1][1] >= begin - 1:
            first -= 1
        last = bisect_right(self._ranges, (end + 1, _MAX_SEQ))
        if first < last:
            begin = min(begin, self._ranges[first][0])
            end = max(end, self._ranges[last - 1][1])
        self._ranges[first:last] = [(begin, end)]

    def pop_through(self, seq: int) -> int:
        """Remove what is connected to `seq`; return the number through which that goes."""
        while self._ranges and self._ranges[0][0] <= seq + 1:
            seq = max(seq, self._ranges.pop(0)[1])
        return seq


@dataclass(slots=True)
class _Source:
    """What one gate has delivered: everything through `complete_through`, and the ones above.

    `hashes` holds, by number, the hash of an event whose successor has not come, and `named` what
    an event names whose predecessor has not come.
    """

    complete_through: int = 0
    lowest: int = 0
    highest: int = 0
    highest_by_stream: dict[str, int] = field(default_factory=dict)
    above: _Ranges = field(default_factory=_Ranges)
    hashes: dict[int, bytes] = field(default_factory=lambda: {0: NO_HASH})
    named: dict[int, bytes] = field(default_factory=dict)

    def has(self, seq: int) -> bool:
        return seq <= self.complete_through or seq in self.above

    def add(self, begin: int, end: int) -> None:
        if begin <= self.complete_through + 1:
            self.complete_through = max(self.complete_through, end)
        else:
            self.above.add(begin, end)
        self.complete_through = self.above.pop_through(self.complete_through)

    def links(self, seq: int, own: bytes, previous: bytes) -> int:
        """Note an event's hash and the one it names; return how many neighbours do not fit."""
        breaks = 0
        before = self.hashes.pop(seq - 1, None)
        if before is None:
            self.named[seq] = previous
        elif before != previous:
            breaks += 1
        after = self.named.pop(seq + 1, None)
        if after is None:
            self.hashes[seq] = own
        elif after != own:
            breaks += 1
        return breaks

    def holes(self) -> int:
        """Return how many numbers between the lowest and the highest one that came did not."""
        return sum(last - first + 1 for first, last in self._missing(self.lowest, self.highest))

    def lose(self, begin: int, end: int) -> int:
        """Note numbers that will never come; return how many of them are news."""
        news = 0
        for first, last in self._missing(begin, end):
            news += last - first + 1
        self.add(begin, end)
        # Nothing can be said of what was beside them.
        self.hashes.pop(begin - 1, None)
        self.named.pop(end + 1, None)
        return news

    def _missing(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        begin = max(begin, self.complete_through + 1)
        for first, last in self.above:
            if first > end:
                break
            if begin < first:
                yield begin, first - 1
            begin = max(begin, last + 1)
        if begin <= end:
            yield begin, end


class Tally:
    """Counts the events of any number of gates. Not locked: one thread, or a lock of the caller's.

    A gate's numbers begin at 1 and have no holes but those that a gap event names, so every other
    hole is a loss. Memory: one range for each hole, one hash for each end of a range.
    """

    def __init__(self) -> None:
        self._sources: dict[str, _Source] = {}
        self._by_type: Counter[str] = Counter()
        self._received = 0
        self._duplicates = 0
        self._out_of_order = 0
        self._malformed = 0
        self._gone = 0
        self._withheld = 0
        self._breaks = 0

    @property
    def received(self) -> int:
        """How many different events have come."""
        return self._received

    @property
    def breaks(self) -> int:
        """How many neighbours do not fit: the second does not name the first one's hash."""
        return self._breaks

    def add(self, event: WireEvent, payload: bytes | None = None, stream: str = "") -> bool:
        """Count an event; return whether it is new.

        `payload` is what it was decoded from; None leaves the chain unchecked. `stream` is the last
        part of its topic.
        """
        source = self._sources.setdefault(event.source, _Source())
        if source.has(event.seq):
            self._duplicates += 1
            return False
        self._received += 1
        self._by_type[event.type] += 1
        highest = source.highest_by_stream.get(stream, 0)
        if event.seq < highest:
            self._out_of_order += 1
        source.highest_by_stream[stream] = max(highest, event.seq)
        source.highest = max(source.highest, event.seq)
        source.lowest = min(source.lowest or event.seq, event.seq)
        source.add(event.seq, event.seq)
        if payload is not None:
            self._check_chain(source, event, payload)
        if event.type == GAP:
            for begin, end in _ranges(event):
                self._gone += source.lose(begin, end)
        return True

    def add_malformed(self) -> None:
        """Count a payload that was no event."""
        self._malformed += 1

    def complete_through(self, source: str) -> int:
        """Return the number through which all of a source's events have come or are accounted for.

        0 for an unknown one.
        """
        known = self._sources.get(source)
        return known.complete_through if known is not None else 0

    def highest(self, source: str) -> int:
        """Return the highest number that came from a source, 0 for an unknown one."""
        known = self._sources.get(source)
        return known.highest if known is not None else 0

    def holes(self, source: str) -> int:
        """Return how many numbers are open between the lowest and the highest that came.

        For who looks on from some moment: what was before nobody promised to him.
        """
        known = self._sources.get(source)
        return known.holes() if known is not None else 0

    def missing(self, source: str, through_seq: int) -> tuple[int, ...]:
        """Return the numbers from 1 to `through_seq` that never came from `source`, in order."""
        known = self._sources.get(source, _Source())
        return tuple(
            seq
            for seq in range(known.complete_through + 1, through_seq + 1)
            if seq not in known.above
        )

    def snapshot(self) -> TallySnapshot:
        """Return the present counts, which later events do not change."""
        return TallySnapshot(
            received=self._received,
            duplicates=self._duplicates,
            out_of_order=self._out_of_order,
            malformed=self._malformed,
            gone=self._gone,
            withheld=self._withheld,
            breaks=self._breaks,
            by_type=dict(self._by_type),
            highest_seq={name: source.highest for name, source in self._sources.items()},
            complete_through={
                name: source.complete_through for name, source in self._sources.items()
            },
        )

    def _check_chain(self, source: _Source, event: WireEvent, payload: bytes) -> None:
        own = sha256(payload).digest()
        if event.type == WITHHELD:
            self._withheld += 1
            own = _hash_of(event) or own
            if event.data.get("why") == "damaged" and event.previous_hash == NO_HASH:
                # Nobody can say what it named.
                source.hashes[event.seq - 1] = NO_HASH
        self._breaks += source.links(event.seq, own, event.previous_hash)


def _hash_of(event: WireEvent) -> bytes | None:
    text = event.data.get("hash")
    try:
        digest = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        return None
    return digest if len(digest) == HASH_BYTES else None


def _ranges(event: WireEvent) -> Iterator[tuple[int, int]]:
    """Yield the ranges that a gap event names, as far as they are such."""
    ranges = event.data.get("ranges")
    if not isinstance(ranges, list):
        return
    for each in ranges[:_MOST_RANGES]:
        if isinstance(each, list) and len(each) == 2:  # noqa: PLR2004
            begin, end = each
            if type(begin) is int and type(end) is int and 1 <= begin <= end <= _MAX_SEQ:
                yield begin, end
