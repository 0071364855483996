"""Proof of completeness: what came, what came twice, what came late, what is missing. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from gatepost_services.contract.events import WireEvent


@dataclass(frozen=True, slots=True)
class TallySnapshot:
    """The counts at one moment.

    `received` counts each event once; `out_of_order` the first receipts that came after a higher
    number of the same source. `highest_seq` is by source, `by_type` counts first receipts.
    """

    received: int
    duplicates: int
    out_of_order: int
    malformed: int
    by_type: Mapping[str, int]
    highest_seq: Mapping[str, int]


@dataclass(slots=True)
class _Source:
    """What one gate has delivered: everything through `complete_through`, and the ones above."""

    complete_through: int = 0
    highest: int = 0
    above: set[int] = field(default_factory=set)

    def add(self, seq: int) -> bool:
        if seq <= self.complete_through or seq in self.above:
            return False
        self.above.add(seq)
        while self.complete_through + 1 in self.above:
            self.complete_through += 1
            self.above.remove(self.complete_through)
        return True


class Tally:
    """Counts the events of any number of gates. Not locked: one thread, or a lock of the caller's.

    A gate's numbers begin at 1 and have no holes, so every hole is a loss. Memory: one number for
    each event above the first hole.
    """

    def __init__(self) -> None:
        self._sources: dict[str, _Source] = {}
        self._by_type: Counter[str] = Counter()
        self._received = 0
        self._duplicates = 0
        self._out_of_order = 0
        self._malformed = 0

    @property
    def received(self) -> int:
        """How many different events have come."""
        return self._received

    def add(self, event: WireEvent) -> bool:
        """Count an event; return whether it is new."""
        source = self._sources.setdefault(event.source, _Source())
        if not source.add(event.seq):
            self._duplicates += 1
            return False
        self._received += 1
        self._by_type[event.type] += 1
        if event.seq < source.highest:
            self._out_of_order += 1
        source.highest = max(source.highest, event.seq)
        return True

    def add_malformed(self) -> None:
        """Count a payload that was no event."""
        self._malformed += 1

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
            by_type=dict(self._by_type),
            highest_seq={name: source.highest for name, source in self._sources.items()},
        )
