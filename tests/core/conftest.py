"""A lane to walk through, for the tests of the core. Time is in the events; nothing waits."""

from collections.abc import Callable, Sequence

import pytest

from gatepost.core.lane import (
    Holder,
    Lane,
    LaneEvent,
    PassShown,
    Policy,
    Record,
    Tick,
    Written,
    advance,
)
from gatepost.core.screening import Limits
from gatepost.core.table import Span, State
from gatepost_hal.ports import InputChanged, InputName, Reading, SensorFault, SensorFaultKind

POLICY = Policy(
    # All different, so that a state that takes another one's duration shows.
    spans_s={
        Span.PASS_TIMEOUT: 15.0,
        Span.MEASURE_TIMEOUT: 6.0,
        Span.RECHECK_PAUSE: 2.0,
        Span.RELEASE_HOLD: 5.0,
        Span.TURN: 1.5,
        Span.REFUSED_SHOW: 4.0,
        Span.REFERRED_SHOW: 20.0,
    },
    limits=Limits(limit_c=37.3, guard_c=0.2, offset_c=2.43, samples=5),
    measure_attempts=3,
)
HOLDER = Holder("subject-1", "resident")

# Five samples of a forehead; at an ambient of 24 C the index is their median + 2.43.
COOL_C = (34.10, 34.16, 34.22, 34.14, 34.18)  # 36.59: passes
NEAR_C = (34.81, 34.83, 34.85, 34.87, 34.89)  # 37.28: within the guard band, not over the limit
NEAR_OVER_C = (34.87, 34.89, 34.91, 34.93, 34.95)  # 37.34: within the guard band, over the limit
FEVER_C = (36.40, 36.44, 36.48, 36.42, 36.46)  # 38.87

_TO = {
    State.IDLE: "",
    State.AWAITING_PASS: "arrives",
    State.MEASURING: "arrives shows_pass",
    State.PAUSING: "arrives shows_pass near",
    State.DECIDING: "arrives shows_pass cool",
    State.RELEASED: "arrives shows_pass cool written",
    State.ENTRY_ENDING: "arrives shows_pass cool written deadline",
    State.LEAVING: "exit_button",
    State.EXIT_ENDING: "exit_button deadline",
    State.REFUSED: "arrives shows_wrong_pass",
    State.REFERRED: "arrives shows_pass fever",
    State.CLEARING: "arrives deadline",
    State.FIRE: "fire",
}


class Walk:
    """A lane and all that it recorded; each event comes 0.1 s after the one before."""

    def __init__(self, lane: Lane | None = None, policy: Policy = POLICY) -> None:
        self.lane = lane or Lane(entered_at_s=100.0)
        self.policy = policy
        self.now_s = self.lane.entered_at_s
        self.records: list[Record] = []

    @property
    def state(self) -> State:
        return self.lane.state

    @property
    def types(self) -> list[str]:
        return [record.type for record in self.records]

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

    def shows(self, holder: Holder | None) -> list[str]:
        return self.feed(PassShown(self.next_s(), holder))

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

    def deadline(self) -> list[str]:
        """Let the state's time run out; where it has none, let a whole day pass."""
        deadline_at_s = self.lane.deadline_at_s
        if deadline_at_s is None:
            deadline_at_s = self.now_s + 86400.0
        return self.feed(Tick(max(deadline_at_s, self.now_s)))


EVENTS: dict[str, Callable[[Walk], list[str]]] = {
    "arrives": lambda walk: walk.input(InputName.PRESENCE),
    "leaves": lambda walk: walk.input(InputName.PRESENCE, active=False),
    "shows_pass": lambda walk: walk.shows(HOLDER),
    "shows_wrong_pass": lambda walk: walk.shows(None),
    "cool": lambda walk: walk.samples(COOL_C),
    "near": lambda walk: walk.samples(NEAR_C),
    "near_over": lambda walk: walk.samples(NEAR_OVER_C),
    "fever": lambda walk: walk.samples(FEVER_C),
    "fault": lambda walk: walk.feed(SensorFault(walk.next_s(), SensorFaultKind.BAD_PEC, "")),
    "written": lambda walk: walk.feed(Written(walk.next_s(), ok=True)),
    "not_written": lambda walk: walk.feed(Written(walk.next_s(), ok=False)),
    "passage": lambda walk: walk.input(InputName.PASSAGE),
    "passage_ends": lambda walk: walk.input(InputName.PASSAGE, active=False),
    "exit_button": lambda walk: walk.input(InputName.EXIT_BUTTON),
    "exit_button_up": lambda walk: walk.input(InputName.EXIT_BUTTON, active=False),
    "fire": lambda walk: walk.input(InputName.FIRE),
    "fire_over": lambda walk: walk.input(InputName.FIRE, active=False),
    "tick": lambda walk: walk.feed(Tick(walk.next_s())),
    "deadline": Walk.deadline,
}


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
