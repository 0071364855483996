"""The states of a lane, what goes before what, and what each state does to the world.

Outputs follow from the state alone, so that what the person is told is what was decided (S9), and
so that the safety of the relays can be read off `OUTPUTS`: five states energise one (S1), each
under an end that the driver keeps (S2), and every way out of them drops it.

What goes before what stands in `MODES`, from the top (S3). A condition that stands (a fire, a
lock-down) is a level: a state that ignores its trigger ends first, and then the lane goes there.
The steps from state to state are in `gatepost.core.table`.
"""

from enum import Enum, auto
from typing import NamedTuple

from gatepost.core.events import Tested
from gatepost.core.signals import Signal
from gatepost_hal.ports import Direction


class State(Enum):
    """Where the lane is in its dealings with one person, or the mode that it is in."""

    IDLE = auto()  # nobody there
    AWAITING_PASS = auto()  # somebody stepped up, or was measured, and a pass or a proof is next
    MEASURING = auto()  # samples come in
    PAUSING = auto()  # between two attempts to measure
    DECIDING = auto()  # to be let in; the record of it is on its way to the disk
    RELEASED = auto()  # entry is free for one person
    ENTRY_ENDING = auto()  # locked again; who is in the arm by now may finish the turn
    ENTERING = auto()  # locked again; somebody turns the arm inwards
    LEAVING = auto()  # exit is free for one person
    EXIT_ENDING = auto()
    EXITING = auto()
    REFUSED = auto()
    REFERRED = auto()  # please wait for staff
    CLEARING = auto()  # dealt with, and still there
    HELD = auto()  # the arm does not come back to rest
    FORCED = auto()  # it turned although nothing was free for this turn
    FIRE = auto()  # the modes, see `MODES`
    EMERGENCY = auto()
    MAINTENANCE = auto()
    TESTING = auto()  # one output, for a moment, in maintenance
    LOCKED = auto()
    CLOSED = auto()  # out of service
    TAMPER = auto()


class Trigger(Enum):
    """What can happen to a lane, after `gatepost.core.lane` has made sense of raw events."""

    ARRIVED = auto()  # and is asked for a pass first
    ARRIVED_TO_MEASURE = auto()  # and is measured first: the site chooses the order
    LEFT = auto()
    PASS_KNOWN = auto()  # one that may go on; to a lane that is about to measure, or does
    PASS_REFUSED = auto()  # unknown, used too often, or the lane is locked
    PASS_WANTED = auto()  # measured, and may go on; or something else is to be shown
    ADMITTED = auto()  # the four outcomes of `gatepost.core.attempt`
    RECHECKED = auto()
    REFERRED = auto()
    DENIED = auto()
    RECORDED = auto()  # the record of the release is on disk
    NOT_RECORDED = auto()  # it could not be written
    ENTRY_COMMANDED = auto()  # by staff, here or at the centre
    EXIT_REQUESTED = auto()  # by the button, a pass, or a command
    EXIT_REFUSED = auto()  # held by a lock-down, or not let out by the order in force
    TEST_COMMANDED = auto()
    TURNED = auto()  # the arm turns, as far as known the way that is free
    WRONG_WAY = auto()  # one way is free, and the arm turns the other way
    TAILGATED = auto()  # it turns once more right after somebody's turn
    FORCED = auto()  # it turns, and nothing was free
    ARM_TURNS = auto()  # levels of the passage contact
    ARM_RESTS = auto()
    UNCONFIRMED = auto()  # a release ended on a turnstile that does not tell who walked
    TIMEOUT = auto()  # the state's deadline passed
    FIRE = auto()  # the highest condition that stands is now this
    EMERGENCY = auto()
    MAINTENANCE = auto()
    LOCKDOWN = auto()
    CLOSURE = auto()
    TAMPER = auto()
    NORMAL = auto()  # none stands


class Standing(Enum):
    """Conditions that stand until they are over, the highest first."""

    FIRE = auto()
    EMERGENCY = auto()
    MAINTENANCE = auto()
    LOCKDOWN = auto()
    CLOSURE = auto()
    TAMPER = auto()


class Mode(NamedTuple):
    """What a condition does: the trigger and the state, and its two records."""

    trigger: Trigger
    state: State
    begun: str
    over: str


# In the order of priority: what stands further up goes first (S3).
MODES = {
    Standing.FIRE: Mode(Trigger.FIRE, State.FIRE, "fire.raised", "fire.cleared"),
    Standing.EMERGENCY: Mode(
        Trigger.EMERGENCY, State.EMERGENCY, "emergency.raised", "emergency.cleared"
    ),
    Standing.MAINTENANCE: Mode(
        Trigger.MAINTENANCE, State.MAINTENANCE, "maintenance.begun", "maintenance.ended"
    ),
    Standing.LOCKDOWN: Mode(Trigger.LOCKDOWN, State.LOCKED, "lane.locked", "lane.unlocked"),
    Standing.CLOSURE: Mode(Trigger.CLOSURE, State.CLOSED, "lane.closed", "lane.opened"),
    Standing.TAMPER: Mode(Trigger.TAMPER, State.TAMPER, "tamper.raised", "tamper.cleared"),
}


class Span(Enum):
    """Names of the durations that the site configures."""

    PASS_TIMEOUT = auto()
    PROOF_TIMEOUT = auto()  # longer: it is looked for in a phone
    MEASURE_TIMEOUT = auto()
    RECHECK_PAUSE = auto()
    RELEASE_HOLD = auto()
    TURN = auto()
    HELD = auto()
    ALARM_SHOW = auto()
    REFUSED_SHOW = auto()
    REFERRED_SHOW = auto()
    TEST = auto()


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
    State.ENTERING: Output(Signal.READY, NOBODY, Span.HELD),
    State.LEAVING: Output(Signal.GO, EXIT, Span.RELEASE_HOLD),
    State.EXIT_ENDING: Output(Signal.READY, NOBODY, Span.TURN),
    State.EXITING: Output(Signal.READY, NOBODY, Span.HELD),
    State.REFUSED: Output(Signal.NO_ENTRY, NOBODY, Span.REFUSED_SHOW),
    State.REFERRED: Output(Signal.WAIT_FOR_STAFF, NOBODY, Span.REFERRED_SHOW),
    State.CLEARING: Output(Signal.READY),
    State.HELD: Output(Signal.ALARM),
    State.FORCED: Output(Signal.ALARM, NOBODY, Span.ALARM_SHOW),
    # The loop renews these two until they are over (S3).
    State.FIRE: Output(Signal.EVACUATE, ENTRY | EXIT),
    State.EMERGENCY: Output(Signal.EVACUATE, ENTRY | EXIT),
    State.MAINTENANCE: Output(Signal.SERVICE),
    State.TESTING: Output(Signal.SERVICE, NOBODY, Span.TEST),  # and `TEST_OUTPUTS`
    State.LOCKED: Output(Signal.LOCKED),
    State.CLOSED: Output(Signal.CLOSED),
    State.TAMPER: Output(Signal.ALARM),
}

# What TESTING does, by what is tested: the one state whose output needs a word more.
TEST_OUTPUTS = {
    Tested.ENTRY_RELAY: Output(Signal.SERVICE, ENTRY, Span.TEST),
    Tested.EXIT_RELAY: Output(Signal.SERVICE, EXIT, Span.TEST),
    Tested.GREEN_LAMP: Output(Signal.TEST_GREEN, NOBODY, Span.TEST),
    Tested.AMBER_LAMP: Output(Signal.TEST_AMBER, NOBODY, Span.TEST),
    Tested.RED_LAMP: Output(Signal.TEST_RED, NOBODY, Span.TEST),
    Tested.BUZZER: Output(Signal.TEST_BUZZER, NOBODY, Span.TEST),
}
