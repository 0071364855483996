"""A lane to walk through, and every state that a lane can reach, for the tests of the core.

Time is in the events; nothing waits. The exploration goes breadth first, to the end. Its time (a
lane has just entered its state; its deadline passed or not) and its visit numbers are normalised;
`test_histories.py` has them.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import pytest

from gatepost.core.correction import Calibration, Point
from gatepost.core.lane import (
    Holder,
    ImpossibleTriggerError,
    Lane,
    LaneEvent,
    PassShown,
    Policy,
    Record,
    SensorTrust,
    Tick,
    Written,
    advance,
)
from gatepost.core.screening import Instrument, Limits, Reason
from gatepost.core.table import Span, State
from gatepost_hal.ports import Chip, InputChanged, InputName, Reading, SensorFault, SensorFaultKind

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
    limits=Limits(limit_c=37.3, guard_c=0.2, samples=5),
    instrument=Instrument(offset_c=2.43),
    measure_attempts=3,
)
CHIP = Chip("00a1b2c3d4e5f607", emissivity=1.0, config=0x9F74)
# A part that says 0.1 C too much at 33 C, and 0.1 C too little at 38 C.
CALIBRATION = Calibration(
    "00a1b2c3d4e5f607/2026-01-02", CHIP, Point(33.0, 33.1), Point(38.0, 37.9), due_utc_s=1.8e9
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
    "distrust": lambda walk: walk.feed(SensorTrust(walk.next_s(), Reason.ERRATIC)),
    "trust": lambda walk: walk.feed(SensorTrust(walk.next_s(), None)),
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


# ---------------------------------------------------------------------------- all reachable states

SOON_S = 1.0  # after the entry into the state, and before every deadline

# Three samples and the ambient: what an attempt to measure can look like.
ATTEMPTS = {
    "passing": ((34.1, 34.2, 34.15), 24.0),
    "near_under": ((34.83, 34.85, 34.87), 24.0),
    "near_over": ((34.91, 34.93, 34.89), 24.0),
    "feverish": ((36.4, 36.5, 36.45), 24.0),
    "frozen": ((34.1, 34.1, 34.1), 24.0),
    "noisy": ((34.1, 35.2, 34.3), 24.0),
    "a_hat": ((31.1, 31.2, 31.15), 20.0),
    "cold": ((32.6, 32.7, 32.65), 24.0),
    "a_cup_of_tea": ((43.1, 43.2, 43.15), 24.0),
    "a_hot_room": ((34.1, 34.2, 34.15), 29.1),
    "no_numbers": ((math.nan, -math.nan, math.nan), 24.0),
    "no_ambient": ((34.1, 34.2, 34.15), math.nan),
    "infinite": ((math.inf, -math.inf, math.inf), 24.0),
}
BAD = frozenset(ATTEMPTS) - {"passing", "near_under", "near_over", "feverish"}


@dataclass(frozen=True, slots=True)
class Node:
    """A lane, and what the explorer itself remembers of the thermometer's word."""

    lane: Lane
    doubted: bool = False  # now
    tainted: bool = False  # at any time since the attempt began

    def then(self, event: LaneEvent, after: Lane) -> "Node":
        if after is self.lane:
            return self
        doubted = event.distrust is not None if isinstance(event, SensorTrust) else self.doubted
        begins = after.state is State.MEASURING and self.lane.state is not State.MEASURING
        return Node(normalised(after), doubted, doubted or (self.tainted and not begins))


@dataclass(frozen=True, slots=True)
class Seen:
    """One step of the exploration."""

    before: Lane
    event: LaneEvent
    after: Lane
    records: tuple[Record, ...]
    is_bad: bool  # the event is a sample of an attempt that must teach nothing
    tainted: bool  # the thermometer was not believed during the attempt

    @property
    def enters(self) -> State | None:
        return None if self.after.state is self.before.state else self.after.state

    @property
    def types(self) -> list[str]:
        return [record.type for record in self.records]

    @property
    def is_late(self) -> bool:
        return isinstance(self.event, Tick) and self.event.at_s == self.before.deadline_at_s


def readings(attempt: str) -> tuple[LaneEvent, ...]:
    skin_c, room_c = ATTEMPTS[attempt]
    return tuple(Reading(SOON_S, object_c, room_c) for object_c in skin_c)


def events_for(lane: Lane) -> list[tuple[tuple[LaneEvent, ...], bool]]:
    """Return what can happen to a normalised lane, and whether it must teach nothing."""
    events: list[LaneEvent] = [
        *(InputChanged(SOON_S, name, active) for name in InputName for active in (True, False)),
        PassShown(SOON_S, Holder("a", "resident")),
        PassShown(SOON_S, Holder("b", "visitor")),
        PassShown(SOON_S, None),
        Written(SOON_S, ok=True),
        Written(SOON_S, ok=False),
        SensorTrust(SOON_S, Reason.DISTURBED),
        SensorTrust(SOON_S, None),
        Tick(SOON_S),
        *(SensorFault(SOON_S, kind, "") for kind in SensorFaultKind),
    ]
    if len(lane.visit.samples) < 2 or lane.state is not State.MEASURING:
        events.append(Reading(SOON_S, 34.12, 24.0))  # alone: too few for an attempt
    if len(lane.visit.samples) in (1, 2):
        events.append(Reading(SOON_S, 34.18, 24.0))  # twice, after that one: no sign of life
    if lane.deadline_at_s is not None:
        events += [Tick(math.nextafter(lane.deadline_at_s, 0)), Tick(lane.deadline_at_s)]
    stale = [tuple(Reading(at_s, c, 24.0) for c in (34.1, 34.2, 34.15)) for at_s in (0.0, -60.0)]
    return [
        *(((event,), False) for event in events),
        *((sequence, True) for sequence in stale),
        *(
            # After a lone good sample, what is bad as a whole may be good in part.
            (readings(attempt), attempt in BAD and not lane.visit.samples)
            for attempt in ATTEMPTS
        ),
    ]


def normalised(lane: Lane) -> Lane:
    deadline_at_s = lane.deadline_at_s and lane.deadline_at_s - lane.entered_at_s
    # A sensor that repeats itself for ever: three equal samples say all of it.
    runs = (list(run) for _, run in groupby(lane.visit.samples, lambda sample: sample.object_c))
    samples = tuple(sample._replace(at_s=SOON_S) for run in runs for sample in run[:3])
    visit = replace(lane.visit, number=1, samples=samples)
    return replace(lane, entered_at_s=0.0, deadline_at_s=deadline_at_s, visit=visit)


@dataclass(frozen=True, slots=True)
class Explored:
    lanes: list[Lane]
    steps: list[Seen]
    crashes: list[tuple[Lane, LaneEvent]]

    def entries(self, state: State) -> list[Seen]:
        return self.where(lambda step: step.enters is state)

    def where(self, holds: Callable[[Seen], bool]) -> list[Seen]:
        found = [step for step in self.steps if holds(step)]
        assert found  # a test about none would prove nothing
        return found


def explore(policy: Policy) -> Explored:
    start = Node(normalised(Lane()))
    known, todo = {repr(start)}, deque([start])
    explored = Explored([], [], [])
    while todo:
        node = todo.popleft()
        explored.lanes.append(node.lane)
        for sequence, is_bad in events_for(node.lane):
            now = node
            for event in sequence:
                try:
                    after, records = advance(now.lane, event, policy)
                except ImpossibleTriggerError:
                    explored.crashes.append((now.lane, event))
                    break
                seen = Seen(now.lane, event, after, records, is_bad, now.tainted)
                explored.steps.append(seen)
                now = now.then(event, after)
                if after.state is not node.lane.state:
                    break  # the rest of the samples belongs to nobody
            # By text: a NaN is not equal to itself, and still the same.
            if now is not node and (text := repr(now)) not in known:
                known.add(text)
                todo.append(now)
    return explored


# Two attempts: one, and the recheck that follows it. More would only repeat the latter.
@pytest.fixture(scope="session")
def explored() -> Explored:
    return explore(replace(POLICY, limits=replace(POLICY.limits, samples=3), measure_attempts=2))


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
