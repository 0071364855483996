"""The catalogue: what the documents ask of a gate, in our own words, and what serves it.

One table a rule, R001 to R303, in `catalogue.toml`; `gatepost rules` shows it, `config/RULES.md`
explains it. Other code cites rules by their ids alone.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta, Struct

Served = Literal[
    "enforced",  # by a check, a finding, a choice or a row of the regime engine, or by the lane
    "recorded",  # in events
    "reported",  # somebody is told, in time
    "signalled",  # at the lane: by lamps, buzzer, display or voice
    "configuration",  # by a setting of a regime or of the gate
    "central",  # by the server, from events
    "outside",  # by people, or for another kind of site
]
SERVED: tuple[Served, ...] = get_args(Served)
# What is served so shows at the gate itself, and so in a test.
SHOWN = frozenset({"enforced", "recorded", "reported", "signalled"})
SYSTEMS = 40

_FILE = Path(__file__).with_name("catalogue.toml")
_RuleId = Annotated[str, Meta(pattern=r"^R[0-9]{3}\Z")]
_Line = Annotated[str, Meta(min_length=1, max_length=160, pattern=r"^[^\n|]+\Z")]
_System = Annotated[int, Meta(ge=1, le=SYSTEMS)]
_Test = Annotated[str, Meta(pattern=r"^tests/[a-z0-9_/]+\.py::test_[a-z0-9_]+\Z")]


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """One rule.

    `source` is document, part and section ("000 4(2)", "002/8 2", "004 item 6"). `strength` is the
    text's: an order, a should, a suggestion, or a practice that is only told of. `systems` are the
    numbers of the feature table that list it. `site` is "compound", or the kind of site that the
    rule was written for. `by` says what serves it, and where that ends.
    """

    words: _Line
    source: _Line
    strength: Literal["must", "should", "suggestion", "practice"]
    systems: tuple[_System, ...]
    site: Annotated[str, Meta(pattern=r"^[a-z_]+\Z")]
    served: Served
    by: _Line
    tests: tuple[_Test, ...] = ()


@cache
def catalogue() -> Mapping[str, Rule]:
    """Return every rule by its id, in their order. Read once.

    Raises:
        msgspec.ValidationError: the file is not as it must be; a test sees to it.
    """
    raw = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return MappingProxyType(msgspec.convert(raw, type=dict[_RuleId, Rule]))
