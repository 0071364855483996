"""JSON Schema 2020-12 of the file of settings, for editors and for programs that write such files.

It is as strict as the loader about each setting by itself. What the loader checks of several
together stands in the descriptions.
"""

from pathlib import Path
from typing import Any, get_args

from msgspec import NODEFAULT
from msgspec import inspect as mi

from gatepost_config.reference import UNITS, Entry, Section, kind_of, sections
from gatepost_config.settings import OptionalPin

Json = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ABOUT = (
    "The settings of one gate: /etc/gatepost/gatepost.toml. `gatepost config check` says more than "
    "a schema can: what it checks of several settings together stands after 'Checked:' in their "
    "descriptions. JSON has one kind of number: 7.0 is a whole number here, and none to the loader."
)
# Python's end of a text. Elsewhere "$" is that; in Python it also is before a last line end.
_END, _END_ELSEWHERE = r"\Z", r"$(?!\n)"
# Whatever follows, but NUL. "." is not it: that stops at the end of a line.
_ABSOLUTE = r"^/[^\x00]*$"


def settings_schema() -> Json:
    """Return the schema, as JSON has it."""
    return {
        "$schema": DIALECT,
        "$id": "urn:gatepost:schema:settings",
        "title": "Settings of a gate",
        "description": _ABOUT,
        **_object({each.name: _section(each) for each in sections()}, _required_sections()),
    }


def _required_sections() -> list[str]:
    return [each.name for each in sections() if _required(each)]


def _required(section: Section) -> list[str]:
    return [entry.key for entry in section.entries if entry.default is NODEFAULT]


def _section(section: Section) -> Json:
    properties = {entry.key: _property(entry) for entry in section.entries}
    return {"description": section.text, **_object(properties, _required(section))}


def _object(properties: Json, required: list[str]) -> Json:
    return {
        "type": "object",
        "additionalProperties": False,
        **({"required": required} if required else {}),
        "properties": properties,
    }


def _property(entry: Entry) -> Json:
    schema: Json = {"description": _description(entry), **_kind(entry)}
    if entry.default is not NODEFAULT:
        default = entry.default
        schema["default"] = str(default) if isinstance(default, Path) else default
    if entry.unit:
        schema["x-unit"] = entry.unit
    schema["x-restart"] = [UNITS[process] for process in entry.restart]
    if entry.matters:
        schema["x-matters"] = entry.matters
    return schema


def _description(entry: Entry) -> str:
    parts = [entry.text]
    if entry.unit:
        parts.append(f"Unit: {entry.unit}.")
    if entry.joint:
        parts.append(f"Checked: {entry.joint}")
    return " ".join(parts)


def _kind(entry: Entry) -> Json:
    match kind_of(entry):
        case mi.IntType() as kind:
            schema: Json = {"type": "integer", "minimum": kind.ge, "maximum": kind.le}
            # Line 1 belongs to the HAT's EEPROM; 0 says that nothing is wired.
            return {**schema, "not": {"const": 1}} if entry.field.type == OptionalPin else schema
        case mi.FloatType() as kind:
            return {"type": "number", "minimum": kind.ge, "maximum": kind.le}
        case mi.BoolType():
            return {"type": "boolean"}
        case mi.LiteralType():
            return {"enum": list(get_args(entry.field.type))}
        case mi.StrType() as kind:
            return {"type": "string", **_text(kind)}
        case _:
            return {"type": "string", "pattern": _ABSOLUTE}


def _text(kind: mi.StrType) -> Json:
    if kind.pattern is not None:
        return {"pattern": kind.pattern.replace(_END, _END_ELSEWHERE)}
    return {"minLength": kind.min_length, "maxLength": kind.max_length}
