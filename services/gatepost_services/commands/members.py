"""JSON whose objects name each member once: what two programs read must be one and the same.

RFC 7515, 4 and RFC 7519, 4 leave it open which of two members of one name counts. Here none does.
"""

import json
from typing import Any


def are_unique(data: bytes) -> bool:
    """Return whether no object in a text of JSON has two members of one name.

    False also for what is no JSON, or is too deep.
    """
    try:
        json.loads(data, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return False
    return True


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("two members of one name")
    return found
