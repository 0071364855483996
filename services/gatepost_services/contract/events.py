"""The event envelope: CloudEvents 1.0, JSON format, structured mode, one event a message.

The **body** of an event is made once, when the journal takes it, and is what every server gets:
the same bytes, in this order of members. Each names the SHA-256 of the body before it, so that a
server in any language proves that it has everything by hashing what it received:

    previoushash of event n+1 == sha256(payload of event n)

Sources: CloudEvents 1.0.2 (core, JSON format, MQTT binding) and its "sequence" extension. An
extension attribute's name is lower-case letters and digits, and the type system has no floating
point number; `uptimes` (seconds since boot) is therefore a string.
"""

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Literal

import msgspec

from gatepost_services.contract.classes import class_of, schema_urn
from gatepost_services.record import (
    HASH_BYTES,
    MAX_DATA_BYTES,
    NO_HASH,
    TIME_QUALITIES,
    Entry,
    EventClass,
    JsonValue,
    Record,
)

CONTENT_TYPE = "application/cloudevents+json"
MAX_EVENT_BYTES = 64 * 1024
MAX_BOOT_ID_LENGTH = 64
WITHHELD = "gatepost.journal.withheld"
GAP = "gatepost.journal.gap"
# In the place of an event, a reply or a request: only asks whether the broker lets it through.
PROBE = b"{}"
Stream = Literal["alarm", "live", "backlog", "replay"]
Why = Literal["damaged", "too_large", "refused"]
_TYPE_PREFIX = "gatepost."
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_SOURCE = re.compile(rf"/gatepost/({_NAME.pattern})/({_NAME.pattern})")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_UPTIME = re.compile(r"-?[0-9]{1,12}\.[0-9]{3}")
# The extension demands an order that sorting strings keeps; 19 digits hold SQLite's 64-bit integer.
_SEQUENCE = re.compile(r"[0-9]{19}")
_HASH = re.compile(rf"[0-9a-f]{{{2 * HASH_BYTES}}}")
_MAX_SEQ = 2**63 - 1
_CLASSES = {each.label: each for each in EventClass}


class WireError(ValueError):
    """A payload that is no event of a gate. The text says why and quotes nothing of the payload."""


@dataclass(frozen=True, slots=True)
class WireEvent:
    """An event as the centre receives it.

    `source` and `seq` together name it for ever. `uptime_s` is monotonic within one `boot_id`;
    `utc_s` is POSIX seconds by the gate's wall clock, to the millisecond, and `time_quality` says
    what that is worth (one of `TIME_QUALITIES`). `previous_hash` is 32 bytes. `schema` names what
    `data` adheres to; None: of a gate from before there were any, or of no type of the contract.
    """

    source: str
    id: str
    seq: int
    type: str
    event_class: EventClass
    boot_id: str
    uptime_s: float
    utc_s: float
    time_quality: str
    previous_hash: bytes
    data: Mapping[str, JsonValue]
    schema: str | None = None


def event_topic(site: str, gate: str, stream: Stream) -> str:
    """Return the MQTT topic of one of a gate's streams of events.

    Raises:
        ValueError: a name that is not 1 to 63 lower-case letters, digits or hyphens.
    """
    return f"{_topic(site, gate)}/event/{stream}"


def events_topic(site: str, gate: str) -> str:
    """Return what to subscribe to for all of a gate's streams."""
    return f"{_topic(site, gate)}/event/+"


def watermark_topic(site: str, gate: str) -> str:
    """Return the topic on which a server says through which number it has everything."""
    return f"{_topic(site, gate)}/watermark"


def status_topic(site: str, gate: str) -> str:
    """Return the topic of a gate's retained status."""
    return f"{_topic(site, gate)}/status"


def _topic(site: str, gate: str) -> str:
    return event_source(site, gate)[1:]


def event_source(site: str, gate: str) -> str:
    """Return the `source` attribute of a gate's events.

    Raises:
        ValueError: a name that is not 1 to 63 lower-case letters, digits or hyphens.
    """
    return f"/gatepost/{_checked_name('site', site)}/{_checked_name('gate', gate)}"


class Envelope:
    """Seals the entries of one gate, in one boot, into bodies.

    Raises:
        ValueError: a name of another form than `event_source` demands; an empty, overlong or
            unprintable `boot_id`.
    """

    def __init__(self, site: str, gate: str, boot_id: str) -> None:
        if not (0 < len(boot_id) <= MAX_BOOT_ID_LENGTH and boot_id.isprintable()):
            raise ValueError(f"boot_id {boot_id!r}: use 1 to {MAX_BOOT_ID_LENGTH} characters")
        self.source = event_source(site, gate)
        # What is the same in every body, between what is not: bytes, for they need no encoding.
        self._begin = f'{{"specversion":"1.0","id":"{site}/{gate}/'.encode()
        self._source = f'","source":"{self.source}","type":"{_TYPE_PREFIX}'.encode()
        self._boot = f'","bootid":{json.dumps(boot_id, ensure_ascii=False)},"uptimes":"'.encode()

    def seal(self, entry: Entry, seq: int, previous: bytes) -> bytes:
        """Return the body: always the same bytes for the same arguments.

        `previous` is the hash of the body with the number before, `NO_HASH` for the first of all.

        Raises:
            ValueError: data that JSON cannot hold (NaN, infinity) or more than 48 KiB of it.
        """
        data = _json_of(entry.type, entry.data)
        whole_s = int(entry.utc_s)  # not negative: an Entry's
        type_, class_ = _names_of(entry.type)
        return b'%b%d%b%b%b.%03dZ","sequence":"%019d%b%.3f","timequality":"%b%b%b","data":%b}' % (
            self._begin,
            seq,
            self._source,
            type_,
            _time_of(whole_s),
            int((entry.utc_s - whole_s) * 1000),
            seq,
            self._boot,
            entry.at_s,
            entry.quality.encode(),
            class_,
            previous.hex().encode(),
            data,
        )


@lru_cache(maxsize=256)
def _names_of(type_: str) -> tuple[bytes, bytes]:
    urn = schema_urn(type_)
    schema = "" if urn is None else f'"dataschema":"{urn}",'
    return (
        f'{type_}",{schema}"time":"'.encode(),
        f'","class":"{class_of(type_).label}","previoushash":"'.encode(),
    )


@lru_cache(maxsize=2)
def _time_of(whole_s: int) -> bytes:
    return f"{datetime.fromtimestamp(whole_s, UTC):%Y-%m-%dT%H:%M:%S}".encode()


def _plain(value: object) -> dict[str, JsonValue]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")


_encode_json = msgspec.json.Encoder(enc_hook=_plain).encode


def _json_of(entry_type: str, data: Mapping[str, JsonValue]) -> bytes:
    try:
        text = _encode_json(data)
        # msgspec writes null for what is no number; json refuses it.
        if b"null" in text:
            json.dumps(data, allow_nan=False)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"{entry_type}: data cannot be JSON: {error}") from error
    if len(text) > MAX_DATA_BYTES:
        raise ValueError(f"{entry_type}: data of {len(text)} bytes; at most {MAX_DATA_BYTES} fit")
    return text


def withheld_body(site: str, gate: str, record: Record, why: Why) -> bytes:
    """Return what goes out in the place of an event that cannot: the same number, and its hash.

    `data.hash` is that of the event itself, which the next one names; `data.bytes` its size.
    `time` and `bootid` are the event's own where it can be read.
    """
    data: dict[str, JsonValue] = {
        "why": why,
        "hash": record.hash.hex(),
        "bytes": len(record.body),
    }
    event: dict[str, JsonValue] = {}
    try:
        if sha256(record.body).digest() == record.hash:
            event = _parsed(record.body)
    except WireError:
        data["why"] = "damaged"
    # Where it cannot be read: nothing is known but its number.
    unknown = Envelope(site, gate, "unknown").seal(
        Entry("journal.withheld", 0.0, 0.0, data), record.seq, NO_HASH
    )
    stand_in = _parsed(unknown) | {"class": record.event_class.label}
    names = ("time", "bootid", "uptimes", "timequality", "previoushash")
    body = _encode_json(stand_in | {name: event[name] for name in names if name in event})
    try:
        decode(body)
    except WireError:  # they are not of their form: a stand-in must not be refused as well
        return _encode_json(stand_in)
    return body


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
    if event.get("datacontenttype", "application/json") != "application/json":
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
        event_class=_CLASSES[_one_of(event, "class", _CLASSES)],
        boot_id=_text(event, "bootid"),
        uptime_s=float(_matching(event, "uptimes", _UPTIME)),
        utc_s=_posix_s(_matching(event, "time", _TIME)),
        time_quality=_one_of(event, "timequality", TIME_QUALITIES),
        previous_hash=bytes.fromhex(_matching(event, "previoushash", _HASH)),
        data=data,
        schema=_text(event, "dataschema") if "dataschema" in event else None,
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


def _one_of(event: Mapping[str, JsonValue], key: str, known: Collection[str]) -> str:
    value = _text(event, key)
    if value not in known:
        raise WireError(f"{key} is none of {', '.join(known)}")
    return value


def _posix_s(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise WireError("time is no date") from None
