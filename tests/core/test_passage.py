"""What becomes of a release, and of a turn of the arm that nobody was released for."""

from dataclasses import replace

import pytest

from gatepost.core.lane import output_of
from gatepost.core.signals import Signal
from gatepost.core.states import State
from gatepost.core.visit import PassageSignal

ENTRIES = [State.RELEASED, State.ENTRY_ENDING]
EXITS = [State.LEAVING, State.EXIT_ENDING]
SHUT = [State.LOCKED, State.CLOSED, State.TAMPER]
# Where somebody may stand at the entry whose visit ends when the arm is forced.
VISITING = [State.AWAITING_PASS, State.MEASURING, State.PAUSING]
ENTERED = "arrives shows_pass cool written passage passage_ends"


@pytest.fixture
def two_ways(new_walk, policy):
    """A turnstile with a passage contact for each way."""
    return new_walk(policy=replace(policy, passage=PassageSignal.PER_DIRECTION))


@pytest.fixture
def blind(new_walk, policy):
    """A turnstile that does not tell whether anybody walked."""
    return new_walk(policy=replace(policy, passage=PassageSignal.NONE))


# ------------------------------------------------------------------------------ as it should be


@pytest.mark.parametrize("state", ENTRIES)
def test_a_turn_after_a_release_is_one_entry(state, walk):
    walk.to(state)
    assert walk.does("passage passage_ends leaves") == ["passage.entered"]
    assert walk.state is State.IDLE


@pytest.mark.parametrize("state", EXITS)
def test_a_turn_after_a_release_of_the_exit_is_one_exit(state, walk):
    walk.to(state)
    assert walk.does("passage passage_ends") == ["passage.left"]
    assert walk.state is State.IDLE


@pytest.mark.parametrize("state", [State.ENTERING, State.EXITING])
def test_the_relay_is_dropped_as_soon_as_the_arm_turns(state, walk):
    assert output_of(walk.to(state).lane).releases == frozenset()


def test_who_is_gone_when_an_entry_is_over_leaves_an_idle_lane(walk):
    walk.to(State.RELEASED).does("leaves")
    assert walk.state is State.RELEASED  # on the way through the arm one leaves the zone
    assert walk.does("passage") == ["passage.entered"]
    assert walk.state is State.ENTERING
    walk.does("passage_ends")
    assert walk.state is State.IDLE


def test_who_still_stands_there_when_an_entry_is_over_has_to_clear_the_lane(walk):
    walk.to(State.ENTERING).does("passage_ends")
    assert walk.state is State.CLEARING


@pytest.mark.parametrize("state", [State.RELEASED, State.ENTERING])
def test_a_flickering_presence_on_the_way_through_changes_nothing(state, walk):
    before = walk.to(state).lane
    assert walk.does("leaves arrives leaves arrives") == []
    assert walk.lane == before


def test_a_turn_that_comes_too_late_is_no_entry(walk):
    walk.to(State.ENTRY_ENDING)
    assert walk.does("deadline passage") == ["passage.not_entered", "passage.forced"]


def test_one_contact_knows_no_way_and_a_turn_is_the_way_that_is_free(walk, new_walk):
    assert walk.to(State.RELEASED).does("outward") == ["passage.entered"]
    assert new_walk().to(State.LEAVING).does("passage") == ["passage.left"]


# ------------------------------------------------------------------------------ held


@pytest.mark.parametrize("state", [State.ENTERING, State.EXITING])
def test_an_arm_that_comes_to_rest_in_time_is_not_held(state, walk):
    walk.to(state)
    assert walk.waits(7.9) + walk.does("passage_ends") == []


@pytest.mark.parametrize("state", [State.ENTERING, State.EXITING])
def test_an_arm_that_is_held_open_is_an_alarm_until_it_rests(state, walk):
    walk.to(state)
    assert walk.waits(8.0) == ["passage.held"]
    assert output_of(walk.lane).signal is Signal.ALARM
    assert walk.does("deadline leaves shows_pass") == []
    assert walk.state is State.HELD
    assert walk.does("passage_ends") == ["passage.rested"]
    assert output_of(walk.lane).signal is Signal.READY


def test_nobody_is_counted_again_when_a_held_arm_rests(walk):
    walk.to(State.HELD).does("passage_ends leaves")
    assert walk.types.count("passage.entered") == 1


def test_staff_lets_in_and_out_past_a_held_arm(walk, new_walk):
    assert walk.to(State.HELD).does("staff written passage") == [
        "entry.commanded",
        "passage.entered",
    ]
    assert new_walk().to(State.HELD).does("exit_button passage") == [
        "exit.released",
        "passage.left",
    ]


@pytest.mark.parametrize("state", SHUT)
def test_an_arm_that_is_held_open_in_a_shut_lane_is_an_alarm_until_it_rests(state, walk):
    walk.to(state).does("exit_button passage deadline")
    assert walk.types[-1] == "passage.held"
    assert output_of(walk.lane).signal is Signal.ALARM
    assert walk.does("passage_ends") == ["passage.rested"]
    assert walk.state is state


# ------------------------------------------------------------------------------ forced


def test_an_arm_that_turns_for_nobody_is_forced_and_an_alarm_for_a_while(walk):
    assert walk.does("passage passage_ends") == ["passage.forced"]
    assert output_of(walk.lane).signal is Signal.ALARM
    assert walk.waits(6.8) == []
    assert walk.state is State.FORCED
    assert walk.does("deadline") == []
    assert walk.state is State.IDLE


@pytest.mark.parametrize("state", VISITING)
def test_a_forced_turn_ends_a_visit_that_is_not_over(state, walk):
    assert walk.to(state).does("passage") == ["visit.abandoned", "passage.forced"]
    assert walk.data("passage.forced") == {"state": state.name.lower()}
    assert walk.state is State.FORCED


@pytest.mark.parametrize("state", [State.REFUSED, State.REFERRED, State.CLEARING, State.HELD])
def test_a_forced_turn_after_a_visit_is_an_alarm(state, walk):
    walk.to(state).waits(3.0)
    assert walk.does("passage") == ["passage.forced"]
    assert walk.state is State.FORCED


def test_who_forces_the_arm_during_anothers_decision_does_not_take_it_from_them(walk):
    assert walk.to(State.DECIDING).does("passage passage_ends written passage") == [
        "passage.forced",
        "passage.entered",
    ]


@pytest.mark.parametrize("state", SHUT)
def test_a_forced_turn_in_a_shut_lane_is_told(state, walk):
    assert walk.to(state).does("passage") == ["passage.forced"]
    assert walk.data("passage.forced") == {"state": state.name.lower()}


@pytest.mark.parametrize("state", [State.LOCKED, State.CLOSED])
def test_a_forced_turn_in_a_shut_lane_is_an_alarm_and_then_it_is_shut_again(state, walk):
    walk.to(state).does("passage passage_ends")
    assert output_of(walk.lane).signal is Signal.ALARM
    walk.does("deadline")
    assert walk.state is state


def test_a_forced_turn_does_not_prolong_the_alarm_of_the_one_before(walk):
    before = walk.to(State.FORCED).lane
    assert walk.does("passage_ends passage") == ["passage.forced"]
    assert walk.lane == before


def test_an_arm_that_is_still_turned_after_the_alarm_is_held_at_last(walk):
    assert walk.to(State.FORCED).does("deadline deadline passage_ends") == [
        "passage.held",
        "passage.rested",
    ]


def test_who_stands_there_after_the_alarm_clears_the_lane_or_shows_a_pass(walk):
    walk.does("arrives passage passage_ends deadline")
    assert walk.state is State.CLEARING
    walk.does("shows_pass")
    assert walk.state is State.MEASURING


# ------------------------------------------------------------------------------ tailgated


@pytest.mark.parametrize(
    ("later_s", "type_"),
    [(0.1, "tailgated"), (2.5, "tailgated"), (2.6, "forced"), (7.0, "forced")],
)
@pytest.mark.parametrize("leaves", ["", "leaves"])
def test_a_turn_right_after_an_entry_is_a_second_person_and_later_a_forced_one(
    leaves, later_s, type_, walk
):
    walk.to(State.ENTERING).does(f"passage_ends {leaves}")
    walk.waits(round(walk.lane.turned_at_s + later_s - 0.1 - walk.now_s, 3))
    assert walk.does("passage") == [f"passage.{type_}"]
    assert walk.state is State.FORCED


@pytest.mark.parametrize("state", [State.ENTERING, State.EXITING])
def test_a_second_turn_before_the_first_one_is_over_is_a_second_person(state, walk):
    assert walk.to(state).does("passage") == ["passage.tailgated"]
    assert walk.data("passage.tailgated") == {"state": state.name.lower()}


@pytest.mark.parametrize("state", [State.ENTERING, State.EXITING])
def test_a_turn_long_after_somebodys_whose_arm_never_rested_is_forced(state, walk):
    walk.to(state).waits(3.0)
    assert walk.does("passage") == ["passage.forced"]
    assert walk.state is State.FORCED


def test_each_of_a_crowd_that_pushes_through_is_told(walk):
    walk.to(State.ENTERING)
    told = []
    for _ in range(3):
        walk.waits(1.9)
        told += walk.does("passage_ends passage")
    assert told == ["passage.tailgated"] * 3


@pytest.mark.parametrize("state", [s for s in State if s not in (*ENTRIES, *EXITS)])
def test_a_turn_right_after_another_one_does_what_a_forced_one_does(state, new_walk):
    forced, tailgated = new_walk().to(state), new_walk().to(state)
    forced.lane = replace(forced.lane, turned_at_s=None)
    tailgated.lane = replace(tailgated.lane, turned_at_s=tailgated.now_s)
    told = [type_.replace("forced", "tailgated") for type_ in forced.does("passage")]
    assert told[-1] in ("passage.tailgated", "passage.free")
    assert (tailgated.does("passage"), tailgated.state) == (told, forced.state)


def test_who_follows_into_the_next_ones_visit_is_told_as_a_second_person(walk):
    walk.does(f"{ENTERED} leaves arrives")
    assert walk.does("passage") == ["visit.abandoned", "passage.tailgated"]


def test_who_follows_one_that_forced_the_arm_has_forced_it_too(walk):
    assert walk.does("passage passage_ends passage") == ["passage.forced", "passage.forced"]


def test_a_released_person_right_after_another_one_is_nobodys_shadow(walk):
    walk.does(f"{ENTERED} staff written")
    assert walk.does("passage") == ["passage.entered"]


# ------------------------------------------------------------------------------ wrong way


@pytest.mark.parametrize("state", ENTRIES)
def test_who_walks_out_through_a_free_entry_is_not_counted_as_entered(state, two_ways):
    assert two_ways.to(state).does("outward") == ["passage.not_entered", "passage.wrong_way"]
    assert two_ways.data("passage.wrong_way") == {
        "state": state.name.lower(),
        "direction": "exit",
    }
    assert output_of(two_ways.lane).signal is Signal.ALARM
    two_ways.does("outward_ends deadline passage")
    assert "passage.entered" not in two_ways.types


@pytest.mark.parametrize("state", EXITS)
def test_who_walks_in_through_a_free_exit_is_counted_neither_in_nor_out(state, two_ways):
    assert two_ways.to(state).does("passage") == ["passage.not_left", "passage.wrong_way"]
    assert two_ways.data("passage.wrong_way") == {
        "state": state.name.lower(),
        "direction": "entry",
    }
    assert output_of(two_ways.lane).signal is Signal.ALARM
    assert not {"passage.left", "passage.entered"} & set(two_ways.types)


def test_with_a_contact_for_each_way_the_right_one_is_an_entry_or_an_exit(two_ways):
    two_ways.to(State.RELEASED)
    assert two_ways.does("passage passage_ends leaves") == ["passage.entered"]
    assert two_ways.does("exit_button outward outward_ends") == ["exit.released", "passage.left"]
    assert two_ways.state is State.IDLE


def test_the_arm_rests_when_neither_contact_says_that_it_turns(two_ways):
    two_ways.to(State.RELEASED).does("passage outward")
    two_ways.does("deadline passage_ends")
    assert two_ways.state is not State.CLEARING
    two_ways.does("outward_ends")
    assert two_ways.lane.turning == frozenset()


@pytest.mark.parametrize(("word", "way"), [("passage", "entry"), ("outward", "exit")])
def test_a_forced_turn_tells_its_way_where_that_is_known(word, way, two_ways, walk):
    assert two_ways.does(word) == walk.does(word) == ["passage.forced"]
    assert two_ways.data("passage.forced") == {"state": "idle", "direction": way}
    assert walk.data("passage.forced") == {"state": "idle"}


@pytest.mark.parametrize(("word", "way"), [("passage", "entry"), ("outward", "exit")])
def test_a_free_turn_in_a_fire_tells_its_way_where_that_is_known(word, way, two_ways):
    assert two_ways.does(f"fire {word}") == ["fire.raised", "passage.free"]
    assert two_ways.data("passage.free") == {"state": "fire", "direction": way}


def test_a_turn_inwards_is_told_as_such_while_the_other_contact_is_stuck(two_ways):
    two_ways.does("outward deadline passage")
    assert two_ways.data("passage.forced")["direction"] == "entry"


# ------------------------------------------------------------------------------ nobody can tell


def test_without_a_contact_an_entry_ends_unconfirmed(blind):
    blind.to(State.RELEASED)
    assert blind.does("deadline") == ["passage.unconfirmed"]
    assert blind.data("passage.unconfirmed")["direction"] == "entry"
    assert blind.state is State.CLEARING  # nobody is waited for in an arm that tells nothing


def test_without_a_contact_an_exit_ends_unconfirmed(blind):
    blind.to(State.LEAVING)
    assert blind.does("deadline") == ["passage.unconfirmed"]
    assert blind.data("passage.unconfirmed") == {"direction": "exit"}
    assert blind.state is State.IDLE


def test_without_a_contact_the_other_states_time_out_as_ever(blind):
    blind.does("arrives")
    assert blind.does("deadline") == ["visit.abandoned"]
    blind.does("lock key test_exit_relay")
    assert blind.does("deadline") == []
    assert blind.state is State.MAINTENANCE


# ------------------------------------------------------------------------------ fire


@pytest.mark.parametrize("word", ["fire", "emergency"])
@pytest.mark.parametrize("state", [State.DECIDING, *ENTRIES])
def test_who_was_let_in_when_both_ways_became_free_counts_as_not_entered(state, word, walk):
    assert walk.to(state).does(word) == ["passage.not_entered", f"{word}.raised"]
    assert walk.does(f"passage passage_ends {word}_over") == [
        "passage.free",
        f"{word}.cleared",
    ]


@pytest.mark.parametrize("word", ["fire", "emergency"])
@pytest.mark.parametrize("state", EXITS)
def test_who_was_let_out_when_both_ways_became_free_counts_as_not_left(state, word, walk):
    assert walk.to(state).does(word) == ["passage.not_left", f"{word}.raised"]


@pytest.mark.parametrize("word", ["fire", "emergency"])
@pytest.mark.parametrize("state", [State.ENTERING, State.EXITING, State.HELD, State.FORCED])
def test_who_was_in_the_arm_when_both_ways_became_free_is_counted_already(state, word, walk):
    assert walk.to(state).does(word) == [f"{word}.raised"]


def test_an_arm_that_turns_when_the_fire_is_over_is_waited_for(walk):
    walk.does("fire passage fire_over")
    assert walk.state is State.EXITING
    walk.does("passage_ends")
    assert walk.state is State.IDLE


@pytest.mark.parametrize("state", [State.RELEASED, State.LEAVING])
def test_without_a_contact_a_release_that_a_fire_ends_is_unconfirmed(state, blind):
    assert blind.to(state).does("fire") == ["passage.unconfirmed", "fire.raised"]
