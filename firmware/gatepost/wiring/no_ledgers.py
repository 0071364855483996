"""The books of a gate without an order: empty, and no file."""

from collections.abc import Sequence

from gatepost.core.events import Record


class NoLedgers:
    """Where no order is in force."""

    why_not: str | None = None

    def follow(self, _record: Record) -> Sequence[Record]:
        """Return nothing."""
        return ()

    def due(self) -> Sequence[Record]:
        """Return nothing."""
        return ()

    def acknowledge(self, _by: str) -> Sequence[Record]:
        """Return nothing: nothing waits."""
        return ()
