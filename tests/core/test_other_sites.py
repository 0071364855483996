"""Rules for other kinds of site than a compound: each is a site file, and is held to it.

A school, a hospital, a building site or a road post could put Gatepost at its gate. What its rule
asks of a gate is then enforced by these lines; what is left to people, the catalogue says.
"""

import pytest

from gatepost.core.facts import Mask
from gatepost.core.regime import Notice
from gatepost.core.rules import decide

from .regimes_for_tests import (
    HOT,
    NO_CODE,
    OFFICES,
    RED,
    UNMEASURED,
    YELLOW,
    changed,
    entering,
    expect,
    leaving,
    negative,
)

SCHOOL = """\
[limits]
index_c = 36.99                         # below 37 (R016)

[choices]
mask = "must"
visitors = "register"
vehicles = "never"                      # R086 R094
couriers = "drop_zone"                  # R094

[[entry]]                               # who repairs something (R016)
who = ["works"]
may = "works"
checks = ["isolation", "mask", "temperature", "health_code", "registered"]
rules = ["R016"]
if.mask_unknown = { then = "refer", rules = ["R016"], say = ["wear_mask"] }

[[entry]]                               # pupils and teachers (R045 R046)
who = ["resident"]
may = "admit"
checks = ["isolation", "mask", "temperature", "health_code", "trip_card", "risk_area"]
rules = ["R046"]
if.isolated = { then = "deny", rules = ["R045"], tell = ["community promptly"] }
if.coded = { then = "deny", rules = ["R045", "R046"], say = ["rest_at_home"] }
if.coded_tested = { then = "admit_and_report", rules = ["R046"], tell = ["cdc promptly"] }
if.hot = { then = "deny", rules = ["R046"], say = ["see_doctor"] }
if.risk_area = { then = "deny", rules = ["R045"], say = ["rest_at_home"] }
if.risk_area_tested = { then = "deny", rules = ["R045"], say = ["rest_at_home"] }

[[entry]]                               # back after an illness, with the hospital's word (R130)
who = ["released"]
may = "admit"
checks = ["isolation", "mask", "temperature", "registered"]
rules = ["R130"]
if.unregistered = { then = "refer", rules = ["R130"], say = ["register_first"] }

[[entry]]                               # who must come in: by real name (R086)
who = ["visitor"]
may = "visitors"
checks = ["isolation", "mask", "temperature", "health_code", "trip_card", "risk_area"]
rules = ["R086"]
if.trip_unknown = { then = "refer", rules = ["R086"], say = ["show_code"] }
"""
HOSPITAL = """\
[[entry]]
who = ["visitor"]
may = "visitors"
checks = ["temperature", "health_code", "mask"]
if.hot = { then = "refer", rules = ["R032", "R190"], tell = ["property_office at once"] }
if.coded = { then = "refer", rules = ["R032", "R044"], tell = ["property_office at once"] }
if.coded_tested = { then = "refer", rules = ["R032", "R044"], tell = ["property_office at once"] }
"""
BUILDING_SITE = """\
[choices]
visitors = "turn_back"

[findings]
hot = { then = "refer", rules = ["R188"], tell = ["street at once", "cdc at once"] }
risk_area = { then = "refer", rules = ["R188"], tell = ["street at once", "cdc at once"] }

[[entry]]                               # registered is: with proof of completed isolation (R088)
who = ["works"]
may = "works"
checks = ["isolation", "mask", "temperature", "health_code", "risk_area", "registered"]
rules = ["R088"]
if.unregistered = { then = "deny", rules = ["R088"], say = ["register_first"] }

[[entry]]
who = ["unknown"]
may = "deny"
rules = ["R088"]

[[entry]]
who = ["vehicle"]
may = "redirect"
rules = ["R095"]
say = ["stay_in_cab"]
"""


@pytest.fixture
def school(tmp_path):
    return changed("normal", tmp_path, SCHOOL)


@pytest.fixture
def hospital(tmp_path):
    return changed("normal", tmp_path, HOSPITAL)


@pytest.fixture
def building_site(tmp_path):
    return changed("normal", tmp_path, BUILDING_SITE)


# -------------------- schools, kindergartens


def test_r016_a_repair_worker_enters_a_school_below_37_known_and_masked(school):
    known = {"registered": True, "works_inside": 0}
    expect(school, entering("works", index_c=36.9, **known), "admit", rules="R016")
    expect(school, entering("works", index_c=37.0, **known), "deny", tell=OFFICES)
    unknown = entering("works", registered=False, works_inside=0)
    expect(school, unknown, "refer", say="register_first")
    bare = entering("works", mask=Mask.NOT_WORN, **known)
    expect(school, bare, "deny", rules="R153", say="wear_mask")
    unseen = entering("works", mask=Mask.UNKNOWN, **known)
    expect(school, unseen, "refer", rules="R016", say="wear_mask")


def test_r045_who_is_not_green_or_was_in_a_risk_area_or_is_observed_comes_back_later(school):
    expect(school, entering("resident"), "admit")
    for person in (
        entering("resident", health_code=YELLOW),
        entering("resident", trip_card=RED),
        entering("resident", risk_area_days=13),
        entering("resident", risk_area_days=13, test=negative("2022-04-03T09:00")),
    ):
        expect(school, person, "deny", rules="R045", say="rest_at_home")
    listed = entering("resident", isolated=True)
    expect(school, listed, "deny", rules="R045", tell="community", say="no_entry")


def test_r046_who_is_not_in_order_stays_away_or_brings_a_negative_test(school):
    expect(school, entering("resident", health_code=RED), "deny", rules="R046")
    expect(school, entering("resident", **HOT), "deny", rules="R046", say="see_doctor")
    tested = entering("resident", health_code=YELLOW, test=negative("2022-04-02T12:00"))
    expect(school, tested, "admit_and_report", rules="R046", tell="cdc")


def test_r130_who_was_ill_comes_back_when_the_certificate_was_seen(school):
    expect(school, entering("released", registered=True), "admit", rules="R130")
    for unseen in (None, False):
        person = entering("released", registered=unseen)
        expect(school, person, "refer", rules="R130", say="register_first")


def test_r086_no_stranger_enters_a_school_and_who_must_is_known_masked_and_green(school):
    expect(school, entering("visitor", registered=True), "admit", rules="R086")
    expect(school, entering("visitor", registered=False), "refer", say="register_first")
    uncarded = entering("visitor", registered=True, trip_card=NO_CODE)
    expect(school, uncarded, "refer", rules="R086", say="show_code")
    bare = entering("visitor", registered=True, mask=Mask.NOT_WORN)
    expect(school, bare, "deny", say="wear_mask")
    for stranger in (entering("unknown"), entering("vehicle", registered=True)):
        assert not decide(stranger, school).release


def test_r094_r096_parcels_papers_and_lorries_stop_at_the_door(school):
    expect(school, entering("courier"), "redirect", rules="R089 R090", say="drop_zone")
    expect(school, entering("vehicle", registered=True), "deny", rules="R100")


def test_r020_at_a_kindergarten_outsiders_are_noted_and_staff_is_masked_and_measured(tmp_path):
    lines = """\
[choices]
mask = "must"
visitors = "register"

[[entry]]
who = ["property_staff"]
may = "admit"
checks = ["isolation", "mask", "temperature"]
rules = ["R020"]
if.mask_unknown = { then = "refer", rules = ["R020"], say = ["wear_mask"] }
"""
    regime = changed("normal", tmp_path, lines)
    expect(regime, entering("visitor", registered=True), "admit")
    expect(regime, entering("visitor", registered=False), "refer", say="register_first")
    expect(regime, entering("property_staff"), "admit", rules="R020")
    for mask in (Mask.NOT_WORN, Mask.UNKNOWN):
        assert not decide(entering("property_staff", mask=mask), regime).release
    assert not decide(entering("property_staff", **UNMEASURED), regime).release


# -------------------- companies, hospitals, care homes


def test_r028_a_company_turns_away_who_is_hot_and_names_the_fever_clinic(tmp_path):
    regime = changed("normal", tmp_path, '[choices]\nhot_resident = "refuse"\n')
    for category in ("resident", "visitor", "sanitation", "works"):
        hot = entering(category, registered=True, works_inside=0, **HOT)
        decision = decide(hot, regime)
        assert decision.outcome.word == "deny"
        assert "see_doctor" in decision.say


def test_r032_at_a_hospital_fever_or_a_code_that_is_not_green_waits_for_a_guide(hospital):
    expect(hospital, entering("visitor", registered=True), "admit")
    for person in (
        entering("visitor", registered=True, **HOT),
        entering("visitor", registered=True, health_code=YELLOW),
        entering("visitor", registered=True, health_code=RED, test=negative("2022-04-03T09:00")),
    ):
        expect(
            hospital, person, "refer", rules="R032", tell="property_office", say="wait_for_staff"
        )


def test_r044_a_hospitals_command_is_told_at_once_of_each_yellow_and_red_code(hospital):
    for code in (YELLOW, RED):
        person = entering("visitor", registered=True, health_code=code)
        decision = expect(hospital, person, "refer", rules="R044", tell="property_office")
        assert decision.tell == (Notice("property_office", 0),)


def test_r190_a_hospitals_command_hears_of_a_fever_within_half_an_hour(hospital):
    fever = entering("visitor", registered=True, **HOT)
    decision = expect(hospital, fever, "refer", rules="R190", tell="property_office")
    assert all(notice.within_s <= 30 * 60 for notice in decision.tell)


def test_r087_a_care_home_tests_who_comes_and_keeps_out_for_14_days_who_was_away(tmp_path):
    lines = """\
[[entry]]
who = ["visitor", "resident"]
may = "admit"
checks = ["isolation", "mask", "temperature", "health_code", "risk_area", "test", "registered"]
rules = ["R087"]
if.risk_area = { then = "deny", rules = ["R087"] }
if.risk_area_tested = { then = "deny", rules = ["R087"] }
"""
    regime = changed("normal", tmp_path, lines)
    known = {"registered": True, "test": negative("2022-04-03T09:00")}
    for category in ("visitor", "resident"):
        expect(regime, entering(category, **known), "admit", rules="R087")
        untested = entering(category, registered=True)
        expect(regime, untested, "refer", say="bring_test")
        expect(regime, entering(category, risk_area_days=14, **known), "deny", rules="R087")
        expect(regime, entering(category, risk_area_days=15, **known), "admit")


# -------------------- building sites, roads, travel


def test_r088_a_building_site_keeps_strangers_out_and_asks_for_proof_of_isolation(building_site):
    known = {"works_inside": 0}
    expect(building_site, entering("works", registered=True, **known), "admit", rules="R088")
    for unseen in (None, False):
        person = entering("works", registered=unseen, **known)
        expect(building_site, person, "deny", rules="R088", say="register_first")
    expect(building_site, entering("unknown"), "deny", rules="R088")
    expect(building_site, entering("visitor", registered=True), "deny")


def test_r095_at_a_building_site_drivers_stay_in_their_cab(building_site):
    for person in (entering("vehicle", registered=True), entering("vehicle")):
        expect(building_site, person, "redirect", rules="R095", say="stay_in_cab")


def test_r188_of_a_fever_street_and_authority_hear_at_once_and_the_person_is_kept_apart(
    building_site,
):
    known = {"registered": True, "works_inside": 0}
    for person in (entering("works", **HOT, **known), entering("works", risk_area_days=2, **known)):
        expect(building_site, person, "refer", rules="R188", tell="street cdc")


def test_r049_a_road_post_looks_in_its_own_order_and_tells_the_street_of_hits(tmp_path):
    lines = """\
sequence = [
  "mask", "temperature", "health_code", "risk_area", "isolation", "trip_card", "test", "pass",
  "registered", "escort", "quota", "works", "capacity",
]

[findings]
risk_area = { then = "refer", rules = ["R049"], tell = ["street at once"], say = ["bring_test"] }

[[entry]]
who = ["vehicle"]
may = "admit"
checks = ["mask", "temperature", "health_code", "risk_area"]
rules = ["R049"]
"""
    regime = changed("normal", tmp_path, lines)
    person = entering("vehicle", risk_area_days=5)
    expect(regime, person, "refer", rules="R049", tell="street", say="bring_test")
    passed = expect(regime, entering("vehicle"), "admit", rules="R049")
    assert passed.rules == ("R049", "R158", "R001", "R017")


def test_r062_r063_where_an_order_says_so_one_leaves_with_approval_and_a_test_alone(tmp_path):
    lines = """\
[[exit]]                                # registered is: approved by the employer, or the authority
who = ["resident"]
may = "admit"
checks = ["isolation", "registered", "test"]
rules = ["R062", "R063"]
if.unregistered = { then = "deny", rules = ["R063"], say = ["go_out_less"] }
if.no_test = { then = "deny", rules = ["R062"], say = ["bring_test"] }
"""
    regime = changed("control-window", tmp_path, lines)
    tested = {"test": negative("2022-04-01T12:00")}
    expect(regime, leaving("resident", registered=True, **tested), "admit", rules="R062 R063")
    expect(regime, leaving("resident", **tested), "deny", rules="R063", say="go_out_less")
    old = {"test": negative("2022-04-01T11:59")}
    expect(regime, leaving("resident", registered=True, **old), "deny", rules="R062")
