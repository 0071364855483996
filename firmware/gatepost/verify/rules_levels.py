"""S3, S6 and S7: what stands and goes before what, what changes nothing, and commands."""

from dataclasses import replace

from gatepost.core.events import Command, PassShown, ProofShown, SensorTrust, Tick, Verb, Written
from gatepost.core.levels import ASKING
from gatepost.core.states import Standing, State
from gatepost.core.visit import Lane
from gatepost.verify.claims import EVENTS, Property, When
from gatepost.verify.explore import Seen
from gatepost.verify.terms import (
    ALARMED,
    BEGINNINGS,
    BOTH,
    CONDITION_TYPES,
    DEFERRING,
    ENDS,
    ENTRY,
    FREEING,
    IN_THE_ARM,
    MANY,
    MODE_OF,
    MODE_STATES,
    frees,
    highest,
    is_held_in,
    is_in_time,
    is_to_be_obeyed,
    obeys,
    switched,
    turn_of,
    wish_at,
    wish_noted,
)
from gatepost_hal.ports import Direction, InputChanged, InputName, Reading, SensorFault

S3 = Property("S3", "fire before emergency before all else: the way is free until it is over")
S6 = Property("S6", "an event that a state does not know changes nothing")
S7 = Property("S7", "a command acts once, in its time, or not at all")

_PASSAGE = frozenset({InputName.PASSAGE, InputName.PASSAGE_EXIT})
_NO_RECORDS_OF_A_STEP = CONDITION_TYPES | {
    "command.obeyed",
    "command.refused",
    "duress.shown",
    "proof.refused",
}
# In these a pass at the entry is nobody's, or changes nothing any more.
_KNOWS_NO_PASS = (
    IN_THE_ARM
    | MODE_STATES
    | {State.IDLE, State.DECIDING, State.REFERRED, State.HELD, State.FORCED}
) - {State.LOCKED, State.CLOSED, State.TAMPER}
_WITH_SOMEBODY = frozenset(
    {
        State.AWAITING_PASS,
        State.MEASURING,
        State.PAUSING,
        State.REFUSED,
        State.REFERRED,
        State.CLEARING,
    }
)
_WISHES_END = {"exit.released", "exit.refused"}


# ---------------------------------------------------------------------------------------- S3


@S3.rule(events=(InputChanged,))
def fire_frees_in_one_step(step: Seen) -> bool | None:
    """From every state a fire, or else an emergency, frees both ways in the very same step."""
    condition = switched(step)
    if condition not in ((Standing.FIRE, True), (Standing.EMERGENCY, True)):
        return None
    is_fire = condition == (Standing.FIRE, True) or Standing.FIRE in step.before.standing
    wanted = State.FIRE if is_fire else State.EMERGENCY
    return step.after.state is wanted and frees(step.after) == BOTH


@S3.rule(events=(InputChanged,))
@S3.rule(When.MOVED | When.TOLD, events=tuple({*EVENTS} - {InputChanged}))
def what_stands_is_what_was_said(step: Seen) -> bool | None:
    """A condition stands from the event that begins it to the one that ends it, and is told."""
    before, after = step.before.standing, step.after.standing
    condition = switched(step) if isinstance(step.event, InputChanged | Command) else None
    if condition is None:
        told_too = bool(step.records) and not CONDITION_TYPES.isdisjoint(step.types)
        return None if after is before and not told_too else after == before and not told_too
    standing, stands = condition
    told = [type_ for type_ in step.types if type_ in CONDITION_TYPES]
    if stands == (standing in before):
        return after == before and not told
    wanted = BEGINNINGS[standing] if stands else ENDS[standing]
    return after == before ^ {standing} and told == [wanted]


@S3.rule(When.ENTERED | When.SWITCHED)
def the_highest_is_shown(step: Seen) -> bool:
    """The lane is in the highest mode that stands; only what a person does now may end first."""
    standing, state = highest(step.after), step.after.state
    if standing is None:
        return state not in MODE_STATES
    if state is MODE_OF[standing]:
        return True
    if state is State.TESTING:
        return standing is Standing.MAINTENANCE
    if standing in FREEING:
        return False
    # To leave is always possible: the exit is freed from a mode, too.
    return state in _deferring(standing)


def _deferring(standing: Standing) -> frozenset[State]:
    return DEFERRING if standing is Standing.MAINTENANCE else DEFERRING | ALARMED


@S3.rule(When.SWITCHED, events=(InputChanged, Command))
def a_mode_waits_for_the_arm_alone(step: Seen) -> bool | None:
    """A person in the arm is not cut short by a lower mode; whoever is not yet decided on is."""
    standing = highest(step.after)
    if standing is None or standing in FREEING or switched(step) is None:
        return None
    if step.before.state in _deferring(standing) - {State.REFUSED}:
        return step.after.state is step.before.state
    if "exit.released" in step.types:
        return True  # the mode's first deed: somebody inside has waited for it
    return step.after.state in MODE_STATES or step.before.state is State.REFUSED


@S3.rule(When.ENTERED | When.SWITCHED, states={State.FIRE, State.EMERGENCY})
def over_is_locked_again(step: Seen) -> bool | None:
    """When fire and emergency are over nothing is free, but for somebody who wishes to leave."""
    if step.after.standing & FREEING:
        return None
    if not frees(step.after):
        return True
    return step.after.state is State.LEAVING and wish_at(step) is not None


@S3.rule(When.MOVED, states={State.FIRE, State.EMERGENCY})
def nothing_else_ends_it(step: Seen) -> bool | None:
    """Nothing but its own end ends a fire or an emergency."""
    if switched(step) is not None:
        return None
    return step.after.state is step.before.state and frees(step.after) == BOTH


# ---------------------------------------------------------------------------------------- S6


@S6.rule(When.MOVED)
def levels_are_as_they_were_said(step: Seen) -> bool:
    """Who is there, which contact and key is on, whether the thermometer is believed: as said."""
    before, after, event = step.before, step.after, step.event
    present, turning, key, distrust = before.present, before.turning, before.key, before.distrust
    match event:
        case InputChanged(name=InputName.PRESENCE, active=active):
            present = active
        case InputChanged(name=name, active=active) if name in _PASSAGE:
            turning = turning | {name} if active else turning - {name}
        case InputChanged(name=InputName.MAINTENANCE_KEY, active=active):
            key = active
        case SensorTrust(distrust=distrust):
            pass
        case _:
            pass
    levels = (after.present, after.turning, after.key, after.distrust)
    return levels == (present, turning, key, distrust)


def _but_for_levels(lane: Lane) -> tuple[object, ...]:
    return (lane.entered_at_s, lane.deadline_at_s, lane.turned_at_s, lane.leaver, lane.tested)


@S6.rule(When.MOVED)
def what_moves_nothing_changes_nothing(step: Seen) -> bool | None:
    """An event that leads nowhere and tells of no step leaves all but its own level as it was."""
    before, after = step.before, step.after
    if after.state is not before.state or not _NO_RECORDS_OF_A_STEP.issuperset(step.types):
        return None
    if before.state in (State.MEASURING, State.PAUSING) and isinstance(
        step.event, Reading | PassShown
    ):
        return None  # a sample, or the visit's first pass: S1 and S4 have them
    if before.state in ASKING and isinstance(step.event, PassShown | ProofShown):
        return None  # what is brought besides: rules_session has it
    visit = before.visit
    if isinstance(step.event, SensorTrust):
        visit = replace(visit, distrust=after.visit.distrust)  # S4 has that
    return after.visit == visit and _but_for_levels(after) == _but_for_levels(before)


@S6.rule(events=(Written, SensorFault, Tick))
def what_nobody_waits_for_is_nothing(step: Seen) -> bool | None:
    """An answer that nobody waits for, a fault's report, time that is not up: the same lane."""
    if isinstance(step.event, Written) and step.before.state is State.DECIDING:
        return None
    if step.is_late:
        return None
    return step.after is step.before and not step.records


@S6.rule(events=(SensorTrust,))
def a_word_on_the_thermometer_moves_nobody(step: Seen) -> bool:
    """Whether the thermometer is believed moves no lane by itself, and is not told by it."""
    return not step.enters and not step.records


@S6.rule(When.MOVED)
def the_lane_goes_on_till_nothing_follows(step: Seen) -> bool | None:
    """Nobody is idle who has somebody to ask, and nobody is asked who has gone."""
    lane = step.after
    if lane.state is State.IDLE:
        wish = lane.exit_wish
        waits = wish is not None and step.at_s < wish.until_s and not is_held_in(step, wish)
        return not (lane.present or lane.turning or lane.standing or waits)
    return lane.present if lane.state in _WITH_SOMEBODY else None


@S6.rule(states=_KNOWS_NO_PASS, events=(PassShown,))
def a_pass_out_of_place_is_nothing(step: Seen) -> bool | None:
    """Where no pass is wanted, one that is shown at the entry leaves no trace in the lane."""
    shown = step.event
    if not isinstance(shown, PassShown) or shown.direction is Direction.EXIT:
        return None
    return step.after is step.before and set(step.types) <= {"duress.shown"}


@S6.rule(When.MOVED | When.TOLD)
def a_wish_waits_and_is_used_once(step: Seen) -> bool | None:
    """A wish to leave waits, unchanged, until it is granted or refused; then it is gone."""
    after = step.after.exit_wish
    if _WISHES_END.intersection(step.types):
        return after is None
    wanted = wish_noted(step)
    return None if after is None and wanted is None else after == wanted


@S6.rule(When.TOLD, site=lambda policy: not policy.exit_in_lockdown or policy.exits_by_pass)
def a_wish_is_refused_once(step: Seen) -> bool | None:
    """Where a lock-down or an order holds the exit, a wish is refused, told, and frees no exit."""
    if "exit.refused" not in step.types:
        return None
    wish = wish_at(step)
    return (
        wish is not None
        and is_held_in(step, wish)
        and step.types.count("exit.refused") == 1
        and step.after.state is not State.LEAVING
    )


# ---------------------------------------------------------------------------------------- S7


@S7.rule(events=(Command,))
def a_bad_command_is_nothing(step: Seen) -> bool | None:
    """A late, repeated, endless or malformed command, or one out of place, moves nothing.

    What was answered with "not now" is remembered: repeated later, it must not act either.
    """
    command = step.event
    if not isinstance(command, Command):
        return None
    if obeys(step):
        return None if step.after is not step.before else False
    if step.types != ("command.refused",):
        return False
    data = step.records[0].data
    if data["command"] != command.id or (data["why"] == "not_now") != is_in_time(
        command, step.before
    ):
        return False
    if data["why"] != "not_now":
        return step.after is step.before
    is_known = (command.id, command.expires_at_s) in step.after.served
    return is_known and step.after == replace(step.before, served=step.after.served)


@S7.rule(When.MOVED, events=(Command,))
def a_good_command_is_obeyed_once(step: Seen) -> bool | None:
    """A command that acts is told once, and remembered until it expires."""
    command = step.event
    if not isinstance(command, Command) or not obeys(step):
        return None
    told = [record for record in step.records if record.type.startswith("command.")]
    return (
        [record.type for record in told] == ["command.obeyed"]
        and told[0].data["command"] == command.id
        and told[0].data["by"] == command.by
        and (command.id, command.expires_at_s) in step.after.served
        and len(step.after.served) <= MANY
    )


@S7.rule(When.MOVED, events=(Command,))
def a_command_does_what_it_says(step: Seen) -> bool | None:
    """An entry is decided on, an exit freed or wished for, an output tested, by that command."""
    command = step.event
    if not isinstance(command, Command) or not obeys(step):
        return None
    lane = step.after
    match command.verb:
        case Verb.RELEASE_ENTRY:
            return lane.state is State.DECIDING and lane.visit.released_by == command.by
        case Verb.TEST:
            return lane.state is State.TESTING and lane.tested is command.tested
        case Verb.RELEASE_EXIT:
            wish = lane.leaver if "exit.released" in step.types else lane.exit_wish
            return (
                wish is not None
                and wish.commanded_by == command.by
                and wish.until_s <= command.expires_at_s
            )
        case _:
            return not frees(lane) & ENTRY or lane.state is step.before.state


@S7.rule(
    When.MOVED | When.TOLD,
    events=(Reading, InputChanged, PassShown, Written, SensorTrust, SensorFault, Tick),
)
def nothing_else_is_a_command(step: Seen) -> bool | None:
    """What is no command is not told as one, and makes the lane forget none."""
    served = step.after.served
    if not step.records and served is step.before.served:
        return True
    told = any(type_.startswith("command.") for type_ in step.types)
    return not told and served == step.before.served


@S7.rule(When.MOVED, events=(Command,))
def no_command_is_forgotten_before_it_expires(step: Seen) -> bool:
    """Another command makes the lane forget none that could still come again."""
    served = step.after.served
    return all(one in served for one in step.before.served if one[1] > step.at_s)


@S7.rule(events=(InputChanged,))
def staff_is_obeyed_as_a_command(step: Seen) -> bool | None:
    """The staff's own input lets in where a command may, and nowhere else."""
    if not isinstance(step.event, InputChanged) or turn_of(step.event) is not None:
        return None
    if step.event.name is not InputName.STAFF_RELEASE or not step.event.active:
        return None
    command = Command(step.at_s, "", Verb.RELEASE_ENTRY, "staff", step.at_s + 1)
    if is_to_be_obeyed(command, step.before):
        return step.after.state is State.DECIDING
    return step.after is step.before and not step.records
