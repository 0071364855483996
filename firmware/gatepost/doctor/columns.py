"""Texts in columns of a terminal, where a Chinese character takes two."""

import re
from unicodedata import east_asian_width

# No line begins with these: the Chinese , . ; : ? ! and what closes, and our own.
_CLOSING = r"\u3001\u3002\uff0c\uff1b\uff1a\uff1f\uff01\uff09\u300b\u300d\u201d,.;:?!)\]"
# A word of a script with spaces in one piece, or one character; with closing marks behind it.
_PIECE = re.compile(rf"\s+|[\u0021-\u2e7f]+[{_CLOSING}]*|.[{_CLOSING}]*")


def width(text: str) -> int:
    """Return how many columns a text takes."""
    return sum(2 if east_asian_width(each) in "WF" else 1 for each in text)


def padded(text: str, columns: int) -> str:
    """Return a text with spaces up to a column."""
    return text + " " * (columns - width(text))


def cut(text: str, columns: int) -> str:
    """Return a text that takes at most so many columns, "..." where it goes on."""
    if width(text) <= columns:
        return text
    while width(text) > columns - 3:
        text = text[:-1]
    return f"{text}..."


def wrapped(text: str, columns: int) -> list[str]:
    """Return a text in lines: broken at spaces, and between Chinese characters. No word is cut."""
    lines, line = [], ""
    for piece in _PIECE.findall(text):
        if line and width(line + piece.rstrip()) > columns:
            lines.append(line.rstrip())
            line = ""
        line += piece if line or piece.strip() else ""
    return [*lines, line.rstrip()] if line.strip() or not lines else lines
