"""What a visit collects: what is still missing is asked for, and what is brought counts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.core.events import Holder, ProofShown
from gatepost.core.facts import Category, Code, DatedCode, Facts, Pass, Proof, ProofKind
from gatepost.core.prompts import prompt_of
from gatepost.core.rules import decide
from gatepost.core.screening import Zone
from gatepost.core.session import ESCORTS, Brought, Need, also, missing, with_brought
from gatepost.core.states import State
from gatepost.core.visit import under
from gatepost.wiring.regimes import load
from gatepost_hal.ports import Direction

NOW = datetime(2022, 3, 20, 8, 0, tzinfo=UTC)
ALL = frozenset(Need)
NAMES = ("normal", "medium-risk", "control-window", "case", "lockdown")
REGIMES = {name: load(name)[name] for name in NAMES}
GREEN = DatedCode(Code.GREEN, NOW)
TEST = Proof(ProofKind.NEGATIVE, NOW - timedelta(hours=3))
RESIDENT = Facts(
    Direction.ENTRY,
    Category.RESIDENT,
    zone=Zone.PASS,
    index_c=36.5,
    shown=Pass("p", "h", valid=True),
    registered=True,
    now=NOW,
)
HOST = Holder("host", "resident")


@pytest.fixture
def walk_under(new_walk, policy):
    def make(name, brings=ALL):
        return new_walk(policy=replace(under(policy, REGIMES[name]), brings=brings))

    return make


def comes(walk, facts):
    walk.does("arrives")
    walk.shows(Holder("subject-1", facts.category.value), known=facts)
    return walk


def brings(walk, **brought):
    return walk.feed(ProofShown(walk.next_s(), Direction.ENTRY, Brought(**brought)))


def test_a_code_that_the_order_asks_for_is_missing_until_it_is_there():
    assert missing(RESIDENT, REGIMES["normal"], ALL) == (Need.HEALTH_CODE,)
    assert missing(replace(RESIDENT, health_code=GREEN), REGIMES["normal"], ALL) == ()


def test_in_the_control_window_a_test_and_both_codes_are_missing():
    needs = missing(RESIDENT, REGIMES["control-window"], ALL)
    assert needs == (Need.HEALTH_CODE, Need.TRIP_CARD, Need.TEST)


@pytest.mark.parametrize("code", [Code.RED, Code.YELLOW])
def test_a_red_or_yellow_code_is_not_asked_for_again(code):
    facts = replace(RESIDENT, health_code=DatedCode(code))
    assert Need.HEALTH_CODE not in missing(facts, REGIMES["normal"], ALL)


def test_without_a_clock_no_test_is_asked_for_that_could_not_be_judged():
    needs = missing(replace(RESIDENT, now=None), REGIMES["control-window"], ALL)
    assert needs == ()


def test_who_is_hot_where_the_order_keeps_them_out_is_asked_for_nothing():
    facts = replace(RESIDENT, category=Category.VISITOR, zone=Zone.REFER, index_c=38.4)
    assert missing(facts, REGIMES["normal"], ALL) == ()


FACTS = st.builds(
    replace,
    st.just(RESIDENT),
    category=st.sampled_from(Category),
    zone=st.sampled_from(Zone),
    attempts_left=st.just(0),
    health_code=st.sampled_from(Code).map(DatedCode),
    trip_card=st.sampled_from(Code).map(DatedCode),
    escort=st.sampled_from([None, "host"]),
    test=st.sampled_from([None, TEST]),
    now=st.sampled_from([None, NOW]),
    isolated=st.booleans(),
)


@given(facts=FACTS, brings=st.frozensets(st.sampled_from(Need)), name=st.sampled_from(NAMES))
def test_what_is_missing_lets_in_when_it_is_brought_and_not_when_any_of_it_lacks(
    facts, brings, name
):
    regime = REGIMES[name]
    needs = missing(facts, regime, brings)
    assert set(needs) <= brings
    if not needs:
        return
    assert not decide(facts, regime).release
    best = Brought(GREEN, GREEN, Proof(ProofKind.NEGATIVE, NOW), "host")
    only = {need.value: getattr(best, need.value) for need in needs}
    assert decide(with_brought(facts, Brought(**only)), regime).release
    for need in needs:
        less = {kind: value for kind, value in only.items() if kind != need.value}
        assert not decide(with_brought(facts, Brought(**less)), regime).release


def test_an_old_green_code_does_not_clear_a_red_one():
    red = DatedCode(Code.RED, NOW)
    facts = replace(RESIDENT, health_code=red)
    old = DatedCode(Code.GREEN, NOW - timedelta(days=1))
    assert with_brought(facts, Brought(health_code=old)).health_code == red
    later = DatedCode(Code.GREEN, NOW + timedelta(hours=1))
    assert with_brought(facts, Brought(health_code=later)).health_code == later
    undated = replace(RESIDENT, health_code=DatedCode(Code.RED))
    assert with_brought(undated, Brought(health_code=later)).health_code.code is Code.RED


def test_a_green_code_does_not_hide_a_red_one_that_is_shown_later():
    facts = replace(RESIDENT, health_code=DatedCode(Code.GREEN, NOW - timedelta(hours=2)))
    red = DatedCode(Code.RED, NOW)
    assert with_brought(facts, Brought(health_code=red)).health_code == red


def test_of_one_kind_what_was_shown_last_counts():
    older = Proof(ProofKind.NEGATIVE, NOW - timedelta(days=9))
    both = also(Brought(test=older, escort="host"), Brought(test=TEST))
    assert both == Brought(test=TEST, escort="host")
    assert both.kinds == ("test", "escort")


def test_the_lane_asks_for_the_code_and_lets_in_when_it_comes(walk_under):
    walk = comes(walk_under("normal"), RESIDENT)
    assert walk.does("cool") == []
    assert walk.state is State.AWAITING_PASS
    assert prompt_of(walk.lane).key == "show_health_code"
    assert walk.lane.deadline_at_s == walk.now_s + 30.0
    assert brings(walk, health_code=GREEN) == ["visit.admitted"]
    data = walk.data("visit.admitted")
    assert (data["outcome"], data["brought"]) == ("admit", ["health_code"])
    assert walk.does("written") == []
    assert walk.state is State.RELEASED


def test_it_asks_for_one_after_another_and_each_has_its_time(walk_under):
    walk = comes(walk_under("control-window"), RESIDENT)
    walk.does("cool")
    keys = [prompt_of(walk.lane).key]
    for brought in ({"health_code": GREEN}, {"trip_card": GREEN}):
        walk.waits(20.0)
        assert brings(walk, **brought) == []
        assert walk.lane.deadline_at_s == walk.now_s + 30.0
        keys.append(prompt_of(walk.lane).key)
    assert keys == ["show_health_code", "show_trip_card", "show_test"]
    assert "visit.admitted" in brings(walk, test=TEST)


def test_the_same_again_wins_no_time(walk_under):
    walk = comes(walk_under("control-window"), RESIDENT)
    walk.does("cool")
    brings(walk, health_code=GREEN)
    deadline_at_s = walk.lane.deadline_at_s
    walk.waits(10.0)
    assert brings(walk, health_code=GREEN) == []
    assert walk.lane.deadline_at_s == deadline_at_s


def test_without_it_the_decision_stands_and_says_what_was_missing(walk_under):
    walk = comes(walk_under("normal"), RESIDENT)
    walk.does("cool")
    assert walk.deadline()[0] == "visit.referred"
    assert walk.state is State.REFERRED
    data = walk.data("visit.referred")
    assert (data["wanted"], data["finding"]) == (["health_code"], "code_unknown")
    assert walk.deadline() == []  # to the end of that, as for anybody who was referred
    assert walk.state is State.CLEARING


def test_where_nothing_can_be_shown_staff_decides_at_once(walk_under):
    walk = comes(walk_under("normal", brings=frozenset()), RESIDENT)
    assert walk.does("cool")[0] == "visit.referred"
    assert "wanted" not in walk.data("visit.referred")


def test_what_is_shown_before_or_during_the_measurement_counts(walk_under):
    early = walk_under("normal")
    early.does("arrives")
    assert brings(early, health_code=GREEN) == []
    early.shows(Holder("subject-1", "resident"), known=RESIDENT)
    assert early.does("cool") == ["visit.admitted"]
    during = comes(walk_under("normal"), RESIDENT)
    assert brings(during, health_code=GREEN) == []
    assert during.state is State.MEASURING
    assert during.does("cool") == ["visit.admitted"]


def test_nothing_is_left_of_it_for_the_next_person(walk_under):
    walk = comes(walk_under("normal"), RESIDENT)
    brings(walk, health_code=GREEN)
    walk.does("cool written passage passage_ends leaves")
    comes(walk, RESIDENT)
    assert walk.lane.visit.brought == Brought()


VISITOR = replace(
    RESIDENT,
    category=Category.VISITOR,
    health_code=GREEN,
    trip_card=GREEN,
    test=TEST,
    shown=Pass("v", valid=True),
)


def test_r077_in_medium_risk_a_visitor_lacks_an_escort():
    assert missing(VISITOR, REGIMES["medium-risk"], ALL) == (Need.ESCORT,)


@pytest.mark.parametrize("category", sorted(ESCORTS, key=lambda category: category.value))
def test_r077_a_visitor_comes_in_with_the_pass_of_whoever_brings_them(walk_under, category):
    walk = comes(walk_under("medium-risk"), VISITOR)
    walk.does("cool")
    assert prompt_of(walk.lane).key == "show_escort"
    host = Holder("host", category.value)
    assert "visit.admitted" in walk.shows(host, known=replace(RESIDENT, category=category))
    assert walk.data("visit.admitted")["escort"] == "host"
    assert walk.lane.visit.holder == Holder("subject-1", "visitor")
    assert walk.does("written passage") == ["passage.entered"]
    assert walk.data("passage.entered")["escort"] == "host"


@pytest.mark.parametrize(
    "facts",
    [
        replace(RESIDENT, category=Category.COURIER),
        replace(RESIDENT, category=Category.VISITOR),
        replace(RESIDENT, isolated=True),
        None,
    ],
)
def test_who_may_not_bring_anybody_in_does_not(walk_under, facts):
    walk = comes(walk_under("medium-risk"), VISITOR)
    walk.does("cool")
    before = walk.lane
    category = "resident" if facts is None else facts.category.value
    assert walk.shows(Holder("host", category), known=facts) == []
    assert walk.lane == before
    assert walk.shows(None) == []  # nor does a code that nobody can read end it
    assert walk.lane == before


def test_a_host_who_is_inside_already_may_fetch_a_visitor(walk_under):
    walk = comes(walk_under("medium-risk"), VISITOR)
    walk.does("cool")
    walk.does("shows_blocked_pass")  # without facts: nobody
    assert walk.state is State.AWAITING_PASS
    assert "visit.admitted" in walk.shows(HOST, known=RESIDENT)


def test_staff_lets_in_who_is_asked_for_something(walk_under):
    walk = comes(walk_under("normal"), RESIDENT)
    walk.does("cool")
    assert walk.does("staff written") == ["entry.commanded"]
    assert walk.state is State.RELEASED
    assert walk.deadline() == []  # as any release: what was wanted is over
    assert walk.state is State.ENTRY_ENDING


def test_a_proof_that_is_none_is_told_where_somebody_is_asked(walk_under):
    walk = comes(walk_under("normal"), RESIDENT)
    walk.does("cool")
    refused = ProofShown(walk.next_s(), Direction.ENTRY, refusal="expired")
    before = walk.lane
    assert walk.feed(refused) == ["proof.refused"]
    assert walk.data("proof.refused") == {"why": "expired"}
    assert walk.lane == before
    idle = walk_under("normal")
    assert idle.feed(ProofShown(idle.next_s(), Direction.ENTRY, refusal="expired")) == []
    assert idle.feed(ProofShown(idle.next_s(), Direction.EXIT, Brought(test=TEST))) == []


def test_a_pass_that_wants_an_escort_wants_one_under_any_order(walk_under):
    facts = replace(VISITOR, needs_escort=True)
    assert missing(facts, REGIMES["normal"], ALL) == (Need.ESCORT,)
    walk = comes(walk_under("normal"), facts)
    walk.does("cool")
    assert walk.deadline()[0] == "visit.denied"
    data = walk.data("visit.denied")
    assert (data["rules"], data["finding"], data["wanted"]) == (["R077"], "no_escort", ["escort"])
    assert (data["regime"], data["prompts"]) == ("normal", ["bring_escort"])


def test_a_pass_that_names_its_escort_wants_that_one(walk_under):
    walk = comes(walk_under("normal"), replace(VISITOR, needs_escort="host"))
    walk.does("cool")
    assert walk.shows(Holder("other", "resident"), known=RESIDENT) == []
    assert "visit.admitted" in walk.shows(HOST, known=RESIDENT)


def test_ones_own_newer_pass_brings_its_codes(walk_under):
    walk = comes(walk_under("control-window"), RESIDENT)
    walk.does("cool")
    newer = replace(RESIDENT, health_code=GREEN, trip_card=GREEN)
    assert walk.shows(Holder("subject-1", "resident"), known=newer) == []
    assert walk.lane.visit.wanted == (Need.TEST,)
    with_test = replace(newer, test=TEST)
    assert walk.shows(Holder("subject-2", "resident"), known=with_test) == []  # somebody else's
    assert "visit.admitted" in walk.shows(Holder("subject-1", "resident"), known=with_test)


@pytest.mark.parametrize("state", [State.IDLE, State.CLEARING, State.REFUSED, State.REFERRED])
def test_a_proof_counts_for_nobody_who_is_not_asked(walk_under, state):
    walk = walk_under("normal").to(state)
    before = walk.lane
    assert brings(walk, health_code=GREEN, test=TEST) == []
    assert walk.lane == before


def test_an_escort_whom_nobody_asked_for_is_none(walk_under):
    walk = comes(walk_under("control-window"), RESIDENT)
    walk.does("cool")
    assert Need.ESCORT not in walk.lane.visit.wanted
    assert walk.shows(HOST, known=RESIDENT) == []
    assert walk.lane.visit.brought == Brought()
