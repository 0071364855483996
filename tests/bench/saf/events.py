"""The event that every edge forwards: 600 bytes of JSON that begin with its number."""

import json
import re
from random import Random

SIZE = 600
TOPIC = "gate/g1/ev"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# A repetitive padding would flatter a store that compresses.
_PADDING = "".join(Random(5).choices(_LETTERS, k=65_536))
_NUMBER = re.compile(rb'"seq(?:uence)?":"?([0-9]+)')
_STRIDE, _SPAN = 397, 64_000


def body(number: int, size: int = SIZE) -> bytes:
    """Return event `number` (from 0) as JSON of `size` bytes, its number first."""
    event = {
        "seq": number,
        "ts": 1_790_000_000_000 + number,
        "site": "north",
        "gate": "gate-1",
        "type": "visit.admitted",
        "credential": f"04A2{number & 0xFFFFFFFF:08X}",
        "outcome": "admit",
        "padding": "",
    }
    text = json.dumps(event, separators=(",", ":"))
    begin = number * _STRIDE % _SPAN
    padding = _PADDING[begin : begin + size - len(text)]
    return f'{text[:-2]}{padding}"}}'.encode()


def number_of(payload: bytes) -> int:
    """Return the number of an event: this one's, or a real one's of a gate.

    Raises:
        ValueError: it has none.
    """
    found = _NUMBER.search(payload)
    if found is None:
        raise ValueError(f"no number in {payload[:40]!r}")
    return int(found[1])
