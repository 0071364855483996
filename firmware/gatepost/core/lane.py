"""The lane: makes sense of raw events, and moves through the table of `gatepost.core.table`.

`advance` is a pure function: a lane, an event and the site's policy in; a lane and the records to
write out. The loop applies `output_of(lane)` and brings the next event.

An event does three things, in this order: it changes levels (who is present, what stands, what is
wished), it may be a trigger of the table, and then the levels themselves may be triggers of the
state that the lane is in by now, until nothing more follows.
"""

from dataclasses import replace

from gatepost.core.attempt import (
    PASSED_BACK,
    SHUT,
    UNKNOWN_PASS,
    Attempt,
    by_regime,
    conclude,
    measured,
)
from gatepost.core.events import (
    Command,
    LaneEvent,
    PassShown,
    ProofShown,
    Record,
    Tick,
    Verb,
    Written,
)
from gatepost.core.facts import Facts
from gatepost.core.levels import ASKING, PASSAGE, level_trigger, with_levels
from gatepost.core.regime import Outcome
from gatepost.core.rules import Decision
from gatepost.core.screening import GUIDANCE, Reason, Zone, is_complete, judge
from gatepost.core.session import Brought, Need, also, brought_by, missing, with_brought
from gatepost.core.states import (
    ENTRY,
    EXIT,
    OUTPUTS,
    TEST_OUTPUTS,
    Output,
    Span,
    State,
    Trigger,
)
from gatepost.core.table import TABLE
from gatepost.core.telling import command_record, data_of, escalations
from gatepost.core.visit import Lane, PassageSignal, Policy, Visit
from gatepost_hal.ports import Direction, InputChanged, InputName, Reading

# A command is remembered until it expires, so that a repeated one does nothing; the two bounds
# keep that memory small.
MAX_COMMAND_S = 3600.0
_MAX_SERVED = 64

# In these the arm is free for one direction, or was until a moment ago.
_FREE_FOR = {
    State.RELEASED: Direction.ENTRY,
    State.ENTRY_ENDING: Direction.ENTRY,
    State.LEAVING: Direction.EXIT,
    State.EXIT_ENDING: Direction.EXIT,
}
# In these somebody stands at the entry whose visit is not over.
_IN_A_VISIT = {
    State.AWAITING_PASS,
    State.MEASURING,
    State.PAUSING,
    State.REFUSED,
    State.REFERRED,
}
# Where the turnstile does not tell who walked, nobody can say that somebody did not.
_UNTOLD = {
    "passage.not_entered": "passage.unconfirmed",
    "passage.not_left": "passage.unconfirmed",
}
_TRIGGER_OF = {
    Outcome.ADMIT: Trigger.ADMITTED,
    Outcome.ADMIT_AND_REPORT: Trigger.ADMITTED,
    Outcome.RECHECK: Trigger.RECHECKED,
    Outcome.REFER: Trigger.REFERRED,
    Outcome.REDIRECT: Trigger.DENIED,
    Outcome.DENY: Trigger.DENIED,
}


class ImpossibleTriggerError(RuntimeError):
    """The table says that this cannot happen: a bug. Nothing was changed."""


def output_of(lane: Lane) -> Output:
    """Return what the lane does to the world."""
    if lane.state is State.TESTING and lane.tested is not None:
        return TEST_OUTPUTS[lane.tested]
    return OUTPUTS[lane.state]


def release_s(output: Output, policy: Policy) -> float | None:
    """Return how long the relay of a state is energised; None is until the state ends."""
    if output.until is None:
        return None
    span_s = policy.spans_s[output.until]
    return span_s if policy.pulse_s is None else min(policy.pulse_s, span_s)


def freed_at(lane: Lane, at_s: float, policy: Policy) -> Lane:
    """Return the lane with the time of a release counted from the instant when the relay moved.

    What led to it may have waited meanwhile, for a start or for a disk: that takes nothing from
    the person. A lane that frees nothing, or has no end to it, stays as it is.
    """
    output = output_of(lane)
    if not output.releases or output.until is None:
        return lane
    return replace(lane, entered_at_s=at_s, deadline_at_s=at_s + policy.spans_s[output.until])


def advance(lane: Lane, event: LaneEvent, policy: Policy) -> tuple[Lane, tuple[Record, ...]]:
    """Return the lane after `event`, and what is to be recorded, in order.

    Raises:
        ImpossibleTriggerError: a bug; the lane is to be put into its safe state by a restart.
    """
    before = lane
    lane, told = with_levels(lane, event, policy)
    candidate, trigger = _interpret(lane, event, policy)
    if isinstance(event, Command):
        refusal = _refusal(before, event, trigger)
        if refusal is not None:
            # What was answered with "not now" is not obeyed later, when it is repeated (S7).
            kept = _served(before, event) if refusal == "not_now" else before
            return kept, (command_record("command.refused", event, refusal),)
        lane, candidate = _served(lane, event), _served(candidate, event)
        told = (command_record("command.obeyed", event), *told)
    records: tuple[Record, ...] = ()
    if trigger is None:
        lane = candidate
    elif trigger not in TABLE[lane.state].ignored:
        lane, records = _step(candidate, trigger, event.at_s, policy)
    # else: not the candidate: an ignored pass must leave no holder behind (S6).
    while (trigger := level_trigger(lane, event.at_s, policy)) is not None:
        lane, more = _step(lane, trigger, event.at_s, policy)
        records += more
    return lane, records + told


# --------------------------------------------------------------------------------------- triggers


def _interpret(lane: Lane, event: LaneEvent, policy: Policy) -> tuple[Lane, Trigger | None]:
    """Return what an event means to the table, and the lane as it is if the table takes it."""
    match event:
        case InputChanged(name=name, active=True) if name in PASSAGE:
            return lane, _turn(lane, name, event.at_s, policy)
        case InputChanged(name=InputName.STAFF_RELEASE, active=True):
            return _released_by(lane, "staff"), Trigger.ENTRY_COMMANDED
        case PassShown(direction=Direction.ENTRY):
            return _pass_shown(lane, event, policy)
        case ProofShown(direction=Direction.ENTRY, brought=brought):
            return _brought(lane, brought, policy)
        case Command(verb=Verb.RELEASE_ENTRY):
            return _released_by(lane, event.by), Trigger.ENTRY_COMMANDED
        case Command(verb=Verb.TEST):
            return replace(lane, tested=event.tested), Trigger.TEST_COMMANDED
        case Reading() if lane.state is State.MEASURING and event.at_s > lane.entered_at_s:
            samples = (*lane.visit.samples, event)
            lane = replace(lane, visit=replace(lane.visit, samples=samples))
            return _conclude(lane, policy) if is_complete(samples, policy.limits) else (lane, None)
        case Written(ok=ok) if lane.state is State.DECIDING:
            return lane, Trigger.RECORDED if ok else Trigger.NOT_RECORDED
        case Tick(at_s=at_s) if lane.deadline_at_s is not None and at_s >= lane.deadline_at_s:
            return _timed_out(lane, policy)
        case _:
            # A released button, a sample that nobody waits for or that is older than the
            # attempt, a sensor fault (the attempt ends without that sample): no trigger.
            return lane, None


def _turn(lane: Lane, name: InputName, at_s: float, policy: Policy) -> Trigger:
    """Return whose turn of the arm this is."""
    free_for = _FREE_FOR.get(lane.state)
    if free_for is not None:
        way = Direction.EXIT if name is InputName.PASSAGE_EXIT else Direction.ENTRY
        is_known = policy.passage is PassageSignal.PER_DIRECTION
        return Trigger.WRONG_WAY if is_known and way is not free_for else Trigger.TURNED
    if lane.turned_at_s is not None and at_s - lane.turned_at_s <= policy.tailgate_s:
        return Trigger.TAILGATED
    return Trigger.FORCED


def _timed_out(lane: Lane, policy: Policy) -> tuple[Lane, Trigger]:
    if lane.state is State.MEASURING:
        return _conclude(lane, policy)
    if lane.state is State.AWAITING_PASS and lane.visit.wanted and lane.visit.decision is not None:
        return lane, _TRIGGER_OF[lane.visit.decision.outcome]  # without it, it stands
    is_blind = policy.passage is PassageSignal.NONE
    is_release = OUTPUTS[lane.state].releases in (ENTRY, EXIT)
    return lane, Trigger.UNCONFIRMED if is_blind and is_release else Trigger.TIMEOUT


def _released_by(lane: Lane, by: str) -> Lane:
    """Return the lane with somebody's word for the person in it, or for whoever comes now."""
    visit = lane.visit if lane.state in _IN_A_VISIT else Visit(lane.visit.number + 1)
    return replace(lane, visit=replace(visit, released_by=by))


def _pass_shown(lane: Lane, shown: PassShown, policy: Policy) -> tuple[Lane, Trigger | None]:
    visit, holder = _visit_of_pass(lane), shown.holder
    if lane.standing:
        return replace(
            lane, visit=replace(visit, holder=holder, decision=SHUT)
        ), Trigger.PASS_REFUSED
    if visit.wanted:
        return _more_shown(lane, shown, policy)
    if holder is None:
        decision = UNKNOWN_PASS._replace(reason=shown.refusal or "")
        return replace(lane, visit=replace(visit, decision=decision)), Trigger.PASS_REFUSED
    objection = None if holder.duress else shown.objection
    if lane.state in (State.MEASURING, State.PAUSING) and visit.holder is not None:
        return lane, Trigger.PASS_KNOWN  # another pass than the visit's own: nothing changes
    visit = replace(visit, holder=holder, objection=objection, known=shown.known)
    if objection is not None and objection.blocks:
        visit = replace(visit, decision=PASSED_BACK)
        return replace(lane, visit=visit), Trigger.PASS_REFUSED
    lane = replace(lane, visit=visit)
    if lane.state is State.AWAITING_PASS and visit.verdict is not None:
        return _decided(lane, policy)
    return lane, Trigger.PASS_KNOWN


def _visit_of_pass(lane: Lane) -> Visit:
    """Return the visit that a pass belongs to: the one that waits for it, else a new one."""
    if lane.state in ASKING:
        return lane.visit
    return Visit(lane.visit.number + 1)


def _more_shown(lane: Lane, shown: PassShown, policy: Policy) -> tuple[Lane, Trigger | None]:
    """Take another pass: one's own with newer codes, or of whoever brings the person in."""
    visit = lane.visit
    if shown.holder is None or shown.known is None or visit.holder is None or visit.known is None:
        return lane, None
    subject = shown.holder.subject
    is_own = subject == visit.holder.subject
    brought = brought_by(subject, shown.known, visitor=visit.known, is_own=is_own)
    if Need.ESCORT not in visit.wanted:
        brought = brought._replace(escort=None)
    return _brought(lane, brought, policy)


def _brought(lane: Lane, brought: Brought, policy: Policy) -> tuple[Lane, Trigger | None]:
    """Note what somebody brings who is being dealt with, and decide if that was waited for."""
    if lane.state not in ASKING or not brought.kinds:
        return lane, None
    visit = replace(lane.visit, brought=also(lane.visit.brought, brought))
    noted = replace(lane, visit=visit)
    if not visit.wanted:
        return noted, None
    decided, trigger = _decided(noted, policy)
    is_progress = trigger is not Trigger.PASS_WANTED or decided.visit.wanted != visit.wanted
    # Who shows the same again and again does not hold the lane for ever.
    return (decided, trigger) if is_progress else (noted, None)


def _conclude(lane: Lane, policy: Policy) -> tuple[Lane, Trigger]:
    """Judge the samples of this attempt, and decide as far as that can be done."""
    visit = lane.visit
    verdict = judge(visit.samples, policy.limits, policy.instrument)
    if not is_complete(visit.samples, policy.limits):
        # Its time is over, and the last sample only repeats the one before.
        verdict = verdict.distrusted(visit.distrust).distrusted(Reason.FROZEN)
    return _decided(replace(lane, visit=replace(visit, verdict=verdict)), policy)


def _decided(lane: Lane, policy: Policy) -> tuple[Lane, Trigger]:
    """Decide on a visit that has a verdict; without a pass, whether it may go on to show one."""
    visit = lane.visit
    if visit.verdict is None:
        raise ImpossibleTriggerError("a decision without a measurement")
    # What speaks against the thermometer counts up to the decision, not up to the last sample.
    verdict = visit.verdict.distrusted(visit.distrust)
    attempts = min(policy.measure_attempts, GUIDANCE[verdict.reason].attempts)
    attempt = Attempt(
        verdict,
        attempts_left=max(0, attempts - visit.attempt),
        near_limit_before=visit.near_limit,
    )
    limit_c = policy.limits.limit_c
    decision = conclude(attempt, limit_c)
    if decision.outcome is Outcome.ADMIT and visit.holder is None:
        return replace(lane, visit=replace(visit, verdict=verdict)), Trigger.PASS_WANTED
    if policy.regime is not None and visit.known is not None:
        known = with_brought(visit.known, visit.brought)
        decision = by_regime(attempt, limit_c, known, policy.regime)
        wanted = _wanted(decision, measured(attempt, limit_c, known), policy)
        visit = replace(visit, verdict=verdict, wanted=wanted)
        if wanted:
            return replace(lane, visit=replace(visit, decision=decision)), Trigger.PASS_WANTED
    near_limit = visit.near_limit or verdict.zone is Zone.RECHECK
    visit = replace(visit, verdict=verdict, decision=decision, near_limit=near_limit)
    return replace(lane, visit=visit), _TRIGGER_OF[decision.outcome]


def _wanted(decision: Decision, facts: Facts, policy: Policy) -> tuple[Need, ...]:
    """Return what else this person can show, so that the order lets them in."""
    if policy.regime is None or decision.outcome is Outcome.RECHECK:
        return ()
    return missing(facts, policy.regime, policy.brings)


# --------------------------------------------------------------------------------------- commands


def _refusal(lane: Lane, command: Command, trigger: Trigger | None) -> str | None:
    """Return why a command is not obeyed; None when it is (S7)."""
    served = [id_ for id_, until_s in lane.served if until_s > command.at_s]
    if command.id in served:
        return "repeated"
    if not command.at_s < command.expires_at_s:  # this way round, what is no number is late
        return "late"
    if command.expires_at_s - command.at_s > MAX_COMMAND_S or len(served) >= _MAX_SERVED:
        return "too_many_or_too_long"
    if (command.verb is Verb.TEST) != (command.tested is not None):
        return "malformed"
    if trigger is not None and trigger not in TABLE[lane.state].steps:
        return "not_now"
    if command.verb is Verb.END_MAINTENANCE and lane.key:
        return "not_now"
    return None


def _served(lane: Lane, command: Command) -> Lane:
    served = tuple(one for one in lane.served if one[1] > command.at_s)
    return replace(lane, served=(*served, (command.id, command.expires_at_s)))


# ------------------------------------------------------------------------------------------ steps


def _step(
    lane: Lane, trigger: Trigger, at_s: float, policy: Policy
) -> tuple[Lane, tuple[Record, ...]]:
    step = TABLE[lane.state].steps.get(trigger)
    if step is None:
        raise ImpossibleTriggerError(f"{trigger.name} in state {lane.state.name}")
    match trigger:
        case Trigger.TURNED | Trigger.TAILGATED:
            lane = replace(lane, turned_at_s=at_s)
        case Trigger.EXIT_REQUESTED | Trigger.EXIT_REFUSED:
            lane = replace(lane, exit_wish=None, leaver=lane.exit_wish)
        case Trigger.ARRIVED | Trigger.ARRIVED_TO_MEASURE:
            lane = replace(lane, visit=Visit(lane.visit.number + 1))
        case _:
            pass
    types = step.records
    if policy.passage is PassageSignal.NONE and OUTPUTS[lane.state].releases in (ENTRY, EXIT):
        types = tuple(_UNTOLD.get(type_, type_) for type_ in types)  # a fire ended the release
    records = tuple(
        record
        for type_ in types
        for record in (
            Record(type_, at_s, data_of(type_, lane, policy)),
            *escalations(type_, lane, at_s),
        )
    )
    # What is asked for anew is a new entry: it is shown, and has its time.
    is_entry = step.to is not lane.state or trigger is Trigger.PASS_WANTED
    return (_enter(lane, step.to, at_s, policy) if is_entry else lane), records


def _enter(lane: Lane, state: State, at_s: float, policy: Policy) -> Lane:
    visit = lane.visit
    if state is State.MEASURING:
        visit = Visit(
            visit.number,
            holder=visit.holder,
            objection=visit.objection,
            attempt=visit.attempt + 1,
            near_limit=visit.near_limit,
            distrust=lane.distrust,
            known=visit.known,
            brought=visit.brought,
        )
    span = OUTPUTS[state].until
    if state is State.AWAITING_PASS and visit.wanted:
        span = Span.PROOF_TIMEOUT
    deadline_at_s = None if span is None else at_s + policy.spans_s[span]
    return replace(lane, state=state, entered_at_s=at_s, deadline_at_s=deadline_at_s, visit=visit)
