"""An order for the walk: a resident above the limit goes home and is reported, a visitor stays out.

The shipped orders differ in whom they let in and not in how; two categories show both ways.
"""

from collections.abc import Sequence
from datetime import UTC

from gatepost.core.events import Holder
from gatepost.core.facts import Category, Facts
from gatepost.core.regime import (
    Check,
    Finding,
    Limits,
    Notice,
    Outcome,
    Regime,
    Row,
    Treatment,
)
from gatepost.core.rules import Decision, decide
from gatepost.core.visit import ExitWish, Policy, Visit
from gatepost.verify.measured import LIMIT_C, index_of, is_feverish, is_measured, is_passing
from gatepost_hal.ports import Direction, Reading

_AGAIN = Treatment(Outcome.RECHECK, ("R017",))
_HOME = Treatment(Outcome.ADMIT_AND_REPORT, ("R005",), (Notice("community", 0),), ("rest_at_home",))
_MEASURED = Row(
    Treatment(Outcome.ADMIT, ("R001",)),
    checks=((Check.TEMPERATURE, ("R001",)),),
    treatments={Finding.UNMEASURED: _AGAIN, Finding.NEAR_LIMIT: _AGAIN, Finding.HOT: _HOME},
)
_OUT = Row(Treatment(Outcome.DENY, ("R074",), say=("residents_only",)), (), {})
_LEAVES = Row(Treatment(Outcome.ADMIT, ("R070",)), (), {})


def _row(direction: Direction, category: Category) -> Row:
    if category is not Category.RESIDENT:
        return _OUT
    return _MEASURED if direction is Direction.ENTRY else _LEAVES


ORDER = Regime(
    name="walk",
    rows={
        (direction, category): _row(direction, category)
        for direction in Direction
        for category in Category
    },
    limits=Limits(index_c=LIMIT_C),
    zone=UTC,
)


def known(holder: Holder | None, direction: Direction, policy: Policy) -> Facts | None:
    """Return what the order needs to know of a holder; without an order nothing is known."""
    if policy.regime is None or holder is None:
        return None
    return Facts(direction, Category(holder.category))


def on_leaving(holder: Holder | None, policy: Policy) -> Decision | None:
    """Return the decision that a wish to leave brings with it, where the order is asked."""
    facts = known(holder, Direction.EXIT, policy)
    if facts is None or policy.regime is None or not policy.exits_by_pass:
        return None
    return decide(facts, policy.regime)


def keeps_in(wish: ExitWish, policy: Policy) -> bool:
    """Return whether the order holds the exit against a wish: by button, or of the wrong pass."""
    is_resident = wish.holder is not None and wish.holder.category == Category.RESIDENT.value
    return policy.exits_by_pass and policy.regime is not None and not is_resident


def keeps_out(visit: Visit, policy: Policy) -> bool:
    """Return whether the order lets this person in on no account."""
    is_known = visit.known is not None and visit.known.category is Category.RESIDENT
    return policy.regime is not None and not is_known


def justifies(visit: Visit, samples: Sequence[Reading], policy: Policy) -> bool:
    """Return whether samples of this attempt let this person in: below the limit, or by order."""
    if is_passing(samples, near_before=visit.near_limit):
        return not keeps_out(visit, policy) or visit.holder is None
    if policy.regime is None or keeps_out(visit, policy):
        return False
    is_last = visit.attempt >= policy.measure_attempts
    is_over = is_last and is_measured(samples) and index_of(samples) > LIMIT_C
    return is_over or is_feverish(samples)
