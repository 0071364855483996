"""The lane's whole state machine: one literal table, and what each state does to the world.

Rule 1: every transition stands in `TABLE`, every effect on relay, lamps and sounder in `OUTPUTS`.
Outputs follow from the state alone, so that what the person is told is what was decided (S9), and
so that the safety of the relay can be read off `OUTPUTS`: three states energise it (S1), each
under a deadline, and every way out of them drops it (S2).

Rule 2: for each state every trigger is listed: as a step, as ignored (it can come, and changes
nothing: S6), or as impossible (only a bug can bring it). A test holds the three lists complete.
"""

from enum import Enum, auto
from typing import NamedTuple

from gatepost_hal.ports import Direction, Lamp


class State(Enum):
    """Where the lane is in its dealings with one person."""

    IDLE = auto()  # nobody there
    AWAITING_PASS = auto()  # somebody stepped up
    MEASURING = auto()  # a known pass was shown; samples come in
    PAUSING = auto()  # between two attempts to measure
    DECIDING = auto()  # admitted; the record is on its way to the disk
    RELEASED = auto()  # entry is free for one person
    ENTRY_ENDING = auto()  # locked again; who is in the arm by now may finish the turn
    LEAVING = auto()  # exit is free for one person
    EXIT_ENDING = auto()
    REFUSED = auto()
    REFERRED = auto()  # please wait for staff
    CLEARING = auto()  # dealt with, and still there
    FIRE = auto()  # both directions are free


class Trigger(Enum):
    """What can happen to a lane, after `gatepost.core.lane` has made sense of raw events."""

    ARRIVED = auto()
    LEFT = auto()
    PASS_KNOWN = auto()
    PASS_UNKNOWN = auto()
    ADMITTED = auto()  # the four outcomes of `gatepost.core.rules`
    RECHECKED = auto()
    REFERRED = auto()
    DENIED = auto()
    RECORDED = auto()  # the record of the admission is on disk
    NOT_RECORDED = auto()  # it could not be written
    PASSAGE = auto()  # the turnstile turned
    EXIT_REQUESTED = auto()
    FIRE_RAISED = auto()
    FIRE_CLEARED = auto()
    TIMEOUT = auto()  # the state's deadline passed


class Signal(Enum):
    """What the person in the lane is told."""

    READY = auto()
    SHOW_PASS = auto()
    HOLD_STILL = auto()
    TRY_AGAIN = auto()
    GO = auto()
    NO_ENTRY = auto()
    WAIT_FOR_STAFF = auto()
    EVACUATE = auto()


class Span(Enum):
    """Names of the durations that the site configures."""

    PASS_TIMEOUT = auto()
    MEASURE_TIMEOUT = auto()
    RECHECK_PAUSE = auto()
    RELEASE_HOLD = auto()
    TURN = auto()
    REFUSED_SHOW = auto()
    REFERRED_SHOW = auto()


class Output(NamedTuple):
    """What a state does while it lasts. `until` is how long; None is until a trigger."""

    signal: Signal
    releases: frozenset[Direction] = frozenset()
    until: Span | None = None


NOBODY: frozenset[Direction] = frozenset()
ENTRY = frozenset({Direction.ENTRY})
EXIT = frozenset({Direction.EXIT})

OUTPUTS = {
    State.IDLE: Output(Signal.READY),
    State.AWAITING_PASS: Output(Signal.SHOW_PASS, NOBODY, Span.PASS_TIMEOUT),
    State.MEASURING: Output(Signal.HOLD_STILL, NOBODY, Span.MEASURE_TIMEOUT),
    State.PAUSING: Output(Signal.TRY_AGAIN, NOBODY, Span.RECHECK_PAUSE),
    State.DECIDING: Output(Signal.HOLD_STILL),
    State.RELEASED: Output(Signal.GO, ENTRY, Span.RELEASE_HOLD),
    State.ENTRY_ENDING: Output(Signal.READY, NOBODY, Span.TURN),
    State.LEAVING: Output(Signal.GO, EXIT, Span.RELEASE_HOLD),
    State.EXIT_ENDING: Output(Signal.READY, NOBODY, Span.TURN),
    State.REFUSED: Output(Signal.NO_ENTRY, NOBODY, Span.REFUSED_SHOW),
    State.REFERRED: Output(Signal.WAIT_FOR_STAFF, NOBODY, Span.REFERRED_SHOW),
    State.CLEARING: Output(Signal.READY),
    State.FIRE: Output(Signal.EVACUATE, ENTRY | EXIT),  # the loop renews it until it clears (S3)
}


class SignalPattern(NamedTuple):
    """Lamps, and a sound: on, off, on ... in seconds."""

    lamps: frozenset[Lamp]
    buzzer_s: tuple[float, ...] = ()


SIGNALS = {
    Signal.READY: SignalPattern(frozenset()),
    Signal.SHOW_PASS: SignalPattern(frozenset({Lamp.AMBER})),
    Signal.HOLD_STILL: SignalPattern(frozenset({Lamp.AMBER}), (0.05,)),
    Signal.TRY_AGAIN: SignalPattern(frozenset({Lamp.AMBER}), (0.1, 0.1, 0.1)),
    Signal.GO: SignalPattern(frozenset({Lamp.GREEN}), (0.3,)),
    Signal.NO_ENTRY: SignalPattern(frozenset({Lamp.RED}), (1.0,)),
    Signal.WAIT_FOR_STAFF: SignalPattern(frozenset({Lamp.RED, Lamp.AMBER}), (0.2, 0.2) * 3),
    Signal.EVACUATE: SignalPattern(frozenset({Lamp.GREEN}), (0.5, 0.5) * 10),
}


class Step(NamedTuple):
    """Where a trigger leads, and the records (event types) that it leaves, in order.

    A step to the state itself is no new entry into it: its deadline runs on.
    """

    to: State
    records: tuple[str, ...] = ()


class Row(NamedTuple):
    """All triggers of one state."""

    steps: dict[Trigger, Step]
    ignored: frozenset[Trigger]
    impossible: frozenset[Trigger]


_OUTCOMES = frozenset({Trigger.ADMITTED, Trigger.RECHECKED, Trigger.REFERRED, Trigger.DENIED})
_WRITTEN = frozenset({Trigger.RECORDED, Trigger.NOT_RECORDED})
_PASSES = frozenset({Trigger.PASS_KNOWN, Trigger.PASS_UNKNOWN})
_PRESENCE = frozenset({Trigger.ARRIVED, Trigger.LEFT})
_FIRE_STEP = {Trigger.FIRE_RAISED: Step(State.FIRE, ("fire.raised",))}
_FIRE_OVER_VISIT = {Trigger.FIRE_RAISED: Step(State.FIRE, ("visit.abandoned", "fire.raised"))}
_NEVER = _OUTCOMES | _WRITTEN | {Trigger.FIRE_CLEARED}


def _forced(state: State) -> dict[Trigger, Step]:
    """The turnstile turned although nothing was released (R147)."""
    return {Trigger.PASSAGE: Step(state, ("passage.forced",))}


_EXIT_STEP = {Trigger.EXIT_REQUESTED: Step(State.LEAVING, ("exit.released",))}
# Somebody stands at the entry who has not been dealt with; their visit ends with the release.
_EXIT_OVER_VISIT = {
    Trigger.EXIT_REQUESTED: Step(State.LEAVING, ("visit.abandoned", "exit.released"))
}
# What may happen while the arm is free, and for the turn that began just before it was locked.
_ENTRY_STEPS = {
    Trigger.PASSAGE: Step(State.CLEARING, ("passage.entered",)),
    Trigger.FIRE_RAISED: Step(State.FIRE, ("passage.not_entered", "fire.raised")),
}
_EXIT_STEPS = {
    # To IDLE: who waited at the entry meanwhile is asked for a pass anew.
    Trigger.PASSAGE: Step(State.IDLE, ("passage.left",)),
    Trigger.FIRE_RAISED: Step(State.FIRE, ("passage.not_left", "fire.raised")),
}
_IN_THE_ARM = _PASSES | _PRESENCE | {Trigger.EXIT_REQUESTED}
_LEAVES = {Trigger.LEFT: Step(State.IDLE, ("visit.abandoned",))}

TABLE: dict[State, Row] = {
    State.IDLE: Row(
        {
            Trigger.ARRIVED: Step(State.AWAITING_PASS),
            **_EXIT_STEP,
            **_forced(State.IDLE),
            **_FIRE_STEP,
        },
        # A pass scanned by somebody who is not there is nobody's.
        ignored=_PASSES,
        impossible=_NEVER | {Trigger.LEFT, Trigger.TIMEOUT},
    ),
    State.AWAITING_PASS: Row(
        {
            Trigger.PASS_KNOWN: Step(State.MEASURING),
            Trigger.PASS_UNKNOWN: Step(State.REFUSED, ("visit.denied",)),
            Trigger.TIMEOUT: Step(State.CLEARING, ("visit.abandoned",)),
            **_LEAVES,
            **_EXIT_OVER_VISIT,
            **_forced(State.AWAITING_PASS),
            **_FIRE_OVER_VISIT,
        },
        ignored=frozenset(),
        impossible=_NEVER | {Trigger.ARRIVED},
    ),
    State.MEASURING: Row(
        {
            Trigger.ADMITTED: Step(State.DECIDING, ("visit.admitted",)),
            Trigger.RECHECKED: Step(State.PAUSING, ("visit.rechecked",)),
            Trigger.REFERRED: Step(State.REFERRED, ("visit.referred",)),
            Trigger.DENIED: Step(State.REFUSED, ("visit.denied",)),
            **_LEAVES,
            **_forced(State.MEASURING),
            **_FIRE_OVER_VISIT,
        },
        # Seconds only: the button works again as soon as the measurement is over.
        ignored=_PASSES | {Trigger.EXIT_REQUESTED},
        # The lane turns the end of an attempt into an outcome.
        impossible=_WRITTEN | {Trigger.ARRIVED, Trigger.FIRE_CLEARED, Trigger.TIMEOUT},
    ),
    State.PAUSING: Row(
        {
            Trigger.TIMEOUT: Step(State.MEASURING),
            **_LEAVES,
            **_forced(State.PAUSING),
            **_FIRE_OVER_VISIT,
        },
        ignored=_PASSES | {Trigger.EXIT_REQUESTED},
        impossible=_NEVER | {Trigger.ARRIVED},
    ),
    State.DECIDING: Row(
        {
            Trigger.RECORDED: Step(State.RELEASED),
            Trigger.NOT_RECORDED: Step(State.REFUSED),
            **_forced(State.DECIDING),
            **_FIRE_STEP,
        },
        ignored=_PASSES | _PRESENCE | {Trigger.EXIT_REQUESTED},
        impossible=_OUTCOMES | {Trigger.FIRE_CLEARED, Trigger.TIMEOUT},
    ),
    State.RELEASED: Row(
        {**_ENTRY_STEPS, Trigger.TIMEOUT: Step(State.ENTRY_ENDING)},
        # On the way through the arm one leaves the presence zone.
        ignored=_IN_THE_ARM,
        impossible=_NEVER,
    ),
    State.ENTRY_ENDING: Row(
        {**_ENTRY_STEPS, Trigger.TIMEOUT: Step(State.CLEARING, ("passage.not_entered",))},
        ignored=_IN_THE_ARM,
        impossible=_NEVER,
    ),
    State.LEAVING: Row(
        {**_EXIT_STEPS, Trigger.TIMEOUT: Step(State.EXIT_ENDING)},
        ignored=_IN_THE_ARM,
        impossible=_NEVER,
    ),
    State.EXIT_ENDING: Row(
        {**_EXIT_STEPS, Trigger.TIMEOUT: Step(State.IDLE, ("passage.not_left",))},
        ignored=_IN_THE_ARM,
        impossible=_NEVER,
    ),
    State.REFUSED: Row(
        {
            Trigger.PASS_KNOWN: Step(State.MEASURING),  # the wrong card first, then the right one
            Trigger.LEFT: Step(State.IDLE),
            Trigger.TIMEOUT: Step(State.CLEARING),
            **_EXIT_STEP,
            **_forced(State.REFUSED),
            **_FIRE_STEP,
        },
        ignored=frozenset({Trigger.PASS_UNKNOWN}),
        impossible=_NEVER | {Trigger.ARRIVED},
    ),
    State.REFERRED: Row(
        {
            Trigger.LEFT: Step(State.IDLE),
            Trigger.TIMEOUT: Step(State.CLEARING),
            **_EXIT_STEP,
            **_forced(State.REFERRED),
            **_FIRE_STEP,
        },
        ignored=_PASSES,
        impossible=_NEVER | {Trigger.ARRIVED},
    ),
    State.CLEARING: Row(
        {
            Trigger.LEFT: Step(State.IDLE),
            Trigger.PASS_KNOWN: Step(State.MEASURING),  # the next one stands close behind
            Trigger.PASS_UNKNOWN: Step(State.REFUSED, ("visit.denied",)),
            **_EXIT_STEP,
            **_forced(State.CLEARING),
            **_FIRE_STEP,
        },
        ignored=frozenset(),
        impossible=_NEVER | {Trigger.ARRIVED, Trigger.TIMEOUT},
    ),
    State.FIRE: Row(
        {
            Trigger.FIRE_CLEARED: Step(State.IDLE, ("fire.cleared",)),
            Trigger.PASSAGE: Step(State.FIRE, ("passage.free",)),
        },
        ignored=_PASSES | _PRESENCE | {Trigger.EXIT_REQUESTED},
        impossible=_OUTCOMES | _WRITTEN | {Trigger.FIRE_RAISED, Trigger.TIMEOUT},
    ),
}
