"""The retained status of the link: what waits, what is lost, how far the server has come."""

import json
from datetime import UTC, datetime
from typing import NamedTuple

from gatepost_services.contract.events import WireError, decode
from gatepost_services.journal import JournalReader, JournalUnavailable
from gatepost_services.record import EventClass
from gatepost_services.uplink.progress import Progress

_MOST_NAMED = 10


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
