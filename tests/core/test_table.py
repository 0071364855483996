import re

import pytest

from gatepost.core.table import OUTPUTS, SIGNALS, TABLE, Signal, Span, State, Trigger
from gatepost_hal.ports import Direction, Lamp

RECORD_TYPES = sorted(
    {type_ for row in TABLE.values() for step in row.steps.values() for type_ in step.records}
)


def reachable_from(start: State) -> set[State]:
    found, todo = {start}, [start]
    while todo:
        new = {step.to for step in TABLE[todo.pop()].steps.values()} - found
        found |= new
        todo += new
    return found


def test_every_state_has_a_row_and_an_output():
    assert set(TABLE) == set(State)
    assert set(OUTPUTS) == set(State)


@pytest.mark.parametrize("state", State)
def test_each_trigger_of_a_state_is_a_step_or_ignored_or_impossible(state):
    row = TABLE[state]
    listed = [*row.steps, *row.ignored, *row.impossible]
    assert sorted(listed, key=lambda trigger: trigger.value) == list(Trigger)


def test_every_trigger_moves_some_state():
    assert {trigger for row in TABLE.values() for trigger in row.steps} == set(Trigger)


@pytest.mark.parametrize("state", State)
def test_every_state_is_reached_from_idle_and_finds_back_to_it(state):
    assert state in reachable_from(State.IDLE)
    assert State.IDLE in reachable_from(state)


def test_only_three_states_release_anything_and_only_fire_without_a_deadline():
    releases = {state: (out.releases, out.until) for state, out in OUTPUTS.items() if out.releases}
    assert releases == {
        State.RELEASED: ({Direction.ENTRY}, Span.RELEASE_HOLD),
        State.LEAVING: ({Direction.EXIT}, Span.RELEASE_HOLD),
        State.FIRE: (set(Direction), None),
    }


@pytest.mark.parametrize("state", State)
def test_a_state_has_a_deadline_exactly_where_time_can_end_it(state):
    # The end of an attempt to measure becomes one of the four outcomes in `gatepost.core.lane`.
    ends = {Trigger.TIMEOUT, Trigger.REFERRED} & set(TABLE[state].steps)
    assert (OUTPUTS[state].until is not None) == bool(ends)


def test_every_span_is_used():
    assert {output.until for output in OUTPUTS.values()} == {*Span, None}


def test_every_signal_is_used_and_has_a_pattern():
    assert {output.signal for output in OUTPUTS.values()} == set(Signal)
    assert set(SIGNALS) == set(Signal)


@pytest.mark.parametrize("signal", Signal)
def test_a_sound_ends_and_its_durations_can_be_played(signal):
    pattern_s = SIGNALS[signal].buzzer_s
    assert all(0.02 <= duration_s <= 2.0 for duration_s in pattern_s)
    assert sum(pattern_s) <= 15.0


def test_admitted_refused_and_referred_look_different():
    lamps = {
        state: SIGNALS[OUTPUTS[state].signal].lamps
        for state in (State.RELEASED, State.REFUSED, State.REFERRED)
    }
    assert lamps == {
        State.RELEASED: {Lamp.GREEN},
        State.REFUSED: {Lamp.RED},
        State.REFERRED: {Lamp.RED, Lamp.AMBER},
    }


@pytest.mark.parametrize("state", State)
def test_green_is_lit_exactly_while_something_is_released(state):
    output = OUTPUTS[state]
    assert (Lamp.GREEN in SIGNALS[output.signal].lamps) == bool(output.releases)


@pytest.mark.parametrize("state", State)
def test_go_is_told_exactly_where_a_way_is_free_for_one(state):
    assert (OUTPUTS[state].signal is Signal.GO) == (len(OUTPUTS[state].releases) == 1)


def test_signals_that_differ_can_be_told_apart():
    patterns = [(pattern.lamps, pattern.buzzer_s) for pattern in SIGNALS.values()]
    assert len(set(patterns)) == len(Signal)


@pytest.mark.parametrize("type_", RECORD_TYPES)
def test_record_types_are_dotted_lower_case(type_):
    assert re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)*", type_)
