"""What somebody brings besides the pass: rules that belong to S2, S6 and S9."""

from dataclasses import replace

from gatepost.core.events import PassShown, ProofShown
from gatepost.core.session import Brought, Need
from gatepost.core.states import State
from gatepost.verify.claims import When
from gatepost.verify.explore import Seen
from gatepost.verify.order import RESIDENT_WORD, TEST, lacks
from gatepost.verify.rules_levels import S6
from gatepost.verify.rules_release import S2
from gatepost.verify.rules_told import S9
from gatepost.verify.terms import asks_anew, record_of
from gatepost_hal.ports import Direction

_ASKING = frozenset({State.AWAITING_PASS, State.MEASURING, State.PAUSING})


def _brought_by(step: Seen) -> Brought:
    """Return what has been brought when this step is done, said anew from its event."""
    before, shown = step.before.visit, step.event
    match shown:
        case ProofShown(direction=Direction.ENTRY, refusal=None):
            return before.brought._replace(test=TEST)
        case PassShown(holder=holder, direction=Direction.ENTRY) if (
            Need.ESCORT in before.wanted and holder is not None and holder.category == RESIDENT_WORD
        ):
            return before.brought._replace(escort=holder.subject)
        case _:
            return before.brought


@S6.rule(events=(ProofShown,))
def a_proof_out_of_place_is_nothing(step: Seen) -> bool | None:
    """A proof of nobody who is asked, at the exit, or one that is none, changes nothing."""
    shown = step.event
    if not isinstance(shown, ProofShown):
        return None
    if step.before.state in _ASKING and shown.direction is Direction.ENTRY:
        return None if shown.refusal is None else step.after is step.before
    return step.after is step.before and not step.records


@S6.rule(When.MOVED, states=_ASKING, events=(PassShown, ProofShown))
def what_is_brought_adds_itself(step: Seen) -> bool | None:
    """A proof, or the pass of whoever brings the person in, is noted, and nothing else changes."""
    before, after = step.before.visit, step.after.visit
    if after.number != before.number or (isinstance(step.event, PassShown) and not before.wanted):
        return None  # a pass of the visit's own: S1 has that
    if after.brought != _brought_by(step):
        return False
    if step.enters or asks_anew(step):
        return after.holder == before.holder
    return after == replace(before, brought=after.brought)


@S6.rule(When.MOVED, site=lambda policy: bool(policy.brings))
def nothing_is_brought_from_before(step: Seen) -> bool | None:
    """What was brought in one visit is nothing in the next."""
    if step.after.visit.number == step.before.visit.number:
        return None
    return step.after.visit.brought in (Brought(), _brought_by(step)) and (
        step.after.visit.brought.escort is None
    )


@S9.rule(When.MOVED, states=_ASKING, site=lambda policy: bool(policy.brings))
def it_asks_for_what_is_missing(step: Seen) -> bool | None:
    """Who is well and has a pass is asked for just what the order lacks; who lacks nothing, not."""
    after = step.after
    if after.state is not State.AWAITING_PASS or not (step.enters or asks_anew(step)):
        return None
    wanted = lacks(after.visit) if after.visit.holder is not None else ()
    return after.visit.wanted == wanted


@S9.rule(When.ENTERED, states={State.AWAITING_PASS}, site=lambda policy: bool(policy.brings))
def in_the_end_the_decision_stands(step: Seen) -> bool | None:
    """When the time to bring it is over, what was decided without it is done, and says so."""
    wanted = step.before.visit.wanted
    if not step.is_late or not wanted:
        return None
    told = record_of(step, "visit.denied")
    return (
        told is not None
        and step.after.state is State.REFUSED
        and told.data["wanted"] == [need.value for need in wanted]
    )


@S2.rule(
    states={State.AWAITING_PASS},
    events=(PassShown, ProofShown),
    site=lambda policy: bool(policy.brings),
)
def the_same_again_wins_no_time(step: Seen) -> bool | None:
    """Who is asked for something gets more time by bringing it, and by nothing else."""
    if not step.before.visit.wanted or step.enters or asks_anew(step):
        return None
    return step.after.deadline_at_s == step.before.deadline_at_s
