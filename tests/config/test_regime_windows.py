"""The dated window of a regime: what is refused, and whose local times it has."""

from datetime import UTC, datetime

import pytest

from .regime_files import problems, settings

FOLLOWERS = "case, control-window, lockdown, medium-risk, normal"
WINDOWS = {
    "that never ends": (
        "start = 2022-04-01T00:00:00",
        "[window] never ends; give an end, or announced = true where an order says that its end "
        "is told separately (R134).",
    ),
    "that ends before it starts": (
        'start = 2022-04-05T00:00:00\nend = 2022-04-01T00:00:00\nthen = "normal"',
        "[window] ends at 2022-04-01 00:00:00+08:00, not after its start 2022-04-05 "
        "00:00:00+08:00.",
    ),
    "that ends when it starts": (
        'start = 2022-04-05T00:00:00\nend = 2022-04-04T16:00:00Z\nthen = "normal"',
        "[window] ends at 2022-04-04 16:00:00+00:00, not after its start 2022-04-05 "
        "00:00:00+08:00.",
    ),
    "after which nothing follows": (
        "start = 2022-04-01T00:00:00\nend = 2022-04-05T00:00:00",
        '[window] ends, and nothing follows; write then = "normal".',
    ),
    "after which it follows itself": (
        'end = 2022-04-05T00:00:00\nthen = "mine"',
        "[window] is followed by itself; name another regime.",
    ),
    "before which it was itself": (
        'start = 2022-04-01T00:00:00\nend = 2022-04-05T00:00:00\nbefore = "mine"\nthen = "normal"',
        "[window] is followed by itself; name another regime.",
    ),
    "after which an unknown one follows": (
        'end = 2022-04-05T00:00:00\nthen = "normality"',
        f"[window] 'normality': no such regime; there are: {FOLLOWERS}.",
    ),
    "before which there was an unknown one": (
        'end = 2022-04-05T00:00:00\nbefore = "xyz"\nthen = "normal"',
        f"[window] 'xyz': no such regime; there are: {FOLLOWERS}.",
    ),
}


def windowed(lines):
    return ("[window]", f"[window]\n{lines}")


@pytest.mark.parametrize("what", WINDOWS)
def test_a_window_is_refused(what, tmp_path):
    lines, told = WINDOWS[what]
    assert problems(tmp_path, windowed(lines)) == [f"mine.toml:5: {told}"]


@pytest.mark.parametrize("what", WINDOWS)
def test_a_sites_window_is_refused_in_the_sites_file(what, tmp_path):
    lines, told = WINDOWS[what]
    told_here = [f"site.toml:2: {told}"]
    assert problems(tmp_path, site=f"# dated\n[window]\n{lines}\n") == told_here


def test_an_end_that_is_told_separately_need_not_be_known(tmp_path):
    window = settings(tmp_path, windowed("start = 2022-04-01T00:00:00\nannounced = true")).window
    assert (window.announced, window.end) == (True, None)


def test_local_times_are_shanghais_where_the_site_says_nothing_else(tmp_path):
    change = windowed('start = 2022-04-01T00:00:00\nend = 2022-04-05T00:00:00\nthen = "normal"')
    window = settings(tmp_path, change).window
    assert window.start == datetime(2022, 3, 31, 16, 0, tzinfo=UTC)
    assert window.end == datetime(2022, 4, 4, 16, 0, tzinfo=UTC)


def test_local_times_are_the_sites(tmp_path):
    change = windowed('start = 2022-04-01T00:00:00\nend = 2022-04-05T00:00:00\nthen = "normal"')
    window = settings(tmp_path, change, site='timezone = "Asia/Urumqi"\n').window
    assert window.start == datetime(2022, 3, 31, 18, 0, tzinfo=UTC)
    assert window.end == datetime(2022, 4, 4, 18, 0, tzinfo=UTC)


def test_a_time_with_an_offset_is_that_instant_everywhere(tmp_path):
    change = windowed('end = 2022-04-05T00:00:00+08:00\nthen = "normal"')
    window = settings(tmp_path, change, site='timezone = "Asia/Urumqi"\n').window
    assert window.end == datetime(2022, 4, 4, 16, 0, tzinfo=UTC)


def test_before_the_window_it_is_the_one_that_follows_unless_another_is_named(tmp_path):
    dated = 'start = 2022-04-01T00:00:00\nend = 2022-04-05T00:00:00\nthen = "normal"'
    assert settings(tmp_path, windowed(dated)).window.before == "normal"
    named = windowed(f'{dated}\nbefore = "case"')
    assert settings(tmp_path, named).window.before == "case"


def test_a_sites_window_takes_the_place_of_the_whole_window(tmp_path):
    dated = windowed('start = 2022-04-01T00:00:00\nend = 2022-04-05T00:00:00\nthen = "normal"')
    window = settings(tmp_path, dated, site="[window]\n").window
    assert (window.start, window.end, window.then) == (None, None, None)
