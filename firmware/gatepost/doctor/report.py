"""What the doctor found, for people, for programs, and as the page firmware/TROUBLESHOOTING.md."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from gatepost.doctor.model import Check, Level, Result, texts

_MARKS = {
    Level.OK: ("ok", "32"),
    Level.WARNING: ("WARN", "33"),
    Level.FAULT: ("FAULT", "31;1"),
    Level.NOT_CHECKED: ("-", "2"),
}
_ID_COLUMNS = 20
_LABELS = (("says", "found"), ("means", "means"), ("remedy", "do"))
MARKERS = ("<!-- begin: gatepost doctor --list -->", "<!-- end: gatepost doctor --list -->")


def status_of(results: Sequence[Result]) -> int:
    """Return the exit status: 0 all well, 1 warnings, 2 faults. What was not checked is neither."""
    levels = {result.level for result in results}
    if Level.FAULT in levels:
        return 2
    return 1 if Level.WARNING in levels else 0


def line_of(result: Result, *, in_colour: bool, columns: int) -> str:
    """Return one check as one line."""
    mark, code = _MARKS[result.level]
    text = f"{mark:<6}{result.id:<{_ID_COLUMNS}}{result.says}"
    if len(text) > columns:
        text = text[: columns - 3] + "..."
    return _coloured(text, code, from_=0, to=6) if in_colour else text


def _coloured(text: str, code: str, *, from_: int, to: int) -> str:
    return f"{text[:from_]}\x1b[{code}m{text[from_:to]}\x1b[0m{text[to:]}"


def summary(results: Sequence[Result], *, in_colour: bool, columns: int) -> Iterator[str]:
    """Yield the end of the report: faults first, then warnings, each with its remedy."""
    for level in (Level.FAULT, Level.WARNING):
        for result in results:
            if result.level is level:
                yield ""
                yield from _explained(result, in_colour=in_colour, columns=columns)
    counts = {level: sum(each.level is level for each in results) for level in Level}
    yield ""
    names = {
        Level.FAULT: "faults",
        Level.WARNING: "warnings",
        Level.OK: "ok",
        Level.NOT_CHECKED: "not checked",
    }
    yield ", ".join(f"{name}: {counts[level]}" for level, name in names.items())


def _explained(result: Result, *, in_colour: bool, columns: int) -> Iterator[str]:
    mark, code = _MARKS[result.level]
    head = f"{mark} {result.title} ({result.name})"
    yield _coloured(head, code, from_=0, to=len(head)) if in_colour else head
    for name, label in _LABELS:
        yield textwrap.fill(
            getattr(result, name),
            columns,
            initial_indent=f"  {label:<7}",
            subsequent_indent=" " * 9,
            break_long_words=False,
            break_on_hyphens=False,
        )


def as_json(results: Sequence[Result], **about: object) -> dict[str, Any]:
    """Return the report for programs. `problem` is null where nothing is wrong."""
    return {
        **about,
        "status": status_of(results),
        "checks": [
            {
                "id": each.id,
                "title": each.title,
                "level": each.level.value,
                "problem": each.problem or None,
                "says": each.says,
                "means": each.means or None,
                "remedy": each.remedy or None,
            }
            for each in results
        ],
    }


def list_of(checks: Sequence[Check]) -> Iterator[str]:
    """Yield one line a check."""
    for check in checks:
        moves = " (with --move)" if check.moves else ""
        yield f"{check.id:<{_ID_COLUMNS}}{texts()[check.id].title}{moves}"


def as_markdown(checks: Sequence[Check]) -> str:
    """Return the table of all that can be found, as the page holds it."""
    lines = ["| symptom | doctor says | do |", "|---|---|---|"]
    for check in checks:
        for name, problem in texts()[check.id].problems.items():
            level = "" if problem.level is Level.FAULT else " (warning)"
            lines.append(
                f"| {_cell(problem.means)} | `{check.id}/{name}`{level}: {_cell(problem.says)} "
                f"| {_cell(problem.remedy)} |"
            )
    return "\n".join((*lines, ""))


def _cell(text: str) -> str:
    """Return a text as Markdown takes it in a table, what is filled in as *words*."""
    escaped = text.replace("|", "\\|").replace("_", "\\_").replace("<", "&lt;")
    return re.sub(r"\{(\w+)\}", r"*\1*", escaped)
