"""S1 to S6 and S9 of the design, over every state that a lane can reach.

Explored breadth first, to the end. Time (a lane has just entered its state; its deadline passed or
not) and visit numbers are normalised; `test_histories.py` has them.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

import pytest

from gatepost.core.lane import (
    Holder,
    ImpossibleTriggerError,
    Lane,
    LaneEvent,
    PassShown,
    Policy,
    Record,
    Tick,
    Written,
    advance,
)
from gatepost.core.rules import Outcome
from gatepost.core.screening import Limits, Zone
from gatepost.core.table import OUTPUTS, TABLE, State, Trigger
from gatepost_hal.ports import (
    Direction,
    InputChanged,
    InputName,
    Reading,
    SensorFault,
    SensorFaultKind,
)

LIMITS = Limits(limit_c=37.3, guard_c=0.2, offset_c=2.43, samples=3)
SOON_S = 1.0  # after the entry into the state, and before every deadline

# Three samples and the ambient: what an attempt to measure can look like.
ATTEMPTS = {
    "passing": ((34.1, 34.2, 34.15), 24.0),
    "near_under": ((34.83, 34.85, 34.87), 24.0),
    "near_over": ((34.91, 34.93, 34.89), 24.0),
    "feverish": ((36.4, 36.5, 36.45), 24.0),
    "frozen": ((34.1, 34.1, 34.1), 24.0),
    "noisy": ((34.1, 35.2, 34.3), 24.0),
    "cold": ((31.1, 31.2, 31.15), 24.0),
    "a_cup_of_tea": ((43.1, 43.2, 43.15), 24.0),
    "hot_die": ((34.1, 34.2, 34.15), 30.2),
    "no_numbers": ((math.nan, math.nan, math.nan), 24.0),
    "no_ambient": ((34.1, 34.2, 34.15), math.nan),
    "infinite": ((math.inf, -math.inf, math.inf), 24.0),
}
BAD = frozenset(ATTEMPTS) - {"passing", "near_under", "near_over", "feverish"}

ENDINGS = {State.ENTRY_ENDING: State.RELEASED, State.EXIT_ENDING: State.LEAVING}


@dataclass(frozen=True, slots=True)
class Seen:
    """One step of the exploration."""

    before: Lane
    event: LaneEvent
    after: Lane
    records: tuple[Record, ...]
    is_bad: bool  # the event is a sample of an attempt that must teach nothing

    @property
    def enters(self) -> State | None:
        return None if self.after.state is self.before.state else self.after.state

    @property
    def types(self) -> list[str]:
        return [record.type for record in self.records]

    @property
    def is_late(self) -> bool:
        return isinstance(self.event, Tick) and self.event.at_s == self.before.deadline_at_s


def same(one: Lane, other: Lane) -> bool:
    return repr(one) == repr(other)  # by text: a NaN is not equal to itself, and still the same


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
        Tick(SOON_S),
        Reading(SOON_S, 34.12, 24.0),  # alone: too few for an attempt
        *(SensorFault(SOON_S, kind, "") for kind in SensorFaultKind),
    ]
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
    samples = tuple(sample._replace(at_s=SOON_S) for sample in lane.visit.samples)
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
    start = normalised(Lane())
    known, todo = {repr(start): start}, deque([start])
    explored = Explored([], [], [])
    while todo:
        lane = todo.popleft()
        explored.lanes.append(lane)
        for sequence, is_bad in events_for(lane):
            before = lane
            for event in sequence:
                try:
                    after, records = advance(before, event, policy)
                except ImpossibleTriggerError:
                    explored.crashes.append((before, event))
                    break
                explored.steps.append(Seen(before, event, after, records, is_bad))
                before = normalised(after)
                if after.state is not lane.state:
                    break  # the rest of the samples belongs to nobody
            if repr(before) not in known:
                known[repr(before)] = before
                todo.append(before)
    return explored


# Two attempts: one, and the recheck that follows it. More would only repeat the latter.
@pytest.fixture(scope="module")
def explored(policy) -> Explored:
    return explore(replace(policy, limits=LIMITS, measure_attempts=2))


def is_justified(step: Seen) -> bool:
    """Whether the samples of a visit justify an admission: said anew, without `screening`."""
    visit = step.after.visit
    objects_c = [sample.object_c for sample in visit.samples]
    ambient_c = sum(sample.ambient_c for sample in visit.samples) / len(visit.samples)
    index_c = median(objects_c) - 0.18 * (ambient_c - 24) + 2.43
    return (
        visit.holder is not None
        and len(objects_c) == 3
        and all(math.isfinite(number) for number in (*objects_c, ambient_c))
        and 0 < max(objects_c) - min(objects_c) <= 1
        and 32 <= median(objects_c) <= 43
        and median(objects_c) - ambient_c >= 4
        and (index_c <= 37.1 or (visit.attempt == 2 and index_c <= 37.3))
    )


def test_every_state_is_explored_and_no_event_meets_an_impossible_trigger(explored):
    assert {lane.state for lane in explored.lanes} == set(State)
    assert explored.crashes == []


def test_every_step_of_the_table_is_taken(explored):
    taken = {(step.before.state, step.enters) for step in explored.steps if step.enters}
    # What passes through IDLE with somebody present, or through CLEARING with nobody, goes on.
    onward = {State.IDLE: State.AWAITING_PASS, State.CLEARING: State.IDLE}
    listed = {
        (state, step.to)
        for state, row in TABLE.items()
        for trigger, step in row.steps.items()
        # A pass that is unknown refuses before anybody is measured.
        if step.to is not state and (state, trigger) != (State.MEASURING, Trigger.DENIED)
    }
    assert listed - taken == set()
    assert {(a, b) for a, b in taken - listed if (a, b) != (State.DECIDING, State.IDLE)} <= {
        (state, onward[to]) for state, to in listed if to in onward
    }


def test_s1_the_entry_is_released_only_by_the_written_record_of_an_admission(explored):
    for step in explored.entries(State.RELEASED):
        assert step.before.state is State.DECIDING
        assert step.event == Written(SOON_S, ok=True)
        assert step.records == ()
        assert repr(step.after.visit) == repr(step.before.visit)
        assert step.after.visit.decision.outcome is Outcome.ADMIT
        assert is_justified(step)


def test_s1_admitted_is_who_was_measured_in_this_visit_and_passed_or_was_rechecked(explored):
    zones = set()
    for step in explored.entries(State.DECIDING):
        assert step.before.state is State.MEASURING
        assert isinstance(step.event, Reading)
        assert step.types == ["visit.admitted"]
        assert step.after.visit.samples == (*step.before.visit.samples, step.event)
        assert step.after.visit.holder == step.before.visit.holder
        assert step.after.visit.decision.outcome is Outcome.ADMIT
        assert is_justified(step)
        zones.add((step.after.visit.verdict.zone, step.after.visit.attempt))
    assert zones == {(Zone.PASS, 1), (Zone.PASS, 2), (Zone.RECHECK, 2)}


def test_s1_nothing_but_an_admission_is_recorded_as_one(explored):
    admissions = explored.where(lambda step: "visit.admitted" in step.types)
    assert {step.enters for step in admissions} == {State.DECIDING}


def test_s1_the_exit_is_released_only_by_its_button(explored):
    button = InputChanged(SOON_S, InputName.EXIT_BUTTON, active=True)
    for step in explored.entries(State.LEAVING):
        assert step.event == button
        assert step.types[-1] == "exit.released"


def test_s1_both_ways_are_free_in_a_fire_and_only_then(explored):
    for lane in explored.lanes:
        both = OUTPUTS[lane.state].releases == set(Direction)
        assert both == lane.fire == (lane.state is State.FIRE)


def test_s2_a_release_has_a_deadline_that_nothing_moves(explored):
    held_s = {State.RELEASED: 5.0, State.LEAVING: 5.0}
    released = explored.where(lambda step: step.before.state in held_s)
    for step in released:
        assert step.before.deadline_at_s == held_s[step.before.state]
        stays = step.after.state is step.before.state
        assert not stays or (step.after.entered_at_s, step.after.deadline_at_s) == (0.0, 5.0)
        assert not (stays and step.is_late)


def test_s2_what_leaves_a_release_drops_it_and_tells_once_what_became_of_it(explored):
    told = {State.RELEASED: "entered", State.LEAVING: "left"}
    told |= {ending: told[release] for ending, release in ENDINGS.items()}
    for step in explored.where(lambda step: step.before.state in told and bool(step.enters)):
        if step.enters in ENDINGS:  # the turn that began in time is waited for, the arm is locked
            assert (step.types, OUTPUTS[step.enters].releases) == ([], frozenset())
            continue
        word = told[step.before.state]
        turned = step.event == InputChanged(SOON_S, InputName.PASSAGE, active=True)
        first, *rest = step.types
        assert first == {True: f"passage.{word}", False: f"passage.not_{word}"}[turned]
        assert rest == ["fire.raised"] * (step.enters is State.FIRE)
        assert step.enters is State.FIRE or OUTPUTS[step.enters].releases == frozenset()


def test_s2_an_ending_follows_a_release_and_nothing_else(explored):
    for ending, release in ENDINGS.items():
        entries = explored.entries(ending)
        assert {step.before.state for step in entries} == {release}
        assert all(step.is_late for step in entries)


def test_s2_an_entry_is_told_only_where_one_was_released(explored):
    entered = explored.where(lambda step: "passage.entered" in step.types)
    assert {step.before.state for step in entered} == {State.RELEASED, State.ENTRY_ENDING}
    assert {step.types.count("passage.entered") for step in entered} == {1}


def test_s3_fire_frees_the_way_from_every_state_in_one_step(explored):
    raised = InputChanged(SOON_S, InputName.FIRE, active=True)
    steps = explored.where(lambda s: s.event == raised and s.before.state is not State.FIRE)
    assert {step.before.state for step in steps} == set(State) - {State.FIRE}
    for step in steps:
        assert (step.after.state, step.after.deadline_at_s) == (State.FIRE, None)
        assert step.types[-1] == "fire.raised"


def test_s3_only_the_end_of_the_fire_ends_it_and_then_nothing_is_released(explored):
    cleared = InputChanged(SOON_S, InputName.FIRE, active=False)
    after = set()
    for step in explored.where(lambda step: step.before.state is State.FIRE):
        if step.event == cleared:
            after.add(step.after.state)
            assert step.types == ["fire.cleared"]
        else:
            assert step.after.state is State.FIRE
    assert after == {State.IDLE, State.AWAITING_PASS}


def test_s4_no_attempt_that_taught_nothing_ends_in_an_admission(explored):
    bad = explored.where(lambda step: step.is_bad and step.before.state is State.MEASURING)
    ends = {step.enters for step in bad}
    assert ends <= {None, State.PAUSING, State.REFERRED}
    assert State.REFERRED in ends


def test_s4_a_stale_reading_and_a_sensor_fault_are_never_samples(explored):
    def is_nothing(step: Seen) -> bool:
        return isinstance(step.event, SensorFault) or (
            isinstance(step.event, Reading) and step.event.at_s <= 0
        )

    steps = explored.where(is_nothing)
    assert {step.before.state for step in steps} == set(State)
    assert all(same(step.after, step.before) and not step.records for step in steps)


def test_s4_missing_samples_at_the_deadline_are_no_information(explored):
    late = explored.where(lambda step: step.is_late and step.before.state is State.MEASURING)
    assert {step.after.visit.verdict.zone for step in late} == {Zone.NO_INFORMATION}
    assert {step.enters for step in late} <= {State.PAUSING, State.REFERRED}


def test_s5_an_admission_that_is_not_on_disk_refuses(explored):
    failed = Written(SOON_S, ok=False)
    steps = explored.where(lambda s: s.event == failed and s.before.state is State.DECIDING)
    for step in steps:
        assert step.after.state is {True: State.REFUSED, False: State.IDLE}[step.before.present]
        assert step.records == ()


def test_s6_an_event_that_moves_nothing_changes_nothing_but_what_is_known_of_presence(explored):
    def is_sample(step: Seen) -> bool:
        return isinstance(step.event, Reading) and step.before.state is State.MEASURING

    turned = InputChanged(SOON_S, InputName.PASSAGE, active=True)
    for step in explored.where(lambda step: step.enters is None and not is_sample(step)):
        assert same(replace(step.after, present=step.before.present), step.before)
        is_presence = getattr(step.event, "name", None) is InputName.PRESENCE
        assert step.after.present == step.before.present or is_presence
        assert step.records == () or step.event == turned


def test_s6_what_the_table_ignores_returns_the_very_same_lane_and_no_records(explored):
    def triggers(event: LaneEvent) -> Trigger | None:
        match event:
            case PassShown(holder=holder):
                return Trigger.PASS_UNKNOWN if holder is None else Trigger.PASS_KNOWN
            case InputChanged(name=InputName.EXIT_BUTTON, active=True):
                return Trigger.EXIT_REQUESTED
            case _:
                return None

    ignored = explored.where(lambda s: triggers(s.event) in TABLE[s.before.state].ignored)
    assert all(step.after is step.before and step.records == () for step in ignored)


def test_s9_the_signal_follows_the_decision(explored):
    outcomes: dict[State, set[Outcome]] = {}
    for lane in explored.lanes:
        if lane.visit.decision is not None:
            outcomes.setdefault(lane.state, set()).add(lane.visit.decision.outcome)
    decided = (State.DECIDING, State.RELEASED, State.PAUSING, State.REFERRED, State.REFUSED)
    assert {state: outcomes.get(state) for state in decided} == {
        State.DECIDING: {Outcome.ADMIT},
        State.RELEASED: {Outcome.ADMIT},
        State.PAUSING: {Outcome.RECHECK},
        State.REFERRED: {Outcome.REFER},
        State.REFUSED: {Outcome.DENY, Outcome.ADMIT},  # admitted, and not on disk
    }


def test_a_lane_knows_who_is_there_wherever_leaving_means_something(explored):
    for lane in explored.lanes:
        assert lane.present or Trigger.LEFT not in TABLE[lane.state].steps
        assert not (lane.present and lane.state is State.IDLE)


def test_a_visit_keeps_its_number_or_gets_the_next_one(explored):
    grown = {step.after.visit.number - step.before.visit.number for step in explored.steps}
    assert grown <= {0, 1}
    begun = explored.where(lambda step: step.after.visit.number != step.before.visit.number)
    for step in begun:
        visit = step.after.visit
        assert (visit.samples, visit.verdict) == ((), None)
        assert step.enters in {State.AWAITING_PASS, State.MEASURING, State.REFUSED}
