"""Publishes what the gate has pinned up: how it is, and the signed head of its journal."""

from collections.abc import Sequence

from gatepost_services.board import HEAD, REPORTED, BoardReader
from gatepost_services.contract.events import event_source
from gatepost_services.uplink.desk import Message, Post

_JOSE = "application/jose"
_LOOK_S = 1.0
# The head moves with every event; so often is enough to show what was dropped.
_HEAD_EVERY_S = 10.0


class _Sheet:
    """One text of the board: where it goes, and what the broker has of it."""

    def __init__(self, name: str, topic: str, content_type: str, every_s: float) -> None:
        self.name = name
        self.topic = topic
        self.content_type = content_type
        self.every_s = every_s
        self.said: bytes | None = None
        self.due_at_s = 0.0


class BoardDesk:
    """Each text, retained: at each connection, and when it has changed.

    Raises:
        ValueError: a name of another form than `event_source` demands.
    """

    def __init__(self, site: str, gate: str, board: BoardReader) -> None:
        base = event_source(site, gate)[1:]
        self._board = board
        self._sheets = (
            _Sheet(REPORTED, f"{base}/reported", "application/json", _LOOK_S),
            _Sheet(HEAD, f"{base}/head", _JOSE, _HEAD_EVERY_S),
        )

    @property
    def topics(self) -> Sequence[str]:
        """Nothing."""
        return ()

    def connected(self, now_s: float) -> None:
        """Begin anew: a broker may have forgotten what it was told."""
        for sheet in self._sheets:
            sheet.said, sheet.due_at_s = None, now_s

    def take(self, message: Message, now_s: float) -> None:
        """Do nothing: there is no topic."""

    def next_post(self, now_s: float) -> Post | None:
        """Return a text that has changed."""
        for sheet in self._sheets:
            if now_s < sheet.due_at_s:
                continue
            text = self._board.read(sheet.name)
            if text is None or text == sheet.said:
                sheet.due_at_s = now_s + _LOOK_S
                continue
            return Post(sheet.topic, text, is_retained=True, content_type=sheet.content_type)
        return None

    def posted(self, post: Post, reason: int, now_s: float) -> None:
        """Note it; what was refused is said when it has changed, or with the next connection."""
        del reason
        for sheet in self._sheets:
            if sheet.topic == post.topic:
                sheet.said, sheet.due_at_s = post.payload, now_s + sheet.every_s
