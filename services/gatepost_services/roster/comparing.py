"""What differs between the roster on the gate and another one. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from gatepost_services.roster.rows import Row


class Differences(NamedTuple):
    """Subjects, sorted: of passes that only the other has, that only the gate has, that differ.

    A subject stands in a list as often as it has such passes.
    """

    missing: list[str]
    surplus: list[str]
    different: list[str]

    @property
    def are_none(self) -> bool:
        """Whether both hold the same."""
        return not any(self)


def differences(gate: Iterable[Row], other: Iterable[Row]) -> Differences:
    """Return what would have to change on the gate to hold what the other one does."""
    here = {row.digest: row for row in gate}
    there = {row.digest: row for row in other}
    return Differences(
        sorted(row.subject for digest, row in there.items() if digest not in here),
        sorted(row.subject for digest, row in here.items() if digest not in there),
        sorted(row.subject for digest, row in there.items() if here.get(digest, row) != row),
    )
