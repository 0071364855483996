"""What a lane does under an order: the order decides on the entry, when the measurement is over."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gatepost.core.events import Holder
from gatepost.core.facts import Category, Code, DatedCode, Facts, Proof, ProofKind
from gatepost.core.lane import output_of
from gatepost.core.prompts import prompt_of
from gatepost.core.regime import Outcome
from gatepost.core.rules import decide
from gatepost.core.screening import Zone
from gatepost.core.states import ENTRY, State
from gatepost.core.visit import under
from gatepost.wiring.regimes import load
from gatepost_hal.ports import Direction

NAMES = ("normal", "medium-risk", "control-window", "case", "lockdown")
REGIMES = {name: load(name)[name] for name in NAMES}
NOW = datetime(2022, 3, 20, 8, 0, tzinfo=UTC)
SAMPLED_TODAY = Proof(ProofKind.SAMPLED, NOW)
GREEN = DatedCode(Code.GREEN)
ATTEMPTS = {"cool": Zone.PASS, "fever": Zone.REFER}


def known(category, **more):
    return Facts(
        Direction.ENTRY,
        category,
        health_code=GREEN,
        trip_card=GREEN,
        registered=True,
        now=NOW,
        **more,
    )


@pytest.fixture
def walk_under(new_walk, policy):
    def make(name="normal"):
        return new_walk(policy=under(policy, REGIMES[name]))

    return make


def comes(walk, facts):
    walk.does("arrives")
    walk.shows(Holder("subject-1", facts.category.value), known=facts)
    assert walk.state is State.MEASURING
    return walk


def test_a_resident_in_order_is_admitted_by_the_rules_of_the_order(walk_under):
    walk = comes(walk_under(), known(Category.RESIDENT))
    assert walk.does("cool written") == ["visit.admitted"]
    assert walk.state is State.RELEASED
    data = walk.data("visit.admitted")
    assert (data["outcome"], data["regime"], data["finding"]) == ("admit", "normal", "in_order")
    assert {"R001", "R017"} <= set(data["rules"])
    assert data["tell"] == []


def test_a_hot_resident_goes_home_and_the_community_is_told(walk_under):
    walk = comes(walk_under(), known(Category.RESIDENT))
    assert walk.does("fever written") == ["visit.admitted", "escalation.raised"]
    assert walk.state is State.RELEASED
    data = walk.data("visit.admitted")
    assert (data["outcome"], data["finding"], data["zone"]) == ("admit_and_report", "hot", "refer")
    assert "R005" in data["rules"]
    assert data["tell"] == [{"who": "community", "within_s": 0}]
    assert "rest_at_home" in data["prompts"]
    escalation = walk.data("escalation.raised")
    assert (escalation["who"], escalation["within_s"]) == ("community", 0)
    assert (escalation["subject"], escalation["finding"]) == ("subject-1", "hot")
    assert escalation["rules"] == data["rules"]


def test_a_hot_visitor_is_denied(walk_under):
    walk = comes(walk_under(), known(Category.VISITOR))
    told = ["visit.denied", *3 * ["escalation.raised"]]
    assert walk.does("fever") == told
    assert {each.data["who"] for each in walk.records if each.type == "escalation.raised"} == {
        "community",
        "competent_department",
        "health_department",
    }
    assert walk.state is State.REFUSED
    assert walk.data("visit.denied")["rules"][0] == "R004"
    assert prompt_of(walk.lane).key == "see_doctor"


def test_a_hot_resident_waits_for_staff_where_the_order_says_so(walk_under):
    walk = comes(walk_under("lockdown"), known(Category.RESIDENT))
    assert walk.does("fever")[0] == "visit.referred"
    assert walk.state is State.REFERRED
    assert prompt_of(walk.lane).key == "wait_for_staff"


def test_a_courier_is_sent_to_the_drop_zone_in_words(walk_under):
    walk = comes(walk_under(), known(Category.COURIER))
    assert walk.does("cool") == ["visit.denied"]
    assert walk.data("visit.denied")["outcome"] == "redirect"
    assert prompt_of(walk.lane).key == "drop_zone"


def test_near_the_limit_is_measured_again_before_any_order_is_asked(walk_under):
    walk = comes(walk_under(), known(Category.VISITOR))
    assert walk.does("near") == ["visit.rechecked"]
    assert walk.data("visit.rechecked")["regime"] == "normal"
    assert walk.state is State.PAUSING


def test_over_the_limit_to_the_last_attempt_is_hot(walk_under):
    walk = comes(walk_under(), known(Category.RESIDENT))
    walk.does("near_over deadline near_over deadline near_over")
    assert walk.data("visit.admitted")["finding"] == "hot"


def test_near_it_twice_and_not_over_is_in_order(walk_under):
    walk = comes(walk_under(), known(Category.RESIDENT))
    walk.does("near deadline near deadline near")
    assert walk.data("visit.admitted")["outcome"] == "admit"


def test_no_information_is_never_a_pass_under_any_order(walk_under):
    for name in NAMES:
        walk = comes(walk_under(name), known(Category.RESIDENT, test=SAMPLED_TODAY))
        walk.does("deadline deadline deadline deadline deadline")
        assert walk.state is State.REFERRED, name
        assert walk.data("visit.referred")["regime"] == name


def test_the_limit_is_that_of_the_order(policy):
    strict = replace(REGIMES["normal"], limits=REGIMES["normal"].limits._replace(index_c=38.0))
    assert under(policy, strict).limits.limit_c == 38.0
    assert under(under(policy, strict), None).regime is None


def test_what_the_order_says_besides_is_said_with_it(walk_under):
    walk = comes(walk_under(), known(Category.RESIDENT))
    walk.does("cool written")
    prompt = prompt_of(walk.lane)
    assert prompt.key == "go"
    assert prompt.texts["en"] == "Please go. Please wear a mask"
    assert prompt.texts["zh-CN"] == "请通行。请佩戴口罩"


def test_an_admission_that_could_not_be_recorded_says_nothing_of_going(walk_under):
    walk = comes(walk_under(), known(Category.RESIDENT))
    walk.does("fever not_written")
    assert walk.state is State.REFUSED
    assert prompt_of(walk.lane).key == "no_entry"
    assert not output_of(walk.lane).releases


def test_staffs_word_is_not_the_orders(walk_under):
    walk = comes(walk_under(), known(Category.VISITOR))
    walk.does("fever staff written")
    assert walk.state is State.RELEASED
    assert prompt_of(walk.lane).texts["en"] == "Please go"


def test_the_next_person_brings_their_own_facts(walk_under):
    walk = comes(walk_under(), known(Category.VISITOR))
    walk.does("fever leaves arrives")
    assert walk.lane.visit.known is None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("category", Category)
@pytest.mark.parametrize("words", ATTEMPTS)
def test_the_relay_moves_as_the_order_decides(name, category, words, walk_under):
    facts = known(category)
    walk = comes(walk_under(name), facts)
    walk.does(f"{words} written")
    zone = ATTEMPTS[words]
    index_c = walk.lane.visit.verdict.index_c
    decision = decide(replace(facts, zone=zone, index_c=index_c, attempts_left=0), REGIMES[name])
    assert walk.lane.visit.decision == decision
    assert (output_of(walk.lane).releases == ENTRY) == decision.release
    state = {
        Outcome.ADMIT: State.RELEASED,
        Outcome.ADMIT_AND_REPORT: State.RELEASED,
        Outcome.REFER: State.REFERRED,
        Outcome.REDIRECT: State.REFUSED,
        Outcome.DENY: State.REFUSED,
    }
    assert walk.state is state[decision.outcome]


def test_r184_of_a_visitor_from_a_risk_area_the_police_are_told_too(walk_under):
    walk = comes(walk_under(), known(Category.VISITOR, risk_area_days=3))
    walk.does("cool")
    assert walk.state is State.REFERRED
    told = {each.data["who"] for each in walk.records if each.type == "escalation.raised"}
    assert told == {"community", "competent_department", "police"}
