"""The desks' share of a connection: what they subscribe to, what comes for them, what they post.

A topic on which nothing was taken yet on this connection is tried with one post, and no second
such topic beside it: so it is known which one a broker refuses. A topic that is refused is left
alone for a while, and its desk told so at once; nothing else stops.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from gatepost_services.edge_log import EdgeLog
from gatepost_services.uplink.desk import Desk, Message, Post
from gatepost_services.uplink.line import (
    MOST_MESSAGES,
    Incoming,
    RefusedError,
    Session,
)
from gatepost_services.uplink.reasons import NOT_AUTHORISED, QUOTA_EXCEEDED, TOO_LARGE, words

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")
_DENIED = 0x80
_MOST_DEATHS = 3
_REFUSED_S = 3600.0
# Of a topic at which connections only seem to die.
_DEADLY_S = 300.0
_QUOTA_S = 60.0
# A desk that could not keep a message is asked again after so long.
_AGAIN_S = 1.0
_FAULT_S = 60.0
_MOST_MUTED = 1000
# After a message the desks are asked more often for so long: somebody waits for an answer.
_LIVELY_S = 10.0


def matches(pattern: str, topic: str) -> bool:
    """Return whether a topic is one of those that a subscription names (MQTT 5.0, 4.7.1)."""
    wanted, found = pattern.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted = wanted[:-1]
        found = found[: len(wanted)]
    return len(wanted) == len(found) and all(
        each in ("+", part) for each, part in zip(wanted, found, strict=True)
    )


class Posting:
    """All desks, over all connections; `desks` in the order in which they are asked.

    `in_flight`: how many posts are on their way.
    """

    def __init__(self, desks: Sequence[Desk]) -> None:
        self._desks = tuple(desks)
        self._next = 0
        self._by_mid: dict[int, tuple[Desk, Post]] = {}
        self._proven: set[str] = set()
        self._probe: int | None = None  # a topic's first post on this connection is on its way
        self._muted: dict[str, tuple[float, int]] = {}
        self._deaths: dict[str, int] = {}
        self._unsubscribed: dict[str, float] = {}  # and until when
        self._waiting: dict[int, deque[Incoming]] = {n: deque() for n in range(len(self._desks))}
        self._again_at_s: dict[int, float] = {}
        self._left_out: dict[int, float] = {}
        self._is_begun = self._is_subscribed = False
        self._yields = False
        self._heard_at_s: float | None = None
        self._told: dict[str, EdgeLog] = {}
        self._keep_log, self._bug_log = EdgeLog(_LOG, logging.ERROR), EdgeLog(_LOG, logging.ERROR)

    @property
    def topics(self) -> frozenset[str]:
        """What is subscribed to, at each connection."""
        return frozenset(topic for desk in self._desks for topic in desk.topics)

    @property
    def in_flight(self) -> int:
        """How many posts are sent and not acknowledged."""
        return len(self._by_mid)

    def is_lively(self, now_s: float) -> bool:
        """Whether something came for a desk a moment ago."""
        return self._heard_at_s is not None and now_s - self._heard_at_s < _LIVELY_S

    def begin(self, session: Session, now_s: float) -> None:
        """Begin with a new connection."""
        self._proven.clear()
        self._is_begun, self._is_subscribed, self._yields = True, False, False
        for waiting in self._waiting.values():
            waiting.clear()  # the broker has them still
        for desk in self._desks:
            for topic in desk.topics:
                if self._unsubscribed.get(topic, 0.0) <= now_s:
                    session.subscribe(topic)
            self._asked(desk, partial(desk.connected, now_s), now_s)

    def hear(self, session: Session, now_s: float) -> None:
        """Hand out what has come, and acknowledge what is dealt with.

        Raises:
            SessionError: the connection is lost.
            RefusedError: too much has come that cannot be kept now.
        """
        for incoming in session.take_messages():
            number = self._desk_of(incoming.message.topic)
            if number is None:
                session.acknowledge(incoming.mid)
            else:
                self._waiting[number].append(incoming)
                self._heard_at_s = now_s
        for number, waiting in self._waiting.items():
            while waiting and self._take(number, waiting[0].message, now_s):
                session.acknowledge(waiting.popleft().mid)
        if sum(map(len, self._waiting.values())) >= MOST_MESSAGES:
            raise RefusedError("what comes cannot be kept now; the broker keeps it (MQTT 5)")
        if not self._is_subscribed and not session.unanswered_topics:
            self._note_subscriptions(session)

    def fill(self, session: Session, most: int, now_s: float) -> None:
        """Send what the desks have, one post a desk, at most so many. Raises SessionError."""
        if most <= 0:
            return
        if self._yields:  # events had no room beside the last ones
            self._yields = False
            return
        busy = {id(desk) for desk, _ in self._by_mid.values()}
        for step in range(len(self._desks)):
            desk = self._desks[(self._next + step) % len(self._desks)]
            if id(desk) in busy or self._left_out.get(id(desk), 0.0) > now_s:
                continue
            post = self._asked(desk, partial(desk.next_post, now_s), now_s)
            if post is None or not self._may_go(session, desk, post, now_s):
                continue
            mid = session.post(post)
            if post.topic not in self._proven:
                self._probe = mid
            self._by_mid[mid] = desk, post
            most -= 1
            if most == 0:
                self._yields = True
                self._next = (self._next + step + 1) % len(self._desks)
                return

    def fill_alone(self, session: Session, now_s: float) -> None:
        """Send what the desks have, where no events are sent. Raises SessionError."""
        self._yields = False
        self.fill(session, session.receive_maximum - self.in_flight, now_s)

    def note_acknowledgements(self, acked: Sequence[tuple[int, int]], now_s: float) -> None:
        """Note what has arrived; numbers that are none of a desk's are left out.

        Raises:
            RefusedError: the broker refused one; all others are noted. mosquitto 2.0.11 would
                reset the connection at the second one, and the reason would be lost with it.
        """
        refused: tuple[str, int] | None = None
        for mid, reason in acked:
            if mid not in self._by_mid:
                continue
            desk, post = self._by_mid.pop(mid)
            if mid == self._probe:
                self._probe = None
            self._deaths.pop(post.topic, None)
            if reason >= _DENIED:
                refused = post.topic, reason
                until_s = now_s + (_QUOTA_S if reason == QUOTA_EXCEEDED else _REFUSED_S)
                self._mute(post.topic, reason, until_s)
                self._log_of(post.topic).failed(
                    "the broker takes nothing on %s: %s; it is tried again later",
                    post.topic,
                    words(reason, "refused"),
                )
            else:
                self._proven.add(post.topic)
                self._muted.pop(post.topic, None)
                if post.topic in self._told:
                    self._told.pop(post.topic).recovered("the broker takes %s again", post.topic)
            self._asked(desk, partial(desk.posted, post, reason, now_s), now_s)
        if refused is not None:
            raise RefusedError(f"{refused[0]} was refused: {words(refused[1], 'refused')}")

    def ended(self, session: Session, now_s: float, *, is_dead: bool) -> None:
        """Note that the connection has ended; did it die of a topic?"""
        if is_dead and self._is_begun and session.unanswered_topics:
            # Sent before all posts, and answered in order: the first one is what it died of.
            topic = session.unanswered_topics[0]
            if self._has_died_enough(_of_subscription(topic)):
                self._unsubscribed[topic] = now_s + _DEADLY_S
                _LOG.warning("connections die of the subscription to %s; left out a while", topic)
        elif is_dead and self._probe is not None:
            topic = self._by_mid[self._probe][1].topic
            if self._has_died_enough(topic):
                _LOG.warning("connections die of what is posted on %s; left out a while", topic)
                self._mute(topic, NOT_AUTHORISED, now_s + _DEADLY_S)
        self._by_mid.clear()
        self._probe, self._is_begun = None, False

    def _may_go(self, session: Session, desk: Desk, post: Post, now_s: float) -> bool:
        until_s, reason = self._muted.get(post.topic, (0.0, 0))
        if until_s > now_s:
            self._asked(desk, partial(desk.posted, post, reason, now_s), now_s)
            return False
        extra = len(post.correlation or b"") + len(post.content_type) + 32
        if session.packet_bytes(post.topic, post.payload) + extra > session.maximum_packet_bytes:
            self._log_of(post.topic).failed("the broker takes no packet as large as %s", post.topic)
            self._asked(desk, partial(desk.posted, post, TOO_LARGE, now_s), now_s)
            return False
        return post.topic in self._proven or self._probe is None

    def _take(self, number: int, message: Message, now_s: float) -> bool:
        if now_s < self._again_at_s.get(number, 0.0):
            return False
        try:
            self._desks[number].take(message, now_s)
        except OSError as error:
            self._keep_log.failed("%s; what came waits with the broker", error)
            self._again_at_s[number] = now_s + _AGAIN_S
            return False
        except Exception:  # noqa: BLE001 - it is told, with where
            # A message that a desk stumbles over must not come again for ever, and stop the events.
            self._note_fault(f"a message on {message.topic} is dropped")
            return True
        self._keep_log.recovered("what comes can be kept again")
        return True

    def _asked(self, desk: Desk, call: Callable[[], _T], now_s: float) -> _T | None:
        """Return what a desk says; None where it stumbles: then it is left out for a while."""
        try:
            return call()
        except Exception:  # noqa: BLE001 - it is told, with where, and must not stop the events
            self._note_fault("a desk stumbles")
            self._left_out[id(desk)] = now_s + _FAULT_S
            return None

    def _note_fault(self, what: str) -> None:
        if not self._bug_log.failing:
            _LOG.exception("a fault of ours: %s", what)
        self._bug_log.failed("such faults are told once")

    def _desk_of(self, topic: str) -> int | None:
        for number, desk in enumerate(self._desks):
            if any(matches(pattern, topic) for pattern in desk.topics):
                return number
        return None

    def _mute(self, topic: str, reason: int, until_s: float) -> None:
        if len(self._muted) >= _MOST_MUTED:
            self._muted.pop(next(iter(self._muted)))
        self._muted[topic] = until_s, reason

    def _note_subscriptions(self, session: Session) -> None:
        self._is_subscribed = True
        for topic in self.topics:
            self._deaths.pop(_of_subscription(topic), None)
            log = self._log_of(_of_subscription(topic))
            reason = session.refused_topics.get(topic)
            if reason is None:
                log.recovered("the broker lets the gate read %s", topic)
            else:
                text = words(reason, "refused")
                log.failed("the broker does not let the gate read %s: %s", topic, text)

    def _has_died_enough(self, what: str) -> bool:
        self._deaths[what] = self._deaths.get(what, 0) + 1
        return self._deaths[what] >= _MOST_DEATHS

    def _log_of(self, what: str) -> EdgeLog:
        if what not in self._told and len(self._told) >= _MOST_MUTED:
            self._told.pop(next(iter(self._told)))
        return self._told.setdefault(what, EdgeLog(_LOG))


def _of_subscription(topic: str) -> str:
    return f"subscription {topic}"
