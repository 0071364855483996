"""The terms that the rules share: said anew here, and not taken from the code that they check."""

import math
from statistics import fmean, median

from gatepost.core.events import Command, LaneEvent, PassShown, Record, Verb
from gatepost.core.lane import output_of
from gatepost.core.states import Standing, State
from gatepost.core.visit import ExitWish, Lane, PassageSignal, Policy
from gatepost.verify.explore import Seen
from gatepost_hal.ports import Direction, InputChanged, InputName, Reading

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
_MANY = 64


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
        and len(remembered) < _MANY
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
        case _:
            return True


def switched(step: Seen) -> tuple[Standing, bool] | None:
    """Return the condition that the event is about, and whether it stands from now on."""
    match step.event:
        case InputChanged(name=name, active=active) if name in _CONTACTS:
            return _CONTACTS[name], active
        case Command(verb=verb) as command if verb in _SWITCHES:
            return _SWITCHES[verb] if is_to_be_obeyed(command, step.before) else None
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
            return ExitWish(at_s + step.policy.exit_wish_s, holder)
        case Command(verb=Verb.RELEASE_EXIT) as command:
            if not is_to_be_obeyed(command, step.before):
                return None
            until_s = min(command.at_s + step.policy.exit_wish_s, command.expires_at_s)
            return ExitWish(until_s, commanded_by=command.by)
        case _:
            return None


def wish_at(step: Seen) -> ExitWish | None:
    """Return the wish to leave that stands at this step, new or from before."""
    wish = wish_of(step) or step.before.exit_wish
    return wish if wish is not None and step.at_s < wish.until_s else None


def is_held_in(step: Seen, wish: ExitWish) -> bool:
    """Return whether a lock-down of this site holds the exit against a wish to leave."""
    is_locked = Standing.LOCKDOWN in step.after.standing and not step.policy.exit_in_lockdown
    return is_locked and wish.commanded_by is None


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


def record_of(step: Seen, *types: str) -> Record | None:
    """Return the first record of one of these types."""
    return next((record for record in step.records if record.type in types), None)


# ------------------------------------------------------------------------- what was measured


def index_of(samples: tuple[Reading, ...]) -> float:
    """Return the index of an attempt on the site of the walk, in degrees Celsius."""
    ambient_c = fmean(sample.ambient_c for sample in samples)
    return median(sample.object_c for sample in samples) - 0.18 * (ambient_c - 24) + 2.43


def is_measured(samples: tuple[Reading, ...]) -> bool:
    """Return whether samples are those of a bare forehead, held still, and of a part that lives."""
    objects_c = [sample.object_c for sample in samples]
    ambients_c = [sample.ambient_c for sample in samples]
    if len(samples) < 3 or not all(math.isfinite(c) for c in (*objects_c, *ambients_c)):
        return False
    skin_c, ambient_c = median(objects_c), fmean(ambients_c)
    repeated = any(
        one == two == three
        for one, two, three in zip(objects_c, objects_c[1:], objects_c[2:], strict=False)
    )
    return (
        not repeated
        and objects_c[-1] != objects_c[-2]
        and max(objects_c) - min(objects_c) <= 1.008
        and max(ambients_c) - min(ambients_c) <= 0.3
        and 20 <= ambient_c <= 29
        and 32 <= skin_c <= 43
        and skin_c - ambient_c >= 4
        and 35.5 <= index_of(samples) <= 42
    )


def is_passing(samples: tuple[Reading, ...], *, near_before: bool) -> bool:
    """Return whether they justify an admission: well below the limit, or twice not above it."""
    limit_c = 37.3 if near_before else 37.1
    return is_measured(samples) and round(index_of(samples), 3) <= limit_c


def is_near(samples: tuple[Reading, ...]) -> bool:
    """Return whether they are an index so near to the limit that it has to be measured again."""
    return is_measured(samples) and 37.1 < round(index_of(samples), 3) <= 37.5
