"""Dated lists of areas: who was there since then comes from a risk area (R050, R060, R150)."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.core.facts import Stay
from gatepost.core.rules import decide

from .regimes_for_tests import NOON, SHIPPED, at, changed, entering, expect, leaving, negative
from .test_regime_properties import all_facts, any_regime

LIST = '[areas]\n"Liwan, Guangzhou" = 2022-03-30T00:00:00\nYantian = 2022-03-20T00:00:00\n'
fast = settings(max_examples=250, deadline=None, database=None)


@pytest.fixture
def listed(tmp_path):
    """Normal control with two areas on the list."""
    return changed("normal", tmp_path, LIST)


def visitor(area, ended, **more):
    return entering("visitor", registered=True, stays=(Stay(area, at(ended)),), **more)


@pytest.mark.parametrize(
    ("area", "ended", "outcome"),
    [
        ("Liwan, Guangzhou", "2022-03-30T00:00", "refer"),  # from its first instant on
        ("Liwan, Guangzhou", "2022-03-29T23:59", "admit"),
        ("Liwan, Guangzhou", "2022-04-03T11:00", "refer"),
        ("Yantian", "2022-03-20T08:00", "refer"),  # 14 days ago
        ("Yantian", "2022-03-19T23:00", "admit"),
        ("Longgang", "2022-04-03T11:00", "admit"),  # not on the list
        ("yantian", "2022-04-03T11:00", "admit"),  # names are names
    ],
)
def test_r060_a_stay_counts_from_the_areas_date_on(listed, area, ended, outcome):
    expect_tell = "" if outcome == "admit" else "community competent_department police"
    expect(listed, visitor(area, ended), outcome, tell=expect_tell)


def test_r060_with_a_test_of_7_days_somebody_from_there_is_let_in_and_told_of(listed):
    tested = visitor("Yantian", "2022-04-02T12:00", test=negative("2022-03-27T12:00"))
    expect(listed, tested, "admit_and_report", rules="R051 R059", tell="community")


def test_r057_a_stay_before_the_look_back_is_past(tmp_path):
    old = changed("normal", tmp_path, "[areas]\nYantian = 2022-01-01T00:00:00\n")
    for ended, outcome in (("2022-03-20T00:00", "refer"), ("2022-03-19T23:59", "admit")):
        decision = decide(visitor("Yantian", ended), old)
        assert decision.outcome.word == outcome


def test_r050_another_list_is_another_decision(tmp_path, listed):
    person = visitor("Longgang", "2022-04-02T12:00")
    assert decide(person, listed).release
    renewed = changed("normal", tmp_path, f"{LIST}Longgang = 2022-04-01T00:00:00\n")
    assert not decide(person, renewed).release


def test_the_most_recent_of_all_that_is_known_counts(listed):
    person = visitor("Yantian", "2022-04-02T12:00", risk_area_days=30)
    assert not decide(person, listed).release
    person = visitor("Longgang", "2022-04-02T12:00", risk_area_days=3)
    assert not decide(person, listed).release


def test_without_a_clock_a_stay_has_just_ended(listed):
    assert not decide(visitor("Yantian", "2022-03-20T08:00", now=None), listed).release


def test_r013_staff_who_was_at_a_listed_place_stays_off_duty(listed):
    person = replace(
        entering("property_staff"), stays=(Stay("Yantian", NOON - timedelta(hours=1)),)
    )
    expect(listed, person, "deny", rules="R013", tell="community", say="off_duty")


def test_r150_a_point_of_infection_is_a_place_with_the_date_of_3_days_before_onset(tmp_path):
    onset = "2022-03-31"
    regime = changed("case", tmp_path, '[areas]\n"market hall 2" = 2022-03-28T00:00:00\n')
    assert at(f"{onset}T00:00") - timedelta(days=3) == regime.areas["market hall 2"]
    for ended, is_one in (("2022-03-27T20:00", False), ("2022-03-28T09:00", True)):
        person = entering("resident", stays=(Stay("market hall 2", at(ended)),))
        assert ("R120" in decide(person, regime).rules) is is_one


def test_r061_somebody_of_a_key_group_is_asked_to_register_declare_and_be_tested(listed):
    person = visitor("Yantian", "2022-04-02T12:00")
    expect(
        listed, person, "refer", tell="community competent_department police", say="declare_stay"
    )
    person = entering("returned_resident")
    expect(
        listed, person, "admit_and_report", tell="community health_department", say="declare_stay"
    )


@pytest.mark.parametrize("name", SHIPPED)
def test_r008_a_returned_resident_is_one_for_14_days(name, tmp_path):
    regime = changed(name, tmp_path, "")
    test = negative("2022-04-03T09:00")
    recent = decide(entering("returned_resident", risk_area_days=14, test=test), regime)
    assert recent.outcome.word == "admit_and_report"
    past = decide(entering("returned_resident", risk_area_days=15, test=test), regime)
    resident = decide(entering("resident", test=test), regime)
    assert (past.outcome, past.tell) == (resident.outcome, resident.tell)


@pytest.mark.parametrize("name", ["medium-risk", "case"])
def test_r078_r120_who_returned_goes_out_again_when_the_days_are_over(name, tmp_path):
    regime = changed(name, tmp_path, "")
    assert decide(leaving("returned_resident"), regime).outcome.word == "refer"
    assert decide(leaving("returned_resident", risk_area_days=14), regime).outcome.word == "refer"
    assert decide(leaving("returned_resident", risk_area_days=15), regime).release


@fast
@given(all_facts, any_regime, st.integers(0, 20))
def test_a_stay_that_is_known_never_opens_what_was_closed(facts, regime, days):
    dated = replace(regime, areas={"Yantian": NOON - timedelta(days=60)})
    stay = Stay("Yantian", NOON - timedelta(days=days))
    if facts.category.value == "returned_resident" and facts.risk_area_days is None:
        facts = replace(facts, risk_area_days=0)  # what the category says by itself
    assert decide(replace(facts, stays=(stay,)), dated).outcome >= decide(facts, dated).outcome
