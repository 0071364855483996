"""Who leaves, where the order in force decides on it and a pass says who it is."""

from dataclasses import replace

import pytest

from gatepost.core.events import Holder
from gatepost.core.facts import Category, Facts, Pass
from gatepost.core.lane import output_of
from gatepost.core.states import ENTRY, EXIT, State
from gatepost.core.visit import under
from gatepost.wiring.regimes import load
from gatepost_hal.ports import Direction

SITE = '[choices]\nmeasure_on_exit = "when_measured"\n'
REFUSES_IN = [
    State.IDLE,
    State.AWAITING_PASS,
    State.REFUSED,
    State.REFERRED,
    State.CLEARING,
    State.HELD,
    State.FORCED,
    State.MAINTENANCE,
]


@pytest.fixture(scope="module")
def lockdown(tmp_path_factory):
    site = tmp_path_factory.mktemp("site") / "site.toml"
    site.write_text(SITE)
    return load("lockdown", site)["lockdown"]


@pytest.fixture
def closed(new_walk, policy, lockdown):
    return new_walk(policy=under(replace(policy, exits_by_pass=True), lockdown))


def leaves(walk, category, **more):
    holder = Holder("subject-1", category.value)
    facts = Facts(Direction.EXIT, category, shown=Pass("subject-1", valid=True), **more)
    return walk.shows(holder, direction=Direction.EXIT, known=facts)


def test_a_resident_is_not_let_out_of_a_lockdown(closed):
    assert leaves(closed, Category.RESIDENT) == ["exit.refused"]
    assert closed.state is State.IDLE
    data = closed.data("exit.refused")
    assert (data["outcome"], data["rules"], data["regime"]) == ("deny", ["R107"], "lockdown")
    assert data["subject"] == "subject-1"


def test_a_nurse_is_let_out_of_a_lockdown(closed):
    assert leaves(closed, Category.MEDICAL) == ["exit.released"]
    assert output_of(closed.lane).releases == EXIT
    assert "R107" in closed.data("exit.released")["rules"]


def test_an_acute_patient_is_let_out_and_told(closed):
    told = leaves(closed, Category.EMERGENCY)
    assert told == ["exit.released", "escalation.raised", "escalation.raised"]
    assert closed.data("escalation.raised")["direction"] == "exit"


def test_who_must_stay_at_home_is_not_let_out_whatever_their_role(closed):
    assert "exit.refused" in leaves(closed, Category.MEDICAL, isolated=True)


@pytest.mark.parametrize("word", ["exit_button", "exit_wrong_pass"])
@pytest.mark.parametrize("state", REFUSES_IN)
def test_a_button_or_an_unknown_pass_alone_frees_nothing(state, word, closed):
    closed.to(state)
    assert closed.does(word) == ["exit.refused"]
    assert closed.state is state
    assert not output_of(closed.lane).releases


def test_a_refused_wish_is_over(closed):
    closed.does("exit_button")
    assert closed.lane.exit_wish is None
    assert closed.does("tick") == []


def test_a_wish_that_had_to_wait_is_refused_then(closed, lockdown, policy):
    closed.policy = policy
    closed.to(State.EXITING)
    closed.policy = under(replace(policy, exits_by_pass=True), lockdown)
    assert closed.does("exit_button") == []
    assert closed.does("passage_ends") == ["exit.refused"]


@pytest.mark.parametrize("word", ["release_exit", "fire", "emergency"])
def test_a_command_and_an_alarm_let_out_in_any_case(word, closed):
    closed.does(word)
    assert output_of(closed.lane).releases in (EXIT, ENTRY | EXIT)


def test_an_order_that_the_lane_cannot_carry_out_holds_nobody_in(new_walk, policy):
    measures = load("lockdown")["lockdown"]
    assert measures.measures_leavers
    walk = new_walk(policy=under(replace(policy, exits_by_pass=True), measures))
    assert walk.does("exit_button") == ["exit.released"]


def test_without_an_order_the_button_lets_out(new_walk, policy):
    walk = new_walk(policy=replace(policy, exits_by_pass=True))
    assert walk.does("exit_button") == ["exit.released"]


def test_where_exits_are_free_the_order_is_not_asked(new_walk, policy, lockdown):
    walk = new_walk(policy=under(policy, lockdown))
    assert leaves(walk, Category.RESIDENT) == ["exit.released"]
    assert "rules" not in walk.data("exit.released")
