"""A broker of a few lines, for a replay."""

import socket
import struct
import threading
from contextlib import suppress

from gatepost_services.contract.classes import CLASS_OF
from gatepost_services.record import EventClass

DEADLINE_S = 30.0
TYPES = [next(name for name, its in CLASS_OF.items() if its is each) for each in EventClass]


class Broker:
    """A broker of a few lines: takes every event, or says `reason` from event `refuse_from` on."""

    def __init__(self, *, reason: int = 0, refuse_from: int = 1, connack: int = 0) -> None:
        self.reason, self.refuse_from, self.connack = reason, refuse_from, connack
        self.maximum_packet_bytes = 1_000_000
        self.client_id = ""
        self.taken: list[tuple[str, int, bytes]] = []
        self.most_unacked = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.thread.join(DEADLINE_S)

    def _serve(self) -> None:
        with suppress(OSError):
            connection, _ = self._listener.accept()
            with connection, suppress(ConnectionError, TimeoutError):
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        unacked: list[int] = []
        while True:
            # Once nothing more comes, what was sent is acknowledged.
            connection.settimeout(0.05 if unacked else DEADLINE_S)
            try:
                kind, body = packet(connection)
            except TimeoutError:
                for mid in unacked:
                    count = len(self.taken) - len(unacked) + unacked.index(mid) + 1
                    reason = self.reason if count >= self.refuse_from else 0
                    connection.sendall(b"\x40\x04" + struct.pack("!HBB", mid, reason, 0))
                unacked.clear()
                continue
            if kind >> 4 == 1:
                # Behind the variable header's 10 bytes and the properties: MQTT 5, section 3.1.
                self.client_id = body[13 + body[10] :].decode()
                connection.sendall(
                    b"\x20\x08\x00"
                    + bytes([self.connack])
                    + b"\x05\x27"
                    + struct.pack("!I", self.maximum_packet_bytes)
                )
            elif kind >> 4 == 3:
                end = 2 + int.from_bytes(body[:2])
                payload = body[end + 3 + body[end + 2] :]
                self.taken.append((body[2:end].decode(), kind >> 1 & 3, payload))
                unacked.append(int.from_bytes(body[end : end + 2]))
                self.most_unacked = max(self.most_unacked, len(unacked))
            elif kind >> 4 == 14:
                return


def packet(connection: socket.socket) -> tuple[int, bytes]:
    kind, length, shift = exactly(connection, 1)[0], 0, 0
    while True:
        digit = exactly(connection, 1)[0]
        length |= (digit & 0x7F) << shift
        shift += 7
        if digit < 0x80:
            return kind, exactly(connection, length)


def exactly(connection: socket.socket, count: int) -> bytes:
    content = b""
    while len(content) < count:
        piece = connection.recv(count - len(content))
        if not piece:
            raise ConnectionError
        content += piece
    return content
