"""In which line of a regime file something stands: for messages, and for `regime explain`."""

import re
from itertools import islice


def line_of(text: str, table: str, key: str | None = None, number: int | None = None) -> int | None:
    """Return the line (from 1) of a table, of a key in it, or of the `number`th [[table]] row.

    A key at the top of the file is a table of that name. None: it is written in another way.
    """
    if number is not None:
        return _row_line(text, table, number)
    inside = False
    for line, words in enumerate(text.splitlines(), start=1):
        stripped = words.strip()
        if stripped.startswith("["):
            inside = _header(stripped) == table
            if inside and key is None:
                return line
        elif (key is None and _assigns(stripped, table)) or (
            inside and key is not None and _assigns(stripped, key)
        ):
            return line
    return line_of(text, table) if key is not None else None


def _row_line(text: str, table: str, number: int) -> int | None:
    lines = enumerate(text.splitlines(), start=1)
    rows = (line for line, words in lines if _header(words.strip()) == table)
    return next(islice(rows, number, None), None)


def _header(words: str) -> str | None:
    return words.strip("[ ").partition("]")[0].strip() if words.startswith("[") else None


def _assigns(words: str, key: str) -> bool:
    return re.match(rf'"?{re.escape(key)}"?\s*=', words) is not None
