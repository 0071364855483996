"""Texts in columns of a terminal, where a Chinese character takes two."""

import re
from collections.abc import Iterator
from unicodedata import east_asian_width

# No line begins with these: the Chinese , . ; : ? ! and what closes, and our own.
_CLOSING = r"\u3001\u3002\uff0c\uff1b\uff1a\uff1f\uff01\uff09\u300b\u300d\u201d,.;:?!)\]"
# A word of a script with spaces in one piece, or one character; with closing marks behind it.
_PIECE = re.compile(rf"\s+|[\u0021-\u2e7f]+[{_CLOSING}]*|.[{_CLOSING}]*")

# What stands in a text of ours for a file: from the root on, through a folder at least.
_PATH = re.compile(r"(?<![^\s(\"'\u2e80-\uffef])/[\w.+@=~-]+(?:/[\w.+@=~-]+)+")
_LEAST_PATH = 16


def width(text: str) -> int:
    """Return how many columns a text takes."""
    return sum(2 if east_asian_width(each) in "WF" else 1 for each in text)


def padded(text: str, columns: int) -> str:
    """Return a text with spaces up to a column."""
    return text + " " * (columns - width(text))


def right(text: str, columns: int) -> str:
    """Return a text at the right of so many columns."""
    return " " * (columns - width(text)) + text


def fitted(text: str, columns: int) -> list[str]:
    """Return a text in lines of at most so many columns, in one where shorter paths make it fit.

    Nothing but the middle of a path is left out. What has no gap to break at is broken anywhere.
    """
    short = text
    for path in sorted(_PATH.findall(text), key=width, reverse=True):
        if (excess := width(short) - columns) > 0:
            short = short.replace(path, _shortened(path, max(_LEAST_PATH, width(path) - excess)))
    if width(short) <= columns:
        return [short]
    most = columns - 2  # behind a path may stand a mark, also a Chinese one
    text = _PATH.sub(lambda found: _shortened(found[0], most), text)
    return [part for line in wrapped(text, columns) for part in _pieces(line, columns)]


def _shortened(path: str, columns: int) -> str:
    """Return a path without its middle: its end says more than its beginning."""
    head, tail = path[: len(path) // 3], path[len(path) // 3 :]
    if width(path) <= columns:
        return path
    while width(head) + width(tail) > columns - 3:
        if width(head) * 2 > width(tail):
            head = head[:-1]
        else:
            tail = tail[1:]
    return f"{head}...{tail}"


def _pieces(line: str, columns: int) -> Iterator[str]:
    piece = ""
    for each in line:
        if width(piece + each) > columns:
            yield piece
            piece = ""
        piece += each
    yield piece


def wrapped(text: str, columns: int) -> list[str]:
    """Return a text in lines: broken at spaces, and between Chinese characters. No word is cut."""
    lines, line = [], ""
    for piece in _PIECE.findall(text):
        if line and width(line + piece.rstrip()) > columns:
            lines.append(line.rstrip())
            line = ""
        line += piece if line or piece.strip() else ""
    return [*lines, line.rstrip()] if line.strip() or not lines else lines
