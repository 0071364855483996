"""What `gatepost watch` says, in words and as JSON. Pure.

Nothing of a person is told unless it was asked for: of an event's data only what is in a list of
harmless members. Whatever came over the wire is shown, and never obeyed: no control characters.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from gatepost_services.contract.events import WireEvent
from gatepost_services.hub.watch import Change, Event, Happening, Malformed, Row
from gatepost_services.record import JsonValue

# Members of events' data that are of no person and no body. All others are, or may be.
HARMLESS = (
    *("fault", "why", "reason", "outcome", "state", "cause", "verb", "direction", "zone"),
    *("document", "version", "regime", "before", "quality", "by_s", "lasted_s", "held_s"),
    *("count", "ranges", "rules", "error"),
)
# Free text: of a fault it is about the machine, elsewhere it may name somebody.
_DETAIL = ("detail", "gatepost.fault.")
_TYPE_PREFIX = "gatepost."
_MOST_CHARACTERS = 200
_TRUSTED = ("rtc", "ntp")
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400
_MARKS = {
    "again": "REPEATED",
    "altered": "ALTERED: came before with other content",
    "broken": "BROKEN CHAIN: altered, or one before it was taken away",
}
HEADINGS = ("gate", "link", "lane", "faults", "last event", "age", "waiting", "events", "clock")
HEADINGS_ALL = (*HEADINGS, "head")


def plain(value: object) -> str:
    """Return a text fit for a terminal: one line, printable, not endless."""
    text = str(value)[: _MOST_CHARACTERS + 1]
    shown = "".join(each if each.isprintable() else "?" for each in text)
    return shown if len(shown) <= _MOST_CHARACTERS else shown[: _MOST_CHARACTERS - 3] + "..."


def age(event: WireEvent | None, utc_s: float) -> str:
    """Return how long ago an event was; "?" where its gate's clock was not to be trusted."""
    if event is None:
        return ""
    if event.time_quality not in _TRUSTED:
        return "?"
    return span(max(0.0, utc_s - event.utc_s))


def span(seconds: float) -> str:
    """Return a duration as a technician says it: "42 s", "7 min", "3 h", "12 d"."""
    for unit_s, unit in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds >= unit_s:
            return f"{int(seconds // unit_s)} {unit}"
    return f"{int(seconds)} s"


def cells(row: Row, utc_s: float) -> tuple[str, ...]:
    """Return a gate's row, one text for each of `HEADINGS_ALL`."""
    standing = ", ".join(each for each in row.standing if each != row.lane)
    lane = row.lane or "-"
    return tuple(
        plain(text)
        for text in (
            row.gate,
            row.presence or "-",
            f"{lane} ({standing})" if standing else lane,
            ", ".join(row.faults) or ("-" if row.lane is None else "none"),
            "-" if row.last is None else row.last.type.removeprefix(_TYPE_PREFIX),
            age(row.last, utc_s),
            "-" if row.waiting is None else row.waiting,
            _events(row),
            row.clock or "-",
            row.head or "-",
        )
    )


def _events(row: Row) -> str:
    told = [row.sequence or "-"]
    counts = {"ALTERED": row.altered, "BROKEN": row.broken, "repeated": row.again}
    told += [f"{count} {what}" for what, count in counts.items() if count]
    if row.is_head_bad:  # here as well: a narrow terminal has no column for it
        told.append(f"HEAD: {row.head}")
    return ", ".join(told)


def line(happening: Happening, *, personal: bool = False) -> str:
    """Return one line of plain text about what happened."""
    match happening:
        case Event(gate, stream, event, marks):
            data = told(event, personal=personal)
            words = " ".join(f"{key}={_short(data[key])}" for key in data if data[key] is not None)
            marked = "; ".join(_MARKS[mark] for mark in marks)
            name = event.type.removeprefix(_TYPE_PREFIX)
            text = f"{clock_text(event)}  {gate}  {event.seq}  {stream:<7} {name}  {words}"
            return plain(text.rstrip() + (f"  [{marked}]" if marked else ""))
        case Change(gate, changed):
            words = ", ".join(f"{key} {_short(value)}" for key, value in changed.items())
            return plain(f"{'':8}  {gate}  now: {words}")
        case Malformed(gate, kind, why):
            return plain(f"{'':8}  {gate}  MALFORMED {kind}: {why}")


def as_json(happening: Happening, utc_s: float, *, personal: bool = False) -> str:
    """Return one line of JSON about what happened; `utc_s` is when it came to us."""
    said: dict[str, JsonValue] = {"what": type(happening).__name__.lower(), "gate": happening.gate}
    said["received_utc"] = _utc(utc_s)
    match happening:
        case Event(_, stream, event, marks):
            said |= {
                "stream": stream,
                "seq": event.seq,
                "type": event.type,
                "class": event.event_class.label,
                "utc": _utc(event.utc_s),
                "time_quality": event.time_quality,
                **{mark: mark in marks for mark in _MARKS},
                "data": told(event, personal=personal),
            }
        case Change(_, changed):
            said["changed"] = changed
        case Malformed(_, kind, why):
            said |= {"kind": kind, "why": why}
    return json.dumps(said, default=dict)


def told(event: WireEvent, *, personal: bool = False) -> Mapping[str, JsonValue]:
    """Return what of an event's data may be shown."""
    if personal:
        return event.data
    key, of_type = _DETAIL
    may = (*HARMLESS, key) if event.type.startswith(of_type) else HARMLESS
    return {key: event.data[key] for key in event.data if key in may}


def clock_text(event: WireEvent) -> str:
    """Return the time of an event, in the time zone of whoever looks."""
    return datetime.fromtimestamp(event.utc_s, UTC).astimezone().strftime("%H:%M:%S")


def _utc(utc_s: float) -> str:
    moment = datetime.fromtimestamp(utc_s, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _short(value: JsonValue) -> str:
    if isinstance(value, list | tuple):
        return "+".join(map(str, value)) or "none"
    return "unknown" if value is None else str(value)
