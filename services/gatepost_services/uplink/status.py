"""The retained status of the link: what waits, what is lost, how far the server has come."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from gatepost_services.contract.events import WireError, decode
from gatepost_services.journal import JournalReader, JournalUnavailable
from gatepost_services.record import EventClass, JsonValue
from gatepost_services.uplink.desk import Message, Post
from gatepost_services.uplink.progress import Progress

_MOST_NAMED = 10


class StatusDesk:
    """Publishes the status, at each connection and every `every_s` seconds.

    Args:
        topic: where.
        journal: the caller's, who closes it.
        figures: returns the progress and what the link has counted; None before there is any.
        more: returns what others have to add, by its name in the status.
        every_s: how often.
        now_s: monotonic, as in every call.
    """

    def __init__(
        self,
        topic: str,
        journal: JournalReader,
        figures: Callable[[float], "tuple[Progress, Counts] | None"],
        more: Callable[[], Mapping[str, JsonValue]],
        *,
        every_s: float,
        now_s: float,
    ) -> None:
        self._topic = topic
        self._journal = journal
        self._figures = figures
        self._more = more
        self._every_s = every_s
        self._at_s = self._since_s = now_s
        self._body: bytes | None = None
        self.taken = 0  # events since the last status

    @property
    def topics(self) -> Sequence[str]:
        """Nothing."""
        return ()

    def connected(self, now_s: float) -> None:
        """Publish one with the new connection."""
        self._at_s, self._body = now_s, None

    def take(self, message: Message, now_s: float) -> None:
        """Do nothing: there is no topic."""

    def next_post(self, now_s: float) -> Post | None:
        """Return the status, when it is time for one."""
        if self._body is None and now_s >= self._at_s:
            self._body = self._made(now_s)
        return None if self._body is None else Post(self._topic, self._body, is_retained=True)

    def posted(self, post: Post, reason: int, now_s: float) -> None:
        """The next one is due in a while, whatever became of this one."""
        del post, reason
        self._body, self._at_s = None, now_s + self._every_s

    def rate(self, now_s: float) -> float:
        """Return how many events a second went since the last status."""
        passed_s = now_s - self._since_s
        return self.taken / passed_s if passed_s > 0 else 0.0

    def _made(self, now_s: float) -> bytes | None:
        figures = self._figures(now_s)
        if figures is None:
            return None
        body = status_body(self._journal, *figures, self._more())
        self._at_s = now_s + self._every_s
        if body is not None:
            self.taken, self._since_s = 0, now_s
        return body


class Counts(NamedTuple):
    """What the link counts.

    `set_apart`: the numbers of the events set apart, ascending. `resent`: how many numbers the
    broker had acknowledged and the server did not confirm, so that they went out again. `paused`:
    streams whose topic is closed. `sent_rate`: events a second that the broker took since the last
    status.
    """

    set_apart: tuple[int, ...]
    resent: int
    paused: tuple[str, ...]
    sent_rate: float


def status_body(
    journal: JournalReader,
    progress: Progress,
    counts: Counts,
    more: Mapping[str, JsonValue] | None = None,
) -> bytes | None:
    """Return the status as JSON, None if the journal cannot be read now.

    `depth` is how many numbers the broker does not have yet, as an upper bound: it counts the
    alarms among them that went ahead, and numbers that were evicted, but never more than there are
    events in the journal. `oldest_utc` is the time of the oldest of them, null for none; `last_utc`
    of the newest event in the journal. `more` is added to it.
    """
    try:
        stats = journal.stats()
        oldest = journal.read(progress.acknowledged, 1).records
        newest = journal.read(max(0, stats.last_seq - 1), 1).records
    except JournalUnavailable:
        return None
    missing = stats.last_seq - progress.rest - sum(b - a for a, b in progress.done)
    early_alarms = max(0, min(progress.rest - progress.alarm, stats.rows[EventClass.ALARM]))
    depth = max(0, min(sum(stats.rows), missing + early_alarms))
    status: dict[str, JsonValue] = {
        "depth": depth,
        "oldest_utc": _utc(oldest[0].body) if oldest and depth else None,
        "last_utc": _utc(newest[-1].body) if newest else None,
        "dropped": {each.label: stats.dropped[each] for each in EventClass},
        "acknowledged": progress.acknowledged,
        "watermark": progress.watermark,
        "set_apart": {
            "count": len(counts.set_apart),
            "last": list(counts.set_apart[-_MOST_NAMED:]),
        },
        "paused": list(counts.paused),
        "resent": counts.resent,
        "sent_rate": round(counts.sent_rate, 1),
        "journal": {"last_seq": stats.last_seq, "head": stats.head.hex()},
        **(more or {}),
    }
    return json.dumps(status, separators=(",", ":")).encode()


def _utc(body: bytes) -> str | None:
    try:
        moment = datetime.fromtimestamp(decode(body).utc_s, UTC)
    except (WireError, OverflowError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
