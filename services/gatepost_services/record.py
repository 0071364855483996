"""What the journal takes and gives: entries and records. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, TypeAlias

JsonValue: TypeAlias = (
    "str | int | float | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
)

# A record's data plus its envelope must stay below the wire's 64 KiB (contract/events.py), or the
# centre would refuse for ever what the journal has already promised to deliver.
MAX_DATA_BYTES = 48 * 1024
MAX_TYPE_LENGTH = 100
_TYPE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
# 10000-01-01, the first instant that RFC 3339 cannot write.
_END_OF_RFC_3339_S = 253_402_300_800.0
_LONGEST_UPTIME_S = 1e12


HASH_BYTES = 32
NO_HASH = bytes(HASH_BYTES)  # what the first event of a gate has in the place of its predecessor's
# How the wall clock came to its time, from "nobody has set it" to "a time server has".
TIME_QUALITIES = ("none", "restored", "rtc", "ntp")


class EventClass(IntEnum):
    """How urgent an event is: the smaller, the sooner it is sent and the later it is given up."""

    ALARM = 0  # somebody must look at it, or the record would be false without it
    LIVE = 1  # decisions, and who went through
    BOOKKEEPING = 2  # the gate's own life: starts, faults, orders
    TELEMETRY = 3  # figures that only a curve is made of

    @property
    def label(self) -> str:
        """The name on the wire and in the journal's tables."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened, for the journal to keep.

    `type` is dotted lower case ("passage.admitted"), `at_s` an instant of the monotonic clock,
    `utc_s` POSIX seconds of the wall clock and `quality` one of `TIME_QUALITIES`, `data` what a
    JSON object can hold.

    Raises:
        ValueError: a type of another form, no such quality, or an instant out of range.
    """

    type: str
    at_s: float
    utc_s: float
    data: Mapping[str, JsonValue]
    quality: str = "none"

    def __post_init__(self) -> None:
        if len(self.type) > MAX_TYPE_LENGTH or not _TYPE.fullmatch(self.type):
            raise ValueError(f"type {self.type!r} is not dotted lower case such as 'gate.started'")
        if not abs(self.at_s) < _LONGEST_UPTIME_S:
            raise ValueError(f"{self.type}: at_s {self.at_s!r} is no instant of this machine")
        if not 0.0 <= self.utc_s < _END_OF_RFC_3339_S:
            raise ValueError(f"{self.type}: utc_s {self.utc_s!r} is not between 1970 and 9999")
        if self.quality not in TIME_QUALITIES:
            raise ValueError(f"{self.type}: quality {self.quality!r}; one of {TIME_QUALITIES}")


class Record(NamedTuple):
    """An event as the journal holds it.

    `body` is what goes on the wire, byte for byte (contract/events.py), `hash` its SHA-256 as it
    was when the event was written.
    """

    seq: int
    event_class: EventClass
    hash: bytes
    body: bytes
