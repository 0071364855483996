"""A case in the compound, as 000 section 5 and 002 parts 6 and 9 order it: sealed stays sealed."""

import pytest

from gatepost.core.facts import Mask

from .regimes_for_tests import (
    HOT,
    NO_CODE,
    RED,
    UNMEASURED,
    YELLOW,
    changed,
    entering,
    expect,
    leaving,
    negative,
    shipped,
)

CASE = shipped("case")
LIVING_HERE = ("resident", "tenant", "guardian", "released")
GUEST = {"registered": True, "escort": "p1"}
TESTED = {"test": negative("2022-04-02T12:00")}


# ------------------------------------------------------------------------------ the sealed building


def test_r112_who_lives_in_the_sealed_building_does_not_go_out():
    person = leaving("sealed_building", **TESTED)
    expect(
        CASE,
        person,
        "deny",
        rules="R112 R113 R114",
        tell="community street",
        say="stay_home",
        reason="category",
    )


def test_r112_who_lives_in_the_sealed_building_and_was_out_waits_for_the_health_department():
    person = entering("sealed_building")
    expect(CASE, person, "refer", rules="R112", tell="community health_department")


@pytest.mark.parametrize("category", LIVING_HERE)
def test_r113_who_lives_elsewhere_in_the_compound_goes_in_and_out(category):
    expect(CASE, entering(category), "admit", rules="R041" if category != "released" else "R022")
    expect(CASE, leaving(category), "admit", rules="R041")


def test_r113_where_the_whole_compound_is_sealed_nobody_goes_out_but_by_role(tmp_path):
    regime = changed("case", tmp_path, '[choices]\ngoing_out = "exempt_only"\n')
    for category in LIVING_HERE:
        expect(regime, leaving(category), "deny", rules="R107", say="stay_home")
    expect(regime, leaving("medical"), "admit")
    expect(regime, leaving("emergency"), "admit_and_report", tell="community work_team")


@pytest.mark.parametrize("category", ["resident", "visitor", "medical", "works"])
def test_r114_an_isolated_person_is_not_let_out(category):
    person = leaving(category, isolated=True, **TESTED)
    expect(CASE, person, "deny", rules="R114", tell="community street", say="stay_home")


def test_r119_an_isolated_resident_who_was_out_is_let_home_and_reported():
    person = entering("resident", isolated=True)
    expect(CASE, person, "admit_and_report", rules="R119", tell="community street")


def test_r118_a_close_contact_stays_at_home_and_is_reported_when_hot():
    expect(
        CASE, entering("close_contact"), "admit_and_report", rules="R118", tell="community street"
    )
    expect(CASE, entering("close_contact", **HOT), "refer", rules="R118", tell="community street")
    expect(CASE, leaving("close_contact"), "deny", rules="R118", tell="community street")


def test_r117_a_site_may_isolate_close_contacts_centrally(tmp_path):
    regime = changed("case", tmp_path, '[choices]\nclose_contact = "central"\n')
    expect(regime, entering("close_contact"), "refer", rules="R117", tell="community street")


# -------------------------------------------------------------------------------------- residents


def test_r041_temperature_and_code_of_who_comes_and_who_goes_are_looked_at():
    expect(CASE, entering("resident", **UNMEASURED), "recheck", rules="R017")
    expect(CASE, entering("resident", health_code=NO_CODE), "refer", rules="R017", say="show_code")
    for category in ("resident", "property_staff", "works"):
        expect(CASE, leaving(category, **UNMEASURED), "recheck", rules="R001", tell=(
            "community" if category == "works" else ""
        ))  # fmt: skip


@pytest.mark.parametrize("category", LIVING_HERE)
def test_r193_a_hot_resident_is_fetched_by_a_doctor_and_told_of_in_real_time(category):
    expect(CASE, entering(category, index_c=37.3), "admit")
    person = entering(category, index_c=37.4)
    expect(CASE, person, "refer", rules="R193 R287", tell="community street work_team")


@pytest.mark.parametrize(("option", "outcome"), [("home", "admit_and_report"), ("refuse", "deny")])
def test_r193_whatever_a_site_does_with_a_hot_resident_the_street_is_told(
    tmp_path, option, outcome
):
    regime = changed("case", tmp_path, f'[choices]\nhot_resident = "{option}"\n')
    tell = {
        "home": "community street",
        "refuse": "street government_department residents_committee",
    }[option]
    expect(regime, entering("resident", **HOT), outcome, rules="R193", tell=tell)


def test_r120_a_returned_resident_is_let_home_under_observation_and_stays_there():
    expect(
        CASE,
        entering("returned_resident"),
        "admit_and_report",
        rules="R120 R008",
        tell="community health_department",
        say="rest_at_home",
    )
    hot = entering("returned_resident", **HOT)
    tell = "community health_department street work_team"
    expect(CASE, hot, "refer", rules="R193", tell=tell)
    expect(CASE, leaving("returned_resident"), "refer", rules="R120", tell="community street")


def test_r038_a_resident_with_a_red_code_is_seen_by_staff_both_ways():
    expect(CASE, entering("resident", health_code=RED), "refer", rules="R038", tell="community")
    expect(CASE, leaving("resident", health_code=RED), "refer", rules="R039", tell="community")
    expect(CASE, leaving("released", health_code=RED), "refer", rules="R039", tell="community")


def test_r022_who_was_released_from_observation_is_measured_both_ways(tmp_path):
    regime = changed("case", tmp_path, '[choices]\nmeasure_on_exit = "when_measured"\n')
    expect(regime, leaving("resident", **UNMEASURED), "admit")
    expect(regime, leaving("released", **UNMEASURED), "recheck")
    expect(regime, entering("released", **UNMEASURED), "recheck")


def test_r041_who_wears_no_mask_is_reminded():
    person = entering("resident", mask=Mask.NOT_WORN)
    expect(CASE, person, "admit", rules="R158", say="go wear_mask")


def test_r287_a_hot_resident_does_not_travel_to_a_doctor_alone():
    expect(CASE, leaving("resident", **HOT), "refer", rules="R287", tell="community work_team")
    expect(CASE, leaving("released", **HOT), "refer", rules="R287", tell="community work_team")


# --------------------------------------------------------------------------- who does not live here


@pytest.mark.parametrize("category", ["visitor", "vehicle", "unknown"])
def test_r144_a_closed_compound_lets_in_nobody_from_outside(category):
    person = entering(category, **GUEST, **TESTED)
    expect(CASE, person, "deny", rules="R144", say="residents_only")


def test_r004_a_red_visitor_stays_outside_where_a_site_lets_escorted_visitors_in(tmp_path):
    regime = changed("case", tmp_path, '[choices]\nvisitors = "escort"\n')
    expect(regime, entering("visitor", **GUEST), "admit", rules="R077")
    for code in (YELLOW, RED):
        person = entering("visitor", health_code=code, **GUEST, **TESTED)
        expect(regime, person, "deny", rules="R004 R033", tell="community")
    unknown = entering("visitor", health_code=NO_CODE, **GUEST)
    expect(regime, unknown, "refer", rules="R041", say="show_code")


def test_r120_where_visitors_are_let_in_one_from_a_risk_area_waits(tmp_path):
    regime = changed("case", tmp_path, '[choices]\nvisitors = "register"\n')
    person = entering("visitor", registered=True, risk_area_days=3, **TESTED)
    expect(regime, person, "refer", rules="R120 R193", tell="community street")


def test_r114_goods_are_left_at_the_drop_point():
    expect(CASE, entering("courier", **GUEST), "redirect", rules="R090", say="drop_zone")


def test_r085_works_are_stopped():
    person = entering("works", works_inside=0, **GUEST)
    expect(CASE, person, "deny", rules="R085", say="works_stopped")


@pytest.mark.parametrize("category", ["sanitation", "medical", "epidemic_control", "supply"])
def test_r108_the_specialists_come_in_measured(category):
    expect(CASE, entering(category), "admit", rules="R108 R109")
    expect(CASE, entering(category, **HOT), "deny", rules="R193", tell="community street")


def test_r013_hot_property_staff_stays_off_duty():
    person = entering("property_staff", **HOT)
    expect(CASE, person, "deny", rules="R013 R014", tell="community", say="off_duty")
    leaver = leaving("property_staff", **HOT)
    expect(CASE, leaver, "admit_and_report", rules="R205 R193", tell="community street")


def test_r108_the_emergency_passage_stays_clear():
    expect(CASE, entering("emergency", **UNMEASURED), "admit_and_report", rules="R108",
           tell="community")  # fmt: skip
    person = leaving("emergency", **HOT)
    expect(CASE, person, "admit_and_report", rules="R291 R287", tell="community work_team")
    isolated = leaving("emergency", isolated=True)
    expect(CASE, isolated, "refer", rules="R128", tell="community work_team")


@pytest.mark.parametrize("category", ["visitor", "vehicle", "courier", "works", "unknown"])
def test_r180_who_was_inside_and_leaves_is_told_of_to_be_traced(category):
    expect(CASE, leaving(category), "admit_and_report", rules="R180", tell="community")
    hot = leaving(category, **HOT)
    expect(CASE, hot, "admit_and_report", rules="R193", tell="community street", say="see_doctor")
    red = leaving(category, health_code=RED)
    expect(CASE, red, "admit_and_report", rules="R038 R180", tell="community")
