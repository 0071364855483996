"""Every setting in words: what it does, its unit, what it may be, and who must start anew for it.

The texts stand in `reference.toml` and nowhere else; types, ranges and defaults come from
`Settings`. Not imported by the two processes.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, NamedTuple, get_args

import msgspec
from msgspec import Meta, Struct
from msgspec import inspect as mi
from msgspec.structs import FieldInfo
from msgspec.structs import fields as fields_of

from gatepost_config.settings import BcmPin, OptionalPin, Settings
from gatepost_config.toml_text import written
from gatepost_config.tongue import ENGLISH, Tongue, mark

# The processes that read a setting, by the word of their unit.
Process = Literal["gate", "link"]
# "safety": who is let in or out, what is measured, what is wired where. "security": who may be let
# in, and who may speak to the gate.
Matters = Literal["", "safety", "security"]
UNITS: Mapping[Process, str] = MappingProxyType(
    {"gate": "gatepost-gate", "link": "gatepost-uplink"}
)

_RANGE = mark("{least} to {most}")
_WHOLE, _NUMBER, _TRUTH = mark("whole number"), mark("number"), mark("yes or no")
_CHOICE, _TEXT, _PATH = mark("choice"), mark("text"), mark("path")
_ABSOLUTE = mark("an absolute path")
_FILE = Path(__file__).with_name("reference.toml")
# What the end of a name says.
_UNIT_ENDS = {
    "_s": "s",
    "_c": "°C",
    "_cm": "cm",
    "_v": "V",
    "_minutes": "min",
    "_hours": "h",
    "_days": "days",
    "_megabytes": "MB",
}
# One line, for a cell of a table.
_Line = Annotated[str, Meta(min_length=1, max_length=220, pattern=r"^[^\n|]+\Z")]
_Short = Annotated[str, Meta(max_length=150, pattern=r"^[^\n|]*\Z")]


class _KeyText(Struct, frozen=True, forbid_unknown_fields=True):
    en: _Line
    unit: _Short = ""
    form: _Short = ""
    matters: Matters = ""
    joint: _Short = ""
    example: str = ""
    restart: tuple[Process, ...] = ()


class _SectionText(Struct, frozen=True, forbid_unknown_fields=True):
    en: _Line
    restart: Annotated[tuple[Process, ...], Meta(min_length=1)]
    keys: dict[str, _KeyText]


class Entry(NamedTuple):
    """One setting; its texts are English.

    `field` is that of its section. `allowed` says in words what it may be, without the unit.
    `joint` says what is checked of it together with other settings, or nothing. `restart` names
    the processes that take a new value at their next start, and not before. `example` stands in the
    example file, where there is no default.
    """

    section: str
    field: FieldInfo
    kind: str
    allowed: str
    unit: str
    text: str
    joint: str
    matters: Matters
    restart: tuple[Process, ...]
    example: str

    @property
    def key(self) -> str:
        """The name within the section."""
        return self.field.name

    @property
    def name(self) -> str:
        """Section and name, as `turnstile.release_hold_s`."""
        return f"{self.section}.{self.field.name}"

    @property
    def is_line(self) -> bool:
        """Whether it is a line of the 40-pin header."""
        return self.field.type in (BcmPin, OptionalPin)

    @property
    def default(self) -> object:
        """What it is when the file does not say it; `msgspec.NODEFAULT` where the file must."""
        return self.field.default


class Section(NamedTuple):
    """One table of the file, with its settings in their order."""

    name: str
    text: str
    entries: tuple[Entry, ...]


@cache
def sections() -> tuple[Section, ...]:
    """Return all of it, in the order of the reference. Read once.

    Raises:
        msgspec.ValidationError, KeyError: the file is not as it must be; a test sees to it.
    """
    raw = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    texts = msgspec.convert(raw, type=dict[str, _SectionText])
    types = {section.name: section.type for section in fields_of(Settings)}
    return tuple(
        Section(
            name,
            text.en,
            tuple(_entry(name, text, field) for field in fields_of(types[name])),
        )
        for name, text in texts.items()
    )


def entries() -> dict[str, Entry]:
    """Return every setting by its name, as `turnstile.release_hold_s`."""
    return {entry.name: entry for section in sections() for entry in section.entries}


def values(settings: Settings) -> dict[str, object]:
    """Return the value of every setting by its name."""
    return {
        name: getattr(getattr(settings, entry.section), entry.key)
        for name, entry in entries().items()
    }


def kind_of(entry: Entry) -> mi.Type:
    """Return the type of a setting, as msgspec describes it."""
    return mi.type_info(entry.field.type)


def allowed_in(entry: Entry, tongue: Tongue = ENGLISH, *, with_unit: bool = True) -> str:
    """Return in words what a setting may be."""
    match kind_of(entry):
        case mi.IntType(ge=least, le=most) | mi.FloatType(ge=least, le=most):
            allowed = tongue.say(_RANGE, least=least, most=most)
        case mi.StrType() | mi.CustomType():
            allowed = tongue.say(entry.allowed)
        case _:
            allowed = entry.allowed
    return f"{allowed} {tongue.say(entry.unit)}" if with_unit and entry.unit else allowed


def _entry(section: str, text: _SectionText, field: FieldInfo) -> Entry:
    own = text.keys[field.name]
    kind, allowed = _words(field, own.form)
    return Entry(
        section=section,
        field=field,
        kind=kind,
        allowed=allowed,
        unit=own.unit or (_unit(field.name) if "number" in kind else ""),
        text=own.en,
        joint=own.joint,
        matters=own.matters,
        restart=own.restart or text.restart,
        example=own.example,
    )


def _unit(key: str) -> str:
    return next((unit for end, unit in _UNIT_ENDS.items() if key.endswith(end)), "")


def _words(field: FieldInfo, form: str) -> tuple[str, str]:
    """Return the type and what is allowed, in words."""
    match mi.type_info(field.type):
        case mi.IntType(ge=least, le=most):
            return _WHOLE, _RANGE.format(least=least, most=most)
        case mi.FloatType(ge=least, le=most):
            return _NUMBER, _RANGE.format(least=least, most=most)
        case mi.BoolType():
            return _TRUTH, "true, false"
        case mi.LiteralType():
            return _CHOICE, ", ".join(map(written, get_args(field.type)))
        case mi.StrType():
            return _TEXT, form
        case _:
            return _PATH, _ABSOLUTE
