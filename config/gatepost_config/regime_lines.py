"""In which line of a regime file something stands: for messages, and for `regime explain`."""

import re
from functools import lru_cache


def line_of(text: str, table: str, key: str | None = None, number: int = 0) -> int | None:
    """Return the line (from 1) of a table, or of a key in it.

    Of [[table]] it is the row with this number, from 0. A key at the top of the file is a table of
    that name. Where the key is written in another way it is the table's line; None: so is that.
    """
    lines, headers = _split(text)
    begins = [line for line in headers if _header(lines[line]) == table]
    if len(begins) <= number:
        return _found(lines, range(headers[0] if headers else len(lines)), table)
    begin = begins[number]
    if key is None:
        return begin + 1
    end = next((line for line in headers if line > begin), len(lines))
    own = [line for line in headers if _header(lines[line]) == f"{table}.{key}"]
    line = _found(lines, range(begin + 1, end), key)
    return line or next((header + 1 for header in own), begin + 1)


@lru_cache(maxsize=8)
def _split(text: str) -> tuple[list[str], list[int]]:
    """Return the lines, and which of them begin a table; a file is asked some hundred times."""
    lines = [words.strip() for words in text.splitlines()]
    return lines, [line for line, words in enumerate(lines) if words.startswith("[")]


def _found(lines: list[str], where: range, key: str) -> int | None:
    """Return the line that gives a key its value, `key = ...` or `key.part = ...`."""
    form = re.compile(rf'"?{re.escape(key)}"?\s*[=.]')
    return next((line + 1 for line in where if form.match(lines[line])), None)


def _header(words: str) -> str:
    return words.lstrip("[ ").partition("]")[0].strip()
