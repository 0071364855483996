"""What no regime may say, whoever wrote it: checked when it is read, never at the turnstile."""

from collections.abc import Iterator
from typing import NamedTuple

from gatepost.core.facts import OUTSIDERS, Category
from gatepost.core.findings import CHECKS
from gatepost.core.prompts import PROMPTS
from gatepost.core.regime import Check, Finding, Outcome, Regime, Row
from gatepost_hal.ports import Direction

# Who is let in without being measured: seconds count for them, and others bring them.
_UNMEASURED = frozenset({Category.EMERGENCY})
_NOT_MEASURED = (Finding.UNMEASURED, Finding.NEAR_LIMIT)
_CODED = (Finding.CODED, Finding.CODED_TESTED)
_WITHOUT_TEST = {
    Finding.CODED_TESTED: Finding.CODED,
    Finding.RISK_AREA_TESTED: Finding.RISK_AREA,
}


class Flaw(NamedTuple):
    """A row that no regime may have, and why; `finding` is the treatment that is to blame."""

    direction: Direction
    category: Category
    finding: Finding | None
    why: str


def flaws(regime: Regime) -> Iterator[Flaw]:
    """Yield all that is wrong with the rows of a regime."""
    for direction in Direction:
        for category in Category:
            row = regime.rows[direction, category]
            judged = _of_entry if direction is Direction.ENTRY else _of_exit
            for finding, why in [*judged(category, row), *_of_tests(row), *_of_words(row)]:
                yield Flaw(direction, category, finding, why)


def found_by(row: Row) -> frozenset[Finding]:
    """Return all that the checks of a row can find."""
    return frozenset(finding for check, _ in row.checks for finding in CHECKS[check].findings)


def _of_entry(category: Category, row: Row) -> Iterator[tuple[Finding | None, str]]:
    if not row.base.outcome.releases:
        return
    checks = {check for check, _ in row.checks}
    if Check.TEMPERATURE in checks:
        for finding in _NOT_MEASURED:
            if row.treatments[finding].outcome.releases:
                yield finding, "a measurement that says nothing lets nobody in (S4)"
        if row.treatments[Finding.HOT].outcome is Outcome.ADMIT:
            yield Finding.HOT, "who is above the limit may come in only as admit_and_report"
    elif category not in _UNMEASURED:
        yield None, "lets in without the check temperature (R001)"
    if category in OUTSIDERS:
        yield from _of_outsider(row, checks)


def _of_outsider(row: Row, checks: set[Check]) -> Iterator[tuple[Finding | None, str]]:
    if Check.HEALTH_CODE not in checks:
        yield None, "lets in somebody from outside without the check health_code (R033)"
    for finding in _CODED:
        if row.treatments[finding].outcome.releases:
            yield finding, "nobody from outside comes in with a red or yellow code (R004)"


def _of_exit(_: Category, row: Row) -> Iterator[tuple[Finding | None, str]]:
    if not row.base.outcome.releases:
        return
    if Check.ISOLATION not in {check for check, _ in row.checks}:
        yield None, "lets out without the check isolation (R114)"
    if row.treatments[Finding.ISOLATED].outcome.releases:
        yield Finding.ISOLATED, "who must stay at home is not let out (R114 R124)"


def _of_tests(row: Row) -> Iterator[tuple[Finding | None, str]]:
    for tested, untested in _WITHOUT_TEST.items():
        is_stricter = row.treatments[tested].outcome > row.treatments[untested].outcome
        if is_stricter and tested in found_by(row):
            yield tested, f"is stricter than {untested.value}: a test makes nobody worse off (R038)"


def _of_words(row: Row) -> Iterator[tuple[Finding | None, str]]:
    for finding, treatment in [(None, row.base), *row.treatments.items()]:
        unknown = [word for word in treatment.say if word not in PROMPTS]
        if unknown:
            known = ", ".join(PROMPTS)
            yield finding, f"says {', '.join(unknown)}; there are: {known}"
