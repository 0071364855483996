"""Tells systemd how a service is doing: sd_notify(3), the datagram protocol of NOTIFY_SOCKET."""

import os
import socket
from contextlib import suppress


def notify(state: str) -> None:
    """Send one state, e.g. "READY=1" or "WATCHDOG=1". Does nothing outside systemd.

    Never blocks and never raises: a lost datagram is made good by the next, and a service manager
    that hears nothing restarts the process, which is what it is for.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.settimeout(0.0)
        with suppress(OSError):
            sender.sendto(state.encode(), address)
