"""What a wall clock is worth to a gate that remembers what it has dated."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.core.passback import Moment, is_within
from gatepost.wiring.trusted_clock import (
    JudgedClock,
    Known,
    age_s,
    both,
    is_trusted,
    judged,
    judging_moment,
    trusted_now,
)
from gatepost_hal.simulated.world import World

from .clocks import HOUR_S, QUALITIES, START_S, TRUSTED, Watched, rebooted

NOW_S, OFFSET_S = 2e9, 1.9e9
EARLIER_S, LATER_S = NOW_S - HOUR_S, NOW_S + HOUR_S


@pytest.mark.parametrize(
    ("said", "trusted_s", "restored_s", "kept_s", "quality"),
    [
        ("ntp", 0.0, 0.0, None, "ntp"),
        ("ntp", LATER_S, LATER_S, None, "ntp"),  # a time server is believed
        ("rtc", EARLIER_S, EARLIER_S, None, "rtc"),
        ("rtc", LATER_S, LATER_S, None, "none"),
        ("rtc", EARLIER_S, LATER_S, None, "rtc"),  # better than what dated the later ones
        ("restored", EARLIER_S, EARLIER_S, None, "restored"),
        ("restored", EARLIER_S, LATER_S, None, "none"),
        ("restored", LATER_S, LATER_S, None, "none"),
        ("restored", EARLIER_S, EARLIER_S, OFFSET_S, "rtc"),  # nobody has set it since
        ("restored", EARLIER_S, EARLIER_S, OFFSET_S + 0.9, "rtc"),
        ("restored", EARLIER_S, EARLIER_S, OFFSET_S + 1.0, "restored"),
        ("restored", EARLIER_S, EARLIER_S, OFFSET_S - 1.0, "restored"),
        ("restored", LATER_S, LATER_S, OFFSET_S, "none"),
        ("none", 0.0, 0.0, None, "none"),
        ("none", 0.0, 0.0, OFFSET_S + 5.0, "none"),
    ],
)
def test_what_the_kernel_says_is_weighed_against_what_is_known(
    said, trusted_s, restored_s, kept_s, quality
):
    known = Known(trusted_s=trusted_s, restored_s=restored_s, kept_s=kept_s)
    assert judged(said, NOW_S, OFFSET_S, known) == quality


@pytest.mark.parametrize(("behind_s", "quality"), [(1.0, "rtc"), (1.1, "none")])
def test_a_second_back_is_no_time_gone_back(behind_s, quality):
    assert judged("rtc", NOW_S - behind_s, OFFSET_S, Known(trusted_s=NOW_S)) == quality


FEW = settings(max_examples=300, deadline=None)
instants = st.floats(0, 4e9)


@FEW
@given(
    said=st.sampled_from(QUALITIES),
    utc_s=instants,
    offset_s=st.floats(-1e9, 4e9),
    known=st.builds(
        Known,
        trusted_s=instants,
        restored_s=instants,
        kept_s=st.none() | st.floats(-1e9, 4e9),
    ),
)
def test_no_doubt_ever_makes_a_clock_better_than_a_battery(said, utc_s, offset_s, known):
    quality = judged(said, utc_s, offset_s, known)
    if quality == "ntp":
        assert said == "ntp"
    if quality == "rtc" and said != "rtc":
        assert known.kept_s is not None
        assert abs(offset_s - known.kept_s) < 1.0
    if said != "ntp" and utc_s < known.trusted_s - 1.0:
        assert quality == "none"


@pytest.mark.parametrize("quality", QUALITIES)
def test_the_time_of_day_is_there_where_somebody_vouches_for_it(quality):
    world = World(start_utc_s=START_S)
    world.set_clock(quality=quality)
    is_known = quality in TRUSTED
    assert is_trusted(world) is is_known
    assert (trusted_now(world) is not None) is is_known
    assert math.isnan(judging_moment(world, "boot").utc_s) is not is_known


def test_a_moment_without_a_date_compares_within_its_boot_alone():
    undated = Moment("b", 10.0, math.nan)
    assert age_s(Moment("b", 4.0, 7.0), undated) == 6.0
    assert math.isnan(age_s(Moment("a", 4.0, 7.0), undated))
    assert is_within(Moment("b", 4.0, 7.0), undated, 60.0)
    assert not is_within(Moment("a", 4.0, 7.0), undated, 60.0)


# ------------------------------------------------------------------------------ as a gate runs on


def test_a_time_server_that_went_away_leaves_a_clock_that_runs_on(tmp_path):
    run = Watched(World(), tmp_path)
    assert run.quality == "ntp"
    run.world.set_clock(quality="restored")
    run.world.advance(30 * 24 * HOUR_S)
    assert run.quality == "rtc"
    run.world.set_clock(quality="ntp")
    assert run.quality == "ntp"


def test_one_that_somebody_sets_by_hand_is_nobodys_word(tmp_path):
    run = Watched(World(), tmp_path)
    assert run.quality == "ntp"
    run.world.set_clock(by_s=60.0, quality="restored")
    assert run.quality == "restored"
    run.world.set_clock(by_s=-120.0)
    assert run.quality == "none"  # before what was dated by a time server
    run.world.advance(121.0)
    assert run.quality == "restored"
    run.world.set_clock(by_s=-1.0, quality="ntp")
    assert run.quality == "ntp"


def test_a_restart_in_the_same_boot_knows_who_set_the_clock(tmp_path):
    first = Watched(World(), tmp_path)
    first.run(10.0)
    first.world.set_clock(quality="restored")
    assert Watched(first.world, tmp_path).quality == "rtc"


def test_another_boot_does_not(tmp_path):
    first = Watched(World(), tmp_path)
    first.run(10.0)
    world = rebooted(first.world, "restored", off_s=60.0)
    assert Watched(world, tmp_path, "another").quality == "restored"


def test_another_boot_that_began_at_the_same_date_does_not_either(tmp_path):
    first = Watched(World(), tmp_path)
    first.run(10.0)
    # Restored to where the last boot began: the two clocks are as far apart as they were then.
    world = rebooted(first.world, "restored", lost_s=first.world.now_s())
    assert world.utc_s() == START_S
    after = Watched(world, tmp_path, "another")
    assert after.quality == "none"
    world.advance(60.0)
    assert after.quality == "restored"


def test_a_time_server_puts_right_what_a_wrong_clock_dated(tmp_path):
    world = World()
    world.set_clock(by_s=70 * 365 * 24 * HOUR_S, quality="rtc")
    run = Watched(world, tmp_path)
    assert run.quality == "rtc"
    world.set_clock(by_s=-70 * 365 * 24 * HOUR_S, quality="restored")
    assert run.quality == "none"
    world.set_clock(quality="ntp")
    assert run.quality == "ntp"
    world.set_clock(quality="rtc")
    assert run.quality == "rtc"


def test_what_was_only_restored_does_not_stand_against_a_battery(tmp_path):
    world = World()
    world.set_clock(by_s=HOUR_S, quality="restored")
    run = Watched(world, tmp_path)
    assert run.quality == "restored"
    world.set_clock(by_s=-HOUR_S, quality="rtc")
    assert run.quality == "rtc"


class Busy(World):
    """A machine so busy that time passes between two readings, the first few times."""

    def __init__(self, pauses_s):
        super().__init__()
        self.pauses_s = list(pauses_s)

    def utc_s(self):
        if self.pauses_s:
            self.advance(self.pauses_s.pop(0))
        return super().utc_s()


def test_a_busy_machine_reads_both_clocks_again():
    assert both(Busy([5.0, 5.0])) == (10.0, START_S + 10.0)
    now_s, utc_s = both(Busy([5.0, 5.0, 5.0]))  # and then it is taken as it is
    assert utc_s - now_s == START_S + 5.0


def test_the_judged_clock_is_the_machines_clock():
    world = World()
    clock = JudgedClock(world, "boot", Known())
    world.advance(7.0)
    assert (clock.now_s(), clock.utc_s()) == (world.now_s(), world.utc_s())
