"""What changes between two files, and what every setting is: as text, Markdown, JSON."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import NODEFAULT

from gatepost.cli.config_show import plain
from gatepost.cli.config_words import joined, tongue
from gatepost.cli.words import mark, say, space
from gatepost.verify.diagram import between
from gatepost_config.difference import Change, restarts
from gatepost_config.reference import UNITS, Entry, Matters, Section, allowed_in, sections
from gatepost_config.schema import settings_schema
from gatepost_config.toml_text import written

_WIDTH = 100
_INDENT = "    "
_BEGIN, _END = (f"<!-- {word}: gatepost config reference -->" for word in ("begin", "end"))
_HEAD = (
    *(mark("setting"), mark("type"), mark("range or choices"), mark("unit"), mark("default")),
    *(mark("what it does"), mark("counts after")),
)
_MATTERS: Mapping[Matters, str] = {"safety": mark("safety"), "security": mark("security")}
_NUMBERS: Mapping[Matters, str] = {
    "safety": mark("{number} of safety"),
    "security": mark("{number} of security"),
}
_MARKS: Mapping[Matters, str] = {"safety": mark("Safety."), "security": mark("Security.")}


def schema_text() -> str:
    """Return the JSON Schema of the file."""
    return json.dumps(settings_schema(), indent=2, ensure_ascii=False) + "\n"


def diff_text(changes: Sequence[Change]) -> str:
    """Return the changes, a line each, and what to do so that they count."""
    if not changes:
        return say("the same settings: nothing to restart") + "\n"
    units = " ".join(UNITS[process] for process in restarts(changes))
    after = say("in force after: systemctl restart {units}", units=units)
    return f"{changes_text(changes)}{say('; ')}{after}\n"


def changes_text(changes: Sequence[Change]) -> str:
    """Return the changes, a line each, and in a last line how many there are."""
    lines = [
        f"{_name(each.entry)}: {written(each.old)} -> {written(each.new)}{_unit(each.entry)}"
        f"{_mark(each.entry)}  {_restart(each.entry)}"
        for each in changes
    ]
    total = (
        mark("{count} setting differs") if len(changes) == 1 else mark("{count} settings differ")
    )
    counts = [say(total, count=len(changes))]
    counts += [
        say(told, number=number)
        for kind, told in _NUMBERS.items()
        if (number := sum(each.entry.matters == kind for each in changes))
    ]
    return "\n".join((*lines, say(", ").join(counts)))


def diff_json(changes: Sequence[Change]) -> str:
    """Return the changes as one line of JSON."""
    return (
        json.dumps(
            {
                "changes": [
                    {
                        "section": entry.section,
                        "key": entry.key,
                        "old": plain(old),
                        "new": plain(new),
                        "unit": entry.unit or None,
                        "matters": entry.matters or None,
                        "restart": [UNITS[process] for process in entry.restart],
                    }
                    for entry, old, new in changes
                ],
                "restart": [UNITS[process] for process in restarts(changes)],
            },
            ensure_ascii=False,
        )
        + "\n"
    )


def reference_text(wanted: Sequence[str]) -> str:
    """Return what the settings are whose name has one of the words; of all without words."""
    return "".join(
        f"{line}\n"
        for section in sections()
        for entry in section.entries
        if not wanted or any(word in entry.name for word in wanted)
        for line in _explained(entry)
    )


def reference_markdown() -> str:
    """Return a table for each section."""
    return "\n\n".join(_table(section) for section in sections()) + "\n"


def renewed_reference(text: str) -> str:
    """Return a document with the tables between its markers as they are to be.

    Raises:
        ValueError: it has not both markers, in this order.
    """
    return between(text, _BEGIN, _END, reference_markdown())


def _table(section: Section) -> str:
    rows = "\n".join(_line(_cells(entry)) for entry in section.entries)
    head, rule = _line(map(say, _HEAD)), "|" + "---|" * len(_HEAD)
    return f"## `[{section.name}]`\n\n{say(section.text)}\n\n{head}\n{rule}\n{rows}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(entry: Entry) -> tuple[str, ...]:
    told = [say(entry.text)]
    if entry.joint:
        told += [f"*{say('Checked:')}* {say(entry.joint)}"]
    if entry.matters:
        told += [f"**{say(_MARKS[entry.matters])}**"]
    is_set = entry.default is NODEFAULT
    default = say("must be set") if is_set else f"`{written(entry.default)}`"
    allowed = allowed_in(entry, tongue(), with_unit=False)
    unit, what = say(entry.unit), space().join(told)
    return (f"`{entry.key}`", say(entry.kind), allowed, unit, default, what, _units(entry))


def _explained(entry: Entry) -> Iterator[str]:
    told = say(
        "{name}: {kind}, {allowed}; {default}",
        name=_name(entry),
        kind=say(entry.kind),
        allowed=allowed_in(entry, tongue()),
        default=_default(entry),
    )
    yield told + (say("; ") + say(_MATTERS[entry.matters]) if entry.matters else "")
    sentences = [say(entry.text)]
    sentences += [say("Checked:"), say(entry.joint)] if entry.joint else []
    sentences += [say("After a change: restart {units}.", units=_units(entry))]
    width = _WIDTH - len(_INDENT)
    for line in tongue().wrap(space().join(sentences), width):
        yield f"{_INDENT}{line}"


def _name(entry: Entry) -> str:
    return f"[{entry.section}] {entry.key}"


def _unit(entry: Entry) -> str:
    return f" {say(entry.unit)}" if entry.unit else ""


def _mark(entry: Entry) -> str:
    return f"  ! {say(_MATTERS[entry.matters])}" if entry.matters else ""


def _restart(entry: Entry) -> str:
    return say("(restart: {units})", units=_units(entry))


def _default(entry: Entry) -> str:
    if entry.default is NODEFAULT:
        return say("must be set")
    return say("default {value}", value=written(entry.default))


def _units(entry: Entry) -> str:
    return joined(tuple(UNITS[process] for process in entry.restart))
