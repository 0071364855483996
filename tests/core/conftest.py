"""A lane to walk through, in words, for the tests of the core. Time is in the events.

Every state that a lane can reach is the matter of `gatepost.verify`.
"""

from collections.abc import Callable, Sequence

import pytest

from gatepost.core.correction import Calibration, Point
from gatepost.core.events import (
    Command,
    Holder,
    LaneEvent,
    PassShown,
    Record,
    SensorTrust,
    Tested,
    Tick,
    Verb,
    Written,
)
from gatepost.core.facts import Facts
from gatepost.core.lane import advance
from gatepost.core.passback import Objection
from gatepost.core.screening import Instrument, Limits, Reason
from gatepost.core.states import Span, State
from gatepost.core.visit import Lane, Policy
from gatepost_hal.ports import (
    Chip,
    Direction,
    InputChanged,
    InputName,
    Reading,
    SensorFault,
    SensorFaultKind,
)

POLICY = Policy(
    # All different, so that a state that takes another one's duration shows.
    spans_s={
        Span.PASS_TIMEOUT: 15.0,
        Span.PROOF_TIMEOUT: 30.0,
        Span.MEASURE_TIMEOUT: 6.0,
        Span.RECHECK_PAUSE: 2.0,
        Span.RELEASE_HOLD: 5.0,
        Span.TURN: 1.5,
        Span.HELD: 8.0,
        Span.ALARM_SHOW: 7.0,
        Span.REFUSED_SHOW: 4.0,
        Span.REFERRED_SHOW: 20.0,
        Span.TEST: 3.0,
    },
    limits=Limits(limit_c=37.3, guard_c=0.2, samples=5),
    instrument=Instrument(offset_c=2.43),
    measure_attempts=3,
    tailgate_s=2.5,
    exit_wish_s=10.0,
)
CHIP = Chip("00a1b2c3d4e5f607", emissivity=1.0, config=0x9F74)
# A part that says 0.1 C too much at 33 C, and 0.1 C too little at 38 C.
CALIBRATION = Calibration(
    "00a1b2c3d4e5f607/2026-01-02", CHIP, Point(33.0, 33.1), Point(38.0, 37.9), due_utc_s=1.8e9
)
HOLDER = Holder("subject-1", "resident")
OTHER = Holder("subject-2", "visitor")
UNDER_DURESS = Holder("subject-3", "resident", duress=True)
BLOCKED = Objection("already_inside", blocks=True)
NOTED = Objection("already_inside", blocks=False)

# Five samples of a forehead; at an ambient of 24 C the index is their median + 2.43.
COOL_C = (34.10, 34.16, 34.22, 34.14, 34.18)  # 36.59: passes
NEAR_C = (34.81, 34.83, 34.85, 34.87, 34.89)  # 37.28: within the guard band, not over the limit
NEAR_OVER_C = (34.87, 34.89, 34.91, 34.93, 34.95)  # 37.34: within the guard band, over the limit
FEVER_C = (36.40, 36.44, 36.48, 36.42, 36.46)  # 38.87

# The shortest way into each state, where a pass comes first and one contact tells of a turn.
_TO = {
    State.IDLE: "",
    State.AWAITING_PASS: "arrives",
    State.MEASURING: "arrives shows_pass",
    State.PAUSING: "arrives shows_pass near",
    State.DECIDING: "arrives shows_pass cool",
    State.RELEASED: "arrives shows_pass cool written",
    State.ENTRY_ENDING: "arrives shows_pass cool written deadline",
    State.ENTERING: "arrives shows_pass cool written passage",
    State.LEAVING: "exit_button",
    State.EXIT_ENDING: "exit_button deadline",
    State.EXITING: "exit_button passage",
    State.REFUSED: "arrives shows_wrong_pass",
    State.REFERRED: "arrives shows_pass fever",
    State.CLEARING: "arrives deadline",
    State.HELD: "arrives shows_pass cool written passage deadline",
    State.FORCED: "passage",
    State.FIRE: "fire",
    State.EMERGENCY: "emergency",
    State.MAINTENANCE: "key",
    State.TESTING: "key test_entry_relay",
    State.LOCKED: "lock arrives",
    State.CLOSED: "close arrives",
    State.TAMPER: "tamper arrives",
}


class Walk:
    """A lane and all that it recorded; each event comes 0.1 s after the one before."""

    def __init__(
        self, lane: Lane | None = None, policy: Policy = POLICY, holder: Holder = HOLDER
    ) -> None:
        self.lane = lane or Lane(entered_at_s=100.0)
        self.policy = policy
        self.holder = holder  # of the pass that `shows_pass` and `exit_pass` show
        self.now_s = self.lane.entered_at_s
        self.records: list[Record] = []
        self._commands = 0

    @property
    def state(self) -> State:
        return self.lane.state

    @property
    def types(self) -> list[str]:
        return [record.type for record in self.records]

    def data(self, type_: str) -> dict:
        """Return the data of the last record of a type."""
        return dict([record.data for record in self.records if record.type == type_][-1])

    def feed(self, event: LaneEvent) -> list[str]:
        """Feed one event; return the types of what it recorded."""
        self.now_s = event.at_s
        self.lane, records = advance(self.lane, event, self.policy)
        self.records += records
        return [record.type for record in records]

    def next_s(self) -> float:
        return round(self.now_s + 0.1, 3)

    def input(self, name: InputName, *, active: bool = True) -> list[str]:
        return self.feed(InputChanged(self.next_s(), name, active))

    def shows(
        self,
        holder: Holder | None,
        objection: Objection | None = None,
        direction: Direction = Direction.ENTRY,
        known: Facts | None = None,
    ) -> list[str]:
        return self.feed(PassShown(self.next_s(), holder, direction, objection, known))

    def commands(
        self,
        verb: Verb,
        tested: Tested | None = None,
        id_: str | None = None,
        lasts_s: float = 10.0,
        by: str = "centre",
    ) -> list[str]:
        """Command something, each time anew if no id is given."""
        self._commands += 1
        at_s = self.next_s()
        id_ = id_ or f"command-{self._commands}"
        return self.feed(Command(at_s, id_, verb, by, at_s + lasts_s, tested))

    def samples(self, objects_c: Sequence[float], ambient_c: float = 24.0) -> list[str]:
        return [
            type_
            for object_c in objects_c
            for type_ in self.feed(Reading(self.next_s(), object_c, ambient_c))
        ]

    def does(self, words: str) -> list[str]:
        """Do the things of `EVENTS` one after another; return the types of what they recorded."""
        return [type_ for word in words.split() for type_ in EVENTS[word](self)]

    def to(self, state: State) -> "Walk":
        """Bring a fresh lane into `state`, the shortest way."""
        self.does(_TO[state])
        assert self.state is state
        return self

    def waits(self, seconds: float) -> list[str]:
        """Let time go by, in one tick."""
        return self.feed(Tick(round(self.now_s + seconds, 3)))

    def deadline(self) -> list[str]:
        """Let the state's time run out; where it has none, let a whole day pass."""
        deadline_at_s = self.lane.deadline_at_s
        if deadline_at_s is None:
            deadline_at_s = self.now_s + 86400.0
        return self.feed(Tick(max(deadline_at_s, self.now_s)))


def _input(name: InputName, *, active: bool = True) -> Callable[[Walk], list[str]]:
    return lambda walk: walk.input(name, active=active)


def _command(verb: Verb, tested: Tested | None = None) -> Callable[[Walk], list[str]]:
    return lambda walk: walk.commands(verb, tested)


def _at_the_exit(walk: Walk, holder: Holder | None) -> list[str]:
    return walk.shows(holder, direction=Direction.EXIT)


EVENTS: dict[str, Callable[[Walk], list[str]]] = {
    "arrives": _input(InputName.PRESENCE),
    "leaves": _input(InputName.PRESENCE, active=False),
    "shows_pass": lambda walk: walk.shows(walk.holder),
    "shows_other_pass": lambda walk: walk.shows(OTHER),
    "shows_wrong_pass": lambda walk: walk.shows(None),
    "shows_blocked_pass": lambda walk: walk.shows(HOLDER, BLOCKED),
    "shows_noted_pass": lambda walk: walk.shows(HOLDER, NOTED),
    "shows_duress_pass": lambda walk: walk.shows(UNDER_DURESS, BLOCKED),
    "exit_pass": lambda walk: _at_the_exit(walk, walk.holder),
    "exit_wrong_pass": lambda walk: _at_the_exit(walk, None),
    "cool": lambda walk: walk.samples(COOL_C),
    "near": lambda walk: walk.samples(NEAR_C),
    "near_over": lambda walk: walk.samples(NEAR_OVER_C),
    "fever": lambda walk: walk.samples(FEVER_C),
    "fault": lambda walk: walk.feed(SensorFault(walk.next_s(), SensorFaultKind.BAD_PEC, "")),
    "distrust": lambda walk: walk.feed(SensorTrust(walk.next_s(), Reason.ERRATIC)),
    "disturbed": lambda walk: walk.feed(SensorTrust(walk.next_s(), Reason.DISTURBED)),
    "trust": lambda walk: walk.feed(SensorTrust(walk.next_s(), None)),
    "written": lambda walk: walk.feed(Written(walk.next_s(), ok=True)),
    "not_written": lambda walk: walk.feed(Written(walk.next_s(), ok=False)),
    "passage": _input(InputName.PASSAGE),
    "passage_ends": _input(InputName.PASSAGE, active=False),
    "outward": _input(InputName.PASSAGE_EXIT),
    "outward_ends": _input(InputName.PASSAGE_EXIT, active=False),
    "exit_button": _input(InputName.EXIT_BUTTON),
    "exit_button_up": _input(InputName.EXIT_BUTTON, active=False),
    "staff": _input(InputName.STAFF_RELEASE),
    "staff_up": _input(InputName.STAFF_RELEASE, active=False),
    "key": _input(InputName.MAINTENANCE_KEY),
    "key_over": _input(InputName.MAINTENANCE_KEY, active=False),
    "tamper": _input(InputName.TAMPER),
    "tamper_over": _input(InputName.TAMPER, active=False),
    "emergency": _input(InputName.EMERGENCY),
    "emergency_over": _input(InputName.EMERGENCY, active=False),
    "fire": _input(InputName.FIRE),
    "fire_over": _input(InputName.FIRE, active=False),
    **{verb.value: _command(verb) for verb in Verb if verb is not Verb.TEST},
    **{f"test_{tested.value}": _command(Verb.TEST, tested) for tested in Tested},
    "tick": lambda walk: walk.feed(Tick(walk.next_s())),
    "deadline": Walk.deadline,
}


# ---------------------------------------------------------------------------------------- fixtures


# Session scope: what they return holds no state, and hypothesis may use them in many examples.
@pytest.fixture(scope="session")
def new_walk() -> type[Walk]:
    return Walk


@pytest.fixture(scope="session")
def event_words() -> tuple[str, ...]:
    return tuple(EVENTS)


@pytest.fixture(scope="session")
def policy() -> Policy:
    return POLICY


@pytest.fixture
def walk() -> Walk:
    return Walk()


@pytest.fixture(scope="session")
def chip() -> Chip:
    return CHIP


@pytest.fixture(scope="session")
def calibration() -> Calibration:
    return CALIBRATION


@pytest.fixture(scope="session")
def samples() -> Callable[..., list[Reading]]:
    """Return what makes the samples of one attempt, half a second apart."""

    def made(objects_c: Sequence[float], ambient_c: float = 24.0, **fields) -> list[Reading]:
        return [Reading(n / 2, c, ambient_c, **fields) for n, c in enumerate(objects_c, 1)]

    return made
