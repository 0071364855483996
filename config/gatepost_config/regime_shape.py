"""What is wrong with the shape of a regime file or a site file, table by table, with its line."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from gatepost_config.regime_file import (
    BY_KEY,
    NOT_A_SITES,
    OPTIONAL,
    ROWS,
    SITE_ONLY,
    TABLES,
    RowTable,
)
from gatepost_config.regime_lines import line_of
from gatepost_config.regime_values import Wrong, hint, wrong

EXAMPLE_ZONE = "Asia/Shanghai"
_OF_STRUCTS = ("limits", "entrances")
_SCALARS = (SITE_ONLY, "regime", "title", "sources", "sequence")


class Source(NamedTuple):
    """A file: its path for messages, its parsed content, its text for line numbers."""

    path: str
    raw: dict[str, Any]
    text: str

    def at(self, table: str, key: str | None = None, number: int = 0) -> str:
        """Return file and line of a table, of a key in it, or of a numbered row."""
        line = line_of(self.text, table, key, number)
        return f"{self.path}:{line}" if line else self.path


def shape_problems(source: Source, *, is_site: bool) -> Iterator[str]:
    """Yield what no single part of the file should look like."""
    allowed = [*TABLES, *ROWS]
    if is_site:
        allowed = [SITE_ONLY, *(name for name in allowed if name not in NOT_A_SITES)]
    for name, content in source.raw.items():
        if name in NOT_A_SITES and is_site:
            yield f"{source.at(name)}: {name}: belongs to the regime's own file; take it out."
        elif name not in allowed:
            yield f"{source.at(name)}: {name}: no such table; {hint(name, allowed)}"
        elif name in ROWS:
            yield from _row_problems(source, name, content)
        elif name == SITE_ONLY:
            if not isinstance(content, str):
                example = f"a name such as {EXAMPLE_ZONE!r}"
                yield f"{source.at(name)}: {name} = {content!r}: must be {example}."
        else:
            found = _of_keys(name, content) if is_site and name in BY_KEY else None
            yield from _sentences(source, name, found or wrong(TABLES[name], content))
    if not is_site:
        yield from (
            f"{source.path}: {name} is missing."
            for name in [*TABLES, *ROWS]
            if name not in (*source.raw, *OPTIONAL)
        )


def _row_problems(source: Source, name: str, content: object) -> Iterator[str]:
    if not isinstance(content, list):
        yield f"{source.at(name)}: {name}: write [[{name}]], once for each row."
        return
    for number, row in enumerate(content):
        yield from _sentences(source, name, wrong(RowTable, row), number)


def _of_keys(name: str, content: object) -> Iterator[Wrong] | None:
    """Check a table of which a site gives only some keys; None: as any other."""
    if name not in _OF_STRUCTS or not isinstance(content, dict):
        return None
    # What is missing is the regime's.
    return (one for one in wrong(TABLES[name], content) if one.path[0] in content)


def _sentences(source: Source, name: str, found: Iterator[Wrong], number: int = 0) -> Iterator[str]:
    label = f"[[{name}]]" if name in ROWS else name if name in _SCALARS else f"[{name}]"
    for path, words in found:
        # In a row a finding stands as if.<finding>.
        key = ".".join(path[:2] if path[:1] == ("if",) else path[:1]) or None
        what = f"{label} {'.'.join(path)}" if path else label
        yield f"{source.at(name, key, number)}: {what}{words}"
