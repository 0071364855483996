"""What crosses the wire beside events: the envelope, retained texts, commands, documents.

`Event` is what every event has around its data. Signed texts are JWS in compact form; the classes
with `Claims` in their name are what their payload says.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, field

from gatepost_services.contract.words import (
    ClassLabel,
    Count,
    Document,
    Quality,
    Reason,
    Sha256,
    Standing,
    State,
    Unset,
    Version,
)

_NAME = "[a-z0-9][a-z0-9-]{0,62}"
JWS_FORM = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}$"
Source = Annotated[
    str, Meta(pattern=f"^/gatepost/{_NAME}/{_NAME}$", description="/gatepost/<site>/<gate>")
]
Through = Annotated[
    int, Meta(ge=0, lt=2**53, description="Every number up to this one, for good; 0 is none.")
]
Jws = Annotated[str, Meta(pattern=JWS_FORM)]
Instant = Annotated[int, Meta(ge=0, description="POSIX seconds.")]
Utc = Annotated[str, Meta(description="RFC 3339, in UTC.")]
UtcOrNull = Annotated[str | None, Meta(description="RFC 3339, in UTC; null: none, or no clock.")]
DigestOrNull = Annotated[Sha256 | None, Meta(description="SHA-256; null: none.")]


class Event(Struct, frozen=True, kw_only=True):
    """An event: CloudEvents 1.0 in structured JSON. Other attributes may be added to it."""

    specversion: Literal["1.0"]
    id: Annotated[str, Meta(description="<site>/<gate>/<number>")]
    source: Source
    type: Annotated[str, Meta(pattern="^gatepost\\.[a-z][a-z0-9_.]*$")]
    dataschema: (
        Annotated[
            str,
            Meta(
                pattern="^urn:gatepost:schema:[a-z0-9_.]+:[1-9][0-9]*$",
                description="What `data` adhere to: urn:gatepost:schema:<type>:<version>.",
            ),
        ]
        | Unset
    ) = UNSET
    time: Annotated[
        str,
        Meta(
            pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$",
            description="By the gate's wall clock; `timequality` says what that is worth.",
        ),
    ]
    sequence: Annotated[
        str,
        Meta(pattern="^[0-9]{19}$", description="The number: from 1 on, and none repeats."),
    ]
    bootid: Annotated[str, Meta(min_length=1, description="Of the boot that `uptimes` counts in.")]
    uptimes: Annotated[
        str,
        Meta(pattern="^-?[0-9]{1,12}\\.[0-9]{3}$", description="Seconds, monotonic in a boot."),
    ]
    timequality: Quality
    event_class: ClassLabel = field(name="class")
    previoushash: Annotated[
        str,
        Meta(
            pattern="^[0-9a-f]{64}$",
            description="SHA-256 of the payload with the number before; the first has 64 zeros.",
        ),
    ]
    data: dict[str, Any]


class Watermark(Struct, frozen=True, forbid_unknown_fields=True):
    """From the server: every number up to this one is there, for good."""

    through: Through


class SetApart(Struct, frozen=True):
    """Events that could not be sent; their numbers went out, withheld."""

    count: Count
    last: Annotated[list[int], Meta(description="The numbers of the last ones.")]


class JournalEnd(Struct, frozen=True):
    """Where the journal ends."""

    last_seq: Count
    head: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class CommandFigures(Struct, frozen=True, kw_only=True):
    """What the link did with commands, since it started."""

    received: Count
    refused: Annotated[dict[str, int], Meta(description="By the link itself, by code.")]
    replies_undelivered: Count


class CertificateFigures(Struct, frozen=True, kw_only=True):
    """The certificate of this gate."""

    expires_utc: Utc
    days_left: Annotated[
        int | None, Meta(description="Whole days; null: the gate does not know the time.")
    ]


class Status(Struct, frozen=True, kw_only=True):
    """How far the link has come. Members may be added."""

    depth: Annotated[int, Meta(ge=0, description="Events that the broker does not have yet.")]
    oldest_utc: UtcOrNull
    last_utc: UtcOrNull | Unset = UNSET
    dropped: Annotated[dict[str, int], Meta(description="By class, told by gap events.")]
    acknowledged: Count
    watermark: Count
    set_apart: SetApart
    paused: Annotated[list[str], Meta(description="Streams whose topic the broker refuses.")]
    resent: Count
    sent_rate: Annotated[float, Meta(ge=0, description="Events a second since the last status.")]
    journal: JournalEnd
    commands: CommandFigures | Unset = UNSET
    certificate: CertificateFigures | Unset | None = UNSET


class Presence(Struct, frozen=True, kw_only=True):
    """Whether the link is there: "lost" is its last will, "stopped" its own word."""

    state: Literal["online", "lost", "stopped"]
    boot_id: str | Unset = UNSET
    version: Annotated[str, Meta(description="Of Gatepost.")] | Unset = UNSET


class HeadClaims(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At this time the newest event had this number and this hash: signed by the gate itself."""

    source: Source
    seq: Annotated[int, Meta(ge=1)]
    hash: Sha256
    utc_s: Instant
    time_quality: Quality


class Held(Struct, frozen=True, kw_only=True):
    """Which document of a kind holds, and what became of the one that is wanted."""

    version: Annotated[int, Meta(ge=0, description="Of the one that holds; 0: none.")]
    digest: DigestOrNull
    state: Literal["applied", "refused", "none"]
    why: Annotated[str | None, Meta(description="A code of the reason table; null: all is well.")]
    refused: Annotated[int, Meta(ge=1, description="The version that was refused.")] | Unset = UNSET


class LaneReport(Struct, frozen=True, kw_only=True):
    """How the lane stands, without anybody's temperature or name."""

    state: State
    standing: list[Standing]
    faults: Annotated[list[str], Meta(description="Faults that stand, the oldest first.")]


class Reported(Struct, frozen=True, kw_only=True):
    """How the gate is, and which documents hold. Members may be added."""

    source: Source
    version: Annotated[str, Meta(description="Of Gatepost.")]
    device_key: Annotated[
        str | None, Meta(description="The gate's own public key (Ed25519), hexadecimal.")
    ]
    time_quality: Quality
    documents: dict[str, Held]
    lane: LaneReport


class NoArguments(Struct, frozen=True, forbid_unknown_fields=True):
    """A command that needs none."""


class EraseArguments(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to erase, as the roster names them."""

    subject: Annotated[str, Meta(min_length=1, max_length=128)]


class ReplayArguments(Struct, frozen=True, forbid_unknown_fields=True):
    """Which events to send again, both ends included."""

    first: Annotated[int, Meta(ge=1)]
    last: Annotated[int, Meta(ge=1)]


class CommandClaims(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command. It acts once, from `nbf` until before `exp`, or not at all."""

    jti: Annotated[
        str, Meta(pattern="^[A-Za-z0-9_-]{1,64}$", description="Its id, never used again.")
    ]
    aud: Source
    iat: Instant
    nbf: Instant
    exp: Instant
    counter: Annotated[
        int, Meta(ge=1, lt=2**53, description="Higher than the last one of the same key.")
    ]
    verb: Literal[
        "release_entry",
        "release_exit",
        "lock",
        "unlock",
        "close",
        "open",
        "acknowledge",
        "identify",
        "restart",
        "erase",
        "replay",
    ]
    by: Annotated[str, Meta(min_length=1, max_length=64, description="Who wants it.")]
    args: dict[str, Any] | Unset = UNSET


class Replayed(Struct, frozen=True):
    """Which events come once more, on the replay stream."""

    first: Count
    last: Count


class Reply(Struct, frozen=True, kw_only=True):
    """What became of a command. The same command has the same answer, however often it comes."""

    id: Annotated[str | None, Meta(description="Of the command; null where none can be read.")]
    status: Literal["done", "refused", "taken"]
    verb: str | Unset = UNSET
    why: Reason | Unset | None = UNSET
    detail: str | Unset = UNSET
    state: State | Unset | None = UNSET
    utc: UtcOrNull | Unset = UNSET
    replay: Replayed | Unset = UNSET


class DesiredClaims(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a document is to be. The content comes in chunks, by its digest."""

    document: Document
    version: Version
    digest: Sha256
    size_bytes: Annotated[int, Meta(ge=1)] = field(name="bytes")
    mode: Annotated[
        Literal["whole", "delta"], Meta(description="Missing: whole. A delta: rosters alone.")
    ] = "whole"
    base_version: Annotated[
        Version | None, Meta(description="Of a delta: the version that it changes.")
    ] = None
    aud: Annotated[str, Meta(description="/gatepost/<site>/<gate>, or /gatepost/<site> for all.")]
    iat: Instant


class Fetch(Struct, frozen=True, forbid_unknown_fields=True):
    """From the gate: send this part of a content."""

    digest: Sha256
    offset: Count
    size_bytes: Annotated[int, Meta(ge=1, le=65_536)] = field(name="bytes")
