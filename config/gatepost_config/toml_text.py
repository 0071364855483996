"""Settings as TOML text: values that read back as they were, and comments beside them."""

import textwrap
from collections.abc import Iterator
from pathlib import Path

_WIDTH = 100
_COMMENT_AT = 40
_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_BASIC_PLANE = 0xFFFF


def written(value: object) -> str:
    """Return a value as one would write it in the file; `tomllib` reads the same from it.

    Raises:
        TypeError: no text, path, number or truth value.
    """
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case str() | Path():
            return f'"{"".join(map(_escaped, str(value)))}"'
        case _:
            raise TypeError(value)


def _escaped(letter: str) -> str:
    """Return a letter of a string; what no terminal should get is written by its number."""
    if letter in _SHORT:
        return _SHORT[letter]
    if letter.isprintable():
        return letter
    number = ord(letter)
    return f"\\U{number:08X}" if number > _BASIC_PLANE else f"\\u{number:04X}"


def with_comment(statement: str, comment: str) -> Iterator[str]:
    """Yield the lines of a statement with a comment at its right, below itself where it is long."""
    start = f"{statement:<{_COMMENT_AT}}" if len(statement) < _COMMENT_AT else f"{statement}  "
    if not comment:
        yield statement
        return
    width = _WIDTH - _COMMENT_AT - 2
    room = _WIDTH - len(start) - 2
    first, *rest = textwrap.wrap(
        comment, max(room, 20), break_long_words=False, break_on_hyphens=False
    )
    yield f"{start}# {first}"
    for line in textwrap.wrap(" ".join(rest), width, break_on_hyphens=False):
        yield f"{'':<{_COMMENT_AT}}# {line}"


def block(comment: str) -> Iterator[str]:
    """Yield the lines of a comment that stands by itself."""
    for line in textwrap.wrap(comment, _WIDTH - 2, break_on_hyphens=False):
        yield f"# {line}"
