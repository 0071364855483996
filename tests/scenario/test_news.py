"""What a gate tells without being asked: other settings, a turn that is used, and all of it."""

import logging
from contextlib import ExitStack
from datetime import UTC, datetime

import msgspec
import pytest

from gatepost.core.facts import Category
from gatepost.core.regime import Check
from gatepost.wiring.clock_watch import gate_clock
from gatepost.wiring.news import ConfigWatch, News, settings_digest
from gatepost.wiring.outings import Outing, quota_used
from gatepost.wiring.passes import Passes
from gatepost.wiring.regimes import load as load_regimes
from gatepost_config.load import load
from gatepost_hal.ports import Direction
from gatepost_hal.simulated.world import World

from .clocks import START_S
from .rosters import import_roster

# A Monday, 23:50 in Shanghai.
LEFT = datetime(2022, 3, 14, 15, 50, tzinfo=UTC)


def configured(config, more=""):
    """Return the settings with some more lines in their file."""
    text = config.read_text()
    config.write_text(text + more)
    settings = load(config)
    config.write_text(text)
    return settings


def types_of(records):
    return [record.type for record in records]


# --------------------------------------------------------------------------------------- settings


def test_the_same_settings_have_the_same_digest_whatever_their_file_looks_like(config):
    plain = settings_digest(configured(config))
    assert len(plain) == 64
    assert settings_digest(configured(config, "\n# a remark\n[lane]\n")) == plain
    # What it says is the default.
    assert settings_digest(configured(config, "[lane]\npass_timeout_s = 15.0\n")) == plain
    assert settings_digest(configured(config, "[lane]\npass_timeout_s = 16.0\n")) != plain


def test_every_setting_counts(config):
    settings = configured(config)
    digests = {settings_digest(settings)}
    for name in settings.__struct_fields__:
        section = getattr(settings, name)
        for key in section.__struct_fields__:
            other = msgspec.structs.replace(section, **{key: "another"})
            digests.add(settings_digest(msgspec.structs.replace(settings, **{name: other})))
    count = sum(
        len(getattr(settings, name).__struct_fields__) for name in settings.__struct_fields__
    )
    assert len(digests) == count + 1


def test_the_first_start_tells_the_settings_and_the_next_one_nothing(config):
    settings = configured(config)
    first = ConfigWatch(settings, World())
    (record,) = first.due()
    assert record.type == "config.changed"
    assert record.data == {"digest": settings_digest(settings), "before": None}
    assert first.due() == first.due() == ()
    assert ConfigWatch(settings, World()).due() == ()


def test_other_settings_are_told_once_with_what_was_before(config):
    before = configured(config)
    after = configured(config, "[lane]\npass_timeout_s = 16.0\n")
    for settings in (before, after):
        watch = ConfigWatch(settings, World())
        told = watch.due()
        watch.due()
    assert told[0].data == {"digest": settings_digest(after), "before": settings_digest(before)}
    assert ConfigWatch(after, World()).due() == ()


def test_a_kill_before_it_is_noted_has_it_told_again(config):
    settings = configured(config)
    assert ConfigWatch(settings, World()).due()
    assert ConfigWatch(settings, World()).due()


@pytest.mark.parametrize("content", [b"", b"x" * 64, b"a" * 63, b"\xff\xfe", b"a" * 64 + b"\n"])
def test_a_file_that_holds_no_digest_counts_as_none(content, config):
    settings = configured(config)
    settings.paths.settings_digest.write_bytes(content)
    (record,) = ConfigWatch(settings, World()).due()
    assert record.data["before"] is None


def test_a_digest_that_cannot_be_noted_is_said_and_told_at_each_start(config, caplog):
    settings = configured(config)
    settings.paths.settings_digest.mkdir()
    with caplog.at_level(logging.ERROR):
        watch = ConfigWatch(settings, World())
        assert watch.due()
        watch.due()
        watch.due()
    assert len([each for each in caplog.records if "tells again" in each.getMessage()]) == 1


# ------------------------------------------------------------------------------------------ quota


def outing(category="resident", left=LEFT):
    return Outing(7.0, "anna", category, left)


@pytest.fixture(scope="module")
def medium():
    return load_regimes("medium-risk")["medium-risk"]


def test_r065_an_outing_uses_the_households_turn_until_the_day_after_tomorrow(medium):
    record = quota_used(outing(), medium)
    assert (record.type, record.at_s) == ("quota.used", 7.0)
    assert record.data == {
        "subject": "anna",
        "left": 0,
        "free_on": "2022-03-16",
        "regime": "medium-risk",
        "rules": ["R065"],
    }


def test_the_day_is_one_of_the_site(medium):
    late = LEFT.replace(hour=16, minute=0)  # Tuesday, 00:00 in Shanghai
    assert quota_used(outing(left=late), medium).data["free_on"] == "2022-03-17"


@pytest.mark.parametrize("name", ["normal", "control-window", "lockdown"])
def test_an_order_that_counts_no_outings_has_none_to_use(name):
    regime = load_regimes(name)[name]
    row = regime.rows[Direction.EXIT, Category.RESIDENT]
    assert all(check is not Check.QUOTA for check, _ in row.checks)
    assert quota_used(outing(), regime) is None


@pytest.mark.parametrize("category", ["visitor", "plumber"])
def test_whose_outings_do_not_count_uses_none(category, medium):
    assert quota_used(outing(category), medium) is None


def test_without_an_order_there_is_no_quota():
    assert quota_used(outing(), None) is None


# -------------------------------------------------------------------------------------- all of it

ROSTER = """credential,subject,category,household
P-anna,anna,resident,h1
P-dora,dora,resident,
"""
QUOTA = '[regime]\nname = "medium-risk"\n[reader]\nexit_device = "/dev/exit"\n'


class Site:
    """A gate as far as its news go."""

    def __init__(self, settings, closing, regime):
        self.world = World(start_utc_s=START_S)
        clock = gate_clock(settings, self.world, "boot")
        self.passes = Passes(settings, clock, "boot", closing)
        outings = self.passes.take_outings
        self.news = News(settings, clock, regime=lambda: (regime, None), outings=outings)


@pytest.fixture
def site(config, tmp_path, medium):
    import_roster(tmp_path, ROSTER)
    with ExitStack() as closing:
        yield Site(configured(config, QUOTA), closing, medium)


def test_each_thing_is_told_once_the_clock_first(site):
    assert types_of(site.news.due()) == ["clock.changed", "config.changed"]
    assert site.news.due() == ()
    site.world.advance(60.0)
    assert types_of(site.news.due()) == ["health.reported"]
    assert site.news.due() == ()


def test_who_went_out_used_the_turn_of_their_household(site):
    site.news.due()
    site.passes.note("anna", Direction.EXIT)
    (record,) = site.news.due()
    assert (record.type, record.data["subject"]) == ("quota.used", "anna")
    assert site.news.due() == ()


def test_who_came_in_or_has_no_household_used_none(site):
    site.news.due()
    site.passes.note("anna", Direction.ENTRY)
    site.passes.note("dora", Direction.EXIT)
    site.passes.note("stranger", Direction.EXIT)
    assert site.news.due() == ()


@pytest.mark.parametrize("quality", ["none", "restored"])
def test_an_outing_that_no_clock_saw_is_not_counted_and_not_told(quality, site):
    site.world.set_clock(by_s=-90.0, quality=quality)
    site.news.due()
    site.passes.note("anna", Direction.EXIT)
    assert site.news.due() == ()


def test_outings_that_nobody_asks_for_do_not_pile_up(site):
    for _ in range(70):
        site.passes.note("anna", Direction.EXIT)
    assert len(site.passes.take_outings()) == 64
    assert site.passes.take_outings() == ()
