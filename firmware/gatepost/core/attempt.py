"""What an attempt to measure leads to: in, once more, to staff.

Where the documents speak, an id of the catalogue (R001 ...) says which rule; "ours" marks what no
document says. Who may go in at all, by category and by the order in force, is
`gatepost.core.rules`.
"""

from enum import Enum
from typing import NamedTuple

from gatepost.core.screening import Verdict, Zone


class Outcome(Enum):
    """What is done with the person in the lane."""

    ADMIT = "admit"
    RECHECK = "recheck"  # measure once more
    REFER = "refer"  # please wait for staff
    DENY = "deny"


class Facts(NamedTuple):
    """What is known when a decision is due."""

    pass_known: bool
    verdict: Verdict
    attempts_left: int
    near_limit_before: bool  # an earlier attempt of this visit had an index, near the limit


class Decision(NamedTuple):
    """An outcome, and the rules that it follows from, in the order in which they applied."""

    outcome: Outcome
    rules: tuple[str, ...]


# A pass is asked for, and a known one needed (R067); without it nobody is measured.
UNKNOWN_PASS = Decision(Outcome.DENY, ("R067",))
# Whose pass is inside already, or came in a moment ago (ours; the documents want one card a
# household used by one person: R064).
PASSED_BACK = Decision(Outcome.DENY, ("ours", "R064"))
# The lane is locked, closed or open to tools: nobody is let in by a pass (R112 for a lock-down).
SHUT = Decision(Outcome.DENY, ("ours", "R112"))


def decide(facts: Facts, limit_c: float) -> Decision:
    """Return the decision on an entry.

    Everybody is measured (R001), really (R017); strictly more than the limit does not pass
    (R006); an infrared reading near it may err and is repeated (R018), and one such reading alone
    admits nobody (ours).
    """
    if not facts.pass_known:
        return UNKNOWN_PASS
    match facts.verdict.zone:
        case Zone.PASS:
            return Decision(Outcome.ADMIT, ("R001", "R006", "R067"))
        case Zone.REFER:
            return Decision(Outcome.REFER, ("R001", "R006"))
        case Zone.NO_INFORMATION if facts.attempts_left:
            return Decision(Outcome.RECHECK, ("R017",))
        case Zone.NO_INFORMATION:
            return Decision(Outcome.REFER, ("R017", "ours"))
        case Zone.RECHECK if facts.attempts_left:
            return Decision(Outcome.RECHECK, ("R018",))
        case Zone.RECHECK if not facts.verdict.is_within(limit_c):
            return Decision(Outcome.REFER, ("R001", "R018", "R006"))
        case Zone.RECHECK if facts.near_limit_before:
            return Decision(Outcome.ADMIT, ("R001", "R018", "R006", "R067"))
        case Zone.RECHECK:
            return Decision(Outcome.REFER, ("R018", "ours"))
