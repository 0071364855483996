"""The lane's whole state machine: one literal table of steps.

For each state every trigger is a step, or ignored (it can come, and changes nothing: S6), or, what
is neither, impossible: only a bug can bring it. `gatepost verify` walks through every state that a
lane can reach, with everything that can happen there, and meets no impossible one.
"""

from typing import NamedTuple

from gatepost.core.states import State, Trigger


class Step(NamedTuple):
    """Where a trigger leads, and the records (event types) that it leaves, in order.

    A step to the state itself is no new entry into it: its deadline runs on.
    """

    to: State
    records: tuple[str, ...] = ()


class Row(NamedTuple):
    """All triggers of one state: `steps`, `ignored`, and, the rest, `impossible`."""

    steps: dict[Trigger, Step]
    ignored: frozenset[Trigger]
    impossible: frozenset[Trigger]


def _row(*parts: dict[Trigger, Step], ignored: frozenset[Trigger]) -> Row:
    steps: dict[Trigger, Step] = {}
    for part in parts:
        steps |= part
    return Row(steps, ignored, frozenset(Trigger) - steps.keys() - ignored)


# What can come at any time, whatever the lane is doing.
_PASSES = frozenset({Trigger.PASS_KNOWN, Trigger.PASS_REFUSED})
_WISHES = frozenset({Trigger.EXIT_REQUESTED, Trigger.EXIT_REFUSED, Trigger.ENTRY_COMMANDED})
_TEST = frozenset({Trigger.TEST_COMMANDED})
_ARM = frozenset({Trigger.ARM_TURNS, Trigger.ARM_RESTS})
_PERSON = frozenset({Trigger.ARRIVED, Trigger.ARRIVED_TO_MEASURE, Trigger.LEFT})
# Modes that let a person who is on the way through the arm finish first.
_LOWER = frozenset({Trigger.MAINTENANCE, Trigger.LOCKDOWN, Trigger.CLOSURE, Trigger.TAMPER})
# What does not silence the alarm of an arm: a technician does, who came to see to it.
_LOWEST = _LOWER - {Trigger.MAINTENANCE}
_BY_KEY = {Trigger.MAINTENANCE: Step(State.MAINTENANCE)}


def _freed(*records: str) -> dict[Trigger, Step]:
    """Fire and emergency, from wherever (S3)."""
    return {
        Trigger.FIRE: Step(State.FIRE, records),
        Trigger.EMERGENCY: Step(State.EMERGENCY, records),
    }


def _closed(*records: str) -> dict[Trigger, Step]:
    """The modes in which nobody is let in by a pass."""
    return {
        Trigger.MAINTENANCE: Step(State.MAINTENANCE, records),
        Trigger.LOCKDOWN: Step(State.LOCKED, records),
        Trigger.CLOSURE: Step(State.CLOSED, records),
        Trigger.TAMPER: Step(State.TAMPER, records),
    }


def _alarms(*records: str) -> dict[Trigger, Step]:
    """The arm turned although nothing was free for it (R147)."""
    return {
        Trigger.FORCED: Step(State.FORCED, (*records, "passage.forced")),
        Trigger.TAILGATED: Step(State.FORCED, (*records, "passage.tailgated")),
    }


_ABANDONED = "visit.abandoned"
_EXIT = {Trigger.EXIT_REQUESTED: Step(State.LEAVING, ("exit.released",))}


def _no_exit(state: State) -> dict[Trigger, Step]:
    """A lock-down that holds the exit, or an order that does not let this one out."""
    return {Trigger.EXIT_REFUSED: Step(state, ("exit.refused",))}


# Somebody stands at the entry who has not been dealt with; their visit ends with the release.
_EXIT_OVER_VISIT = {Trigger.EXIT_REQUESTED: Step(State.LEAVING, (_ABANDONED, "exit.released"))}
# Staff answers for a person: the visit goes on, by their word.
_BY_STAFF = {Trigger.ENTRY_COMMANDED: Step(State.DECIDING, ("entry.commanded",))}
_LEAVES = {Trigger.LEFT: Step(State.IDLE, (_ABANDONED,))}
_OUTCOMES = {
    Trigger.ADMITTED: Step(State.DECIDING, ("visit.admitted",)),
    Trigger.RECHECKED: Step(State.PAUSING, ("visit.rechecked",)),
    Trigger.REFERRED: Step(State.REFERRED, ("visit.referred",)),
    Trigger.DENIED: Step(State.REFUSED, ("visit.denied",)),
}
_DENIES = {Trigger.PASS_REFUSED: Step(State.REFUSED, ("visit.denied",))}

# What may happen while the arm is free, and for the turn that began just before it was locked.
_IN_THE_ENTRY = {
    Trigger.TURNED: Step(State.ENTERING, ("passage.entered",)),
    Trigger.WRONG_WAY: Step(State.FORCED, ("passage.not_entered", "passage.wrong_way")),
    **_freed("passage.not_entered"),
}
_IN_THE_EXIT = {
    Trigger.TURNED: Step(State.EXITING, ("passage.left",)),
    Trigger.WRONG_WAY: Step(State.FORCED, ("passage.not_left", "passage.wrong_way")),
    **_freed("passage.not_left"),
}
_IGNORED_IN_THE_ARM = _PASSES | _PERSON | _WISHES | _LOWER | _TEST | _ARM


def _counted_nowhere(state: State) -> dict[Trigger, Step]:
    """Return what a turn is where everybody may walk, or a technician turns the arm."""
    return {
        Trigger.FORCED: Step(state, ("passage.free",)),
        Trigger.TAILGATED: Step(state, ("passage.free",)),
    }


def _mode_row(state: State, *parts: dict[Trigger, Step], ignored: frozenset[Trigger]) -> Row:
    """Return the row of a mode: any other one may take its place, or none."""
    others = {trigger: step for trigger, step in _closed().items() if step.to is not state}
    freed = {trigger: step for trigger, step in _freed().items() if step.to is not state}
    normal = {Trigger.NORMAL: Step(State.IDLE)}
    return _row(others, freed, normal, *parts, ignored=ignored | _PERSON | _ARM)


def _shut_row(state: State) -> Row:
    """Return the row of a mode that lets nobody in by a pass, and lets out."""
    said_no = {**_DENIES, Trigger.PASS_KNOWN: _DENIES[Trigger.PASS_REFUSED]}
    return _mode_row(state, said_no, _EXIT, _no_exit(state), _BY_STAFF, _alarms(), ignored=_TEST)


TABLE: dict[State, Row] = {
    State.IDLE: _row(
        {
            Trigger.ARRIVED: Step(State.AWAITING_PASS),
            Trigger.ARRIVED_TO_MEASURE: Step(State.MEASURING),
            Trigger.ARM_TURNS: Step(State.EXITING),  # after an alarm, or found so at the start
        },
        _EXIT,
        _no_exit(State.IDLE),
        _BY_STAFF,
        _alarms(),
        _closed(),
        _freed(),
        # A pass scanned by somebody who is not there is nobody's.
        ignored=_PASSES | _TEST,
    ),
    State.AWAITING_PASS: _row(
        {
            Trigger.PASS_KNOWN: Step(State.MEASURING),
            Trigger.PASS_WANTED: Step(State.AWAITING_PASS),  # something else, or less than before
            Trigger.TIMEOUT: Step(State.CLEARING, (_ABANDONED,)),
        },
        _DENIES,
        _OUTCOMES,  # for whoever was measured first, or was asked for more
        _LEAVES,
        _EXIT_OVER_VISIT,
        _no_exit(State.AWAITING_PASS),
        _BY_STAFF,
        _alarms(_ABANDONED),
        _closed(_ABANDONED),
        _freed(_ABANDONED),
        ignored=_TEST,
    ),
    State.MEASURING: _row(
        {
            Trigger.PASS_WANTED: Step(State.AWAITING_PASS),
            Trigger.PASS_KNOWN: Step(State.MEASURING),  # noted, if it is the visit's first
        },
        _OUTCOMES,
        _LEAVES,
        _BY_STAFF,
        _alarms(_ABANDONED),
        _closed(_ABANDONED),
        _freed(_ABANDONED),
        # Seconds only: a wish to leave waits until the measurement is over.
        ignored=_TEST | {Trigger.PASS_REFUSED, Trigger.EXIT_REQUESTED, Trigger.EXIT_REFUSED},
    ),
    State.PAUSING: _row(
        {Trigger.TIMEOUT: Step(State.MEASURING), Trigger.PASS_KNOWN: Step(State.PAUSING)},
        _LEAVES,
        _BY_STAFF,
        _alarms(_ABANDONED),
        _closed(_ABANDONED),
        _freed(_ABANDONED),
        ignored=_TEST | {Trigger.PASS_REFUSED, Trigger.EXIT_REQUESTED, Trigger.EXIT_REFUSED},
    ),
    State.DECIDING: _row(
        {Trigger.RECORDED: Step(State.RELEASED), Trigger.NOT_RECORDED: Step(State.REFUSED)},
        _freed("passage.not_entered"),
        {
            Trigger.FORCED: Step(State.DECIDING, ("passage.forced",)),
            Trigger.TAILGATED: Step(State.DECIDING, ("passage.tailgated",)),
        },
        ignored=_PASSES | _PERSON | _WISHES | _LOWER | _TEST | _ARM,
    ),
    State.RELEASED: _row(
        _IN_THE_ENTRY,
        {
            Trigger.TIMEOUT: Step(State.ENTRY_ENDING),
            Trigger.UNCONFIRMED: Step(State.CLEARING, ("passage.unconfirmed",)),
        },
        # On the way through the arm one leaves the presence zone.
        ignored=_IGNORED_IN_THE_ARM,
    ),
    State.ENTRY_ENDING: _row(
        _IN_THE_ENTRY,
        {Trigger.TIMEOUT: Step(State.CLEARING, ("passage.not_entered",))},
        ignored=_IGNORED_IN_THE_ARM,
    ),
    State.ENTERING: _row(
        {
            Trigger.ARM_RESTS: Step(State.CLEARING),
            Trigger.TIMEOUT: Step(State.HELD, ("passage.held",)),
        },
        _alarms(),
        _freed(),
        ignored=_PASSES | _PERSON | _WISHES | _LOWER | _TEST | {Trigger.ARM_TURNS},
    ),
    State.LEAVING: _row(
        _IN_THE_EXIT,
        {
            Trigger.TIMEOUT: Step(State.EXIT_ENDING),
            Trigger.UNCONFIRMED: Step(State.IDLE, ("passage.unconfirmed",)),
        },
        ignored=_IGNORED_IN_THE_ARM,
    ),
    State.EXIT_ENDING: _row(
        _IN_THE_EXIT,
        {Trigger.TIMEOUT: Step(State.IDLE, ("passage.not_left",))},
        ignored=_IGNORED_IN_THE_ARM,
    ),
    State.EXITING: _row(
        {
            # To IDLE: who waited at the entry meanwhile is asked anew.
            Trigger.ARM_RESTS: Step(State.IDLE),
            Trigger.TIMEOUT: Step(State.HELD, ("passage.held",)),
        },
        _alarms(),
        _freed(),
        ignored=_PASSES | _PERSON | _WISHES | _LOWER | _TEST | {Trigger.ARM_TURNS},
    ),
    State.REFUSED: _row(
        {
            Trigger.PASS_KNOWN: Step(State.MEASURING),  # the wrong card first, then the right one
            Trigger.LEFT: Step(State.IDLE),
            Trigger.TIMEOUT: Step(State.CLEARING),
        },
        _EXIT,
        _no_exit(State.REFUSED),
        _BY_STAFF,
        _alarms(),
        _freed(),
        # It is told to the end; then the mode that refused takes over again.
        ignored=_LOWER | _TEST | {Trigger.PASS_REFUSED},
    ),
    State.REFERRED: _row(
        {Trigger.LEFT: Step(State.IDLE), Trigger.TIMEOUT: Step(State.CLEARING)},
        _EXIT,
        _no_exit(State.REFERRED),
        _BY_STAFF,
        _alarms(),
        _closed(),
        _freed(),
        ignored=_PASSES | _TEST,
    ),
    State.CLEARING: _row(
        {
            Trigger.LEFT: Step(State.IDLE),
            Trigger.PASS_KNOWN: Step(State.MEASURING),  # the next one stands close behind
            Trigger.ARM_TURNS: Step(State.ENTERING),
        },
        _DENIES,
        _EXIT,
        _no_exit(State.CLEARING),
        _BY_STAFF,
        _alarms(),
        _closed(),
        _freed(),
        ignored=_TEST,
    ),
    State.HELD: _row(
        {Trigger.ARM_RESTS: Step(State.CLEARING, ("passage.rested",))},
        _EXIT,
        _no_exit(State.HELD),
        _BY_STAFF,
        _alarms(),
        _BY_KEY,
        _freed(),
        ignored=_PASSES | _PERSON | _TEST | _LOWEST,
    ),
    State.FORCED: _row(
        {Trigger.TIMEOUT: Step(State.CLEARING)},
        _EXIT,
        _no_exit(State.FORCED),
        _BY_STAFF,
        {
            Trigger.FORCED: Step(State.FORCED, ("passage.forced",)),
            Trigger.TAILGATED: Step(State.FORCED, ("passage.tailgated",)),
        },
        _BY_KEY,
        _freed(),
        ignored=_PASSES | _PERSON | _ARM | _TEST | _LOWEST,
    ),
    State.FIRE: _mode_row(
        State.FIRE, _counted_nowhere(State.FIRE), ignored=_PASSES | _WISHES | _TEST
    ),
    State.EMERGENCY: _mode_row(
        State.EMERGENCY, _counted_nowhere(State.EMERGENCY), ignored=_PASSES | _WISHES | _TEST
    ),
    State.MAINTENANCE: _mode_row(
        State.MAINTENANCE,
        {Trigger.TEST_COMMANDED: Step(State.TESTING, ("maintenance.tested",))},
        _EXIT,
        _no_exit(State.MAINTENANCE),
        _counted_nowhere(State.MAINTENANCE),
        ignored=_PASSES | {Trigger.ENTRY_COMMANDED},
    ),
    State.TESTING: _row(
        {Trigger.TIMEOUT: Step(State.MAINTENANCE), Trigger.NORMAL: Step(State.IDLE)},
        {trigger: step for trigger, step in _closed().items() if step.to is not State.MAINTENANCE},
        _freed(),
        _counted_nowhere(State.TESTING),
        ignored=_PASSES | _WISHES | _TEST | _PERSON | _ARM,
    ),
    State.LOCKED: _shut_row(State.LOCKED),
    State.CLOSED: _shut_row(State.CLOSED),
    State.TAMPER: _shut_row(State.TAMPER),
}
