"""How long the broker may keep silent, when a connection was worth making, what is told of it."""

import logging

from gatepost_services.edge_log import EdgeLog
from gatepost_services.uplink.line import SessionError

_LOG = logging.getLogger(__name__)
_MOST_TOLD = 8
# A connection that held this long was worth making, also when there was nothing to send.
_PROVEN_AFTER_S = 60.0


class Patience:
    """Of one link, over all connections. `timeout_s`: with what is sent and not acknowledged."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._began_at_s = 0.0
        self._since_s = 0.0

    def begin(self, now_s: float) -> None:
        """Begin with a new connection."""
        self._began_at_s = self._since_s = now_s

    def heard(self, now_s: float) -> None:
        """Note an acknowledgement."""
        self._since_s = now_s

    def check(self, in_flight: int, now_s: float) -> bool:
        """Return whether the connection has proven to be one by its age.

        Raises:
            SessionError: nothing of what is on its way was acknowledged for too long.
        """
        if in_flight == 0:
            self._since_s = now_s
        elif now_s - self._since_s >= self._timeout_s:
            raise SessionError(f"no acknowledgement for {self._timeout_s} s")
        return now_s >= self._began_at_s + _PROVEN_AFTER_S


class LineLog:
    """Tells why there is no connection: each cause once, until there is one again."""

    def __init__(self) -> None:
        self._log = EdgeLog(_LOG)
        self._told: set[str] = set()

    def failed(self, error: SessionError, delay_s: float) -> None:
        """Note a failure, after which it is tried again in `delay_s`."""
        text, is_first = str(error), not self._log.failing
        self._log.failed("%s; trying again for ever, first in %.1f s", text, delay_s)
        if not is_first and text not in self._told and len(self._told) < _MOST_TOLD:
            _LOG.warning("%s; trying again for ever", text)
        if len(self._told) < _MOST_TOLD:
            self._told.add(text)

    def recovered(self) -> None:
        """Note that it holds."""
        self._told.clear()
        self._log.recovered("the line to the broker holds again")
