"""Settings as TOML: what is said, and nothing else."""

import json
from collections.abc import Mapping


def as_toml(document: Mapping[str, Mapping[str, object]]) -> str:
    """Return sections of texts, numbers and switches as TOML.

    Raises:
        TypeError: a value is of another type.
    """
    sections = []
    for name, content in document.items():
        lines = [f"{key} = {_value(value)}" for key, value in content.items()]
        sections.append("\n".join((f"[{name}]", *lines)) + "\n")
    return "\n".join(sections)


def _value(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case str():
            # JSON's escapes are TOML's, but for one sign that TOML wants escaped.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case _:
            raise TypeError(f"no setting is of type {type(value).__name__}")
