"""The topics of a gate: who sends there, what comes there, and how. Data, for the document.

Seen from the gate, as AsyncAPI wants it: "send" is what a gate publishes, "receive" what it
subscribes to. Prefix `gatepost/{site}/{gate}/`.
"""

from typing import Literal, NamedTuple

JSON = "application/json"
JOSE = "application/jose"
BYTES = "application/octet-stream"


class Channel(NamedTuple):
    """One topic. `messages` are names of the document's messages; none: events of `classes`."""

    name: str
    address: str
    action: Literal["send", "receive"]
    title: str
    description: str
    messages: tuple[str, ...] = ()
    is_retained: bool = False
    classes: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    qos: int = 1


_OTHERS = ("live", "bookkeeping", "telemetry")
_ALL = ("alarm", *_OTHERS)
_TWICE = "In the order of their numbers within this topic, not across topics; one may come twice."
CHANNELS = (
    Channel(
        "eventAlarm",
        "event/alarm",
        "send",
        "Alarms",
        f"Events of class alarm, sent before everything else. {_TWICE}",
        classes=("alarm",),
    ),
    Channel(
        "eventLive",
        "event/live",
        "send",
        "Live events",
        f"Events of the other classes, as they happen. {_TWICE}",
        classes=_OTHERS,
    ),
    Channel(
        "eventBacklog",
        "event/backlog",
        "send",
        "Backlog",
        f"Events from before the connection, at a limited rate: not how things are now. {_TWICE}",
        classes=_OTHERS,
    ),
    Channel(
        "eventReplay",
        "event/replay",
        "send",
        "Replay",
        "Events that somebody asked for again, byte for byte as they were the first time.",
        classes=_ALL,
    ),
    Channel(
        "watermark",
        "watermark",
        "receive",
        "Watermark",
        "A server says through which number it has everything for good; what is above is sent "
        "again, what is not may be deleted on the gate. Retained.",
        ("watermark",),
        is_retained=True,
    ),
    Channel(
        "status",
        "status",
        "send",
        "Status of the link",
        "How far the link has come: what waits, what is lost. Retained.",
        ("status",),
        is_retained=True,
    ),
    Channel(
        "presence",
        "presence",
        "send",
        "Presence of the link",
        "Birth, last will (after a delay, with MQTT 5) and clean stop. Retained.",
        ("presence",),
        is_retained=True,
    ),
    Channel(
        "head",
        "head",
        "send",
        "Signed head",
        "The newest number and its hash, signed by the gate with its own key (device_key of "
        "`reported`): a link, a broker or a server that keeps back the newest events is found out. "
        "Retained.",
        ("head",),
        is_retained=True,
    ),
    Channel(
        "reported",
        "reported",
        "send",
        "Reported state",
        "How the lane is, and which documents hold. Retained.",
        ("reported",),
        is_retained=True,
    ),
    Channel(
        "command",
        "command",
        "receive",
        "Commands",
        "One signed command a message. Never retained: a retained one is refused. With MQTT 5 give "
        "it a message expiry no longer than `exp`, a response topic below `reply/` and correlation "
        "data.",
        ("command",),
    ),
    Channel(
        "reply",
        "reply",
        "send",
        "Replies",
        "What became of each command, on `reply` or on the response topic that the command named, "
        "which begins with `reply/`.",
        ("reply",),
    ),
    Channel(
        "desired",
        "desired/{document}",
        "receive",
        "Desired documents",
        "What the order, the roster or the trust list is to be: a signed text, retained.",
        ("desired",),
        is_retained=True,
        parameters=("document",),
    ),
    Channel(
        "fetch",
        "fetch",
        "send",
        "Requests for content",
        "The link asks for a part of the content of a desired document.",
        ("fetch",),
    ),
    Channel(
        "chunk",
        "chunk/{digest}/{offset}",
        "receive",
        "Content",
        "A part of the content: at most 8192 bytes as they are, from that offset on, which is a "
        "multiple of 8192. Never retained.",
        ("chunk",),
        parameters=("digest", "offset"),
        qos=0,
    ),
)
PARAMETERS = {
    "site": {"description": "The site: 1 to 63 lower-case letters, digits or hyphens."},
    "gate": {"description": "The gate, named as the site is."},
    "document": {"description": "Which document.", "enum": ["regime", "roster", "trust"]},
    "digest": {"description": "SHA-256 of the whole content, hexadecimal."},
    "offset": {"description": "Of the first byte, decimal."},
}


class Plain(NamedTuple):
    """A message that is no event. `schema` names what it says; signed: what its payload says."""

    name: str
    title: str
    schema: str
    content_type: str = JSON
    signed_as: str = ""


PLAIN = (
    Plain("watermark", "Everything up to this number is here", "Watermark"),
    Plain("status", "How far the link has come", "Status"),
    Plain("presence", "Whether the link is there", "Presence"),
    Plain("head", "The newest event, signed", "HeadClaims", JOSE, "gatepost-head+jwt"),
    Plain("reported", "How the gate is", "Reported"),
    Plain("command", "A signed command", "CommandClaims", JOSE, "gatepost-command+jwt"),
    Plain("reply", "What became of a command", "Reply"),
    Plain("desired", "What a document is to be", "DesiredClaims", JOSE, "gatepost-desired+jwt"),
    Plain("fetch", "A request for content", "Fetch"),
    Plain("chunk", "A part of a content", "", BYTES),
)
