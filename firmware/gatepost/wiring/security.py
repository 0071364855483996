"""How the link is secured: its certificates as they are used, told, and warned of."""

import json
import logging
import ssl
from collections.abc import Callable
from datetime import UTC, datetime

from gatepost_config.settings import Settings
from gatepost_services.board import REPORTED, BoardReader
from gatepost_services.edge_log import EdgeLog
from gatepost_services.record import JsonValue
from gatepost_services.uplink.tls import TlsError, TlsFiles

_log = logging.getLogger(__name__)
_TRUSTED = ("ntp", "rtc")


class Security:
    """TLS of the site's files, or in the clear where the settings say so in as many words."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._board = BoardReader(settings.paths.board)
        self._files: TlsFiles | None = None
        if settings.link.transport == "tls":
            self._files = TlsFiles(settings.tls, self._trusted_now)
        self._ends_log, self._problem_log = EdgeLog(_log), EdgeLog(_log)

    @property
    def context(self) -> Callable[[], ssl.SSLContext] | None:
        """What makes the context of each connection; None in the clear."""
        return None if self._files is None else self._files.context

    def is_renewed(self) -> bool:
        """Return whether newer good certificates wait for a new connection."""
        return self._files is not None and self._files.renewed()

    def told(self) -> str:
        """Return in one line how the link is secured."""
        link, tls = self._settings.link, self._settings.tls
        broker = f"{link.broker_host}:{link.broker_port}"
        if self._files is None:
            return (
                f"NOT secured: everything goes to {broker} in the clear, for the settings say so "
                '([link] transport = "plain"); that is for a broker on this machine, or a test'
            )
        try:
            self._files.context()
        except TlsError as error:
            return f"cannot be secured, and so does not connect to {broker}: {error}"
        state = self._files.state
        until = f", until {state.expires_utc:%Y-%m-%d}" if state else ""
        return (
            f"secured by TLS 1.3: {broker} must show a certificate of {tls.ca}, and is shown "
            f"{tls.certificate}{until}"
        )

    def certificate(self) -> dict[str, JsonValue] | None:
        """Return what the status tells of our certificate; warn of one that ends soon."""
        if self._files is None or self._files.state is None:
            return None
        state, now = self._files.state, self._trusted_now()
        days_left = None if now is None else int(state.days_left(now))
        self._warn(state.expires_utc, None if now is None else state.days_left(now))
        expires = state.expires_utc.astimezone(UTC).isoformat(timespec="seconds")
        return {"expires_utc": expires.replace("+00:00", "Z"), "days_left": days_left}

    def _trusted_now(self) -> datetime | None:
        """Return the time of day, None unless the gate says that its clock is to be trusted."""
        try:
            said = json.loads(self._board.read(REPORTED) or b"{}")
        except ValueError:
            return None
        quality = said.get("time_quality") if isinstance(said, dict) else None
        return datetime.now(UTC) if quality in _TRUSTED else None

    def _warn(self, expires_utc: datetime, days_left: float | None) -> None:
        tls = self._settings.tls
        if days_left is not None and days_left < tls.warn_days:
            self._ends_log.failed(
                "%s ends on %s, in %.1f days; run: gatepost enrol --renew (systemctl status "
                "gatepost-renew.timer)",
                tls.certificate,
                f"{expires_utc:%Y-%m-%d %H:%M} UTC",
                days_left,
            )
        elif days_left is not None:
            self._ends_log.recovered("%s is renewed", tls.certificate)
        problem = self._files.problem if self._files else None
        if problem:
            self._problem_log.failed("%s; the link goes on with the certificates before", problem)
        else:
            self._problem_log.recovered("the new certificates are good")
