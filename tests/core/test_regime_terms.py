"""The words of regime files are those of the core, and the choices say nothing that it has not."""

import re
from typing import get_args

import pytest

from gatepost.core import facts, regime
from gatepost.core.findings import CHECKS
from gatepost.core.prompts import PROMPTS
from gatepost_config import terms
from gatepost_config.catalogue import catalogue
from gatepost_config.choices import CHOICES, OBSERVATION_DAYS

OPTIONS = [
    pytest.param(option, id=f"{name} = {key}")
    for name, choice in CHOICES.items()
    for key, option in choice.options.items()
]


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (terms.Category, [category.value for category in facts.Category]),
        (terms.Check, [check.value for check in regime.Check]),
        (terms.Finding, [finding.value for finding in regime.Finding]),
        (terms.Outcome, [outcome.word for outcome in regime.Outcome]),
    ],
    ids=["categories", "checks", "findings", "outcomes"],
)
def test_the_words_of_files_are_those_of_the_core_in_the_same_order(words, values):
    assert list(get_args(words)) == values


def test_every_check_of_the_core_looks_and_finds_what_the_core_knows():
    assert set(CHECKS) == set(regime.Check)
    assert {found for entry in CHECKS.values() for found in entry.findings} == set(regime.Finding)


def test_the_categories_are_the_eighteen_of_the_documents():
    assert get_args(terms.Category) == (
        *("resident", "tenant", "returned_resident", "visitor", "courier", "vehicle"),
        *("property_staff", "sanitation", "medical", "epidemic_control", "supply", "emergency"),
        *("works", "released", "close_contact", "sealed_building", "guardian", "unknown"),
    )


def test_no_choice_has_the_name_of_an_outcome():
    # `may` and `then` take either.
    assert not set(CHOICES) & set(get_args(terms.Outcome))


def test_every_choice_asks_something_and_has_two_sides():
    for name, choice in CHOICES.items():
        assert choice.question, name
        assert len(choice.options) >= 2, name


def sides(option):
    """Return an option, and what it asks for when something is found."""
    return [option, *option.found.values()]


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_has_an_outcome_checks_and_findings_that_there_are(option):
    assert set(option.checks) <= set(get_args(terms.Check))
    assert set(option.found) <= set(get_args(terms.Finding))
    assert all(side.outcome in get_args(terms.Outcome) for side in sides(option))


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_cites_a_rule_and_only_such_as_there_are(option):
    for side in sides(option):
        assert any(re.fullmatch("R[0-9]{3}", rule) for rule in side.rules)
        assert set(side.rules) <= {"ours", *catalogue()}


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_tells_whom_there_is_and_as_soon_as_a_document_says(option):
    for side in sides(option):
        for words in side.tell:
            who, _, soon = words.partition(" ")
            assert who in terms.RECIPIENTS
            assert soon in terms.DEADLINES_S


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_says_what_there_are_words_for(option):
    for side in sides(option):
        assert set(side.say) <= set(PROMPTS)


def test_the_days_of_observation_are_those_of_the_documents():
    assert list(OBSERVATION_DAYS) == [7, 14, 28]
    assert {rule for rules in OBSERVATION_DAYS.values() for rule in rules} <= set(catalogue())


def test_what_is_at_once_is_told_at_once_and_what_is_daily_within_a_day():
    assert terms.DEADLINES_S == {
        "at once": 0,
        "immediately": 0,
        "in real time": 0,
        "promptly": 0,
        "daily": 86_400,
    }
