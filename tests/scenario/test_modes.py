"""The modes of a lane: how they begin and end, what they let through, what outlasts a restart."""

import pytest

from gatepost.core.events import Tested as Output  # by its own name pytest takes it for a test
from gatepost.core.events import Verb
from gatepost.core.states import Span, Standing, State
from gatepost_hal.ports import Direction, InputName, Lamp

from .stage import WELL_C

BY_CONTACT = {
    State.FIRE: (InputName.FIRE, "fire.raised", "fire.cleared"),
    State.EMERGENCY: (InputName.EMERGENCY, "emergency.raised", "emergency.cleared"),
    State.MAINTENANCE: (InputName.MAINTENANCE_KEY, "maintenance.begun", "maintenance.ended"),
    State.TAMPER: (InputName.TAMPER, "tamper.raised", "tamper.cleared"),
}
BY_ORDER = {
    State.MAINTENANCE: (Verb.BEGIN_MAINTENANCE, Verb.END_MAINTENANCE, "maintenance"),
    State.LOCKED: (Verb.LOCK, Verb.UNLOCK, "lane"),
    State.CLOSED: (Verb.CLOSE, Verb.OPEN, "lane"),
}
SHUT = (State.LOCKED, State.CLOSED, State.TAMPER)
named = {"ids": lambda value: value.name.lower() if hasattr(value, "name") else str(value)}


@pytest.mark.parametrize("state", BY_CONTACT, **named)
def test_a_mode_lasts_as_long_as_its_contact(stage, state):
    name, begun, over = BY_CONTACT[state]
    stage.touch(name, active=True)
    stage.play(30.0)
    assert (stage.state, stage.types) == (state, [begun])
    stage.touch(name, active=False)
    stage.play(1.3)
    assert (stage.state, stage.types) == (State.IDLE, [begun, over])


@pytest.mark.parametrize("state", BY_ORDER, **named)
def test_a_mode_lasts_from_order_to_order(stage, state):
    begin, end, _ = BY_ORDER[state]
    assert stage.order(begin)["state"] == state.name.lower()
    stage.play(30.0)
    assert stage.state is state
    assert stage.order(end)["state"] == "idle"
    told = [entry for entry in stage.log.entries if not entry.type.startswith("command.")]
    assert len(told) == 2
    assert [entry.data for entry in told] == [{"by": "uid 0"}] * 2  # who ordered it


def test_the_same_order_again_changes_nothing_and_is_no_second_record(stage):
    stage.order(Verb.LOCK)
    stage.play(1.0)
    stage.order(Verb.LOCK)
    assert stage.types.count("lane.locked") == 1


# --------------------------------------------------------------------------- what it lets through


@pytest.mark.parametrize("state", SHUT, **named)
def test_nobody_is_let_in_by_a_pass_and_everybody_is_told_why(stage, state):
    stage.reach(state)
    stage.step_up(WELL_C)
    stage.scan()
    assert stage.state is State.REFUSED
    assert stage.last("visit.denied").data["state"] == state.name.lower()
    key = {State.TAMPER: "alarm"}.get(state, state.name.lower())
    assert stage.lane.announcer.told[-1][1].key == key
    stage.play(stage.policy.spans_s[Span.REFUSED_SHOW] + 0.1)
    assert stage.state is state
    assert stage.released() == set()


@pytest.mark.parametrize("state", [*SHUT, State.MAINTENANCE], **named)
def test_everybody_may_leave(stage, state):
    stage.reach(state)
    stage.press(InputName.EXIT_BUTTON)
    assert stage.released() == {Direction.EXIT}
    stage.walk()
    stage.play(2.0)
    assert (stage.state, stage.released()) == (state, set())
    assert stage.types[-2:] == ["exit.released", "passage.left"]


@pytest.mark.parametrize("state", SHUT, **named)
def test_staff_lets_somebody_in_all_the_same(stage, state):
    stage.reach(state)
    stage.press(InputName.STAFF_RELEASE)
    assert stage.released() == {Direction.ENTRY}
    stage.walk()
    stage.play(2.0)
    assert stage.state is state
    assert stage.types[-2:] == ["entry.commanded", "passage.entered"]


def test_staff_lets_nobody_in_while_a_technician_works(stage):
    stage.reach(State.MAINTENANCE)
    stage.press(InputName.STAFF_RELEASE)
    assert stage.released() == set()


@pytest.fixture
def strict(make_stage):
    """A lane whose lock-down holds the exit as well."""
    made = make_stage(sections={"lane": {"exit_in_lockdown": False}})
    made.reach(State.LOCKED)
    return made


def test_a_lock_down_may_hold_the_exit_and_says_so(strict):
    strict.press(InputName.EXIT_BUTTON)
    strict.play(5.0)
    assert strict.released() == set()
    assert strict.types.count("exit.refused") == 1


def test_staff_lets_out_of_a_lock_down_that_holds_the_exit(strict):
    assert strict.order(Verb.RELEASE_EXIT)["done"]
    assert strict.released() == {Direction.EXIT}
    assert strict.last("exit.released").data["by"] == "uid 0"


def test_fire_lets_out_of_a_lock_down_that_holds_the_exit(strict):
    strict.touch(InputName.FIRE, active=True)
    strict.play(0.1)
    assert strict.released() == set(Direction)


# ------------------------------------------------------------------------------------- a restart


def live_again(stage):
    """Start the controller anew; return the states and the lamps that it goes through."""
    seen = []

    def look():
        seen.append((stage.state, stage.lit()))

    stage.restart()
    stage.live(2.0, look)
    return seen


@pytest.mark.parametrize("state", [State.LOCKED, State.CLOSED], **named)
def test_a_lock_down_and_a_closure_outlast_a_restart(stage, state):
    stage.reach(state)
    seen = live_again(stage)
    assert all(each is state for each, _ in seen[1:])  # from the first turn on
    assert Lamp.RED in frozenset.union(*(lit for _, lit in seen[1:]))
    assert stage.last("controller.started").data["standing"] == [
        {State.LOCKED: "lockdown", State.CLOSED: "closure"}[state]
    ]


def test_what_was_ended_before_a_restart_has_ended(stage):
    stage.order(Verb.LOCK)
    stage.order(Verb.UNLOCK)
    assert {state for state, _ in live_again(stage)} == {State.IDLE}


def test_maintenance_by_order_ends_with_the_process(stage):
    stage.order(Verb.LOCK)
    stage.order(Verb.BEGIN_MAINTENANCE)
    assert live_again(stage)[-1][0] is State.LOCKED


def test_maintenance_by_key_goes_on_while_the_key_is_turned(stage):
    stage.reach(State.MAINTENANCE)
    assert live_again(stage)[-1][0] is State.MAINTENANCE


def test_a_lock_down_stands_from_the_first_moment_of_the_next_process(make_stage):
    stage = make_stage(standing=frozenset({Standing.LOCKDOWN}))
    stage.step_up(WELL_C)
    stage.scan()
    assert stage.state is State.REFUSED


def test_an_order_that_cannot_be_kept_is_obeyed_and_a_fault(stage, monkeypatch):
    around = stage.gate._around._replace(keep_standing=lambda _standing: "no space")
    monkeypatch.setattr(stage.gate, "_around", around)
    assert stage.order(Verb.LOCK)["done"]
    assert stage.state is State.LOCKED
    assert stage.faults == ["raised standing"]


# ---------------------------------------------------------------------------------- maintenance

LAMPS = {
    Output.GREEN_LAMP: Lamp.GREEN,
    Output.AMBER_LAMP: Lamp.AMBER,
    Output.RED_LAMP: Lamp.RED,
}
RELAYS = {Output.ENTRY_RELAY: Direction.ENTRY, Output.EXIT_RELAY: Direction.EXIT}


def lines(stage):
    return stage.released(), stage.lit(), stage.lane.is_sounding()


@pytest.mark.parametrize("tested", Output, **named)
def test_each_output_is_tested_alone_and_for_a_moment(stage, tested):
    stage.reach(State.MAINTENANCE)
    answer = stage.order(Verb.TEST, tested)
    assert (answer["done"], answer["state"]) == (True, "testing")
    released, lit, sounds = lines(stage)
    assert released == ({RELAYS[tested]} if tested in RELAYS else set())
    if tested not in RELAYS:
        assert lit == ({LAMPS[tested]} if tested in LAMPS else set())
    assert sounds == (tested is Output.BUZZER)
    stage.play(stage.policy.spans_s[Span.TEST])
    assert (stage.state, stage.released(), stage.lane.is_sounding()) == (
        *(State.MAINTENANCE, set()),
        False,
    )
    assert stage.last("maintenance.tested").data == {"tested": tested.value}


def test_a_relay_under_test_is_let_go_although_the_loop_hangs(stage):
    stage.reach(State.TESTING)
    stage.world.advance(stage.policy.spans_s[Span.TEST])
    assert stage.released() == set()


@pytest.mark.parametrize("before", [State.IDLE, State.LOCKED, State.CLOSED, State.TAMPER], **named)
def test_maintenance_leaves_the_lane_as_it_was(stage, before):
    stage.reach(before)
    stage.order(Verb.BEGIN_MAINTENANCE)
    for tested in Output:
        assert stage.order(Verb.TEST, tested)["done"]
        stage.play(stage.policy.spans_s[Span.TEST] + 0.1)
    stage.order(Verb.END_MAINTENANCE)
    stage.play(1.0)
    assert (stage.state, stage.released()) == (before, set())


def test_a_turn_of_the_arm_by_a_technician_is_no_alarm(stage):
    stage.reach(State.TESTING)
    assert stage.lane.push(Direction.ENTRY)
    stage.play(5.0)
    assert stage.types[-1] == "passage.free"
    assert stage.state is State.MAINTENANCE


def test_the_key_ends_a_test_at_once(stage):
    stage.reach(State.TESTING)
    stage.touch(InputName.MAINTENANCE_KEY, active=False)
    stage.play(0.1)
    assert (stage.state, stage.released()) == (State.IDLE, set())


def test_the_entry_is_not_tested_without_a_record(stage):
    stage.reach(State.MAINTENANCE)
    stage.log.broken = True
    stage.order(Verb.TEST, Output.ENTRY_RELAY)
    assert stage.released() == set()
