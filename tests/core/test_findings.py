"""The checks one by one, at their edges: what each finds, whatever a regime makes of it."""

import math
from datetime import timedelta
from typing import get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.core.facts import Code, DatedCode, Facts, Mask, Pass
from gatepost.core.findings import CHECKS, Site
from gatepost.core.regime import Check, Finding, Limits
from gatepost.core.screening import Zone

from .regimes_for_tests import (
    GREEN,
    NO_CODE,
    NOON,
    RED,
    SITE_ZONE,
    YELLOW,
    at,
    entering,
    leaving,
    negative,
    proof,
    sampled,
)
from .test_regime_properties import all_facts

LIMITS = Limits(index_c=37.3)
F = Finding


def found(check, person, **limits):
    """Return the word of what a check finds in somebody; None is: in order."""
    finding = CHECKS[check].look(person, Site(LIMITS._replace(**limits), SITE_ZONE))
    return None if finding is None else finding.value


# ------------------------------------------------------------------------- what one can see at once


@pytest.mark.parametrize(("isolated", "finding"), [(True, "isolated"), (False, None)])
def test_who_is_on_the_list_is_isolated(isolated, finding):
    assert found(Check.ISOLATION, leaving("resident", isolated=isolated)) == finding


@pytest.mark.parametrize(
    ("mask", "finding"),
    [(Mask.WORN, None), (Mask.NOT_WORN, "no_mask"), (Mask.UNKNOWN, "mask_unknown")],
)
def test_a_mask_is_worn_not_worn_or_not_seen(mask, finding):
    assert found(Check.MASK, entering("visitor", mask=mask)) == finding


@pytest.mark.parametrize(
    ("zone", "index_c", "finding"),
    [
        (Zone.PASS, 36.6, None),
        (Zone.PASS, 37.3, None),
        (Zone.PASS, math.nextafter(37.3, 38), "hot"),
        (Zone.PASS, math.nan, "hot"),
        (Zone.PASS, None, None),
        (Zone.RECHECK, 36.6, "near_limit"),
        (Zone.RECHECK, 37.4, "near_limit"),
        (Zone.REFER, 36.6, "hot"),
        (Zone.REFER, None, "hot"),
        (Zone.NO_INFORMATION, 36.6, "unmeasured"),
        (Zone.NO_INFORMATION, 38.6, "unmeasured"),
    ],
)
def test_hot_is_strictly_above_the_limit_and_a_zone_that_is_no_pass_is_none(zone, index_c, finding):
    assert found(Check.TEMPERATURE, entering("resident", zone=zone, index_c=index_c)) == finding


def test_the_limit_is_the_regimes():
    person = entering("resident", index_c=37.1)
    assert found(Check.TEMPERATURE, person, index_c=37.1) is None
    assert found(Check.TEMPERATURE, person, index_c=37.0) == "hot"


# ------------------------------------------------------------------------------ codes and their age


@pytest.mark.parametrize(
    ("check", "fact", "unknown"),
    [
        (Check.HEALTH_CODE, "health_code", "code_unknown"),
        (Check.TRIP_CARD, "trip_card", "trip_unknown"),
    ],
)
def test_a_code_is_green_or_coded_or_unknown_and_each_check_looks_at_its_own(check, fact, unknown):
    other = {"health_code": "trip_card", "trip_card": "health_code"}[fact]
    results = [
        found(check, entering("visitor", **{fact: code, other: elsewhere}))
        for code in (GREEN, YELLOW, RED, NO_CODE)
        for elsewhere in (GREEN, RED)
    ]
    assert results == [None, None, "coded", "coded", "coded", "coded", unknown, unknown]


@pytest.mark.parametrize(
    ("taken", "finding"),
    [
        ("2022-03-27T12:00", "coded_tested"),  # seven times 24 hours
        ("2022-03-27T11:59", "coded"),
        ("2022-04-03T12:00", "coded_tested"),
        ("2022-04-03T12:01", "coded"),  # still to come
    ],
)
def test_a_negative_test_of_seven_days_tells_the_coded_apart(taken, finding):
    person = entering("resident", health_code=YELLOW, test=negative(taken))
    assert found(Check.HEALTH_CODE, person) == finding


def test_a_sample_without_a_result_or_a_test_without_a_clock_tells_nobody_apart():
    only_sampled = entering("resident", health_code=RED, test=sampled("2022-04-03T11:00"))
    assert found(Check.HEALTH_CODE, only_sampled) == "coded"
    timeless = entering("resident", health_code=RED, test=negative("2022-04-03T11:00"), now=None)
    assert found(Check.HEALTH_CODE, timeless) == "coded"
    short = entering("resident", health_code=RED, test=negative("2022-04-01T12:00"))
    assert found(Check.HEALTH_CODE, short, long_test_days=1) == "coded"
    assert found(Check.HEALTH_CODE, short, long_test_days=2) == "coded_tested"


@pytest.mark.parametrize(
    ("seen", "now", "finding"),
    [
        (None, NOON, None),  # somebody looks at it now
        (None, None, None),
        (at("2022-04-02T12:00"), NOON, None),  # 24 hours
        (at("2022-04-02T11:59"), NOON, "code_unknown"),
        (at("2022-04-03T12:01"), NOON, "code_unknown"),  # said in the future
        (at("2022-04-03T11:00"), None, "no_clock"),
    ],
)
def test_a_green_code_grows_old_where_a_regime_says_so(seen, now, finding):
    person = entering("visitor", health_code=DatedCode(Code.GREEN, seen), now=now)
    assert found(Check.HEALTH_CODE, person, code_hours=24) == finding
    assert found(Check.HEALTH_CODE, person, code_hours=0) is None


def test_a_red_code_does_not_grow_old_and_an_old_card_is_an_unknown_card():
    last_year = at("2021-04-03T12:00")
    red = entering("visitor", health_code=DatedCode(Code.RED, last_year))
    assert found(Check.HEALTH_CODE, red, code_hours=24) == "coded"
    card = entering("visitor", trip_card=DatedCode(Code.GREEN, last_year))
    assert found(Check.TRIP_CARD, card, code_hours=24) == "trip_unknown"


# ---------------------------------------------------------------------------- risk areas, tests


@pytest.mark.parametrize(
    ("days", "finding"), [(None, None), (0, "risk_area"), (14, "risk_area"), (15, None)]
)
def test_a_risk_area_counts_as_many_days_as_the_regime_looks_back(days, finding):
    assert found(Check.RISK_AREA, entering("visitor", risk_area_days=days)) == finding
    tested = entering("visitor", risk_area_days=days, test=negative("2022-03-28T12:00"))
    expected = None if finding is None else "risk_area_tested"
    assert found(Check.RISK_AREA, tested) == expected
    assert found(Check.RISK_AREA, entering("visitor", risk_area_days=7), look_back_days=6) is None


def test_who_came_back_from_a_risk_area_was_in_one_unless_the_days_say_when():
    assert found(Check.RISK_AREA, entering("returned_resident")) == "risk_area"
    long_ago = entering("returned_resident", risk_area_days=15)
    assert found(Check.RISK_AREA, long_ago) is None
    tested = entering("returned_resident", test=negative("2022-04-03T11:00"))
    assert found(Check.RISK_AREA, tested) == "risk_area_tested"


@pytest.mark.parametrize(
    ("test", "finding"),
    [
        (None, "no_test"),
        (negative("2022-04-01T12:01"), None),
        (negative("2022-04-01T12:00"), None),
        (negative("2022-04-01T11:59"), "no_test"),
        (negative("2022-04-03T12:00"), None),
        (negative("2022-04-03T12:01"), "no_clock"),
        (sampled("2022-04-03T00:00"), None),
        (sampled("2022-04-02T23:59"), "no_test"),
        (sampled("2022-04-03T12:00"), None),
        (sampled("2022-04-03T12:01"), "no_clock"),
    ],
)
def test_a_negative_test_counts_by_the_hour_and_a_sample_by_the_day(test, finding):
    assert found(Check.TEST, entering("resident", test=test)) == finding
    timeless = found(Check.TEST, entering("resident", test=test, now=None))
    assert timeless == ("no_test" if test is None else "no_clock")


def test_the_hours_of_a_test_are_the_regimes():
    person = entering("resident", test=negative("2022-04-02T12:00"))
    assert found(Check.TEST, person, test_hours=24) is None
    assert found(Check.TEST, person, test_hours=23.9) == "no_test"


# ------------------------------------------------------------ passes, registers, escorts, counts


@pytest.mark.parametrize(
    ("shown", "finding"),
    [
        (None, "no_pass"),
        (Pass("p1", "h1", valid=None), "no_pass"),
        (Pass("p1", "h1", valid=False), "bad_pass"),
        (Pass("p1", None, valid=True), None),
    ],
)
def test_a_pass_is_none_until_somebody_has_verified_it(shown, finding):
    assert found(Check.PASS, entering("resident", shown=shown)) == finding


@pytest.mark.parametrize(
    ("registered", "finding"), [(True, None), (False, "unregistered"), (None, "unregistered")]
)
def test_who_is_not_known_to_be_registered_is_not(registered, finding):
    assert found(Check.REGISTERED, entering("visitor", registered=registered)) == finding


@pytest.mark.parametrize(
    ("escort", "finding"), [("p1", None), (None, "no_escort"), ("", "no_escort")]
)
def test_an_escort_has_a_pass(escort, finding):
    assert found(Check.ESCORT, entering("visitor", escort=escort)) == finding


@pytest.mark.parametrize(
    ("last_exit", "finding"),
    [
        (None, None),
        (at("2022-04-01T00:00"), None),
        (at("2022-04-01T23:59"), None),
        (at("2022-04-02T00:00"), "over_quota"),
        (at("2022-04-03T12:00"), "over_quota"),
        (at("2022-04-03T12:01"), "no_clock"),
    ],
)
def test_a_households_turn_comes_by_the_calendar_of_the_site(last_exit, finding):
    known = {"household_last_exit": last_exit}
    assert found(Check.QUOTA, leaving("resident", **known)) == finding
    assert found(Check.QUOTA, leaving("resident", vouchers=1, **known)) is None
    timeless = found(Check.QUOTA, leaving("resident", now=None, **known))
    assert timeless == (None if last_exit is None else "no_clock")


def test_a_quota_of_one_day_is_once_a_calendar_day():
    person = leaving("resident", household_last_exit=at("2022-04-02T23:59"))
    assert found(Check.QUOTA, person, quota_days=1) is None
    same_day = leaving("resident", household_last_exit=at("2022-04-03T00:00"))
    assert found(Check.QUOTA, same_day, quota_days=1) == "over_quota"


@pytest.mark.parametrize("shown", [None, Pass("p1", None, valid=True)])
def test_without_a_household_nobody_knows_whose_turn_it_is_voucher_or_not(shown):
    assert found(Check.QUOTA, leaving("resident", shown=shown, vouchers=2)) == "no_household"


@pytest.mark.parametrize(
    ("inside", "finding"),
    [(None, "works_unknown"), (0, None), (3, None), (4, "works_full"), (5, "works_full")],
)
def test_four_workers_are_inside_at_most(inside, finding):
    assert found(Check.WORKS, entering("works", works_inside=inside)) == finding


@pytest.mark.parametrize(
    ("inside", "capacity", "finding"),
    [
        (499, 500, None),
        (500, 500, "over_capacity"),
        (501, 500, "over_capacity"),
        (500, 0, None),
        (None, 500, None),
    ],
)
def test_a_capacity_counts_where_there_is_one_and_where_somebody_counts(inside, capacity, finding):
    person = entering("visitor", people_inside=inside)
    assert found(Check.CAPACITY, person, capacity=capacity) == finding


def test_r065_of_a_household_that_is_known_by_its_outing_nobody_need_know_the_name():
    nameless = Pass("p1", household=None, valid=True)
    person = leaving("resident", shown=nameless)
    assert found(Check.QUOTA, person) == "no_household"
    for last, finding in (("2022-04-02T23:59", "over_quota"), ("2022-04-01T00:01", None)):
        known = leaving("resident", shown=nameless, household_last_exit=at(last))
        assert found(Check.QUOTA, known) == finding


# ---------------------------------------------------------------------------------------- the table


def test_each_check_has_its_function_and_each_finding_a_check():
    assert list(CHECKS) == list(Check)
    assert {finding for entry in CHECKS.values() for finding in entry.findings} == set(Finding)
    assert all(get_type_hints(entry.look)["facts"] is Facts for entry in CHECKS.values())


@settings(max_examples=400, deadline=None, database=None)
@given(all_facts, st.floats(0, 48), st.integers(0, 3))
def test_a_check_finds_nothing_that_it_does_not_name(facts, code_hours, capacity):
    site = Site(LIMITS._replace(code_hours=code_hours, capacity=capacity), SITE_ZONE)
    for entry in CHECKS.values():
        finding = entry.look(facts, site)
        assert finding is None or finding in entry.findings


def test_each_finding_that_a_check_names_can_be_found():
    seen = {
        Check.HEALTH_CODE: [
            entering("visitor", health_code=NO_CODE),
            entering("visitor", health_code=RED),
            entering("visitor", health_code=RED, test=proof("negative", NOON)),
            entering("visitor", health_code=DatedCode(Code.GREEN, NOON), now=None),
        ],
        Check.QUOTA: [
            leaving("resident", shown=None),
            leaving("resident", household_last_exit=NOON),
            leaving("resident", household_last_exit=NOON + timedelta(1)),
        ],
    }
    for check, people in seen.items():
        words = [found(check, person, code_hours=1) for person in people]
        looked_for = [each for each in CHECKS[check].findings if each is not F.REFUSES_PROOF]
        assert words == [finding.value for finding in looked_for]
