"""What is wrong with the shape of a regime file or a site file, table by table, with its line."""

import difflib
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from gatepost_config.regime_file import (
    BY_KEY,
    NOT_A_SITES,
    ROWS,
    SITE_ONLY,
    TABLES,
    EntrancesTable,
    LimitsTable,
    RowTable,
)
from gatepost_config.regime_lines import line_of

EXAMPLE_ZONE = "Asia/Shanghai"


class Source(NamedTuple):
    """A file: its path for messages, its parsed content, its text for line numbers."""

    path: str
    raw: dict[str, Any]
    text: str

    def at(self, table: str, key: str | None = None, number: int | None = None) -> str:
        """Return file and line of a table, of a key in it, or of a numbered row."""
        line = line_of(self.text, table, key, number)
        return f"{self.path}:{line}" if line else self.path


def shape_problems(source: Source, *, is_site: bool) -> Iterator[str]:
    """Yield what no single part of the file should look like."""
    allowed = [*TABLES, *ROWS]
    if is_site:
        allowed = [SITE_ONLY, *(name for name in allowed if name not in NOT_A_SITES)]
    for name, content in source.raw.items():
        if name not in allowed:
            close = difflib.get_close_matches(name, allowed, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(allowed)}."
            yield f"{source.at(name)}: {name}: no such table; {hint}"
        elif name in ROWS:
            yield from _row_problems(source, name, content)
        elif name == SITE_ONLY:
            if not isinstance(content, str):
                yield f"{source.at(name)}: timezone: must be a name such as {EXAMPLE_ZONE!r}."
        elif is_site and name in BY_KEY:
            yield from _key_problems(source, name, content)
        else:
            yield from _converted(source, name, content, TABLES[name])
    if not is_site:
        yield from (
            f"{source.path}: {name} is missing."
            for name in [*TABLES, *ROWS]
            if name not in source.raw
        )


def _row_problems(source: Source, name: str, content: object) -> Iterator[str]:
    if not isinstance(content, list):
        yield f"{source.at(name)}: {name}: write [[{name}]], once for each row."
        return
    for number, row in enumerate(content):
        try:
            msgspec.convert(row, RowTable)
        except msgspec.ValidationError as error:
            yield f"{source.at(name, number=number)}: [[{name}]] {_said(error)}"


def _key_problems(source: Source, name: str, content: object) -> Iterator[str]:
    """Check a table of which a site gives only some keys."""
    if not isinstance(content, dict):
        yield f"{source.at(name)}: [{name}] must be a table."
        return
    kind = TABLES[name]
    if name in ("limits", "entrances"):
        struct = LimitsTable if name == "limits" else EntrancesTable
        types = {field.name: field.type for field in msgspec.structs.fields(struct)}
    else:
        types = {}
    for key, value in content.items():
        if types and key not in types:
            where = f"{source.at(name, key)}: [{name}] {key}"
            yield f"{where}: no such key; there are: {', '.join(types)}."
            continue
        target, wanted = (value, types[key]) if types else ({key: value}, kind)
        try:
            msgspec.convert(target, wanted)
        except msgspec.ValidationError as error:
            yield f"{source.at(name, key)}: [{name}] {key}: {_said(error)}"


def _converted(source: Source, name: str, content: object, kind: object) -> Iterator[str]:
    if isinstance(content, dict) and name in ("choices", "checks", "findings"):
        yield from _key_problems(source, name, content)
        return
    try:
        msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        key = next(iter(str(error).partition("`$.")[2].rstrip("`").split("["))) or None
        yield f"{source.at(name, key)}: [{name}] {_said(error)}"


def _said(error: msgspec.ValidationError) -> str:
    """Return what msgspec says, without its own notation for the root."""
    words, _, where = str(error).partition(" - at `$")
    where = where.rstrip("`").lstrip(".")
    return f"{where}: {words}." if where else f"{words}."
