"""Removes somebody from the roster, beside the loop: in a large one that takes seconds on a Pi.

What else the gate keeps of them goes by itself once the roster no longer names them
(services/PRIVACY.md).
"""

import threading
from collections.abc import Sequence

from gatepost.core.events import Json, Record
from gatepost_config.paths import Paths
from gatepost_hal.ports import Clock
from gatepost_services.roster import RosterError
from gatepost_services.roster.changing import key_in_force
from gatepost_services.roster.writer import RosterWriter

_STOP_S = 5.0


class Erasing:
    """One at a time. That one began is what is answered; that it failed is told by `news`."""

    def __init__(self, paths: Paths, clock: Clock) -> None:
        self._paths = paths
        self._clock = clock
        self._thread: threading.Thread | None = None
        self._failed: list[str] = []

    def begin(self, subject: str) -> str | None:
        """Begin to remove somebody; return why not, if so."""
        if self._thread is not None and self._thread.is_alive():
            return "somebody else is being removed; say it again in a minute"
        self._thread = threading.Thread(
            target=self._erase, args=(subject,), name="erasing", daemon=True
        )
        self._thread.start()
        return None

    def news(self) -> Sequence[Record]:
        """Return a record for each one who could not be removed."""
        failed, self._failed = self._failed, []
        return [Record("command.refused", self._clock.now_s(), _data(why)) for why in failed]

    def close(self) -> None:
        """Wait for the one that is being removed: SQLite leaves them in, or out."""
        if self._thread is not None:
            self._thread.join(_STOP_S)

    def _erase(self, subject: str) -> None:
        try:
            key = key_in_force(self._paths.roster, self._paths.roster_key)
            with RosterWriter.open(self._paths.roster, key) as writer:
                writer.erase(subject, int(self._clock.utc_s()))
        except RosterError as error:
            self._failed = [*self._failed, str(error)]


def _data(why: str) -> dict[str, Json]:
    return {"verb": "erase", "why": "failed", "detail": why}
