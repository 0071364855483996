"""Which events are on their way, and how far everything has arrived. Pure.

    settled          low water           last sent
       |  acknowledged   |  some acknowledged  |
    ---+-----------------+---------------------+---> seq
       |<------------- at most limit --------->|

Everything through `settled` is stored as acknowledged and will not be sent again. A killed link
sends again what lies between `settled` and `last sent`: never more than `limit` events.
"""

from collections import deque


class Window:
    """The events between the stored position and the last one sent, at most `limit` of them.

    Raises:
        ValueError: a limit below 1.
    """

    def __init__(self, limit: int, settled: int) -> None:
        if limit < 1:
            raise ValueError(f"window of {limit} events; at least 1 must fit")
        self._limit = limit
        self._low_water = settled
        self._last_sent = settled
        self._arrived_unsettled = 0  # events from settled to low water
        self._above: deque[int] = deque()  # sent, above low water, in order
        self._acked_above: set[int] = set()

    @property
    def room(self) -> int:
        """How many more events may be sent now."""
        return self._limit - self._arrived_unsettled - len(self._above)

    @property
    def in_flight(self) -> int:
        """How many events are sent and not acknowledged."""
        return len(self._above) - len(self._acked_above)

    @property
    def low_water(self) -> int:
        """The number through which every event sent is acknowledged."""
        return self._low_water

    @property
    def last_sent(self) -> int:
        """The number of the last event sent."""
        return self._last_sent

    @property
    def due(self) -> bool:
        """Whether the low water should be stored now.

        At once when nothing is in flight; under load only each half window, which is one
        transaction for many acknowledgements and leaves the other half to keep the line busy.
        """
        if self._arrived_unsettled == 0:
            return False
        return self.in_flight == 0 or 2 * self._arrived_unsettled >= self._limit

    def send(self, seq: int) -> None:
        """Note that an event went out.

        Raises:
            ValueError: not above the last one, or no room.
        """
        if seq <= self._last_sent:
            raise ValueError(f"event {seq} sent after {self._last_sent}")
        if self.room < 1:
            raise ValueError(f"event {seq} sent without room in a window of {self._limit}")
        self._above.append(seq)
        self._last_sent = seq

    def acknowledge(self, seq: int) -> None:
        """Note that an event arrived, in whatever order. Unknown and repeated ones are ignored."""
        if seq not in self._above:
            return
        self._acked_above.add(seq)
        while self._above and self._above[0] in self._acked_above:
            self._low_water = self._above.popleft()
            self._acked_above.remove(self._low_water)
            self._arrived_unsettled += 1

    def settle(self) -> None:
        """Note that the low water is stored."""
        self._arrived_unsettled = 0
