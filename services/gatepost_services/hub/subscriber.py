"""A reference centre: subscribes to the gates' events, tallies them, and confirms them.

The subscription is durable (the broker keeps what comes while we are away) and QoS 1. That alone
proves nothing: a broker may acknowledge an event and lose it. The tally does. What is complete is
confirmed to the gate by a retained message, its watermark: `{"through": N}`.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Literal, Self

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage, error_string
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gatepost_services.contract.events import WireError, WireEvent, decode, watermark_topic
from gatepost_services.edge_log import EdgeLog
from gatepost_services.hub.tally import Tally, TallySnapshot

_LOG = logging.getLogger(__name__)
ALL_GATES = "gatepost/+/+/event/+"
_EVENT = "/event/"
# How often a gate is told through where its events have come.
_WATERMARK_S = 1.0
_LOOP_S = 0.2
_REFUSED = 0x80
_OK = MQTTErrorCode.MQTT_ERR_SUCCESS


class Subscriber:
    """Subscribes in a thread of its own, from `start` to `stop`, whatever the broker does.

    `client_id` names the durable session: keep it, and use it once. `topic` may be one gate's
    (`event_topic`). `confirms`: whether it publishes the watermarks, at most once a second for each
    gate and only when they moved. `tally` carries on from an earlier subscriber. Tries again
    `retry_s` after each failure, without back-off: a centre stands next to its broker. `on_event`
    is called in the subscriber's thread with each event and whether it is new; it must be short and
    must not raise. The other methods are for any thread.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        client_id: str,
        topic: str = ALL_GATES,
        protocol: Literal["5", "3.1.1"] = "5",
        session_expiry_s: int = 7 * 24 * 3600,
        retry_s: float = 0.2,
        on_event: Callable[[WireEvent, bool], None] | None = None,
        confirms: bool = True,
        tally: Tally | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._port = port
        self._topic = topic
        self._is_mqtt5 = protocol == "5"
        self._session_expiry_s = session_expiry_s
        self._retry_s = retry_s
        self._on_event = on_event
        self._confirms = confirms
        self._clock = clock
        self._tally = Tally() if tally is None else tally
        self._confirmed: dict[str, int] = {}  # by source; of the subscriber's thread
        self._moved: set[str] = set()  # sources, since their last watermark; of that thread
        self._confirm_at_s = 0.0
        self._changed = threading.Condition()  # guards _tally and _is_subscribed
        self._is_subscribed = False
        self._stopping = threading.Event()
        self._line_log = EdgeLog(_LOG)
        self._malformed_log = EdgeLog(_LOG)
        self._client = self._new_client(client_id)
        self._thread = threading.Thread(target=self._run, name="hub-subscriber", daemon=True)

    def start(self) -> None:
        """Begin. Returns at once; `wait_subscribed` tells when the subscription stands."""
        self._thread.start()

    def stop(self) -> None:
        """Disconnect and end the thread. Blocks for the loop's period, 0.2 s. The session stays."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

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
        with self._changed:
            return self._changed.wait_for(lambda: self._is_subscribed, timeout_s)

    def wait_received(self, count: int, timeout_s: float) -> bool:
        """Wait until `count` different events have come; return whether they have."""
        with self._changed:
            return self._changed.wait_for(lambda: self._tally.received >= count, timeout_s)

    def wait_until(self, condition: Callable[[TallySnapshot], bool], timeout_s: float) -> bool:
        """Wait until the counts fulfil `condition`; return whether they do."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self._tally.snapshot()), timeout_s)

    def _new_client(self, client_id: str) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if self._is_mqtt5 else False,
            protocol=MQTTProtocolVersion.MQTTv5 if self._is_mqtt5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._connect()
                reason = self._receive_until_lost()
            except OSError as error:
                reason = str(error)
            with self._changed:
                self._is_subscribed = False
            if not self._stopping.is_set():
                self._line_log.failed("broker %s:%d: %s", self._host, self._port, reason)
                self._stopping.wait(self._retry_s)
        self._client.disconnect()
        connection = self._client.socket()
        if connection is not None:
            connection.close()

    def _receive_until_lost(self) -> str:
        code = _OK
        while code == _OK and not self._stopping.is_set():
            code = self._client.loop(_LOOP_S)
            self._confirm()
        return error_string(code)

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
            self._client.publish(
                watermark_topic(site, gate), b'{"through":%d}' % through, qos=1, retain=True
            )
        self._moved.clear()

    def _connect(self) -> None:
        if not self._is_mqtt5:
            self._client.connect(self._host, self._port)
            return
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._session_expiry_s
        self._client.connect(self._host, self._port, clean_start=False, properties=properties)

    def _on_connect(
        self,
        client: Client,
        _userdata: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if not reason.is_failure:
            client.subscribe(self._topic, qos=1)

    def _on_subscribe(
        self,
        _client: Client,
        _userdata: object,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        if any(reason.value >= _REFUSED for reason in reasons):
            _LOG.error("the broker refuses the subscription to %s", self._topic)
            return
        self._line_log.recovered("broker %s:%d: subscribed", self._host, self._port)
        with self._changed:
            self._is_subscribed = True
            self._changed.notify_all()

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        payload = bytes(message.payload)
        try:
            event = decode(payload)
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
