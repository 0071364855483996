"""Settings as TOML text: values that read back as they were, and comments beside them."""

from collections.abc import Callable, Iterator
from pathlib import Path

from gatepost_config.tongue import ENGLISH

Wrap = Callable[[str, int], list[str]]

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


def with_comment(statement: str, comment: str, wrap: Wrap = ENGLISH.wrap) -> Iterator[str]:
    """Yield the lines of a statement with a comment at its right, below itself where it is long."""
    start = f"{statement:<{_COMMENT_AT}}" if len(statement) < _COMMENT_AT else f"{statement}  "
    if not comment:
        yield statement
        return
    room = _WIDTH - len(start) - 2
    first, *_ = wrap(comment, max(room, 20))
    yield f"{start}# {first}"
    for line in wrap(comment.removeprefix(first).lstrip(), _WIDTH - _COMMENT_AT - 2):
        if line:
            yield f"{'':<{_COMMENT_AT}}# {line}"


def block(comment: str, wrap: Wrap = ENGLISH.wrap) -> Iterator[str]:
    """Yield the lines of a comment that stands by itself."""
    for line in wrap(comment, _WIDTH - 2):
        yield f"# {line}"
