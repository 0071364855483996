"""Normal control, as 000, 001 and 003 part 4 order it: who comes in, who goes out, who is told."""

import pytest

from gatepost.core.facts import Mask
from gatepost.core.screening import Zone

from .regimes_for_tests import (
    HOT,
    NEAR,
    NO_CODE,
    NOON,
    OFFICES,
    RED,
    UNMEASURED,
    YELLOW,
    entering,
    expect,
    leaving,
    negative,
    shipped,
)

NORMAL = shipped("normal")
LIVING_HERE = ("resident", "tenant", "guardian", "released")
STAFF = ("property_staff", "sanitation", "medical", "epidemic_control", "supply")


# ------------------------------------------------------------------------------------- residents


@pytest.mark.parametrize("category", LIVING_HERE)
def test_r001_who_lives_here_comes_in_measured_and_with_a_code(category):
    decision = expect(NORMAL, entering(category), "admit", rules="R001 R017 R048", say="go")
    assert decision.reason == "in_order"


@pytest.mark.parametrize(
    ("index_c", "outcome"), [(37.3, "admit"), (37.31, "admit_and_report"), (36.6, "admit")]
)
def test_r005_a_resident_is_hot_strictly_above_37_3(index_c, outcome):
    tell = "community" if outcome == "admit_and_report" else ""
    expect(NORMAL, entering("resident", index_c=index_c), outcome, tell=tell)


@pytest.mark.parametrize("category", LIVING_HERE)
def test_r005_a_hot_resident_is_sent_home_and_the_community_is_told(category):
    expect(
        NORMAL,
        entering(category, **HOT),
        "admit_and_report",
        rules="R005",
        tell="community",
        say="rest_at_home",
        reason="hot",
    )


def test_r017_a_resident_whom_nothing_measured_is_measured_once_more():
    expect(NORMAL, entering("resident", **UNMEASURED), "recheck", rules="R001", say="once_more")
    expect(NORMAL, entering("resident", **NEAR), "recheck", rules="R018", say="once_more")


def test_r017_a_resident_whom_nothing_measured_in_the_last_attempt_waits_for_staff():
    decision = expect(
        NORMAL, entering("resident", attempts_left=0, **UNMEASURED), "refer", rules="R001 ours"
    )
    assert decision.say == ("wait_for_staff",)
    expect(NORMAL, entering("resident", attempts_left=0, **NEAR), "refer", rules="R018 ours")


@pytest.mark.parametrize("code", [YELLOW, RED])
def test_r038_a_resident_with_a_yellow_or_red_code_waits_and_the_community_is_told(code):
    expect(
        NORMAL, entering("resident", health_code=code), "refer", rules="R038 ours", tell="community"
    )
    expect(NORMAL, entering("resident", trip_card=code), "refer", rules="R038", tell="community")


def test_r251_a_resident_without_a_phone_is_not_turned_away_but_shows_a_code_to_staff():
    expect(
        NORMAL,
        entering("resident", health_code=NO_CODE),
        "refer",
        rules="R017 R251",
        say="show_code",
    )


def test_r158_who_wears_no_mask_here_is_persuaded_and_not_turned_away():
    for mask in (Mask.NOT_WORN, Mask.UNKNOWN):
        expect(NORMAL, entering("resident", mask=mask), "admit", rules="R158", say="go wear_mask")


# ------------------------------------------------------------------ those who come back from away


def test_r008_a_returned_resident_with_a_normal_temperature_may_not_be_refused():
    expect(
        NORMAL,
        entering("returned_resident"),
        "admit_and_report",
        rules="R008 R059 R123",
        tell="community health_department",
        say="go rest_at_home",
    )


def test_r007_a_returned_resident_above_37_3_is_not_let_in_and_the_health_department_is_told():
    expect(
        NORMAL,
        entering("returned_resident", **HOT),
        "deny",
        rules="R007",
        tell="community health_department",
        say="see_doctor",
    )


@pytest.mark.parametrize(("days", "outcome"), [(14, "admit_and_report"), (15, "admit")])
def test_r057_a_risk_area_counts_for_fourteen_days(days, outcome):
    tell = "community health_department" if days == 14 else ""
    expect(NORMAL, entering("resident", risk_area_days=days), outcome, tell=tell)


# ---------------------------------------------------------------------------------------- visitors


def test_r033_a_registered_visitor_with_a_green_code_and_a_normal_temperature_comes_in():
    person = entering("visitor", registered=True)
    expect(NORMAL, person, "admit", rules="R033 R072 R078")


@pytest.mark.parametrize("registered", [False, None])
def test_r079_a_visitor_who_is_not_registered_registers_with_staff(registered):
    person = entering("visitor", registered=registered)
    expect(NORMAL, person, "refer", rules="R072 R079", say="register_first")


@pytest.mark.parametrize("code", [YELLOW, RED])
def test_r004_a_visitor_with_a_yellow_or_red_code_is_not_let_in_test_or_no_test(code):
    for test in (None, negative("2022-04-02T12:00")):
        person = entering("visitor", registered=True, health_code=code, test=test)
        expect(NORMAL, person, "deny", rules="R004 R033 R185", tell=OFFICES)


def test_r033_a_visitor_of_whose_code_nobody_knows_shows_it_to_staff():
    person = entering("visitor", registered=True, health_code=NO_CODE)
    expect(NORMAL, person, "refer", rules="R033 R017", say="show_code")


def test_r004_a_visitor_above_37_3_is_not_let_in_and_37_3_is_not_above():
    at_the_limit = entering("visitor", registered=True, index_c=37.3)
    expect(NORMAL, at_the_limit, "admit")
    above = entering("visitor", registered=True, index_c=37.31)
    expect(
        NORMAL,
        above,
        "deny",
        rules="R004 R009 R185",
        tell=OFFICES,
        say="see_doctor",
    )


def test_r051_a_visitor_from_a_risk_area_is_referred_and_with_a_test_reported():
    known = {"registered": True, "risk_area_days": 0}
    expect(
        NORMAL,
        entering("visitor", **known),
        "refer",
        rules="R051 R058 R184",
        tell="community competent_department police",
        say="bring_test",
    )
    tested = entering("visitor", test=negative("2022-03-28T00:00"), **known)
    expect(NORMAL, tested, "admit_and_report", rules="R051 R059", tell="community")


def test_r099_a_registered_vehicles_people_come_in_measured():
    expect(NORMAL, entering("vehicle", registered=True), "admit", rules="R098 R099")
    hot = entering("vehicle", registered=True, **HOT)
    expect(NORMAL, hot, "deny", rules="R004 R185", tell=OFFICES)


def test_r101_of_a_vehicle_from_a_risk_area_street_and_community_are_told():
    person = entering("vehicle", registered=True, risk_area_days=2)
    expect(NORMAL, person, "refer", rules="R101", tell="community competent_department street")


def test_r079_who_is_not_known_at_all_registers_with_staff():
    person = entering("unknown")
    expect(NORMAL, person, "refer", rules="R072 R079", say="register_first", reason="category")


# --------------------------------------------------------------------------- couriers and workers


def test_r089_a_courier_does_not_come_in_but_goes_to_the_drop_zone():
    person = entering("courier", registered=True)
    expect(NORMAL, person, "redirect", rules="R089 R090 R092", say="drop_zone")


@pytest.mark.parametrize(
    ("inside", "outcome", "say"),
    [(0, "admit", "go"), (3, "admit", "go"), (4, "deny", "works_full"), (5, "deny", "works_full")],
)
def test_r083_a_fourth_worker_comes_in_and_a_fifth_does_not(inside, outcome, say):
    person = entering("works", registered=True, works_inside=inside)
    expect(NORMAL, person, outcome, rules="R083", say=say)


def test_r083_where_nobody_knows_how_many_work_inside_staff_decides():
    person = entering("works", registered=True, works_inside=None)
    expect(NORMAL, person, "refer", rules="R083 ours", reason="works_unknown")


def test_r014_property_staff_is_measured_before_duty_and_kept_off_it_above_37_3():
    expect(NORMAL, entering("property_staff", index_c=37.3), "admit", rules="R014 R015")
    expect(
        NORMAL,
        entering("property_staff", index_c=37.4),
        "deny",
        rules="R013 R014 R205",
        tell="community",
        say="off_duty",
    )


@pytest.mark.parametrize("test", [None, negative("2022-04-02T12:00")])
def test_r013_property_staff_from_a_risk_area_is_kept_off_duty_test_or_no_test(test):
    person = entering("property_staff", risk_area_days=14, test=test)
    expect(NORMAL, person, "deny", rules="R013", tell="community", say="off_duty")


@pytest.mark.parametrize("category", STAFF[1:])
def test_r001_who_has_work_to_do_here_comes_in_measured_and_with_a_code(category):
    expect(NORMAL, entering(category), "admit", rules="R001")
    expect(NORMAL, entering(category, **HOT), "deny", rules="R006 R185", tell=OFFICES)


# ------------------------------------------------------------------ isolation, sealing, emergencies


def test_r118_a_close_contact_comes_home_and_community_and_street_are_told():
    expect(
        NORMAL,
        entering("close_contact"),
        "admit_and_report",
        rules="R118",
        tell="community street",
        say="rest_at_home",
    )
    hot = entering("close_contact", **HOT)
    expect(NORMAL, hot, "refer", rules="R118 R287", tell="community street")


def test_r112_who_lives_in_a_sealed_building_neither_comes_nor_goes_alone():
    expect(
        NORMAL,
        entering("sealed_building"),
        "refer",
        rules="R112 R114",
        tell="community health_department",
    )
    expect(NORMAL, leaving("sealed_building"), "deny", rules="R112 R114", tell="community")


@pytest.mark.parametrize("category", ["resident", "visitor", "supply"])
def test_r124_an_isolated_person_is_not_let_out_whoever_it_is(category):
    person = leaving(category, isolated=True)
    expect(NORMAL, person, "deny", rules="R115 R124", tell="community work_team", say="stay_home")


def test_r119_an_isolated_resident_who_was_out_comes_home_and_the_community_is_told():
    person = entering("resident", isolated=True)
    expect(NORMAL, person, "admit_and_report", rules="R119", tell="community", say="rest_at_home")


def test_r108_an_emergency_is_let_through_both_ways_whatever_is_measured():
    inward = entering("emergency", health_code=RED, mask=Mask.NOT_WORN, **HOT)
    expect(NORMAL, inward, "admit_and_report", rules="R108 R109", tell="community")
    outward = leaving("emergency", health_code=RED, **UNMEASURED)
    expect(NORMAL, outward, "admit_and_report", rules="R291 R287", tell="community work_team")


def test_r128_for_an_isolated_person_who_needs_a_doctor_the_work_team_is_called():
    person = leaving("emergency", isolated=True)
    expect(NORMAL, person, "refer", rules="R128 R287", tell="community work_team")


# --------------------------------------------------------------------------------------- going out


@pytest.mark.parametrize("category", ["resident", "tenant", "guardian", "returned_resident"])
def test_r070_who_lives_here_goes_out_and_is_asked_to_go_out_less(category):
    person = leaving(category, shown=None, household_last_exit=NOON)  # nobody counts here
    expect(NORMAL, person, "admit", rules="R070 R001", say="go go_out_less")


def test_r001_who_leaves_is_measured_too_and_once_more_where_nothing_was_read():
    expect(NORMAL, leaving("resident", **UNMEASURED), "recheck", rules="R001")
    expect(NORMAL, leaving("resident", attempts_left=0, **UNMEASURED), "refer", rules="R001 ours")


def test_r288_a_hot_resident_goes_out_to_a_doctor_and_the_community_is_told():
    person = leaving("resident", **HOT)
    expect(NORMAL, person, "admit_and_report", rules="R288", tell="community", say="see_doctor")


def test_r039_a_resident_with_a_yellow_code_is_asked_to_stay_and_not_kept():
    person = leaving("resident", health_code=YELLOW)
    expect(
        NORMAL, person, "admit_and_report", rules="R039 R126", tell="community", say="go_out_less"
    )
    expect(NORMAL, leaving("resident", health_code=NO_CODE), "admit", rules="R251")


def test_r118_a_close_contact_does_not_go_out():
    expect(
        NORMAL,
        leaving("close_contact"),
        "deny",
        rules="R118",
        tell="community street",
        say="stay_home",
    )


@pytest.mark.parametrize("category", STAFF)
def test_r205_staff_who_fell_ill_on_duty_goes_home_to_a_doctor(category):
    expect(NORMAL, leaving(category), "admit", rules="R001")
    person = leaving(category, **HOT)
    expect(NORMAL, person, "admit_and_report", rules="R205", tell="community", say="see_doctor")


@pytest.mark.parametrize("category", ["visitor", "vehicle", "courier", "works", "unknown"])
def test_r001_who_does_not_live_here_is_measured_on_leaving_and_goes(category):
    expect(NORMAL, leaving(category), "admit", rules="R001 R072")
    expect(NORMAL, leaving(category, **UNMEASURED), "recheck", rules="R001")
    hot = leaving(category, **HOT)
    expect(NORMAL, hot, "admit_and_report", rules="R009", tell="community health_department")


@pytest.mark.parametrize("category", ["visitor", "medical"])
def test_r038_of_a_red_code_seen_on_leaving_the_community_is_told(category):
    person = leaving(category, health_code=RED)
    expect(NORMAL, person, "admit_and_report", rules="R038", tell="community")
    expect(NORMAL, leaving(category, health_code=NO_CODE), "admit", rules="R251")


def test_s4_a_pass_zone_without_an_index_is_the_instruments_word():
    expect(NORMAL, entering("resident", zone=Zone.PASS, index_c=None), "admit")
    expect(
        NORMAL,
        entering("resident", zone=Zone.PASS, index_c=float("nan")),
        "admit_and_report",
        tell="community",
    )


def test_r022_who_was_released_from_observation_is_measured_on_leaving_too():
    expect(NORMAL, leaving("released"), "admit", rules="R022 R001")
    expect(NORMAL, leaving("released", **UNMEASURED), "recheck", rules="R022 R017")


def test_r206_staff_is_asked_to_tell_of_guests_at_home():
    expect(NORMAL, entering("property_staff"), "admit", rules="R206 R014", say="declare_guests")
