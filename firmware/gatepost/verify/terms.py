"""The terms that the rules share: said anew here, and not taken from the code that they check."""

from gatepost.core.events import Command, LaneEvent, PassShown, Record, Verb
from gatepost.core.lane import output_of
from gatepost.core.states import Standing, State
from gatepost.core.visit import ExitWish, Lane, PassageSignal, Policy
from gatepost.verify.explore import Seen
from gatepost.verify.order import keeps_in, on_leaving
from gatepost_hal.ports import Direction, InputChanged, InputName

ENTRY = frozenset({Direction.ENTRY})
EXIT = frozenset({Direction.EXIT})
BOTH = ENTRY | EXIT

# The highest first; and the state in which the lane shows it.
MODE_OF = {
    Standing.FIRE: State.FIRE,
    Standing.EMERGENCY: State.EMERGENCY,
    Standing.MAINTENANCE: State.MAINTENANCE,
    Standing.LOCKDOWN: State.LOCKED,
    Standing.CLOSURE: State.CLOSED,
    Standing.TAMPER: State.TAMPER,
}
FREEING = frozenset({Standing.FIRE, Standing.EMERGENCY})
BEGINNINGS = {
    Standing.FIRE: "fire.raised",
    Standing.EMERGENCY: "emergency.raised",
    Standing.MAINTENANCE: "maintenance.begun",
    Standing.LOCKDOWN: "lane.locked",
    Standing.CLOSURE: "lane.closed",
    Standing.TAMPER: "tamper.raised",
}
ENDS = {
    Standing.FIRE: "fire.cleared",
    Standing.EMERGENCY: "emergency.cleared",
    Standing.MAINTENANCE: "maintenance.ended",
    Standing.LOCKDOWN: "lane.unlocked",
    Standing.CLOSURE: "lane.opened",
    Standing.TAMPER: "tamper.cleared",
}
CONDITION_TYPES = frozenset(BEGINNINGS.values()) | frozenset(ENDS.values())

# A person in the arm, or on the way into it by a decision: a lower mode waits for them.
IN_THE_ARM = frozenset(
    {
        State.RELEASED,
        State.ENTRY_ENDING,
        State.ENTERING,
        State.LEAVING,
        State.EXIT_ENDING,
        State.EXITING,
    }
)
DEFERRING = IN_THE_ARM | {State.DECIDING, State.REFUSED}
# The alarm of an arm is told to its end; only a technician, fire and emergency go before it.
ALARMED = frozenset({State.HELD, State.FORCED})
ADMITTED = frozenset({State.DECIDING, State.RELEASED, State.ENTRY_ENDING})
LET_OUT = frozenset({State.LEAVING, State.EXIT_ENDING})
MODE_STATES = frozenset(MODE_OF.values()) | {State.TESTING}
UNCOUNTED = frozenset({State.FIRE, State.EMERGENCY, State.MAINTENANCE, State.TESTING})
# Staff lets nobody in while the arm is somebody's, is free for everybody, or is being repaired.
NO_ENTRY_BY_STAFF = IN_THE_ARM | UNCOUNTED | {State.DECIDING}

_CONTACTS = {
    InputName.FIRE: Standing.FIRE,
    InputName.EMERGENCY: Standing.EMERGENCY,
    InputName.MAINTENANCE_KEY: Standing.MAINTENANCE,
    InputName.TAMPER: Standing.TAMPER,
}
_SWITCHES = {
    Verb.LOCK: (Standing.LOCKDOWN, True),
    Verb.UNLOCK: (Standing.LOCKDOWN, False),
    Verb.CLOSE: (Standing.CLOSURE, True),
    Verb.OPEN: (Standing.CLOSURE, False),
    Verb.BEGIN_MAINTENANCE: (Standing.MAINTENANCE, True),
    Verb.END_MAINTENANCE: (Standing.MAINTENANCE, False),
}
_TAILGATE_S = 2.0
_HOUR_S = 3600.0
MANY = 64  # commands that are remembered at the same time


def frees(lane: Lane) -> frozenset[Direction]:
    """Return the directions whose relay a lane energises."""
    return output_of(lane).releases


def highest(lane: Lane) -> Standing | None:
    """Return the condition that goes before all others that stand."""
    return next((standing for standing in MODE_OF if standing in lane.standing), None)


def is_in_time(command: Command, lane: Lane) -> bool:
    """Return whether a command is new, of this hour, and says what it has to say."""
    remembered = [id_ for id_, until_s in lane.served if until_s > command.at_s]
    return (
        command.id not in remembered
        and len(remembered) < MANY
        and 0 < command.expires_at_s - command.at_s <= _HOUR_S
        and (command.tested is None) == (command.verb is not Verb.TEST)
    )


def is_to_be_obeyed(command: Command, lane: Lane) -> bool:
    """Return whether a command acts on a lane."""
    if not is_in_time(command, lane):
        return False
    match command.verb:
        case Verb.RELEASE_ENTRY:
            return lane.state not in NO_ENTRY_BY_STAFF
        case Verb.TEST:
            return lane.state is State.MAINTENANCE
        case Verb.END_MAINTENANCE:
            return not lane.key  # nobody elsewhere ends what the technician's key began
        case _:
            return True


def obeys(step: Seen) -> bool:
    """Return whether the event is a command that acts."""
    if step.obeys is None:
        command = step.event
        step.obeys = isinstance(command, Command) and is_to_be_obeyed(command, step.before)
    return step.obeys


def switched(step: Seen) -> tuple[Standing, bool] | None:
    """Return the condition that the event is about, and whether it stands from now on."""
    match step.event:
        case InputChanged(name=name, active=active) if name in _CONTACTS:
            return _CONTACTS[name], active
        case Command(verb=verb) if verb in _SWITCHES:
            return _SWITCHES[verb] if obeys(step) else None
        case _:
            return None


def wish_of(step: Seen) -> ExitWish | None:
    """Return the wish to leave that the event is, if it is one."""
    match step.event:
        case InputChanged(at_s=at_s, name=InputName.EXIT_BUTTON, active=True):
            # For whoever presses while the exit is free it is free already.
            is_new = step.before.state is not State.LEAVING
            return ExitWish(at_s + step.policy.exit_wish_s) if is_new else None
        case PassShown(at_s=at_s, holder=holder, direction=Direction.EXIT):
            leaver = step.before.leaver
            is_read_twice = (
                step.before.state is State.LEAVING
                and leaver is not None
                and leaver.holder == holder
            )
            until_s = at_s + step.policy.exit_wish_s
            decision = on_leaving(holder, step.policy)
            return None if is_read_twice else ExitWish(until_s, holder, decision=decision)
        case Command(verb=Verb.RELEASE_EXIT) as command:
            if not obeys(step):
                return None
            until_s = min(command.at_s + step.policy.exit_wish_s, command.expires_at_s)
            return ExitWish(until_s, commanded_by=command.by)
        case _:
            return None


def _says(wish: ExitWish) -> tuple[bool, bool]:
    return wish.commanded_by is not None, wish.holder is not None


def wish_noted(step: Seen) -> ExitWish | None:
    """Return the wish to leave that is known from now on: none gives way to one that says less."""
    new, waits = wish_of(step), step.before.exit_wish
    if new is None or waits is None or waits.until_s <= step.at_s:
        return new or waits
    return waits if _says(waits) > _says(new) else new


def wish_at(step: Seen) -> ExitWish | None:
    """Return the wish to leave that stands at this step, new or from before."""
    wish = wish_noted(step)
    return wish if wish is not None and step.at_s < wish.until_s else None


def is_held_in(step: Seen, wish: ExitWish) -> bool:
    """Return whether a lock-down, or the order in force, holds the exit against a wish to leave."""
    is_locked = Standing.LOCKDOWN in step.after.standing and not step.policy.exit_in_lockdown
    return (is_locked or keeps_in(wish, step.policy)) and wish.commanded_by is None


def turn_of(event: LaneEvent) -> Direction | None:
    """Return that the arm turns, and which way a contact for each way would tell."""
    match event:
        case InputChanged(name=InputName.PASSAGE, active=True):
            return Direction.ENTRY
        case InputChanged(name=InputName.PASSAGE_EXIT, active=True):
            return Direction.EXIT
        case _:
            return None


def is_right_way(way: Direction, free: Direction, policy: Policy) -> bool:
    """Return whether a turn may be by the person whose way is free."""
    return way is free or policy.passage is not PassageSignal.PER_DIRECTION


def is_right_after_a_turn(lane: Lane, at_s: float) -> bool:
    """Return whether somebody went through the arm a moment ago."""
    return lane.turned_at_s is not None and at_s <= lane.turned_at_s + _TAILGATE_S


def has_contact(policy: Policy) -> bool:
    """Return whether the turnstile tells that somebody walked."""
    return policy.passage is not PassageSignal.NONE


def record_of(step: Seen, *types: str) -> Record | None:
    """Return the first record of one of these types."""
    return next((record for record in step.records if record.type in types), None)


def asks_anew(step: Seen) -> bool:
    """Return whether the person is asked for something else than a moment ago, or for less."""
    before, after = step.before, step.after
    is_asking = before.state is State.AWAITING_PASS and after.state is State.AWAITING_PASS
    return is_asking and before.visit.wanted != after.visit.wanted
