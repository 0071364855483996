"""Hears the server's watermark on a connection, and tells when events must go out again."""

import logging
from collections.abc import Sequence

from gatepost_services.edge_log import EdgeLog
from gatepost_services.uplink.desk import Message, Post
from gatepost_services.uplink.drain import Drain
from gatepost_services.uplink.line import Session
from gatepost_services.uplink.progress import KeepUntil, Progress
from gatepost_services.uplink.watermark import Confirmations, parse_watermark

_LOG = logging.getLogger(__name__)
_MOST_SAID = 16


class Confirming:
    """The watermark of one gate, over all connections. It acts only with `keep_until` watermark.

    It is a desk of the link, too: the watermark is a message like others.
    """

    def __init__(
        self, topic: str, keep_until: KeepUntil, timeout_s: float, progress: Progress
    ) -> None:
        self._topic = topic
        self._is_acting = keep_until == "watermark"
        self._confirmations = Confirmations(timeout_s, progress)
        self._said: list[bytes] = []
        self._payload_log = EdgeLog(_LOG)
        self._fallen_log = EdgeLog(_LOG)
        self._overdue_log = EdgeLog(_LOG)
        self._subscription_log = EdgeLog(_LOG, logging.ERROR)

    @property
    def topics(self) -> Sequence[str]:
        """The watermark's."""
        return (self._topic,)

    def connected(self, now_s: float) -> None:
        """Begin with a new connection."""
        del now_s
        self._said.clear()

    def take(self, message: Message, now_s: float) -> None:
        """Keep what the server says until there is something to hold it against."""
        del now_s
        self._said = [*self._said[1 - _MOST_SAID :], message.payload]

    def next_post(self, now_s: float) -> Post | None:
        """Return nothing: it only hears."""
        del now_s
        return None

    def posted(self, post: Post, reason: int, now_s: float) -> None:
        """Nothing was."""

    def begin(self, drain: Drain) -> None:
        """Begin to hold it against a drain."""
        drain.claimed = self._confirmations.claimed
        self._confirmations.connected()

    def hear(self, session: Session, drain: Drain) -> None:
        """Deal with what the server has said."""
        said, self._said = self._said, []
        for payload in said:
            through = parse_watermark(payload)
            if through is None:
                self._payload_log.failed(
                    'the watermark must be {"through": N}; what came is not, and is ignored'
                )
                continue
            self._payload_log.recovered("the watermark is one again")
            # What was never sent cannot be with the server.
            self._confirmations.claim(min(through, drain.highest_sent), drain.progress())
            drain.claimed = self._confirmations.claimed
        if self._is_acting and self._topic in session.refused_topics:
            self._subscription_log.failed(
                "the broker does not let the gate read %s, so no event is ever confirmed; see its "
                'access list, or set keep_until = "puback"',
                self._topic,
            )

    def rewind_to(self, drain: Drain, now_s: float) -> int | None:
        """Return the number behind which everything must go out again, None for nothing."""
        if not self._is_acting:
            return None
        progress = drain.progress()
        fallen_to = self._confirmations.fallen_to(progress, now_s)
        if fallen_to is not None:
            self._fallen_log.failed(
                "the server has events through %d, and had them through %d: it lost some; "
                "what the journal still has is sent again",
                fallen_to,
                progress.watermark,
            )
            return fallen_to
        if self._confirmations.is_overdue(progress, now_s):
            self._overdue_log.failed(
                "the broker acknowledged events through %d, the server confirms %d; sent again; "
                "see the broker's queue limits (mosquitto: max_queued_messages) and the server",
                progress.acknowledged,
                progress.watermark,
            )
            return progress.watermark
        if self._confirmations.is_moving:
            self._fallen_log.recovered("the server confirms what it had lost")
            self._overdue_log.recovered("the server confirms events again")
        return None
