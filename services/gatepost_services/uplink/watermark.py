"""What the server says that it has, and when to send again what it does not confirm. Pure.

A PUBACK means that the broker took an event, not that the server will get it: mosquitto with its
defaults acknowledged 5,000 events and handed on 1,000. The watermark is the server's own word.
"""

import json

from gatepost_services.uplink.progress import Progress

MOST_BYTES = 4096
_END = 2**53  # where a JSON number is no longer one in every language
_LONGEST_S = 86_400.0
# Between two rewinds: a server that counts up and down must not keep the link busy.
_LEAST_S = 10.0


def parse_watermark(payload: bytes) -> int | None:
    """Return N of `{"through": N}`, None for anything else."""
    if len(payload) > MOST_BYTES:
        return None
    try:
        said = json.loads(payload.decode("utf-8"), object_pairs_hook=_only_member)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    through = said.get("through")
    # bool is an int to Python.
    return through if type(through) is int and 0 <= through < _END else None


class Confirmations:
    """Decides when events go out again. `timeout_s`: how long the server may keep silent.

    The patience doubles with each time in vain, up to a day, and begins anew when the watermark
    moves. Give it the present progress; it keeps only instants.
    """

    def __init__(self, timeout_s: float, progress: Progress) -> None:
        self._timeout_s = timeout_s
        self.claimed = progress.watermark
        self.is_moving = False  # the last thing that the watermark did was to grow
        self._lower: int | None = None
        self._lowered_at_s = -_LEAST_S
        self._watermark = progress.watermark
        self._patience_s = timeout_s
        self._since_s: float | None = None

    def connected(self) -> None:
        """Begin the wait anew: a server can confirm nothing while there is no connection."""
        self._since_s = None

    def claim(self, through: int, progress: Progress) -> None:
        """Note what the server says."""
        if through < progress.watermark:
            self._lower = through
        else:
            self._lower = None
            self.claimed = max(self.claimed, through)

    def fallen_to(self, progress: Progress, now_s: float) -> int | None:
        """Return the watermark if it is lower than it was: the server has lost what is above."""
        if self._lower is None or now_s - self._lowered_at_s < _LEAST_S:
            return None
        through, self._lower = self._lower, None
        if through >= progress.watermark:
            return None
        self._lowered_at_s = now_s
        self.claimed = through
        self._since_s = None
        return through

    def is_overdue(self, progress: Progress, now_s: float) -> bool:
        """Whether what the broker has acknowledged should be sent again, from the watermark on."""
        if progress.watermark != self._watermark:
            self.is_moving = progress.watermark > self._watermark
            self._watermark = progress.watermark
            self._patience_s = self._timeout_s
            self._since_s = None
        if progress.acknowledged <= progress.watermark:
            self._since_s = None
            return False
        if self._since_s is None:
            self._since_s = now_s
        if now_s - self._since_s < self._patience_s:
            return False
        self.is_moving = False
        self._patience_s = min(_LONGEST_S, 2 * self._patience_s)
        self._since_s = None
        return True


def _only_member(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(pairs) != 1:
        raise ValueError("not the one member")
    return dict(pairs)
