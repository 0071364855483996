"""What an attempt to measure leads to: in, once more, to staff.

Where the documents speak, an id of the catalogue (R001 ...) says which rule; "ours" marks what no
document says. Who may go in at all, by category and by the order in force, is
`gatepost.core.rules`: `by_regime` asks it, once it is known what was measured.
"""

from dataclasses import replace
from typing import NamedTuple

from gatepost.core.facts import Facts
from gatepost.core.regime import Finding, Outcome, Regime
from gatepost.core.rules import Decision, decide
from gatepost.core.screening import Verdict, Zone


class Attempt(NamedTuple):
    """What is known when an attempt to measure is over."""

    verdict: Verdict
    attempts_left: int
    near_limit_before: bool  # an earlier attempt of this visit had an index, near the limit


# A pass is asked for, and a known one needed (R067); without it nobody is measured.
UNKNOWN_PASS = Decision(Outcome.DENY, ("R067",))
# Whose pass is inside already, or came in a moment ago (ours; the documents want one card a
# household used by one person: R064).
PASSED_BACK = Decision(Outcome.DENY, ("ours", "R064"))
# Whose own pass wants somebody with them, whatever the order in force asks of their category.
UNESCORTED = Decision(
    Outcome.DENY, ("R077",), say=("bring_escort",), reason=Finding.NO_ESCORT.value
)
# The lane is locked, closed or open to tools: nobody is let in by a pass (R112 for a lock-down).
SHUT = Decision(Outcome.DENY, ("ours", "R112"))


def conclude(attempt: Attempt, limit_c: float) -> Decision:
    """Return the decision on the entry of somebody whose pass is known, without a regime.

    Everybody is measured (R001), really (R017); strictly more than the limit does not pass
    (R006); an infrared reading near it may err and is repeated (R018), and one such reading alone
    admits nobody (ours).
    """
    match attempt.verdict.zone:
        case Zone.PASS:
            return Decision(Outcome.ADMIT, ("R001", "R006", "R067"))
        case Zone.REFER:
            return Decision(Outcome.REFER, ("R001", "R006"))
        case Zone.NO_INFORMATION if attempt.attempts_left:
            return Decision(Outcome.RECHECK, ("R017",))
        case Zone.NO_INFORMATION:
            return Decision(Outcome.REFER, ("R017", "ours"))
        case Zone.RECHECK if attempt.attempts_left:
            return Decision(Outcome.RECHECK, ("R018",))
        case Zone.RECHECK if not attempt.verdict.is_within(limit_c):
            return Decision(Outcome.REFER, ("R001", "R018", "R006"))
        case Zone.RECHECK if attempt.near_limit_before:
            return Decision(Outcome.ADMIT, ("R001", "R018", "R006", "R067"))
        case Zone.RECHECK:
            return Decision(Outcome.REFER, ("R018", "ours"))


def by_regime(attempt: Attempt, limit_c: float, known: Facts, regime: Regime) -> Decision:
    """Return the decision of the order in force on somebody of whom `known` is known.

    Whether to measure once more is decided as without a regime; what a finished measurement leads
    to, the regime says. `limit_c` is the regime's limit.
    """
    alone = conclude(attempt, limit_c)
    if alone.outcome is Outcome.RECHECK:
        return alone._replace(regime=regime.name)
    facts = measured(attempt, limit_c, known)
    decision = decide(facts, regime)
    if decision.release and facts.needs_escort and facts.escort is None:
        return UNESCORTED._replace(regime=regime.name)
    return decision


def measured(attempt: Attempt, limit_c: float, known: Facts) -> Facts:
    """Return what is known with what a finished measurement adds to it."""
    zone = _settled(attempt, conclude(attempt, limit_c), limit_c)
    return replace(known, zone=zone, index_c=attempt.verdict.index_c, attempts_left=0)


def _settled(attempt: Attempt, alone: Decision, limit_c: float) -> Zone:
    """Return what is left of a zone when nothing is measured any more: in, hot, or nothing."""
    zone = attempt.verdict.zone
    if alone.outcome is Outcome.ADMIT:
        return Zone.PASS
    is_over = zone is Zone.RECHECK and not attempt.verdict.is_within(limit_c)
    return Zone.REFER if is_over or zone is Zone.REFER else Zone.NO_INFORMATION
