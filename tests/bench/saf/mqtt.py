"""As much of MQTT 3.1.1 as a subscriber needs who must not be the bottleneck."""

import socket
import struct
from collections.abc import Iterator

PUBLISH, PUBACK = 0x30, 0x40
_DUP = 0x08
_QOS = 0x06
_MOST_AT_ONCE = 1 << 18


def connect(port: int, client_id: str, *, clean: bool) -> socket.socket:
    """Return a connection whose CONNACK was good.

    Raises:
        OSError: nobody there, or the broker refuses.
    """
    connection = socket.create_connection(("127.0.0.1", port), 5.0)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    keepalive_s = 0
    head = b"\x00\x04MQTT\x04" + bytes([2 if clean else 0]) + struct.pack(">H", keepalive_s)
    connection.sendall(_packet(0x10, head + _string(client_id)))
    answer = connection.recv(4)
    if len(answer) != 4 or answer[0] != 0x20 or answer[3] != 0:
        connection.close()
        raise ConnectionRefusedError(f"port {port}: the broker answers CONNECT with {answer.hex()}")
    return connection


def subscribe(connection: socket.socket, topic: str, *, qos: int = 1) -> None:
    """Subscribe, and wait for the SUBACK.

    Raises:
        OSError: refused.
    """
    connection.sendall(_packet(0x82, b"\x00\x01" + _string(topic) + bytes([qos])))
    answer = connection.recv(5)
    if len(answer) != 5 or answer[0] != 0x90 or answer[4] != qos:
        raise ConnectionRefusedError(f"{topic}: the broker answers SUBSCRIBE with {answer.hex()}")


def publish(connection: socket.socket, topic: str, payload: bytes, mid: int) -> None:
    """Send an event with QoS 1; the PUBACK is the caller's to read."""
    connection.sendall(_packet(PUBLISH | 2, _string(topic) + struct.pack(">H", mid) + payload))


def disconnect(connection: socket.socket) -> None:
    """Say goodbye and close."""
    connection.sendall(b"\xe0\x00")
    connection.close()


def arrivals(connection: socket.socket) -> Iterator[list[tuple[bytes, bytes, bool]]]:
    """Yield what arrives, a list for each time something did: topic, payload, whether repeated.

    Everything is acknowledged once the caller asks for more. Ends when the connection does.

    Raises:
        OSError: the connection breaks.
    """
    rest = b""
    while data := connection.recv(_MOST_AT_ONCE):
        found, acknowledgements, rest = _parsed(rest + data)
        if found:
            yield found
        if acknowledgements:
            connection.sendall(acknowledgements)


def _parsed(data: bytes) -> tuple[list[tuple[bytes, bytes, bool]], bytes, bytes]:
    """Return the events in `data`, their PUBACKs, and what is no whole packet yet."""
    found, acknowledgements = [], bytearray()
    begin, end = 0, len(data)
    while end - begin >= 2:
        length, shift, at = 0, 0, begin + 1
        while at < end:
            byte = data[at]
            at += 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        else:
            break
        if end - at < length:
            break
        first = data[begin]
        begin = at + length
        if first & 0xF0 != PUBLISH:
            continue
        topic_end = at + 2 + (data[at] << 8 | data[at + 1])
        topic = data[at + 2 : topic_end]
        if first & _QOS:
            acknowledgements += b"\x40\x02" + data[topic_end : topic_end + 2]
            topic_end += 2
        found.append((topic, data[topic_end:begin], bool(first & _DUP)))
    return found, bytes(acknowledgements), data[begin:]


def _packet(first: int, body: bytes) -> bytes:
    length, rest = bytearray(), len(body)
    while True:
        rest, low = divmod(rest, 128)
        length.append(low | 128 if rest else low)
        if not rest:
            return bytes([first]) + bytes(length) + body


def _string(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">H", len(encoded)) + encoded
