"""The named choices, where the documents contradict one another, and a site's other lines."""

import pytest

from gatepost.core.facts import Mask, Pass
from gatepost.core.rules import decide

from .regimes_for_tests import (
    HOT,
    NO_CODE,
    NOON,
    OFFICES,
    PASS,
    SHIPPED,
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


def choosing(tmp_path, regime="normal", /, **options):
    """Return a shipped regime for which a site has chosen otherwise."""
    lines = "".join(f'{name} = "{option}"\n' for name, option in options.items())
    return changed(regime, tmp_path, f"[choices]\n{lines}")


def test_r006_a_site_may_refuse_a_hot_resident_and_tell_government_and_committee(tmp_path):
    regime = choosing(tmp_path, hot_resident="refuse")
    expect(
        regime,
        entering("resident", **HOT),
        "deny",
        rules="R006",
        tell="government_department residents_committee",
        say="see_doctor",
    )


def test_r011_a_site_may_have_staff_bring_a_hot_resident_to_the_hospital(tmp_path):
    regime = choosing(tmp_path, hot_resident="hospital")
    expect(
        regime,
        entering("resident", **HOT),
        "refer",
        rules="R011 R287",
        tell="community work_team",
        say="wait_for_staff",
    )


def test_r038_a_site_may_let_in_a_yellow_resident_with_a_negative_test_of_seven_days(tmp_path):
    regime = choosing(tmp_path, red_or_yellow_tested="admit")
    tested = entering("resident", health_code=YELLOW, test=negative("2022-03-27T12:00"))
    expect(regime, tested, "admit_and_report", rules="R038", tell="community")
    too_old = entering("resident", health_code=YELLOW, test=negative("2022-03-27T11:59"))
    expect(regime, too_old, "refer", rules="R038", tell="community")


def test_r038_a_test_makes_nobody_worse_off_who_was_let_in_without_one(tmp_path):
    regime = choosing(tmp_path, red_or_yellow_resident="admit")
    for test in (None, negative("2022-04-02T12:00")):
        person = entering("resident", health_code=YELLOW, test=test)
        expect(regime, person, "admit_and_report", rules="R038", tell="community")


def test_r153_a_site_may_turn_away_who_wears_no_mask(tmp_path):
    regime = choosing(tmp_path, mask="must")
    expect(regime, entering("visitor", registered=True, mask=Mask.NOT_WORN), "deny", rules="R153")


def test_r051_where_a_site_asks_returned_residents_for_a_test_it_is_one_of_seven_days(tmp_path):
    regime = choosing(tmp_path, returned_resident="test")
    tested = {"test": negative("2022-03-28T12:00")}
    untested = {"test": negative("2022-03-27T11:59")}
    for person in (
        {"category": "returned_resident"},
        {"category": "resident", "risk_area_days": 3},
    ):
        expect(
            regime, entering(**person, **tested), "admit_and_report", rules="R051", tell="community"
        )
        expect(
            regime,
            entering(**person, **untested),
            "refer",
            rules="R051 R053",
            tell="community",
            say="bring_test",
        )


def test_r051_a_resident_from_no_risk_area_is_asked_for_no_test(tmp_path):
    regime = choosing(tmp_path, returned_resident="test")
    expect(regime, entering("resident"), "admit", rules="R001")


def test_r073_a_site_may_turn_every_visitor_back(tmp_path):
    regime = choosing(tmp_path, visitors="turn_back")
    person = entering("visitor", registered=True)
    expect(regime, person, "deny", rules="R073", say="residents_only", reason="category")


@pytest.mark.parametrize("name", SHIPPED)
def test_r246_where_a_site_names_a_capacity_a_guest_beyond_it_waits(tmp_path, name):
    lines = (
        "[limits]\ncapacity = 500\n[choices]\n"
        'visitors = "register"\nvehicles = "register"\nworks = "limited"\n'
    )
    regime = changed(name, tmp_path, lines)
    known = {"registered": True, "works_inside": 0, "test": negative("2022-04-03T09:00")}
    for category in ("visitor", "vehicle", "works"):
        expect(regime, entering(category, people_inside=499, **known), "admit")
        full = entering(category, people_inside=500, **known)
        expect(regime, full, "refer", rules="R246", say="wait_for_staff")
    expect(regime, entering("resident", people_inside=500, **known), "admit")


def test_r093_a_site_may_let_in_a_courier_whose_code_and_temperature_are_in_order(tmp_path):
    regime = choosing(tmp_path, couriers="checked")
    expect(regime, entering("courier", registered=True), "admit", rules="R093")
    expect(regime, entering("courier", registered=False), "refer", say="register_first")
    coded = entering("courier", registered=True, health_code=YELLOW)
    expect(regime, coded, "deny", rules="R004", tell=OFFICES)
    unknown = entering("courier", registered=True, health_code=NO_CODE)
    expect(regime, unknown, "refer", say="show_code")
    expect(regime, entering("courier", registered=True, **HOT), "deny", tell=OFFICES)
    listed = entering("courier", registered=True, isolated=True)
    expect(regime, listed, "deny", tell="community work_team")


def test_r084_a_site_may_stop_all_works(tmp_path):
    regime = choosing(tmp_path, works="stopped")
    person = entering("works", registered=True, works_inside=0)
    expect(regime, person, "deny", rules="R084 R085", say="works_stopped")


def test_r117_a_site_may_send_close_contacts_to_central_isolation(tmp_path):
    regime = choosing(tmp_path, close_contact="central")
    expect(regime, entering("close_contact"), "refer", rules="R117", tell="community street")


def test_r010_a_site_may_let_leave_whom_nothing_measured(tmp_path):
    regime = choosing(tmp_path, measure_on_exit="when_measured")
    expect(regime, leaving("resident", **UNMEASURED), "admit", rules="R010")


def test_r022_who_was_released_is_measured_on_leaving_whatever_a_site_chooses_for_others(tmp_path):
    regime = choosing(tmp_path, measure_on_exit="when_measured")
    expect(regime, leaving("released", **UNMEASURED), "recheck")


def test_r136_a_closed_entrance_sends_everybody_to_another(tmp_path):
    lines = '[entrances]\nopen = ["south-1"]\nrules = ["R136"]\n'
    closed = changed("normal", tmp_path, lines, gate="north-1")
    for person in (entering("resident"), leaving("visitor"), entering("medical")):
        expect(closed, person, "redirect", rules="R136", say="other_entrance", reason="entrance")
    expect(changed("normal", tmp_path, lines, gate="south-1"), entering("resident"), "admit")


def test_r108_the_emergency_passage_is_clear_at_a_closed_entrance_too(tmp_path):
    lines = '[entrances]\nopen = ["south-1"]\nrules = ["R136"]\n'
    closed = changed("normal", tmp_path, lines, gate="north-1")
    emergency = entering("emergency")
    expect(closed, emergency, "admit_and_report", rules="R108 R109", tell="community")


@pytest.mark.parametrize("regime", SHIPPED)
def test_r017_whoever_is_let_in_because_of_a_code_shows_one_in_every_regime(tmp_path, regime):
    chosen = choosing(
        tmp_path,
        regime,
        couriers="checked",
        works="limited",
        visitors="register",
        vehicles="register",
    )
    for category in ("courier", "works", "visitor", "vehicle"):
        known = {"registered": True, "works_inside": 0}
        expect(chosen, entering(category, **known), "admit")
        unknown = entering(category, health_code=NO_CODE, **known)
        expect(chosen, unknown, "refer", rules="R017", say="show_code")


@pytest.mark.parametrize("regime", SHIPPED)
def test_whom_a_site_lets_in_beyond_the_order_is_looked_at_all_the_same(tmp_path, regime):
    guests = {"visitors": "register", "vehicles": "register", "works": "limited"}
    chosen = choosing(tmp_path, regime, **guests)
    against = [
        {"health_code": YELLOW},
        {"isolated": True},
        {"shown": Pass("p1", "h1", valid=False)},
        {"risk_area_days": 3},
        HOT,
        UNMEASURED,
    ]
    for category in ("visitor", "vehicle", "works"):
        known = {"registered": True, "works_inside": 0}
        for finding in against:
            assert not decide(entering(category, **known, **finding), chosen).release, finding
        bare = decide(entering(category, mask=Mask.NOT_WORN, **known), chosen)
        assert "wear_mask" in bare.say
        assert not decide(entering(category, trip_card=YELLOW, **known), chosen).release


def test_a_choice_asks_for_the_least_and_a_site_may_ask_for_more(tmp_path):
    stricter = '[findings]\ncode_unknown = { then = "deny", rules = ["R033"] }\n'
    regime = changed("normal", tmp_path, stricter)
    person = entering("visitor", registered=True, health_code=NO_CODE)
    expect(regime, person, "deny", rules="R033", say="no_entry")


def test_r033_a_site_may_refuse_a_resident_with_a_yellow_code(tmp_path):
    regime = choosing(tmp_path, red_or_yellow_resident="refuse")
    person = entering("resident", health_code=YELLOW)
    expect(regime, person, "deny", rules="R033 ours", tell="community")


@pytest.mark.parametrize(("option", "outcome"), [("refuse", "deny"), ("admit", "admit")])
def test_r034_a_site_says_what_a_resident_without_a_code_may(tmp_path, option, outcome):
    regime = choosing(tmp_path, unknown_code=option)
    expect(regime, entering("resident", health_code=NO_CODE), outcome)


def test_r081_a_site_may_keep_returned_residents_out_until_staff_has_seen_them(tmp_path):
    regime = choosing(tmp_path, returned_resident="keep_out")
    for person in (entering("returned_resident"), entering("resident", risk_area_days=3)):
        expect(regime, person, "refer", rules="R081", tell="community street")


@pytest.mark.parametrize("choice", ["visitors", "vehicles"])
def test_r077_a_site_may_ask_that_outsiders_are_brought_in(tmp_path, choice):
    regime = choosing(tmp_path, **{choice: "escort"})
    category = choice.removesuffix("s")
    alone = entering(category, registered=True)
    expect(regime, alone, "deny", rules="R077", say="bring_escort")
    brought = entering(category, registered=True, escort="p1")
    expect(regime, brought, "admit", rules="R077")


@pytest.mark.parametrize("choice", ["visitors", "vehicles"])
def test_r075_a_site_may_let_in_nobody_from_outside(tmp_path, choice):
    regime = choosing(tmp_path, **{choice: "never"})
    person = entering(choice.removesuffix("s"), registered=True, escort="p1")
    expect(regime, person, "deny", rules="R075", say="residents_only")


def test_r064_by_quota_a_pass_that_nobody_verified_is_none(tmp_path):
    regime = choosing(tmp_path, going_out="quota")
    expect(regime, leaving("resident", shown=PASS), "admit", rules="R064 R065")
    for shown in (None, Pass("p1", household="h1", valid=None)):
        person = leaving("resident", shown=shown)
        expect(regime, person, "refer", rules="R064", say="show_pass")
    bad = leaving("resident", shown=Pass("p1", household="h1", valid=False))
    expect(regime, bad, "deny", rules="R067", say="unknown_pass")


@pytest.mark.parametrize("regime", SHIPPED)
def test_r065_in_any_regime_a_site_may_let_households_take_turns(tmp_path, regime):
    chosen = choosing(tmp_path, regime, going_out="quota")
    expect(chosen, leaving("resident", household_last_exit=at("2022-04-01T23:59")), "admit")
    today = leaving("resident", household_last_exit=NOON)
    expect(chosen, today, "deny", rules="R065", say="quota_used")
    timeless = leaving("resident", household_last_exit=NOON, now=None)
    expect(chosen, timeless, "refer", rules="ours")
    stranger = leaving("resident", shown=Pass("p1", household=None, valid=True))
    expect(chosen, stranger, "refer", rules="R064", say="show_pass")


@pytest.mark.parametrize("regime", ["normal", "case"])
def test_r107_a_site_may_let_nobody_out_but_by_role(tmp_path, regime):
    chosen = choosing(tmp_path, regime, going_out="exempt_only")
    expect(chosen, leaving("resident"), "deny", rules="R107", say="stay_home")
    assert chosen.name == regime


def test_r287_a_site_may_keep_a_hot_resident_for_the_work_team(tmp_path):
    regime = choosing(tmp_path, hot_leaving="refer")
    expect(
        regime, leaving("resident", **HOT), "refer", rules="R287 R011", tell="community work_team"
    )


def test_r039_a_site_may_keep_a_resident_with_a_yellow_code_for_staff(tmp_path):
    regime = choosing(tmp_path, red_or_yellow_leaving="refer")
    person = leaving("resident", health_code=YELLOW)
    expect(regime, person, "refer", rules="R039 R038", tell="community")


def test_a_site_changes_the_limit_and_nothing_else(tmp_path):
    regime = changed("normal", tmp_path, "[limits]\nindex_c = 37.0\n")
    expect(regime, entering("property_staff", index_c=37.0), "admit")
    expect(regime, entering("property_staff", index_c=37.1), "deny", tell="community")


# --------------------------------------------------------------------------- what is common to all


@pytest.mark.parametrize("name", SHIPPED)
def test_the_numbers_of_every_shipped_regime_are_those_of_the_documents(name):
    limits = shipped(name).limits
    assert limits.index_c == 37.3  # R004 R005 R006
    assert limits.test_hours == 48  # R035
    assert limits.long_test_days == 7  # R038 R051
    assert limits.look_back_days == 14  # R057 R115
    assert limits.quota_days == 2  # R065
    assert limits.works_inside == 4  # R083
    assert (limits.code_hours, limits.capacity) == (0, 0)  # none names a number


@pytest.mark.parametrize("name", SHIPPED)
def test_r038_unless_a_site_says_otherwise_a_test_alone_does_not_bring_a_yellow_resident_in(name):
    person = entering("resident", health_code=YELLOW, test=negative("2022-04-03T09:00"))
    expect(shipped(name), person, "refer", rules="R038 ours", tell="community")


def test_r082_workers_are_noted_by_the_passage_itself_and_need_no_other_register():
    person = entering("works", registered=None, works_inside=0)
    expect(shipped("normal"), person, "admit", rules="R083 R082")
