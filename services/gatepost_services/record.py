"""What the journal takes and gives: entries, records, and the JSON they carry. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened, for the journal to keep.

    `type` is dotted lower case ("passage.admitted"), `at_s` an instant of the monotonic clock,
    `utc_s` POSIX seconds of the wall clock, `data` what a JSON object can hold.

    Raises:
        ValueError: a type of another form, or an instant that is not finite or out of range.
    """

    type: str
    at_s: float
    utc_s: float
    data: Mapping[str, JsonValue]

    def __post_init__(self) -> None:
        if len(self.type) > MAX_TYPE_LENGTH or not _TYPE.fullmatch(self.type):
            raise ValueError(f"type {self.type!r} is not dotted lower case such as 'gate.started'")
        if not abs(self.at_s) < _LONGEST_UPTIME_S:
            raise ValueError(f"{self.type}: at_s {self.at_s!r} is no instant of this machine")
        if not 0.0 <= self.utc_s < _END_OF_RFC_3339_S:
            raise ValueError(f"{self.type}: utc_s {self.utc_s!r} is not between 1970 and 9999")


class Record(NamedTuple):
    """An entry as the journal holds it. `data` is the stored JSON text, byte for byte."""

    seq: int
    boot_id: str
    type: str
    uptime_s: float
    utc_s: float
    data: str
