"""How a first boot went: for systemd, for the journal, and for whoever reads the card."""

from collections.abc import Callable
from dataclasses import dataclass

DONE, AGAIN, WRONG = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went: `status` is DONE, AGAIN (the next try may do it) or WRONG (somebody must act).

    `line` is in plain words; `problems` are what is wrong, one a line. `is_news`: whether it goes
    to the card.
    """

    status: int
    line: str
    problems: tuple[str, ...] = ()
    is_news: bool = True

    def text(self, say: Callable[[str], str] = str) -> str:
        """Return all of it, in English, or as `say` says it."""
        return "".join(f"{say(line)}\n" for line in (self.line, *self.problems))
