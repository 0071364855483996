"""A reference centre: subscribes to the gates' events, tallies them, and confirms them.

The subscription is durable (the broker keeps what comes while we are away) and QoS 1. That alone
proves nothing: a broker may acknowledge an event and lose it. The tally does. What is complete is
confirmed to the gate by a retained message, its watermark: `{"through": N}`.
"""

import logging
import ssl
import threading
import time
from collections.abc import Callable
from typing import Literal, Self

from gatepost_services.contract.events import (
    PROBE,
    WireError,
    WireEvent,
    decode,
    watermark_topic,
)
from gatepost_services.edge_log import EdgeLog
from gatepost_services.hub.messages import Broker, Incoming, Outgoing
from gatepost_services.hub.mqtt import HubClient
from gatepost_services.hub.tally import Tally, TallySnapshot

_LOG = logging.getLogger(__name__)
ALL_GATES = "gatepost/+/+/event/+"
_EVENT = "/event/"
# How often a gate is told through where its events have come.
_WATERMARK_S = 1.0


class Subscriber:
    """Subscribes in a thread of its own, from `start` to `stop`, whatever the broker does.

    `client_id` names the durable session: keep it, and use it once. `topic` may be one gate's
    (`event_topic`), `tls` is as a `Broker`'s. `confirms`: whether it publishes the watermarks, at
    most once a second for each gate and only when they moved. `tally` carries on from an earlier
    subscriber. Tries again `retry_s` after each failure, without back-off: a centre stands next to
    its broker. `on_event` is called in the subscriber's thread with each event and whether it is
    new; it must be short and must not raise. The other methods are for any thread.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        client_id: str,
        topic: str = ALL_GATES,
        protocol: Literal["5", "3.1.1"] = "5",
        tls: Callable[[], ssl.SSLContext] | None = None,
        session_expiry_s: int = 7 * 24 * 3600,
        retry_s: float = 0.2,
        on_event: Callable[[WireEvent, bool], None] | None = None,
        confirms: bool = True,
        tally: Tally | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_event = on_event
        self._confirms = confirms
        self._clock = clock
        self._tally = Tally() if tally is None else tally
        self._confirmed: dict[str, int] = {}  # by source; of the client's thread
        self._moved: set[str] = set()  # sources, since their last watermark; of that thread
        self._confirm_at_s = 0.0
        self._changed = threading.Condition()  # guards _tally
        self._malformed_log = EdgeLog(_LOG)
        self._client = HubClient(
            Broker(host, port, protocol, tls),
            client_id=client_id,
            topics=(topic,),
            on_message=self._take,
            on_turn=self._confirm,
            session_expiry_s=session_expiry_s,
            retry_s=retry_s,
        )

    def start(self) -> None:
        """Begin. Returns at once; `wait_subscribed` tells when the subscription stands."""
        self._client.start()

    def stop(self) -> None:
        """Disconnect and end the thread. Blocks until it has. The session stays."""
        self._client.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def snapshot(self) -> TallySnapshot:
        """Return the counts at one moment."""
        with self._changed:
            return self._tally.snapshot()

    def missing(self, source: str, through_seq: int) -> tuple[int, ...]:
        """Return the numbers from 1 to `through_seq` that never came from `source`."""
        with self._changed:
            return self._tally.missing(source, through_seq)

    def wait_subscribed(self, timeout_s: float) -> bool:
        """Wait until the broker has confirmed the subscription; return whether it has."""
        return self._client.wait_subscribed(timeout_s)

    def wait_received(self, count: int, timeout_s: float) -> bool:
        """Wait until `count` different events have come; return whether they have."""
        with self._changed:
            return self._changed.wait_for(lambda: self._tally.received >= count, timeout_s)

    def wait_until(self, condition: Callable[[TallySnapshot], bool], timeout_s: float) -> bool:
        """Wait until the counts fulfil `condition`; return whether they do."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self._tally.snapshot()), timeout_s)

    def _confirm(self) -> None:
        """Publish the watermarks that moved, if it is time."""
        now_s = self._clock()
        if not self._confirms or not self._moved or now_s < self._confirm_at_s:
            return
        self._confirm_at_s = now_s + _WATERMARK_S
        for source in self._moved:
            with self._changed:
                through = self._tally.complete_through(source)
            if through == self._confirmed.get(source, 0):
                continue
            self._confirmed[source] = through
            _, _, site, gate = source.split("/")
            watermark = b'{"through":%d}' % through
            self._client.publish(Outgoing(watermark_topic(site, gate), watermark, is_retained=True))
        self._moved.clear()

    def _take(self, message: Incoming) -> None:
        payload = message.payload
        if payload == PROBE:
            return
        try:
            event = _event_in(message)
        except WireError as error:
            # Acknowledged all the same: a payload that is wrong once is wrong for ever.
            self._malformed_log.failed("malformed event, more are only counted: %s", error)
            with self._changed:
                self._tally.add_malformed()
                self._changed.notify_all()
            return
        with self._changed:
            is_new = self._tally.add(event, payload, message.topic.rpartition(_EVENT)[2])
            self._changed.notify_all()
        self._moved.add(event.source)
        if self._on_event is not None:
            self._on_event(event, is_new)


def _event_in(message: Incoming) -> WireEvent:
    """Return the event; a gate must not speak for another, and access lists know topics alone."""
    event = decode(message.payload)
    if not message.topic.startswith(f"{event.source[1:]}{_EVENT}"):
        raise WireError("an event of another gate than its topic says")
    return event
