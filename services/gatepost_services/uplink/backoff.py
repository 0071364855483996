"""How long to wait before the next try. Pure."""

from random import Random

# 2**64 times any base is beyond any cap; the exponent stops there, not the tries.
_LARGEST_EXPONENT = 64


class Backoff:
    """Delays that double up to a cap, each drawn from zero to that bound ("full jitter").

    The draw keeps thousands of gates from coming back in step after one broker restart:
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/. Never gives up.

    Raises:
        ValueError: not 0 < base_s <= cap_s.
    """

    def __init__(self, base_s: float, cap_s: float, random: Random) -> None:
        if not 0 < base_s <= cap_s:
            raise ValueError(f"base_s = {base_s}, cap_s = {cap_s}: must be 0 < base_s <= cap_s")
        self._base_s = base_s
        self._cap_s = cap_s
        self._random = random
        self._failures = 0

    def next_s(self) -> float:
        """Return the delay in seconds before the next try; the one after it may be longer."""
        exponent = min(self._failures, _LARGEST_EXPONENT)
        self._failures += 1
        return self._random.uniform(0.0, min(self._cap_s, self._base_s * 2.0**exponent))

    def another(self) -> "Backoff":
        """Return one of the same bounds, for another purpose."""
        return Backoff(self._base_s, self._cap_s, self._random)

    def reset(self) -> None:
        """Begin with the shortest delay again: something has worked."""
        self._failures = 0
