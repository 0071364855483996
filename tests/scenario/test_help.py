"""`--help` of every command, at every level: it says what it does, on a screen of 80 columns."""

import argparse
import re

import pytest

from gatepost.cli import words
from gatepost.cli.main import COMMANDS, make_parser
from gatepost.cli.subcommands import subcommands_of
from gatepost.doctor.columns import width

COLUMNS = 80
# What is typed: names in capitals, options, paths, names of files, values, commands.
TYPED = re.compile(
    r"--?[a-z][\w-]*|\[[^\]]*\]|\S*[/.][\w/-]\S*|[A-Z]\S*|gatepost(?: [\w-]+){0,2}|"
    r"sudo systemctl \S+ \S+|\w+-\w+|\d+\w*"
)


@pytest.fixture(autouse=True)
def speak(monkeypatch):
    """Return what chooses the language of a command; argparse asks the environment itself."""
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    for name in ("LANGUAGE", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)

    def begin(command, language):
        monkeypatch.setenv("LC_ALL", language)
        words.begin(command)

    begin("", "C")
    yield begin
    begin("", "C")


def every_level(command):
    inner = [
        each for each in subcommands_of(make_parser([command])) if each.prog.endswith(f" {command}")
    ]
    for each in inner:
        yield each
        inner += subcommands_of(each)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_level_says_what_it_does_and_what_it_takes(command):
    for parser in every_level(command):
        assert parser.description, parser.prog
        assert parser.description[0].isupper(), parser.prog
        silent = [action.dest for action in parser._actions if not action.help]
        inner = isinstance(parser._actions[-1], argparse._SubParsersAction)
        assert [name for name in silent if not (subcommands_of(parser) or inner)] == [], parser.prog


@pytest.mark.parametrize("language", ["C", "zh_CN.UTF-8"])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_line_is_wider_than_the_screen(command, language, speak):
    speak(command, language)
    for parser in every_level(command):
        wide = [line for line in parser.format_help().splitlines() if width(line) > COLUMNS]
        assert wide == [], parser.prog


@pytest.mark.parametrize("command", sorted(words.TRANSLATED - {""}))
def test_nothing_stays_english_for_a_chinese_reader(command, speak):
    speak(command, "zh_CN.UTF-8")
    for parser in every_level(command):
        usage, _, rest = parser.format_help().partition("\n\n")
        assert usage.startswith("用法")
        for line in rest.splitlines():
            english = TYPED.sub("", line)
            assert not re.search(r"[a-z]{3,} [a-z]{2,} [a-z]+", english), (parser.prog, line)


def test_another_name_of_a_subcommand_is_the_same_parser():
    (roster,) = (each for each in every_level("roster") if each.prog == "gatepost roster")
    names = [each.prog for each in subcommands_of(roster)]
    assert len(names) == len(set(names))
    assert "gatepost roster show" in names
