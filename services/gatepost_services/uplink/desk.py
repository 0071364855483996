"""What the link does beside bringing events: desks, each with topics of its own.

A desk never touches the connection. The link subscribes to its topics, hands it what comes, and
sends what it has to post, one post a desk at a time: alarms go first, events are not held up.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Message(NamedTuple):
    """What the broker handed on.

    `is_retained`: the broker had it before the link came. `response_topic`, `correlation`: MQTT 5,
    where and with what the sender wants its answer.
    """

    topic: str
    payload: bytes
    is_retained: bool = False
    response_topic: str | None = None
    correlation: bytes | None = None


class Post(NamedTuple):
    """What a desk wants to publish, with QoS 1. `expiry_s`: the broker forgets it then (MQTT 5)."""

    topic: str
    payload: bytes
    is_retained: bool = False
    content_type: str = "application/json"
    correlation: bytes | None = None
    expiry_s: int | None = None


class Desk(Protocol):
    """One thing that the link does. All calls come from the link's thread; none may block long."""

    @property
    def topics(self) -> Sequence[str]:
        """What to subscribe to, at each connection."""
        ...

    def connected(self, now_s: float) -> None:
        """Begin with a new connection: what must be said at each one is due now."""
        ...

    def take(self, message: Message, now_s: float) -> None:
        """Deal with a message of one of the topics, for good; then the broker is told so.

        Raises:
            OSError: it is not kept. The broker is told nothing, and it is taken again in a second.
        """
        ...

    def next_post(self, now_s: float) -> Post | None:
        """Return what to publish next, None for nothing. Asked again after `posted`."""
        ...

    def posted(self, post: Post, reason: int, now_s: float) -> None:
        """The broker took it (0), or said why not: a reason code of MQTT 5, 0x80 or above."""
        ...
