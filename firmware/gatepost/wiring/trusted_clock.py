"""The time of day, where somebody vouches for it."""

from datetime import UTC, datetime

from gatepost_hal.ports import Clock

_TRUSTED = ("ntp", "rtc")


def is_trusted(clock: Clock) -> bool:
    """Return whether the wall clock was set by something that knows the time."""
    return clock.utc_quality() in _TRUSTED


def trusted_now(clock: Clock) -> datetime | None:
    """Return the time of day, None where no clock can be trusted."""
    return datetime.fromtimestamp(clock.utc_s(), UTC) if is_trusted(clock) else None
