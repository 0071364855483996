"""The gate's own local socket: a technician on the machine asks, or commands.

A Unix socket that keeps messages whole (SOCK_SEQPACKET), one request and one answer a connection,
each a JSON object. Who may is decided by the file's permission: root and the gate's own user. What
a request means is none of this module's business; that nobody who connects can hold up the control
loop is.
"""

import contextlib
import json
import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from gatepost_services.record import JsonValue
from gatepost_services.unix_socket import checked_address, is_socket_there

MAX_REQUEST_BYTES = 4 * 1024
MAX_ANSWER_BYTES = 64 * 1024
MOST_CALLERS = 8

_MODE = 0o600
_SILENT_S = 1.0  # a caller says what it wants within this
_UNANSWERED_S = 10.0  # what the gate has not answered by then it has forgotten
# Connections that the kernel queues, and that one `take` looks at.
_BACKLOG = 16
_IS_IT_RUNNING = "is the gate running (systemctl status gatepost-gate)?"
_CREDENTIALS = struct.Struct("iII")  # pid, uid, gid: unix(7), SO_PEERCRED


class ControlError(OSError):
    """The socket cannot be made, or the gate cannot be asked."""


class Call:
    """One request. Answer it with `reply`, once.

    `uid`: the user who asks, by the kernel's word.
    """

    def __init__(
        self, request: Mapping[str, JsonValue], uid: int, connection: socket.socket
    ) -> None:
        self.request = request
        self.uid = uid
        self._connection = connection

    def is_waiting(self) -> bool:
        """Return whether whoever asked still waits. What they gave up must not happen after all."""
        try:
            return bool(self._connection.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def reply(self, answer: Mapping[str, JsonValue]) -> None:
        """Answer, and hang up. Never blocks, never raises: the caller may be gone."""
        with contextlib.suppress(OSError):
            self._connection.send(_answer_content(answer))
        self._connection.close()


class ControlSocket:
    """The gate's end: binds `path`, in place of a socket that a killed predecessor left there.

    Raises:
        ValueError: `path` is too long for a Unix socket.
        ControlError: the socket cannot be bound, something else than a socket is at `path`, or
            another gate listens there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._callers: list[_Caller] = []
        address = checked_address(path)
        self._socket = _new_socket()
        try:
            _remove_stale_socket(path, address)
            # Before it is bound: the file never exists with more than these bits.
            os.fchmod(self._socket.fileno(), _MODE)
            self._socket.bind(address)
            self._inode = path.lstat().st_ino
            self._socket.listen(_BACKLOG)
        except OSError as error:
            self._socket.close()
            raise ControlError(
                f"{path}: cannot listen there ({error}); "
                "see that the folder exists, and that this user may write to it"
            ) from error

    def take(self, now_s: float) -> list[Call]:
        """Return what was asked since the last time. Never blocks, never raises.

        Hangs up on callers that are too many or silent for 1 s, and on requests that are longer
        than 4 KiB or no JSON object.

        Args:
            now_s: monotonic, as in every call.
        """
        calls = [call for caller in self._callers for call in caller.heard(now_s)]
        self._callers = [caller for caller in self._callers if not caller.is_over(now_s)]
        for caller in self._accepted(now_s):
            calls += caller.heard(now_s)
            if not caller.is_over(now_s):
                self._callers.append(caller)
        return calls

    def close(self) -> None:
        """Hang up on everybody, and remove the socket file unless a successor's is there by now."""
        self._socket.close()
        for caller in self._callers:
            caller.close()
        with contextlib.suppress(OSError):
            if self._path.lstat().st_ino == self._inode:
                self._path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _accepted(self, now_s: float) -> list["_Caller"]:
        accepted: list[_Caller] = []
        for _ in range(_BACKLOG):  # not until there is none: a flood has no end
            try:
                connection, _address = self._socket.accept()
            except OSError:  # none, or no descriptor left for it: it waits in the queue
                break
            if len(self._callers) + len(accepted) < MOST_CALLERS:
                accepted.append(_Caller(connection, now_s))
            else:
                connection.close()
        return accepted


class _Caller:
    """Who has connected, from then until it is answered or given up."""

    def __init__(self, connection: socket.socket, now_s: float) -> None:
        connection.settimeout(0.0)
        self._connection = connection
        self._has_asked = False
        self._until_s = now_s + _SILENT_S

    def heard(self, now_s: float) -> list[Call]:
        """Return the request, once, when it is there."""
        if self._has_asked:
            return []
        try:
            content = self._connection.recv(MAX_REQUEST_BYTES + 1)
            credentials = self._connection.getsockopt(
                socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size
            )
        except BlockingIOError:
            return []
        except OSError:
            self.close()
            return []
        request = _object_of(content) if len(content) <= MAX_REQUEST_BYTES else None
        if request is None:
            self.close()
            return []
        self._has_asked = True
        self._until_s = now_s + _UNANSWERED_S
        _pid, uid, _gid = _CREDENTIALS.unpack(credentials)
        return [Call(request, uid, self._connection)]

    def is_over(self, now_s: float) -> bool:
        """Return whether this one is dealt with, or has had its time."""
        if now_s >= self._until_s:
            self.close()
        return self._connection.fileno() < 0

    def close(self) -> None:
        self._connection.close()


def ask(path: Path, request: Mapping[str, JsonValue], timeout_s: float) -> Mapping[str, JsonValue]:
    """Return what the gate that listens at `path` answers.

    Raises:
        ControlError: there is no answer; the text says why, and what to do.
        ValueError: `path` is too long for a Unix socket, or `request` for a request, or it cannot
            be JSON.
    """
    address = checked_address(path)
    content = _content(request)
    if len(content) > MAX_REQUEST_BYTES:
        raise ValueError(f"a request of {len(content)} bytes; at most {MAX_REQUEST_BYTES} fit")
    try:
        with _new_socket() as connection:
            connection.settimeout(timeout_s)
            connection.connect(address)
            connection.send(content)
            said = connection.recv(MAX_ANSWER_BYTES + 1)
    except OSError as error:
        raise ControlError(f"{path}: {_why(error, timeout_s)}") from error
    if not said:
        raise ControlError(f"{path}: {_why(ConnectionResetError(), timeout_s)}")
    answer = _object_of(said)
    if answer is None:
        raise ControlError(f"{path}: what answers there is no gate; see what listens (ss -xlp)")
    return answer


def _why(error: OSError, timeout_s: float) -> str:
    match error:
        case FileNotFoundError():
            return f"no such socket; {_IS_IT_RUNNING}"
        case ConnectionRefusedError():
            return f"nobody listens there any more; {_IS_IT_RUNNING}"
        case PermissionError():
            return "this user may not ask the gate; use sudo"
        case TimeoutError():
            return (
                f"no answer within {timeout_s:g} s; the gate hangs, or waits for its disk: "
                "see journalctl -u gatepost-gate"
            )
        case BlockingIOError():
            return "too many ask at the same time; try again"
        case ConnectionError():
            return (
                "the gate hung up without an answer; too many ask at the same time, or it did not "
                "understand: try again, with the gatepost command of the version that runs"
            )
        case _:
            return f"cannot ask the gate ({error.strerror})"


def _new_socket() -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    made.settimeout(0.0)
    return made


def _remove_stale_socket(path: Path, address: str) -> None:
    if not is_socket_there(path):
        return
    with _new_socket() as probe:
        try:
            probe.connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except BlockingIOError:
            pass  # its queue is full: somebody listens
    raise FileExistsError("another gate listens there; stop that one first")


def _object_of(content: bytes) -> dict[str, JsonValue] | None:
    """Return the JSON object that this is, None if it is none that we could also write."""
    try:
        said: Any = json.loads(content.decode())
        _content(said)  # it is told on: no infinity, no half of a character
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _answer_content(answer: Mapping[str, JsonValue]) -> bytes:
    try:
        content = _content(answer)
    except ValueError as error:
        return _content({"error": f"the gate's answer cannot be JSON: {error}"})
    if len(content) > MAX_ANSWER_BYTES:
        return _content({"error": f"the gate's answer has {len(content)} bytes, too many"})
    return content


def _content(said: Mapping[str, JsonValue]) -> bytes:
    try:
        text = json.dumps(said, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        return text.encode()
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error
