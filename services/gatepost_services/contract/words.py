"""The words and numbers that stand in events: each with its meaning and its unit, once.

A set of words that is closed is a `Literal`: another one is another version of every schema that
has it. Reason codes are open: `reasons.toml` has them all, and a server takes one that it does not
know as text.
"""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, UnsetType

Unset: TypeAlias = UnsetType

Direction = Literal["entry", "exit"]
Outcome = Literal["admit", "admit_and_report", "recheck", "refer", "redirect", "deny"]
Zone = Literal["pass", "recheck", "refer", "no_information"]
Need = Literal["health_code", "trip_card", "test", "escort"]
Tested = Literal["entry_relay", "exit_relay", "green_lamp", "amber_lamp", "red_lamp", "buzzer"]
Quality = Literal["none", "restored", "rtc", "ntp"]
Standing = Literal["fire", "emergency", "maintenance", "lockdown", "closure", "tamper"]
Document = Literal["regime", "roster", "trust"]
ClassLabel = Literal["alarm", "live", "bookkeeping", "telemetry"]
State = Literal[
    "idle",
    "awaiting_pass",
    "measuring",
    "pausing",
    "deciding",
    "released",
    "entry_ending",
    "entering",
    "leaving",
    "exit_ending",
    "exiting",
    "refused",
    "referred",
    "clearing",
    "held",
    "forced",
    "fire",
    "emergency",
    "maintenance",
    "testing",
    "locked",
    "closed",
    "tamper",
]

Reason = Annotated[
    str,
    Meta(pattern="^[a-z][a-z0-9_]*$", max_length=64, description="A code of the reason table."),
]
Finding = Annotated[
    str,
    Meta(
        pattern="^([a-z][a-z0-9_]*)?$",
        max_length=64,
        description="A code of the reason table; empty where nothing was looked for yet.",
    ),
]
Subject = Annotated[str, Meta(description="Whose pass it is: an opaque name of the roster.")]
SubjectOrNull = Annotated[
    str | None,
    Meta(description="Whose pass it is: an opaque name of the roster; null: nobody's we know."),
]
Category = Annotated[
    str | None,
    Meta(description="The category of the roster or of the pass; null: nobody's that we know."),
]
Escort = Annotated[str, Meta(description="The subject of whoever brings this person in.")]
Visit = Annotated[
    int, Meta(ge=0, description="Which visit it was since the gate started, counted from 1.")
]
By = Annotated[str, Meta(description='On whose word: "staff", a user of this machine, a key.')]
Rules = Annotated[
    list[str],
    Meta(description='Rules that made it (catalogue, R001 to R303); "ours": no document says.'),
]
Count = Annotated[int, Meta(ge=0)]
Position = Annotated[int, Meta(ge=1, description="A sequence number of this gate.")]
Celsius = Annotated[float, Meta(description="Degrees Celsius.")]
CelsiusOrNull = Annotated[float | None, Meta(description="Degrees Celsius; null: no number.")]
NotNegative = Annotated[float, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0, description="Seconds.")]
SecondsOrNull = Annotated[
    NotNegative | None, Meta(description="Seconds; null where no clock can tell.")
]
Regime = Annotated[str | None, Meta(description="The order in force; null: the lane's own rules.")]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="SHA-256, hexadecimal.")]
Version = Annotated[int, Meta(ge=1, le=2**53, description="Of the document; it only grows.")]
