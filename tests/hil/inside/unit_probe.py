"""Tries what a process may do, and prints what it got: {attempt: "done" or the errno's name}.

    python unit_probe.py socket:AF_INET read:/etc/shadow write:/dev/gpiochip0 make:/var/lib/x ...

The program of a unit in place of Gatepost (unit_stories.py), so that the sandbox is the shipped
one; and, as the control, run without any. Only the standard library, and nothing is changed: what
is opened is closed again, what is made removed.
"""

import ctypes
import errno
import json
import mmap
import os
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

_NEW_USER_NAMESPACE = 0x10000000
_CHARACTER_DEVICE = 0o020600


def _socket(family: str) -> None:
    kind = socket.SOCK_RAW if family == "AF_NETLINK" else socket.SOCK_DGRAM
    socket.socket(getattr(socket, family), kind).close()


def _connect(port: str) -> None:
    socket.create_connection(("127.0.0.1", int(port)), timeout=30.0).close()


def _open(flags: int) -> Callable[[str], None]:
    return lambda path: os.close(os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY))


def _make(folder: str) -> None:
    path = Path(folder, "probe")
    path.touch()
    path.unlink()


def _list(folder: str) -> None:
    list(Path(folder).iterdir())


def _device(number: str) -> None:
    major, minor = map(int, number.split("."))
    path = Path(tempfile.gettempdir(), "probe-device")
    os.mknod(path, _CHARACTER_DEVICE, os.makedev(major, minor))
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
    finally:
        path.unlink()


def _writable_code(_: str) -> None:
    mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def _namespace(_: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    child = os.fork()  # who has one of its own is nobody in this one any more
    if not child:
        os._exit(ctypes.get_errno() if libc.unshare(_NEW_USER_NAMESPACE) else 0)
    number = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if number:
        raise OSError(number, os.strerror(number))


_ATTEMPTS: dict[str, Callable[[str], None]] = {
    "socket": _socket,
    "connect": _connect,
    "read": _open(os.O_RDONLY),
    "write": _open(os.O_RDWR),
    "put": _open(os.O_WRONLY),
    "make": _make,
    "list": _list,
    "device": _device,
    "code": _writable_code,
    "namespace": _namespace,
}


def _outcome(attempt: str) -> str:
    kind, _, what = attempt.partition(":")
    try:
        _ATTEMPTS[kind](what)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "done"


if __name__ == "__main__":
    print(json.dumps({attempt: _outcome(attempt) for attempt in sys.argv[1:]}), flush=True)
