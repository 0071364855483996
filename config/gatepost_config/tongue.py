"""In which language the texts of settings are said: English, unless a caller brings another.

The texts are marked here in English; who translates them is no part of this package.
"""

import textwrap
from collections.abc import Callable
from typing import NamedTuple


class Tongue(NamedTuple):
    """A language.

    `say` returns a text in it: it gets the English template, and by name what is filled in.
    `wrap` breaks one into lines of so many columns; what is too long for one stays whole.
    `space` is what stands between two sentences.
    """

    say: Callable[..., str]
    wrap: Callable[[str, int], list[str]]
    space: str


def mark(text: str) -> str:
    """Mark a text that is said later, for `firmware/words/translate.py`; return it as it is."""
    return text


def _english(template: str, **values: object) -> str:
    return template.format_map(values) if values else template


def _wrapped(text: str, columns: int) -> list[str]:
    return textwrap.wrap(text, columns, break_long_words=False, break_on_hyphens=False)


ENGLISH = Tongue(_english, _wrapped, " ")
