"""What no regime may say is found in whichever row it stands, and what is sound keeps its word."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.core.facts import OUTSIDERS, Category, Code, Facts
from gatepost.core.findings import CHECKS
from gatepost.core.regime import Check, Finding, Limits, Outcome, Regime, Row, Treatment
from gatepost.core.rules import decide
from gatepost.core.screening import Zone
from gatepost.core.soundness import Flaw, flaws, found_by
from gatepost_hal.ports import Direction

from .regimes_for_tests import SHIPPED, SITE_ZONE, shipped
from .test_regime_properties import all_facts

ENTRY, EXIT = Direction.ENTRY, Direction.EXIT
RELEASES = (Outcome.ADMIT, Outcome.ADMIT_AND_REPORT)
UNMEASURED = "a measurement that says nothing lets nobody in (S4)"
HOT = "who is above the limit may come in only as admit_and_report"
NO_MEASURE = "lets in without the check temperature (R001)"
NO_CODE = "lets in somebody from outside without the check health_code (R033)"
CODED = "nobody from outside comes in with a red or yellow code (R004)"
NO_LIST = "lets out without the check isolation (R114)"
LET_OUT = "who must stay at home is not let out (R114 R124)"


def releasing(regime, direction):
    """Return the categories whose row lets somebody through in a direction."""
    return [
        category
        for category in Category
        if regime.rows[direction, category].base.outcome in RELEASES
    ]


def broken(regime, key, without=None, **treatments):
    """Return the regime with one row changed: without a check, or with other treatments."""
    row = regime.rows[key]
    more = {Finding(word): Treatment(outcome) for word, outcome in treatments.items()}
    row = row._replace(
        checks=tuple(each for each in row.checks if each[0] is not without),
        treatments={**row.treatments, **more},
    )
    return replace(regime, rows={**regime.rows, key: row})


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_regime_has_no_flaw(name):
    assert list(flaws(shipped(name))) == []


@pytest.mark.parametrize("name", SHIPPED)
def test_a_row_that_lets_in_without_measuring_is_found(name):
    regime = shipped(name)
    for category in releasing(regime, ENTRY):
        found = list(flaws(broken(regime, (ENTRY, category), Check.TEMPERATURE)))
        expected = [] if category is Category.EMERGENCY else [
            Flaw(ENTRY, category, None, NO_MEASURE)
        ]  # fmt: skip
        assert found == expected


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("outcome", RELEASES)
def test_a_measurement_that_says_nothing_and_lets_in_is_found(name, outcome):
    regime = shipped(name)
    for category in releasing(regime, ENTRY):
        if category is Category.EMERGENCY:
            continue
        for word in ("unmeasured", "near_limit"):
            found = list(flaws(broken(regime, (ENTRY, category), **{word: outcome})))
            assert found == [Flaw(ENTRY, category, Finding(word), UNMEASURED)]
        hot = list(flaws(broken(regime, (ENTRY, category), hot=outcome)))
        is_flaw = outcome is Outcome.ADMIT
        assert hot == ([Flaw(ENTRY, category, Finding.HOT, HOT)] if is_flaw else [])


@pytest.mark.parametrize("outcome", RELEASES)
def test_a_row_that_lets_in_an_outsider_with_a_red_code_is_found(outcome):
    regime, seen = shipped("normal"), []
    for category in releasing(regime, ENTRY):
        if category not in OUTSIDERS:
            continue
        key = (ENTRY, category)
        both = broken(regime, key, coded=outcome, coded_tested=outcome)
        assert list(flaws(both)) == [
            Flaw(ENTRY, category, Finding.CODED, CODED),
            Flaw(ENTRY, category, Finding.CODED_TESTED, CODED),
        ]
        with_test = list(flaws(broken(regime, key, coded_tested=outcome)))
        assert with_test == [Flaw(ENTRY, category, Finding.CODED_TESTED, CODED)]
        unseen = list(flaws(broken(regime, key, Check.HEALTH_CODE)))
        assert unseen == [Flaw(ENTRY, category, None, NO_CODE)]
        seen.append(category)
    assert seen == [Category.VISITOR, Category.VEHICLE, Category.WORKS]


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("outcome", RELEASES)
def test_a_row_that_lets_out_without_the_list_of_the_isolated_is_found(name, outcome):
    regime = shipped(name)
    assert Category.EMERGENCY in releasing(regime, EXIT)
    for category in releasing(regime, EXIT):
        key = (EXIT, category)
        assert list(flaws(broken(regime, key, Check.ISOLATION))) == [
            Flaw(EXIT, category, None, NO_LIST)
        ]
        assert list(flaws(broken(regime, key, isolated=outcome))) == [
            Flaw(EXIT, category, Finding.ISOLATED, LET_OUT)
        ]
        # Hot, coded or unmeasured they may go where a regime says so.
        mild = dict.fromkeys(("unmeasured", "near_limit", "hot", "coded", "coded_tested"), outcome)
        assert list(flaws(broken(regime, key, **mild))) == []


@pytest.mark.parametrize("name", SHIPPED)
def test_a_row_that_releases_nobody_may_leave_out_what_it_likes(name):
    regime = shipped(name)
    for key, row in regime.rows.items():
        if row.base.outcome not in RELEASES:
            mild = {finding: Treatment(Outcome.ADMIT) for finding in Finding}
            rows = {**regime.rows, key: Row(row.base, (), mild)}
            assert list(flaws(replace(regime, rows=rows))) == []


def test_a_test_that_makes_somebody_worse_off_is_found():
    regime = shipped("normal")
    key = (ENTRY, Category.RESIDENT)
    coded = broken(regime, key, coded=Outcome.REFER, coded_tested=Outcome.DENY)
    why = "is stricter than coded: a test makes nobody worse off (R038)"
    assert list(flaws(coded)) == [Flaw(*key, Finding.CODED_TESTED, why)]
    area = broken(regime, key, risk_area=Outcome.ADMIT, risk_area_tested=Outcome.REFER)
    why = "is stricter than risk_area: a test makes nobody worse off (R038)"
    assert list(flaws(area)) == [Flaw(*key, Finding.RISK_AREA_TESTED, why)]
    # Where neither is looked at, it is no matter what it would lead to.
    courier = broken(regime, (ENTRY, Category.COURIER), coded_tested=Outcome.DENY,
                     coded=Outcome.ADMIT)  # fmt: skip
    assert list(flaws(courier)) == []


def test_a_prompt_that_there_is_not_is_found_in_a_row_and_in_a_finding():
    regime = shipped("normal")
    key = (EXIT, Category.SEALED_BUILDING)
    row = regime.rows[key]
    said = row._replace(base=row.base._replace(say=("stay_home", "sing", "dance")))
    (flaw,) = flaws(replace(regime, rows={**regime.rows, key: said}))
    assert flaw[:3] == (*key, None)
    assert flaw.why.startswith("says sing, dance; there are: show_pass, hold_still, once_more,")
    mute = {**row.treatments, Finding.HOT: Treatment(Outcome.DENY, say=("hum",))}
    (flaw,) = flaws(replace(regime, rows={**regime.rows, key: row._replace(treatments=mute)}))
    assert flaw[:3] == (*key, Finding.HOT)
    assert flaw.why.startswith("says hum; there are: ")


def test_a_row_can_find_what_its_checks_can():
    row = Row(Treatment(Outcome.ADMIT), ((Check.WORKS, ()), (Check.MASK, ())), {})
    assert found_by(row) == {
        Finding.WORKS_FULL,
        Finding.WORKS_UNKNOWN,
        Finding.NO_MASK,
        Finding.MASK_UNKNOWN,
    }


# ------------------------------------------------------------------- rows that somebody might write

outcomes = st.sampled_from(Outcome)
mild = st.sampled_from([*RELEASES, *RELEASES, *Outcome])
rows = st.builds(
    Row,
    mild.map(Treatment),
    st.lists(st.sampled_from(Check), unique=True).map(
        lambda checks: tuple((check, ("R001",)) for check in sorted(checks, key=list(Check).index))
    ),
    st.fixed_dictionaries({finding: mild.map(Treatment) for finding in Finding}),
)
NOBODY = Row(Treatment(Outcome.DENY), (), {finding: Treatment(Outcome.DENY) for finding in Finding})


@settings(max_examples=400, deadline=None, database=None)
@given(rows, all_facts)
def test_a_row_in_which_no_flaw_is_found_keeps_what_was_promised(row, facts):
    key = (facts.direction, facts.category)
    everybody = {(way, category): NOBODY for way in Direction for category in Category}
    regime = Regime("written", {**everybody, key: row}, Limits(37.3), SITE_ZONE)
    if list(flaws(regime)) or not decide(facts, regime).release:
        return
    assert_kept(facts, row)


def assert_kept(facts: Facts, row: Row) -> None:
    if facts.direction is EXIT:
        assert not facts.isolated
        return
    if facts.category is not Category.EMERGENCY:
        assert facts.zone in {Zone.PASS, Zone.REFER}
    if facts.category in OUTSIDERS:
        assert facts.health_code.code not in {Code.YELLOW, Code.RED}
    if facts.zone is Zone.REFER and facts.category is not Category.EMERGENCY:
        assert row.treatments[Finding.HOT].outcome is Outcome.ADMIT_AND_REPORT


@settings(max_examples=150, deadline=None, database=None)
@given(rows, st.sampled_from(Category))
def test_whatever_is_written_for_an_entry_without_temperature_is_found(row, category):
    checks = tuple(each for each in row.checks if each[0] is not Check.TEMPERATURE)
    bare = row._replace(base=Treatment(Outcome.ADMIT), checks=checks)
    everybody = {(way, each): NOBODY for way in Direction for each in Category}
    regime = Regime("written", {**everybody, (ENTRY, category): bare}, Limits(37.3), SITE_ZONE)
    found = [flaw.why for flaw in flaws(regime)]
    assert (NO_MEASURE in found) == (category is not Category.EMERGENCY)
    assert len(CHECKS) == len(Check)
