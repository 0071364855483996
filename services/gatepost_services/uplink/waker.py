"""Ends the link's wait, from any thread and from a signal handler."""

import socket
from contextlib import suppress


class Waker:
    """A pair of sockets: `wake` makes `fileno` readable until `drain`."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.settimeout(0.0)
        self._writer.settimeout(0.0)

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._reader.fileno()

    def wake(self) -> None:
        """End the present wait, or the next one."""
        with suppress(OSError):  # full: then it ends as well
            self._writer.send(b"\x01")

    def drain(self) -> None:
        """Wait again."""
        self._reader.recv(4096)

    def close(self) -> None:
        """Close both."""
        self._reader.close()
        self._writer.close()
