"""A site as a technician sees it: one row a gate, and what happens. Pure: no connection, no clock.

It looks on and confirms nothing, so it takes no part in what gates keep. What it says of a gate's
events is proved as the server proves it (`tally`), from the first event on that came while it
looked: what was before, nobody owes it.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal, NamedTuple

import msgspec

from gatepost_services.contract.events import (
    PROBE,
    WITHHELD,
    WireError,
    WireEvent,
    decode,
    event_source,
)
from gatepost_services.hub.heads import Head, HeadCheck, HeadError
from gatepost_services.hub.messages import Incoming
from gatepost_services.hub.tally import Tally
from gatepost_services.record import JsonValue

# So long a number may be away before it counts as missing: streams overtake one another.
SETTLE_S = 5.0
KINDS = ("status", "presence", "reported", "head")
_MOST_GATES = 20_000
_MOST_STATE_BYTES = 64 * 1024
# Of so many events back the hash is kept, to tell a repeat from a forgery.
_HASHES_KEPT = 64
Mark = Literal["again", "altered", "broken"]


def topics(site: str, gate: str = "+") -> tuple[str, ...]:
    """Return what to subscribe to; "+" is every site, or every gate of one."""
    base = f"gatepost/{site}/{gate}"
    return (f"{base}/event/+", *(f"{base}/{kind}" for kind in KINDS))


class Event(NamedTuple):
    """An event as it came. `marks`: it came before; with other content; its neighbours do not fit.

    `gate` is "<site>/<gate>", `stream` the last part of its topic.
    """

    gate: str
    stream: str
    event: WireEvent
    marks: tuple[Mark, ...]


class Change(NamedTuple):
    """What is no longer as it was, of one gate: names of `Row.shown` with their new values."""

    gate: str
    changed: Mapping[str, JsonValue]


class Malformed(NamedTuple):
    """A message that is none of the contract's. `gate` is whose topic it came on."""

    gate: str
    kind: str
    why: str


Happening = Event | Change | Malformed


class _Status(msgspec.Struct, frozen=True):
    """What is read of a status; members may be added to it."""

    depth: int | None = None
    oldest_utc: str | None = None


class _Presence(msgspec.Struct, frozen=True):
    state: str | None = None


class _Lane(msgspec.Struct, frozen=True):
    state: str | None = None
    standing: list[str] = []
    faults: list[str] = []


class _Reported(msgspec.Struct, frozen=True):
    lane: _Lane = _Lane()
    time_quality: str | None = None
    device_key: str | None = None
    version: str | None = None


@dataclass(slots=True)
class Row:
    """What is known of one gate; None is "not heard of".

    `sequence` is "complete", "3 to come" or "3 missing", since the watch began; `head` "signed",
    "verified" (signed, and of the events that came), or what is wrong with it.
    """

    gate: str
    presence: str | None = None
    lane: str | None = None
    standing: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    waiting: int | None = None
    oldest_utc: str | None = None
    clock: str | None = None
    version: str | None = None
    sequence: str | None = None
    broken: int = 0
    altered: int = 0
    again: int = 0
    head: str | None = None
    last: WireEvent | None = None
    checks: HeadCheck = field(default_factory=HeadCheck)
    hashes: OrderedDict[int, bytes] = field(default_factory=OrderedDict)
    open_: tuple[int, float] = (0, 0.0)  # how many numbers, since when

    def shown(self) -> dict[str, JsonValue]:
        """Return what a change is told of: all but the last event."""
        return {
            "presence": self.presence,
            "lane": self.lane,
            "standing": list(self.standing),
            "faults": list(self.faults),
            "waiting": self.waiting,
            "clock": self.clock,
            "version": self.version,
            "sequence": self.sequence,
            "broken": self.broken,
            "altered": self.altered,
            "head": self.head,
        }

    @property
    def is_well(self) -> bool:
        """Whether nothing asks for a technician."""
        return (
            self.presence in (None, "online")
            and not self.faults
            and not (self.broken or self.altered)
            and not (self.sequence or "").endswith("missing")
            and not self.is_head_bad
        )

    @property
    def is_head_bad(self) -> bool:
        """Whether the signed head does not fit what came, or is none of this gate's."""
        return self.head not in (None, "signed", "verified", "no key")


class SiteWatch:
    """Takes what comes from the broker. One thread.

    `wants` says of a gate, "<site>/<gate>", whether it is looked at.
    """

    def __init__(self, wants: Callable[[str], bool] = lambda _: True) -> None:
        self._wants = wants
        self._rows: dict[str, Row] = {}
        self._tally = Tally()
        self.events = 0
        self.malformed = 0

    @property
    def rows(self) -> list[Row]:
        """The gates: those that need somebody first, then by their names."""
        return sorted(self._rows.values(), key=lambda row: (row.is_well, row.gate))

    def take(self, message: Incoming, now_s: float) -> list[Happening]:
        """Take a message; return what happened by it. `now_s` is monotonic."""
        parts = message.topic.split("/")
        gate, kind = "/".join(parts[1:3]), "/".join(parts[3:])
        row = self._row(gate)
        if row is None:
            return []
        before = row.shown()
        happened: list[Happening] = []
        try:
            if kind.startswith("event/") and message.payload != PROBE:
                happened.append(self._event(row, kind.partition("/")[2], message.payload, now_s))
            elif kind in KINDS:
                _state(row, kind, message.payload)
        except (WireError, HeadError, msgspec.DecodeError, ValueError) as error:
            self.malformed += 1
            happened.append(Malformed(gate, kind, str(error)))
        happened += _changes(row, before)
        return happened

    def begin_anew(self) -> None:
        """The connection is a new one: what came meanwhile came to nobody here, and is not missed.

        What each gate last said of itself stays, until it says so again.
        """
        self._tally = Tally()
        for row in self._rows.values():
            row.sequence, row.open_ = None, (0, 0.0)
            row.hashes.clear()

    def settle(self, now_s: float) -> list[Happening]:
        """Judge every gate's numbers anew; return what changed. Call about once a second."""
        happened: list[Happening] = []
        for row in self._rows.values():
            before = row.shown()
            self._judge(row, now_s)
            happened += _changes(row, before)
        return happened

    def _row(self, gate: str) -> Row | None:
        row = self._rows.get(gate)
        if row is not None:
            return row
        site, _, name = gate.partition("/")
        try:
            event_source(site, name)
        except ValueError:
            self.malformed += 1
            return None
        if not self._wants(gate) or len(self._rows) >= _MOST_GATES:
            return None
        row = self._rows[gate] = Row(gate)
        return row

    def _event(self, row: Row, stream: str, payload: bytes, now_s: float) -> Event:
        event = decode(payload)
        if event.source != f"/gatepost/{row.gate}":
            raise WireError("an event of another gate")
        self.events += 1
        breaks = self._tally.breaks
        is_new = self._tally.add(event, payload, stream)
        own = _hash_of(event, payload)
        marks = tuple(
            self._marks(row, event, own, is_new=is_new, broke=self._tally.breaks > breaks)
        )
        if is_new:
            row.hashes[event.seq] = own
            while len(row.hashes) > _HASHES_KEPT:
                row.hashes.popitem(last=False)
            row.head = row.checks.came(event.seq, own) or row.head
        if row.last is None or event.seq > row.last.seq:
            row.last = event
        self._judge(row, now_s)
        return Event(row.gate, stream, event, marks)

    def _marks(
        self, row: Row, event: WireEvent, own: bytes, *, is_new: bool, broke: bool
    ) -> Iterator[Mark]:
        if broke:
            row.broken += 1
            yield "broken"
        if is_new:
            return
        known = row.hashes.get(event.seq)
        if known is not None and known != own:
            row.altered += 1
            yield "altered"
        else:
            row.again += 1
            yield "again"

    def _judge(self, row: Row, now_s: float) -> None:
        source = f"/gatepost/{row.gate}"
        highest = self._tally.highest(source)
        if not highest:
            return
        promised = row.checks.seq if row.head in ("signed", "verified") else 0
        count = self._tally.holes(source) + max(0, promised - highest)
        if count == 0:
            row.sequence, row.open_ = "complete", (0, now_s)
            return
        known, since_s = row.open_
        if known == 0 or count < known:  # it begins, or they are coming
            since_s = now_s
        row.open_ = (count, since_s)
        is_settled = now_s - since_s >= SETTLE_S and not row.waiting
        row.sequence = f"{count} missing" if is_settled else f"{count} to come"


def _state(row: Row, kind: str, payload: bytes) -> None:
    """Note what a retained text says; an empty one takes back what was said."""
    if len(payload) > _MOST_STATE_BYTES:
        raise ValueError(f"{len(payload)} bytes; at most {_MOST_STATE_BYTES}")
    if kind == "head":
        _head(row, payload)
        return
    text = payload or b"{}"
    if kind == "presence":
        row.presence = msgspec.json.decode(text, type=_Presence).state
    elif kind == "status":
        status = msgspec.json.decode(text, type=_Status)
        row.waiting, row.oldest_utc = status.depth, status.oldest_utc
    else:
        said = msgspec.json.decode(text, type=_Reported)
        row.lane, row.clock, row.version = said.lane.state, said.time_quality, said.version
        row.standing, row.faults = tuple(said.lane.standing), tuple(said.lane.faults)
        if said.device_key is not None:
            row.head = row.checks.know(said.device_key, row.hashes) or row.head


def _head(row: Row, payload: bytes) -> None:
    if not payload:
        row.checks.forget()
        row.head = None
        return
    row.head = "malformed"  # unless it turns out to be one
    row.head = row.checks.take(Head.parse(payload, f"/gatepost/{row.gate}"), row.hashes)


def _changes(row: Row, before: Mapping[str, JsonValue]) -> Iterator[Change]:
    changed = {name: value for name, value in row.shown().items() if value != before[name]}
    if _are_coming(changed.get("sequence")) and _are_coming(before["sequence"]):
        del changed["sequence"]  # a backlog counts down with each event
    if changed:
        yield Change(row.gate, changed)


def _are_coming(sequence: JsonValue) -> bool:
    return isinstance(sequence, str) and sequence.endswith("to come")


def _hash_of(event: WireEvent, payload: bytes) -> bytes:
    """Return the hash that the event itself has, also where another stands in for it."""
    text = event.data.get("hash")
    if event.type == WITHHELD and isinstance(text, str):
        try:
            return bytes.fromhex(text)
        except ValueError:
            pass
    return sha256(payload).digest()
