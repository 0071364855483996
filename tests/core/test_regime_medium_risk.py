"""Medium risk, as 002 part 6 orders it: closed management, one card a household, escorts."""

import pytest

from gatepost.core.facts import Mask, Pass

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
    shipped,
)

MEDIUM = shipped("medium-risk")
LIVING_HERE = ("resident", "tenant", "guardian", "released")
GUEST = {"registered": True, "escort": "p1"}


# ----------------------------------------------------------------- one card, one person, two days


@pytest.mark.parametrize("category", LIVING_HERE)
def test_r064_a_household_that_was_not_out_yet_goes_out_with_its_pass(category):
    person = leaving(category, household_last_exit=None)
    expect(MEDIUM, person, "admit", rules="R064 R065", say="go")


@pytest.mark.parametrize(
    ("last_exit", "outcome"),
    [
        ("2022-04-03T08:00", "deny"),  # today
        ("2022-04-02T00:00", "deny"),  # yesterday, from its first minute on
        ("2022-04-02T23:59", "deny"),
        ("2022-04-01T23:59", "admit"),  # two days of the calendar ago, 36 hours
        ("2022-03-20T12:00", "admit"),
    ],
)
def test_r065_one_person_of_a_household_every_two_days_counted_in_days_of_the_site(
    last_exit, outcome
):
    person = leaving("resident", household_last_exit=at(last_exit))
    say = "go" if outcome == "admit" else "quota_used"
    expect(MEDIUM, person, outcome, rules="R065", say=say)


def test_r065_the_days_of_the_quota_turn_at_the_sites_midnight_and_not_at_that_of_utc():
    out = {"household_last_exit": at("2022-04-01T23:59")}  # 15:59 UTC
    before = leaving("resident", now=at("2022-04-02T23:59"), **out)
    expect(MEDIUM, before, "deny", rules="R065", reason="over_quota")
    # A minute of midnight later it is two days of the site, and in UTC still one.
    after = leaving("resident", now=at("2022-04-03T00:00"), **out)
    expect(MEDIUM, after, "admit")


def test_r065_a_site_in_another_zone_counts_its_own_days(tmp_path):
    regime = changed("medium-risk", tmp_path, 'timezone = "UTC"\n')
    person = leaving(
        "resident",
        household_last_exit=at("2022-04-02T07:59"),  # in UTC the 1st, in Shanghai the 2nd
        now=at("2022-04-03T12:00"),
    )
    expect(regime, person, "admit")
    expect(MEDIUM, person, "deny")


def test_r065_a_site_may_count_three_days(tmp_path):
    regime = changed("medium-risk", tmp_path, "[limits]\nquota_days = 3\n")
    expect(regime, leaving("resident", household_last_exit=at("2022-04-01T23:59")), "deny")
    expect(regime, leaving("resident", household_last_exit=at("2022-03-31T23:59")), "admit")


def test_r064_a_voucher_is_an_outing_beyond_the_households_turn():
    out = {"household_last_exit": at("2022-04-03T08:00")}
    expect(MEDIUM, leaving("resident", vouchers=1, **out), "admit")
    expect(MEDIUM, leaving("resident", vouchers=0, **out), "deny")


def test_r064_whose_household_nobody_knows_shows_a_pass_first():
    for shown in (None, Pass("p9", household=None, valid=True), Pass("p1", "h1", valid=None)):
        expect(MEDIUM, leaving("resident", shown=shown), "refer", rules="R064", say="show_pass")


def test_r067_a_pass_that_is_not_valid_lets_nobody_out_or_in():
    bad = Pass("p1", household="h1", valid=False)
    expect(MEDIUM, leaving("resident", shown=bad), "deny", rules="R067", say="unknown_pass")
    expect(MEDIUM, entering("resident", shown=bad), "deny", rules="R067", say="unknown_pass")


@pytest.mark.parametrize(
    "person",
    [
        leaving("resident", household_last_exit=at("2022-04-01T08:00"), now=None),
        leaving("resident", household_last_exit=at("2022-04-03T12:01")),  # the clock went back
    ],
)
def test_without_a_clock_to_be_trusted_the_quota_is_for_staff_to_count(person):
    decision = expect(MEDIUM, person, "refer", rules="ours", say="wait_for_staff")
    assert decision.reason == "no_clock"


def test_r065_who_needs_no_turn_is_not_asked_for_the_household():
    for category in ("property_staff", "medical", "supply", "visitor"):
        expect(MEDIUM, leaving(category, shown=None), "admit")


def test_r070_a_site_may_let_residents_go_out_freely(tmp_path):
    regime = changed("medium-risk", tmp_path, '[choices]\ngoing_out = "free"\n')
    person = leaving("resident", shown=None, household_last_exit=NOON)
    expect(regime, person, "admit", rules="R070")


# ----------------------------------------------------------------------------------- who comes in


@pytest.mark.parametrize("category", LIVING_HERE)
def test_r163_who_lives_here_comes_in_measured_and_is_asked_for_no_code(category):
    expect(MEDIUM, entering(category, health_code=NO_CODE), "admit", rules="R163 R001")


def test_r287_for_a_hot_resident_the_work_team_is_called():
    person = entering("resident", index_c=37.4)
    expect(MEDIUM, person, "refer", rules="R287", tell="community work_team", say="wait_for_staff")
    expect(MEDIUM, entering("resident", index_c=37.3), "admit")


@pytest.mark.parametrize(
    ("option", "outcome", "rule", "tell"),
    [
        ("home", "admit_and_report", "R005", "community"),
        ("refuse", "deny", "R006", "government_department residents_committee"),
    ],
)
def test_r005_or_r006_a_site_says_where_a_hot_resident_goes(tmp_path, option, outcome, rule, tell):
    regime = changed("medium-risk", tmp_path, f'[choices]\nhot_resident = "{option}"\n')
    expect(regime, entering("resident", **HOT), outcome, rules=rule, tell=tell)


@pytest.mark.parametrize("category", ["resident", "visitor", "medical"])
def test_r154_who_wears_no_mask_is_turned_back_and_who_may_wear_one_is_reminded(category):
    without = entering(category, mask=Mask.NOT_WORN, **GUEST)
    expect(MEDIUM, without, "deny", rules="R153 R154", say="wear_mask")
    unseen = entering(category, mask=Mask.UNKNOWN, **GUEST)
    expect(MEDIUM, unseen, "admit", say="go wear_mask")


def test_r078_a_returned_resident_is_let_in_to_be_observed_at_home():
    expect(
        MEDIUM,
        entering("returned_resident"),
        "admit_and_report",
        rules="R078 R115",
        tell="community health_department",
        say="rest_at_home",
    )
    expect(
        MEDIUM, entering("returned_resident", **HOT), "refer", rules="R287",
        tell="community health_department work_team",
    )  # fmt: skip


def test_r115_a_returned_resident_under_observation_does_not_go_out_alone():
    person = leaving("returned_resident")
    expect(MEDIUM, person, "refer", rules="R115 R126", tell="community work_team", say="stay_home")


def test_r077_a_registered_visitor_comes_in_with_somebody_who_brings_them_in():
    expect(MEDIUM, entering("visitor", **GUEST), "admit", rules="R077")
    expect(MEDIUM, entering("vehicle", **GUEST), "admit", rules="R077")


def test_r077_a_visitor_without_an_escort_is_not_let_in():
    alone = entering("visitor", registered=True, escort=None)
    expect(MEDIUM, alone, "deny", rules="R077", say="bring_escort", reason="no_escort")


@pytest.mark.parametrize("registered", [False, None])
def test_r079_an_escorted_visitor_who_is_not_registered_is_not_let_in(registered):
    person = entering("visitor", registered=registered, escort="p1")
    expect(MEDIUM, person, "deny", rules="R077 R079", say="register_first")


@pytest.mark.parametrize("code", [YELLOW, RED])
@pytest.mark.parametrize("category", ["visitor", "vehicle"])
def test_r004_an_escort_does_not_help_against_a_yellow_or_red_code(category, code):
    person = entering(category, health_code=code, **GUEST)
    expect(MEDIUM, person, "deny", rules="R004 R033", tell="community")


def test_r077_a_hot_visitor_is_not_let_in_and_the_work_team_is_told():
    person = entering("visitor", **GUEST, **HOT)
    expect(MEDIUM, person, "deny", rules="R006 R287", tell="community work_team", say="see_doctor")
    expect(MEDIUM, entering("visitor", **GUEST, **UNMEASURED), "recheck", rules="R017")


def test_r115_a_visitor_from_a_risk_area_waits_for_staff():
    person = entering("visitor", risk_area_days=14, **GUEST)
    expect(MEDIUM, person, "refer", rules="R115 R078", tell="community street")
    expect(MEDIUM, entering("visitor", risk_area_days=15, **GUEST), "admit")


def test_r079_who_is_not_known_is_not_let_in():
    expect(MEDIUM, entering("unknown", **GUEST), "deny", rules="R079", say="residents_only")


def test_r090_goods_are_left_at_the_fixed_place():
    expect(MEDIUM, entering("courier", **GUEST), "redirect", rules="R090", say="drop_zone")


def test_r085_works_are_stopped():
    person = entering("works", works_inside=0, **GUEST)
    expect(MEDIUM, person, "deny", rules="R085", say="works_stopped")


def test_r083_a_site_may_let_four_workers_in(tmp_path):
    regime = changed("medium-risk", tmp_path, '[choices]\nworks = "limited"\n')
    expect(regime, entering("works", works_inside=3, **GUEST), "admit", rules="R083")
    expect(regime, entering("works", works_inside=4, **GUEST), "deny", say="works_full")


def test_r013_property_staff_above_37_3_or_from_a_risk_area_stays_off_duty():
    expect(MEDIUM, entering("property_staff"), "admit", rules="R014 R015")
    tested = {"risk_area_days": 1, "test": negative("2022-04-02T12:00")}
    for finding in (HOT, {"risk_area_days": 1}, tested):
        person = entering("property_staff", **finding)
        expect(MEDIUM, person, "deny", rules="R013", tell="community", say="off_duty")


@pytest.mark.parametrize("category", ["sanitation", "medical", "epidemic_control", "supply"])
def test_r109_who_is_needed_comes_and_goes(category):
    expect(MEDIUM, entering(category), "admit", rules="R109")
    expect(MEDIUM, leaving(category, **UNMEASURED), "admit", rules="R109")
    expect(MEDIUM, entering(category, **HOT), "refer", rules="R287", tell="work_team")


# ------------------------------------------------------------------------- who stays where they are


def test_r117_a_close_contact_is_isolated_centrally_and_neither_comes_nor_goes_alone():
    expect(MEDIUM, entering("close_contact"), "refer", rules="R117", tell="community street")
    person = leaving("close_contact")
    expect(MEDIUM, person, "deny", rules="R117", tell="community work_team", say="stay_home")


def test_r118_a_site_may_let_close_contacts_stay_at_home(tmp_path):
    regime = changed("medium-risk", tmp_path, '[choices]\nclose_contact = "home"\n')
    person = entering("close_contact")
    expect(regime, person, "admit_and_report", rules="R118", tell="community street")


def test_r114_a_sealed_building_stays_sealed():
    person = leaving("sealed_building")
    expect(MEDIUM, person, "deny", rules="R114", tell="community work_team", say="stay_home")
    expect(MEDIUM, entering("sealed_building"), "refer", rules="R114", tell="community work_team")


@pytest.mark.parametrize("category", ["resident", "visitor", "medical"])
def test_r115_an_isolated_person_is_not_let_out_with_or_without_a_turn(category):
    person = leaving(category, isolated=True, vouchers=3)
    expect(MEDIUM, person, "deny", rules="R115", tell="community work_team", say="stay_home")


def test_r119_an_isolated_resident_outside_is_let_home_and_the_work_team_is_told():
    person = entering("resident", isolated=True)
    expect(MEDIUM, person, "admit_and_report", rules="R119", tell="community work_team")
    guest = entering("visitor", isolated=True, **GUEST)
    expect(MEDIUM, guest, "deny", rules="R115", tell="community work_team")


def test_r291_an_emergency_goes_out_and_the_work_team_has_a_doctor_come():
    person = leaving("emergency", shown=None, household_last_exit=NOON, **HOT)
    expect(MEDIUM, person, "admit_and_report", rules="R287 R291", tell="community work_team")
    expect(
        MEDIUM,
        leaving("emergency", isolated=True),
        "refer",
        rules="R128",
        tell="community work_team",
    )
    expect(
        MEDIUM,
        entering("emergency", **HOT),
        "admit_and_report",
        rules="R108",
        tell="community work_team",
    )


def test_r039_a_resident_with_a_red_code_is_seen_by_staff_both_ways():
    person = leaving("resident", health_code=RED)
    expect(MEDIUM, person, "refer", rules="R039", tell="community")
    expect(MEDIUM, entering("resident", health_code=RED), "refer", rules="R038", tell="community")


def test_r077_a_visitor_who_leaves_is_let_go_and_written_down():
    expect(MEDIUM, leaving("visitor", **UNMEASURED), "admit", rules="R077")


def test_r022_who_was_released_from_observation_is_measured_on_leaving_where_others_are_not():
    expect(MEDIUM, leaving("resident", **UNMEASURED), "admit", rules="R010")
    expect(MEDIUM, leaving("released", **UNMEASURED), "recheck", rules="R017")
    expect(MEDIUM, leaving("released"), "admit", rules="R022 R065")
    expect(MEDIUM, leaving("released", **HOT), "refer", rules="R287", tell="community work_team")
