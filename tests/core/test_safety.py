"""S1 to S6 and S9 of the design, over every state that a lane can reach.

`conftest.py` finds them.
"""

import math
from dataclasses import replace
from statistics import median

from gatepost.core.lane import PassShown, SensorTrust, Written
from gatepost.core.rules import Outcome
from gatepost.core.screening import Reason, Zone
from gatepost.core.table import OUTPUTS, TABLE, State, Trigger
from gatepost_hal.ports import Direction, InputChanged, InputName, Reading, SensorFault

SOON_S = 1.0  # the instant of all events that are not late

ENDINGS = {State.ENTRY_ENDING: State.RELEASED, State.EXIT_ENDING: State.LEAVING}


def same(one, other) -> bool:
    # By text: a NaN is not equal to itself, and still the same.
    return one is other or repr(one) == repr(other)


def is_justified(step) -> bool:
    """Whether the samples of a visit justify an admission: said anew, without `screening`."""
    visit = step.after.visit
    objects_c = [sample.object_c for sample in visit.samples]
    ambient_c = sum(sample.ambient_c for sample in visit.samples) / len(visit.samples)
    index_c = median(objects_c) - 0.18 * (ambient_c - 24) + 2.43
    return (
        visit.holder is not None
        and len(objects_c) >= 3
        and all(math.isfinite(number) for number in (*objects_c, ambient_c))
        and 0 < max(objects_c) - min(objects_c) <= 1.008
        and len(set(objects_c[:3])) > 1
        and 20 <= ambient_c <= 29
        and 32 <= median(objects_c) <= 43
        and index_c >= 35.5
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


def test_s4_while_the_thermometer_is_not_believed_no_attempt_is_more_than_no_information(explored):
    tainted = explored.where(
        lambda step: step.tainted and step.before.state is State.MEASURING and bool(step.enters)
    )
    verdicts = [step.after.visit.verdict for step in tainted if step.after.visit.verdict]
    assert {verdict.zone for verdict in verdicts} == {Zone.NO_INFORMATION}
    # What the samples themselves say against the person stays what is told.
    reasons = {verdict.reason for verdict in verdicts}
    assert {Reason.DISTURBED, Reason.MOVING, Reason.COLD, Reason.TOO_FEW_SAMPLES} <= reasons
    assert State.DECIDING not in {step.enters for step in tainted}


def test_s4_whoever_is_admitted_was_measured_while_the_thermometer_was_believed(explored):
    admitted = explored.entries(State.DECIDING)
    assert {(step.tainted, step.before.distrust) for step in admitted} == {(False, None)}


def test_s4_a_stale_reading_and_a_sensor_fault_are_never_samples(explored):
    def is_nothing(step) -> bool:
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


def test_s6_an_event_that_moves_nothing_changes_nothing_but_what_is_known(explored):
    def is_sample(step) -> bool:
        return isinstance(step.event, Reading) and step.before.state is State.MEASURING

    turned = InputChanged(SOON_S, InputName.PASSAGE, active=True)
    for step in explored.where(lambda step: step.enters is None and not is_sample(step)):
        assert step.records == () or step.event == turned
        if step.after is step.before:
            continue
        if isinstance(step.event, SensorTrust):
            known = {"distrust": step.event.distrust}
            told = step.event.distrust or step.before.visit.distrust
            known["visit"] = replace(step.before.visit, distrust=told)
        else:
            assert step.event.name is InputName.PRESENCE
            known = {"present": step.event.active}
        assert same(step.after, replace(step.before, **known))


def test_s6_the_word_on_the_thermometer_moves_no_lane_and_is_no_record(explored):
    words = explored.where(lambda step: isinstance(step.event, SensorTrust))
    assert {step.before.state for step in words} == set(State)
    assert all(step.enters is None and step.records == () for step in words)


def test_s6_what_the_table_ignores_returns_the_very_same_lane_and_no_records(explored):
    def triggers(event) -> Trigger | None:
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
