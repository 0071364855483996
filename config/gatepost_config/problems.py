"""What is wrong with a document, in whole sentences. Imported only when something is."""

import difflib
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect as mi
from msgspec.structs import FieldInfo
from msgspec.structs import fields as fields_of

from gatepost_config.link_settings import HOST_FORM, NAME_FORM
from gatepost_config.settings import (
    HOURS_FORM,
    REGIME_FORM,
    ROOT_KEY_FORM,
    Settings,
    decode_path,
)

_UNITS = {
    "_s": "seconds",
    "_c": "degrees Celsius",
    "_hz": "hertz",
    "_pct": "percent",
    "_cm": "centimetres",
    "_v": "volts",
}
_FORMS = {
    NAME_FORM: "1 to 63 of a-z, 0-9 and '-', beginning with a letter or digit",
    HOST_FORM: "the name or the address of a host, without a port, in quotes",
    REGIME_FORM: 'the name of a regime, the absolute path of a file, or "" for none',
    HOURS_FORM: 'times of day as "22:00-06:00", or "" for none',
    ROOT_KEY_FORM: 'the 64 hexadecimal digits of a public key, or two with a space, or "" for none',
}
# Messages go to logs and to a gate's card. Where a setting names the file of a secret somebody may
# have written the secret itself, and what a text is in a setting that there is not nobody knows.
_SECRET = re.compile(r"(?i)secret|passw|token|key|psk|pin_code")
_NOT_SHOWN = "'(not shown)'"
# What people write in place of our units; only used to say which unit is meant.
_FOREIGN_UNIT = re.compile(r"_(ms|msec|us|min|minutes|sec|secs|seconds|h|hours|f|k|celsius)$")


def find(raw: dict[str, object], *, path: Path, text: str) -> list[str]:
    """Return a sentence for each thing in a document that `Settings` does not accept.

    Args:
        raw: the parsed document.
        path: for the messages.
        text: the document, for line numbers.
    """
    problems: list[str] = []
    sections = {section.name: section for section in fields_of(Settings)}
    for name, content in raw.items():
        where = f"{path}{_line(text, name, None)}: [{name}]"
        section = sections.get(name)
        if section is None:
            problems.append(f"{where}: no such section.{_nearest(name, sections)}")
        elif not isinstance(content, dict):
            problems.append(f"{where}: must be a section of settings, not {_shown(name, content)}.")
        else:
            problems += _section_problems(name, content, section, path, text)
    problems += [
        f"{path}: [{name}] is missing; it must say: {', '.join(_required(section))}."
        for name, section in sections.items()
        if name not in raw and section.required
    ]
    return problems


def good_sections(raw: dict[str, object]) -> dict[str, Any]:
    """Return the sections that are right by themselves, those with defaults alone included."""
    good: dict[str, Any] = {}
    for section in fields_of(Settings):
        with suppress(msgspec.ValidationError):
            good[section.name] = msgspec.convert(
                raw.get(section.name, {}), section.type, dec_hook=decode_path
            )
    return good


def _section_problems(
    name: str, content: dict[str, object], section: FieldInfo, path: Path, text: str
) -> list[str]:
    problems = []
    fields = {field.name: field for field in fields_of(section.type)}
    for key, value in content.items():
        field = fields.get(key)
        shown = _shown(key, value, is_known=field is not None)
        where = f"{path}{_line(text, name, key)}: [{name}] {key} = {shown}"
        if field is None:
            problems.append(f"{where}: no such setting.{_nearest(key, fields)}")
            continue
        if not _accepts(field, value):
            remedy = "" if field.required else f" The default is {_toml(field.default)}."
            problems.append(f"{where}: must be {_allowed(field)}.{remedy}")
    problems += [
        f"{path}: [{name}] {key} is missing; it must be {_allowed(fields[key])}."
        for key in _required(section)
        if key not in content
    ]
    return problems


def _shown(key: str, value: object, *, is_known: bool = False) -> str:
    """Return a value for a message, unless it may be somebody's secret."""
    is_secret = _SECRET.search(key) or (not is_known and _has_text(value))
    return _NOT_SHOWN if is_secret else repr(value)


def _has_text(value: object) -> bool:
    match value:
        case str():
            return True
        case list():
            return any(map(_has_text, value))
        case dict():
            return any(map(_has_text, value.values()))
        case _:
            return False


def _required(section: FieldInfo) -> list[str]:
    return [field.name for field in fields_of(section.type) if field.required]


def _accepts(field: FieldInfo, value: object) -> bool:
    try:
        msgspec.convert(value, field.type, dec_hook=decode_path)
    except msgspec.ValidationError:
        return False
    return True


def _allowed(field: FieldInfo) -> str:
    """Return in words what a setting accepts: its type, unit and range."""
    kind = mi.type_info(field.type)
    unit = next((f" of {unit}" for end, unit in _UNITS.items() if field.name.endswith(end)), "")
    match kind:
        case mi.IntType() | mi.FloatType():
            noun = "a whole number" if isinstance(kind, mi.IntType) else "a number"
            return f"{noun}{unit} from {kind.ge} to {kind.le}, without quotes or a unit"
        case mi.StrType(pattern=str(form)):
            return _FORMS[form]
        case mi.StrType(min_length=int(least), max_length=int(most)):
            return f"a text of {least} to {most} characters, in quotes"
        case mi.LiteralType():
            return "one of " + ", ".join(_toml(value) for value in kind.values)
        case mi.BoolType():
            return "true or false"
        case mi.CustomType():
            return "an absolute path in quotes"
        case _:
            return "a text in quotes"


def _toml(value: object) -> str:
    """Return a default as one would write it in the file."""
    text = f'"{value}"' if isinstance(value, str | Path) else str(value)
    return text.lower() if isinstance(value, bool) else text


def _nearest(name: str, known: dict[str, FieldInfo]) -> str:
    """Return a sentence that names what was probably meant, or everything there is."""
    stem = _FOREIGN_UNIT.sub("", name)
    for key, field in known.items():
        if name != stem and any(key == stem + suffix for suffix in _UNITS):
            return f" Did you mean {key}, {_allowed(field)}?"
    close = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]}?" if close else f" There are: {', '.join(known)}."


def _line(text: str, section: str, key: str | None) -> str:
    """Return ":N" for the line of a section or key, or nothing where it is written otherwise."""
    inside = False
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            inside = stripped.partition("]")[0].strip("[ ") == section
            if inside and key is None:
                return f":{number}"
        elif inside and key is not None and re.match(rf"{re.escape(key)}\s*=", stripped):
            return f":{number}"
    return ""
