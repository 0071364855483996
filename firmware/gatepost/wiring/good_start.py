"""Writes down the settings of a start that went well: see `gatepost.wiring.last_good`."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from gatepost.core.events import Record
from gatepost_config.settings import Settings
from gatepost_hal.ports import Clock
from gatepost_services.state_file import StateFileError, read_state, write_state

_log = logging.getLogger(__name__)
# A start went well when the loop has turned for so long.
_SOUND_S = 10.0


class GoodStart:
    """Writes down the settings of this start once it has gone well, where they are new."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._path = settings.paths.last_good
        self._clock = clock
        self._due_at_s: float | None = clock.now_s() + _SOUND_S
        self._settings: dict[str, Any] = msgspec.to_builtins(settings, enc_hook=str)

    def due(self) -> Sequence[Record]:
        """Write when it is time; there is never anything to record."""
        if self._due_at_s is not None and self._clock.now_s() >= self._due_at_s:
            self._due_at_s = None  # once a start: a disk that cannot is told of elsewhere
            self._keep()
        return ()

    def _keep(self) -> None:
        since = "a date that is not known"
        if self._clock.utc_quality() != "none":
            since = f"{datetime.fromtimestamp(self._clock.utc_s(), UTC):%Y-%m-%d %H:%M} UTC"
        content = {"since": since, "settings": self._settings}
        try:
            if not self._is_kept():
                write_state(self._path, msgspec.json.encode(content))
        except StateFileError as error:
            _log.error("%s; the last good settings stay those of an earlier start", error)

    def _is_kept(self) -> bool:
        try:
            said = msgspec.json.decode(read_state(self._path) or b"null")
        except ValueError:
            return False
        return isinstance(said, dict) and said.get("settings") == self._settings
