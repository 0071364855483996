"""How a decision is put together: the strictest finding counts, and all that was said is told."""

import pytest

from gatepost.core.facts import Category, Facts, Mask
from gatepost.core.regime import (
    Check,
    Finding,
    Limits,
    Notice,
    Outcome,
    Regime,
    RegimeLoopError,
    Row,
    Treatment,
    Window,
    in_force,
)
from gatepost.core.rules import Decision, decide
from gatepost.core.screening import Zone
from gatepost_hal.ports import Direction

from .regimes_for_tests import NOON, SITE_ZONE, at

O = Outcome  # noqa: E741
ASKED = (
    (Check.ISOLATION, ("R114",)),
    (Check.MASK, ("R153",)),
    (Check.TEMPERATURE, ("R001", "R017")),
)
FOUND = {
    Finding.ISOLATED: Treatment(O.DENY, ("R115",), (Notice("street", 0),), ("stay_home",)),
    Finding.NO_MASK: Treatment(O.DENY, ("R154",), (), ("wear_mask",)),
    Finding.MASK_UNKNOWN: Treatment(O.ADMIT, ("R158",), (), ("wear_mask",)),
    Finding.UNMEASURED: Treatment(O.RECHECK, ("R012",), (), ("hold_still",)),
    Finding.NEAR_LIMIT: Treatment(O.RECHECK, ("R018",), (Notice("community", 0),)),
    Finding.HOT: Treatment(O.ADMIT_AND_REPORT, ("R005",), (Notice("community", 60),)),
}


def regime(base, direction=Direction.ENTRY, checks=ASKED, **more):
    row = Row(base, checks, FOUND)
    return Regime("r", {(direction, Category.RESIDENT): row}, Limits(37.3), SITE_ZONE, **more)


def person(direction=Direction.ENTRY, **more):
    known = {"zone": Zone.PASS, "mask": Mask.WORN, **more}
    return Facts(direction, Category.RESIDENT, **known)


def made(outcome, rules, tell, say, reason):
    return Decision(outcome, rules, tell, say, reason, regime="r")


ADMITS = Treatment(O.ADMIT, ("R072",), (), ("go_out_less",))


def test_who_has_nothing_against_them_goes_and_every_rule_that_was_applied_is_named():
    decision = decide(person(), regime(ADMITS))
    rules = ("R072", "R114", "R153", "R001", "R017")
    assert decision == made(O.ADMIT, rules, (), ("go", "go_out_less"), "in_order")
    assert decision.release


def test_what_was_found_and_does_not_matter_is_said_and_named_in_the_sequence_of_the_checks():
    decision = decide(person(mask=Mask.UNKNOWN), regime(ADMITS))
    rules = ("R072", "R114", "R158", "R001", "R017")
    say = ("go", "go_out_less", "wear_mask")
    assert decision == made(O.ADMIT, rules, (), say, "in_order")


def test_a_finding_that_is_reported_releases_and_says_why():
    decision = decide(person(zone=Zone.REFER), regime(ADMITS))
    rules = ("R072", "R114", "R153", "R005")
    tell = (Notice("community", 60),)
    assert decision == made(O.ADMIT_AND_REPORT, rules, tell, ("go", "go_out_less"), "hot")
    assert decision.release


def test_of_several_findings_the_strictest_counts_and_of_equals_the_first_is_the_reason():
    decision = decide(person(isolated=True, mask=Mask.NOT_WORN, zone=Zone.PASS), regime(ADMITS))
    assert decision == made(
        O.DENY,
        ("R115", "R154"),
        (Notice("street", 0),),
        ("stay_home", "wear_mask"),
        "isolated",
    )
    assert not decision.release


def test_what_is_told_of_a_milder_finding_is_told_all_the_same_with_its_rule():
    decision = decide(person(mask=Mask.NOT_WORN, zone=Zone.REFER), regime(ADMITS))
    tell = (Notice("community", 60),)
    assert decision == made(O.DENY, ("R154", "R005"), tell, ("wear_mask",), "no_mask")


def test_a_row_that_denies_needs_no_finding():
    decision = decide(person(), regime(Treatment(O.DENY, ("R107",))))
    assert decision == made(O.DENY, ("R107",), (), ("no_entry",), "category")


@pytest.mark.parametrize(
    ("outcome", "direction", "say"),
    [
        (O.ADMIT, Direction.ENTRY, "go"),
        (O.ADMIT_AND_REPORT, Direction.EXIT, "go"),
        (O.RECHECK, Direction.ENTRY, "once_more"),
        (O.REFER, Direction.EXIT, "wait_for_staff"),
        (O.REDIRECT, Direction.EXIT, "other_entrance"),
        (O.DENY, Direction.ENTRY, "no_entry"),
        (O.DENY, Direction.EXIT, "no_exit"),
    ],
)
def test_where_a_treatment_says_nothing_the_outcome_speaks(outcome, direction, say):
    decision = decide(person(direction), regime(Treatment(outcome, ("R1",)), direction, ()))
    assert decision.say == (say,)
    assert decision.release == (outcome in {O.ADMIT, O.ADMIT_AND_REPORT})
    assert decision.outcome is outcome


def test_who_has_an_attempt_left_is_measured_once_more():
    decision = decide(person(zone=Zone.NO_INFORMATION, attempts_left=1), regime(ADMITS))
    assert decision == made(O.RECHECK, ("R012",), (), ("hold_still",), "unmeasured")


@pytest.mark.parametrize("left", [0, -1])
def test_who_has_none_left_waits_for_staff_and_whoever_was_told_is_told(left):
    decision = decide(person(zone=Zone.RECHECK, attempts_left=left), regime(ADMITS))
    tell = (Notice("community", 0),)
    assert decision == made(O.REFER, ("R018", "ours"), tell, ("wait_for_staff",), "near_limit")


def test_only_what_would_be_measured_again_is_referred_in_the_last_attempt():
    decision = decide(person(zone=Zone.REFER, attempts_left=0), regime(ADMITS))
    assert decision.outcome is O.ADMIT_AND_REPORT


def test_each_recipient_is_told_once_at_the_soonest_that_anything_asks_for():
    base = Treatment(O.ADMIT, (), (Notice("community", 3600), Notice("street", 30)))
    decision = decide(person(zone=Zone.REFER), regime(base))
    assert decision.tell == (Notice("community", 60), Notice("street", 30))
    later = Treatment(O.ADMIT, (), (Notice("community", 5),))
    assert decide(person(zone=Zone.REFER), regime(later)).tell == (Notice("community", 5),)


def test_a_closed_entrance_redirects_before_anything_is_looked_at():
    closed = regime(ADMITS, entrance_open=False, entrance_rules=("R136", "R138"))
    decision = decide(person(isolated=True), closed)
    expected = made(O.REDIRECT, ("R136", "R138"), (), ("other_entrance",), "entrance")
    assert decision == expected
    assert not decision.release


def test_what_a_regime_names_no_rule_for_is_ours():
    deny = decide(person(), regime(Treatment(O.DENY), checks=()))
    assert deny == made(O.DENY, ("ours",), (), ("no_entry",), "category")
    closed = decide(person(), regime(ADMITS, entrance_open=False))
    assert closed == made(O.REDIRECT, ("ours",), (), ("other_entrance",), "entrance")


# ------------------------------------------------------------------------- which regime is in force


def windowed(name, window):
    return Regime(name, {}, Limits(37.3), SITE_ZONE, window)


@pytest.mark.parametrize(
    ("now", "name"),
    [
        (at("2022-03-31T23:59"), "early"),
        (at("2022-04-01T00:00"), "set"),
        (at("2022-04-03T11:59"), "set"),
        (NOON, "late"),
        (None, "set"),  # nobody knows the time: an order stands
    ],
)
def test_a_window_begins_at_its_first_instant_and_ends_before_its_last(now, name):
    window = Window(at("2022-04-01T00:00"), NOON, before="early", then="late")
    others = {other: windowed(other, Window()) for other in ("early", "late")}
    assert in_force("set", {"set": windowed("set", window), **others}, now).name == name


def test_a_window_that_names_no_other_regime_stays():
    for window in (Window(starts=NOON), Window(ends=NOON)):
        for now in (at("2022-04-03T11:59"), NOON, at("2022-04-04T00:00")):
            assert in_force("set", {"set": windowed("set", window)}, now).name == "set"


def test_windows_in_a_circle_are_no_order():
    circle = {
        "a": windowed("a", Window(ends=NOON, then="b")),
        "b": windowed("b", Window(ends=NOON, then="a")),
    }
    with pytest.raises(RegimeLoopError, match=r"^no regime is in force: a then b then a$"):
        in_force("a", circle, NOON)
    assert in_force("a", circle, at("2022-04-03T11:59")).name == "a"
    with pytest.raises(KeyError, match="'c'"):
        in_force("a", {"a": windowed("a", Window(ends=NOON, then="c"))}, NOON)


def test_the_outcomes_are_ranked_from_the_mildest_to_the_strictest():
    assert [outcome.word for outcome in sorted(Outcome)] == [
        "admit", "admit_and_report", "recheck", "refer", "redirect", "deny",
    ]  # fmt: skip
