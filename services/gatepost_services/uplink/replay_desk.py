"""Sends events once more, on the topic of replays, as a server commanded and the gate allowed.

What is asked for is not kept over a restart of the link: whoever misses events asks again.
"""

from collections import deque
from collections.abc import Sequence
from hashlib import sha256

from gatepost_services.contract.events import CONTENT_TYPE, MAX_EVENT_BYTES, event_topic
from gatepost_services.journal import JournalReader, JournalUnavailable
from gatepost_services.record import Record
from gatepost_services.uplink.desk import Message, Post

MOST_WAITING = 16
_PAGE = 100
_AGAIN_S = 5.0


class ReplayDesk:
    """The replays of one gate. `journal` is the caller's, and stays open.

    `left_out`: how many events were damaged, and not sent.
    """

    def __init__(self, site: str, gate: str, journal: JournalReader) -> None:
        self._topic = event_topic(site, gate, "replay")
        self._journal = journal
        self._ranges: deque[tuple[int, int]] = deque()
        self._records: deque[Record] = deque()
        self._look_at_s = 0.0
        self.left_out = 0

    @property
    def topics(self) -> Sequence[str]:
        """Nothing: the gate's answers say what is to be replayed."""
        return ()

    def ask(self, first: int, last: int) -> None:
        """Replay a range, both ends included, after what was asked before; of too many, none."""
        if len(self._ranges) < MOST_WAITING:
            self._ranges.append((first, last))

    def connected(self, now_s: float) -> None:
        """Begin with a new connection: the range that was being sent goes on."""
        self._look_at_s = now_s

    def take(self, message: Message, now_s: float) -> None:
        """Do nothing: there is no topic."""

    def next_post(self, now_s: float) -> Post | None:
        """Return the next event, None for none."""
        while not self._records and self._ranges:
            if now_s < self._look_at_s or not self._read(now_s):
                return None
        if not self._records:
            return None
        return Post(self._topic, self._records[0].body, content_type=CONTENT_TYPE)

    def posted(self, post: Post, reason: int, now_s: float) -> None:
        """Go on with the next one; one that the broker refuses ends all that was asked."""
        del post, now_s
        if reason:
            self._records.clear()
            self._ranges.clear()
        elif self._records:
            self._records.popleft()

    def _read(self, now_s: float) -> bool:
        first, last = self._ranges[0]
        try:
            page = self._journal.read(first - 1, _PAGE, through_seq=last)
        except JournalUnavailable:
            self._look_at_s = now_s + _AGAIN_S
            return False
        whole = [record for record in page.records if _is_fit(record)]
        self.left_out += len(page.records) - len(whole)
        self._records.extend(whole)
        self._ranges.popleft()
        if page.records and page.through < last:
            self._ranges.appendleft((page.through + 1, last))
        return True


def _is_fit(record: Record) -> bool:
    return len(record.body) <= MAX_EVENT_BYTES and sha256(record.body).digest() == record.hash
