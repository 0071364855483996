"""The journal as the settings ask for it, and what it makes of the gate's clock."""

import sqlite3
from contextlib import ExitStack, closing, contextmanager
from threading import Event

import pytest

from gatepost.wiring.records import event_log, limits
from gatepost_config.load import load
from gatepost_hal.simulated.world import World
from gatepost_services.contract.events import decode
from gatepost_services.journal import Entry, JournalReader
from gatepost_services.journal.bounds import Limits
from gatepost_services.uplink.position import write_acknowledged

A_MOMENT = Event()
DAY_S = 86_400.0
LONG_AGO_S = 1.65e9  # 2022, and more than a year before the world's own time


class Clock(World):
    """A wall clock of which somebody says what it is worth."""

    quality = "ntp"

    def utc_quality(self):
        return self.quality


@pytest.fixture
def settings(config):
    def make(journal=""):
        config.write_text(config.read_text() + f"[journal]\n{journal}\n")
        return load(config)

    return make


def events(settings):
    with JournalReader(settings.paths.journal) as reader:
        return [decode(record.body) for record in reader.read(0, 100).records]


def test_the_limits_are_those_of_the_settings_in_the_journals_units(settings):
    made = settings(
        "max_events = 2_000\nmax_megabytes = 30\nmin_free_megabytes = 40\n"
        "max_age_days = 9\nkeep_delivered_days = 2"
    )
    assert limits(made.journal) == Limits(2000, 30_000_000, 9 * DAY_S, 2 * DAY_S, 40_000_000)


@contextmanager
def running(settings, clock):
    """Yield the event log of a gate."""
    with ExitStack() as closing:
        yield event_log(settings, clock, "boot-7", closing)


def keep_house(log):
    """Have it keep its house, and return when its thread has nothing more to do."""
    log.keep_house(0)
    while log._delivered_seq is not None or not log._changed._waiters:
        assert log._died is None
        A_MOMENT.wait(0.001)  # a loop that spins would hold up the thread that it waits for


def run(settings, clock, *rounds):
    """Append each round's entries, and keep house after each."""
    with running(settings, clock) as log:
        for entries in rounds:
            log.append(entries)
            keep_house(log)


def test_an_event_bears_the_gates_name_and_boot(settings):
    made = settings()
    clock = Clock()
    run(made, clock, [Entry("fire.raised", 1.0, clock.utc_s(), {}, "rtc")])
    (event,) = events(made)
    assert (event.source, event.boot_id, event.time_quality) == ("/gatepost/s/g", "boot-7", "rtc")


@pytest.mark.parametrize(
    ("quality", "is_given_up"), [("ntp", True), ("rtc", True), ("restored", False), ("none", False)]
)
def test_events_are_too_old_only_by_a_clock_that_somebody_vouches_for(
    settings, quality, is_given_up
):
    made, clock = settings(), Clock()
    clock.quality = quality
    old = Entry("visit.admitted", 0.0, LONG_AGO_S, {})
    # The first round of the house tells of what was set aside; there is none.
    run(made, clock, [old], [old], [old], [old])
    gaps = [event for event in events(made) if event.type == "gatepost.journal.gap"]
    assert bool(gaps) is is_given_up
    assert all(gap.data["cause"] == "age" for gap in gaps)
    assert all(gap.time_quality == quality for gap in gaps)


def test_what_the_link_says_is_delivered_is_where_a_new_journal_begins(settings):
    made = settings()
    write_acknowledged(made.paths.acknowledged, 500)
    run(made, Clock(), [Entry("fire.raised", 1.0, 1.7e9, {})])
    assert events(made)[-1].seq > 10_500


def test_a_broken_journal_is_told_with_why_and_what_was_saved(settings):
    made = settings()
    made.paths.journal.write_bytes(b"no database " * 1000)
    run(made, Clock(), [Entry("fire.raised", 1.0, 1.7e9, {})], [], [], [])
    (told,) = [event.data for event in events(made) if event.type == "gatepost.store.corrupt"]
    assert "NOTADB" in told["why"] or "not a database" in told["why"]
    assert told["saved"] == 0
    assert next(iter(told["sha256"])) == "journal.db.broken-1"


def test_damage_that_only_the_rolling_check_comes_across_brings_another_journal(settings):
    made, clock = settings(), Clock()
    some = [Entry("visit.admitted", 0.0, clock.utc_s(), {})] * 1000
    with running(made, clock) as log:
        log.append(some)
        log.append(some)
        with closing(sqlite3.connect(made.paths.journal)) as other, other:
            # Far from the end: what is looked at when it is opened is whole.
            other.execute("UPDATE live SET seq = -5 WHERE seq = 5")
            other.execute("UPDATE live SET seq = 5 WHERE seq = 6")
            other.execute("UPDATE live SET seq = 6 WHERE seq = -5")
        for _ in range(3):
            keep_house(log)
    with JournalReader(made.paths.journal) as reader:
        told = [decode(record.body) for record in reader.read(2000, 100).records]
    (unused, corrupt) = [event.data for event in told]
    assert unused["cause"] == "unused"
    assert "event 5 is not what was written" in corrupt["why"]
    assert corrupt["saved"] == 2000  # those two under their own numbers
