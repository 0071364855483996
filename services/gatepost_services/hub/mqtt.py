"""The server's side of MQTT: one small client, for the subscriber, the watch, and what is sent.

A thread of its own connects, again and again, subscribes, and calls back with what comes. Nothing
of a connection outlives it: paho's client is made anew each time, and with it the TLS settings, so
that a renewed certificate counts at the next connection.
"""

import logging
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Self

from paho.mqtt.client import (
    MQTT_LOG_ERR,
    Client,
    DisconnectFlags,
    MQTTMessage,
    error_string,
)
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gatepost_services.edge_log import EdgeLog
from gatepost_services.hub.messages import (
    REFUSED,
    Broker,
    Incoming,
    Outgoing,
    Ticket,
    alert_in,
    in_words,
)

_LOG = logging.getLogger(__name__)
_AT_LEAST_ONCE = 1
_OK = MQTTErrorCode.MQTT_ERR_SUCCESS
_TURN_S = 0.2
_KEEPALIVE_S = 30
# An event has at most 64 KiB, and nothing else that comes to a server is larger (MQTT 5 only).
_MOST_PACKET_BYTES = 256 * 1024
# So many posts are on their way at once, or fewer if the broker says so; the others wait here.
_WINDOW = 100
# So many packets are read before anything else has its turn.
_MOST_READS = 1000


class HubClient:
    """Connects and subscribes in a thread of its own, from `start` to `stop`, whatever happens.

    `topics` is what to subscribe to, with QoS 1, at each connection. `on_connected`, `on_message`
    and `on_turn` are called in that thread, must be short and must not raise; `on_turn` at least
    every 0.2 s while there is a connection. `client_id`: empty for one that the broker makes up.
    `session_expiry_s`: for how long the broker keeps what comes for us while we are away; 0 is not
    at all. Tries again `retry_s` after each failure, without back-off: a server stands next to its
    broker. What was posted and not acknowledged is sent again with the next connection.

    All other methods are for any thread.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        client_id: str = "",
        topics: Iterable[str] = (),
        on_message: Callable[[Incoming], None] = lambda _: None,
        on_turn: Callable[[], None] = lambda: None,
        on_connected: Callable[[], None] = lambda: None,
        session_expiry_s: int = 0,
        retry_s: float = 0.2,
    ) -> None:
        self._broker = broker
        self._client_id = client_id
        self._topics = tuple(topics)
        self._on_message = on_message
        self._on_turn = on_turn
        self._on_connected = on_connected
        self._session_expiry_s = session_expiry_s
        self._retry_s = retry_s
        self._changed = threading.Condition()  # guards what follows, to the blank line
        self._waiting: list[Ticket] = []
        self._is_connected = False
        self._is_subscribed = False
        self._trouble: str | None = None
        self._is_over = False

        # Of the thread alone.
        self._sent: dict[int, Ticket] = {}
        self._unconfirmed: dict[int, str] = {}  # subscriptions, by the number of the packet
        self._taken = 0
        self._lost: str | None = None
        self._has_answered = False
        self._window = _WINDOW
        self._line_log = EdgeLog(_LOG)
        self._stopping = threading.Event()
        self._ear, self._bell = socket.socketpair()
        self._bell.settimeout(0.0)
        self._thread = threading.Thread(target=self._run, name="hub-mqtt", daemon=True)

    def start(self) -> None:
        """Begin. Returns at once; `wait_subscribed` tells when it stands. Once only."""
        self._thread.start()

    def stop(self) -> None:
        """Disconnect and end the thread. Blocks until it has; a session stays at the broker."""
        self._stopping.set()
        self._wake()
        if self._thread.is_alive():
            self._thread.join()
        self._ear.close()
        self._bell.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def trouble(self) -> str | None:
        """Why there is no connection or no subscription, in words; None when all is well."""
        with self._changed:
            return self._trouble

    def wait_subscribed(self, timeout_s: float) -> bool:
        """Wait until the subscriptions stand (without any: the connection); return whether."""
        return self._wait_for(lambda: self._is_subscribed, timeout_s)

    def wait_trouble(self, timeout_s: float) -> str | None:
        """Wait for the first trouble or for the subscriptions; return the trouble, None for none.

        For a command that says why it cannot, rather than try for ever.
        """
        self._wait_for(lambda: self._is_subscribed or self._trouble is not None, timeout_s)
        with self._changed:
            return None if self._is_subscribed else self._trouble or "no answer"

    def publish(self, post: Outgoing) -> Ticket:
        """Send a post as soon as there is a connection; return what follows it."""
        ticket = Ticket(post)
        with self._changed:
            self._waiting.append(ticket)
        self._wake()
        return ticket

    def _wait_for(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: condition() or self._is_over, timeout_s)
            return condition()

    def _wake(self) -> None:
        with suppress(OSError):  # full is woken as well; closed is over
            self._bell.send(b"!")

    # ------------------------------------------------------------------------- the thread's own

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                reason = self._one_connection()
                if not self._stopping.is_set():
                    self._say_trouble(reason)
                    self._line_log.failed("broker %s: %s", self._broker, reason)
                    self._stopping.wait(self._retry_s)
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    def _one_connection(self) -> str:
        """Connect and stay; return why it ended."""
        self._begin()
        client = self._new_client()
        try:
            self._connect(client)
            while not (self._is_lost or self._stopping.is_set()):
                self._turn(client)
        except (OSError, ValueError) as error:
            self._lost = self._lost or in_words(error)
        finally:
            with self._changed:
                self._is_connected = self._is_subscribed = False
                # In order, before what has not been sent at all.
                self._waiting[:0] = self._sent.values()
            self._sent.clear()
            _close(client)
        return self._lost or "stopped"

    def _begin(self) -> None:
        self._lost = None
        self._has_answered = False
        self._unconfirmed.clear()

    def _turn(self, client: Client) -> None:
        connection = client.socket()
        if connection is None:
            self._lost = self._lost or "connection lost"
            return
        is_pending = isinstance(connection, ssl.SSLSocket) and connection.pending() > 0
        readable, _, _ = select.select(
            [connection, self._ear],
            [connection] if client.want_write() else [],
            [],
            0.0 if is_pending else _TURN_S,
        )
        if self._ear in readable:
            self._ear.recv(4096)
        if is_pending or connection in readable:
            self._read(client)
        self._on_turn()
        self._send(client)
        if client.want_write():
            self._note(client.loop_write())
        self._note(client.loop_misc())

    def _read(self, client: Client) -> None:
        """Read what there is: paho takes one packet at a time, and each may be a message."""
        for _ in range(_MOST_READS):
            before = self._taken
            self._note(client.loop_read())
            if self._taken == before or self._is_lost:
                return

    @property
    def _is_lost(self) -> bool:
        return self._lost is not None

    def _note(self, code: MQTTErrorCode) -> None:
        if code != _OK:
            self._lost = self._lost or error_string(code)

    def _send(self, client: Client) -> None:
        with self._changed:
            if not self._is_connected:
                return
            room = max(0, self._window - len(self._sent))
            posts, self._waiting = self._waiting[:room], self._waiting[room:]
        for ticket in posts:
            post = ticket.post
            info = client.publish(
                post.topic,
                post.payload,
                qos=_AT_LEAST_ONCE,
                retain=post.is_retained,
                properties=self._properties_of(post),
            )
            self._sent[info.mid] = ticket

    def _new_client(self) -> Client:
        is_mqtt5 = self._broker.protocol == "5"
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=None if is_mqtt5 else not self._session_expiry_s,
            protocol=MQTTProtocolVersion.MQTTv5 if is_mqtt5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client.max_inflight_messages_set(_WINDOW)
        # paho must not write in the middle of a read; `_turn` does.
        client.on_socket_register_write = lambda *_: None
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_any_message
        client.on_log = self._on_log
        return client

    def _connect(self, client: Client) -> None:
        context = self._broker.context()
        if context is not None:
            client.tls_set_context(context)
        if self._broker.protocol != "5":
            client.connect(self._broker.host, self._broker.port, _KEEPALIVE_S)
            return
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._session_expiry_s
        properties.MaximumPacketSize = _MOST_PACKET_BYTES
        client.connect(
            self._broker.host,
            self._broker.port,
            _KEEPALIVE_S,
            clean_start=not self._session_expiry_s,
            properties=properties,
        )

    def _properties_of(self, post: Outgoing) -> Properties | None:
        if self._broker.protocol != "5":
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if post.content_type is not None:
            properties.ContentType = post.content_type
        if post.response_topic is not None:
            properties.ResponseTopic = post.response_topic
        if post.correlation is not None:
            properties.CorrelationData = post.correlation
        if post.expiry_s is not None:
            properties.MessageExpiryInterval = post.expiry_s
        return properties

    def _say_trouble(self, text: str) -> None:
        with self._changed:
            self._trouble = text
            self._changed.notify_all()

    def _stands(self) -> None:
        self._line_log.recovered("broker %s: subscribed", self._broker)
        with self._changed:
            self._is_subscribed = True
            self._trouble = None
            self._changed.notify_all()

    def _on_connect(
        self, client: Client, _data: object, _flags: object, reason: ReasonCode, more: object
    ) -> None:
        self._has_answered = True
        # paho does not look at it.
        self._window = min(_WINDOW, getattr(more, "ReceiveMaximum", _WINDOW))
        if reason.is_failure:
            self._lost = f"it refuses the connection: {reason}"
            return
        self._on_connected()
        with self._changed:
            self._is_connected = True
        for topic in self._topics:
            _, mid = client.subscribe(topic, qos=_AT_LEAST_ONCE)
            if mid is not None:
                self._unconfirmed[mid] = topic
        if not self._topics:
            self._stands()

    def _on_disconnect(
        self, _from: Client, _data: object, flags: DisconnectFlags, reason: ReasonCode, _: object
    ) -> None:
        who = "it ended the connection" if flags.is_disconnect_packet_from_server else "lost"
        told = f"{who}: {reason}"
        if not self._has_answered:
            told = "it closed the connection without an answer; it may want TLS"
        self._lost = self._lost or told

    def _on_subscribe(
        self, _from: Client, _data: object, mid: int, reasons: list[ReasonCode], _more: object
    ) -> None:
        topic = self._unconfirmed.get(mid)
        if any(reason.value >= REFUSED for reason in reasons):
            # Kept among the unconfirmed ones: what stands in part does not stand.
            _LOG.error("the broker refuses the subscription to %s", topic)
            self._say_trouble(f"it refuses the subscription to {topic}; see its access list")
            return
        self._unconfirmed.pop(mid, None)
        if not self._unconfirmed:
            self._stands()

    def _on_publish(
        self, _from: Client, _data: object, mid: int, reason: ReasonCode, _more: object
    ) -> None:
        ticket = self._sent.pop(mid, None)
        if ticket is not None:
            ticket.settle(reason.value)

    def _on_log(self, _client: Client, _userdata: object, level: int, text: str) -> None:
        # Where paho swallows an error of the socket: in TLS 1.3 a broker that refuses our
        # certificate says so at the first read.
        if level == MQTT_LOG_ERR:
            self._lost = self._lost or alert_in(text)

    def _on_any_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self._taken += 1
        properties = message.properties
        self._on_message(
            Incoming(
                message.topic,
                bytes(message.payload),
                message.retain,
                getattr(properties, "ResponseTopic", None),
                getattr(properties, "CorrelationData", None),
            )
        )


def _close(client: Client) -> None:
    """End a connection in good order where there still is one."""
    connection = client.socket()
    client.disconnect()
    if connection is not None:
        with suppress(OSError, ValueError):
            client.loop_write()
        connection.close()
