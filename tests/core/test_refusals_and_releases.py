"""Who refuses, and whose isolation is over: what comes besides a finding, and takes no place."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.core.facts import Category, Facts, Refusal
from gatepost.core.findings import besides
from gatepost.core.regime import Finding, Limits
from gatepost.core.rules import decide
from gatepost_hal.ports import Direction

from .regimes_for_tests import (
    NO_CODE,
    NOON,
    PASS,
    SHIPPED,
    UNMEASURED,
    at,
    changed,
    entering,
    expect,
    leaving,
    negative,
    shipped,
)
from .test_regime_properties import all_facts, any_regime

MEASURING = frozenset({Refusal.MEASURING})
PROOF = frozenset({Refusal.PROOF})
OBSERVATION = frozenset({Refusal.OBSERVATION})
fast = settings(max_examples=250, deadline=None, database=None)


def told(decision):
    return {notice.who for notice in decision.tell}


# ------------------------------------------------------------------------------------ who refuses


@pytest.mark.parametrize("name", SHIPPED)
def test_r026_r027_who_will_not_be_measured_waits_and_the_police_are_called(name):
    person = entering("resident", test=negative("2022-04-03T09:00"), **UNMEASURED)
    assert decide(person, shipped(name)).outcome.word == "recheck"
    decision = decide(replace(person, refused=MEASURING), shipped(name))
    assert decision.outcome.word == "refer"
    assert {"R026", "R027"} <= set(decision.rules)
    assert "police" in told(decision)
    assert "cooperate" in decision.say
    assert decision.reason == "refuses_measuring"


@pytest.mark.parametrize("name", SHIPPED)
def test_r027_who_was_measured_after_all_has_refused_nothing(name):
    person = entering("resident", test=negative("2022-04-03T09:00"))
    assert decide(replace(person, refused=MEASURING), shipped(name)) == decide(
        person, shipped(name)
    )


def test_r010_who_need_not_be_measured_on_leaving_refuses_nothing():
    person = leaving("resident", refused=MEASURING, **UNMEASURED)
    expect(shipped("medium-risk"), person, "admit")
    expect(shipped("normal"), person, "refer", rules="R026 R027", tell="police")


def test_r036_who_still_shows_no_proof_is_passed_on_to_the_group_of_three():
    window = shipped("control-window")
    untested = entering("resident", refused=PROOF)
    expect(window, untested, "deny", rules="R035 R036", tell="three_person_group")
    coded = {"health_code": NO_CODE, "test": negative("2022-04-03T09:00")}
    expect(window, entering("resident", **coded), "refer", say="show_code")
    person = entering("resident", refused=PROOF, **coded)
    expect(window, person, "refer", rules="R034 R036", tell="three_person_group", say="cooperate")


@pytest.mark.parametrize("name", ["normal", "control-window", "case"])
def test_r036_the_group_of_three_hears_of_it_in_every_order_that_asks_for_a_code(name):
    person = entering(
        "resident", refused=PROOF, health_code=NO_CODE, test=negative("2022-04-03T09:00")
    )
    expect(shipped(name), person, "refer", rules="R036", tell="three_person_group", say="cooperate")


def test_r036_nobody_refuses_a_proof_that_this_order_does_not_ask_for():
    person = entering("resident", refused=PROOF, health_code=NO_CODE)
    expect(shipped("lockdown"), person, "admit")


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("direction", Direction)
def test_r119_who_refuses_to_be_observed_is_told_of_to_community_street_and_police(name, direction):
    listed = leaving("resident", isolated=True, shown=PASS)
    listed = replace(listed, direction=direction, refused=OBSERVATION)
    decision = decide(listed, shipped(name))
    assert told(decision) >= {"community", "street", "police"}
    assert "R119" in decision.rules
    assert decision.release is decide(replace(listed, refused=frozenset()), shipped(name)).release


@fast
@given(all_facts, any_regime, st.sets(st.sampled_from(Refusal), min_size=1))
def test_nobody_is_better_off_for_refusing(facts, regime, refused):
    willing = decide(replace(facts, refused=frozenset()), regime)
    unwilling = decide(replace(facts, refused=frozenset(refused)), regime)
    assert unwilling.outcome >= willing.outcome
    assert set(unwilling.tell) >= set(willing.tell)


# ------------------------------------------------------------------------------- whose time is over


@pytest.mark.parametrize(
    ("since", "days", "is_due"),
    [
        ("2022-03-20T12:00", 14, True),  # 14 full days
        ("2022-03-20T12:01", 14, False),
        ("2022-03-27T12:00", 14, False),
        ("2022-03-27T12:00", 7, True),
        ("2022-03-06T12:00", 28, True),
        ("2022-03-06T12:01", 28, False),
    ],
)
def test_r116_a_release_is_due_after_full_days(since, days, is_due):
    person = leaving("resident", isolated=True, isolated_since=at(since))
    found = besides(Finding.ISOLATED, person, Limits(index_c=37.3, observation_days=days))
    assert found is (Finding.RELEASE_DUE if is_due else None)


@pytest.mark.parametrize("name", SHIPPED)
def test_r116_whose_days_are_over_stays_isolated_until_released_and_that_is_told(name):
    listed = leaving("resident", isolated=True)
    over = replace(listed, isolated_since=NOON - timedelta(days=15))
    before, after = decide(listed, shipped(name)), decide(over, shipped(name))
    assert not after.release
    assert after.outcome is before.outcome
    assert "R116" in after.rules
    assert "R116" not in before.rules
    assert "community" in told(after)


@pytest.mark.parametrize("name", SHIPPED)
def test_r116_without_a_date_or_a_clock_nobody_says_that_a_release_is_due(name):
    undated = leaving("resident", isolated=True)
    timeless = replace(undated, isolated_since=at("2022-01-01T00:00"), now=None)
    to_come = replace(undated, isolated_since=NOON + timedelta(days=1))
    for person in (undated, timeless, to_come):
        assert "R116" not in decide(person, shipped(name)).rules


def test_r120_in_a_case_a_release_is_due_after_7_days_and_elsewhere_after_14():
    person = leaving("resident", isolated=True, isolated_since=at("2022-03-27T12:00"))
    assert "R120" in decide(person, shipped("case")).rules
    assert "R116" not in decide(person, shipped("normal")).rules


def test_r055_a_site_may_observe_for_28_days(tmp_path):
    regime = changed("normal", tmp_path, "[limits]\nobservation_days = 28\n")
    for days, is_due in ((27, False), (28, True)):
        person = leaving("resident", isolated=True, isolated_since=NOON - timedelta(days=days))
        decision = decide(person, regime)
        assert not decision.release
        assert ("R116" in decision.rules) is is_due


def test_r054_the_14_days_at_home_after_the_port_are_held_and_their_end_is_told():
    arrived = at("2022-03-20T12:00")
    for now, rules in ((arrived, "R115"), (at("2022-04-03T12:00"), "R115 R116")):
        person = leaving("returned_resident", isolated=True, isolated_since=arrived, now=now)
        expect(shipped("normal"), person, "deny", rules=rules, tell="community work_team")


@pytest.mark.parametrize("category", [each.value for each in Category])
def test_r114_a_release_that_is_due_is_none(category):
    for name in SHIPPED:
        person = leaving(category, isolated=True, isolated_since=at("2021-01-01T00:00"))
        assert not decide(person, shipped(name)).release


@fast
@given(all_facts, any_regime)
def test_a_regime_that_says_nothing_of_it_decides_as_without(facts: Facts, regime):
    rows = {
        key: row._replace(
            treatments={
                finding: row.treatments[Finding.TRIP_UNKNOWN]._replace(
                    outcome=type(row.base.outcome).ADMIT, rules=(), tell=(), say=()
                )
                if finding in {Finding.RELEASE_DUE, *REFUSES}
                else treatment
                for finding, treatment in row.treatments.items()
            }
        )
        for key, row in regime.rows.items()
    }
    silent = replace(regime, rows=rows)
    more = replace(
        facts, refused=frozenset(Refusal), isolated_since=NOON - timedelta(days=99), now=NOON
    )
    without = replace(more, refused=frozenset(), isolated_since=None)
    assert decide(more, silent) == decide(without, silent)


REFUSES = (Finding.REFUSES_OBSERVATION, Finding.REFUSES_MEASURING, Finding.REFUSES_PROOF)
