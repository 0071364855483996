"""The settings as a commented file: those of a gate, or the example that states every one."""

import re
from collections.abc import Iterator, Mapping

from msgspec import NODEFAULT

from gatepost_config.reference import Entry, allowed_in, sections, values
from gatepost_config.settings import Settings
from gatepost_config.toml_text import block, with_comment, written
from gatepost_config.tongue import ENGLISH, Tongue, mark

_ABOUT_THE_EXAMPLE = (
    mark("Gatepost: the settings of one gate. Copy this file to /etc/gatepost/gatepost.toml."),
    "",
    mark(
        "Every setting is listed. One that is commented out shows its default; the others must be "
        "set. Units stand in the names: _s seconds, _c degrees Celsius. A key that does not exist, "
        "or a value out of range, stops the start with a message that says what is allowed."
    ),
    "",
    mark("Made by gatepost config example, from config/gatepost_config/reference.toml."),
)
_DEFAULT, _SET, _LINE = mark("default"), mark("set"), mark("set in line {line}")
_OTHERWISE = mark("{set}, default {default}")
_SENTENCE = mark("{told}.")
# Of these the type says everything that may be said.
_PLAIN = ("path", "yes or no")


def example(tongue: Tongue = ENGLISH) -> str:
    """Return the example file: what has a default is commented out."""
    lines = [line for text in _ABOUT_THE_EXAMPLE for line in _block(text, tongue)]
    for section in sections():
        about = tongue.say(section.text)
        lines += ["", *with_comment(f"[{section.name}]", about, tongue.wrap)]
        for entry in section.entries:
            required = entry.default is NODEFAULT
            value = written(entry.example if required else entry.default)
            statement = f"{'' if required else '#'}{entry.key} = {value}"
            lines += with_comment(statement, _about(entry, tongue), tongue.wrap)
    return "\n".join((*lines, ""))


def _block(text: str, tongue: Tongue) -> Iterator[str]:
    return block(tongue.say(text), tongue.wrap) if text else iter(("#",))


def commented(
    settings: Settings,
    lines: Mapping[str, int | None],
    *,
    heading: tuple[str, ...],
    only_changed: bool = False,
    tongue: Tongue = ENGLISH,
) -> str:
    """Return a file with the same settings, each with where its value is from.

    Args:
        settings: of a gate.
        lines: the settings that its file says, by name, with the line where it is known.
        heading: sentences that come first.
        only_changed: leave out what is as the default.
        tongue: the language of the comments.
    """
    found = values(settings)
    text = [line for sentence in heading for line in block(sentence, tongue.wrap)]
    for section in sections():
        statements: list[str] = []
        for entry in section.entries:
            value = found[entry.name]
            if is_changed(entry, value) or not only_changed:
                comment = _with_origin(entry, lines, tongue)
                statement = f"{entry.key} = {written(value)}"
                statements += with_comment(statement, comment, tongue.wrap)
        if statements:
            about = tongue.say(section.text)
            text += ["", *with_comment(f"[{section.name}]", about, tongue.wrap), *statements]
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


def _with_origin(entry: Entry, lines: Mapping[str, int | None], tongue: Tongue) -> str:
    origin = tongue.say(_SENTENCE, told=_origin(entry, lines, tongue))
    return f"{origin}{tongue.space}{_about(entry, tongue)}"


def _origin(entry: Entry, lines: Mapping[str, int | None], tongue: Tongue) -> str:
    """Return where a value is from, in words."""
    say = tongue.say
    if entry.name not in lines:
        return say(_DEFAULT)
    number = lines[entry.name]
    where = say(_SET) if number is None else say(_LINE, line=number)
    if entry.default is NODEFAULT:
        return where
    return say(_OTHERWISE, set=where, default=written(entry.default))


def _about(entry: Entry, tongue: Tongue) -> str:
    """Return what a setting may be, and what it does."""
    say = tongue.say
    joint = "" if entry.is_line else entry.joint  # of these the section says it once
    allowed = "" if entry.kind in _PLAIN else say(_SENTENCE, told=allowed_in(entry, tongue))
    told = (allowed, say(entry.text), say(joint))
    return tongue.space.join(filter(None, told))
