"""What each order asks of everybody whom it lets through, category by category."""

import pytest

from gatepost.core.facts import Mask, Pass
from gatepost.core.rules import decide

from .regimes_for_tests import (
    GREEN,
    HOT,
    NEAR,
    NO_CODE,
    RED,
    SHIPPED,
    UNMEASURED,
    YELLOW,
    entering,
    expect,
    leaving,
    negative,
    shipped,
)

HOUSEHOLD = ("resident", "tenant", "guardian")
AT_HOME = (*HOUSEHOLD, "returned_resident", "released")
HELPERS = ("sanitation", "medical", "epidemic_control", "supply")
STAFF = ("property_staff", *HELPERS)
GUESTS = ("visitor", "vehicle", "works")
OUTSIDERS = (*GUESTS, "courier", "unknown")
KNOWN = {
    "registered": True,
    "escort": "p1",
    "works_inside": 0,
    "test": negative("2022-04-02T12:00"),
}
BARE = {"mask": Mask.NOT_WORN}
BAD_PASS = {"shown": Pass("p1", "h1", valid=False)}

# Who is let in where nothing is found, by regime.
COMES_IN = {
    "normal": (*AT_HOME, *STAFF, *GUESTS, "close_contact"),
    "medium-risk": (*AT_HOME, *STAFF, "visitor", "vehicle"),
    "control-window": (*AT_HOME, *STAFF, "close_contact"),
    "case": (*AT_HOME, *STAFF, "close_contact"),
    "lockdown": (*AT_HOME, *STAFF),
}
GOES_OUT = {
    "normal": (*AT_HOME, *STAFF, *OUTSIDERS),
    "medium-risk": (*HOUSEHOLD, "released", *STAFF, *OUTSIDERS),
    "control-window": (*AT_HOME, *STAFF, *OUTSIDERS),
    "case": (*HOUSEHOLD, "released", *STAFF, *OUTSIDERS),
    "lockdown": STAFF,
}
ENTRANTS = [(name, category) for name in SHIPPED for category in COMES_IN[name]]
LEAVERS = [(name, category) for name in SHIPPED for category in GOES_OUT[name]]
EVERYBODY = {
    *AT_HOME, *STAFF, *OUTSIDERS, "close_contact", "sealed_building", "emergency",
}  # fmt: skip
MASK_IS_A_MUST = ("medium-risk", "lockdown")


def decided(name, person):
    decision = decide(person, shipped(name))
    # Who is let through and told of is reported, and nobody else.
    assert not decision.release or (decision.outcome.word == "admit") == (not decision.tell)
    return decision


@pytest.mark.parametrize("name", SHIPPED)
def test_nobody_else_is_let_through_but_in_an_emergency(name):
    inward = {
        category for category in EVERYBODY if decided(name, entering(category, **KNOWN)).release
    }
    outward = {
        category for category in EVERYBODY if decided(name, leaving(category, **KNOWN)).release
    }
    assert inward == {*COMES_IN[name], "emergency"}
    assert outward == {*GOES_OUT[name], "emergency"}


@pytest.mark.parametrize(("name", "category"), ENTRANTS)
def test_r001_r012_everybody_who_comes_in_is_measured(name, category):
    decision = decided(name, entering(category, **KNOWN, **UNMEASURED))
    assert (decision.outcome.word, decision.say) == ("recheck", ("once_more",))
    assert set(decision.rules) & {"R001", "R012"}
    near = decided(name, entering(category, **KNOWN, **NEAR))
    assert (near.outcome.word, near.say) == ("recheck", ("once_more",))
    hot = decided(name, entering(category, **KNOWN, **HOT))
    assert hot.tell
    home = name == "normal" and category in {*HOUSEHOLD, "released"}
    assert hot.release is home


@pytest.mark.parametrize(("name", "category"), ENTRANTS)
def test_r153_r158_everybody_who_comes_in_is_told_of_the_mask(name, category):
    bare = decided(name, entering(category, **KNOWN, **BARE))
    assert "wear_mask" in bare.say
    assert bare.release is (name not in MASK_IS_A_MUST)
    unseen = decided(name, entering(category, **KNOWN, mask=Mask.UNKNOWN))
    assert "wear_mask" in unseen.say
    assert unseen.release


@pytest.mark.parametrize(("name", "category"), ENTRANTS)
def test_r067_a_pass_that_is_not_valid_lets_nobody_in(name, category):
    decision = decided(name, entering(category, **KNOWN, **BAD_PASS))
    assert (decision.outcome.word, decision.say) == ("deny", ("unknown_pass",))
    assert "R067" in decision.rules
    assert decided(name, entering(category, **{**KNOWN, "shown": None})).release


@pytest.mark.parametrize(("name", "category"), ENTRANTS)
def test_r119_r124_of_the_isolated_only_who_lives_here_comes_in_and_is_told_of(name, category):
    decision = decided(name, entering(category, **KNOWN, isolated=True))
    assert decision.release is (category in {*AT_HOME, "close_contact"})
    assert "community" in {notice.who for notice in decision.tell}


# Whom an order asks for a code, and for a trip card, on coming in.
CODED = {
    "normal": (*AT_HOME, *STAFF, *GUESTS),
    "medium-risk": (*AT_HOME, *STAFF, "visitor", "vehicle"),
    "control-window": (*AT_HOME, *STAFF),
    "case": (*AT_HOME, *STAFF),
    "lockdown": AT_HOME,
}
CARDED = {
    "normal": (*AT_HOME, *HELPERS, *GUESTS),  # R048
    "control-window": (*AT_HOME, *STAFF),  # R034
    "case": AT_HOME,
}
ASKS_FOR_CODES = ("normal", "control-window", "case")  # R001, R034, R041


@pytest.mark.parametrize(("name", "category"), [(n, c) for n in SHIPPED for c in CODED[n]])
@pytest.mark.parametrize("code", [YELLOW, RED])
def test_r038_a_yellow_or_red_code_lets_nobody_in_and_the_community_is_told(name, category, code):
    for test in (None, KNOWN["test"]):
        decision = decided(name, entering(category, **{**KNOWN, "test": test}, health_code=code))
        assert not decision.release
        assert "community" in {notice.who for notice in decision.tell}


@pytest.mark.parametrize(("name", "category"), [(n, c) for n in SHIPPED for c in CODED[n]])
def test_r017_r251_a_code_that_nobody_has_seen_is_shown_to_staff_where_the_order_asks(
    name, category
):
    decision = decided(name, entering(category, **KNOWN, health_code=NO_CODE))
    if name in ASKS_FOR_CODES:
        assert (decision.outcome.word, decision.say) == ("refer", ("show_code",))
    else:
        assert decision.release


@pytest.mark.parametrize(("name", "category"), [(n, c) for n in CARDED for c in CARDED[n]])
def test_r034_r048_a_yellow_trip_card_lets_nobody_in(name, category):
    assert not decided(name, entering(category, **KNOWN, trip_card=YELLOW)).release
    unknown = decided(name, entering(category, **KNOWN, trip_card=NO_CODE))
    assert unknown.release is (name != "control-window")


AREA = [(n, c) for n in SHIPPED for c in COMES_IN[n] if c not in {"close_contact", "released"}]
NOT_ASKED = {("case", helper) for helper in HELPERS} | {("lockdown", helper) for helper in HELPERS}


@pytest.mark.parametrize(("name", "category"), [each for each in AREA if each not in NOT_ASKED])
def test_r051_r058_r115_whoever_was_in_a_risk_area_is_told_of(name, category):
    decision = decided(name, entering(category, **{**KNOWN, "test": None}, risk_area_days=3))
    assert "community" in {notice.who for notice in decision.tell}
    resident = category in {*HOUSEHOLD, "returned_resident"}
    assert decision.release is (resident and name != "control-window")
    tested = decided(name, entering(category, **KNOWN, risk_area_days=3))
    assert "community" in {notice.who for notice in tested.tell}
    accepts = name in {"normal", "control-window"} and category != "property_staff"
    assert tested.release is (resident or accepts)


# ------------------------------------------------------------------------------------- going out


@pytest.mark.parametrize(("name", "category"), LEAVERS)
def test_r001_r034_everybody_who_leaves_is_measured_where_the_order_asks(name, category):
    for unclear in (UNMEASURED, NEAR):
        decision = decided(name, leaving(category, **unclear))
        if name == "medium-risk" and category != "released":
            assert decision.outcome.word == "admit"  # this order measures who comes in
        else:
            assert (decision.outcome.word, decision.say[0]) == ("recheck", "once_more")
    hot = decided(name, leaving(category, **HOT))
    assert hot.tell
    kept = (name != "normal" and category in AT_HOME) or name == "lockdown"
    assert hot.release is not kept


@pytest.mark.parametrize(("name", "category"), LEAVERS)
def test_r114_r124_nobody_who_is_isolated_leaves(name, category):
    decision = decided(name, leaving(category, isolated=True))
    assert (decision.outcome.word, decision.say) == ("deny", ("stay_home",))
    assert "community" in {notice.who for notice in decision.tell}


@pytest.mark.parametrize(("name", "category"), [each for each in LEAVERS if each[0] != "lockdown"])
def test_r038_r039_a_red_code_of_who_leaves_is_told_of_where_the_order_asks(name, category):
    for test in (None, KNOWN["test"]):
        decision = decided(name, leaving(category, health_code=RED, test=test))
        assert "community" in {notice.who for notice in decision.tell}
        assert decision.release is (name == "normal" or category not in AT_HOME)
    assert decided(name, leaving(category, health_code=NO_CODE)).release


REMINDED = [
    (name, category)
    for name, category in LEAVERS
    # These two orders speak of those who come in, and of those who live or work here.
    if category not in OUTSIDERS or name not in {"normal", "medium-risk"}
]


@pytest.mark.parametrize(("name", "category"), REMINDED)
def test_r153_r158_whoever_leaves_is_told_of_the_mask(name, category):
    decision = decided(name, leaving(category, **BARE))
    assert "wear_mask" in decision.say
    assert decision.release is (name not in MASK_IS_A_MUST)


def test_r048_in_the_control_window_the_card_of_everybody_who_leaves_is_looked_at():
    regime = shipped("control-window")
    for category in GOES_OUT["control-window"]:
        outcome = "refer" if category in AT_HOME else "admit_and_report"
        rules = "R039" if category in AT_HOME else "R038"
        person = leaving(category, trip_card=YELLOW, health_code=GREEN)
        expect(regime, person, outcome, rules=rules, tell="community")
