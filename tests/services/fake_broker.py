"""A broker of a few lines that does what no good broker does."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

DEADLINE_S = 30.0


class FakeBroker:
    """A broker of a few lines that does what no good broker does. One connection at a time.

    `reason_of(n)` decides about the n-th event ever, `judge(topic, payload)` by what it is, and
    comes first: a PUBACK reason code, None for silence or for the other to decide, "drop" to cut
    the connection. Acknowledges in groups of `receive_maximum`, after looking whether the client
    sends more than that. `published` and `accepted` are events; `statuses` is what else came.
    """

    def __init__(
        self, *, receive_maximum: int = 20, connack: int = 0, maximum_packet_bytes: int = 0
    ) -> None:
        self.receive_maximum = receive_maximum
        self.connack = connack
        self.maximum_packet_bytes = maximum_packet_bytes
        self.reason_of: Callable[[int], int | str | None] = lambda _n: 0
        self.judge: Callable[[str, bytes], int | str | None] = lambda _topic, _payload: None
        self.watermark: bytes | None = None  # sent to whoever subscribes
        self.accepted: list[bytes] = []
        self.topics: list[str] = []  # of `accepted`
        self.statuses: list[bytes] = []
        self.subscriptions: list[str] = []
        self.unreadable: set[str] = set()  # subscriptions that are refused
        self.published = 0
        self.most_unacked = 0
        self.company: list[int] = []  # what else was unacknowledged at the first of each topic
        self.connects = 0
        self.disconnects = 0
        self.publish_properties = b""
        self._seen: set[str] = set()
        self.changed = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._connection: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def wait_for(self, predicate: Callable[[], bool]) -> bool:
        with self.changed:
            return self.changed.wait_for(predicate, DEADLINE_S)

    def say(self, topic: str, payload: bytes) -> None:
        """Send a message with QoS 0 to whoever is connected."""
        assert self._connection is not None
        self._connection.sendall(publish_packet(topic, payload))

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._connection is not None:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(DEADLINE_S)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._connection = connection
                with suppress(ConnectionError, TimeoutError):
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        unacked: list[tuple[int, int, str, bytes]] = []
        while True:
            connection.settimeout(0.02 if unacked else DEADLINE_S)
            try:
                kind, body = read_packet(connection)
            except TimeoutError:
                if not self._acknowledge(connection, unacked):
                    return
                continue
            with self.changed:
                if kind >> 4 == 1:
                    self.connects += 1
                    self._seen.clear()
                    connection.sendall(
                        connack(self.connack, self.receive_maximum, self.maximum_packet_bytes)
                    )
                elif kind >> 4 == 3:
                    self._take(unacked, body)
                elif kind >> 4 == 8:
                    self._subscribe(connection, body)
                elif kind >> 4 == 12:
                    connection.sendall(b"\xd0\x00")
                elif kind >> 4 == 14:
                    self.disconnects += 1
                self.changed.notify_all()

    def _take(self, unacked: list[tuple[int, int, str, bytes]], body: bytes) -> None:
        topic, mid, self.publish_properties, payload = parse_publish(body)
        self.published += "/status" not in topic
        if topic not in self._seen:
            self._seen.add(topic)
            self.company.append(len(unacked))
        unacked.append((self.published, mid, topic, payload))
        self.most_unacked = max(self.most_unacked, len(unacked))

    def _subscribe(self, connection: socket.socket, body: bytes) -> None:
        length = int.from_bytes(body[3:5])
        self.subscriptions.append(body[5 : 5 + length].decode())
        code = b"\x87" if self.subscriptions[-1] in self.unreadable else b"\x01"
        connection.sendall(b"\x90\x04" + body[:2] + b"\x00" + code)
        if self.watermark is not None:
            connection.sendall(publish_packet(self.subscriptions[-1], self.watermark))

    def _acknowledge(
        self, connection: socket.socket, unacked: list[tuple[int, int, str, bytes]]
    ) -> bool:
        with self.changed:
            for number, mid, topic, payload in unacked:
                reason = self.judge(topic, payload)
                if reason is None:
                    reason = 0 if "/status" in topic else self.reason_of(number)
                if reason == "drop":
                    return False
                if isinstance(reason, int):
                    if reason < 0x80:
                        self._keep(topic, payload)
                    connection.sendall(b"\x40\x04" + struct.pack("!HBB", mid, reason, 0))
            unacked.clear()
            self.changed.notify_all()
        return True

    def _keep(self, topic: str, payload: bytes) -> None:
        if "/status" in topic:
            self.statuses.append(payload)
        else:
            self.accepted.append(payload)
            self.topics.append(topic)


def read_exactly(connection: socket.socket, count: int) -> bytes:
    content = b""
    while len(content) < count:
        piece = connection.recv(count - len(content))
        if not piece:
            raise ConnectionError
        content += piece
    return content


def read_packet(connection: socket.socket) -> tuple[int, bytes]:
    kind, length, shift = read_exactly(connection, 1)[0], 0, 0
    while True:
        digit = read_exactly(connection, 1)[0]
        length |= (digit & 0x7F) << shift
        shift += 7
        if digit < 0x80:
            return kind, read_exactly(connection, length)


def parse_publish(body: bytes) -> tuple[str, int, bytes, bytes]:
    topic_end = 2 + int.from_bytes(body[:2])
    mid = int.from_bytes(body[topic_end : topic_end + 2])
    properties_end = topic_end + 3 + body[topic_end + 2]
    properties = body[topic_end + 3 : properties_end]
    return body[2:topic_end].decode(), mid, properties, body[properties_end:]


def publish_packet(topic: str, payload: bytes) -> bytes:
    """Return a PUBLISH with QoS 0 and no properties."""
    body = struct.pack("!H", len(topic)) + topic.encode() + b"\x00" + payload
    length, rest = b"", len(body)
    while not length or rest:
        rest, digit = divmod(rest, 128)
        length += bytes([digit | (0x80 if rest else 0)])
    return b"\x30" + length + body


def connack(reason: int, receive_maximum: int, maximum_packet_bytes: int = 0) -> bytes:
    properties = b"\x21" + struct.pack("!H", receive_maximum)
    if maximum_packet_bytes:
        properties += b"\x27" + struct.pack("!I", maximum_packet_bytes)
    length = len(properties)
    return b"\x20" + bytes([3 + length, 0, reason, length]) + properties
