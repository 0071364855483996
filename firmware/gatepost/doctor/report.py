"""What the doctor found, for people, for programs, and as the page firmware/TROUBLESHOOTING.md."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gatepost.core.words import Text
from gatepost.doctor.columns import fitted, padded, wrapped
from gatepost.doctor.model import Check, Level, Result, texts

_MARKS = {
    Level.OK: (Text("ok"), "32"),
    Level.WARNING: (Text("WARN"), "33"),
    Level.FAULT: (Text("FAULT"), "31;1"),
    Level.NOT_CHECKED: (Text("-"), "2"),
}
_COUNTS = {
    Level.FAULT: Text("faults"),
    Level.WARNING: Text("warnings"),
    Level.OK: Text("ok"),
    Level.NOT_CHECKED: Text("not checked"),
}
_MARK_COLUMNS, _ID_COLUMNS, _LABEL_COLUMNS, _INDENT = 6, 20, 7, 9
_LABELS = (("says", Text("found")), ("means", Text("means")), ("remedy", Text("do")))
_WITH_MOVE = Text("with --move")
_HEADINGS = (Text("symptom"), Text("doctor says"), Text("do"))
_WARNING = Text("warning")
# Says a text in the language of the user; `str` leaves it in English.
Say = Callable[[str], str]
MARKERS = ("<!-- begin: gatepost doctor --list -->", "<!-- end: gatepost doctor --list -->")


def status_of(results: Sequence[Result]) -> int:
    """Return the exit status: 0 all well, 1 warnings, 2 faults. What was not checked is neither."""
    levels = {result.level for result in results}
    if Level.FAULT in levels:
        return 2
    return 1 if Level.WARNING in levels else 0


def line_of(result: Result, *, in_colour: bool, columns: int, say: Say = str) -> str:
    """Return one check as one line, as more where it does not fit: no figure is left out."""
    mark, code = _MARKS[result.level]
    shown = padded(say(mark), _MARK_COLUMNS)
    before = _MARK_COLUMNS + _ID_COLUMNS
    lines = fitted(say(result.says), columns - before)
    text = f"\n{' ' * before}".join([f"{shown}{result.id:<{_ID_COLUMNS}}{lines[0]}", *lines[1:]])
    return _coloured(text, code, to=len(shown)) if in_colour else text


def _coloured(text: str, code: str, *, to: int) -> str:
    return f"\x1b[{code}m{text[:to]}\x1b[0m{text[to:]}"


def summary(
    results: Sequence[Result], *, in_colour: bool, columns: int, say: Say = str
) -> Iterator[str]:
    """Yield the end of the report: faults first, then warnings, each with its remedy."""
    for level in (Level.FAULT, Level.WARNING):
        for result in results:
            if result.level is level:
                yield ""
                yield from _explained(result, in_colour=in_colour, columns=columns, say=say)
    counts = {level: sum(each.level is level for each in results) for level in Level}
    yield ""
    yield ", ".join(f"{say(name)}: {counts[level]}" for level, name in _COUNTS.items())


def _explained(result: Result, *, in_colour: bool, columns: int, say: Say) -> Iterator[str]:
    mark, code = _MARKS[result.level]
    head = f"{say(mark)} {say(result.title)} ({result.name})"
    yield _coloured(head, code, to=len(head)) if in_colour else head
    for name, label in _LABELS:
        first = " " * (_INDENT - _LABEL_COLUMNS) + padded(say(label), _LABEL_COLUMNS)
        lines = wrapped(say(getattr(result, name)), columns - _INDENT)
        yield "\n".join((f"{first}{lines[0]}", *(f"{' ' * _INDENT}{each}" for each in lines[1:])))


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


def list_of(checks: Sequence[Check], *, say: Say = str) -> Iterator[str]:
    """Yield one line a check."""
    for check in checks:
        moves = f" ({say(_WITH_MOVE)})" if check.moves else ""
        yield f"{check.id:<{_ID_COLUMNS}}{say(texts()[check.id].title)}{moves}"


def as_markdown(checks: Sequence[Check], *, say: Say = str) -> str:
    """Return the table of all that can be found, as the page holds it."""
    lines = [f"| {' | '.join(map(say, _HEADINGS))} |", "|---|---|---|"]
    for check in checks:
        for name, problem in texts()[check.id].problems.items():
            level = "" if problem.level is Level.FAULT else f" ({say(_WARNING)})"
            lines.append(
                f"| {_cell(say(problem.means))} | `{check.id}/{name}`{level}: "
                f"{_cell(say(problem.says))} | {_cell(say(problem.remedy))} |"
            )
    return "\n".join((*lines, ""))


def _cell(text: str) -> str:
    """Return a text as Markdown takes it in a table, what is filled in as *words*."""
    escaped = text.replace("|", "\\|").replace("_", "\\_").replace("<", "&lt;")
    return re.sub(r"\{(\w+)\}", r"*\1*", escaped)
