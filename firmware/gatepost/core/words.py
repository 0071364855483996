"""A text that knows what was filled into it, so that it can be said in another language later.

As a `str` it is the English one: records, JSON and bundles are the same everywhere.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Self

_NOTHING: Mapping[str, object] = MappingProxyType({})


class Text(str):
    """A text in English, with the template it was made of.

    Args:
        template: with names between braces where `values` has some; without values it stands as
            it is, braces and all.
        values: what is filled in; a `Text` among them can be translated as well.
    """

    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, values: Mapping[str, object] = _NOTHING) -> Self:
        """Fill the template. Raises KeyError for a name that `values` does not have."""
        made = super().__new__(cls, template.format_map(values) if values else template)
        made.template, made.values = template, values
        return made
