"""An order for the walk: a hot resident goes home, a visitor needs a test and an escort.

The shipped orders differ in whom they let in and not in how; two categories show both ways.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from gatepost.core.events import Holder
from gatepost.core.facts import Category, Facts, Proof, ProofKind
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
from gatepost.core.session import Need
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
_NOT_YET = Treatment(Outcome.DENY, ("R077",), say=("residents_only",))
_VISITS = Row(
    _MEASURED.base,
    checks=(*_MEASURED.checks, (Check.TEST, ("R035",)), (Check.ESCORT, ("R077",))),
    treatments={
        **_MEASURED.treatments,
        Finding.HOT: Treatment(Outcome.DENY, ("R004",)),
        Finding.NO_TEST: _NOT_YET,
        Finding.NO_CLOCK: _NOT_YET,
        Finding.NO_ESCORT: _NOT_YET,
    },
)
_OUT = Row(Treatment(Outcome.DENY, ("R074",), say=("residents_only",)), (), {})
_LEAVES = Row(Treatment(Outcome.ADMIT, ("R070",)), (), {})


def _row(direction: Direction, category: Category) -> Row:
    if direction is Direction.ENTRY:
        return {Category.RESIDENT: _MEASURED, Category.VISITOR: _VISITS}.get(category, _OUT)
    return _LEAVES if category is Category.RESIDENT else _OUT


RESIDENT_WORD = Category.RESIDENT.value
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEST = Proof(ProofKind.NEGATIVE, NOW)
BRINGS = frozenset({Need.TEST, Need.ESCORT})

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
    return Facts(direction, Category(holder.category), now=NOW)


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


def is_outsider(visit: Visit) -> bool:
    """Return whether this is nobody who lives here: a fever keeps them out, and not at home."""
    return visit.known is None or visit.known.category is not Category.RESIDENT


def keeps_out(visit: Visit, policy: Policy) -> bool:
    """Return whether the order does not let this person in with what they brought so far."""
    if policy.regime is None:
        return False
    has_all = visit.brought.test is not None and visit.brought.escort is not None
    return is_outsider(visit) and not has_all


def lacks(visit: Visit) -> tuple[Need, ...]:
    """Return what the order still asks this person for, who was measured and is well."""
    if visit.known is None or visit.known.category is not Category.VISITOR:
        return ()
    has = {Need.TEST: visit.brought.test, Need.ESCORT: visit.brought.escort}
    return tuple(need for need, shown in has.items() if shown is None)


def justifies(visit: Visit, samples: Sequence[Reading], policy: Policy) -> bool:
    """Return whether samples of this attempt let this person in: below the limit, or by order."""
    if is_passing(samples, near_before=visit.near_limit):
        return not keeps_out(visit, policy) or visit.holder is None
    if policy.regime is None or is_outsider(visit):
        return False
    is_last = visit.attempt >= policy.measure_attempts
    is_over = is_last and is_measured(samples) and index_of(samples) > LIMIT_C
    return is_over or is_feverish(samples)
