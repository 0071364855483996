"""What is the same for every command that has subcommands: --config on either side, and its help.

argparse has no public names for what a parser holds.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from gatepost.cli.words import say

_CONFIG = "--config"


def subcommands_of(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """Return the parsers of a command's subcommands, each once."""
    return [each for each, _ in with_help(parser)]


def finish(parser: argparse.ArgumentParser) -> None:
    """Complete a command that has its arguments."""
    _let_config_stand_anywhere(parser)
    _describe(parser)


def sentence(text: str) -> str:
    """Return a line of a list of commands as it begins a description."""
    return f"{text[0].upper()}{text[1:]}"


def with_help(
    parser: argparse.ArgumentParser,
) -> Iterator[tuple[argparse.ArgumentParser, str]]:
    """Yield the parser of each subcommand, once, with its line in the list."""
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            helps = {each.dest: each.help or "" for each in action._choices_actions}  # noqa: SLF001
            names: dict[argparse.ArgumentParser, str] = {}
            for name, each in action.choices.items():
                names.setdefault(each, name)  # another name of one comes behind
            yield from ((each, helps.get(name, "")) for each, name in names.items())


def _describe(parser: argparse.ArgumentParser) -> None:
    """Have each subcommand say of itself what the list of them says, where it says no more."""
    for each, line in with_help(parser):
        if line and not each.description:
            each.description = sentence(say(line))
        _describe(each)


def _let_config_stand_anywhere(parser: argparse.ArgumentParser) -> None:
    """Let --config stand before a subcommand as well as after it; the one after counts.

    A command that has it has it at every subcommand. One that only some subcommands have may stand
    before any; the others have no use for it.
    """
    inner = subcommands_of(parser)
    own = next(iter(_config_of(parser)), None)
    theirs = [action for each in inner for action in _config_of(each)]
    if own is not None:
        theirs += [_add(each, own) for each in inner if not _config_of(each)]
    elif theirs:
        _add(parser, theirs[0])
    for action in theirs:
        action.default = argparse.SUPPRESS  # it would replace what stands before the subcommand


def _config_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [each for each in parser._actions if _CONFIG in each.option_strings]  # noqa: SLF001


def _add(parser: argparse.ArgumentParser, like: argparse.Action) -> argparse.Action:
    """Add --config as another parser has it."""
    action = parser.add_argument(
        _CONFIG, type=Path, default=like.default, metavar="FILE", help=like.help
    )
    action.const = like.const
    return action
