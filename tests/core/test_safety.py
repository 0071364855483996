"""S1 to S9 of the design, over every state that a lane can reach: what `gatepost verify` finds."""

import os

import pytest

from gatepost.core.states import State, Trigger
from gatepost.verify.properties import PROPERTIES
from gatepost.verify.report import Report, SiteReport, verify
from gatepost.verify.steps import all_steps
from gatepost.verify.world import SITES

# Steps of the table that no lane can take, and why they are there all the same.
NEVER_TAKEN = {
    # While one of these stands, every pass is refused; should one come as known, it is as well.
    (State.LOCKED, Trigger.PASS_KNOWN),
    (State.CLOSED, Trigger.PASS_KNOWN),
    (State.TAMPER, Trigger.PASS_KNOWN),
}


@pytest.fixture(scope="module")
def report() -> Report:
    with pytest.MonkeyPatch.context() as patch:
        # The walk takes its time; with its processes measured for coverage, three times as long.
        for name in [name for name in os.environ if name.startswith("COVERAGE_PROCESS")]:
            patch.delenv(name)
        return verify()


@pytest.fixture(params=SITES)
def on_site(request, report) -> SiteReport:
    return next(site for site in report.sites if site.site == request.param)


def test_no_rule_is_broken_on_any_site(on_site):
    assert "\n\n".join(str(story) for story in on_site.stories) == ""
    assert on_site.violations == {}


def test_every_rule_had_something_to_say(on_site):
    assert all(on_site.checks.values())
    said = {rule.partition(".")[0] for rule in on_site.checks}
    assert said == {property_.name for property_ in PROPERTIES}


def test_there_are_nine_properties(report):
    assert [property_.name for property_ in PROPERTIES] == [f"S{n}" for n in range(1, 10)]
    assert report.properties == 9


def test_every_rule_is_checked_on_some_site(report):
    written = {rule.name for property_ in PROPERTIES for rule in property_.rules}
    assert written <= {rule for site in report.sites for rule in site.checks}


def test_every_state_is_reached(report):
    assert frozenset.union(*(site.reached for site in report.sites)) == set(State)


def test_without_a_contact_only_the_states_that_need_one_are_not_reached(report):
    blind = next(site for site in report.sites if "no passage contact" in site.site)
    needs_a_contact = {
        State.ENTRY_ENDING,
        State.ENTERING,
        State.EXIT_ENDING,
        State.EXITING,
        State.HELD,
        State.FORCED,
    }
    assert blind.reached == set(State) - needs_a_contact


def test_every_step_of_the_table_is_taken(report):
    taken = frozenset.union(*(site.taken for site in report.sites))
    assert all_steps() - taken == NEVER_TAKEN
