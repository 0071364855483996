import re

import pytest

from gatepost.core.events import Tested as Output  # by its own name pytest takes it for a test
from gatepost.core.signals import SIGNALS, Signal
from gatepost.core.states import MODES, OUTPUTS, TEST_OUTPUTS, Span, Standing, State, Trigger
from gatepost.core.table import TABLE
from gatepost_hal.ports import Direction, Lamp

RECORD_TYPES = sorted(
    {type_ for row in TABLE.values() for step in row.steps.values() for type_ in step.records}
    | {type_ for mode in MODES.values() for type_ in (mode.begun, mode.over)}
)
FREED = {Trigger.FIRE: State.FIRE, Trigger.EMERGENCY: State.EMERGENCY}
# Entry or exit is free for one person, or was until a moment ago.
FOR_ONE = [State.RELEASED, State.ENTRY_ENDING, State.LEAVING, State.EXIT_ENDING]
WALKED = {"passage.entered", "passage.left"}
DID_NOT = {"passage.not_entered", "passage.not_left", "passage.unconfirmed"}


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


def test_only_four_states_release_anything_and_only_fire_and_emergency_without_a_deadline():
    releases = {state: (out.releases, out.until) for state, out in OUTPUTS.items() if out.releases}
    assert releases == {
        State.RELEASED: ({Direction.ENTRY}, Span.RELEASE_HOLD),
        State.LEAVING: ({Direction.EXIT}, Span.RELEASE_HOLD),
        State.FIRE: (set(Direction), None),
        State.EMERGENCY: (set(Direction), None),
    }


def test_a_fifth_one_tests_one_relay_for_a_moment():
    assert set(TEST_OUTPUTS) == set(Output)
    releases = {tested: out.releases for tested, out in TEST_OUTPUTS.items() if out.releases}
    assert releases == {
        Output.ENTRY_RELAY: {Direction.ENTRY},
        Output.EXIT_RELAY: {Direction.EXIT},
    }
    assert {output.until for output in TEST_OUTPUTS.values()} == {Span.TEST}


@pytest.mark.parametrize("state", State)
def test_a_state_has_a_deadline_exactly_where_time_can_end_it(state):
    # The end of an attempt to measure becomes one of the four outcomes in `gatepost.core.lane`.
    ends = {Trigger.TIMEOUT, Trigger.REFERRED} & set(TABLE[state].steps)
    assert (OUTPUTS[state].until is not None) == bool(ends)


def test_every_span_is_used():
    # AWAITING_PASS waits longer for a proof than for a pass.
    assert {output.until for output in OUTPUTS.values()} | {Span.PROOF_TIMEOUT} == {*Span, None}
    assert Span.PROOF_TIMEOUT not in {output.until for output in OUTPUTS.values()}


# ------------------------------------------------------------------------------ modes


def test_the_modes_stand_in_the_order_of_their_priority():
    assert list(MODES) == list(Standing)
    assert [mode.state.name for mode in MODES.values()] == [
        "FIRE",
        "EMERGENCY",
        "MAINTENANCE",
        "LOCKED",
        "CLOSED",
        "TAMPER",
    ]


def test_each_mode_has_a_state_a_trigger_and_two_records_of_its_own():
    modes = MODES.values()
    assert len({mode.state for mode in modes}) == len({mode.trigger for mode in modes}) == 6
    assert len({type_ for mode in modes for type_ in (mode.begun, mode.over)}) == 12


@pytest.mark.parametrize("state", State)
def test_the_trigger_of_a_mode_leads_to_its_state_or_has_to_wait(state):
    for mode in MODES.values():
        step = TABLE[state].steps.get(mode.trigger)
        assert step is None or step.to is mode.state


@pytest.mark.parametrize("trigger", FREED)
@pytest.mark.parametrize("state", State)
def test_fire_and_emergency_wait_for_nothing(state, trigger):
    if state is not FREED[trigger]:
        assert TABLE[state].steps[trigger].to is FREED[trigger]


# ------------------------------------------------------------------------------ passage


def test_a_passage_is_told_only_where_one_was_free():
    told = {
        state: {type_ for step in row.steps.values() for type_ in step.records} & WALKED
        for state, row in TABLE.items()
    }
    assert [state for state, types in told.items() if types] == FOR_ONE


@pytest.mark.parametrize("state", FOR_ONE)
def test_what_ends_a_release_tells_what_became_of_it_once(state):
    for trigger, step in TABLE[state].steps.items():
        told = [type_ for type_ in step.records if type_ in WALKED | DID_NOT]
        waits = trigger is Trigger.TIMEOUT and step.to in (State.ENTRY_ENDING, State.EXIT_ENDING)
        assert len(told) == (0 if waits else 1)


# ------------------------------------------------------------------------------ what is told


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
def test_green_alone_is_lit_exactly_while_something_is_released(state):
    output = OUTPUTS[state]
    assert (SIGNALS[output.signal].lamps == {Lamp.GREEN}) == bool(output.releases)


@pytest.mark.parametrize("state", State)
def test_go_is_told_exactly_where_a_way_is_free_for_one(state):
    assert (OUTPUTS[state].signal is Signal.GO) == (len(OUTPUTS[state].releases) == 1)


@pytest.mark.parametrize("type_", RECORD_TYPES)
def test_record_types_are_dotted_lower_case(type_):
    assert re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)*", type_)
