"""One stream of events on one connection: what is read, sent, and acknowledged. Pure."""

from collections import deque
from collections.abc import Iterable, Sequence

from gatepost_services.record import Record
from gatepost_services.uplink.progress import Interval


class Run:
    """Sends what lies in some intervals, in order, and knows how far everything has arrived.

    Feed it: `wanted` says what to read next, `take` gives it a page, `first` is the next to send.
    `sent` and `acknowledge` follow one event; the acknowledgements may come in any order.
    """

    def __init__(self, intervals: Iterable[Interval]) -> None:
        self._intervals = deque(intervals)
        self._read_through = self._intervals[0][0] if self._intervals else 0
        self._batch: deque[Record] = deque()
        self._pending: deque[int] = deque()  # sent, from the oldest unacknowledged on, in order
        self._acked: set[int] = set()  # of these
        self._arrived_unsettled = 0

    @property
    def wanted(self) -> Interval | None:
        """The interval to read from now; None while there is something to send, and at the end."""
        if self._batch or not self._intervals:
            return None
        return self._read_through, self._intervals[0][1]

    @property
    def first(self) -> Record | None:
        """The next event to send, None when another page must be read."""
        return self._batch[0] if self._batch else None

    @property
    def in_flight(self) -> int:
        """How many events are sent and not acknowledged."""
        return len(self._pending) - len(self._acked)

    @property
    def read_through(self) -> int:
        """The number through which everything is read."""
        return self._read_through

    @property
    def highest_sent(self) -> int:
        """The number of the last event sent, or through which everything had been before it."""
        return self._pending[-1] if self._pending else self.low

    @property
    def is_idle(self) -> bool:
        """Whether everything that was read is sent and acknowledged."""
        return not self._batch and not self._pending

    @property
    def is_finished(self) -> bool:
        """Whether its intervals end, and everything in them has arrived."""
        return not self._intervals and self.is_idle

    @property
    def low(self) -> int:
        """The number through which everything of this stream has arrived."""
        if self._pending:
            return self._pending[0] - 1
        if self._batch:
            return self._batch[0].seq - 1
        return self._read_through

    def take(self, records: Sequence[Record], through: int) -> None:
        """Take what `wanted` asked for: some records, which are all up to and including `through`.

        Raises:
            ValueError: not asked for, or not in order.
        """
        if self._batch or not self._intervals:
            raise ValueError("a page that was not asked for")
        before = self._read_through
        for record in records:
            if not before < record.seq <= through:
                raise ValueError(f"record {record.seq} after {before} in a page through {through}")
            before = record.seq
        self._batch.extend(records)
        self._read_through = max(self._read_through, through)
        while self._intervals and self._read_through >= self._intervals[0][1]:
            self._intervals.popleft()
            if self._intervals:  # what lies between is done
                self._read_through = max(self._read_through, self._intervals[0][0])

    def sent(self) -> int:
        """Note that `first` went out; return its number.

        Raises:
            IndexError: there was none.
        """
        seq = self._batch.popleft().seq
        self._pending.append(seq)
        return seq

    def acknowledge(self, seq: int) -> None:
        """Note that a sent event arrived, in whatever order. Each is acknowledged once."""
        pending = self._pending
        if pending[0] != seq:
            self._acked.add(seq)
            return
        pending.popleft()
        self._arrived_unsettled += 1
        while self._acked and pending[0] in self._acked:
            self._acked.remove(pending.popleft())
            self._arrived_unsettled += 1

    def settle(self) -> int:
        """Note that `low` is on disk; return how many events that settled."""
        settled, self._arrived_unsettled = self._arrived_unsettled, 0
        return settled

    @property
    def arrived_unsettled(self) -> int:
        """How many events have arrived, all before them too, without that being on disk."""
        return self._arrived_unsettled
