"""When what people touch at this gate was disinfected, and whether it is due (R220 R221)."""

import logging
from pathlib import Path

import msgspec

from gatepost.core.passback import Moment, is_within
from gatepost.wiring.trusted_clock import judging_moment
from gatepost_hal.ports import Clock
from gatepost_services.state_file import StateFileError, read_state, write_state

_log = logging.getLogger(__name__)

_DAY_S = 86_400.0


class Disinfection:
    """The last one that somebody told, over restarts.

    A file that cannot be read is none: it is due then, which costs a wipe.
    """

    def __init__(self, path: Path, clock: Clock, boot_id: str) -> None:
        self._path = path
        self._clock = clock
        self._boot_id = boot_id
        self._last: Moment | None = None
        try:
            content = read_state(path)
            self._last = msgspec.json.decode(content, type=Moment) if content else None
        except (StateFileError, ValueError) as error:
            _log.error("%s: cannot be read, and counts as none: %s", path, error)

    def due(self, a_day: int) -> str | None:
        """Return that it is due, with so many a day at equal distances; None: not yet, or never."""
        if not a_day:
            return None
        span_s = _DAY_S / a_day
        # Of another boot nobody knows without a trusted clock; a wipe too many harms nobody.
        if is_within(self._last, judging_moment(self._clock, self._boot_id), span_s):
            return None
        return f"not told of for {span_s / 3600:g} h"

    def done(self) -> str | None:
        """Note that it was done now; return why that will not outlast a restart, if so."""
        self._last = Moment(self._boot_id, self._clock.now_s(), self._clock.utc_s())
        try:
            write_state(self._path, msgspec.json.encode(self._last))
        except StateFileError as error:
            return str(error)
        return None
