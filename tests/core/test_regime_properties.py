"""What holds of every decision: for each shipped regime, and for each that a site may make of one.

A regime is changed here by one named choice at a time. Of the product of all facts that have few
values an even part is decided each time; hypothesis draws from all of them.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import cache
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.core.facts import (
    OUTSIDERS,
    Category,
    Code,
    DatedCode,
    Facts,
    Mask,
    Pass,
    Refusal,
    Stay,
)
from gatepost.core.prompts import PROMPTS
from gatepost.core.regime import Finding, Outcome, Regime
from gatepost.core.rules import Decision, decide
from gatepost.core.screening import Zone
from gatepost_config.choices import CHOICES
from gatepost_config.regimes import path_of
from gatepost_config.terms import RECIPIENTS
from gatepost_hal.ports import Direction

from .regimes_for_tests import NOON, SHIPPED, changed, proof, shipped

RULE = re.compile(r"R(0\d\d|[12]\d\d|30[0-3])|ours")
RELEASING = {"admit", "admit_and_report"}
ENTRY, EXIT = Direction.ENTRY, Direction.EXIT
LONG_AGO = NOON - timedelta(days=99)
AREAS = {"Yantian": NOON - timedelta(days=15)}
fast = settings(max_examples=250, deadline=None, database=None)


# ------------------------------------------------------------------------------- regimes and facts


@cache
def site_regimes() -> tuple[Regime, ...]:
    """Return the shipped regimes, and each with one named choice changed."""
    found = [shipped(name) for name in SHIPPED]
    with TemporaryDirectory() as folder:
        for name in SHIPPED:
            chosen = tomllib.loads(path_of(name).read_text(encoding="utf-8"))["choices"]
            for choice, option in OPTIONS:
                if chosen[choice] != option:
                    lines = f'[choices]\n{choice} = "{option}"\n'
                    regime = changed(name, Path(folder), lines)
                    found.append(replace(regime, name=f"{name}, {choice} = {option}"))
    return tuple(replace(regime, areas=AREAS) for regime in found)


OPTIONS = [(name, option) for name, choice in CHOICES.items() for option in choice.options]
PASSES = (None, *(Pass("p1", "h1", valid) for valid in (None, True, False)))
PRODUCT = (
    list(Direction),
    list(Category),
    list(Zone),
    [DatedCode(code) for code in Code],
    [DatedCode(code) for code in Code],
    [False, True],  # isolated
    [False, True],  # registered
    [None, "p1"],  # the escort's pass
    list(Mask),
    list(PASSES),
)


def every(step: int, offset: int) -> Iterator[Facts]:
    """Yield each `step`th of the whole product of the facts that have few values."""
    for number in range(offset, prod(map(len, PRODUCT)), step):
        picked: list[Any] = []
        for values in PRODUCT:
            number, index = divmod(number, len(values))  # noqa: PLW2901
            picked.append(values[index])
        direction, category, zone, health, trip, isolated, known, escort, mask, shown = picked
        yield Facts(
            direction,
            category,
            zone,
            index_c=36.6 if zone is Zone.PASS else None,
            health_code=health,
            trip_card=trip,
            isolated=isolated,
            registered=known,
            escort=escort,
            mask=mask,
            shown=shown,
            works_inside=3,
            now=NOON,
        )


def around_noon(days: int) -> st.SearchStrategy:
    return st.integers(-days * 24 * 60, 60).map(lambda minutes: NOON + timedelta(minutes=minutes))


codes = st.builds(DatedCode, st.sampled_from(Code), st.none() | around_noon(3))
all_facts = st.builds(
    Facts,
    st.sampled_from(Direction),
    st.sampled_from(Category),
    zone=st.sampled_from(Zone),
    index_c=st.none() | st.floats(30, 43) | st.sampled_from([37.3, 37.31, float("nan")]),
    attempts_left=st.integers(0, 2),
    health_code=codes,
    trip_card=codes,
    test=st.none() | st.builds(proof, st.sampled_from(["negative", "sampled"]), around_noon(9)),
    shown=st.sampled_from([*PASSES, Pass("p2", None, valid=True)]),
    household_last_exit=st.none() | around_noon(4),
    vouchers=st.integers(0, 1),
    isolated=st.booleans(),
    isolated_since=st.none() | around_noon(30),
    registered=st.sampled_from([None, False, True]),
    escort=st.sampled_from([None, "p1"]),
    risk_area_days=st.none() | st.integers(0, 16),
    stays=st.lists(st.builds(Stay, st.just("Yantian"), around_noon(20)), max_size=2).map(tuple),
    mask=st.sampled_from(Mask),
    works_inside=st.none() | st.integers(0, 6),
    people_inside=st.none() | st.integers(0, 4),
    refused=st.frozensets(st.sampled_from(Refusal)),
    now=st.just(NOON) | st.none(),
)
any_regime = st.deferred(lambda: st.sampled_from(site_regimes()))


def limited(regime: Regime, **limits) -> Regime:
    return replace(regime, limits=regime.limits._replace(**limits))


# ------------------------------------------------------------------------------ what always holds


def assert_sound(decision: Decision, facts: Facts, regime: Regime) -> None:
    where = (regime.name, facts, decision)
    assert decision.release == (decision.outcome.word in RELEASING), where
    assert all(RULE.fullmatch(rule) for rule in decision.rules), where
    assert decision.rules or decision.outcome is Outcome.ADMIT, where
    assert len(set(decision.rules)) == len(decision.rules), where
    assert decision.say, where
    assert set(decision.say) <= set(PROMPTS), where
    assert {notice.who for notice in decision.tell} <= set(RECIPIENTS), where
    assert all(notice.within_s == 0 for notice in decision.tell), where
    if decision.outcome.releases:  # who is told of is reported, and nobody else
        assert (decision.outcome is Outcome.ADMIT_AND_REPORT) == bool(decision.tell), where
    if decision.release:
        assert_may_release(facts, regime, where)


def assert_may_release(facts: Facts, regime: Regime, where: object) -> None:
    row = regime.rows[facts.direction, facts.category]
    if facts.direction is EXIT:
        assert not facts.isolated, where
        return
    is_measured = facts.zone in {Zone.PASS, Zone.REFER}
    assert is_measured or facts.category is Category.EMERGENCY, where
    if facts.zone is Zone.REFER and facts.category is not Category.EMERGENCY:
        assert row.treatments[Finding.HOT].outcome is Outcome.ADMIT_AND_REPORT, where
    if facts.category in OUTSIDERS:
        assert facts.health_code.code not in {Code.YELLOW, Code.RED}, where
        assert facts.zone is Zone.PASS, where
        assert not facts.isolated, where
    if facts.category is Category.COURIER:
        # Only where a site says so: no regime that is shipped lets a courier in.
        assert regime.name.endswith("couriers = checked"), where


@pytest.mark.parametrize("name", SHIPPED)
def test_every_combination_of_facts_is_decided_as_no_regime_may_break(name):
    regime = shipped(name)
    decided = 0
    for facts in every(step=17, offset=SHIPPED.index(name)):
        assert_sound(decide(facts, regime), facts, regime)
        decided += 1
    assert decided > 12_000


def test_whatever_a_site_chooses_holds_to_the_same():
    regimes = site_regimes()
    assert len(regimes) == len(SHIPPED) * (1 + len(OPTIONS) - len(CHOICES))
    for number, regime in enumerate(regimes):
        for facts in every(step=2003, offset=number):
            assert_sound(decide(facts, regime), facts, regime)


@fast
@given(all_facts, any_regime)
def test_every_fact_there_is_leads_to_a_decision_as_no_regime_may_break(facts, regime):
    assert_sound(decide(facts, regime), facts, regime)


@fast
@given(all_facts, any_regime)
def test_the_same_facts_are_decided_the_same(facts, regime):
    assert decide(facts, regime) == decide(replace(facts), replace(regime))


@pytest.mark.parametrize("name", SHIPPED)
def test_no_shipped_regime_lets_a_courier_in(name):
    regime = shipped(name)
    couriers = [
        facts
        for facts in every(step=7, offset=0)
        if facts.category is Category.COURIER and facts.direction is ENTRY
    ]
    assert len(couriers) > 800
    assert {decide(facts, regime).outcome for facts in couriers} == {Outcome.REDIRECT}


def test_in_lock_down_no_courier_goes_in_or_out():
    regime = shipped("lockdown")
    couriers = [f for f in every(step=7, offset=0) if f.category is Category.COURIER]
    assert not any(decide(facts, regime).release for facts in couriers)


@given(all_facts, any_regime)
@fast
def test_a_closed_entrance_lets_nobody_through_but_an_emergency(facts, regime):
    closed = decide(facts, replace(regime, entrance_open=False))
    if facts.category is Category.EMERGENCY:
        assert closed == decide(facts, regime)
    else:
        assert closed.outcome is Outcome.REDIRECT
        assert closed.say == ("other_entrance",)


# ------------------------------------------------------------------------ stricter is never milder

WORSE = {
    "a red code": lambda f: replace(f, health_code=DatedCode(Code.RED)),
    "a yellow card": lambda f: replace(f, trip_card=DatedCode(Code.YELLOW)),
    "not registered": lambda f: replace(f, registered=False),
    "perhaps registered": lambda f: replace(f, registered=None),
    "no escort": lambda f: replace(f, escort=None),
    "isolated": lambda f: replace(f, isolated=True),
    "no test": lambda f: replace(f, test=None),
    "from a risk area": lambda f: replace(f, risk_area_days=0),
    "no mask": lambda f: replace(f, mask=Mask.NOT_WORN),
    "not measured": lambda f: replace(f, zone=Zone.NO_INFORMATION),
    "hot": lambda f: replace(f, zone=Zone.REFER),
    "nobody counted the works": lambda f: replace(f, works_inside=None),
    "the works are full": lambda f: replace(f, works_inside=4),
    "the household was just out": lambda f: replace(f, household_last_exit=NOON, vouchers=0),
    "refuses": lambda f: replace(f, refused=frozenset(Refusal)),
    "isolated for too long": lambda f: replace(f, isolated=True, isolated_since=LONG_AGO),
    "just back from a listed area": lambda f: replace(f, stays=(*f.stays, Stay("Yantian", NOON))),
    "an invalid pass": lambda f: replace(f, shown=Pass("p1", "h1", valid=False)),
}
# What the worse fact takes the place of; elsewhere it is no comparison.
BETTER = {
    "a red code": lambda f: f.health_code == DatedCode(Code.GREEN),
    "a yellow card": lambda f: f.trip_card == DatedCode(Code.GREEN),
    "not measured": lambda f: f.zone is Zone.PASS,
    "hot": lambda f: f.zone is Zone.PASS,
    "no mask": lambda f: f.mask is Mask.WORN,
    "an invalid pass": lambda f: f.shown is not None and f.shown.valid is True,
    "nobody counted the works": lambda f: f.works_inside is not None,
    "from a risk area": lambda f: f.risk_area_days is None,
}


@pytest.mark.parametrize("worse", WORSE)
def test_a_fact_that_speaks_against_somebody_never_opens_what_was_closed(worse):
    checked = 0
    for number, regime in enumerate(site_regimes()):
        for facts in every(step=3001, offset=number):
            better = replace(
                facts,
                zone=Zone.PASS,
                health_code=DatedCode(Code.GREEN) if worse == "a red code" else facts.health_code,
                test=proof("negative", NOON) if number % 2 else None,
            )
            if decide(better, regime).release or not BETTER.get(worse, lambda _: True)(better):
                continue
            assert not decide(WORSE[worse](better), regime).release, (regime.name, better)
            checked += 1
    assert checked > 500


@fast
@given(all_facts, any_regime, st.sampled_from(sorted(WORSE)))
def test_nor_does_it_whatever_else_is_known(facts, regime, worse):
    is_comparable = BETTER.get(worse, lambda _: True)(facts)
    if is_comparable and not decide(facts, regime).release:
        assert not decide(WORSE[worse](facts), regime).release


TIGHTER = {
    "index_c": lambda limits: {"index_c": limits.index_c - 0.3},
    "test_hours": lambda limits: {"test_hours": limits.test_hours / 2},
    "long_test_days": lambda limits: {"long_test_days": limits.long_test_days - 2},
    "look_back_days": lambda limits: {"look_back_days": limits.look_back_days + 2},
    "quota_days": lambda limits: {"quota_days": limits.quota_days + 1},
    "works_inside": lambda limits: {"works_inside": limits.works_inside - 1},
    "code_hours": lambda _: {"code_hours": 24.0},
    "capacity": lambda _: {"capacity": 2},
    "observation_days": lambda _: {"observation_days": 28},
}


@fast
@given(all_facts, any_regime, st.sampled_from(sorted(TIGHTER)))
def test_a_tighter_limit_never_opens_what_was_closed(facts, regime, limit):
    if not decide(facts, regime).release:
        tighter = limited(regime, **TIGHTER[limit](regime.limits))
        assert not decide(facts, tighter).release


@fast
@given(all_facts, any_regime)
def test_what_nobody_knows_is_never_better_than_to_have_no_clock_and_no_attempt(facts, regime):
    decision = decide(replace(facts, attempts_left=0), regime)
    assert decision.outcome is not Outcome.RECHECK
    if not decide(facts, regime).release:
        assert not decision.release
