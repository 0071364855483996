"""Lock-down, as 004 orders it: exempt roles alone go out, nobody from outside comes in."""

import pytest

from gatepost.core.facts import Mask
from gatepost.core.regime import in_force
from gatepost.wiring.regimes import load

from .regimes_for_tests import (
    GREEN,
    HOT,
    NO_CODE,
    NOON,
    RED,
    UNMEASURED,
    YELLOW,
    at,
    changed,
    entering,
    expect,
    leaving,
    negative,
    shipped,
)

LOCKDOWN = shipped("lockdown")
LIVING_HERE = ("resident", "tenant", "guardian", "released")
EXEMPT = ("property_staff", "sanitation", "medical", "epidemic_control", "supply")
OUTSIDERS = ("visitor", "vehicle", "courier", "works", "unknown")
GUEST = {"registered": True, "escort": "p1", "works_inside": 0, "vouchers": 3}
TESTED = {"test": negative("2022-04-02T12:00")}


# --------------------------------------------------------------------------------------- going out


@pytest.mark.parametrize("category", LIVING_HERE)
def test_r107_nobody_who_lives_here_goes_out_voucher_or_test_or_not(category):
    person = leaving(category, vouchers=3, household_last_exit=None, **TESTED)
    expect(LOCKDOWN, person, "deny", rules="R107", say="stay_home", reason="category")


@pytest.mark.parametrize("category", ["returned_resident", "close_contact", "sealed_building"])
def test_r107_who_is_observed_does_not_go_out_and_the_community_is_told(category):
    expect(LOCKDOWN, leaving(category), "deny", rules="R107", tell="community", say="stay_home")


@pytest.mark.parametrize("category", EXEMPT)
def test_r107_the_exempt_roles_go_out_masked_measured_and_written_down(category):
    expect(LOCKDOWN, leaving(category), "admit", rules="R107 R012 R161 R153", say="go")


@pytest.mark.parametrize("category", EXEMPT)
def test_r012_no_exempt_role_is_exempt_from_being_measured(category):
    expect(LOCKDOWN, leaving(category, **UNMEASURED), "recheck", rules="R012")
    last = leaving(category, attempts_left=0, **UNMEASURED)
    expect(LOCKDOWN, last, "refer", rules="R012 ours", say="wait_for_staff")
    expect(LOCKDOWN, entering(category, **UNMEASURED), "recheck", rules="R012")


@pytest.mark.parametrize("category", EXEMPT)
def test_r153_no_exempt_role_is_exempt_from_the_mask(category):
    for person in (leaving(category, mask=Mask.NOT_WORN), entering(category, mask=Mask.NOT_WORN)):
        expect(LOCKDOWN, person, "deny", rules="R153", say="wear_mask", reason="no_mask")
    expect(LOCKDOWN, leaving(category, mask=Mask.UNKNOWN), "admit", say="go wear_mask")


@pytest.mark.parametrize("category", EXEMPT)
def test_r011_hot_on_leaving_staff_brings_them_to_the_hospital(category):
    expect(LOCKDOWN, leaving(category, index_c=37.3), "admit")
    person = leaving(category, index_c=37.4)
    expect(LOCKDOWN, person, "refer", rules="R011 R287", tell="community work_team")


@pytest.mark.parametrize("category", [*LIVING_HERE, *EXEMPT])
def test_r107_an_isolated_person_is_not_let_out_exempt_or_not(category):
    person = leaving(category, isolated=True)
    expect(LOCKDOWN, person, "deny", rules="R107", tell="community", say="stay_home")


def test_r291_an_acute_patient_leaves_with_a_medical_institution():
    person = leaving("emergency", shown=None, mask=Mask.NOT_WORN, **HOT)
    expect(LOCKDOWN, person, "admit_and_report", rules="R107 R291 R287", tell="community work_team")


def test_r128_an_isolated_acute_patient_is_fetched():
    person = leaving("emergency", isolated=True)
    expect(LOCKDOWN, person, "refer", rules="R128 R287", tell="community work_team")


@pytest.mark.parametrize("category", OUTSIDERS)
def test_r107_who_does_not_live_here_and_is_inside_waits_for_staff(category):
    expect(LOCKDOWN, leaving(category, **GUEST), "refer", rules="R107 ours", tell="community")


def test_r065_a_site_may_go_over_to_a_household_quota(tmp_path):
    regime = changed("lockdown", tmp_path, '[choices]\ngoing_out = "quota"\n')
    out = at("2022-04-01T23:59")
    expect(regime, leaving("resident", household_last_exit=out), "admit", rules="R065 R012")
    late = leaving("resident", household_last_exit=at("2022-04-02T00:00"))
    expect(regime, late, "deny", say="quota_used")


# --------------------------------------------------------------------------------------- coming in


@pytest.mark.parametrize("category", LIVING_HERE)
def test_r012_who_lives_here_comes_home_measured_and_masked_and_is_asked_for_no_code(category):
    person = entering(category, health_code=NO_CODE, trip_card=NO_CODE, test=None)
    expect(LOCKDOWN, person, "admit", rules="R012 R161 R153")
    expect(LOCKDOWN, entering(category, **UNMEASURED), "recheck", rules="R012")
    bare = entering(category, mask=Mask.NOT_WORN)
    expect(LOCKDOWN, bare, "deny", rules="R153", say="wear_mask")


@pytest.mark.parametrize(
    ("option", "outcome", "rule", "tell"),
    [
        ("hospital", "refer", "R011", "community work_team"),
        ("home", "admit_and_report", "R005", "community"),
        ("refuse", "deny", "R006", "government_department residents_committee"),
    ],
)
def test_r011_a_hot_resident_is_brought_to_the_hospital_unless_a_site_says_otherwise(
    tmp_path, option, outcome, rule, tell
):
    regime = changed("lockdown", tmp_path, f'[choices]\nhot_resident = "{option}"\n')
    expect(regime, entering("resident", index_c=37.4), outcome, rules=rule, tell=tell)
    expect(regime, entering("resident", index_c=37.3), "admit")


def test_r123_a_returned_resident_comes_home_and_is_reported():
    person = entering("returned_resident")
    expect(LOCKDOWN, person, "admit_and_report", rules="R123", tell="community health_department")
    same = entering("resident", risk_area_days=14)
    expect(LOCKDOWN, same, "admit_and_report", rules="R121", tell="community health_department")


@pytest.mark.parametrize("category", ["visitor", "vehicle", "unknown"])
def test_r075_nobody_from_outside_comes_in_green_cool_registered_and_escorted(category):
    person = entering(category, **GUEST, **TESTED)
    expect(LOCKDOWN, person, "deny", rules="R075", say="residents_only", reason="category")


@pytest.mark.parametrize("known", [{}, GUEST, {**GUEST, **TESTED, "health_code": GREEN}])
def test_r091_a_courier_goes_to_the_drop_point_whatever_they_show(known):
    person = entering("courier", **known)
    expect(LOCKDOWN, person, "redirect", rules="R091 R075", say="drop_zone")


def test_r075_works_are_stopped():
    person = entering("works", **GUEST)
    expect(LOCKDOWN, person, "deny", rules="R075 R085", say="works_stopped")


def test_r011_of_a_hot_visitor_the_community_is_told_though_they_stay_outside():
    person = entering("visitor", **HOT)
    expect(LOCKDOWN, person, "deny", rules="R075 R011", tell="community", say="residents_only")


@pytest.mark.parametrize("code", [YELLOW, RED])
def test_r038_a_yellow_or_red_code_that_is_known_is_for_staff_and_community(code):
    person = entering("resident", health_code=code)
    expect(LOCKDOWN, person, "refer", rules="R038", tell="community")
    guest = entering("visitor", health_code=code)
    expect(LOCKDOWN, guest, "deny", rules="R075", tell="community")


@pytest.mark.parametrize("category", EXEMPT)
def test_r012_an_exempt_role_comes_in_masked_measured_and_written_down(category):
    expect(LOCKDOWN, entering(category), "admit", rules="R012 R161")
    hot = entering(category, **HOT)
    if category == "property_staff":
        expect(LOCKDOWN, hot, "deny", rules="R013 R011", tell="community", say="off_duty")
    else:
        expect(LOCKDOWN, hot, "refer", rules="R011", tell="community", say="wait_for_staff")


def test_r013_property_staff_from_a_risk_area_stays_off_duty():
    person = entering("property_staff", risk_area_days=14)
    expect(LOCKDOWN, person, "deny", rules="R013", tell="community", say="off_duty")


def test_r108_who_comes_for_an_emergency_is_let_in():
    person = entering("emergency", **UNMEASURED)
    expect(LOCKDOWN, person, "admit_and_report", rules="R108 R109", tell="community")


def test_r117_a_close_contact_goes_to_central_isolation():
    expect(LOCKDOWN, entering("close_contact"), "refer", rules="R117", tell="community street")


def test_r146_a_sealed_building_is_staffs_matter():
    expect(LOCKDOWN, entering("sealed_building"), "refer", rules="R146 R112", tell="community")


def test_r122_an_isolated_resident_who_was_out_comes_home_and_the_community_is_told():
    person = entering("resident", isolated=True)
    expect(LOCKDOWN, person, "admit_and_report", rules="R122", tell="community")


# --------------------------------------------------------------------- the order and its entrance


def test_r134_the_order_stands_from_seven_in_the_morning_until_its_end_is_told(tmp_path):
    site = tmp_path / "site.toml"
    site.write_text(
        '[window]\nstart = 2020-02-19T07:00:00\nannounced = true\nbefore = "normal"\n',
        encoding="utf-8",
    )
    regimes = load("lockdown", site)
    person = leaving("resident")
    early = in_force("lockdown", regimes, at("2020-02-19T06:59"))
    expect(early, person, "admit", rules="R070")
    for instant in (at("2020-02-19T07:00"), NOON, None):
        expect(in_force("lockdown", regimes, instant), person, "deny", rules="R107")


def test_r136_exactly_one_entrance_is_open_and_the_others_say_so(tmp_path):
    lines = '[entrances]\nopen = ["north-1"]\n'
    closed = changed("lockdown", tmp_path, lines, gate="south-1")
    for person in (entering("resident"), leaving("medical")):
        expect(closed, person, "redirect", rules="R136", say="other_entrance", reason="entrance")
    opened = changed("lockdown", tmp_path, lines, gate="north-1")
    expect(opened, leaving("medical"), "admit", rules="R107")


def test_r203_staff_is_reminded_of_the_armband():
    expect(LOCKDOWN, entering("property_staff"), "admit", rules="R203", say="wear_armband")
    leaver = expect(LOCKDOWN, leaving("property_staff"), "admit")
    assert "wear_armband" not in leaver.say


@pytest.mark.parametrize(
    ("category", "rules"),
    [
        ("returned_resident", "R107 R121"),
        ("close_contact", "R107 R117"),
        ("sealed_building", "R107 R112 R114"),
    ],
)
def test_r107_who_is_observed_stays_by_the_rule_of_their_own(category, rules):
    expect(LOCKDOWN, leaving(category), "deny", rules=rules, tell="community", say="stay_home")
