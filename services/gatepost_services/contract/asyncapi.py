"""The AsyncAPI 3.0 document of the wire, made from the code; `gatepost contract` writes it.

Whoever has it needs nothing else to follow a gate: `_FOLLOW` says how to prove that nothing is
missing. Sources: AsyncAPI 3.0.0, MQTT bindings 0.2.0.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from gatepost_services.contract import json_schemas
from gatepost_services.contract.channels import CHANNELS, JOSE, PARAMETERS, PLAIN, Channel, Plain
from gatepost_services.contract.events import CONTENT_TYPE, Envelope
from gatepost_services.contract.messages import JWS_FORM
from gatepost_services.contract.schemas import EventSchema, schemas
from gatepost_services.record import Entry, JsonValue

# Of the document as a whole: the first number is another one when a server has to be changed.
VERSION = "1.1.0"
_BINDING = "0.2.0"
_PREFIX = "gatepost/{site}/{gate}/"
_WITHHELD = "journal.withheld"
_FOLLOW = """\
What a gate tells, and what it can be told, over MQTT. The broker stands between; neither side has
to trust it.

Events are CloudEvents 1.0 in structured JSON. `source` and `sequence` name one for ever. To prove
that nothing is missing, keep for each source the highest number N up to which all is there, and
its hash:

1. The hash of an event is the SHA-256 of the MQTT payload, byte for byte as it came.
2. Subscribe to event/alarm, event/live, event/backlog and event/replay. Put what comes in the order
   of `sequence`, whatever topic it came on.
3. Event N+1 is whole and in its place if its `previoushash` is the hash of event N; the first of
   all has 64 zeros there. If it is not, one of the two was altered.
4. A number that came already, with the same hash, is a repetition, and is ignored. With another
   hash one of the two was altered.
5. A `gatepost.journal.withheld` stands in for the event with its number: the hash that the next one
   names is its `data.hash`.
6. Numbers in the `ranges` of a `gatepost.journal.gap` never come; `previoushash` cannot be checked
   across them. Any other number that is missing when a higher one is there is late, or was removed:
   it comes again, or was removed for good. Name the last number that is complete on `watermark`
   (retained), and the gate sends again what is above.
7. `head` (retained, signed) names the newest number and its hash: it shows when the newest events
   are kept back.
8. A message `{}` where an event, a reply or a request is expected is none: a gate asks so whether
   the broker lets it write there (`gatepost doctor`). Ignore it.

`dataschema` names type and version of what `data` hold. A version is never changed; a server takes
types, versions and reason codes that it does not know as they are."""


@cache
def examples() -> dict[str, dict[str, JsonValue]]:
    """Return the data of one event for each type."""
    text = files(__package__).joinpath("examples.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, JsonValue]] = json.loads(text)
    return found


def sealed_example(type_: str) -> bytes:
    """Return one event of a type, byte for byte as a gate would send it."""
    envelope = Envelope("north", "gate-1", "0d1c7f0e-5a52-4a3e-9b0f-0f0f5d1b8a11")
    entry = Entry(type_, 86_412.0675, 1_795_285_805.250, examples()[type_], "ntp")
    return envelope.seal(entry, 4711, bytes(range(32)))


def document() -> dict[str, Any]:
    """Return the whole document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Gatepost",
            "version": VERSION,
            "description": _FOLLOW,
            "license": {
                "name": "Apache-2.0",
                "url": "https://www.apache.org/licenses/LICENSE-2.0",
            },
        },
        "defaultContentType": "application/json",
        "servers": {"broker": _server()},
        "channels": {each.name: _channel(each) for each in CHANNELS},
        "operations": {_operation_name(each): _operation(each) for each in CHANNELS},
        "components": {
            "schemas": json_schemas.components(),
            "messages": {
                **{each.name: _event_message(each) for each in schemas().values()},
                **{each.name: _plain_message(each) for each in PLAIN},
            },
            "parameters": PARAMETERS,
            "securitySchemes": {
                "certificate": {
                    "type": "X509",
                    "description": "A certificate of the site's own authority, for each device.",
                }
            },
        },
    }


def as_text() -> str:
    """Return the document as the file holds it."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def _server() -> dict[str, Any]:
    will = {
        "topic": f"{_PREFIX}presence",
        "qos": 1,
        "message": '{"state":"lost"}',
        "retain": True,
    }
    return {
        "host": "broker.example.org:8883",
        "protocol": "secure-mqtt",
        "protocolVersion": "5.0",
        "description": "The site's broker. TLS 1.3, and a client certificate for each device.",
        "security": [{"$ref": "#/components/securitySchemes/certificate"}],
        "bindings": {
            "mqtt": {
                "clientId": "gatepost-{site}-{gate}",
                "lastWill": will,
                "bindingVersion": _BINDING,
            }
        },
    }


def _message_names(channel: Channel) -> tuple[str, ...]:
    if channel.messages:
        return channel.messages
    return tuple(
        each.name
        for each in schemas().values()
        if each.name == _WITHHELD or each.event_class.label in channel.classes
    )


def _channel(channel: Channel) -> dict[str, Any]:
    names = ("site", "gate", *channel.parameters)
    return {
        "address": _PREFIX + channel.address,
        "title": channel.title,
        "description": channel.description,
        "messages": {
            name: {"$ref": f"#/components/messages/{name}"} for name in _message_names(channel)
        },
        "parameters": {name: {"$ref": f"#/components/parameters/{name}"} for name in names},
    }


def _operation_name(channel: Channel) -> str:
    return f"{channel.action}{channel.name[0].upper()}{channel.name[1:]}"


def _operation(channel: Channel) -> dict[str, Any]:
    made: dict[str, Any] = {
        "action": channel.action,
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "summary": channel.title,
        "bindings": {
            "mqtt": {
                "qos": channel.qos,
                "retain": channel.is_retained,
                "bindingVersion": _BINDING,
            }
        },
    }
    if channel.name == "command":
        made["reply"] = {"channel": {"$ref": "#/channels/reply"}}
    return made


def _event_message(schema: EventSchema) -> dict[str, Any]:
    said: dict[str, Any] = {
        "type": {"const": f"gatepost.{schema.name}"},
        "dataschema": {"const": schema.urn},
        "data": {"$ref": f"#/components/schemas/{schema.data.__name__}"},
    }
    if schema.name != _WITHHELD:  # it has the class of the event that it stands for
        said["class"] = {"const": schema.event_class.label}
    return {
        "name": f"gatepost.{schema.name}",
        "title": schema.name,
        "summary": schema.description,
        "contentType": CONTENT_TYPE,
        "payload": {
            "allOf": [
                {"$ref": "#/components/schemas/Event"},
                {"type": "object", "properties": said, "required": ["dataschema"]},
            ]
        },
        "examples": [{"payload": json.loads(sealed_example(schema.name))}],
        "bindings": {"mqtt": {"contentType": CONTENT_TYPE, "bindingVersion": _BINDING}},
        "x-version": schema.version,
    }


def _plain_message(message: Plain) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": message.name,
        "title": message.title,
        "contentType": message.content_type,
        "bindings": {"mqtt": {"contentType": message.content_type, "bindingVersion": _BINDING}},
    }
    reference = {"$ref": f"#/components/schemas/{message.schema}"}
    if message.content_type == JOSE:
        made["description"] = (
            "JWS in compact form (RFC 7515), EdDSA with Ed25519 (RFC 8037). The header is exactly "
            f'{{"alg":"EdDSA","kid":"<key id, hexadecimal>","typ":"{message.signed_as}"}}; what '
            f"the payload says is {message.schema}."
        )
        made["payload"] = {"type": "string", "pattern": JWS_FORM}
        made["x-claims"] = reference
    elif message.schema:
        made["payload"] = reference
    else:
        made["payload"] = {"type": "string", "format": "binary", "maxLength": 8192}
    return made
