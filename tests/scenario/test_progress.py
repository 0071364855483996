"""The bar of what takes long: on a terminal alone, never in what a program reads."""

import io
from types import SimpleNamespace

import pytest

from gatepost.cli import progress
from gatepost.cli.progress import Bar


class Terminal(io.StringIO):
    """Standard error as a terminal has it."""

    def isatty(self):
        return True


@pytest.fixture
def lines(monkeypatch):
    """What a terminal has got, cut where it goes back to the line's beginning."""
    terminal = Terminal()
    # Not sys.stderr itself, which pytest exchanges between a fixture and its test.
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=terminal))
    return lambda: terminal.getvalue().split("\r")


def test_it_fills_to_the_end_and_ends_its_line(lines):
    with Bar("looking", 4) as bar:
        for done in range(5):
            bar.show(done)
    assert lines() == [
        "",
        "looking [------------------------------]   0%",
        "looking [########----------------------]  25%",
        "looking [###############---------------]  50%",
        "looking [######################--------]  75%",
        "looking [##############################] 100%\n",
    ]


def test_it_writes_only_what_is_new(lines):
    with Bar("looking", 100_000) as bar:
        for done in range(100_001):
            bar.show(done)
    written = lines()[1:]
    # A new one a percent, and a step of the bar.
    assert 101 <= len(written) == len(set(written)) <= 101 + 30


def test_more_or_less_than_there_was_stays_on_the_bar(lines):
    with Bar("looking", 10) as bar:
        bar.show(-3)
        bar.show(30)
    assert lines()[1:] == [
        "looking [------------------------------]   0%",
        "looking [##############################] 100%\n",
    ]


def test_what_fails_midway_is_told_on_a_line_of_its_own(lines):
    def fail_midway():
        with Bar("looking", 2) as bar:
            bar.show(1)
            raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        fail_midway()
    assert lines()[-1].endswith("50%\n")


def test_names_below_one_another_have_the_same_room(lines):
    for name in ("log", "日志"):
        with Bar(name, 1, columns=6) as bar:
            bar.show(1)
    first, second = (line.partition("[")[0] for line in lines()[1:])
    assert (first, second) == ("log    ", "日志   ")


@pytest.mark.parametrize("total", [0, -5])
def test_nothing_to_do_shows_nothing(lines, total):
    with Bar("looking", total) as bar:
        bar.show(0)
    assert lines() == [""]


def test_where_no_terminal_is_nothing_is_written(capsys):
    with Bar("looking", 2) as bar:
        bar.show(1)
    assert capsys.readouterr() == ("", "")
