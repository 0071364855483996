"""Whoever wants to leave: at once, or as soon as the lane is free, and never held in by a wish."""

from dataclasses import replace

import pytest

from gatepost.core.lane import output_of
from gatepost.core.states import State
from gatepost_hal.ports import Direction

# In these the wish waits: the arm is not free for a person who comes the other way.
WAITED_IN = [
    State.MEASURING,
    State.PAUSING,
    State.DECIDING,
    State.RELEASED,
    State.ENTRY_ENDING,
    State.ENTERING,
    State.EXITING,
]
AT_ONCE = [State.IDLE, State.REFUSED, State.REFERRED, State.CLEARING, State.HELD, State.FORCED]
# The shortest way from each of them to a lane that is free.
ON = {
    State.MEASURING: "leaves",
    State.PAUSING: "leaves",
    State.DECIDING: "not_written",
    State.RELEASED: "passage passage_ends",
    State.ENTRY_ENDING: "deadline",
    State.ENTERING: "passage_ends",
    State.EXITING: "passage_ends",
}


@pytest.fixture
def strict(new_walk, policy):
    """A site whose lock-down holds the exit as well."""
    return new_walk(policy=replace(policy, exit_in_lockdown=False))


@pytest.mark.parametrize("word", ["exit_button", "exit_pass", "exit_wrong_pass", "release_exit"])
@pytest.mark.parametrize("state", AT_ONCE)
def test_who_wants_to_leave_is_let_out_at_once(state, word, walk):
    assert "exit.released" in walk.to(state).does(word)
    assert walk.state is State.LEAVING
    assert output_of(walk.lane).releases == {Direction.EXIT}


def test_nobody_is_measured_or_asked_for_a_pass_on_the_way_out(walk):
    assert walk.does("exit_button passage passage_ends") == ["exit.released", "passage.left"]
    assert walk.lane.visit.number == 0


@pytest.mark.parametrize("state", WAITED_IN)
@pytest.mark.parametrize("word", ["exit_button", "exit_pass", "release_exit"])
def test_a_wish_to_leave_waits_until_the_lane_is_free(word, state, walk):
    walk.to(state)
    assert "exit.released" not in walk.does(word)
    assert walk.state is state
    assert walk.does(ON[state])[-1] == "exit.released"
    assert walk.state is State.LEAVING


def test_a_wish_that_waits_changes_nothing_else(walk):
    before = walk.to(State.RELEASED).lane
    walk.does("exit_button exit_button_up")
    assert replace(walk.lane, exit_wish=None) == before


@pytest.mark.parametrize(("after_s", "released"), [(9.9, True), (10.1, False), (60.0, False)])
def test_a_wish_is_forgotten_after_a_while(after_s, released, walk):
    walk.to(State.ENTERING).does("exit_button")
    walk.waits(after_s - 0.1)  # held by then
    walk.does("passage_ends")
    assert ("exit.released" in walk.types) is released


def test_who_presses_again_in_time_is_let_out(walk):
    walk.to(State.ENTERING).does("exit_button")
    walk.waits(7.0)
    walk.does("exit_button")
    walk.waits(0.5)
    assert walk.does("passage_ends") == ["exit.released"]


def test_a_wish_is_fulfilled_once(walk):
    walk.to(State.RELEASED).does("exit_button passage passage_ends")
    walk.does("passage passage_ends tick")
    assert walk.types.count("exit.released") == 1
    assert walk.state is not State.LEAVING


def test_who_waits_to_leave_goes_as_soon_as_the_measured_one_is_referred(walk):
    walk.to(State.MEASURING).does("exit_button")
    assert walk.does("fever") == ["visit.referred", "exit.released"]


def test_who_waits_to_leave_goes_after_the_one_who_was_admitted_meanwhile(walk):
    walk.to(State.MEASURING).does("exit_button cool written passage passage_ends")
    assert walk.types == ["visit.admitted", "passage.entered", "exit.released"]


def test_pressed_again_while_leaving_is_no_second_release(walk):
    walk.to(State.LEAVING).does("exit_button exit_button passage passage_ends tick")
    assert walk.types == ["exit.released", "passage.left"]
    assert walk.state is State.IDLE


@pytest.mark.parametrize("state", [State.EXIT_ENDING, State.EXITING])
def test_pressed_by_the_next_one_is_a_release_of_their_own(state, walk):
    walk.to(state).does("exit_button deadline passage_ends")
    assert walk.types.count("exit.released") == 2


def test_the_same_pass_shown_again_while_leaving_is_no_second_release(walk):
    walk.does("exit_pass exit_pass passage passage_ends tick")
    assert walk.types == ["exit.released", "passage.left"]


def test_who_waits_at_the_entry_while_another_leaves_is_asked_for_a_pass_anew(walk):
    walk.to(State.AWAITING_PASS).does("exit_button shows_pass passage passage_ends")
    assert walk.state is State.AWAITING_PASS
    assert walk.lane.visit.number == 2
    assert walk.types == ["visit.abandoned", "exit.released", "passage.left"]


def test_who_steps_up_while_another_leaves_is_asked_for_a_pass_then(walk):
    walk.to(State.LEAVING).does("arrives deadline deadline")
    assert walk.state is State.AWAITING_PASS
    assert walk.lane.visit.number == 1
    assert walk.lane.deadline_at_s == walk.lane.entered_at_s + 15.0


def test_who_wishes_to_leave_in_a_fire_leaves_and_later_the_wish_is_forgotten(walk):
    walk.does("fire exit_button")
    walk.waits(10.0)
    assert walk.does("fire_over") == ["fire.cleared"]
    assert walk.state is State.IDLE


# ------------------------------------------------------------------------------ lock-down


@pytest.mark.parametrize("word", ["exit_button", "exit_pass", "exit_wrong_pass", "release_exit"])
def test_a_lock_down_lets_out_where_the_site_says_so(word, walk):
    walk.does("lock")
    assert "exit.released" in walk.does(word)
    assert walk.state is State.LEAVING


@pytest.mark.parametrize("word", ["exit_button", "exit_pass", "exit_wrong_pass"])
def test_a_lock_down_that_holds_the_exit_refuses_it_once_and_tells(word, strict):
    strict.does("lock")
    assert strict.does(f"{word} tick") == ["exit.refused"]
    assert strict.state is State.LOCKED
    assert strict.does("unlock") == ["command.obeyed", "lane.unlocked"]  # refused, not put off


def test_a_refused_exit_tells_whose_pass_it_was(strict):
    strict.does("lock exit_pass")
    assert strict.data("exit.refused") == {
        "direction": "exit",
        "subject": "subject-1",
        "category": "resident",
    }


def test_staff_lets_out_of_a_lock_down_that_holds_the_exit(strict):
    strict.does("lock release_exit")
    assert strict.state is State.LEAVING
    assert strict.data("exit.released") == {"direction": "exit", "by": "centre"}
    strict.does("passage passage_ends")
    assert strict.data("passage.left") == {"direction": "exit", "by": "centre"}
    assert strict.state is State.LOCKED


@pytest.mark.parametrize("word", ["close", "tamper", "key"])
def test_only_a_lock_down_holds_the_exit(word, strict):
    strict.does(f"{word} exit_button")
    assert strict.state is State.LEAVING


@pytest.mark.parametrize("word", ["fire", "emergency"])
def test_a_lock_down_holds_nobody_in_a_fire(word, strict):
    strict.does(f"lock {word} exit_button")
    assert Direction.EXIT in output_of(strict.lane).releases
    assert "exit.refused" not in strict.types


def test_a_lock_down_takes_the_exit_from_nobody_who_is_leaving(strict):
    strict.to(State.LEAVING)
    assert strict.does("lock passage") == ["command.obeyed", "lane.locked", "passage.left"]


def test_who_wished_to_leave_before_a_lock_down_is_refused_when_it_begins(strict):
    strict.to(State.RELEASED).does("exit_button lock passage passage_ends")
    assert (strict.state, strict.types[-1]) == (State.LOCKED, "exit.refused")


def test_a_button_does_not_take_away_what_staff_commanded(strict):
    strict.to(State.RELEASED).does("lock release_exit exit_button passage passage_ends")
    assert (strict.state, strict.types[-1]) == (State.LEAVING, "exit.released")


# ------------------------------------------------------------------------------ who left


def test_a_pass_at_the_exit_is_told_with_who_left(walk):
    walk.does("exit_pass passage")
    who = {"direction": "exit", "subject": "subject-1", "category": "resident"}
    assert walk.data("exit.released") == walk.data("passage.left") == who


def test_a_pass_at_the_exit_is_told_with_who_did_not_leave(walk):
    walk.does("exit_pass deadline deadline")
    assert walk.data("passage.not_left")["subject"] == "subject-1"


def test_a_pass_at_the_exit_that_had_to_wait_is_told_too(walk):
    walk.to(State.RELEASED).does("exit_pass passage passage_ends passage")
    assert walk.data("passage.left")["subject"] == "subject-1"


@pytest.mark.parametrize("word", ["exit_button", "exit_wrong_pass"])
def test_who_leaves_without_a_known_pass_is_nobody_in_particular(word, walk):
    walk.does(f"exit_pass passage passage_ends {word} passage")
    assert walk.data("passage.left") == {"direction": "exit"}


def test_a_pass_at_the_exit_is_no_pass_for_who_stands_at_the_entry(walk):
    walk.does("arrives exit_pass passage passage_ends")
    assert walk.state is State.AWAITING_PASS
    assert walk.lane.visit.holder is None


def test_a_button_does_not_take_away_whose_pass_was_shown(walk):
    walk.to(State.RELEASED).does("exit_pass exit_button passage passage_ends passage")
    assert walk.data("passage.left").get("subject") == "subject-1"
