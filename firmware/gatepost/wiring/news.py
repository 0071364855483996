"""What a gate tells without being asked, at each housekeeping: clock, settings, outings, health."""

import logging
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import msgspec

from gatepost.core.events import Record
from gatepost.core.regime import Regime
from gatepost.wiring.clock_watch import ClockWatch, clock_file
from gatepost.wiring.good_start import GoodStart
from gatepost.wiring.health import Health
from gatepost.wiring.outings import Outing, quota_used
from gatepost.wiring.trusted_clock import JudgedClock
from gatepost_config.settings import Settings
from gatepost_hal.ports import Clock
from gatepost_services.state_file import StateFileError, read_state, write_state

_log = logging.getLogger(__name__)
_MINUTE_S = 60.0
_HEX = frozenset("0123456789abcdef")
_DIGEST_LENGTH = 64


def settings_digest(settings: Settings) -> str:
    """Return the SHA-256 of the settings as they were loaded, defaults included, in hexadecimal.

    Comments and the sequence of the lines do not count; a new version of the program with another
    default does.
    """
    return sha256(msgspec.json.encode(settings, enc_hook=str, order="sorted")).hexdigest()


class ConfigWatch:
    """Tells once after a start that the settings are others than at the last one.

    It is told before it is noted: a kill in between has it told again.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._clock = clock
        self._path: Path = settings.paths.settings_digest
        self._digest = settings_digest(settings)
        self._before = _read_digest(self._path)
        self._has_told = self._is_noted = self._before == self._digest

    def due(self) -> Sequence[Record]:
        """Return the record at the first call, where there is a change."""
        if not self._has_told:
            self._has_told = True
            data = {"digest": self._digest, "before": self._before}
            return (Record("config.changed", self._clock.now_s(), data),)
        if not self._is_noted:
            self._is_noted = True
            try:
                write_state(self._path, self._digest.encode("ascii"))
            except StateFileError as error:
                _log.error("%s; the next start tells again that the settings changed", error)
        return ()


class News:
    """All of it, for the loop.

    Args:
        settings: of this gate.
        clock: the gate's, judged.
        regime: the order in force, as `Surroundings.regime`.
        outings: those that counted since the last call (`Passes.take_outings`).
    """

    def __init__(
        self,
        settings: Settings,
        clock: JudgedClock,
        *,
        regime: Callable[[], tuple[Regime | None, str | None]],
        outings: Callable[[], Sequence[Outing]],
    ) -> None:
        self._clock = ClockWatch(clock, clock_file(settings))
        self._config = ConfigWatch(settings, clock)
        self._good_start = GoodStart(settings, clock)
        self._health = Health(
            clock,
            every_s=settings.journal.health_minutes * _MINUTE_S,
            folder=settings.paths.gate_dir,
        )
        self._regime = regime
        self._outings = outings

    def due(self) -> Sequence[Record]:
        """Return what is to be recorded by now, each thing once."""
        regime, _ = self._regime()
        used = [quota_used(outing, regime) for outing in self._outings()]
        return (
            *self._clock.due(),  # first: it says what the dates of the rest are worth
            *self._config.due(),
            *self._good_start.due(),
            *(record for record in used if record is not None),
            *self._health.due(),
        )


def _read_digest(path: Path) -> str | None:
    """Return the digest of the last start, None where it left none that is one."""
    try:
        text = (read_state(path) or b"").decode("ascii")
    except (StateFileError, UnicodeDecodeError) as error:
        _log.error("%s: cannot be read, and counts as none: %s", path, error)
        return None
    return text if len(text) == _DIGEST_LENGTH and _HEX.issuperset(text) else None
