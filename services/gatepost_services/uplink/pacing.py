"""How fast a backlog goes out. Pure: the time is passed in."""

# A burst is what the rate allows in this time: short enough not to be felt on a slow line.
_BURST_S = 0.1
# Waiting for a single token would wake the link hundreds of times a second.
_STEP_S = 0.02


class TokenBucket:
    """Lets through `rate_per_s` events on average; 0 is without a limit.

    Raises:
        ValueError: a rate below 0.
    """

    def __init__(self, rate_per_s: float, now_s: float) -> None:
        if not rate_per_s >= 0:
            raise ValueError(f"rate of {rate_per_s} events/s; use 0 (no limit) or more")
        self._rate_per_s = rate_per_s
        self._most = max(1.0, rate_per_s * _BURST_S)
        self._tokens = self._most
        self._filled_at_s = now_s

    def allowance(self, now_s: float) -> int | None:
        """Return how many events may go now, None for any number."""
        if not self._rate_per_s:
            return None
        passed_s = max(0.0, now_s - self._filled_at_s)
        self._filled_at_s = now_s
        self._tokens = min(self._most, self._tokens + passed_s * self._rate_per_s)
        return int(self._tokens)

    def take(self, count: int) -> None:
        """Note that so many went."""
        self._tokens -= count

    def wait_s(self, now_s: float) -> float:
        """Return for how long it is not worth asking again."""
        if not self._rate_per_s:
            return 0.0
        wanted = min(self._most, max(1.0, self._rate_per_s * _STEP_S))
        tokens = self._tokens + max(0.0, now_s - self._filled_at_s) * self._rate_per_s
        # A little more than that: rounding must not make it ask a moment too soon.
        return max(0.0, (wanted - tokens) / self._rate_per_s + 1e-6) if tokens < wanted else 0.0
