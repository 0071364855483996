"""A regime as it is read: resolved, and each line with the place that it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import NamedTuple

from gatepost_config.regime_file import EntrancesTable, LimitsTable, WindowTable

ALL_GATES = "*"


class Treatment(NamedTuple):
    """What a row or a finding leads to. `by` is the choice that said so, as "name = option"."""

    outcome: str
    rules: tuple[str, ...]
    tell: tuple[tuple[str, int], ...]
    say: tuple[str, ...]
    place: str
    by: str | None = None


class Row(NamedTuple):
    """One category in one direction. `place` is the file and line that says so.

    `own` are the findings of which the row itself says what they lead to.
    """

    base: Treatment
    checks: tuple[tuple[str, tuple[str, ...]], ...]
    treatments: Mapping[str, Treatment]
    place: str
    own: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RegimeSettings:
    """One regime, resolved for one site. `rows` by direction and category.

    `places` is the file and line of each key of a table, as "limits.index_c"; `site` is the path
    of the site's file, "" where there is none.
    """

    name: str
    title: str
    sources: tuple[str, ...]
    window: WindowTable
    entrances: EntrancesTable
    limits: LimitsTable
    choices: Mapping[str, str]
    rows: Mapping[tuple[str, str], Row]
    zone: tzinfo
    places: Mapping[str, str]
    areas: Mapping[str, datetime] = field(default_factory=dict)
    site: str = ""
