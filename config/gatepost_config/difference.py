"""What changes from one file of settings to another, and who must start anew for it."""

from collections.abc import Sequence
from typing import NamedTuple

from gatepost_config.reference import UNITS, Entry, Process, entries, values
from gatepost_config.settings import Settings


class Change(NamedTuple):
    """One setting that has another value."""

    entry: Entry
    old: object
    new: object


def differences(old: Settings, new: Settings) -> list[Change]:
    """Return the settings whose value is another, in the order of the reference.

    Comments, the sequence of lines, and a default that one file says and the other does not, are
    no difference.
    """
    before, after = values(old), values(new)
    return [
        Change(entry, before[name], after[name])
        for name, entry in entries().items()
        if before[name] != after[name]
    ]


def restarts(changes: Sequence[Change]) -> tuple[Process, ...]:
    """Return the processes that must start anew before all of the changes are in force."""
    needed = {process for change in changes for process in change.entry.restart}
    return tuple(process for process in UNITS if process in needed)
