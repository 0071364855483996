"""What daily sums, escalations and a diary need stands in the events: a report is only counted."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gatepost.core.events import Holder
from gatepost.core.facts import Category, Code, DatedCode, Facts, Refusal
from gatepost.core.prompts import PROMPTS, prompt_of
from gatepost.core.states import State
from gatepost.core.visit import under
from gatepost.wiring.regimes import load
from gatepost_hal.ports import Direction

NOW = datetime(2022, 3, 20, 8, 0, tzinfo=UTC)
GREEN = DatedCode(Code.GREEN)
OUTCOMES = ("visit.admitted", "visit.referred", "visit.denied")


@pytest.fixture
def walk_under(new_walk, policy):
    def make(name="normal"):
        return new_walk(policy=under(policy, load(name)[name]))

    return make


def comes(walk, category, words, **more):
    """Let somebody come, be measured, and go away again."""
    facts = Facts(
        Direction.ENTRY,
        Category(category),
        health_code=GREEN,
        trip_card=GREEN,
        registered=True,
        now=NOW,
    )
    walk.does("arrives")
    walk.shows(Holder(f"a {category}", category), known=replace(facts, **more))
    walk.does(words)
    return walk


@pytest.fixture
def day(walk_under):
    """The records of a day: who came, and what was decided."""
    walk = walk_under()
    comes(walk, "resident", "cool written passage leaves passage_ends")
    comes(walk, "resident", "fever written passage leaves passage_ends")
    comes(walk, "visitor", "fever leaves")
    comes(walk, "courier", "cool leaves")
    comes(walk, "visitor", "cool leaves", risk_area_days=2)
    return walk.records


def told(walk):
    return {each.data["who"] for each in walk.records if each.type == "escalation.raised"}


def test_r186_r189_the_sums_of_a_day_are_the_counts_of_its_decisions(day):
    decided = [record for record in day if record.type in OUTCOMES]
    assert Counter(record.type for record in decided) == {
        "visit.admitted": 2,
        "visit.denied": 2,
        "visit.referred": 1,
    }
    assert Counter((each.data["category"], each.data["finding"]) for each in decided) == {
        ("resident", "in_order"): 1,
        ("resident", "hot"): 1,
        ("visitor", "hot"): 1,
        ("visitor", "risk_area"): 1,
        ("courier", "category"): 1,
    }
    assert all(record.data["rules"] for record in decided)


def test_r186_r188_a_day_without_a_case_is_a_zero(walk_under):
    walk = walk_under()
    for _ in range(3):
        comes(walk, "resident", "cool written passage leaves passage_ends")
    decided = [record for record in walk.records if record.type in OUTCOMES]
    assert len(decided) == 3
    assert [record for record in decided if record.data["finding"] != "in_order"] == []
    assert [record for record in walk.records if record.type == "escalation.raised"] == []


def test_r187_what_goes_wrong_in_a_case_is_told_to_street_and_health_side(walk_under):
    hot = comes(walk_under("case"), "returned_resident", "fever")
    assert told(hot) >= {"community", "street", "health_department"}


def test_r183_who_comes_to_a_sealed_building_is_told_to_the_health_department(walk_under):
    walk = comes(walk_under("case"), "sealed_building", "cool")
    assert walk.state is State.REFERRED
    assert told(walk) == {"community", "health_department"}


def test_r044_a_red_code_is_in_the_record_of_the_decision(walk_under):
    walk = comes(walk_under(), "visitor", "cool", health_code=DatedCode(Code.RED))
    data = walk.data("visit.denied")
    assert (data["finding"], data["subject"]) == ("coded", "a visitor")
    assert "community" in told(walk)


def test_r027_who_refuses_is_recorded_and_referred_and_nothing_moves(walk_under):
    walk = comes(walk_under(), "resident", "", refused=frozenset({Refusal.MEASURING}))
    walk.does("deadline deadline deadline deadline deadline")
    assert walk.state is State.REFERRED
    assert walk.data("visit.referred")["finding"] == "refuses_measuring"
    assert told(walk) == {"police"}
    assert prompt_of(walk.lane).key == "wait_for_staff"


def test_r131_r132_r204_who_of_the_staff_was_on_site_is_counted_hour_by_hour(walk_under):
    walk = walk_under()
    for who in ("guard-1", "guard-2"):
        passes(walk, who, Direction.ENTRY)
    passes(walk, "guard-1", Direction.EXIT)
    passes(walk, "guard-2", Direction.EXIT)
    on_site, counts = set(), []
    for record in walk.records:
        if record.type == "passage.entered" and record.data["category"] == "property_staff":
            on_site.add(record.data["subject"])
        elif record.type == "passage.left" and record.data["category"] == "property_staff":
            on_site.remove(record.data["subject"])
        else:
            continue
        counts.append((record.at_s, len(on_site)))
    assert [count for _, count in counts] == [1, 2, 1, 0]  # and from the last on the post is empty
    assert [at_s for at_s, _ in counts] == sorted({at_s for at_s, _ in counts})


def passes(walk, who, direction):
    """Let one of the guards in, measured, or out."""
    holder = Holder(who, "property_staff")
    facts = Facts(direction, Category.PROPERTY_STAFF, health_code=GREEN, now=NOW)
    if direction is Direction.ENTRY:
        walk.does("arrives")
        walk.shows(holder, known=facts)
        walk.does("cool written passage leaves passage_ends")
    else:
        walk.shows(holder, direction=direction)
        walk.does("outward outward_ends")


# ------------------------------------------------------------------------------ what a person hears


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("show_pass", "pass"),  # R271
        ("hold_still", "temperature"),  # R271
        ("register_first", "register"),  # R271, R079
        ("cooperate", "help us"),  # R271, R036
        ("wear_mask", "mask"),
        ("go_out_less", "Please go out no more"),  # R070, R063
        ("avoid_areas", "risk areas"),  # R102
        ("declare_stay", "be tested"),  # R061
        ("other_entrance", "another entrance"),  # R145
        ("stay_home", "the community helps"),  # R066
        ("stay_in_cab", "cab"),  # R095
        ("wear_armband", "armband"),  # R203
        ("declare_guests", "Tell the office"),  # R206
    ],
)
def test_r271_what_is_asked_at_the_gate_is_asked_in_both_languages(key, words):
    texts = PROMPTS[key].texts
    assert words in texts["en"]
    assert texts["zh-CN"].count("请") in {1, 2}


def test_r066_who_must_stay_hears_that_the_community_helps():
    for key in ("stay_home", "quota_used"):
        assert "社区" in PROMPTS[key].texts["zh-CN"]
        assert "community" in PROMPTS[key].texts["en"]


def test_r061_a_returned_resident_hears_at_the_lane_what_to_declare(walk_under):
    walk = comes(walk_under(), "returned_resident", "cool written")
    assert walk.state is State.RELEASED
    assert PROMPTS["declare_stay"].texts["en"] in prompt_of(walk.lane).texts["en"]


def test_r079_who_is_not_known_hears_where_to_register(walk_under):
    walk = comes(walk_under(), "unknown", "cool")
    assert "register" in prompt_of(walk.lane).texts["en"]


def test_r199_nothing_that_is_said_at_a_gate_speaks_of_cases_or_of_anybody():
    # The news of the day is the authorities': the gate says what to do, and no more.
    for prompt in PROMPTS.values():
        text = " ".join(prompt.texts.values()).lower()
        assert not any(word in text for word in ("case", "confirmed", "确诊", "病例", "{"))
