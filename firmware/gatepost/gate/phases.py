"""How long the parts of a turn take; a turn that takes too long is told, with the part to blame.

A loop that is late sees a fire late. One record a minute is enough for a technician: it carries the
worst of each part and how often.
"""

from gatepost.core.events import Json, Record

# A part that takes longer is an overrun: half of what a fire may take from its level to the relay.
LIMIT_S = 0.05
_TELL_EVERY_S = 60.0


class Phases:
    """The stopwatch of one loop. Time comes in with every call."""

    def __init__(self, now_s: float) -> None:
        self._since_s = now_s
        self._tell_at_s = now_s
        self._worst_s: dict[str, float] = {}
        self._count = 0

    def begin(self, now_s: float) -> None:
        """Begin the next part: what went before it is not timed."""
        self._since_s = now_s

    def end(self, phase: str, now_s: float) -> None:
        """Note how long the part took that ends now; the next one begins."""
        took_s = now_s - self._since_s
        self._since_s = now_s
        if took_s > LIMIT_S:
            self._count += 1
            self._worst_s[phase] = max(took_s, self._worst_s.get(phase, 0.0))

    def told(self, now_s: float) -> tuple[Record, ...]:
        """Return the record of the overruns since the last one, if it is time for it."""
        if not self._count or now_s < self._tell_at_s:
            return ()
        worst_s: dict[str, Json] = {
            phase: round(took_s, 3) for phase, took_s in self._worst_s.items()
        }
        data: dict[str, Json] = {"count": self._count, "worst_s": worst_s, "limit_s": LIMIT_S}
        self._tell_at_s = now_s + _TELL_EVERY_S
        self._count = 0
        self._worst_s = {}
        return (Record("controller.overrun", now_s, data),)
