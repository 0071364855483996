"""People who walk while the wall clock is wrong: nobody is held in by it, nobody is forgotten."""

from contextlib import ExitStack

import pytest

from gatepost.core.events import Record
from gatepost.core.findings import CHECKS, Site
from gatepost.core.regime import Check, Finding, Limits
from gatepost.wiring.ledgers import Ledgers

from .clock_rules import ORDER
from .clock_site import ENTRY, EXIT, ClockSite
from .clocks import DAY_S, HOUR_S
from .signed_codes import NOW

HARD = '[passback]\nmode = "hard"\n' + ORDER


@pytest.fixture
def site(config):
    with ExitStack() as closing:
        yield ClockSite(config, closing, "ntp")


def quota(site, passes):
    """Return what is found when another one of the household wants to go out."""
    known = site.known(passes, "P2", EXIT)
    return CHECKS[Check.QUOTA].look(known, Site(Limits(37.3), NOW.tzinfo))


@pytest.mark.parametrize("back_s", [1.0, 600.0, DAY_S])
def test_a_clock_that_is_set_back_a_little_gives_no_second_outing(site, back_s):
    passes = site.passes(ORDER)
    passes.note("anna", EXIT)
    site.world.set_clock(by_s=-back_s)
    assert quota(site, passes) is Finding.OVER_QUOTA


@pytest.mark.parametrize("back_s", [DAY_S + 1.0, 70 * 365 * DAY_S])
def test_an_outing_of_a_wrong_clock_holds_nobody_in(site, back_s):
    site.world.set_clock(by_s=back_s)
    passes = site.passes(ORDER)
    passes.note("anna", EXIT)
    site.world.set_clock(by_s=-back_s)
    assert quota(site, passes) is None
    passes.note("anna", EXIT)
    assert quota(site, passes) is Finding.OVER_QUOTA


def test_one_wrong_date_does_not_hide_another_members_outing(site):
    site.world.set_clock(by_s=70 * 365 * DAY_S)
    passes = site.passes(ORDER)
    passes.note("anna", EXIT)
    site.world.set_clock(by_s=-70 * 365 * DAY_S)
    passes.note("ben", EXIT)
    assert quota(site, passes) is Finding.OVER_QUOTA


def test_the_day_of_a_quota_is_not_counted_twice_when_time_runs_backwards(site):
    passes = site.passes(ORDER)
    site.world.advance(2 * HOUR_S)
    passes.note("anna", EXIT)
    site.world.set_clock(by_s=-HOUR_S)
    assert quota(site, passes) is Finding.OVER_QUOTA
    site.world.advance(2 * DAY_S)
    assert quota(site, passes) is None


def test_who_came_in_before_the_clock_was_set_is_not_forgotten_when_it_is(site):
    site.world.set_clock(by_s=-3 * 365 * DAY_S, quality="none")
    passes = site.passes(HARD)
    passes.note("anna", ENTRY)
    site.world.advance(HOUR_S)
    site.world.set_clock(by_s=3 * 365 * DAY_S, quality="ntp")
    passes.note("ben", ENTRY)
    holder = passes.look_up("P1")
    assert passes.object_to(holder) is not None
    assert passes.known(passes.look_up("P2"), ENTRY).people_inside == 1


def test_a_clock_years_ahead_that_nobody_vouches_for_forgets_nobody(site):
    passes = site.passes(HARD)
    passes.note("anna", ENTRY)
    again = site.passes(HARD, boot_id="another")
    site.world.set_clock(by_s=3 * 365 * DAY_S, quality="restored")
    again.note("ben", ENTRY)
    assert again.object_to(again.look_up("P1")) is not None


def test_who_has_not_walked_for_a_month_is_forgotten_on_the_disk_too(site):
    passes = site.passes(HARD)
    passes.note("anna", ENTRY)
    site.world.set_clock(quality="none")
    site.world.advance(30 * DAY_S)
    passes.note("ben", ENTRY)
    assert passes.object_to(passes.look_up("P1")) is not None
    site.world.advance(1.0)
    passes.note("ben", ENTRY)  # the monotonic clock of this boot knows it by itself
    again = site.passes(HARD, boot_id="another")
    assert again.object_to(again.look_up("P1")) is None
    assert again.object_to(again.look_up("P2")) is not None


# ------------------------------------------------------------------------------- who was brought in


def walks(site, type_, way):
    data = {"subject": "guest", "direction": way, "category": "visitor", "escort": "anna"}
    return Record(type_, site.world.now_s(), data)


@pytest.mark.parametrize("quality", ["ntp", "none"])
def test_within_a_boot_how_long_a_visit_was_is_known_by_any_clock(site, quality):
    ledgers = Ledgers(site.folder / "l.json", site.world, "boot", escort_s=60.0, again_s=0.0)
    site.world.set_clock(quality=quality)
    ledgers.follow(walks(site, "passage.entered", "entry"))
    site.world.advance(61.0)
    site.world.set_clock(by_s=-DAY_S)
    assert [each.type for each in ledgers.due()] == ["escort.overdue"]
    (closed,) = ledgers.follow(walks(site, "passage.left", "exit"))
    assert closed.data["lasted_s"] == 61.0


def test_what_is_entered_again_by_a_doubtful_clock_has_no_length_and_a_record(site):
    first = Ledgers(site.folder / "l.json", site.world, "boot", escort_s=60.0, again_s=0.0)
    first.follow(walks(site, "passage.entered", "entry"))
    site.world.set_clock(quality="restored")
    second = Ledgers(site.folder / "l.json", site.world, "another", escort_s=60.0, again_s=0.0)
    closed, opened = second.follow(walks(site, "passage.entered", "entry"))
    assert (closed.data["why"], closed.data["lasted_s"]) == ("entered_again", None)
    assert "lasted_s" not in opened.data
