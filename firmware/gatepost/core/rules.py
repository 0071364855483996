"""From facts about a person and a moment to a decision, by the regime in force.

Pure, total and deterministic: every check of the row is made, of several findings the strictest
counts, and the decision names the rules that made it. Which rules there are stands in the
catalogue (`gatepost rules coverage`), which of them are an order's in its regime file.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gatepost.core.facts import Category, Facts
from gatepost.core.findings import CHECKS, Site, besides
from gatepost.core.regime import Finding, Limits, Notice, Outcome, Regime, Row, Treatment
from gatepost_hal.ports import Direction

# What is said where a treatment says nothing of its own: keys of `gatepost.core.prompts`.
_SAY = {
    Outcome.ADMIT: "go",
    Outcome.ADMIT_AND_REPORT: "go",
    Outcome.RECHECK: "once_more",
    Outcome.REFER: "wait_for_staff",
    Outcome.REDIRECT: "other_entrance",
    Outcome.DENY: "no_entry",
}

_REFUSALS = (Finding.REFUSES_MEASURING, Finding.REFUSES_PROOF)
_OURS = ("ours",)  # where a regime names no rule for what it does


class Decision(NamedTuple):
    """What is done, why, and what follows.

    `rules`: the ids that made it, in the order in which they applied; "ours" is what no document
    says. `tell`: whom, and within how many seconds. `say`: keys of prompts. `reason`: the first
    finding that decided, "category" for the row as such, "entrance" where this one is closed,
    "in_order" when nothing was found that mattered. `regime`: which one said so; None: no
    document's, but the lane's own.
    """

    outcome: Outcome
    rules: tuple[str, ...]
    tell: tuple[Notice, ...] = ()
    say: tuple[str, ...] = ()
    reason: str = ""
    regime: str | None = None

    @property
    def release(self) -> bool:
        """Whether the relay may move."""
        return self.outcome.releases


class _Applied(NamedTuple):
    """One step of a decision; `finding` None is a check that found nothing, or the row itself."""

    treatment: Treatment
    finding: Finding | None


def decide(facts: Facts, regime: Regime) -> Decision:
    """Return what the regime says of these facts."""
    # The emergency passage is kept clear wherever it is (R108).
    if not regime.entrance_open and facts.category is not Category.EMERGENCY:
        return Decision(
            Outcome.REDIRECT,
            regime.entrance_rules or _OURS,
            say=("other_entrance",),
            reason="entrance",
            regime=regime.name,
        )
    row = regime.rows[facts.direction, facts.category]
    site = Site(regime.limits, regime.zone, regime.areas)
    steps = [_Applied(row.base, None)]
    for check, rules in row.checks:
        finding = CHECKS[check].look(facts, site)
        if finding is None:
            steps.append(_Applied(Treatment(Outcome.ADMIT, rules), None))
        else:
            steps += _of_finding(finding, row, facts, regime.limits)
    return _decided(steps, facts.direction, regime.name)


def _of_finding(finding: Finding, row: Row, facts: Facts, limits: Limits) -> Iterator[_Applied]:
    """Yield what a finding leads to, after what comes with it and says more of the same."""
    treatment = _treatment(row.treatments[finding], facts)
    more = besides(finding, facts, limits)
    # Who is let through without what they refuse has refused nothing.
    is_idle = more in _REFUSALS and treatment.outcome.releases
    if more is not None and not is_idle:
        yield _Applied(_treatment(row.treatments[more], facts), more)
    yield _Applied(treatment, finding)


def _treatment(treatment: Treatment, facts: Facts) -> Treatment:
    """Return a finding's treatment; who has no attempt left is not measured once more."""
    if facts.attempts_left <= 0 and treatment.outcome is Outcome.RECHECK:
        return Treatment(Outcome.REFER, (*treatment.rules, *_OURS), treatment.tell)
    return treatment


def _decided(steps: list[_Applied], direction: Direction, regime: str) -> Decision:
    outcome = max(step.treatment.outcome for step in steps)
    decisive = [step for step in steps if step.treatment.outcome is outcome]
    # Of a release everything that was looked at is told; of anything else what stood against it.
    shown = steps if outcome.releases else decisive
    says = _unique(word for step in shown for word in step.treatment.say)
    if not any(step.treatment.say for step in decisive) or outcome.releases:
        says = _unique((_said(outcome, direction), *says))
    finding = next((step.finding for step in decisive if step.finding is not None), None)
    return Decision(
        outcome,
        # Who is told of something is told by which rule, whatever else decided.
        rules=_unique(
            rule
            for step in steps
            if outcome.releases or step.treatment.outcome is outcome or step.treatment.tell
            for rule in step.treatment.rules
        )
        or _OURS,
        tell=_soonest(notice for step in steps for notice in step.treatment.tell),
        say=says,
        reason=_reason(outcome, finding),
        regime=regime,
    )


def _reason(outcome: Outcome, finding: Finding | None) -> str:
    if outcome is Outcome.ADMIT:
        return "in_order"
    return "category" if finding is None else finding.value


def _said(outcome: Outcome, direction: Direction) -> str:
    if outcome is Outcome.DENY and direction is Direction.EXIT:
        return "no_exit"
    return _SAY[outcome]


def _unique(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def _soonest(notices: Iterable[Notice]) -> tuple[Notice, ...]:
    """Return each recipient once, with the shortest time that anything asks for."""
    within_s: dict[str, int] = {}
    for who, seconds in notices:
        within_s[who] = min(seconds, within_s.get(who, seconds))
    return tuple(Notice(who, seconds) for who, seconds in within_s.items())
