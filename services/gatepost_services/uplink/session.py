"""One connection to the broker. With `client`, the only module of the link that knows paho.

paho keeps every unacknowledged message and, when it connects again, sends them all at once,
whatever its own window and the broker's Receive Maximum say (paho 2.2.0, measured). So a session
lives for one connection, the journal remains the only memory, and the `Link` keeps the window.
paho starts no thread here: the `Link` calls in when the socket is ready.
"""

import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Literal

from paho.mqtt.client import error_string
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gatepost_services.contract.events import CONTENT_TYPE
from gatepost_services.uplink import tcp
from gatepost_services.uplink.client import (
    BufferedClient,
    Heard,
    PackedOnce,
    connect_properties,
    disconnect_with_will,
    post_properties,
    subscribe_options,
    will_properties,
)
from gatepost_services.uplink.desk import Post
from gatepost_services.uplink.line import Incoming, SessionError
from gatepost_services.uplink.tls import explain

Protocol = Literal["5", "3.1.1"]
# MQTT 5.0, section 3.4.2.1: a success by its number, and yet the event is gone.
_NO_MATCHING_SUBSCRIBERS = 0x10
_AT_LEAST_ONCE = 1
_OK = MQTTErrorCode.MQTT_ERR_SUCCESS
# A dead line is noticed after so many keepalives of silence: the ping goes out after the first.
_SILENCE_KEEPALIVES = 1.4


class MqttSession:
    """A session with the broker at `host`:`port`: QoS 1, made for one connection.

    `tls` returns the context of this connection; without it everything goes in the clear.
    `session_expiry_s`: for so long the broker keeps what comes for us while we are away (MQTT 5
    only; 0: it keeps nothing). What we have to send it never keeps: the journal does.
    `will`: what the broker says in our name, retained, once we have been lost for `will_delay_s`
    (MQTT 3.1.1: at once). `hold_without_subscriber`: an event for which the broker says that nobody
    has subscribed counts as not taken, so the journal keeps it until the centre is there (MQTT 5
    only; 3.1.1 cannot say). Durations in seconds. `clock` is monotonic. Use from one thread only.

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
        tls: Callable[[], ssl.SSLContext] | None = None,
        session_expiry_s: int = 0,
        will: Post | None = None,
        will_delay_s: int = 0,
        keepalive_s: int = 30,
        connect_timeout_s: float = 5.0,
        hold_without_subscriber: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._port = port
        self._is_mqtt5 = protocol == "5"
        self._tls = tls
        self._session_expiry_s = session_expiry_s
        self._keepalive_s = keepalive_s
        self._connect_timeout_s = connect_timeout_s
        self._hold_without_subscriber = hold_without_subscriber
        self._clock = clock
        self._connect_by_s = 0.0
        self._heard_at_s = 0.0
        self._properties: PackedOnce | None = None
        if self._is_mqtt5:
            self._properties = PackedOnce(PacketTypes.PUBLISH, CONTENT_TYPE)
        self._client = self._new_client(client_id)
        self._heard = Heard(self._client, keepalive_s)
        if will is not None:
            about = will_properties(will, will_delay_s) if self._is_mqtt5 else None
            self._client.will_set(
                will.topic, will.payload, _AT_LEAST_ONCE, retain=True, properties=about
            )

    @property
    def _lost(self) -> str | None:
        return self._heard.lost

    @_lost.setter
    def _lost(self, why: str | None) -> None:
        self._heard.lost = why

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection and it still stands."""
        return self._heard.is_connected and self._lost is None

    @property
    def receive_maximum(self) -> int:
        """How many unacknowledged events the broker takes; known once `connected`."""
        return self._heard.receive_maximum

    @property
    def maximum_packet_bytes(self) -> int:
        """The largest packet that the broker takes; known once `connected`."""
        return self._heard.maximum_packet_bytes

    @property
    def refused_topics(self) -> Mapping[str, int]:
        """Which subscriptions the broker has refused, and with what reason code of MQTT 5."""
        return self._heard.refused

    @property
    def unanswered_topics(self) -> tuple[str, ...]:
        """For which subscriptions the broker has not answered yet, in the order of `subscribe`."""
        return tuple(self._heard.subscribing.values())

    @property
    def has_unread(self) -> bool:
        """Whether something received waits that the socket does not show: call `on_readable`."""
        return self._lost is None and self._client.has_unread

    def packet_bytes(self, topic: str, payload: bytes) -> int:
        """Return how large the packet of an event is at the most."""
        # Section 3.3: 5 bytes of fixed header, 2 of the topic's length, 2 of the identifier, and
        # the properties with their length.
        properties = len(self._properties.pack()) if self._properties else 0
        return 9 + len(topic.encode()) + properties + len(payload)

    def connect(self) -> None:
        """Open the connection and send CONNECT; `connected` turns true at a later `on_readable`.

        Blocks for the name look-up, at most `connect_timeout_s` for each address of the host, and
        as long again for the handshake of TLS.

        Raises:
            SessionError: nobody there, or somebody else, or the files of TLS are no good.
        """
        self._connect_by_s = self._clock() + self._connect_timeout_s
        if self._tls is not None:
            try:
                self._client.tls_set_context(self._tls())
            except OSError as error:  # TlsError: which file, and what to do
                self._lost = str(error)
                raise self._error() from error
        self._run(self._connect)
        self._heard_at_s = self._clock()
        tcp.set_options(self._client.socket(), self._keepalive_s)
        self.flush()

    def _connect(self) -> MQTTErrorCode:
        if not self._is_mqtt5:
            return self._client.connect(self._host, self._port, self._keepalive_s)
        return self._client.connect(
            self._host,
            self._port,
            self._keepalive_s,
            clean_start=self._session_expiry_s == 0,
            properties=connect_properties(self._session_expiry_s),
        )

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
        return self._client.want_write() or self._client.wants_write

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
        tcp.set_quick_ack(self._client.socket())

    def on_writable(self) -> None:
        """Send what waited for room. Never blocks.

        Raises:
            SessionError: the connection is lost.
        """
        if self._client.reads_when_writable:
            self.on_readable()
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
        if not self._heard.is_connected and self._clock() >= self._connect_by_s:
            self._lost = f"no CONNACK within {self._connect_timeout_s} s"
            raise self._error()
        # paho by itself would wait for two keepalives.
        silence_s = self._clock() - self._heard_at_s
        if self._heard.is_connected and silence_s >= _SILENCE_KEEPALIVES * self._heard.keepalive_s:
            self._lost = f"not a byte from it for {silence_s:.0f} s"
            raise self._error()

    def subscribe(self, topic: str) -> None:
        """Ask for the messages of a topic; `take_messages` returns them. Never blocks.

        Raises:
            SessionError: the connection is lost.
        """
        self._run(lambda: self._subscribe(topic))

    def _subscribe(self, topic: str) -> MQTTErrorCode:
        if self._is_mqtt5:
            code, mid = self._client.subscribe(topic, options=subscribe_options())
        else:
            code, mid = self._client.subscribe(topic, qos=_AT_LEAST_ONCE)
        if mid is not None:
            self._heard.subscribing[mid] = topic
        return code

    def take_messages(self) -> list[Incoming]:
        """Return what came since the last call. More is read only after that."""
        return self._heard.take_messages()

    def acknowledge(self, mid: int) -> None:
        """Tell the broker that a message is dealt with. It goes out at the next `flush`.

        Raises:
            SessionError: the connection is lost, and the message comes again (MQTT 5).
        """
        if mid:
            self._run(lambda: self._client.ack(mid, _AT_LEAST_ONCE))

    def publish(self, topic: str, payload: bytes) -> int:
        """Send one event; return the number by which `take_acked` will name it. Never blocks.

        It goes out at the next `flush`.

        Raises:
            SessionError: the connection is lost; whether the event arrived is unknown.
        """
        return self._send(topic, payload, self._properties)

    def post(self, post: Post) -> int:
        """Send what a desk says; return the number by which `take_acked` will name it.

        Never blocks. MQTT 3.1.1 carries neither its correlation nor its expiry.

        Raises:
            SessionError: the connection is lost; whether the post arrived is unknown.
        """
        properties = post_properties(post) if self._is_mqtt5 else None
        return self._send(post.topic, post.payload, properties, retain=post.is_retained)

    def _send(
        self, topic: str, payload: bytes, properties: Properties | None, *, retain: bool = False
    ) -> int:
        if self._lost is not None:
            raise self._error()
        try:
            info = self._client.publish(topic, payload, _AT_LEAST_ONCE, retain, properties)
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
        acked = self._heard.take_acked()
        if self._hold_without_subscriber:
            return acked
        return [(mid, 0 if code == _NO_MATCHING_SUBSCRIBERS else code) for mid, code in acked]

    def close(self, *, keeps_will: bool = False) -> None:
        """Say goodbye (DISCONNECT) if there is somebody to say it to, and close. Never raises.

        `keeps_will`: the will counts all the same, after its delay, unless we are back by then.
        """
        client = self._client
        self._heard.stop()
        if self.connected and (self._is_mqtt5 or not keeps_will):
            with suppress(OSError, ValueError):
                client.disconnect(disconnect_with_will() if keeps_will else None)
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
            # What came is acknowledged when it is dealt with, on disk where it must be kept.
            manual_ack=True,
        )
        client.begin()
        client.connect_timeout = self._connect_timeout_s
        # No window of paho's own: it scans the whole window at each PUBACK, and ours is smaller.
        client.max_inflight_messages_set(0)
        return client

    def _run(self, operation: Callable[[], MQTTErrorCode]) -> None:
        if self._lost is not None:
            raise self._error()
        try:
            code = operation()
        except Exception as error:
            raise self._stumbled(error) from error
        if code != _OK:
            self._lost = (
                self._of_tls(self._client.trouble) or self._heard.lost or error_string(code)
            )
        if self._lost is not None:
            raise self._error()

    def _stumbled(self, error: Exception) -> SessionError:
        # Also what paho's parser stumbles over: a strange broker must not end the link.
        trouble = error if isinstance(error, ssl.SSLError) else self._client.trouble
        self._lost = self._of_tls(trouble) or self._heard.lost or f"{type(error).__name__}: {error}"
        return self._error()

    def _of_tls(self, trouble: OSError | None) -> str | None:
        return explain(trouble) if isinstance(trouble, ssl.SSLError) else None

    def _error(self) -> SessionError:
        return SessionError(f"broker {self._host}:{self._port}: {self._lost or 'not connected'}")
