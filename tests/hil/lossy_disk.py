"""A disk with a volatile write cache, and a power switch: an NBD server over a file.

What is written stays in memory until the guest flushes. A cut writes a random part of the rest into
the file and forgets the others, sector by sector, in no order: what a disk may do that reorders its
cache and breaks no promise. It tears no sector, and harms none that was flushed.

The protocol: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md, as much of it as
QEMU uses.
"""

import errno
import os
import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import NamedTuple, Self

SECTOR_BYTES = 512
_GREETING = b"NBDMAGICIHAVEOPT"
_FIXED_NEWSTYLE, _NO_ZEROES = 1, 2
_HAS_FLAGS, _SEND_FLUSH, _SEND_FUA = 1, 4, 8
_OPTION_REPLY, _OPTION_ACK, _OPTION_INFO, _OPTION_UNKNOWN = 0x3E889045565A9, 1, 3, 2**31 + 1
_EXPORT_NAME, _ABORT, _INFO, _GO = 1, 2, 6, 7
_REQUEST, _REPLY = 0x25609513, 0x67446698
_READ, _WRITE, _DISCONNECT, _FLUSH = 0, 1, 2, 3
_FUA = 1
_MOST_BYTES = 32 * 1024 * 1024  # of one request; QEMU's own limit


class Counts(NamedTuple):
    """What the disk was asked for, and the sectors that the cut decided on."""

    writes: int = 0
    flushes: int = 0
    dropped: int = 0
    kept: int = 0


class LossyDisk:
    """Serves the file `image` at the Unix socket `address` from `with` on, one client at a time."""

    def __init__(self, image: Path, address: Path) -> None:
        self.address = address
        self._file = os.open(image, os.O_RDWR | os.O_CLOEXEC)
        self._size = os.fstat(self._file).st_size
        self._lock = threading.Lock()  # guards all below
        self._cache: dict[int, bytes] = {}  # by offset, sectors that no flush has reached
        self._counts = Counts()
        self._has_power = True
        self._due: tuple[Random, int] | None = None  # at how many unflushed sectors to cut
        self._is_cut = threading.Event()
        self._connection: socket.socket | None = None
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(address))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, name="disk", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Hang up; what was not flushed is gone."""
        self._switch_off()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._listener.close()
        self._thread.join()
        os.close(self._file)

    @property
    def counts(self) -> Counts:
        """The counts at this moment."""
        with self._lock:
            return self._counts

    def cut(self, chance: Random, *, unflushed: int = 0, wait_s: float = 0.0) -> None:
        """Take the power away: some of the unflushed sectors stay, some are gone.

        Now; or at the write that makes it so many unflushed sectors, if that comes in time. From
        the moment that this returns nothing is answered any more.
        """
        with self._lock:
            self._due = chance, unflushed
            self._cut_if_due()
        self._is_cut.wait(wait_s)
        with self._lock:
            self._due = chance, 0
            self._cut_if_due()
        self._switch_off()

    def _cut_if_due(self) -> None:
        if self._due is None or not self._has_power or len(self._cache) < self._due[1]:
            return
        chance = self._due[0]
        share_kept = chance.random()
        kept = [at for at in self._cache if chance.random() < share_kept]
        self._store(kept)
        self._counts = self._counts._replace(kept=len(kept), dropped=len(self._cache))
        self._cache.clear()
        self._has_power = False
        self._is_cut.set()

    def _switch_off(self) -> None:
        with self._lock:
            self._has_power = False
            if self._connection is not None:
                with suppress(OSError):
                    self._connection.shutdown(socket.SHUT_RDWR)

    def _store(self, offsets: list[int]) -> None:
        """Write sectors of the cache into the file."""
        for at in offsets:
            os.pwrite(self._file, self._cache.pop(at), at)

    # ----------------------------------------------------------------------- the server's thread

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                with self._lock:
                    if not self._has_power:
                        return
                    self._connection = connection
                with suppress(OSError, EOFError):
                    if self._negotiate(connection):
                        while self._answer(connection):
                            pass
                with self._lock:
                    self._connection = None

    def _negotiate(self, connection: socket.socket) -> bool:
        """Agree on the one export there is; return whether the client stays."""
        connection.sendall(_GREETING + struct.pack(">H", _FIXED_NEWSTYLE | _NO_ZEROES))
        (flags,) = struct.unpack(">I", _received(connection, 4))
        export = struct.pack(">QH", self._size, _HAS_FLAGS | _SEND_FLUSH | _SEND_FUA)
        while True:
            _, option, length = struct.unpack(">8sII", _received(connection, 16))
            _received(connection, length)
            answers = [(_OPTION_UNKNOWN, b"")]
            if option == _EXPORT_NAME:
                connection.sendall(export + (b"" if flags & _NO_ZEROES else bytes(124)))
                return True
            if option in (_INFO, _GO):
                answers = [(_OPTION_INFO, bytes(2) + export), (_OPTION_ACK, b"")]
            elif option == _ABORT:
                answers = [(_OPTION_ACK, b"")]
            for kind, data in answers:
                header = struct.pack(">QIII", _OPTION_REPLY, option, kind, len(data))
                connection.sendall(header + data)
            if option in (_GO, _ABORT):
                return option == _GO

    def _answer(self, connection: socket.socket) -> bool:
        """Do one request; return whether there may be another."""
        magic, flags, kind, handle, at, length = struct.unpack(">IHHQQI", _received(connection, 28))
        if magic != _REQUEST or kind == _DISCONNECT or length > _MOST_BYTES:
            return False
        data = _received(connection, length) if kind == _WRITE else b""
        with self._lock:
            if not self._has_power:
                return False
            failed, answer = self._do(kind, at, length, data, is_forced=bool(flags & _FUA))
            self._cut_if_due()
            if not self._has_power:
                return False
        connection.sendall(struct.pack(">IIQ", _REPLY, failed, handle) + answer)
        return True

    def _do(
        self, kind: int, at: int, length: int, data: bytes, *, is_forced: bool
    ) -> tuple[int, bytes]:
        """Return an errno, 0 for none, and what was read."""
        if at % SECTOR_BYTES or length % SECTOR_BYTES or at + length > self._size:
            return errno.EINVAL, b""
        if kind == _READ:
            return 0, self._read(at, length)
        if kind == _WRITE:
            offsets = range(at, at + length, SECTOR_BYTES)
            for offset in offsets:
                self._cache[offset] = data[offset - at : offset - at + SECTOR_BYTES]
            self._counts = self._counts._replace(writes=self._counts.writes + 1)
            if is_forced:
                self._store(list(offsets))
            return 0, b""
        if kind == _FLUSH:
            self._store(list(self._cache))
            self._counts = self._counts._replace(flushes=self._counts.flushes + 1)
            return 0, b""
        return errno.EINVAL, b""

    def _read(self, at: int, length: int) -> bytes:
        found = bytearray(os.pread(self._file, length, at))
        for offset in range(at, at + length, SECTOR_BYTES):
            if (cached := self._cache.get(offset)) is not None:
                found[offset - at : offset - at + SECTOR_BYTES] = cached
        return bytes(found)


def _received(connection: socket.socket, length: int) -> bytes:
    parts = []
    while length:
        part = connection.recv(min(length, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
