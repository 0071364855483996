"""Which steps of the table the walk takes: one that it never takes was never checked."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gatepost.core.states import State, Trigger
from gatepost.core.table import TABLE, Step

Taken = set[tuple[State, Trigger]]


class _NotingSteps(dict[Trigger, Step]):
    """The steps of a state; it notes each that is looked up to be taken."""

    def __init__(self, state: State, steps: dict[Trigger, Step], taken: Taken) -> None:
        super().__init__(steps)
        self._state = state
        self._taken = taken

    def get(self, key: Trigger, default: Any = None) -> Any:
        if key in self:
            self._taken.add((self._state, key))
        return super().get(key, default)

    def __getitem__(self, key: Trigger) -> Step:
        self._taken.add((self._state, key))
        return super().__getitem__(key)


@contextmanager
def noted_steps() -> Iterator[Taken]:
    """Note which steps are taken meanwhile."""
    taken: Taken = set()
    rows = dict(TABLE)
    try:
        for state, row in rows.items():
            TABLE[state] = row._replace(steps=_NotingSteps(state, row.steps, taken))
        yield taken
    finally:
        TABLE.update(rows)


def all_steps() -> Taken:
    """Return every step of the table."""
    return {(state, trigger) for state, row in TABLE.items() for trigger in row.steps}
