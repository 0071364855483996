"""Levels of risk, and what a site chooses of a compound's own rules."""

import pytest

from gatepost.core.facts import Category
from gatepost.core.rules import decide

from .regimes_for_tests import (
    HOT,
    NO_CODE,
    NOON,
    RED,
    YELLOW,
    changed,
    entering,
    expect,
    leaving,
    negative,
)


@pytest.mark.parametrize(
    "category",
    ["resident", "tenant", "returned_resident", "released", "visitor", "vehicle", "works"],
)
def test_r042_r043_the_code_of_every_key_group_is_looked_at(category, tmp_path):
    regime = changed("normal", tmp_path, "")
    known = {"registered": True, "works_inside": 0}
    assert decide(entering(category, **known), regime).release
    for code in (YELLOW, RED):
        coded = decide(entering(category, health_code=code, **known), regime)
        assert not coded.release
        assert "community" in {notice.who for notice in coded.tell}
    assert decide(entering(category, health_code=NO_CODE, **known), regime).say == ("show_code",)


def test_r010_a_site_may_keep_residents_out_above_38_alone(tmp_path):
    regime = changed(
        "normal", tmp_path, '[limits]\nindex_c = 38\n[choices]\nhot_resident = "refuse"\n'
    )
    expect(regime, entering("resident", index_c=38.0), "admit")
    above = entering("resident", index_c=38.01)
    expect(regime, above, "deny", tell="government_department residents_committee")


@pytest.mark.parametrize("rule", ["R052", "R054", "R055"])
def test_r052_r054_r055_a_site_may_send_who_returns_to_central_quarantine(rule, tmp_path):
    regime = changed("normal", tmp_path, '[choices]\nreturned_resident = "central"\n')
    for person in (
        entering("returned_resident"),
        entering("resident", risk_area_days=14, test=negative("2022-04-03T09:00")),
    ):
        expect(regime, person, "refer", rules=rule, tell="community street")
    expect(regime, entering("returned_resident", risk_area_days=15), "admit")


def test_r129_in_a_locked_area_nobody_moves_but_by_role(tmp_path):
    regime = changed("lockdown", tmp_path, "")
    may = {each.value for each in Category if decide(leaving(each.value), regime).release}
    assert may == {
        *("property_staff", "sanitation", "medical", "epidemic_control", "supply", "emergency")
    }


def test_r097_supplies_come_in_and_go_out_while_residents_stay(tmp_path):
    regime = changed("lockdown", tmp_path, "")
    expect(regime, entering("supply"), "admit")
    expect(regime, leaving("supply"), "admit", rules="R107")
    expect(regime, leaving("resident"), "deny", say="stay_home")


def test_r151_each_level_of_risk_has_an_answer_of_its_own(tmp_path):
    out = {
        name: decide(leaving("resident", household_last_exit=NOON), changed(name, tmp_path, ""))
        for name in ("normal", "medium-risk", "lockdown")
    }
    assert {name: decision.reason for name, decision in out.items()} == {
        "normal": "in_order",
        "medium-risk": "over_quota",
        "lockdown": "category",
    }


def test_r148_a_case_is_the_rules_of_no_case_and_more(tmp_path):
    none, case = changed("normal", tmp_path, ""), changed("case", tmp_path, "")
    guest = entering("visitor", registered=True)
    assert decide(guest, none).release
    assert not decide(guest, case).release
    for hot in (entering("resident", **HOT), entering("visitor", registered=True, **HOT)):
        assert decide(hot, case).outcome > decide(entering("resident"), case).outcome


def test_r149_three_levels_are_three_orders(tmp_path):
    regimes = [changed(name, tmp_path, "") for name in ("normal", "case", "lockdown")]
    guest, resident = entering("visitor", registered=True), leaving("resident")
    assert [decide(guest, regime).release for regime in regimes] == [True, False, False]
    assert [decide(resident, regime).release for regime in regimes] == [True, True, False]
