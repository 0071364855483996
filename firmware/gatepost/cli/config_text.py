"""What changes between two files, and what every setting is: as text, Markdown, JSON."""

import json
import textwrap
from collections.abc import Iterator, Sequence

from msgspec import NODEFAULT

from gatepost.cli.config_show import plain
from gatepost.verify.diagram import between
from gatepost_config.difference import Change, restarts
from gatepost_config.reference import UNITS, Entry, Process, Section, sections
from gatepost_config.schema import settings_schema
from gatepost_config.toml_text import written

_WIDTH = 100
_INDENT = "    "
_BEGIN, _END = (f"<!-- {word}: gatepost config reference -->" for word in ("begin", "end"))
_HEAD = "| key | type | range or choices | unit | default | what it does | counts after |"
_RULE = "|---|---|---|---|---|---|---|"
_MARKS = {"": "", "safety": " **Safety.**", "security": " **Security.**"}


def schema_text() -> str:
    """Return the JSON Schema of the file."""
    return json.dumps(settings_schema(), indent=2, ensure_ascii=False) + "\n"


def diff_text(changes: Sequence[Change]) -> str:
    """Return the changes, a line each, and what to do so that they count."""
    if not changes:
        return "the same settings: nothing to restart\n"
    units = " ".join(UNITS[process] for process in restarts(changes))
    return f"{changes_text(changes)}; in force after: systemctl restart {units}\n"


def changes_text(changes: Sequence[Change]) -> str:
    """Return the changes, a line each, and in a last line how many there are."""
    lines = [
        f"{_name(each.entry)}: {written(each.old)} -> {written(each.new)}{_unit(each.entry)}"
        f"{_mark(each.entry)}  (restart: {_units(each.entry.restart)})"
        for each in changes
    ]
    counts = [f"{len(changes)} {'setting differs' if len(changes) == 1 else 'settings differ'}"]
    counts += [
        f"{number} of {kind}"
        for kind in ("safety", "security")
        if (number := sum(each.entry.matters == kind for each in changes))
    ]
    return "\n".join((*lines, ", ".join(counts)))


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
    rows = "\n".join(
        f"| `{entry.key}` | {entry.kind} | {entry.allowed} | {entry.unit} | {_default(entry)} | "
        f"{entry.text}{_joint(entry, '*Checked:*')}{_MARKS[entry.matters]} | "
        f"{_units(entry.restart)} |"
        for entry in section.entries
    )
    return f"## `[{section.name}]`\n\n{section.text}\n\n{_HEAD}\n{_RULE}\n{rows}"


def _explained(entry: Entry) -> Iterator[str]:
    default = "must be set" if entry.default is NODEFAULT else f"default {written(entry.default)}"
    mark = f"; {entry.matters}" if entry.matters else ""
    yield f"{_name(entry)}: {entry.kind}, {entry.allowed}{_unit(entry)}; {default}{mark}"
    yield from textwrap.wrap(
        f"{entry.text}{_joint(entry, 'Checked:')} After a change: restart {_units(entry.restart)}.",
        _WIDTH,
        initial_indent=_INDENT,
        subsequent_indent=_INDENT,
        break_on_hyphens=False,
    )


def _name(entry: Entry) -> str:
    return f"[{entry.section}] {entry.key}"


def _unit(entry: Entry) -> str:
    return f" {entry.unit}" if entry.unit else ""


def _mark(entry: Entry) -> str:
    return f"  ! {entry.matters}" if entry.matters else ""


def _joint(entry: Entry, label: str) -> str:
    return f" {label} {entry.joint}" if entry.joint else ""


def _default(entry: Entry) -> str:
    return "must be set" if entry.default is NODEFAULT else f"`{written(entry.default)}`"


def _units(processes: tuple[Process, ...]) -> str:
    return " and ".join(UNITS[process] for process in processes)
