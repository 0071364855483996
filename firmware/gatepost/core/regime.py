"""A regime: the decision table of one order, resolved. A pure value, built from a file elsewhere.

A row says what a category may do in one direction, which checks are made, and what each finding of
a check leads to. Who reads `Regime.rows` sees the order; there is nothing else that decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import Enum, IntEnum
from typing import NamedTuple

from gatepost.core.facts import Category
from gatepost_hal.ports import Direction


class Outcome(IntEnum):
    """What is done, from the mildest to the strictest: of several findings the strictest counts."""

    ADMIT = 0
    ADMIT_AND_REPORT = 1
    RECHECK = 2  # measure once more
    REFER = 3  # please wait for staff
    REDIRECT = 4  # to another place: the goods' drop zone, another entrance
    DENY = 5

    @property
    def word(self) -> str:
        """The word of the regime files and of the wire."""
        return self.name.lower()

    @property
    def releases(self) -> bool:
        """Whether the relay may move."""
        return self <= Outcome.ADMIT_AND_REPORT


class Check(Enum):
    """What is looked at. `gatepost.core.findings` has a function for each."""

    ISOLATION = "isolation"
    MASK = "mask"
    TEMPERATURE = "temperature"
    HEALTH_CODE = "health_code"
    TRIP_CARD = "trip_card"
    RISK_AREA = "risk_area"
    TEST = "test"
    PASS = "pass"
    REGISTERED = "registered"
    ESCORT = "escort"
    QUOTA = "quota"
    WORKS = "works"
    CAPACITY = "capacity"


class Finding(Enum):
    """What a check can find that is not simply in order."""

    ISOLATED = "isolated"
    RELEASE_DUE = "release_due"  # isolated, and the days of observation are over
    REFUSES_OBSERVATION = "refuses_observation"
    MASK_UNKNOWN = "mask_unknown"
    NO_MASK = "no_mask"
    UNMEASURED = "unmeasured"
    NEAR_LIMIT = "near_limit"
    HOT = "hot"
    REFUSES_MEASURING = "refuses_measuring"
    CODE_UNKNOWN = "code_unknown"  # none, unverified, or too old
    CODED = "coded"  # the code or the card is yellow or red
    CODED_TESTED = "coded_tested"  # the same, with a recent negative test
    TRIP_UNKNOWN = "trip_unknown"
    RISK_AREA = "risk_area"
    RISK_AREA_TESTED = "risk_area_tested"
    NO_TEST = "no_test"
    REFUSES_PROOF = "refuses_proof"
    NO_PASS = "no_pass"
    BAD_PASS = "bad_pass"
    UNREGISTERED = "unregistered"
    NO_ESCORT = "no_escort"
    NO_HOUSEHOLD = "no_household"  # by quota, and nobody knows whose turn it is
    OVER_QUOTA = "over_quota"
    WORKS_FULL = "works_full"
    WORKS_UNKNOWN = "works_unknown"
    OVER_CAPACITY = "over_capacity"
    NO_CLOCK = "no_clock"  # a rule about time, and no clock to be trusted


class Notice(NamedTuple):
    """Whom to tell, and within how many seconds (0 is at once)."""

    who: str
    within_s: int


class Treatment(NamedTuple):
    """What a row or a finding leads to: the rules that say so, whom to tell, what to say."""

    outcome: Outcome
    rules: tuple[str, ...] = ()
    tell: tuple[Notice, ...] = ()
    say: tuple[str, ...] = ()


class Row(NamedTuple):
    """One category in one direction: what it may if nothing is found, and what is looked at.

    `checks` are in the regime's sequence, each with the rules that ask for it. `treatments` has
    every finding that these checks can make.
    """

    base: Treatment
    checks: tuple[tuple[Check, tuple[str, ...]], ...]
    treatments: Mapping[Finding, Treatment]


class Limits(NamedTuple):
    """The numbers of a regime. 0 hours or people is: without such a limit."""

    index_c: float
    test_hours: float = 48.0
    long_test_days: int = 7  # what a yellow or red code, or a risk area, asks for
    look_back_days: int = 14
    observation_days: int = 14  # after which an isolation is due to be ended
    quota_days: int = 2
    works_inside: int = 4
    code_hours: float = 0.0
    capacity: int = 0
    disinfections_a_day: int = 0


class Window(NamedTuple):
    """When a regime is in force, and which one is before and after. None is open."""

    starts: datetime | None = None
    ends: datetime | None = None
    before: str | None = None
    then: str | None = None


_OPEN = Window()


@dataclass(frozen=True, slots=True)
class Regime:
    """One order, resolved for one site. Days are days of `zone`.

    Of `areas` a stay counts that ended at the instant given there, or after it (R060).
    """

    name: str
    rows: Mapping[tuple[Direction, Category], Row]
    limits: Limits
    zone: tzinfo
    window: Window = _OPEN
    entrance_open: bool = True
    entrance_rules: tuple[str, ...] = ()
    areas: Mapping[str, datetime] = field(default_factory=dict)  # risk areas, and since when

    @property
    def measures_leavers(self) -> bool:
        """Whether a resident has to be measured on the way out, where a lane has no thermometer."""
        row = self.rows[Direction.EXIT, Category.RESIDENT]
        is_looked_at = any(check is Check.TEMPERATURE for check, _ in row.checks)
        return is_looked_at and not row.treatments[Finding.UNMEASURED].outcome.releases


class RegimeLoopError(ValueError):
    """Windows that follow one another in a circle: no regime is in force."""


def in_force(name: str, regimes: Mapping[str, Regime], now: datetime | None) -> Regime:
    """Return the regime that holds at an instant, beginning at the one that is set.

    Without a trusted clock it is the one that is set: an order stands until somebody who knows the
    time ends it (ours).

    Raises:
        RegimeLoopError: each follows another.
        KeyError: one names a regime that there is not.
    """
    tried: list[str] = []
    while name not in tried:
        tried.append(name)
        regime = regimes[name]
        window = regime.window
        if now is not None and window.starts is not None and now < window.starts and window.before:
            name = window.before
        elif now is not None and window.ends is not None and now >= window.ends and window.then:
            name = window.then
        else:
            return regime
    raise RegimeLoopError(f"no regime is in force: {' then '.join([*tried, name])}")
