"""The control window, as 002 part 8 orders it: code, card, temperature, mask, and a fresh test."""

import pytest

from gatepost.core.facts import Mask
from gatepost.core.regime import in_force
from gatepost.wiring.regimes import load

from .regimes_for_tests import (
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
    sampled,
    shipped,
)

WINDOW = shipped("control-window")
LIVING_HERE = ("resident", "tenant", "guardian", "released")
TESTED = {"test": negative("2022-04-02T12:00")}  # 24 hours before noon of the 3rd
GUEST = {"registered": True, "escort": "p1", **TESTED}


# --------------------------------------------------------------------------- the test of 48 hours


@pytest.mark.parametrize("category", LIVING_HERE)
def test_r035_who_lives_here_comes_in_with_a_negative_test_of_48_hours(category):
    person = entering(category, **TESTED)
    expect(WINDOW, person, "admit", rules="R034 R035 R017", say="go")


@pytest.mark.parametrize(
    ("taken", "outcome"),
    [
        ("2022-04-01T12:01", "admit"),  # 47 h 59 min ago
        ("2022-04-01T12:00", "admit"),  # 48 h ago
        ("2022-04-01T11:59", "deny"),  # 48 h 01 min ago
    ],
)
def test_r035_a_negative_test_counts_for_48_hours_and_not_a_minute_longer(taken, outcome):
    tell = "" if outcome == "admit" else "three_person_group"
    expect(WINDOW, entering("resident", test=negative(taken)), outcome, rules="R035", tell=tell)


@pytest.mark.parametrize(
    ("taken", "outcome"),
    [
        ("2022-04-03T00:00", "admit"),  # the first minute of today, here; in UTC yesterday
        ("2022-04-03T11:59", "admit"),
        ("2022-04-02T23:59", "deny"),  # yesterday, 12 hours ago
    ],
)
def test_r035_a_sample_counts_on_its_own_day_of_the_site(taken, outcome):
    tell = "" if outcome == "admit" else "three_person_group"
    expect(WINDOW, entering("resident", test=sampled(taken)), outcome, rules="R035", tell=tell)


def test_r035_a_sample_of_the_evening_ends_at_the_sites_midnight_and_not_at_that_of_utc():
    taken = {"test": sampled("2022-04-03T07:30")}  # 23:30 UTC of the day before
    expect(WINDOW, entering("resident", now=at("2022-04-03T23:59"), **taken), "admit")
    over = entering("resident", now=at("2022-04-04T00:00"), **taken)
    expect(WINDOW, over, "deny", rules="R035 R036", tell="three_person_group")


def test_r036_a_resident_without_a_proof_is_not_let_in_and_the_three_person_group_is_told():
    person = entering("resident", test=None)
    expect(
        WINDOW, person, "deny", rules="R035 R036", tell="three_person_group", say="bring_test",
        reason="no_test",
    )  # fmt: skip


@pytest.mark.parametrize(
    "person",
    [
        entering("resident", test=negative("2022-04-03T12:01")),  # still to come
        entering("resident", test=sampled("2022-04-03T12:01")),
        entering("resident", test=negative("2022-04-03T11:00"), now=None),
        entering("resident", test=sampled("2022-04-03T11:00"), now=None),
    ],
)
def test_r035_a_test_whose_age_no_clock_can_tell_is_for_staff_to_read(person):
    expect(WINDOW, person, "refer", rules="R035 ours", say="wait_for_staff", reason="no_clock")


def test_r035_a_site_may_ask_for_24_hours(tmp_path):
    regime = changed("control-window", tmp_path, "[limits]\ntest_hours = 24\n")
    expect(regime, entering("resident", **TESTED), "admit")
    late = entering("resident", test=negative("2022-04-02T11:59"))
    expect(regime, late, "deny", tell="three_person_group")


def test_r035_residents_alone_are_asked_for_a_test():
    for category in ("property_staff", "medical", "supply"):
        expect(WINDOW, entering(category, test=None), "admit", rules="R034")
    expect(WINDOW, leaving("resident", test=None), "admit")


# ------------------------------------------------------------------ code, card, temperature, mask


@pytest.mark.parametrize("fact", ["health_code", "trip_card"])
def test_r034_code_and_card_of_who_comes_in_are_looked_at(fact):
    unknown = entering("resident", **TESTED, **{fact: NO_CODE})
    expect(WINDOW, unknown, "refer", rules="R034 R017", say="show_code")
    for code in (YELLOW, RED):
        coded = entering("resident", **TESTED, **{fact: code})
        expect(WINDOW, coded, "refer", rules="R038", tell="community")
        staff = entering("medical", **{fact: code})
        expect(WINDOW, staff, "deny", rules="R033", tell="community")


def test_r034_the_temperature_of_who_comes_and_who_goes_is_taken():
    expect(WINDOW, entering("resident", **TESTED, **UNMEASURED), "recheck", rules="R017")
    for category in ("resident", "medical", "visitor"):
        expect(WINDOW, leaving(category, **UNMEASURED), "recheck", rules="R001")
        last = leaving(category, attempts_left=0, **UNMEASURED)
        expect(WINDOW, last, "refer", rules="ours", say="wait_for_staff")


def test_r034_who_wears_no_mask_is_told_to_both_ways(tmp_path):
    for person in (
        entering("resident", mask=Mask.NOT_WORN, **TESTED),
        leaving("visitor", mask=Mask.NOT_WORN),
    ):
        expect(WINDOW, person, "admit", rules="R158", say="go wear_mask")
    regime = changed("control-window", tmp_path, '[choices]\nmask = "must"\n')
    person = entering("resident", mask=Mask.NOT_WORN, **TESTED)
    expect(regime, person, "deny", rules="R153", say="wear_mask")


def test_r011_a_hot_resident_waits_for_staff_to_bring_them_to_the_hospital():
    expect(WINDOW, entering("resident", index_c=37.3, **TESTED), "admit")
    hot = entering("resident", index_c=37.31, **TESTED)
    expect(WINDOW, hot, "refer", rules="R011", tell="community work_team")


@pytest.mark.parametrize(
    ("option", "outcome", "tell"),
    [
        ("home", "admit_and_report", "community"),
        ("refuse", "deny", "government_department residents_committee"),
    ],
)
def test_r005_or_r006_a_site_says_where_a_hot_resident_goes(tmp_path, option, outcome, tell):
    regime = changed("control-window", tmp_path, f'[choices]\nhot_resident = "{option}"\n')
    expect(regime, entering("resident", **TESTED, **HOT), outcome, tell=tell)


def test_r035_of_a_hot_resident_without_a_test_both_are_told():
    person = entering("resident", test=None, **HOT)
    tell = "community work_team three_person_group"
    expect(WINDOW, person, "deny", rules="R035 R011", tell=tell, say="bring_test")


def test_r053_a_returned_resident_needs_a_negative_test():
    expect(
        WINDOW,
        entering("returned_resident", **TESTED),
        "admit_and_report",
        rules="R051 R053 R035",
        tell="community",
    )
    expect(
        WINDOW,
        entering("returned_resident", test=None),
        "deny",
        rules="R035 R051",
        tell="community three_person_group",
    )
    # A sample alone is a resident's proof (R035), not yet that of who was in a risk area.
    only_sampled = entering("returned_resident", test=sampled("2022-04-03T09:00"))
    expect(WINDOW, only_sampled, "refer", rules="R051 R053", tell="community", say="bring_test")


def test_r007_a_hot_returned_resident_is_not_let_in_and_the_health_department_is_told():
    person = entering("returned_resident", **TESTED, **HOT)
    expect(WINDOW, person, "deny", rules="R007", tell="community health_department")


def test_r038_a_resident_from_a_risk_area_with_a_test_comes_in_and_the_community_is_told():
    person = entering("resident", risk_area_days=14, **TESTED)
    expect(WINDOW, person, "admit_and_report", rules="R051 R053", tell="community")
    expect(WINDOW, entering("resident", risk_area_days=15, **TESTED), "admit")


# --------------------------------------------------------------------------- who does not live here


@pytest.mark.parametrize("category", ["visitor", "vehicle", "unknown"])
def test_r074_nobody_from_outside_comes_in_green_cool_and_escorted_or_not(category):
    person = entering(category, **GUEST)
    expect(WINDOW, person, "deny", rules="R074", say="residents_only", reason="category")


def test_r077_a_site_that_lets_in_escorted_visitors_still_looks_at_everything(tmp_path):
    regime = changed("control-window", tmp_path, '[choices]\nvisitors = "escort"\n')
    expect(regime, entering("visitor", **GUEST), "admit", rules="R077")
    for fact in ({"health_code": RED}, {"trip_card": YELLOW}, HOT):
        expect(regime, entering("visitor", **GUEST, **fact), "deny", tell="community")
    expect(regime, entering("visitor", **{**GUEST, "escort": None}), "deny", say="bring_escort")


def test_r090_couriers_leave_goods_outside():
    expect(WINDOW, entering("courier", **GUEST), "redirect", rules="R090", say="drop_zone")


def test_r071_works_are_no_necessary_movement():
    person = entering("works", works_inside=0, **GUEST)
    expect(WINDOW, person, "deny", rules="R071", say="works_stopped")


def test_r014_hot_property_staff_stays_off_duty():
    expect(WINDOW, entering("property_staff"), "admit", rules="R034 R014")
    person = entering("property_staff", **HOT)
    expect(WINDOW, person, "deny", rules="R013 R014", tell="community", say="off_duty")


# ------------------------------------------------------------------------------------- going out


@pytest.mark.parametrize("category", [*LIVING_HERE, "returned_resident"])
def test_r071_who_lives_here_goes_out_and_is_asked_for_what_is_necessary(category):
    expect(WINDOW, leaving(category), "admit", rules="R034 R071", say="go_out_less")


def test_r251_nobody_is_kept_inside_for_want_of_a_phone():
    for category in ("resident", "visitor", "supply"):
        person = leaving(category, health_code=NO_CODE, trip_card=NO_CODE)
        expect(WINDOW, person, "admit", rules="R251")


@pytest.mark.parametrize("fact", ["health_code", "trip_card"])
def test_r038_a_yellow_code_on_leaving_is_told_of_and_keeps_residents_for_staff(fact):
    resident = leaving("resident", **{fact: YELLOW})
    expect(WINDOW, resident, "refer", rules="R039", tell="community")
    for category in ("visitor", "medical"):
        person = leaving(category, **{fact: YELLOW})
        expect(WINDOW, person, "admit_and_report", rules="R038", tell="community")


def test_r288_who_is_hot_and_leaves_is_sent_to_a_doctor():
    person = leaving("visitor", **HOT)
    expect(WINDOW, person, "admit_and_report", rules="R288", tell="community", say="see_doctor")
    expect(WINDOW, leaving("resident", **HOT), "refer", rules="R011", tell="community work_team")
    staff = leaving("medical", **HOT)
    expect(WINDOW, staff, "admit_and_report", rules="R205", tell="community", say="see_doctor")


@pytest.mark.parametrize("category", ["resident", "returned_resident", "visitor", "supply"])
def test_r124_an_isolated_person_is_not_let_out(category):
    person = leaving(category, isolated=True)
    expect(WINDOW, person, "deny", rules="R115 R124", tell="community work_team", say="stay_home")


def test_r118_a_close_contact_comes_home_to_stay():
    person = entering("close_contact")
    expect(WINDOW, person, "admit_and_report", rules="R118", tell="community street")
    expect(WINDOW, leaving("close_contact"), "deny", rules="R118", tell="community street")


def test_r112_a_sealed_building_is_staffs_matter_and_the_community_is_told():
    expect(WINDOW, entering("sealed_building"), "refer", rules="R112", tell="community")
    person = leaving("sealed_building")
    expect(WINDOW, person, "deny", rules="R112 R114", tell="community", say="stay_home")


def test_r108_an_emergency_passes_both_ways_without_a_test_or_a_code():
    bare = {"health_code": NO_CODE, "trip_card": NO_CODE, "test": None, **HOT}
    inward, outward = entering("emergency", **bare), leaving("emergency", **bare)
    expect(WINDOW, inward, "admit_and_report", rules="R108", tell="community")
    expect(WINDOW, outward, "admit_and_report", rules="R291", tell="community work_team")


# ------------------------------------------------------------------------------------ the window


def test_r133_the_window_is_in_force_from_its_first_instant_to_its_last(tmp_path):
    site = tmp_path / "site.toml"
    site.write_text(
        "[window]\nstart = 2022-04-01T00:00:00\nend = 2022-04-04T00:00:00\n"
        'before = "normal"\nthen = "case"\n',
        encoding="utf-8",
    )
    regimes = load("control-window", site)
    names = {
        text: in_force("control-window", regimes, at(text)).name
        for text in (
            "2022-03-31T23:59",
            "2022-04-01T00:00",
            "2022-04-03T23:59",
            "2022-04-04T00:00",
        )
    }
    assert names == {
        "2022-03-31T23:59": "normal",
        "2022-04-01T00:00": "control-window",
        "2022-04-03T23:59": "control-window",
        "2022-04-04T00:00": "case",
    }
    assert in_force("control-window", regimes, None).name == "control-window"
    assert in_force("control-window", {"control-window": WINDOW}, NOON) is WINDOW
