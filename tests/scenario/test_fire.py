"""Fire and emergency free both ways, whatever the loop, the bus and the disk are doing (S3)."""

import itertools
from functools import partial

import pytest

from gatepost.core.events import Verb
from gatepost.core.states import MODES, Standing, State
from gatepost.gate import FIRE_HOLD_S
from gatepost_hal.gpio import ALARM_REST_S
from gatepost_hal.outputs import ALARM_HOLD_S
from gatepost_hal.ports import Direction, InputName
from gatepost_hal.simulated.mlx90614 import ChipFault

from .stage import FEVERISH_C, WELL_C

WITHIN_S = 0.1
BOTH = set(Direction)
FREEING = (InputName.FIRE, InputName.EMERGENCY)
LASTING_STATES = [state for state in State if state is not State.DECIDING]
MODE_STATES = {mode.state for mode in MODES.values()}
CASES = [
    (state, name)
    for state, name in itertools.product(LASTING_STATES, FREEING)
    if state.name != name.name
]
either_way = pytest.mark.parametrize("name", FREEING, ids=lambda name: name.value)
from_every_state = pytest.mark.parametrize(
    ("state", "name"),
    CASES,
    ids=[f"{name.value} from {state.name.lower()}" for state, name in CASES],
)


def raise_alarm(stage, name=InputName.FIRE):
    """Let the contact change; return when."""
    stage.touch(name, active=True)
    return stage.world.now_s()


def end_alarm(stage, name=InputName.FIRE):
    stage.touch(name, active=False)
    stage.play(ALARM_REST_S + 0.2)


def mode_before(state):
    """Return the mode that stood before, None for none."""
    state = State.MAINTENANCE if state is State.TESTING else state
    return state if state in MODE_STATES else None


# ------------------------------------------------------------------------------- from every state


@from_every_state
def test_both_ways_are_free_in_time_and_stay_so(stage, state, name):
    stage.reach(state)
    began_s = raise_alarm(stage, name)
    assert stage.play_until(lambda: stage.released() == BOTH, 1.0)
    assert stage.world.now_s() - began_s <= WITHIN_S
    shut = []
    stage.play_until(lambda: shut.append(stage.released() != BOTH), 30.0)  # past every release
    assert not any(shut)


@from_every_state
def test_it_is_recorded_in_time(stage, state, name):
    stage.reach(state)
    began_s = raise_alarm(stage, name)
    type_ = f"{name.value}.raised"
    assert stage.play_until(lambda: type_ in stage.types, 1.0)
    assert stage.world.now_s() - began_s <= WITHIN_S
    assert began_s < stage.last(type_).at_s <= began_s + WITHIN_S


@from_every_state
def test_when_it_is_over_the_way_is_shut_and_the_mode_from_before_stands(stage, state, name):
    stage.reach(state)
    raise_alarm(stage, name)
    stage.play(5.0)
    end_alarm(stage, name)
    before = mode_before(state)
    frees = before in (State.FIRE, State.EMERGENCY)
    assert stage.released() == (BOTH if frees else set())
    assert (stage.state if stage.state in MODE_STATES else None) is before
    assert stage.types.count(f"{name.value}.raised") == 1
    assert stage.types.count(f"{name.value}.cleared") == 1


def test_who_stood_there_in_the_fire_is_asked_anew(stage):
    stage.step_up(WELL_C)
    raise_alarm(stage)
    stage.play(3.0)
    end_alarm(stage)
    assert stage.state is State.AWAITING_PASS
    stage.scan()
    assert stage.play_until(lambda: stage.state is State.RELEASED, 5.0)


def test_a_release_that_a_fire_ended_has_its_outcome(stage):
    stage.reach(State.RELEASED)
    raise_alarm(stage)
    stage.play(1.0)
    assert stage.types == ["visit.admitted", "passage.not_entered", "fire.raised"]


# -------------------------------------------------------------------------------------- priorities

CONTACTS = {
    Standing.FIRE: InputName.FIRE,
    Standing.EMERGENCY: InputName.EMERGENCY,
    Standing.MAINTENANCE: InputName.MAINTENANCE_KEY,
    Standing.TAMPER: InputName.TAMPER,
}
ORDERS = {
    Standing.LOCKDOWN: (Verb.LOCK, Verb.UNLOCK),
    Standing.CLOSURE: (Verb.CLOSE, Verb.OPEN),
}


def switch(stage, standing, *, stands):
    """Begin or end a condition, as the site does; wait until the lane knows."""
    if standing in CONTACTS:
        stage.touch(CONTACTS[standing], active=stands)
        stage.play(ALARM_REST_S + 0.2)
    else:
        begin, end = ORDERS[standing]
        assert stage.order(begin if stands else end)["done"]


PAIRS = list(itertools.combinations(Standing, 2))
any_pair = pytest.mark.parametrize(
    ("higher", "lower"), PAIRS, ids=[f"{a.name} over {b.name}".lower() for a, b in PAIRS]
)


@any_pair
def test_the_higher_one_goes_first_whichever_came_first(make_stage, higher, lower):
    for first, second in ((higher, lower), (lower, higher)):
        stage = make_stage()
        switch(stage, first, stands=True)
        switch(stage, second, stands=True)
        assert stage.state is MODES[higher].state


@any_pair
def test_when_the_higher_one_ends_the_lower_one_stands_again(stage, higher, lower):
    switch(stage, lower, stands=True)
    switch(stage, higher, stands=True)
    switch(stage, higher, stands=False)
    assert stage.state is MODES[lower].state
    switch(stage, lower, stands=False)
    assert stage.state is State.IDLE


@any_pair
def test_when_the_lower_one_ends_the_higher_one_stands_on(stage, higher, lower):
    switch(stage, higher, stands=True)
    switch(stage, lower, stands=True)
    switch(stage, lower, stands=False)
    assert stage.state is MODES[higher].state
    assert stage.last(MODES[lower].over)


# ----------------------------------------------------------------------------------- what can hang


@either_way
def test_it_is_seen_while_the_bus_hangs(stage, name):
    stage.lane.chip.fault = ChipFault.STUCK_BUS
    stage.step_up(WELL_C)
    stage.scan()
    stage.play(0.5)
    assert stage.state is State.MEASURING
    began_s = raise_alarm(stage, name)
    assert stage.play_until(lambda: f"{name.value}.raised" in stage.types, 1.0)
    assert stage.released() == BOTH
    assert stage.world.now_s() - began_s <= WITHIN_S


@either_way
def test_it_is_seen_when_its_edge_is_lost(stage, name):
    stage.lane.contacts[name].lose_edges()
    began_s = raise_alarm(stage, name)
    assert stage.play_until(lambda: stage.released() == BOTH, 1.0)
    assert stage.world.now_s() - began_s <= WITHIN_S


@either_way
def test_a_cut_wire_is_one(stage, name):
    began_s = stage.world.now_s()
    stage.lane.contacts[name].cut()
    assert stage.play_until(lambda: stage.released() == BOTH, 1.0)
    assert stage.world.now_s() - began_s <= WITHIN_S


@either_way
def test_it_is_seen_at_the_start_of_a_controller(stage, name):
    raise_alarm(stage, name)
    stage.play(1.0)
    began_s = stage.world.now_s()
    stage.restart()
    assert stage.released() == set()
    assert stage.play_until(lambda: stage.released() == BOTH, 1.0)
    assert stage.world.now_s() - began_s <= WITHIN_S


@either_way
def test_the_drivers_free_the_way_while_the_loop_hangs(stage, name):
    stage.reach(State.RELEASED)
    raise_alarm(stage, name)
    stage.world.advance(WITHIN_S)  # the world goes on, the loop does not turn
    assert stage.released() == BOTH
    stage.world.advance(ALARM_HOLD_S - 2 * WITHIN_S)
    assert stage.released() == BOTH
    stage.world.advance(2 * WITHIN_S)
    assert stage.released() == set()


def test_the_way_is_shut_soon_after_the_loop_died_in_a_fire(stage):
    # The fire contact belongs into the relay's supply as well: this is the software's half.
    stage.reach(State.FIRE)
    stage.world.advance(FIRE_HOLD_S + 0.1)
    assert stage.released() == set()


# ---------------------------------------------------------------------------------------- the disk


def blocked_for(stage, type_, blocked_s, name=InputName.FIRE):
    """Let the first write of such a record block, with an alarm meanwhile.

    Return what was not free, looked at every 0.1 s.
    """
    shut = []

    def spy(entries):
        if type_ in [entry.type for entry in entries]:
            stage.log.spy = lambda _entries: None
            raise_alarm(stage, name)
            stage.world.advance(WITHIN_S)
            for _ in range(round(blocked_s / 0.1)):
                stage.world.advance(0.1)
                shut.append(BOTH - stage.released())

    stage.log.spy = spy
    return shut


def test_it_does_not_wait_for_its_own_record(stage):
    released_at_write = []
    stage.log.spy = lambda _entries: released_at_write.append(stage.released())
    raise_alarm(stage)
    stage.play(0.1)
    assert released_at_write == [BOTH]


@either_way
def test_a_disk_that_blocks_as_long_as_the_watchdog_lets_it_shuts_no_way(stage, name):
    shut = blocked_for(stage, f"{name.value}.raised", 9.0, name)
    raise_alarm(stage, name)
    stage.play(1.0)
    assert shut == [set()] * 90


# What somebody does, by the first record that follows from it.
DEEDS = {
    "visit.denied": lambda stage: (stage.step_up(WELL_C), stage.scan("UNKNOWN")),
    "visit.admitted": lambda stage: (stage.step_up(WELL_C), stage.scan()),  # so in DECIDING
    "visit.referred": lambda stage: (stage.step_up(FEVERISH_C), stage.scan()),
    "exit.released": lambda stage: stage.touch(InputName.EXIT_BUTTON, active=True),
    "lane.locked": lambda stage: stage.order(Verb.LOCK),
    "passage.forced": lambda stage: stage.lane.push(Direction.ENTRY, force=True),
}
of_something_else = pytest.mark.parametrize("type_", DEEDS)


@either_way
@of_something_else
def test_it_does_not_wait_for_the_record_of_something_else(stage, name, type_):
    shut = blocked_for(stage, type_, 9.0, name)
    DEEDS[type_](stage)
    assert stage.play_until(lambda: stage.state is State[name.name], 20.0)
    assert shut == [set()] * 90
    assert stage.released() == BOTH
    assert f"{name.value}.raised" in stage.types


@of_something_else
def test_what_was_decided_just_before_it_shuts_no_way_any_more(stage, type_):
    let_go = []

    def watch(way, relay):
        if shut and not relay.is_energised:
            let_go.append(way)

    shut = blocked_for(stage, type_, 0.5)
    for way, relay in stage.lane.relays.items():
        relay.on_change = partial(watch, way, relay)
    DEEDS[type_](stage)
    assert stage.play_until(lambda: stage.state is State.FIRE, 20.0)
    assert let_go == []


def test_what_is_learnt_just_before_it_shuts_no_way(make_stage):
    shut = []

    def block(_offset):
        stage.world.advance(5.0)
        shut.append(BOTH - stage.released())

    stage = make_stage(screening={"learns": True}, keep_offset=block)
    blocked_for(stage, "visit.admitted", 0.5)
    DEEDS["visit.admitted"](stage)
    assert stage.play_until(lambda: stage.state is State.FIRE, 20.0)
    assert shut == [set()]


def test_an_admission_that_a_fire_overtakes_has_its_outcome(stage):
    blocked_for(stage, "visit.admitted", 9.0)
    DEEDS["visit.admitted"](stage)
    assert stage.play_until(lambda: stage.state is State.FIRE, 20.0)
    told = [type_ for type_ in stage.types if type_ != "controller.overrun"]
    assert told == ["visit.admitted", "passage.not_entered", "fire.raised"]


@either_way
def test_a_broken_disk_shuts_no_way(stage, name):
    stage.log.broken = True
    began_s = raise_alarm(stage, name)
    assert stage.play_until(lambda: stage.released() == BOTH, 1.0)
    assert stage.world.now_s() - began_s <= WITHIN_S
    stage.play(30.0)
    assert stage.released() == BOTH
    end_alarm(stage, name)
    assert stage.released() == set()
