"""What is told of the wall clock: that it was set, went back, or is worth something else; once."""

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.wiring.clock_watch import read_known
from gatepost.wiring.trusted_clock import Known
from gatepost_hal.simulated.world import World

from .clocks import DAY_S, HOUR_S, QUALITIES, Watched, rebooted


@pytest.fixture
def run(tmp_path):
    """A gate that a time server keeps, which has told so."""
    made = Watched(World(), tmp_path)
    assert made.look() == [("clock.changed", None, "ntp")]
    assert made.run(20.0) == []
    return made


def test_a_step_forward_is_told_once(run):
    run.world.set_clock(by_s=90.1234)
    assert run.run() == [("clock.stepped", 90.123, "ntp")]
    assert run.run(HOUR_S) == []


def test_a_step_back_by_a_time_server_is_told_with_how_far_behind_it_is(run):
    run.world.set_clock(by_s=-90.0)
    stepped, behind = run.run()
    assert stepped == ("clock.stepped", -90.0, "ntp")
    assert behind[0] == "clock.behind"
    assert 84.0 < behind[1] <= 90.0  # it has run on since it was last looked at
    assert run.run(HOUR_S) == []


def test_a_step_back_that_nobody_vouches_for_makes_it_worth_nothing_until_it_has_caught_up(run):
    run.world.set_clock(by_s=-60.0, quality="rtc")
    told = run.run()
    assert [each[0] for each in told] == ["clock.stepped", "clock.behind", "clock.changed"]
    assert told[0] == ("clock.stepped", -60.0, "none")
    assert told[2] == ("clock.changed", "ntp", "none")
    assert run.run(40.0) == []
    assert run.run(40.0) == [("clock.changed", "none", "rtc")]


@pytest.mark.parametrize("by_s", [0.999, -0.999])
def test_less_than_a_second_is_no_step(run, by_s):
    run.world.set_clock(by_s=by_s)
    assert run.run(20.0) == []


def test_a_clock_that_is_pulled_slowly_is_not_stepped(run):
    for _ in range(1000):
        run.world.set_clock(by_s=500e-6 * 5.0)
        assert run.run() == []


def test_the_loss_of_the_time_server_is_told_and_its_return(run):
    run.world.set_clock(quality="restored")
    assert run.run() == [("clock.changed", "ntp", "rtc")]
    run.world.set_clock(quality="ntp")
    assert run.run(20.0) == [("clock.changed", "rtc", "ntp")]


def test_a_restart_tells_nothing_where_nothing_changed(run, tmp_path):
    assert Watched(run.world, tmp_path).run(20.0) == []


def test_a_restart_tells_of_a_step_in_its_absence(run, tmp_path):
    run.world.set_clock(by_s=1800.0)
    assert Watched(run.world, tmp_path).run(20.0) == [("clock.stepped", 1800.0, "ntp")]


def test_another_boot_has_no_steps_of_this_one(run, tmp_path):
    world = rebooted(run.world, "ntp", off_s=DAY_S)
    assert Watched(world, tmp_path, "another").run(20.0) == []


def test_time_that_went_back_over_a_power_cut_is_told_at_once(run, tmp_path):
    run.run(2 * HOUR_S)
    world = rebooted(run.world, "restored", lost_s=3 * HOUR_S)
    after = Watched(world, tmp_path, "another")
    told = after.run(20.0)
    assert [each[0] for each in told] == ["clock.behind", "clock.changed"]
    assert told[1] == ("clock.changed", "ntp", "none")
    assert 0.0 < told[0][1] <= 3 * HOUR_S


def test_what_was_told_before_a_kill_is_told_again_rather_than_never(run, tmp_path):
    run.world.set_clock(by_s=90.0)
    assert run.look() == [("clock.stepped", 90.0, "ntp")]  # and then somebody kills it
    again = Watched(run.world, tmp_path)
    assert again.run() == [("clock.stepped", 90.0, "ntp")]
    again.look()
    assert Watched(run.world, tmp_path).run(20.0) == []


@pytest.mark.parametrize(
    "content", [b"{", b"[]x", b'["gps",0,0,"b",0,null]', b'["ntp","x",0,"b",0,null]', b"\xff"]
)
def test_a_file_that_says_nothing_counts_as_none_and_is_said(content, tmp_path, caplog):
    (tmp_path / "clock.json").write_bytes(content)
    with caplog.at_level(logging.ERROR):
        assert read_known(tmp_path / "clock.json") == Known()
    assert "counts as none" in caplog.text
    run = Watched(World(), tmp_path)
    assert run.run(20.0) == [("clock.changed", None, "ntp")]
    assert read_known(tmp_path / "clock.json").quality == "ntp"


def test_a_file_that_cannot_be_written_is_said_once_and_costs_no_more(tmp_path, caplog):
    (tmp_path / "clock.json").mkdir()
    run = Watched(World(), tmp_path)
    with caplog.at_level(logging.ERROR):
        for quality in ("rtc", "ntp", "rtc"):
            run.world.set_clock(quality=quality)
            assert run.run(10.0)
    assert len([each for each in caplog.records if "knows less" in each.getMessage()]) == 1


def test_the_file_follows_once_an_hour(run, tmp_path):
    path = tmp_path / "clock.json"
    was = path.read_bytes()
    run.run(HOUR_S - 60.0)
    assert path.read_bytes() == was
    run.run(120.0)
    assert run.world.utc_s() - read_known(path).trusted_s < 120.0


FEW = settings(max_examples=100, deadline=None)
moves = st.tuples(
    st.floats(0.5, 20.0),  # until it is looked at
    st.one_of(st.just(0.0), st.floats(-0.9, 0.9), st.floats(-1e6, 1e6)),
    st.none() | st.sampled_from(QUALITIES),
)


@FEW
@given(st.lists(moves, max_size=30))
def test_each_step_and_each_change_is_told_once_and_nothing_else(tmp_path_factory, history):
    run = Watched(World(start_utc_s=1.9e9), tmp_path_factory.mktemp("clock"))
    quality = None
    for wait_s, by_s, said in history:
        run.world.set_clock(by_s=by_s, quality=said)
        run.world.advance(wait_s)
        told = run.look()
        types = [each[0] for each in told]
        assert len(set(types)) == len(types)
        steps = [each[1] for each in told if each[0] == "clock.stepped"]
        is_first = quality is None
        assert steps == ([] if is_first or abs(by_s) <= 1.0 else [pytest.approx(by_s, abs=2e-3)])
        changes = [each[1:] for each in told if each[0] == "clock.changed"]
        assert changes == ([] if run.quality == quality else [(quality, run.quality)])
        quality = run.quality
        assert run.look() == []  # nothing happened since
