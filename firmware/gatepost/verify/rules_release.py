"""S1 and S2: what energises a relay, for how long, and what became of it."""

from gatepost.core.events import Command, PassShown, ProofShown, Tested, Tick, Verb, Written
from gatepost.core.lane import output_of, release_s
from gatepost.core.states import Span, Standing, State
from gatepost.core.visit import PassageSignal
from gatepost.verify.claims import EVENTS, Property, When
from gatepost.verify.explore import Seen
from gatepost.verify.order import justifies
from gatepost.verify.terms import (
    ADMITTED,
    BOTH,
    ENTRY,
    EXIT,
    FREEING,
    LET_OUT,
    MODE_STATES,
    UNCOUNTED,
    asks_anew,
    frees,
    has_contact,
    highest,
    is_held_in,
    is_in_time,
    is_right_after_a_turn,
    is_right_way,
    turn_of,
    wish_at,
)
from gatepost_hal.ports import Direction, InputChanged, InputName, Reading

S1 = Property(
    "S1", "a relay is energised only by an admission, a command, a wish to leave, or for a test"
)
S2 = Property("S2", "a release ends by itself, lets one person through, and is told of once")

_RELEASES = frozenset({State.RELEASED, State.LEAVING, State.TESTING})
_SPANS = {
    State.AWAITING_PASS: Span.PASS_TIMEOUT,
    State.MEASURING: Span.MEASURE_TIMEOUT,
    State.PAUSING: Span.RECHECK_PAUSE,
    State.RELEASED: Span.RELEASE_HOLD,
    State.ENTRY_ENDING: Span.TURN,
    State.ENTERING: Span.HELD,
    State.LEAVING: Span.RELEASE_HOLD,
    State.EXIT_ENDING: Span.TURN,
    State.EXITING: Span.HELD,
    State.REFUSED: Span.REFUSED_SHOW,
    State.REFERRED: Span.REFERRED_SHOW,
    State.FORCED: Span.ALARM_SHOW,
    State.TESTING: Span.TEST,
}
_ENTRY_OUTCOMES = ("passage.entered", "passage.not_entered", "passage.unconfirmed")
_EXIT_OUTCOMES = ("passage.left", "passage.not_left", "passage.unconfirmed")
_RELEASE_BEFORE = {State.ENTRY_ENDING: State.RELEASED, State.EXIT_ENDING: State.LEAVING}
_LESS = tuple(event for event in EVENTS if event not in (InputChanged, Tick, Written))
_OUTCOMES = frozenset(_ENTRY_OUTCOMES + _EXIT_OUTCOMES)
_TURNS = frozenset(
    {
        "passage.entered",
        "passage.left",
        "passage.wrong_way",
        "passage.tailgated",
        "passage.forced",
        "passage.free",
    }
)
_TESTED_WAY = {Tested.ENTRY_RELAY: ENTRY, Tested.EXIT_RELAY: EXIT}
# An alarm, or a mode that was waiting for the release to end, or somebody else's wish to leave.
_AFTER_AN_ALARM = MODE_STATES - {State.TESTING} | {State.FORCED, State.LEAVING}


# ---------------------------------------------------------------------------------------- S1


@S1.rule(When.ENTERED)
def entry_begins(step: Seen) -> bool | None:
    """The entry is freed alone only from DECIDING, when its record was written."""
    if not step.enters or frees(step.after) != ENTRY or step.after.state is State.TESTING:
        return None
    written = isinstance(step.event, Written) and step.event.ok
    return written and step.before.state is State.DECIDING and step.after.state is State.RELEASED


@S1.rule(When.ENTERED)
def entry_is_justified(step: Seen) -> bool | None:
    """An entry is decided only by the samples of this visit with a good pass, or by staff."""
    if step.enters is not State.DECIDING:
        return None
    match step.event:
        case InputChanged(name=InputName.STAFF_RELEASE, active=True):
            return step.after.visit.released_by == "staff"
        case Command(verb=Verb.RELEASE_ENTRY, by=by) as command:
            return is_in_time(command, step.before) and step.after.visit.released_by == by
        case Reading() | PassShown(direction=Direction.ENTRY) | ProofShown():
            return _is_admission(step)
        case _:
            return False


def _is_admission(step: Seen) -> bool:
    before, visit = step.before.visit, step.after.visit
    samples = before.samples
    is_measured_now = isinstance(step.event, Reading)
    if isinstance(step.event, Reading):
        is_told = step.before.state is State.MEASURING
        samples = (*samples, step.event)
    else:
        is_told = step.before.state is State.AWAITING_PASS
    return (
        is_told
        and not step.after.standing
        and visit.released_by is None
        and visit.holder is not None
        and (visit.objection is None or not visit.objection.blocks)
        and visit.number == before.number
        and visit.samples == samples
        and justifies(before if is_measured_now else visit, samples, step.policy)
    )


@S1.rule(events=(PassShown,))
def a_blocked_pass_is_no_pass(step: Seen) -> bool | None:
    """An unknown pass, or one that anti-passback blocks, brings nobody a step towards the entry."""
    shown = step.event
    if not isinstance(shown, PassShown) or shown.direction is Direction.EXIT:
        return None
    blocks = shown.objection is not None and shown.objection.blocks
    if shown.holder is not None and (shown.holder.duress or not blocks):
        return None
    if step.after is step.before or step.before.visit.wanted:
        return True  # nobody's pass to go through with: what an escort's may do, S6 says
    return step.after.state not in (State.MEASURING, State.DECIDING, State.RELEASED)


@S1.rule(When.MOVED)
def the_pass_is_the_visits_own(step: Seen) -> bool | None:
    """Whose visit it is changes only by the pass that is shown now, and then the objection too."""
    before, after, shown = step.before.visit, step.after.visit, step.event
    is_same_visit = after.number == before.number
    if is_same_visit and after.holder == before.holder:
        return after.objection == before.objection if after.holder else None
    if after.holder is None:
        return not is_same_visit
    if not isinstance(shown, PassShown) or shown.direction is Direction.EXIT:
        return False
    objection = None if shown.holder and shown.holder.duress else shown.objection
    return after.holder == shown.holder and (
        after.objection == objection or step.after.standing != frozenset()
    )


@S1.rule(When.MOVED, states=ADMITTED)
def the_visit_stays(step: Seen) -> bool | None:
    """Who was decided on is who is released, and whose passage is waited for."""
    if step.after.state not in ADMITTED:
        return None
    before, after = step.before.visit, step.after.visit
    return (before.number, before.holder, before.decision, before.released_by) == (
        after.number,
        after.holder,
        after.decision,
        after.released_by,
    )


@S1.rule(When.ENTERED | When.TOLD)
def exit_begins(step: Seen) -> bool | None:
    """The exit is freed alone only by a wish that has not lapsed and that no lock-down holds."""
    begins = bool(step.enters) and frees(step.after) == EXIT
    if not (begins or "exit.released" in step.types) or step.after.state is State.TESTING:
        return None
    wish = wish_at(step)
    return (
        step.after.state is State.LEAVING
        and step.types.count("exit.released") == 1
        and wish is not None
        and not is_held_in(step, wish)
        and not step.after.standing & FREEING
    )


@S1.rule(When.MOVED)
def a_test_is_commanded(step: Seen) -> bool | None:
    """An output is tested only in maintenance, by a command in time, and that output alone."""
    if step.after.state is not State.TESTING:
        return None
    lane = step.after
    if highest(lane) is not Standing.MAINTENANCE or lane.tested is None:
        return False
    if frees(lane) != _TESTED_WAY.get(lane.tested, frozenset()):
        return False
    if not step.enters:
        return lane.tested is step.before.tested
    command = step.event
    return (
        isinstance(command, Command)
        and command.verb is Verb.TEST
        and is_in_time(command, step.before)
        and step.before.state is State.MAINTENANCE
        and lane.tested is command.tested
    )


@S1.rule(When.ENTERED | When.SWITCHED)
def both_ways(step: Seen) -> bool:
    """Both ways are free while a fire or an emergency stands, and never otherwise."""
    return (frees(step.after) == BOTH) == bool(step.after.standing & FREEING)


@S1.rule(When.ENTERED | When.SWITCHED)
def only_these_release(step: Seen) -> bool | None:
    """Nothing is energised but in the five states that are made for it."""
    if not frees(step.after):
        return None
    return step.after.state in _RELEASES or bool(step.after.standing & FREEING)


# ---------------------------------------------------------------------------------------- S2


def _is_new_release(step: Seen) -> bool:
    """Return whether a release of the exit ended, and a waiting wish began another one."""
    return step.before.state is State.LEAVING and "exit.released" in step.types


@S2.rule(When.MOVED)
def nothing_moves_a_deadline(step: Seen) -> bool | None:
    """A state ends when it said on its first instant that it would; none but it sets that."""
    before, after = step.before, step.after
    span = _SPANS.get(after.state)
    if after.state is State.AWAITING_PASS and after.visit.wanted:
        span = Span.PROOF_TIMEOUT
    if after.state is before.state and not (_is_new_release(step) or asks_anew(step)):
        is_same = after.deadline_at_s == before.deadline_at_s
        return is_same and (span is None or after.entered_at_s == before.entered_at_s)
    until_s = None if span is None else step.at_s + step.policy.spans_s[span]
    return (after.entered_at_s, after.deadline_at_s) == (step.at_s, until_s)


@S2.rule(When.ENTERED | When.TOLD)
def the_relay_has_an_end(step: Seen) -> bool | None:
    """The driver is told an end with every release of one way: the pulse, or the state's own."""
    lane = step.after
    if not frees(lane) or frees(lane) == BOTH or lane.deadline_at_s is None:
        return None if frees(lane) == BOTH or not frees(lane) else False
    hold_s = release_s(output_of(lane), step.policy)
    lasts_s = step.policy.spans_s[_SPANS[lane.state]]
    return hold_s == min(lasts_s, step.policy.pulse_s or lasts_s)


@S2.rule(states=_RELEASES, events=(Tick,))
def a_release_ends_in_time(step: Seen) -> bool | None:
    """When its deadline has passed, a release is over."""
    if not step.is_late:
        return None
    return bool(step.enters) or _is_new_release(step)


@S2.rule(When.ENTERED, states=_RELEASES)
def every_way_out_drops_it(step: Seen) -> bool | None:
    """What ends a release drops its relay, but for a fire or an emergency, and for the next one."""
    if not step.enters or "exit.released" in step.types:
        return None
    return not frees(step.after) & frees(step.before) or bool(step.after.standing & FREEING)


def _outcome(step: Seen) -> str | None:
    """Return the outcome of an entry or an exit that ends with this step, None for none."""
    before, policy = step.before, step.policy
    is_entry = before.state in ADMITTED
    done, not_done = ("entered", "not_entered") if is_entry else ("left", "not_left")
    way = turn_of(step.event)
    if before.state is not State.DECIDING:
        if way is not None:
            free = Direction.ENTRY if is_entry else Direction.EXIT
            return f"passage.{done if is_right_way(way, free, policy) else not_done}"
        if step.is_late and before.state in _RELEASES:
            return "passage.unconfirmed" if policy.passage is PassageSignal.NONE else None
        if step.is_late:
            return f"passage.{not_done}"
    if not step.after.standing & FREEING:
        return None
    # Where no contact tells, nobody can say that somebody did not walk.
    is_unknown = policy.passage is PassageSignal.NONE and before.state in _RELEASES
    return "passage.unconfirmed" if is_unknown else f"passage.{not_done}"


@S2.rule(states=ADMITTED | LET_OUT, events=(InputChanged, Tick, Written))
@S2.rule(When.ENTERED | When.TOLD, states=ADMITTED | LET_OUT, events=_LESS)
def one_outcome(step: Seen) -> bool:
    """An entry or an exit that was let goes on, or it ends and tells once what became of it."""
    told = [type_ for type_ in step.types if type_ in _OUTCOMES]
    outcome = _outcome(step)
    if outcome is not None:
        return told == [outcome] and (bool(step.enters) or _is_new_release(step))
    if told:
        return False
    match step.before.state, step.after.state:
        case (State.DECIDING, State.DECIDING | State.RELEASED):
            return True
        case (State.DECIDING, _):
            return isinstance(step.event, Written)
        case (State.RELEASED, State.ENTRY_ENDING) | (State.LEAVING, State.EXIT_ENDING):
            return step.is_late
        case (before, after):
            return before is after


@S2.rule(When.ENTERED, site=has_contact)
def a_turn_is_waited_for_after_a_release_alone(step: Seen) -> bool | None:
    """What waits for a turn that began in time follows a release whose time is over."""
    release = _RELEASE_BEFORE.get(step.after.state)
    if release is None:
        return None
    return step.before.state is release and step.is_late


@S2.rule(When.TOLD, states=frozenset(State) - ADMITTED - LET_OUT)
def no_outcome_without_a_release(step: Seen) -> bool | None:
    """Nobody is told to have entered or left where nobody was let."""
    if not step.records:
        return None
    return not _OUTCOMES.intersection(step.types)


@S2.rule(events=(InputChanged,), site=has_contact)
def every_turn_is_told_as_what_it_is(step: Seen) -> bool | None:
    """A turn is who was let, or the wrong way, or a second person, or forced, or free for all."""
    way = turn_of(step.event)
    if way is None:
        return None
    state = step.before.state
    if state in ADMITTED | LET_OUT and state is not State.DECIDING:
        free = Direction.ENTRY if state in ADMITTED else Direction.EXIT
        let = "passage.entered" if state in ADMITTED else "passage.left"
        told = let if is_right_way(way, free, step.policy) else "passage.wrong_way"
    elif state in UNCOUNTED:
        told = "passage.free"
    elif is_right_after_a_turn(step.before, step.at_s):
        told = "passage.tailgated"
    else:
        told = "passage.forced"
    return [type_ for type_ in step.types if type_ in _TURNS] == [told]


@S2.rule(When.MOVED)
def turns_are_remembered(step: Seen) -> bool | None:
    """After somebody's turn a second one is known as such, and nothing else is taken for a turn."""
    before = step.before
    counted = {"passage.entered", "passage.left", "passage.tailgated"}.intersection(step.types)
    is_second = turn_of(step.event) is not None and is_right_after_a_turn(before, step.at_s)
    if counted or (is_second and before.state in UNCOUNTED):
        return step.after.turned_at_s == step.at_s
    return step.after.turned_at_s == before.turned_at_s


@S2.rule(events=(InputChanged,), site=has_contact)
def a_turn_is_the_end_of_a_release(step: Seen) -> bool | None:
    """With the first turn of the arm a release is over, whichever way it turns."""
    if turn_of(step.event) is None or step.before.state not in (State.RELEASED, State.LEAVING):
        return None
    if step.after.state in (State.ENTERING, State.EXITING):
        return True
    return "passage.wrong_way" in step.types and step.after.state in _AFTER_AN_ALARM
