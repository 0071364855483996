"""S4: what was not really measured is never a pass."""

from gatepost.core.events import Command, PassShown, Tick
from gatepost.core.screening import Reason, Zone
from gatepost.core.states import State
from gatepost.core.visit import Order
from gatepost.verify.claims import Property, When
from gatepost.verify.explore import Seen
from gatepost.verify.measured import is_feverish, is_near, is_passing
from gatepost.verify.order import is_outsider, justifies, lacks
from gatepost.verify.terms import record_of
from gatepost_hal.ports import InputChanged, InputName, Reading, SensorFault

S4 = Property("S4", "no information is never a pass: it is measured again, then staff decides")

_VISIT = frozenset({State.AWAITING_PASS, State.MEASURING, State.PAUSING})
# "denied" is what an order says of whoever it keeps out in any case.
_CONCLUSIONS = ("visit.admitted", "visit.rechecked", "visit.referred", "visit.denied")
_REASONS = {
    "an attempt: passing": Reason.BELOW_LIMIT,
    "an attempt: near the limit, below it": Reason.NEAR_LIMIT,
    "an attempt: near the limit, above it": Reason.NEAR_LIMIT,
    "an attempt: feverish": Reason.ABOVE_LIMIT,
    "an attempt: noisy": Reason.MOVING,
    "an attempt: a hat": Reason.NO_FOREHEAD,
    "an attempt: cold": Reason.COLD,
    "an attempt: a cup of tea": Reason.TOO_HOT,
    "an attempt: a hot room": Reason.AMBIENT,
    "an attempt: no ambient": Reason.NO_NUMBER,
    "an attempt: infinite": Reason.NO_NUMBER,
}
# After an attempt without information: once more, or staff; and who has gone, or wishes to leave.
_SENT_AWAY = frozenset({State.PAUSING, State.REFERRED, State.REFUSED, State.IDLE, State.LEAVING})


def _concludes(step: Seen) -> bool:
    """Return whether an attempt to measure ends here by what was measured."""
    return (
        step.before.state is State.MEASURING
        and (isinstance(step.event, Reading) or step.is_late)
        and bool(step.enters)
    )


@S4.rule(states={State.MEASURING}, events=(Reading,))
def a_bad_attempt_teaches_nothing(step: Seen) -> bool | None:
    """An attempt that is flagged, frozen, implausible, cold or no number admits nobody."""
    if step.happening.teaches:
        return None
    return step.after.state in _SENT_AWAY | {State.MEASURING} and "visit.admitted" not in step.types


@S4.rule(When.ENTERED, states={State.MEASURING})
def while_distrusted_nothing_is_learnt(step: Seen) -> bool | None:
    """An attempt during which the thermometer was not believed is no information, to its end."""
    if not step.tainted or not _concludes(step):
        return None
    told = record_of(step, *_CONCLUSIONS)
    return (
        told is not None
        and told.type != "visit.admitted"
        and told.data["zone"] == Zone.NO_INFORMATION.value
        and step.after.state in _SENT_AWAY
    )


@S4.rule(states=_VISIT, events=(PassShown, Reading))
def while_distrusted_nobody_is_admitted(step: Seen) -> bool | None:
    """Whoever is admitted was measured, and is let in, while the thermometer is believed."""
    if not step.tainted and step.before.distrust is None:
        return None
    return "visit.admitted" not in step.types


@S4.rule(events=(Reading, SensorFault))
def a_stale_sample_is_none(step: Seen) -> bool | None:
    """A sample from before the attempt, a fault, and a sample that nobody waits for: nothing."""
    is_new = step.at_s > step.before.entered_at_s
    if isinstance(step.event, Reading) and step.before.state is State.MEASURING and is_new:
        return None
    return step.after is step.before and not step.records


@S4.rule(When.MOVED, states=_VISIT)
def the_samples_are_those_of_the_attempt(step: Seen) -> bool | None:
    """Samples are what came in this attempt, all of it, and nothing else; a new one has none."""
    before, after = step.before, step.after
    if after.state is State.MEASURING and step.enters:
        return after.visit.samples == ()
    if after.state not in _VISIT | {State.DECIDING, State.REFERRED}:
        return None
    if after.visit.number != before.visit.number:
        return after.visit.samples == ()
    samples = before.visit.samples
    if before.state is State.MEASURING and isinstance(step.event, Reading):
        samples = (*samples, step.event)
    return after.visit.samples == samples


@S4.rule(When.ENTERED, states=frozenset(State) - _VISIT)
def a_visit_begins_with_nothing(step: Seen) -> bool | None:
    """Whoever begins a visit brings nothing that was measured or decided of anybody before."""
    if step.after.state not in (State.AWAITING_PASS, State.MEASURING):
        return None
    visit = step.after.visit
    return (
        visit.number == step.before.visit.number + 1
        and (visit.samples, visit.verdict, visit.decision, visit.released_by)
        == ((), None, None, None)
        and visit.known in (None, getattr(step.event, "known", None))
        and not visit.near_limit
        and visit.attempt == (step.after.state is State.MEASURING)
    )


@S4.rule(When.ENTERED)
def an_attempt_begins_with_nothing(step: Seen) -> bool | None:
    """An attempt to measure knows of the ones before only how many, and whether one was near."""
    if step.enters is not State.MEASURING:
        return None
    visit, before = step.after.visit, step.before.visit
    is_next = step.before.state is State.PAUSING
    return (
        (visit.samples, visit.verdict, visit.decision) == ((), None, None)
        and visit.distrust is step.after.distrust
        and visit.attempt == (before.attempt + 1 if is_next else 1)
        and (not is_next or (visit.number, visit.near_limit) == (before.number, before.near_limit))
    )


@S4.rule(states={State.MEASURING}, events=(Tick,))
def missing_samples_are_no_information(step: Seen) -> bool | None:
    """When the time for an attempt is over without all its samples, it taught nothing."""
    if not step.is_late:
        return None
    told = record_of(step, *_CONCLUSIONS)
    return (
        told is not None
        and told.type != "visit.admitted"
        and told.data["zone"] == Zone.NO_INFORMATION.value
        and step.after.state in _SENT_AWAY
    )


@S4.rule(When.ENTERED, states={State.MEASURING})
def an_attempt_ends_as_it_was(step: Seen) -> bool | None:
    """On to a pass, or in, only by samples that justify it; a fever is staff's, or the order's."""
    if not _concludes(step):
        return None
    samples = step.before.visit.samples
    if isinstance(step.event, Reading):
        samples = (*samples, step.event)
    if step.after.state is State.AWAITING_PASS and step.after.visit.wanted:
        near_before = step.before.visit.near_limit
        return is_passing(samples, near_before=near_before) and bool(lacks(step.before.visit))
    passes = justifies(step.before.visit, samples, step.policy)
    if step.after.state in (State.AWAITING_PASS, State.DECIDING):
        has_pass = step.before.visit.holder is not None
        return passes and (step.after.state is State.DECIDING) == has_pass
    if is_feverish(samples) and not step.tainted and not step.is_late:
        is_out = step.policy.regime is not None and is_outsider(step.before.visit)
        return ("visit.denied" if is_out else "visit.referred") in step.types
    # Who passed, and shows no pass yet, makes room for somebody who wishes to leave.
    return step.tainted or step.is_late or not passes or "exit.released" in step.types


@S4.rule(When.ENTERED, states={State.MEASURING})
def what_was_wrong_is_told_as_it_was(step: Seen) -> bool | None:
    """What the samples say against themselves goes before a doubt about the thermometer."""
    told = record_of(step, *_CONCLUSIONS)
    reason = _REASONS.get(step.happening.words)
    # Of an attempt as a whole: a lone sample before it may change what it is.
    is_whole = step.before.visit.samples == step.happening.events[:-1]
    if reason is None or told is None or not is_whole:
        return None
    if step.happening.teaches and step.tainted:
        reason = Reason.DISTURBED
    return told.data["reason"] == reason.value


@S4.rule(When.TOLD, states=_VISIT)
def near_the_limit_one_look_is_not_enough(step: Seen) -> bool | None:
    """Near the limit nobody is admitted but at a second look, when the first was near it too."""
    told = record_of(step, "visit.admitted")
    if told is None or told.data["zone"] != Zone.RECHECK.value:
        return None
    if told.data["outcome"] == "admit_and_report":  # over it, and home by the order
        return step.policy.regime is not None
    return step.before.visit.near_limit and told.data["attempt"] == step.policy.measure_attempts


@S4.rule(When.ENTERED, states={State.MEASURING})
def after_the_last_attempt_staff_decides(step: Seen) -> bool | None:
    """There are only so many attempts; what is near the limit, or nothing, then is staff's."""
    if not _concludes(step):
        return None
    attempt = step.before.visit.attempt
    if attempt >= step.policy.measure_attempts:
        return "visit.rechecked" not in step.types
    return attempt >= 1


@S4.rule(states={State.PAUSING}, events=(Tick,))
def a_pause_leads_to_a_measurement(step: Seen) -> bool | None:
    """Time alone brings nobody on but to the next attempt."""
    if not step.is_late:
        return None
    return step.after.state is State.MEASURING


@S4.rule(When.MOVED, states=_VISIT)
def near_is_remembered_as_it_was(step: Seen) -> bool | None:
    """That an attempt was near the limit is noted when it was, and stays with this visit."""
    before, after = step.before.visit, step.after.visit
    if after.number != before.number or step.after.state not in _VISIT | {State.DECIDING}:
        return None
    if before.near_limit or not after.near_limit:
        return after.near_limit or not before.near_limit
    samples = after.samples
    return step.before.state is State.MEASURING and not step.tainted and is_near(samples)


@S4.rule(states={State.MEASURING, State.AWAITING_PASS})
def a_doubt_stays_with_the_attempt(step: Seen) -> bool | None:
    """What once spoke against the thermometer in an attempt speaks against it to its end."""
    before, after = step.before.visit, step.after.visit
    is_on = step.before.state is State.MEASURING or before.verdict is not None
    if not is_on or step.after.state is not step.before.state:
        return None
    distrust = getattr(step.event, "distrust", None)
    return after.distrust is (distrust or before.distrust)


@S4.rule(When.ENTERED, states={State.REFERRED})
def only_staff_lets_in_who_was_referred(step: Seen) -> bool | None:
    """Who was referred is measured no more and shows no pass: staff's word, or nothing."""
    if step.after.state in _VISIT:
        return False
    if step.after.state is not State.DECIDING:
        return True
    return isinstance(step.event, Command) or (
        isinstance(step.event, InputChanged) and step.event.name is InputName.STAFF_RELEASE
    )


@S4.rule(
    When.MOVED,
    states={State.AWAITING_PASS},
    events=(PassShown,),
    site=lambda policy: policy.order is Order.MEASURE_FIRST,
)
def measured_first_is_decided_then(step: Seen) -> bool | None:
    """Who was measured first is decided on by that measurement as soon as the pass is known."""
    if step.before.visit.verdict is None or "visit.denied" in step.types:
        return None
    if step.after.state is State.DECIDING:
        decision = step.after.visit.decision
        return decision is not None and decision.release
    return step.after.state in _SENT_AWAY or not isinstance(step.event, PassShown)
