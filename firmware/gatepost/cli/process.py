"""What both service processes share: the settings argument, logging, and an orderly end."""

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from gatepost_config.load import DEFAULT_PATH

_CONFIG = "--config"


def add_config_argument(parser: argparse.ArgumentParser) -> None:
    """Add --config."""
    action = parser.add_argument(
        _CONFIG,
        type=Path,
        default=DEFAULT_PATH,
        metavar="FILE",
        help="settings of this gate (default: %(const)s)",
    )
    action.const = DEFAULT_PATH  # for the help alone: a default may be suppressed


def let_config_stand_anywhere(parser: argparse.ArgumentParser) -> None:
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


def subcommands_of(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """Return the parsers of a command's subcommands, each once; argparse has no name for it."""
    return [
        each
        for action in parser._actions  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction)  # noqa: SLF001
        for each in dict.fromkeys(action.choices.values())
    ]


def log_to_stderr() -> None:
    """Log to standard error, where systemd's journal adds the time."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")


class Stopper:
    """Becomes true on SIGTERM or SIGINT, or when a thread of this process dies of an error."""

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self._wake = wake
        self._stopping = False
        self.crashed = False
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        threading.excepthook = self._on_thread_error

    def __call__(self) -> bool:
        """Return whether the process is to end."""
        return self._stopping

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._stopping = True
        self._wake()

    def _on_thread_error(self, failure: threading.ExceptHookArgs) -> None:
        # A gate that is half alive is worse than one that restarts.
        name = failure.thread.name if failure.thread else "unknown"
        logging.getLogger(__name__).critical(
            "thread %s died; the process ends", name, exc_info=failure.exc_value
        )
        self.crashed = True
        os.kill(os.getpid(), signal.SIGTERM)
