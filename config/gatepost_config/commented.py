"""The settings as a commented file: those of a gate, or the example that states every one."""

import re
from collections.abc import Iterator, Mapping

from msgspec import NODEFAULT

from gatepost_config.reference import Entry, Section, sections, values
from gatepost_config.settings import Settings
from gatepost_config.toml_text import block, with_comment, written

_ABOUT_THE_EXAMPLE = (
    "Gatepost: the settings of one gate. Copy this file to /etc/gatepost/gatepost.toml.",
    "",
    "Every setting is listed. One that is commented out shows its default; the others must be set. "
    "Units stand in the names: _s seconds, _c degrees Celsius. A key that does not exist, or a "
    "value out of range, stops the start with a message that says what is allowed.",
    "",
    "Made by gatepost config example, from config/gatepost_config/reference.toml.",
)
# Of these the type says everything that may be said.
_PLAIN = ("path", "yes or no")


def example() -> str:
    """Return the example file: what has a default is commented out."""
    lines = [line for text in _ABOUT_THE_EXAMPLE for line in (block(text) if text else ("#",))]
    for section in sections():
        lines += ["", *with_comment(f"[{section.name}]", section.text)]
        for entry in section.entries:
            required = entry.default is NODEFAULT
            value = written(entry.example if required else entry.default)
            mark = "" if required else "#"
            lines += with_comment(f"{mark}{entry.key} = {value}", _about(entry))
    return "\n".join((*lines, ""))


def commented(
    settings: Settings,
    lines: Mapping[str, int | None],
    *,
    heading: tuple[str, ...],
    only_changed: bool = False,
) -> str:
    """Return a file with the same settings, each with where its value is from.

    Args:
        settings: of a gate.
        lines: the settings that its file says, by name, with the line where it is known.
        heading: sentences that come first.
        only_changed: leave out what is as the default.
    """
    found = values(settings)
    text = [line for sentence in heading for line in block(sentence)]
    for section in sections():
        rows = list(_rows(section, found, lines, only_changed=only_changed))
        if rows:
            text += ["", *with_comment(f"[{section.name}]", section.text), *rows]
    return "\n".join((*text, ""))


def is_changed(entry: Entry, value: object) -> bool:
    """Return whether a value is another than the default, or there is no default."""
    return bool(entry.default is NODEFAULT or entry.default != value)


def lines_of(raw: Mapping[str, object], text: str) -> dict[str, int | None]:
    """Return the settings that a document says, by name, each with its line from 1.

    The line is None where the document says it in another way than `key = value` below a
    `[section]`, which TOML allows.
    """
    numbers: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if head := re.match(r"\[\s*([\w-]+)\s*\]", stripped):
            section = head[1]
        elif statement := re.match(r"([\w-]+)\s*=", stripped):
            numbers.setdefault(f"{section}.{statement[1]}", number)
    return {
        name: numbers.get(name)
        for section, content in raw.items()
        if isinstance(content, Mapping)
        for name in (f"{section}.{key}" for key in content)
    }


def _rows(
    section: Section,
    found: Mapping[str, object],
    lines: Mapping[str, int | None],
    *,
    only_changed: bool,
) -> Iterator[str]:
    for entry in section.entries:
        value = found[entry.name]
        if only_changed and not is_changed(entry, value):
            continue
        comment = f"{_origin(entry, lines)}. {_about(entry)}"
        yield from with_comment(f"{entry.key} = {written(value)}", comment)


def _origin(entry: Entry, lines: Mapping[str, int | None]) -> str:
    """Return where a value is from, in words."""
    if entry.name not in lines:
        return "default"
    number = lines[entry.name]
    where = "set" if number is None else f"set in line {number}"
    return where if entry.default is NODEFAULT else f"{where}, default {written(entry.default)}"


def _about(entry: Entry) -> str:
    """Return what a setting may be, and what it does."""
    allowed = "" if entry.kind in _PLAIN else f"{entry.allowed} {entry.unit}".rstrip() + ". "
    joint = "" if entry.is_line else entry.joint  # of these the section says it once
    return f"{allowed}{entry.text} {joint}".rstrip()
