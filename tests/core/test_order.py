"""Measured first, and a pass afterwards: the other order of the checks."""

from dataclasses import replace

import pytest

from gatepost.core.events import SensorTrust
from gatepost.core.lane import output_of
from gatepost.core.regime import Outcome
from gatepost.core.screening import Reason
from gatepost.core.signals import Signal
from gatepost.core.states import State
from gatepost.core.visit import Order, Visit

MEASURED = "arrives cool"


@pytest.fixture
def measure_first(policy):
    return replace(policy, order=Order.MEASURE_FIRST)


@pytest.fixture
def walk(new_walk, measure_first):
    return new_walk(policy=measure_first)


def test_who_steps_up_is_measured_at_once(walk):
    assert walk.does("arrives") == []
    assert walk.state is State.MEASURING
    visit = walk.lane.visit
    assert (visit.number, visit.attempt, visit.holder) == (1, 1, None)


def test_where_a_pass_comes_first_nobody_is_measured_without_one(new_walk):
    walk = new_walk()
    assert walk.does("arrives cool") == []
    assert (walk.state, walk.lane.visit) == (State.AWAITING_PASS, Visit(1))


def test_a_good_measurement_alone_admits_nobody_and_asks_for_a_pass(walk):
    assert walk.does(MEASURED) == []
    assert walk.state is State.AWAITING_PASS
    assert output_of(walk.lane).signal is Signal.SHOW_PASS
    assert walk.lane.visit.verdict.index_c == 36.59


def test_a_known_pass_after_a_good_measurement_is_admitted_by_it(walk):
    walk.does(MEASURED)
    assert walk.does("shows_pass") == ["visit.admitted"]
    assert walk.state is State.DECIDING
    data = walk.data("visit.admitted")
    assert (data["subject"], data["rules"]) == ("subject-1", ["R001", "R006", "R067"])
    assert (data["attempt"], data["index_c"], data["zone"]) == (1, 36.59, "pass")
    assert data["samples_c"] == [34.1, 34.16, 34.22, 34.14, 34.18]


def test_both_orders_tell_the_same_of_the_same_person(walk, new_walk):
    walk.does("arrives cool shows_pass written passage passage_ends leaves")
    other = new_walk()
    other.does("arrives shows_pass cool written passage passage_ends leaves")
    assert walk.types == other.types == ["visit.admitted", "passage.entered"]
    assert [record.data for record in walk.records] == [record.data for record in other.records]


def test_a_pass_that_is_shown_while_its_holder_is_measured_counts(walk):
    walk.does("arrives")
    walk.samples([34.1, 34.2])
    before = walk.lane
    assert walk.does("shows_pass") == []
    noted = replace(before.visit, holder=walk.holder)
    assert walk.lane == replace(before, visit=noted)  # the samples and the deadline stay
    assert walk.samples([34.15, 34.12, 34.18]) == ["visit.admitted"]


def test_a_pass_that_is_shown_between_two_attempts_counts(walk):
    walk.does("arrives near shows_pass")
    assert walk.state is State.PAUSING
    assert walk.does("deadline cool") == ["visit.admitted"]
    assert walk.data("visit.admitted")["subject"] == "subject-1"


@pytest.mark.parametrize("word", ["shows_other_pass", "shows_pass", "shows_blocked_pass"])
@pytest.mark.parametrize("words", ["arrives shows_pass", "arrives shows_pass near"])
def test_another_pass_than_the_visits_own_changes_nothing(words, word, walk):
    walk.does(words)
    before = walk.lane
    assert walk.does(word) == []
    assert walk.lane == before


@pytest.mark.parametrize("words", ["arrives", "arrives near"])
@pytest.mark.parametrize("word", ["shows_wrong_pass", "shows_blocked_pass"])
def test_a_pass_that_is_no_good_does_not_disturb_a_measurement(words, word, walk):
    walk.does(words)
    before = walk.lane
    assert walk.does(word) == []
    assert walk.lane == before


def test_an_unknown_pass_after_a_good_measurement_is_refused(walk):
    walk.does(MEASURED)
    assert walk.does("shows_wrong_pass") == ["visit.denied"]
    assert walk.state is State.REFUSED
    data = walk.data("visit.denied")
    assert (data["outcome"], data["rules"], data["subject"]) == ("deny", ["R067"], None)


@pytest.mark.parametrize("word", ["shows_wrong_pass", "shows_blocked_pass"])
def test_who_is_refused_after_a_good_measurement_is_not_told_to_go(word, walk):
    walk.does(f"{MEASURED} {word}")
    assert walk.data("visit.denied").get("say") != "please go"


def test_the_right_pass_after_a_wrong_one_means_measuring_anew(walk):
    walk.does(f"{MEASURED} shows_wrong_pass shows_pass")
    assert walk.state is State.MEASURING
    visit = walk.lane.visit
    assert (visit.number, visit.attempt, visit.samples, visit.verdict) == (2, 1, (), None)


@pytest.mark.parametrize(
    ("words", "state"), [("arrives", State.MEASURING), (MEASURED, State.AWAITING_PASS)]
)
def test_who_walks_away_has_abandoned_the_visit_and_is_measured_anew(words, state, walk):
    walk.does(words)
    assert walk.state is state
    assert walk.does("leaves") == ["visit.abandoned"]
    assert walk.state is State.IDLE
    walk.does("arrives")
    assert walk.lane.visit == Visit(2, attempt=1)


def test_another_ones_pass_does_not_take_over_the_measurement_of_who_walked_away(walk):
    walk.does(f"{MEASURED} leaves shows_pass arrives shows_pass")
    assert walk.state is State.MEASURING
    assert "visit.admitted" not in walk.types


def test_who_shows_no_pass_in_time_has_abandoned_the_visit(walk):
    walk.does(MEASURED)
    assert walk.waits(14.9) == []
    assert walk.waits(0.1) == ["visit.abandoned"]
    assert walk.state is State.CLEARING
    assert walk.does("shows_pass") == []  # too late for that measurement
    assert (walk.state, walk.lane.visit.number) == (State.MEASURING, 2)


def test_a_measurement_that_takes_too_long_is_made_again(walk):
    walk.does("arrives")
    assert walk.waits(6.0) == ["visit.rechecked"]
    assert walk.data("visit.rechecked")["reason"] == "too_few_samples"
    assert walk.state is State.PAUSING
    walk.does("deadline")
    assert (walk.state, walk.lane.visit.attempt) == (State.MEASURING, 2)


def test_attempts_count_without_a_pass_too(walk):
    walk.does("arrives")
    assert walk.does("deadline deadline deadline deadline deadline") == [
        "visit.rechecked",
        "visit.rechecked",
        "visit.referred",
    ]
    assert walk.lane.visit.attempt == 3


def test_a_feverish_person_is_referred_without_being_asked_for_a_pass(walk):
    assert walk.does("arrives fever") == ["visit.referred"]
    assert walk.state is State.REFERRED
    data = walk.data("visit.referred")
    assert (data["subject"], data["rules"], data["attempt"]) == (None, ["R001", "R006"], 1)


def test_a_pass_lets_no_referred_person_in(walk):
    assert walk.does("arrives fever shows_pass") == ["visit.referred"]
    assert walk.state is State.REFERRED


def test_near_the_limit_one_is_asked_for_a_pass_only_after_the_last_attempt(walk):
    walk.does("arrives near deadline near deadline")
    assert walk.state is State.MEASURING
    walk.does("near")
    assert walk.state is State.AWAITING_PASS
    assert walk.does("shows_pass") == ["visit.admitted"]
    data = walk.data("visit.admitted")
    assert (data["attempt"], data["rules"]) == (3, ["R001", "R018", "R006", "R067"])


def test_just_over_the_limit_one_is_referred_after_the_last_attempt(walk):
    assert walk.does("arrives near_over deadline near_over deadline near_over") == [
        "visit.rechecked",
        "visit.rechecked",
        "visit.referred",
    ]


@pytest.mark.parametrize("trust", ["", "trust"])
def test_a_thermometer_that_is_doubted_before_the_pass_is_shown_has_to_measure_again(trust, walk):
    walk.does(f"{MEASURED} disturbed {trust}")
    assert walk.state is State.AWAITING_PASS
    assert walk.does("shows_pass") == ["visit.rechecked"]
    assert walk.data("visit.rechecked")["reason"] == "disturbed"
    walk.does("trust deadline")
    assert (walk.state, walk.lane.visit.attempt) == (State.MEASURING, 2)
    assert walk.does("cool") == ["visit.admitted"]  # nobody has to show the pass twice
    assert walk.data("visit.admitted")["subject"] == "subject-1"


def test_a_doubt_that_measuring_again_does_not_help_is_referred(walk):
    walk.does(MEASURED)
    assert walk.does("distrust shows_pass") == ["visit.referred"]
    assert walk.lane.visit.decision.outcome is Outcome.REFER
    assert walk.lane.visit.verdict.reason is Reason.ERRATIC


def test_a_doubt_after_the_last_attempt_is_referred(walk):
    walk.does("arrives near deadline near deadline near")
    walk.feed(SensorTrust(walk.next_s(), Reason.DISTURBED))
    assert walk.does("trust shows_pass") == ["visit.referred"]


def test_a_doubt_that_was_over_before_the_measurement_began_counts_for_nothing(walk):
    assert walk.does("distrust trust arrives cool shows_pass") == ["visit.admitted"]


def test_a_doubt_during_the_measurement_asks_nobody_for_a_pass(walk):
    assert walk.does("arrives disturbed trust cool") == ["visit.rechecked"]
    assert walk.state is State.PAUSING


def test_the_next_in_line_shows_a_pass_and_is_measured_of_their_own(walk):
    walk.does("arrives cool shows_pass written leaves arrives passage passage_ends")
    assert walk.state is State.CLEARING
    walk.does("shows_other_pass")
    visit = walk.lane.visit
    assert (walk.state, visit.number, visit.samples) == (State.MEASURING, 2, ())
    assert walk.does("cool") == ["visit.admitted"]
    assert walk.data("visit.admitted")["subject"] == "subject-2"


def test_who_waits_while_another_leaves_is_measured_anew(walk):
    walk.does(MEASURED)
    assert walk.does("exit_button passage passage_ends") == [
        "visit.abandoned",
        "exit.released",
        "passage.left",
    ]
    assert (walk.state, walk.lane.visit) == (State.MEASURING, Visit(2, attempt=1))


def test_staff_answers_for_who_was_measured_and_has_no_pass(walk):
    walk.does(MEASURED)
    assert walk.does("staff") == ["entry.commanded"]
    assert walk.data("entry.commanded")["visit"] == 1
