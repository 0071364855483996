"""`--config FILE` before or after the subcommand, in every command that has subcommands."""

import argparse
from pathlib import Path

import pytest

from gatepost.cli.main import COMMANDS, main, make_parser
from gatepost.cli.subcommands import subcommands_of
from gatepost_config.load import DEFAULT_PATH

# Every subcommand of these reads the gate's settings.
WHOLE = {"journal", "lane", "roster"}
# Of these some do; `pass` judges a code by a gate's settings only when it is told to.
PARTLY = {"command", "config", "desired", "pass", "regime", "trust"}
OTHERS = {"credential", "pki", "rules"}


def parser_of(command):
    """Return the whole parser, and that of one command, whose subcommands ask for nothing else."""
    whole = make_parser([command])
    (own,) = (each for each in subcommands_of(whole) if each.prog == f"gatepost {command}")
    for each in subcommands_of(own):
        for group in each._mutually_exclusive_groups:
            group.required = False
        for action in each._actions:
            is_positional = not action.option_strings
            action.required = False
            if is_positional:
                action.nargs, action.default, action.choices = "*", [], None
    return whole, own


def options_of(parser):
    return {option for action in parser._actions for option in action.option_strings}


def is_taker(parser):
    return "--config" in options_of(parser)


def name_of(parser):
    return parser.prog.split()[-1]


def with_subcommands():
    for command in COMMANDS:
        _, own = parser_of(command)
        if subcommands_of(own):
            yield command


def test_every_command_with_subcommands_is_looked_at():
    assert set(with_subcommands()) == WHOLE | PARTLY | OTHERS


@pytest.mark.parametrize("command", sorted(WHOLE | PARTLY | OTHERS))
def test_both_levels_have_it_where_one_has_it(command):
    _, own = parser_of(command)
    takers = {name_of(each) for each in subcommands_of(own) if is_taker(each)}
    assert is_taker(own) == bool(takers) == (command not in OTHERS)
    if command in WHOLE:
        assert takers == {name_of(each) for each in subcommands_of(own)}


@pytest.mark.parametrize("command", sorted(WHOLE | PARTLY))
def test_the_one_after_wins_and_neither_is_lost(command):
    whole, own = parser_of(command)
    default = None if command == "pass" else DEFAULT_PATH
    before, after = ["--config", "before"], ["--config", "after"]
    for name in (name_of(each) for each in subcommands_of(own) if is_taker(each)):
        for words, expected in (
            ([command, name], default),
            ([command, *before, name], Path("before")),
            ([command, name, *after], Path("after")),
            ([command, *before, name, *after], Path("after")),
        ):
            assert whole.parse_args(words).config == expected, words


@pytest.mark.parametrize("command", sorted(WHOLE | PARTLY))
def test_the_help_of_both_levels_says_the_default(command):
    _, own = parser_of(command)
    for each in (own, *filter(is_taker, subcommands_of(own))):
        told = " ".join(each.format_help().split())
        assert "--config FILE" in told
        assert f"(default: {DEFAULT_PATH})" in told or command == "pass"
        assert argparse.SUPPRESS not in told


def test_another_name_of_a_subcommand_takes_it_too():
    whole, _ = parser_of("roster")
    assert whole.parse_args(["roster", "status", "--config", "a"]).config == Path("a")


def test_a_command_reads_the_file_that_is_named_after(tmp_path, capsys):
    right, wrong = tmp_path / "right.toml", tmp_path / "wrong.toml"
    for words in (
        ["journal", "stats", "--config", right],
        ["journal", "--config", right, "stats"],
        ["journal", "--config", wrong, "stats", "--config", right],
    ):
        assert main([str(word) for word in words]) == 2
        told = capsys.readouterr().err
        assert str(right) in told
        assert str(wrong) not in told


def test_a_command_without_subcommands_is_as_it_was():
    whole = make_parser(["doctor"])
    assert whole.parse_args(["doctor"]).config == DEFAULT_PATH
    assert whole.parse_args(["doctor", "--config", "a"]).config == Path("a")
