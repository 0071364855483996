"""The event envelope: CloudEvents 1.0, JSON format, structured mode, one event a message.

Sources: CloudEvents 1.0.2 (core, JSON format, MQTT binding) and its "sequence" extension. An
extension attribute's name is lower-case letters and digits, and the type system has no floating
point number; `uptimes` (seconds since boot) is therefore a string.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from gatepost_services.record import JsonValue, Record

CONTENT_TYPE = "application/cloudevents+json"
MAX_EVENT_BYTES = 64 * 1024
_TYPE_PREFIX = "gatepost."
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_SOURCE = re.compile(rf"/gatepost/({_NAME.pattern})/({_NAME.pattern})")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_UPTIME = re.compile(r"-?[0-9]{1,12}\.[0-9]{3}")
# The extension demands an order that sorting strings keeps; 19 digits hold SQLite's 64-bit integer.
_SEQUENCE = re.compile(r"[0-9]{19}")
_MAX_SEQ = 2**63 - 1


class WireError(ValueError):
    """A payload that is no event of a gate. The text says why and quotes nothing of the payload."""


@dataclass(frozen=True, slots=True)
class WireEvent:
    """An event as the centre receives it.

    `source` and `seq` together name it for ever. `uptime_s` is monotonic within one `boot_id`;
    `utc_s` is POSIX seconds by the gate's wall clock, to the millisecond.
    """

    source: str
    id: str
    seq: int
    type: str
    boot_id: str
    uptime_s: float
    utc_s: float
    data: Mapping[str, JsonValue]


def event_topic(site: str, gate: str) -> str:
    """Return the MQTT topic of a gate's events.

    Raises:
        ValueError: a name that is not 1 to 63 lower-case letters, digits or hyphens.
    """
    return f"gatepost/{_checked_name('site', site)}/{_checked_name('gate', gate)}/event"


def event_source(site: str, gate: str) -> str:
    """Return the `source` attribute of a gate's events.

    Raises:
        ValueError: a name that is not 1 to 63 lower-case letters, digits or hyphens.
    """
    return f"/gatepost/{_checked_name('site', site)}/{_checked_name('gate', gate)}"


def encode(record: Record, *, site: str, gate: str) -> bytes:
    """Return the record as an event: always the same bytes for the same record.

    Raises:
        ValueError: a name of another form, or a record that no journal gives.
    """
    try:
        return _encoded(record, site=site, gate=gate)
    except (OverflowError, OSError, RecursionError) as error:
        raise ValueError(f"record {record.seq}: {type(error).__name__}") from error


def _encoded(record: Record, *, site: str, gate: str) -> bytes:
    if not 1 <= record.seq <= _MAX_SEQ:
        raise ValueError(f"record {record.seq}: the number is not between 1 and {_MAX_SEQ}")
    moment = datetime.fromtimestamp(math.floor(record.utc_s), UTC)
    milliseconds = math.floor((record.utc_s - math.floor(record.utc_s)) * 1000)
    event = {
        "specversion": "1.0",
        "id": f"{site}/{gate}/{record.seq}",
        "source": event_source(site, gate),
        "type": _TYPE_PREFIX + record.type,
        "time": f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z",
        "datacontenttype": "application/json",
        "sequence": f"{record.seq:019d}",
        "bootid": record.boot_id,
        "uptimes": f"{record.uptime_s:.3f}",
        "data": json.loads(record.data),
    }
    return json.dumps(event, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()


def decode(payload: bytes) -> WireEvent:
    """Return the event that a payload carries. Attributes that we do not know are ignored.

    Raises:
        WireError: anything else than an event of a gate.
    """
    if len(payload) > MAX_EVENT_BYTES:
        raise WireError(f"{len(payload)} bytes; an event has at most {MAX_EVENT_BYTES}")
    event = _parsed(payload)
    if _text(event, "specversion") != "1.0":
        raise WireError("specversion is not 1.0")
    if _text(event, "datacontenttype") != "application/json":
        raise WireError("datacontenttype is not application/json")
    source = _SOURCE.fullmatch(_text(event, "source"))
    if source is None:
        raise WireError("source is not /gatepost/<site>/<gate>")
    seq = int(_matching(event, "sequence", _SEQUENCE))
    if not 1 <= seq <= _MAX_SEQ:
        raise WireError("sequence is out of range")
    if _text(event, "id") != f"{source[1]}/{source[2]}/{seq}":
        raise WireError("id does not fit source and sequence")
    event_type = _text(event, "type")
    if not event_type.startswith(_TYPE_PREFIX):
        raise WireError(f"type does not begin with {_TYPE_PREFIX}")
    data = event.get("data")
    if not isinstance(data, dict):
        raise WireError("data is not an object")
    return WireEvent(
        source=source[0],
        id=_text(event, "id"),
        seq=seq,
        type=event_type,
        boot_id=_text(event, "bootid"),
        uptime_s=float(_matching(event, "uptimes", _UPTIME)),
        utc_s=_posix_s(_matching(event, "time", _TIME)),
        data=data,
    )


def _checked_name(key: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{key} = {name!r}: use 1 to 63 lower-case letters, digits or hyphens, no hyphen first"
        )
    return name


def _parsed(payload: bytes) -> dict[str, JsonValue]:
    try:
        event = json.loads(
            payload.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except WireError:
        raise
    except (ValueError, RecursionError) as error:
        # Not chained: the decoder's error holds the whole payload.
        raise WireError(f"not JSON in UTF-8 ({type(error).__name__})") from None
    if not isinstance(event, dict):
        raise WireError("not a JSON object")
    return event


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise WireError("an object names a member twice")
    return result


def _no_constant(name: str) -> float:
    raise WireError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise WireError("a number is beyond a double")
    return number


def _text(event: Mapping[str, JsonValue], key: str) -> str:
    value = event.get(key)
    if not isinstance(value, str) or not value:
        raise WireError(f"{key} is missing or no text")
    return value


def _matching(event: Mapping[str, JsonValue], key: str, form: re.Pattern[str]) -> str:
    value = _text(event, key)
    if not form.fullmatch(value):
        raise WireError(f"{key} is not of its form")
    return value


def _posix_s(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise WireError("time is no date") from None
