"""A log that speaks on the edges: once when something fails, once when it works again."""

import logging


class EdgeLog:
    """Logs one condition when it begins and when it ends, however often it is reported.

    One instance for one condition. Not thread-safe: one thread reports.
    """

    def __init__(self, logger: logging.Logger, level: int = logging.WARNING) -> None:
        self._logger = logger
        self._level = level
        self._failures = 0

    @property
    def failing(self) -> bool:
        """Whether the last report was a failure."""
        return self._failures > 0

    def failed(self, message: str, *args: object) -> None:
        """Log the failure if it is new; otherwise only count it."""
        self._failures += 1
        if self._failures == 1:
            self._logger.log(self._level, message, *args)

    def recovered(self, message: str, *args: object) -> None:
        """Log the recovery, with how often it had failed, if there was a failure before."""
        if self._failures == 0:
            return
        failures, self._failures = self._failures, 0
        self._logger.log(self._level, "%s (failed %d times)", message % args, failures)
