"""The order that the gate obeys: the server's, the one that is set here, the last good one, normal.

Once a server has set an order it is the one that counts, and the file of this machine is what is
left when that cannot be used: `gatepost regime status` shows which.
"""

import logging
from collections.abc import Mapping

import msgspec

from gatepost.core.regime import Regime, RegimeLoopError, in_force
from gatepost.wiring.regimes import load, resolved
from gatepost.wiring.server_order import ServerOrder, built, load_order, order_path
from gatepost.wiring.trusted_clock import trusted_now
from gatepost_config.load import ConfigError
from gatepost_config.regime_shape import Source
from gatepost_config.regimes import parse_source, path_of, read_source
from gatepost_config.settings import NOTHING, Settings
from gatepost_hal.ports import Clock
from gatepost_services.state_file import StateFileError, read_state, write_state

_log = logging.getLogger(__name__)

_FALLBACK = "normal"
_CANNOT_MEASURE = (
    "{} measures who leaves, and a lane has no thermometer inside, so the exit stays free; write "
    'measure_on_exit = "when_measured" under [choices] in the site\'s file'
)


def check_order(settings: Settings) -> None:
    """Say what is wrong with the order that is set, as `gatepost config check` does.

    Raises:
        ConfigError: it cannot be used, or not by a lane that asks who leaves for a pass.
    """
    if not settings.regime.name:
        return
    site = settings.regime.site
    regimes = load(settings.regime.name, None if site == NOTHING else site, settings.gate.name)
    check_leavers(settings, regimes)


def check_leavers(settings: Settings, regimes: Mapping[str, Regime]) -> None:
    """Return if a lane that asks who leaves for a pass can obey these regimes.

    Raises:
        ConfigError: it cannot.
    """
    problems = [
        f"[regime] {_CANNOT_MEASURE.format(name)}."
        for name, regime in regimes.items()
        if regime.measures_leavers
    ]
    if problems and settings.regime.exits == "by_pass":
        raise ConfigError(problems)


class OrderInForce:
    """The regime of this gate, over its windows.

    An order that cannot be used is told (`current`), and never a reason not to start: the last one
    that could be stays in force, and where there is none, normal control.

    `server`: what a server has set, None where none has.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._clock = clock
        self._gate = settings.gate.name
        self._path = settings.paths.regime
        self._asks_leavers = settings.regime.exits == "by_pass"
        self._why_not: str | None = None
        self._regimes: Mapping[str, Regime] = {}
        self.server: ServerOrder | None = None
        if settings.regime.name:
            self._regimes = (
                self._of_the_server(settings)
                or self._set(settings)
                or self._last_good()
                or self._normal()
            )

    def follow(self, order: ServerOrder, regimes: Mapping[str, Regime]) -> None:
        """Go by what a server has set, from the next `current` on. It is on the disk already."""
        self.server, self._regimes, self._why_not = order, regimes, None

    def current(self) -> tuple[Regime | None, str | None]:
        """Return the regime that holds now, and what is wrong with the one that is set, if so.

        None: no order is set, and the lane's own rules are all.
        """
        if not self._regimes:
            return None, self._why_not
        first = next(iter(self._regimes))
        try:
            regime = in_force(first, self._regimes, trusted_now(self._clock))
        except RegimeLoopError as error:
            return self._regimes[first], str(error)
        if self._asks_leavers and regime.measures_leavers:
            return regime, self._why_not or _CANNOT_MEASURE.format(regime.name)
        return regime, self._why_not

    def _of_the_server(self, settings: Settings) -> Mapping[str, Regime]:
        try:
            order = load_order(order_path(settings.paths))
            regimes = {} if order is None else built(order, self._gate)
        except (StateFileError, ConfigError) as error:
            self._tell(f"what the server set cannot be used: {error}")
            return {}
        self.server = order
        return regimes

    def _set(self, settings: Settings) -> Mapping[str, Regime]:
        try:
            source = read_source(path_of(settings.regime.name))
            has_site = settings.regime.site != NOTHING
            site = read_source(settings.regime.site) if has_site else None
            regimes = resolved(source, site, self._gate)
        except ConfigError as error:
            self._tell("; ".join(error.problems))
            return {}
        self._keep(source, site)
        return regimes

    def _keep(self, source: Source, site: Source | None) -> None:
        files = [[each.path, each.text] for each in (source, site) if each is not None]
        content = msgspec.json.encode(files)
        try:
            if read_state(self._path) != content:
                write_state(self._path, content)
        except StateFileError as error:
            self._tell(f"it would not outlast a bad one: {error}")

    def _last_good(self) -> Mapping[str, Regime]:
        try:
            content = read_state(self._path)
            if content is None:
                return {}
            files = msgspec.json.decode(content, type=list[tuple[str, str]])
            sources = [parse_source(path, text) for path, text in files]
            site = sources[1] if len(sources) > 1 else None
            return resolved(sources[0], site, self._gate)
        except (StateFileError, ConfigError, ValueError, IndexError) as error:
            self._tell(f"{self._why_not}; nor can the last good one be used: {error}")
            return {}

    def _normal(self) -> Mapping[str, Regime]:
        try:
            return load(_FALLBACK, gate=self._gate)
        except ConfigError as error:
            self._tell(f"{self._why_not}; nor can {_FALLBACK}: {error}")
            return {}

    def _tell(self, why_not: str) -> None:
        _log.error("%s", why_not)
        self._why_not = why_not
