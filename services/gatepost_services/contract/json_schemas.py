"""JSON Schema 2020-12 of everything that crosses the wire, made from the code.

What each version of a type was stands in `versions.json`, by its digest: of what is checked, not
of the words that explain it. A version that was given out is never another schema.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

from gatepost_services.contract import messages
from gatepost_services.contract.schemas import EventSchema, schemas

DIALECT = "https://json-schema.org/draft/2020-12/schema"
COMPONENTS = "#/components/schemas/{name}"
# Beside the data of events, in the order in which a reader of the contract wants them.
MESSAGES = (
    messages.Event,
    messages.Watermark,
    messages.Status,
    messages.Presence,
    messages.HeadClaims,
    messages.Reported,
    messages.CommandClaims,
    messages.EraseArguments,
    messages.ReplayArguments,
    messages.Reply,
    messages.DesiredClaims,
    messages.Fetch,
)
_WORDS = ("title", "description", "$id", "$schema")

Json = dict[str, Any]


class VersionError(ValueError):
    """A schema changed and kept its version. The text names the types and the remedy."""


def data_schema(schema: EventSchema) -> Json:
    """Return the schema of the data of a type, which its `dataschema` names."""
    return {"$schema": DIALECT, "$id": schema.urn, **_inlined(schema.data, schema.name)}


def message_schema(message: type[msgspec.Struct]) -> Json:
    """Return the schema of a message that is no event."""
    name = message.__name__
    return {
        "$schema": DIALECT,
        "$id": f"urn:gatepost:schema:message:{name.lower()}",
        **_inlined(message, name),
    }


def components() -> Json:
    """Return the schemas of all of them by name, for a document that holds them together."""
    every: list[type[msgspec.Struct]] = [
        *MESSAGES,
        *dict.fromkeys(each.data for each in schemas().values()),
    ]
    _, found = msgspec.json.schema_components(every, ref_template=COMPONENTS)
    return {each.__name__: found.pop(each.__name__) for each in every} | dict(sorted(found.items()))


def digest_of(schema: EventSchema) -> str:
    """Return the SHA-256 of what a schema checks, in hexadecimal."""
    checked = _without_words(data_schema(schema))
    return sha256(json.dumps(checked, sort_keys=True).encode()).hexdigest()


def versions(before: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Return the digests of all versions by type, with those of now.

    Args:
        before: as `versions.json` has them: type -> version -> digest.

    Raises:
        VersionError: a schema is another one than its version says.
    """
    after = {type_: dict(known) for type_, known in before.items()}
    changed = []
    for type_, schema in schemas().items():
        known = after.setdefault(type_, {})
        digest = digest_of(schema)
        if known.setdefault(str(schema.version), digest) != digest:
            changed.append(f"{type_} {schema.version}")
    if changed:
        raise VersionError(
            f"changed without a new version: {', '.join(changed)}; "
            "give the next one in contract/classes.py (_LATER), also for a member that is optional"
        )
    return dict(sorted(after.items()))


def _inlined(kind: type[msgspec.Struct], title: str) -> Json:
    """Return a schema whose top is the type's own, the types that it uses in `$defs`."""
    made = msgspec.json.schema(kind)
    others = dict(made["$defs"])
    top = {**others.pop(kind.__name__), "title": title}
    return {**top, "$defs": others} if others else top


def _without_words(schema: Any, *, are_names: bool = False) -> Any:
    """Return a schema without its annotations; a member may be called as one of them is."""
    if isinstance(schema, list):
        return [_without_words(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_words(value, are_names=key in ("properties", "$defs"))
        for key, value in schema.items()
        if are_names or key not in _WORDS
    }
