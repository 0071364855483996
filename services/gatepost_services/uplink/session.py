"""One connection to the broker. The only module of the link that knows paho.

paho keeps every unacknowledged message and, when it connects again, sends them all at once,
whatever its own window and the broker's Receive Maximum say (paho 2.2.0, measured). So a session
lives for one connection, the journal remains the only memory, and the `Link` keeps the window.
paho starts no thread here: the `Link` calls in when the socket is ready.
"""

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from paho.mqtt.client import (
    Client,
    ConnectFlags,
    DisconnectFlags,
    error_string,
)
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gatepost_services.contract.events import CONTENT_TYPE
from gatepost_services.uplink.line import SessionError

Protocol = Literal["5", "3.1.1"]
# MQTT 5.0, section 3.2.2.3.3: the value when the broker names none.
_DEFAULT_RECEIVE_MAXIMUM = 65_535
# MQTT 5.0, section 3.4.2.1: a success by its number, and yet the event is gone.
_NO_MATCHING_SUBSCRIBERS = 0x10
_AT_LEAST_ONCE = 1
_OK = MQTTErrorCode.MQTT_ERR_SUCCESS


class MqttSession:
    """A session with the broker at `host`:`port`: clean start, QoS 1, made for one connection.

    `hold_without_subscriber`: an event for which the broker says that nobody has subscribed counts
    as not taken, so the journal keeps it until the centre is there (MQTT 5 only; 3.1.1 cannot say).
    Durations in seconds. `clock` is monotonic. Use from one thread only.

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
        self._acked: list[tuple[int, bool]] = []
        self._properties: Properties | None = None
        if self._is_mqtt5:
            self._properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            self._properties.ContentType = CONTENT_TYPE
        self._client = self._new_client(client_id)

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection and it still stands."""
        return self._is_connected and self._lost is None

    @property
    def receive_maximum(self) -> int:
        """How many unacknowledged events the broker takes; known once `connected`."""
        return self._receive_maximum

    def connect(self) -> None:
        """Open the connection and send CONNECT; `connected` turns true at a later `on_readable`.

        Blocks for the name look-up and at most `connect_timeout_s` for each address of the host.

        Raises:
            SessionError: nobody there.
        """
        self._connect_by_s = self._clock() + self._connect_timeout_s
        if self._is_mqtt5:
            self._run(
                lambda: self._client.connect(
                    self._host, self._port, self._keepalive_s, clean_start=True
                )
            )
        else:
            self._run(lambda: self._client.connect(self._host, self._port, self._keepalive_s))
        self._set_tcp_options()

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
        return self._client.want_write()

    def on_readable(self) -> None:
        """Take what the broker sent. Never blocks.

        Raises:
            SessionError: the connection is lost or was refused.
        """
        self._run(self._client.loop_read)
        self._set_tcp_options()

    def on_writable(self) -> None:
        """Send what waited for room. Never blocks.

        Raises:
            SessionError: the connection is lost.
        """
        self._run(self._client.loop_write)

    def tick(self) -> None:
        """Keep the connection alive and notice that it is dead. Call about once a second.

        Raises:
            SessionError: no CONNACK in time, or no answer to a ping within the keepalive.
        """
        self._run(self._client.loop_misc)
        if not self._is_connected and self._clock() >= self._connect_by_s:
            self._lost = f"no CONNACK within {self._connect_timeout_s} s"
            raise self._error()

    def publish(self, topic: str, payload: bytes) -> int:
        """Send one event; return the number by which `take_acked` will name it. Never blocks.

        Raises:
            SessionError: the connection is lost; whether the event arrived is unknown.
        """
        mid = 0

        def send() -> MQTTErrorCode:
            nonlocal mid
            info = self._client.publish(
                topic, payload, qos=_AT_LEAST_ONCE, properties=self._properties
            )
            mid = info.mid
            return info.rc

        self._run(send)
        return mid

    def take_acked(self) -> list[tuple[int, bool]]:
        """Return the acknowledgements since the last call: number, and whether it was kept.

        False is an MQTT 5 reason code of 0x80 or above, or that nobody has subscribed: the broker
        has dropped the event. MQTT 3.1.1 cannot say so. Works after the connection is lost, too.
        """
        acked, self._acked = self._acked, []
        return acked

    def close(self) -> None:
        """Say goodbye (DISCONNECT) if there is somebody to say it to, and close. Never raises."""
        client = self._client
        client.on_connect = client.on_disconnect = client.on_publish = None
        if self.connected:
            with suppress(OSError, ValueError):
                client.disconnect()
        connection = client.socket()
        if connection is not None:
            with suppress(OSError):
                connection.close()
        self._lost = self._lost or "closed"

    def _new_client(self, client_id: str) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if self._is_mqtt5 else True,
            protocol=MQTTProtocolVersion.MQTTv5 if self._is_mqtt5 else MQTTProtocolVersion.MQTTv311,
            # paho would else call connect again by itself, inside of loop_read.
            reconnect_on_failure=False,
        )
        client.connect_timeout = self._connect_timeout_s
        # No window of paho's own: it scans the whole window at each PUBACK, and ours is smaller.
        client.max_inflight_messages_set(0)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        return client

    def _set_tcp_options(self) -> None:
        connection = self._client.socket()
        if not isinstance(connection, socket.socket):
            return
        with suppress(OSError):
            # Events are single small packets; Nagle would hold them back for the broker's ACK.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # A broker with Nagle on (mosquitto's default) holds its second PUBACK back for our
            # ACK, which Linux delays: 2,200 events/s instead of 8,000. Not permanent: tcp(7).
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _run(self, operation: Callable[[], MQTTErrorCode]) -> None:
        if self._lost is not None:
            raise self._error()
        try:
            code = operation()
        except Exception as error:
            # Also what paho's parser stumbles over: a strange broker must not end the link.
            self._lost = f"{type(error).__name__}: {error}"
            raise self._error() from error
        if code != _OK and self._lost is None:
            self._lost = error_string(code)
        if self._lost is not None:
            raise self._error()

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
        is_kept = not reason.is_failure
        if self._hold_without_subscriber and reason.value == _NO_MATCHING_SUBSCRIBERS:
            is_kept = False
        self._acked.append((mid, is_kept))
