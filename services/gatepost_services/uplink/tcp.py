"""What the link asks of TCP: no waiting for company, and a dead line told from a slow one."""

import socket
from contextlib import suppress


def set_options(connection: object, keepalive_s: int) -> None:
    """Set what holds for the whole connection."""
    if not isinstance(connection, socket.socket):
        return
    with suppress(OSError):
        # Events are single small packets; Nagle would hold them back for the broker's ACK.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # What the other side has not even received for so long, it will not: tcp(7), in ms.
        # The default is some 15 minutes.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, keepalive_s * 1000)
    set_quick_ack(connection)


def set_quick_ack(connection: object) -> None:
    """Acknowledge at once, this time."""
    if not isinstance(connection, socket.socket):
        return
    with suppress(OSError):
        # A broker with Nagle on (mosquitto's default) holds its second PUBACK back for our
        # ACK, which Linux delays: 2,200 events/s instead of 8,000. Not permanent: tcp(7).
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
