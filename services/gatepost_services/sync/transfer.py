"""One content on its way onto the disk: chunks in any order, a file that a restart goes on with.

What is there in part is `<digest>.part`, and its length says how far it has come. Whole, and of
that digest, it is renamed to `<digest>`.
"""

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from gatepost_services.small_file import sync_folder
from gatepost_services.sync.documents import CHUNK_BYTES

PART = ".part"
_MODE = 0o640  # the gate, of the same group, reads it
# So much at a time is read again after a restart: some tens of milliseconds of a small machine.
_SLICE_BYTES = 2 * 1024 * 1024
# So often it is flushed, that the last flush need not be of all.
_FLUSH_BYTES = 1024 * 1024


class Transfer:
    """The content of one digest, of a known size.

    All methods raise OSError where the disk fails. Then `close` it, and begin another one, which
    goes on from the disk.
    """

    def __init__(self, folder: Path, digest: str, size: int) -> None:
        self.digest = digest
        self.size = size
        self._folder = folder
        self._path = folder / f"{digest}{PART}"
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        try:
            found = os.fstat(self._descriptor).st_size
            # Whole chunks only, so that every offset is one of theirs.
            kept = found if found == size else found - found % CHUNK_BYTES if found < size else 0
            os.ftruncate(self._descriptor, kept)
        except OSError:
            os.close(self._descriptor)
            raise
        self._length = kept
        self._hashed = 0
        self._flushed = kept
        self._hasher = sha256()
        self._early: dict[int, bytes] = {}  # chunks that came before one that is missing
        self._asked = range(0)

    @property
    def length(self) -> int:
        """How many bytes are on the disk, from the first on."""
        return self._length

    @property
    def is_whole(self) -> bool:
        """Whether all bytes are there; `finish` says whether they are the right ones."""
        return self._length == self.size

    def catch_up(self) -> bool:
        """Read on in what an earlier process left; return whether that is done."""
        while self._hashed < self._length:
            most = min(_SLICE_BYTES, self._length - self._hashed)
            content = os.pread(self._descriptor, most, self._hashed)
            if not content:
                raise OSError(f"{self._path}: became shorter")
            self._hasher.update(content)
            self._hashed += len(content)
            return self._hashed == self._length
        return True

    def ask(self, chunks: int) -> tuple[int, int]:
        """Return offset and length of what to ask for next, which `take` then takes."""
        end = min(self.size, self._length + chunks * CHUNK_BYTES)
        self._asked = range(self._length, end)
        self._early = {at: chunk for at, chunk in self._early.items() if at in self._asked}
        return self._length, end - self._length

    def take(self, offset: int, chunk: bytes) -> bool:
        """Take a chunk; return whether it was one that was asked for, and not yet there."""
        is_wanted = offset in self._asked and offset >= self._length and offset not in self._early
        is_one = offset % CHUNK_BYTES == 0 and len(chunk) == min(CHUNK_BYTES, self.size - offset)
        if not (is_wanted and is_one):
            return False
        self._early[offset] = chunk
        while (content := self._early.pop(self._length, None)) is not None:
            self._append(content)
        return True

    @property
    def has_all_asked(self) -> bool:
        """Whether all that was asked for is on the disk."""
        return self._length >= self._asked.stop

    def finish(self) -> bool:
        """Put the file in its place if its digest is right; else remove it. Ends the transfer."""
        is_right = self._hasher.hexdigest() == self.digest
        try:
            if is_right:
                os.fsync(self._descriptor)
                self._path.replace(self._folder / self.digest)
                sync_folder(self._folder)
            else:
                self._path.unlink(missing_ok=True)
        finally:
            self.close()
        return is_right

    def drop(self) -> None:
        """Give it up: nobody wants it any more."""
        self.close()
        with suppress(OSError):
            self._path.unlink()

    def close(self) -> None:
        """Close the file; what is there stays."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _append(self, content: bytes) -> None:
        view = memoryview(content)
        at = self._length
        while view:
            written = os.pwrite(self._descriptor, view, at)
            view, at = view[written:], at + written
        self._hasher.update(content)
        self._length = self._hashed = at
        if at - self._flushed >= _FLUSH_BYTES:
            os.fdatasync(self._descriptor)
            self._flushed = at
