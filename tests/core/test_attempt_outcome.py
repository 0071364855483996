import math
import re
from itertools import product

import pytest

from gatepost.core.attempt import PASSED_BACK, SHUT, UNKNOWN_PASS, Attempt, conclude
from gatepost.core.regime import Outcome
from gatepost.core.rules import Decision
from gatepost.core.screening import Reason, Verdict, Zone

LIMIT_C = 37.3
PASS = Verdict(Zone.PASS, Reason.BELOW_LIMIT, 36.6)
REFER = Verdict(Zone.REFER, Reason.ABOVE_LIMIT, 38.0)
NOTHING = Verdict(Zone.NO_INFORMATION, Reason.MOVING, 36.6)
UNDER = Verdict(Zone.RECHECK, Reason.NEAR_LIMIT, 37.2)
AT = Verdict(Zone.RECHECK, Reason.NEAR_LIMIT, 37.3)
OVER = Verdict(Zone.RECHECK, Reason.NEAR_LIMIT, math.nextafter(37.3, 99))

ADMIT_AFTER_RECHECK = Decision(Outcome.ADMIT, ("R001", "R018", "R006", "R067"))
ANY_VERDICT = [
    Verdict(zone, reason, index_c)
    for zone, reason, index_c in product(Zone, Reason, (None, 36.6, 37.3, 37.31, 41.0))
]


@pytest.mark.parametrize(
    ("verdict", "attempts_left", "decision"),
    [
        (PASS, 2, Decision(Outcome.ADMIT, ("R001", "R006", "R067"))),
        (PASS, 0, Decision(Outcome.ADMIT, ("R001", "R006", "R067"))),
        (REFER, 2, Decision(Outcome.REFER, ("R001", "R006"))),
        (REFER, 0, Decision(Outcome.REFER, ("R001", "R006"))),
        (NOTHING, 2, Decision(Outcome.RECHECK, ("R017",))),
        (NOTHING, 1, Decision(Outcome.RECHECK, ("R017",))),
        (NOTHING, 0, Decision(Outcome.REFER, ("R017", "ours"))),
        (UNDER, 1, Decision(Outcome.RECHECK, ("R018",))),
        (OVER, 1, Decision(Outcome.RECHECK, ("R018",))),
        (UNDER, 0, ADMIT_AFTER_RECHECK),
        (AT, 0, ADMIT_AFTER_RECHECK),  # 37.3 itself passes: strictly more refers
        (OVER, 0, Decision(Outcome.REFER, ("R001", "R018", "R006"))),
    ],
)
def test_the_decision_on_a_known_pass(verdict, attempts_left, decision):
    assert conclude(attempt(verdict, attempts_left), LIMIT_C) == decision


def attempt(verdict, attempts_left, *, near_limit_before=True):
    return Attempt(verdict, attempts_left, near_limit_before)


def decisions(verdicts, *, attempts_left=(0, 1, 9)):
    return [
        conclude(attempt(verdict, left, near_limit_before=near), LIMIT_C)
        for verdict, left, near in product(verdicts, attempts_left, (False, True))
    ]


@pytest.mark.parametrize("verdict", [UNDER, AT])
def test_one_reading_near_the_limit_alone_admits_nobody(verdict):
    once = attempt(verdict, 0, near_limit_before=False)
    assert conclude(once, LIMIT_C) == Decision(Outcome.REFER, ("R018", "ours"))


def test_an_unknown_pass_is_denied_by_the_rule_of_passes():
    assert Decision(Outcome.DENY, ("R067",)) == UNKNOWN_PASS


def test_what_is_decided_without_measuring_denies_and_tells_why_apart():
    without_measuring = [UNKNOWN_PASS, PASSED_BACK, SHUT]
    assert {decision.outcome for decision in without_measuring} == {Outcome.DENY}
    assert len({decision.rules for decision in without_measuring}) == 3


def test_every_verdict_has_a_decision():
    outcomes = {decision.outcome for decision in decisions(ANY_VERDICT)}
    assert outcomes == {Outcome.ADMIT, Outcome.RECHECK, Outcome.REFER}


def test_every_decision_cites_rules_of_the_catalogue_or_says_that_it_is_ours():
    without_measuring = [UNKNOWN_PASS, PASSED_BACK, SHUT]
    cited = {decision.rules for decision in [*decisions(ANY_VERDICT), *without_measuring]}
    assert () not in cited
    rules = {rule for rules in cited for rule in rules}
    assert {rule for rule in rules if not re.fullmatch(r"R\d{3}|ours", rule)} == set()


def test_nobody_is_admitted_short_of_a_pass_while_attempts_are_left():
    short = [verdict for verdict in ANY_VERDICT if verdict.zone is not Zone.PASS]
    outcomes = {decision.outcome for decision in decisions(short, attempts_left=(1, 9))}
    assert outcomes == {Outcome.RECHECK, Outcome.REFER}


def test_nobody_is_ever_admitted_without_information_or_over_the_limit():
    bad = [v for v in ANY_VERDICT if v.zone in {Zone.NO_INFORMATION, Zone.REFER}]
    over = [v for v in ANY_VERDICT if v.zone is Zone.RECHECK and (v.index_c or 0) > LIMIT_C]
    outcomes = {decision.outcome for decision in decisions([*bad, *over])}
    assert outcomes == {Outcome.RECHECK, Outcome.REFER}


@pytest.mark.parametrize("index_c", [None, math.nan])
def test_a_recheck_without_an_index_is_never_admitted(index_c):
    verdict = Verdict(Zone.RECHECK, Reason.NEAR_LIMIT, index_c)
    assert conclude(attempt(verdict, 0), LIMIT_C).outcome is Outcome.REFER
