"""The columns of the list of gates: each is a setting of the gate, or of its card.

Any setting has a column by its name, as `sensor.distance_cm`; the ones that differ from gate to
gate have short names as well.
"""

import difflib
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from msgspec import inspect as mi
from msgspec.structs import fields as fields_of

from gatepost_config.settings import Settings

# Section and key in gatepost.toml.
Key: TypeAlias = tuple[str, str]

SITE, GATE, NETWORK, COUNTRY, PINS = "site", "gate", "network", "wifi_country", "pins"
TOKEN, ENROL = "token", "enrol"
REQUIRED = (SITE, GATE, NETWORK)
SHORT: Mapping[str, Key] = MappingProxyType(
    {
        SITE: ("gate", "site"),
        GATE: ("gate", "name"),
        "broker": ("link", "broker_host"),
        "broker_port": ("link", "broker_port"),
        "sensor": ("sensor", "part"),
        "release": ("turnstile", "release"),
        "passage": ("turnstile", "passage"),
    }
)
_OTHERS = (NETWORK, COUNTRY, PINS, TOKEN, ENROL)
_TYPES: Mapping[Key, mi.Type] = MappingProxyType(
    {
        (section.name, field.name): mi.type_info(field.type)
        for section in fields_of(Settings)
        for field in fields_of(section.type)
    }
)
_MUST_BE_SAID = frozenset(
    (section.name, field.name)
    for section in fields_of(Settings)
    if section.required
    for field in fields_of(section.type)
    if field.required
)
_WHOLE = re.compile(r"-?[0-9]{1,18}\Z")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?\Z")
_PIN = re.compile(r"([a-z0-9_]+)=([0-9]{1,4})\Z")
PIN_FORM = 'NAME=NUMBER with a space between two, as "entry_relay=22 exit_relay=26"'


def key_of(column: str) -> Key | None:
    """Return the setting that a column is, None where it is none."""
    if column in SHORT:
        return SHORT[column]
    section, _, key = column.partition(".")
    return (section, key) if (section, key) in _TYPES else None


def required_of(section: str) -> str:
    """Return the columns of what a section must say."""
    names = [name for name, key in SHORT.items() if key[0] == section and key in _MUST_BE_SAID]
    return ", ".join(names) or section


def is_known(column: str) -> bool:
    """Return whether there is such a column."""
    return column in _OTHERS or key_of(column) is not None


def nearest(column: str) -> str:
    """Return a sentence that says what was probably meant, or what there is."""
    known = [*SHORT, *_OTHERS, *(".".join(key) for key in _TYPES)]
    close = difflib.get_close_matches(column, known, n=1)
    if close:
        return f"Did you mean {close[0]}?"
    return f"There are {', '.join((*SHORT, *_OTHERS))}, and each setting as SECTION.KEY."


def value_of(key: Key, text: str) -> object:
    """Return what stands in a cell as the setting's type; a text where it is none of that type.

    Whether it is in range is the loader's to say, which is given the text too.
    """
    kind = _TYPES[key]
    match kind:
        case mi.BoolType() if text in ("true", "false"):
            return text == "true"
        case mi.IntType() if _WHOLE.match(text):
            return int(text)
        case mi.FloatType() if _NUMBER.match(text):
            return float(text)
        case mi.LiteralType(values=values) if _WHOLE.match(text) and int(text) in values:
            return int(text)
        case _:
            return text


def pins_of(text: str) -> dict[str, int] | None:
    """Return the pins of a cell by name, None where it is not written as `PIN_FORM` says."""
    found: dict[str, int] = {}
    for word in text.split(" "):
        match = _PIN.match(word)
        if match is None or match[1] in found:
            return None
        found[match[1]] = int(match[2])
    return found
