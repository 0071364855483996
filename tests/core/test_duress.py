"""A pass that speaks against itself: used twice, or shown under threat."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.core.events import Holder
from gatepost.core.lane import output_of
from gatepost.core.passback import Objection
from gatepost.core.states import State
from gatepost_hal.ports import Direction

FREE_WILL = Holder("subject-1", "resident")
THREATENED = Holder("subject-1", "resident", duress=True)
INSIDE = Objection("already_inside", blocks=True)
INSIDE_SOFT = Objection("already_inside", blocks=False)
TOO_SOON = Objection("too_soon", blocks=True)

FEW = settings(max_examples=200, deadline=None)


# ------------------------------------------------------------------------------ anti-passback


@pytest.mark.parametrize("objection", [INSIDE, TOO_SOON])
def test_a_hard_objection_denies_with_its_rules_and_its_reason(objection, walk):
    walk.does("arrives")
    assert walk.shows(FREE_WILL, objection) == ["visit.denied"]
    assert walk.state is State.REFUSED
    assert walk.data("visit.denied") == {
        "visit": 1,
        "direction": "entry",
        "subject": "subject-1",
        "category": "resident",
        "outcome": "deny",
        "rules": ["ours", "R064"],
        "attempt": 0,
        "objection": objection.reason,
    }


def test_a_soft_objection_admits_and_is_told_with_every_decision(walk):
    walk.does("arrives")
    assert walk.shows(FREE_WILL, INSIDE_SOFT) == []
    assert walk.does("near deadline cool") == ["visit.rechecked", "visit.admitted"]
    for type_ in ("visit.rechecked", "visit.admitted"):
        assert walk.data(type_)["objection"] == "already_inside"


def test_without_an_objection_none_is_told(walk):
    walk.does("arrives shows_pass cool")
    assert "objection" not in walk.data("visit.admitted")


def test_an_objection_stays_with_its_own_pass(walk):
    walk.does("arrives shows_blocked_pass shows_other_pass cool")
    assert walk.data("visit.admitted")["subject"] == "subject-2"
    assert "objection" not in walk.data("visit.admitted")


def test_an_objection_to_the_next_one_begins_a_visit_of_its_own(walk):
    walk.to(State.CLEARING).does("shows_blocked_pass")
    assert walk.state is State.REFUSED
    assert walk.data("visit.denied")["visit"] == 2


def test_an_objection_is_asked_nobody_on_the_way_out(walk):
    assert walk.shows(FREE_WILL, INSIDE, Direction.EXIT) == ["exit.released"]


# ------------------------------------------------------------------------------ duress


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("state", State)
def test_a_pass_under_threat_is_told_whatever_the_lane_is_doing(state, direction, walk):
    told = walk.to(state).shows(THREATENED, None, direction)
    assert told.count("duress.shown") == 1
    shown = {"subject": "subject-1", "direction": direction.value}
    assert walk.data("duress.shown") == shown


@pytest.mark.parametrize("objection", [None, INSIDE, INSIDE_SOFT, TOO_SOON])
def test_a_pass_under_threat_opens_whatever_speaks_against_it(objection, walk):
    walk.does("arrives")
    walk.shows(THREATENED, objection)
    walk.does("cool written passage")
    assert walk.types == ["duress.shown", "visit.admitted", "passage.entered"]


def test_a_pass_under_threat_does_not_tell_of_the_objection_that_it_overrode(walk):
    walk.does("arrives")
    walk.shows(THREATENED, INSIDE_SOFT)
    walk.does("cool")
    assert "objection" not in walk.data("visit.admitted")


def test_a_pass_under_threat_opens_no_locked_lane(walk):
    walk.to(State.LOCKED)
    assert walk.shows(THREATENED) == ["visit.denied", "duress.shown"]


def test_a_pass_under_threat_does_not_make_a_fever_pass(walk):
    walk.does("arrives")
    walk.shows(THREATENED)
    assert walk.does("fever") == ["visit.referred"]


@pytest.mark.parametrize("word", ["fire", "lock", "exit_button"])
def test_nothing_but_a_pass_tells_of_a_threat(word, new_walk):
    walk = new_walk(holder=THREATENED).to(State.RELEASED)
    walk.does(f"{word} passage passage_ends")
    assert walk.types.count("duress.shown") == 1


# What the threatening person can see, and all that anybody is told but the one record.
LIKELY = [
    "arrives shows_pass cool written passage passage_ends",
    "arrives shows_pass near deadline",
    "exit_pass passage passage_ends",
    "lock arrives shows_pass",
    "fire shows_pass exit_pass fire_over",
    "key exit_pass",
    "passage_ends deadline deadline",
    "leaves",
]


@pytest.fixture(scope="session")
def histories(event_words):
    words = st.sampled_from([*event_words, *LIKELY, "shows_pass", "exit_pass"])
    return st.lists(words, min_size=1, max_size=30).map(" ".join)


def without_duress(records):
    return [record for record in records if record.type != "duress.shown"]


@FEW
@given(data=st.data())
def test_nobody_can_see_that_a_pass_was_shown_under_threat(data, histories, new_walk):
    free, threatened = new_walk(holder=FREE_WILL), new_walk(holder=THREATENED)
    shown = 0
    for word in data.draw(histories).split():
        free.does(word)
        threatened.does(word)
        shown += word in ("shows_pass", "exit_pass")
        assert threatened.state is free.state
        assert output_of(threatened.lane) == output_of(free.lane)
        assert threatened.lane.deadline_at_s == free.lane.deadline_at_s
    assert without_duress(threatened.records) == without_duress(free.records)
    told = [r for r in threatened.records if r.type == "duress.shown"]
    assert len(told) - sum(r.type == "duress.shown" for r in free.records) == shown


@FEW
@given(data=st.data(), objection=st.sampled_from([INSIDE, INSIDE_SOFT, TOO_SOON]))
def test_a_pass_under_threat_that_is_objected_to_is_as_one_that_nobody_objects_to(
    data, objection, histories, new_walk
):
    free, threatened = new_walk(holder=FREE_WILL), new_walk(holder=THREATENED)
    for word in data.draw(histories).split():
        free.does(word)
        if word == "shows_pass":
            threatened.shows(THREATENED, objection)
        else:
            threatened.does(word)
        assert output_of(threatened.lane) == output_of(free.lane)
    assert without_duress(threatened.records) == without_duress(free.records)
