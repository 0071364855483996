"""A bell between two processes: a Unix datagram socket that only ever says "look again".

The files are the truth; a ring that gets lost costs the listener one polling period, nothing else.
"""

import contextlib
import socket
from pathlib import Path
from typing import Self

from gatepost_services.unix_socket import checked_address, is_socket_there

_RING = b"\x01"
_MOST_RINGS_PER_DRAIN = 1024


class DoorbellError(OSError):
    """The listener's socket cannot be made."""


class Doorbell:
    """The button: rings whoever listens at `path`, if anybody does.

    Raises:
        ValueError: `path` is too long for a Unix socket.
    """

    def __init__(self, path: Path) -> None:
        self._address = checked_address(path)
        self._socket: socket.socket | None = None

    def ring(self) -> None:
        """Ask the listener to look again. Never blocks, never raises.

        Nobody there, or a queue full of rings: both need nothing, for this is only a hint.
        """
        with contextlib.suppress(OSError):
            if self._socket is None:
                self._socket = _new_socket()
            self._socket.sendto(_RING, self._address)

    def close(self) -> None:
        """Give the socket back. A later `ring` opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class DoorbellListener:
    """The bell: binds `path`, in place of a socket that a killed predecessor left there.

    `mode` is set on the socket file; whoever rings needs write permission.

    Raises:
        ValueError: `path` is too long for a Unix socket.
        DoorbellError: the socket cannot be bound, or something else than a socket is at `path`.
    """

    def __init__(self, path: Path, *, mode: int = 0o660) -> None:
        self._path = path
        address = checked_address(path)
        self._socket = _new_socket()
        try:
            if is_socket_there(path):
                path.unlink()
            self._socket.bind(address)
            path.chmod(mode)
            self._inode = path.stat().st_ino
        except OSError as error:
            self._socket.close()
            raise DoorbellError(
                f"{path}: cannot listen there ({error}); "
                "see that the directory exists and that this user may write to it"
            ) from error

    def fileno(self) -> int:
        """Return the descriptor that is readable once somebody has rung."""
        return self._socket.fileno()

    def drain(self) -> bool:
        """Take all rings; return whether there was one. Never blocks."""
        for rings in range(_MOST_RINGS_PER_DRAIN):
            try:
                self._socket.recv(len(_RING))
            except BlockingIOError:
                return rings > 0
        return True

    def close(self) -> None:
        """Stop listening and remove the socket file, unless a successor's is there by now."""
        self._socket.close()
        with contextlib.suppress(OSError):
            if self._path.lstat().st_ino == self._inode:
                self._path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _new_socket() -> socket.socket:
    bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    bell.settimeout(0.0)
    return bell
