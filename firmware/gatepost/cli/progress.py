"""A bar on a terminal, for what takes long: a journal of years on a slow card."""

import sys
from types import TracebackType
from typing import Self

from gatepost.doctor.columns import padded

_BAR_COLUMNS = 30


class Bar:
    """Shows how far something is, in one line on standard error; nothing where no terminal is.

    Args:
        name: what is going on, in the reader's language; a few words.
        total: how much there is to do, in whatever `show` is told in; 0 shows nothing.
        columns: the room for the name, where bars stand below one another.
    """

    def __init__(self, name: str, total: int, columns: int = 0) -> None:
        self._name = padded(name, columns)
        self._total = total
        self._is_shown = total > 0 and sys.stderr.isatty()
        self._told = ""

    def show(self, done: int) -> None:
        """Say how much is done. Writes only when the line changes."""
        if not self._is_shown:
            return
        part = max(0.0, min(done / self._total, 1.0))
        filled = round(part * _BAR_COLUMNS)
        bar = "#" * filled + "-" * (_BAR_COLUMNS - filled)
        line = f"{self._name} [{bar}] {part:4.0%}"
        if line != self._told:
            print(f"\r{line}", end="", file=sys.stderr, flush=True)
            self._told = line

    def end(self) -> None:
        """End the line, wherever the bar stands: what comes next begins on one of its own."""
        if self._told:
            print(file=sys.stderr, flush=True)
            self._told = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()
