"""One person of a household every two days (R064 R065): counted at the passage, over restarts."""

import sqlite3
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from gatepost.core.rules import decide
from gatepost.wiring.passes import Passes
from gatepost.wiring.regimes import load as load_regimes
from gatepost_config.load import load
from gatepost_hal.ports import Direction
from gatepost_services.roster import RosterError

from .rosters import import_roster

ROSTER = """credential,subject,category,household
P-anna,anna,resident,h1
P-ben,ben,resident,h1
P-cleo,cleo,resident,h2
P-dora,dora,resident,
"""
# A Monday, 23:50 in Shanghai.
MONDAY = datetime(2022, 3, 14, 15, 50, tzinfo=UTC)


class Calendar:
    """The two clocks of a gate; somebody vouches for the wall's, or not."""

    def __init__(self) -> None:
        self.utc, self.quality, self.monotonic_s = MONDAY, "ntp", 0.0

    def pass_(self, **time: float) -> None:
        self.utc += timedelta(**time)
        self.monotonic_s += timedelta(**time).total_seconds()

    def now_s(self) -> float:
        return self.monotonic_s

    def utc_s(self) -> float:
        return self.utc.timestamp()

    def utc_quality(self) -> str:
        return self.quality


@pytest.fixture
def calendar():
    return Calendar()


@pytest.fixture
def start(config, tmp_path, calendar):
    """Make the passes of a gate under a quota, as after each start."""
    import_roster(tmp_path, ROSTER)
    text = config.read_text()
    more = '[regime]\nname = "medium-risk"\n[reader]\nexit_device = "/dev/exit"\n'
    config.write_text(text + more)
    with ExitStack() as closing:

        def make(boot_id="boot"):
            closing.pop_all().close()
            return Passes(load(config), calendar, boot_id, closing)

        make.stop = lambda: closing.pop_all().close()
        yield make


@pytest.fixture(scope="module")
def regime():
    return load_regimes("medium-risk")["medium-risk"]


def wants_out(passes, subject, regime):
    facts = passes.known(passes.look_up(f"P-{subject}"), Direction.EXIT)
    return decide(facts, regime)


def test_the_first_outing_of_a_household_is_free(start, regime):
    assert wants_out(start(), "anna", regime).release


def test_r065_the_household_waits_until_the_day_after_tomorrow(start, regime, calendar):
    passes = start()
    passes.note("anna", Direction.EXIT)
    passes.note("anna", Direction.ENTRY)
    calendar.pass_(hours=24, minutes=9)  # Tuesday, 23:59
    refused = wants_out(passes, "anna", regime)
    assert (refused.release, refused.reason) == (False, "over_quota")
    assert "R065" in refused.rules
    calendar.pass_(minutes=1)
    assert wants_out(passes, "anna", regime).release


def test_it_is_the_household_that_counts_and_not_the_person(start, regime):
    passes = start()
    passes.note("anna", Direction.EXIT)
    assert wants_out(passes, "ben", regime).reason == "over_quota"
    assert wants_out(passes, "cleo", regime).release


def test_an_outing_that_was_granted_and_not_used_does_not_count(start, regime):
    passes = start()
    assert wants_out(passes, "anna", regime).release  # and nobody walked
    assert wants_out(passes, "ben", regime).release


def test_the_count_outlasts_a_restart_and_a_return(start, regime):
    passes = start()
    passes.note("anna", Direction.EXIT)
    passes.note("anna", Direction.ENTRY)
    assert wants_out(start("another"), "ben", regime).reason == "over_quota"


def test_without_a_household_nobody_knows_whose_turn_it_is(start, regime):
    assert wants_out(start(), "dora", regime).reason == "no_household"


def test_what_an_untrusted_clock_saw_is_not_held_against_anybody(start, regime, calendar):
    passes = start()
    calendar.quality = "none"
    passes.note("anna", Direction.EXIT)
    calendar.quality = "ntp"
    assert wants_out(passes, "anna", regime).release


def test_without_a_clock_nobody_is_held_in_by_a_count_of_days(start, regime, calendar):
    passes = start()
    passes.note("anna", Direction.EXIT)
    calendar.quality = "none"
    assert wants_out(passes, "anna", regime).release


def test_after_an_evacuation_nobody_has_been_out(start, regime):
    passes = start()
    passes.note("anna", Direction.EXIT)
    passes.forgive()
    assert wants_out(passes, "anna", regime).release


def test_a_file_of_the_version_before_is_read_and_kept(start, regime, config):
    passes = start()
    passes.note("anna", Direction.EXIT)
    path = load(config).paths.whereabouts
    start.stop()
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE whereabouts DROP COLUMN left_utc_s")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    again = start("another")
    assert wants_out(again, "anna", regime).release  # that version did not note it
    again.note("anna", Direction.EXIT)
    assert wants_out(start("third"), "anna", regime).reason == "over_quota"


@pytest.mark.parametrize(
    ("text", "household"),
    [
        ("credential,subject,category\nP,s,resident\n", None),
        ("credential,subject,category,household\nP,s,resident,h1\n", "h1"),
        ("credential,subject,category,household\nP,s,resident,\n", None),
        ("credential,subject,category,household,mark\nP,s,resident,h1,duress\n", "h1"),
        ("credential,subject,category,mark\nP,s,resident,duress\n", None),
    ],
)
def test_the_roster_may_say_the_household(text, household, tmp_path):
    with import_roster(tmp_path, text) as roster:
        assert roster.look_up("P").household == household
        assert roster.look_up("P").duress == ("duress" in text)
        assert roster.person("s") == ("resident", household, False)
        assert roster.person("t") is None


def test_r115_who_is_marked_as_isolated_must_stay_at_home_by_any_of_their_passes(tmp_path):
    text = "credential,subject,category,mark\nA,s,resident,isolated\nB,s,resident,\nC,t,visitor,\n"
    with import_roster(tmp_path, text) as roster:
        assert roster.person("s").isolated
        assert not roster.person("t").isolated
        assert roster.look_up("A").isolated


def test_r124_the_isolated_are_not_let_out_and_the_work_team_is_told(start, regime, tmp_path):
    import_roster(
        tmp_path,
        "credential,subject,category,household,mark\nP-anna,anna,resident,h1,isolated\n"
        "P-ben,ben,resident,h1,\n",
    )
    passes = start()
    refused = wants_out(passes, "anna", regime)
    assert (refused.release, refused.reason) == (False, "isolated")
    assert "work_team" in {notice.who for notice in refused.tell}
    assert wants_out(passes, "ben", regime).release


def test_columns_in_another_order_are_refused(tmp_path):
    with pytest.raises(RosterError, match="after them household or mark or both"):
        import_roster(tmp_path, "credential,subject,category,mark,household\n")
