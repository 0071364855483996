"""Conditions that stand: which goes first, what has to wait for it, and what is left afterwards."""

from dataclasses import replace
from itertools import combinations, permutations

import pytest

from gatepost.core.lane import output_of
from gatepost.core.signals import Signal
from gatepost.core.states import MODES, Standing, State
from gatepost.core.visit import Lane
from gatepost_hal.ports import Direction

# How each condition begins and ends: by an input, or by a command.
WORDS = [
    (Standing.FIRE, "fire", "fire_over"),
    (Standing.EMERGENCY, "emergency", "emergency_over"),
    (Standing.MAINTENANCE, "key", "key_over"),
    (Standing.MAINTENANCE, "begin_maintenance", "end_maintenance"),
    (Standing.LOCKDOWN, "lock", "unlock"),
    (Standing.CLOSURE, "close", "open"),
    (Standing.TAMPER, "tamper", "tamper_over"),
]
BEGIN = {standing: begin for standing, begin, _ in reversed(WORDS)}
OVER = {standing: over for standing, _, over in reversed(WORDS)}
BY_COMMAND = [words for words in WORDS if words[1] in ("begin_maintenance", "lock", "close")]
BY_INPUT = [words for words in WORDS if words not in BY_COMMAND]
# Fire and emergency take the lane from whoever is in the arm; the others let them finish.
AT_ONCE = [Standing.FIRE, Standing.EMERGENCY]
DEFERRED = [standing for standing in Standing if standing not in AT_ONCE]
PAIRS = list(combinations(Standing, 2))
IN_THE_ARM = [
    State.DECIDING,
    State.RELEASED,
    State.ENTRY_ENDING,
    State.ENTERING,
    State.LEAVING,
    State.EXIT_ENDING,
    State.EXITING,
]


@pytest.mark.parametrize(("standing", "begin", "over"), WORDS)
def test_a_condition_takes_the_lane_while_it_stands(standing, begin, over, walk):
    walk.does(begin)
    assert (walk.state, walk.lane.standing) == (MODES[standing].state, {standing})
    walk.does(over)
    assert (walk.state, walk.lane.standing) == (State.IDLE, frozenset())


@pytest.mark.parametrize(("standing", "begin", "over"), WORDS)
def test_a_condition_that_is_reported_again_and_again_is_recorded_once(standing, begin, over, walk):
    told = walk.does(f"{begin} {begin} {over} {over} {begin}")
    mode = MODES[standing]
    of_the_mode = [type_ for type_ in told if not type_.startswith("command.")]
    assert of_the_mode == [mode.begun, mode.over, mode.begun]


@pytest.mark.parametrize(("standing", "begin", "over"), BY_COMMAND)
def test_who_commanded_a_mode_is_in_its_records(standing, begin, over, walk):
    walk.does(f"{begin} {over}")
    mode = MODES[standing]
    assert walk.data(mode.begun) == walk.data(mode.over) == {"by": "centre"}


@pytest.mark.parametrize(("standing", "begin", "over"), BY_INPUT)
def test_a_mode_that_an_input_brought_is_nobodys(standing, begin, over, walk):
    walk.does(f"{begin} {over}")
    mode = MODES[standing]
    assert walk.data(mode.begun) == walk.data(mode.over) == {}


@pytest.mark.parametrize(("higher", "lower"), PAIRS)
def test_of_two_conditions_the_higher_one_counts_whichever_came_first(higher, lower, new_walk):
    for first, second in ((higher, lower), (lower, higher)):
        walk = new_walk()
        walk.does(f"{BEGIN[first]} {BEGIN[second]}")
        assert (walk.state, walk.lane.standing) == (MODES[higher].state, {higher, lower})


@pytest.mark.parametrize(("higher", "lower"), PAIRS)
def test_when_the_higher_condition_is_over_the_lower_one_stands_as_it_was(higher, lower, walk):
    walk.does(f"{BEGIN[higher]} {BEGIN[lower]} {OVER[higher]}")
    assert (walk.state, walk.lane.standing) == (MODES[lower].state, {lower})


@pytest.mark.parametrize(("higher", "lower"), PAIRS)
def test_a_lower_condition_comes_and_goes_unseen_and_is_told(higher, lower, walk):
    told = walk.does(f"{BEGIN[higher]} {BEGIN[lower]} {OVER[lower]}")
    assert walk.state is MODES[higher].state
    told = [type_ for type_ in told if not type_.startswith("command.")]
    assert told == [MODES[higher].begun, MODES[lower].begun, MODES[lower].over]


@pytest.mark.parametrize("order", [*permutations(list(Standing)[:4]), tuple(Standing)])
def test_whatever_the_order_the_highest_one_that_is_left_counts(order, walk):
    for standing in order:
        walk.does(BEGIN[standing])
    for standing in order:
        highest = next(each for each in Standing if each in walk.lane.standing)
        assert walk.state is MODES[highest].state
        walk.does(OVER[standing])
    assert walk.state is State.IDLE


def test_after_maintenance_a_lock_down_stands_again_as_it_was(walk):
    walk.does("lock key")
    assert walk.state is State.MAINTENANCE
    told = walk.does("test_green_lamp deadline key_over")
    assert walk.state is State.LOCKED
    assert "lane.locked" not in told  # nobody locked it anew


def test_a_lock_down_that_was_lifted_during_maintenance_is_over_after_it(walk):
    walk.does("lock key unlock key_over")
    assert walk.state is State.IDLE


@pytest.mark.parametrize("state", IN_THE_ARM)
@pytest.mark.parametrize("standing", DEFERRED)
def test_a_lower_mode_waits_for_whoever_is_on_the_way_through_the_arm(standing, state, walk):
    before = walk.to(state).lane
    walk.does(BEGIN[standing])
    assert (walk.state, walk.lane.deadline_at_s) == (state, before.deadline_at_s)
    walk.does("written passage passage_ends deadline deadline deadline")
    assert walk.state is MODES[standing].state


@pytest.mark.parametrize("standing", DEFERRED)
def test_a_refusal_is_told_to_the_end_before_a_mode_takes_over(standing, walk):
    walk.to(State.REFUSED).does(BEGIN[standing])
    assert walk.state is State.REFUSED
    walk.does("deadline")
    assert walk.state is MODES[standing].state


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("standing", AT_ONCE)
def test_fire_and_emergency_free_both_ways_at_once_whatever_goes_on(standing, state, walk):
    walk.to(state).does(BEGIN[standing])
    assert output_of(walk.lane).releases == set(Direction)
    assert walk.lane.deadline_at_s is None


@pytest.mark.parametrize("standing", [Standing.EMERGENCY, *DEFERRED])
def test_a_fire_frees_both_ways_over_every_other_mode(standing, walk):
    walk.does(f"{BEGIN[standing]} fire")
    assert output_of(walk.lane).releases == set(Direction)


def test_a_fire_that_is_over_leaves_the_emergency_free(walk):
    walk.does("fire emergency fire_over")
    assert (walk.state, output_of(walk.lane).releases) == (State.EMERGENCY, set(Direction))


def test_a_fire_that_is_over_leaves_a_lock_down_locked(walk):
    walk.does("lock fire fire_over")
    assert (walk.state, output_of(walk.lane).releases) == (State.LOCKED, frozenset())


@pytest.mark.parametrize("word", ["fire", "emergency"])
def test_nothing_is_asked_of_anybody_while_the_way_is_free(word, walk):
    walk.does(word)
    before = walk.lane
    assert walk.does("arrives shows_pass cool leaves staff release_entry test_buzzer") == [
        "command.refused",
        "command.refused",
    ]
    assert replace(walk.lane, served=()) == before


@pytest.mark.parametrize("standing", Standing)
def test_when_a_mode_is_over_who_stands_there_is_asked_for_a_pass(standing, walk):
    walk.does(f"arrives {BEGIN[standing]} {OVER[standing]}")
    assert walk.state is State.AWAITING_PASS
    assert walk.lane.visit.number == 2


@pytest.mark.parametrize("standing", Standing)
def test_when_a_mode_is_over_an_empty_lane_is_idle(standing, walk):
    walk.to(State.AWAITING_PASS).does(f"{BEGIN[standing]} leaves {OVER[standing]}")
    assert walk.state is State.IDLE


@pytest.mark.parametrize("state", [State.LOCKED, State.CLOSED, State.TAMPER])
@pytest.mark.parametrize(
    "word", ["shows_pass", "shows_wrong_pass", "shows_blocked_pass", "shows_noted_pass"]
)
def test_a_shut_lane_refuses_every_pass_and_says_which_mode_refused(word, state, walk):
    walk.to(state).does(word)
    assert walk.state is State.REFUSED
    data = walk.data("visit.denied")
    assert (data["outcome"], data["rules"]) == ("deny", ["ours", "R112"])
    assert data["state"] == state.name.lower()
    walk.does("deadline")
    assert walk.state is state


def test_a_shut_lane_notes_whose_pass_it_refused(walk):
    walk.to(State.LOCKED).does("shows_pass")
    assert walk.data("visit.denied")["subject"] == "subject-1"


@pytest.mark.parametrize("state", [State.LOCKED, State.CLOSED, State.TAMPER])
def test_a_shut_lane_measures_nobody_and_lets_out(state, walk):
    walk.to(state).does("cool leaves arrives")
    assert walk.state is state
    assert walk.does("exit_button passage passage_ends") == ["exit.released", "passage.left"]
    assert walk.state is state


@pytest.mark.parametrize("state", [State.LOCKED, State.CLOSED, State.TAMPER])
def test_staff_lets_a_person_into_a_shut_lane_and_it_is_shut_again(state, walk):
    walk.to(state)
    assert walk.does("staff written") == ["entry.commanded"]
    assert walk.state is State.RELEASED
    walk.does("passage passage_ends")
    assert walk.state is state


def test_a_passage_during_maintenance_is_nobodys(walk):
    assert walk.does("key passage passage_ends passage") == [
        "maintenance.begun",
        "passage.free",
        "passage.free",
    ]
    assert walk.state is State.MAINTENANCE


@pytest.mark.parametrize("word", ["shows_pass", "shows_wrong_pass", "staff"])
def test_maintenance_lets_nobody_in(word, walk):
    walk.does("key arrives")
    before = walk.lane
    assert walk.does(word) == []
    assert walk.lane == before


def test_the_technicians_key_keeps_the_lane_in_maintenance_whatever_is_commanded(walk):
    walk.does("key end_maintenance")
    assert walk.state is State.MAINTENANCE


def test_a_lane_that_nobody_has_touched_frees_nothing_and_shows_nothing():
    output = output_of(Lane())
    assert (output.releases, output.signal) == (frozenset(), Signal.READY)


@pytest.mark.parametrize("standing", Standing)
def test_a_lane_that_starts_with_what_stood_before_goes_there_and_tells_nothing(standing, new_walk):
    walk = new_walk(Lane(entered_at_s=100.0, standing=frozenset({standing})))
    assert walk.does("tick") == []
    assert walk.state is MODES[standing].state


def test_a_lane_that_starts_locked_stays_so_until_it_is_unlocked(new_walk):
    walk = new_walk(Lane(entered_at_s=100.0, standing=frozenset({Standing.LOCKDOWN})))
    assert walk.does("arrives shows_pass deadline lock") == ["visit.denied", "command.obeyed"]
    assert walk.state is State.LOCKED
    assert walk.does("unlock") == ["command.obeyed", "lane.unlocked"]
    assert walk.state is State.AWAITING_PASS


def test_a_lane_that_starts_with_a_turned_arm_waits_for_it_to_rest(new_walk, walk):
    turned = walk.to(State.EXITING).lane.turning
    walk = new_walk(Lane(entered_at_s=100.0, turning=turned))
    assert walk.does("tick") == []
    assert walk.state is State.EXITING
    assert walk.does("deadline passage_ends") == ["passage.held", "passage.rested"]
