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


def add_config_argument(parser: argparse.ArgumentParser) -> None:
    """Add --config."""
    action = parser.add_argument(
        "--config",
        type=Path,
        default=DEFAULT_PATH,
        metavar="FILE",
        help="settings of this gate (default: %(const)s)",
    )
    action.const = DEFAULT_PATH  # for the help alone: a default may be suppressed


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
