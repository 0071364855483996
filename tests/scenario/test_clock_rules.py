"""The table of firmware/CLOCK.md, cell by cell: what each rule does by each quality."""

import re
from contextlib import ExitStack
from pathlib import Path

import pytest

from .clock_rules import RULES
from .clock_site import ClockSite
from .clocks import QUALITIES

pytestmark = pytest.mark.packaging
PAGE = Path(__file__).parents[2] / "firmware" / "CLOCK.md"
HEAD = "| rule | ntp | rtc | restored | none |"


def table():
    """Return the cells of the page by rule and quality."""
    if not PAGE.exists():
        return {}  # away from the checkout
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    begin = lines.index(HEAD)
    cells = {}
    for line in lines[begin + 2 :]:
        if not line.startswith("|"):
            break
        rule, *words = (cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
        assert len(words) == len(QUALITIES), line
        cells |= {(rule, quality): said for quality, said in zip(QUALITIES, words, strict=True)}
    return cells


TABLE = table()


def test_the_page_has_the_rules_that_are_looked_at_and_no_others():
    assert list(dict.fromkeys(rule for rule, _ in TABLE)) == list(RULES)


@pytest.fixture
def site(config, request):
    with ExitStack() as closing:
        yield ClockSite(config, closing, request.param)


@pytest.mark.parametrize("site", QUALITIES, indirect=True)
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_does_what_its_cell_says(rule, site):
    assert RULES[rule](site) == TABLE[rule, site.quality]
