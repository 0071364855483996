"""One connection to the broker. With `client`, the only module of the link that knows paho.

paho keeps every unacknowledged message and, when it connects again, sends them all at once,
whatever its own window and the broker's Receive Maximum say (paho 2.2.0, measured). So a session
lives for one connection, the journal remains the only memory, and the `Link` keeps the window.
paho starts no thread here: the `Link` calls in when the socket is ready.
"""

import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from paho.mqtt.client import (
    Client,
    ConnectFlags,
    DisconnectFlags,
    MQTTMessage,
    error_string,
)
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gatepost_services.contract.events import CONTENT_TYPE
from gatepost_services.uplink.client import (
    MOST_INCOMING_BYTES,
    MOST_MESSAGES,
    BufferedClient,
    PackedOnce,
)
from gatepost_services.uplink.line import SessionError

Protocol = Literal["5", "3.1.1"]
# MQTT 5.0, section 3.2.2.3.3: the value when the broker names none.
_DEFAULT_RECEIVE_MAXIMUM = 65_535
# MQTT 5.0, section 3.4.2.1: a success by its number, and yet the event is gone.
_NO_MATCHING_SUBSCRIBERS = 0x10
_AT_LEAST_ONCE = 1
_OK = MQTTErrorCode.MQTT_ERR_SUCCESS
_REFUSED = 0x80
# The largest packet of the protocol: MQTT 5.0, section 2.1.4.
_NO_LIMIT_BYTES = 268_435_455
# A dead line is noticed after so many keepalives of silence: the ping goes out after the first.
_SILENCE_KEEPALIVES = 1.4


class MqttSession:
    """A session with the broker at `host`:`port`: clean start, QoS 1, made for one connection.

    `hold_without_subscriber`: an event for which the broker says that nobody has subscribed counts
    as not taken, so the journal keeps it until the centre is there (MQTT 5 only; 3.1.1 cannot say).
    Durations in seconds. `clock` is monotonic. Use from one thread only.

    A line that is dead without a word, as mobile ones are, is noticed within 1.5 `keepalive_s` of
    the last byte from the broker, given a `tick` a second.

    Every method but `close` raises SessionError once the connection is lost; the session is then
    good for `take_acked` and `close`.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        client_id: str,
        protocol: Protocol = "5",
        keepalive_s: int = 30,
        connect_timeout_s: float = 5.0,
        hold_without_subscriber: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._port = port
        self._is_mqtt5 = protocol == "5"
        self._keepalive_s = keepalive_s
        self._connect_timeout_s = connect_timeout_s
        self._hold_without_subscriber = hold_without_subscriber
        self._clock = clock
        self._connect_by_s = 0.0
        self._lost: str | None = None
        self._is_connected = False
        self._receive_maximum = _DEFAULT_RECEIVE_MAXIMUM
        self._maximum_packet_bytes = _NO_LIMIT_BYTES
        self._heard_at_s = 0.0
        self._acked: list[tuple[int, int]] = []
        self._messages: deque[tuple[str, bytes]] = deque(maxlen=MOST_MESSAGES)
        self._refused_subscriptions = 0
        self._properties: PackedOnce | None = None
        if self._is_mqtt5:
            self._properties = PackedOnce(PacketTypes.PUBLISH, CONTENT_TYPE)
        self._client = self._new_client(client_id)

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection and it still stands."""
        return self._is_connected and self._lost is None

    @property
    def receive_maximum(self) -> int:
        """How many unacknowledged events the broker takes; known once `connected`."""
        return self._receive_maximum

    @property
    def maximum_packet_bytes(self) -> int:
        """The largest packet that the broker takes; known once `connected`."""
        return self._maximum_packet_bytes

    @property
    def is_subscription_refused(self) -> bool:
        """Whether the broker has refused one of our subscriptions."""
        return self._refused_subscriptions > 0

    def packet_bytes(self, topic: str, payload: bytes) -> int:
        """Return how large the packet of an event is at the most."""
        # Section 3.3: 5 bytes of fixed header, 2 of the topic's length, 2 of the identifier, and
        # the properties with their length.
        properties = len(self._properties.pack()) if self._properties else 0
        return 9 + len(topic.encode()) + properties + len(payload)

    def connect(self) -> None:
        """Open the connection and send CONNECT; `connected` turns true at a later `on_readable`.

        Blocks for the name look-up and at most `connect_timeout_s` for each address of the host.

        Raises:
            SessionError: nobody there.
        """
        self._connect_by_s = self._clock() + self._connect_timeout_s
        if self._is_mqtt5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.MaximumPacketSize = MOST_INCOMING_BYTES
            self._run(
                lambda: self._client.connect(
                    self._host,
                    self._port,
                    self._keepalive_s,
                    clean_start=True,
                    properties=properties,
                )
            )
        else:
            self._run(lambda: self._client.connect(self._host, self._port, self._keepalive_s))
        self._heard_at_s = self._clock()
        self._set_tcp_options()
        self.flush()

    def fileno(self) -> int:
        """Return the socket's descriptor.

        Raises:
            SessionError: there is none any more.
        """
        connection = self._client.socket()
        if connection is None:
            raise self._error()
        return connection.fileno()

    def wants_write(self) -> bool:
        """Whether bytes wait for room in the socket's buffer."""
        return self._client.want_write() or self._client.has_unsent

    def on_readable(self) -> None:
        """Take what the broker sent. Never blocks.

        Raises:
            SessionError: the connection is lost or was refused.
        """
        self._heard_at_s = self._clock()
        self._run(self._client.read_on)
        self._lost = self._client.excess()
        if self._lost is not None:
            raise self._error()
        self._set_quick_ack()

    def on_writable(self) -> None:
        """Send what waited for room. Never blocks.

        Raises:
            SessionError: the connection is lost.
        """
        self.flush()

    def flush(self) -> None:
        """Send what `publish` has collected, as far as there is room. Never blocks.

        Raises:
            SessionError: the connection is lost.
        """
        self._run(self._client.loop_write)
        self._run(self._flushed)

    def tick(self) -> None:
        """Keep the connection alive and notice that it is dead. Call about once a second.

        Raises:
            SessionError: no CONNACK in time, or no answer to a ping within the keepalive.
        """
        self._run(self._client.loop_misc)
        self.flush()
        if not self._is_connected and self._clock() >= self._connect_by_s:
            self._lost = f"no CONNACK within {self._connect_timeout_s} s"
            raise self._error()
        # paho by itself would wait for two keepalives.
        silence_s = self._clock() - self._heard_at_s
        if self._is_connected and silence_s >= _SILENCE_KEEPALIVES * self._keepalive_s:
            self._lost = f"not a byte from it for {silence_s:.0f} s"
            raise self._error()

    def subscribe(self, topic: str) -> None:
        """Ask for the messages of a topic; `take_messages` returns them. Never blocks.

        Raises:
            SessionError: the connection is lost.
        """
        self._run(lambda: self._client.subscribe(topic, qos=_AT_LEAST_ONCE)[0])

    def take_messages(self) -> list[tuple[str, bytes]]:
        """Return topic and payload of what came since the last call: the last few of them."""
        messages = list(self._messages)
        self._messages.clear()
        return messages

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """Send one event; return the number by which `take_acked` will name it. Never blocks.

        It goes out at the next `flush`.

        Raises:
            SessionError: the connection is lost; whether the event arrived is unknown.
        """
        if self._lost is not None:
            raise self._error()
        try:
            info = self._client.publish(topic, payload, _AT_LEAST_ONCE, retain, self._properties)
        except Exception as error:
            raise self._stumbled(error) from error
        if info.rc != _OK:
            self._lost = error_string(info.rc)
            raise self._error()
        return info.mid

    def take_acked(self) -> list[tuple[int, int]]:
        """Return the acknowledgements since the last call: number, and 0 if it was kept.

        Otherwise the MQTT 5 reason code: 0x80 or above, or 0x10 that nobody has subscribed: the
        broker has dropped the event. MQTT 3.1.1 cannot say so. Works after the connection is lost,
        too.
        """
        acked, self._acked = self._acked, []
        return acked

    def close(self) -> None:
        """Say goodbye (DISCONNECT) if there is somebody to say it to, and close. Never raises."""
        client = self._client
        client.on_connect = client.on_disconnect = client.on_publish = None
        client.on_message = client.on_subscribe = None
        if self.connected:
            with suppress(OSError, ValueError):
                client.disconnect()
                client.loop_write()
        connection = client.socket()
        if connection is not None:
            with suppress(OSError):
                connection.close()
        self._lost = self._lost or "closed"

    def _flushed(self) -> MQTTErrorCode:
        self._client.flush()
        return _OK

    def _new_client(self, client_id: str) -> BufferedClient:
        client = BufferedClient(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if self._is_mqtt5 else True,
            protocol=MQTTProtocolVersion.MQTTv5 if self._is_mqtt5 else MQTTProtocolVersion.MQTTv311,
            # paho would else call connect again by itself, inside of loop_read.
            reconnect_on_failure=False,
        )
        client.begin()
        client.connect_timeout = self._connect_timeout_s
        # No window of paho's own: it scans the whole window at each PUBACK, and ours is smaller.
        client.max_inflight_messages_set(0)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        return client

    def _set_tcp_options(self) -> None:
        connection = self._client.socket()
        if not isinstance(connection, socket.socket):
            return
        with suppress(OSError):
            # Events are single small packets; Nagle would hold them back for the broker's ACK.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # What the other side has not even received for so long, it will not: tcp(7), in ms.
            # The default is some 15 minutes.
            connection.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self._keepalive_s * 1000
            )
        self._set_quick_ack()

    def _set_quick_ack(self) -> None:
        connection = self._client.socket()
        if not isinstance(connection, socket.socket):
            return
        with suppress(OSError):
            # A broker with Nagle on (mosquitto's default) holds its second PUBACK back for our
            # ACK, which Linux delays: 2,200 events/s instead of 8,000. Not permanent: tcp(7).
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _run(self, operation: Callable[[], MQTTErrorCode]) -> None:
        if self._lost is not None:
            raise self._error()
        try:
            code = operation()
        except Exception as error:
            raise self._stumbled(error) from error
        if code != _OK and self._lost is None:
            self._lost = error_string(code)
        if self._lost is not None:
            raise self._error()

    def _stumbled(self, error: Exception) -> SessionError:
        # Also what paho's parser stumbles over: a strange broker must not end the link.
        self._lost = f"{type(error).__name__}: {error}"
        return self._error()

    def _error(self) -> SessionError:
        return SessionError(f"broker {self._host}:{self._port}: {self._lost or 'not connected'}")

    # paho calls these inside of loop_read, loop_write and loop_misc, and holds its lock: they only
    # take notes.

    def _on_connect(
        self,
        _client: Client,
        _userdata: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._lost = f"refused the connection: {reason}"
        elif getattr(properties, "MaximumQoS", _AT_LEAST_ONCE) < _AT_LEAST_ONCE:
            self._lost = "takes no QoS 1; use a broker that acknowledges"
        else:
            self._is_connected = True
            self._receive_maximum = getattr(properties, "ReceiveMaximum", _DEFAULT_RECEIVE_MAXIMUM)
            self._keepalive_s = getattr(properties, "ServerKeepAlive", self._keepalive_s)
            self._maximum_packet_bytes = getattr(properties, "MaximumPacketSize", _NO_LIMIT_BYTES)

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        who = "the broker ended it" if flags.is_disconnect_packet_from_server else "connection lost"
        self._lost = self._lost or f"{who}: {reason}"

    def _on_publish(
        self,
        _client: Client,
        _userdata: object,
        mid: int,
        reason: ReasonCode,
        _properties: Properties,
    ) -> None:
        code = reason.value
        if code < _REFUSED and not (
            self._hold_without_subscriber and code == _NO_MATCHING_SUBSCRIBERS
        ):
            code = 0
        self._acked.append((mid, code))

    def _on_subscribe(
        self,
        _client: Client,
        _userdata: object,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        self._refused_subscriptions += sum(reason.value >= _REFUSED for reason in reasons)

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self._messages.append((message.topic, bytes(message.payload)))
