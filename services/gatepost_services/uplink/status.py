"""The retained status of the link: what waits, what is lost, how far the server has come."""

import json
import logging
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from gatepost_services.contract.events import WireError, decode
from gatepost_services.edge_log import EdgeLog
from gatepost_services.journal import JournalReader, JournalUnavailable
from gatepost_services.record import EventClass
from gatepost_services.uplink.progress import Progress

_LOG = logging.getLogger(__name__)
_MOST_NAMED = 10
# A broker that may not have the status is not asked again for so long.
_REFUSED_S = 3600.0
_MOST_DEATHS = 3


class Ended(Protocol):
    """What a connection that ended tells of the status."""

    is_status_refused: bool
    is_status_dead: bool  # it died with nothing but a status on its way


class StatusTurns:
    """When the status is published, every `status_s` seconds, and what rate it tells.

    `now_s` is monotonic, as in every call.
    """

    def __init__(self, status_s: float, now_s: float) -> None:
        self._status_s = status_s
        self._at_s = now_s
        self._muted_until_s = now_s
        self._deaths = 0
        self._since_s = now_s
        self._log = EdgeLog(_LOG)
        self.taken = 0  # events since the last status

    def connected(self, now_s: float) -> None:
        """Publish one with the new connection, unless the broker will not have any."""
        self._at_s = max(now_s, self._muted_until_s)

    def ended(self, drain: Ended, now_s: float) -> None:
        """Leave the status alone for a while, if that is what the broker will not have."""
        self._deaths = self._deaths + 1 if drain.is_status_dead else 0
        if drain.is_status_refused or self._deaths >= _MOST_DEATHS:
            self._log.failed("the broker takes no status; see its access list")
            self._muted_until_s = self._at_s = now_s + _REFUSED_S

    def is_due(self, now_s: float) -> bool:
        """Whether it is time for one."""
        return now_s >= self._at_s

    def tried(self, now_s: float) -> None:
        """Note that one was made, or could not be."""
        self._at_s = now_s + self._status_s

    def published(self, now_s: float) -> None:
        """Begin to count anew."""
        self.taken, self._since_s = 0, now_s

    def rate(self, now_s: float) -> float:
        """Return how many events a second went since the last status."""
        passed_s = now_s - self._since_s
        return self.taken / passed_s if passed_s > 0 else 0.0


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


def status_body(journal: JournalReader, progress: Progress, counts: Counts) -> bytes | None:
    """Return the status as JSON, None if the journal cannot be read now.

    `depth` is how many numbers the broker does not have yet, as an upper bound: it counts the
    alarms among them that went ahead, and numbers that were evicted, but never more than there are
    events in the journal. `oldest_utc` is the time of the oldest of them, null for none.
    """
    try:
        stats = journal.stats()
        oldest = journal.read(progress.acknowledged, 1).records
    except JournalUnavailable:
        return None
    missing = stats.last_seq - progress.rest - sum(b - a for a, b in progress.done)
    early_alarms = max(0, min(progress.rest - progress.alarm, stats.rows[EventClass.ALARM]))
    depth = max(0, min(sum(stats.rows), missing + early_alarms))
    status = {
        "depth": depth,
        "oldest_utc": _utc(oldest[0].body) if oldest and depth else None,
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
    }
    return json.dumps(status, separators=(",", ":")).encode()


def _utc(body: bytes) -> str | None:
    try:
        moment = datetime.fromtimestamp(decode(body).utc_s, UTC)
    except (WireError, OverflowError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
