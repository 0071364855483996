"""Gap events: which numbers will never come. Pure."""

import json
from collections.abc import Iterable, Sequence

from gatepost_services.record import Entry, EventClass, JsonValue

GAP_TYPE = "journal.gap"
# A gap event names each of its ranges; so many of them fit an event.
MOST_RANGES = 1000
_GAP_MARK = GAP_TYPE.encode()


def gap_entry(
    stamp: Entry, ranges: Sequence[tuple[int, int]], event_class: EventClass | None
) -> Entry:
    """Return the event that tells which numbers will never come; `stamp` as for `evict`."""
    data: dict[str, JsonValue] = {
        **stamp.data,
        "class": None if event_class is None else event_class.label,
        "count": sum(through - first + 1 for first, through in ranges),
        "from": ranges[0][0],
        "through": ranges[-1][1],
        "ranges": [list(each) for each in ranges],
    }
    return Entry(GAP_TYPE, stamp.at_s, stamp.utc_s, data, stamp.quality)


def joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the same numbers as ranges in order, those that touch made one."""
    made: list[tuple[int, int]] = []
    for first, through in sorted(ranges):
        if made and first <= made[-1][1] + 1:
            made[-1] = (made[-1][0], max(made[-1][1], through))
        else:
            made.append((first, through))
    return made


def ranges_of(body: bytes) -> list[tuple[int, int]]:
    """Return the numbers that a gap event tells of; none for any other event, or no event."""
    if _GAP_MARK not in body:
        return []
    try:
        event = json.loads(body)
        if event["type"] != f"gatepost.{GAP_TYPE}":
            return []
        return [(int(first), int(through)) for first, through in event["data"]["ranges"]]
    except (ValueError, KeyError, TypeError):
        return []
