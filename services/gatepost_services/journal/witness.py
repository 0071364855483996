"""How far the journal once went, in a small file beside it.

The chain proves that nothing is missing between two events; that nothing is missing at the end, it
cannot: a journal without its -wal is a whole, older journal. This file tells. It is written after
each commit and never waits for the disk, so after a power cut it may be behind, never ahead.
"""

import fcntl
import os
import re
from binascii import crc32
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from gatepost_services.journal.schema import JournalError
from gatepost_services.record import HASH_BYTES, NO_HASH

_LINE = re.compile(rb"(([0-9]{19}) ([0-9a-f]{%d})) ([0-9a-f]{8})\n" % (2 * HASH_BYTES))
_MODE = 0o600
# A read may fall into the middle of a write.
_ATTEMPTS = 3


class Seen(NamedTuple):
    """The highest number that was on the disk, and the hash of that event's body."""

    last_seq: int
    head: bytes


def witness_path(journal: Path) -> Path:
    """Return where the witness of a journal is."""
    return journal.with_name(journal.name + "-head")


def read_witness(path: Path) -> Seen | None:
    """Return what the file tells; None when there is none, or nothing that makes sense in it."""
    for _ in range(_ATTEMPTS):
        try:
            with path.open("rb") as file:
                found = _LINE.match(file.read(128))
        except OSError:
            return None
        # The sum: a single changed digit would make every event after it a lost one.
        if found and crc32(found[1]) == int(found[4], 16):
            return Seen(int(found[2]), bytes.fromhex(found[3].decode()))
    return None


def claimed(path: Path) -> FileIO | None:
    """Return a witness, locked against every other process until it is closed.

    None where the disk does not let it be made; nobody can write the journal then.

    Raises:
        JournalError: another process has it.
    """
    try:
        file = FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE), "r+")
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise JournalError(
            f"{path}: another process writes this journal; stop that gate first"
        ) from error
    return file


class Witness:
    """The pen. Never raises: what it cannot write it leaves out, and the journal is none the less.

    Creates the file when there is none, and waits for the disk that one time: a power cut in the
    next half minute would leave it empty, and what is noted later goes over what is there.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, _MODE)
        except OSError:
            self._fd = -1
            return
        with suppress(OSError):
            if not os.fstat(self._fd).st_size:
                self.note(0, NO_HASH)
                os.fsync(self._fd)

    def note(self, last_seq: int, head: bytes) -> None:
        """Write down how far the journal goes, after it went there."""
        line = b"%019d %b" % (last_seq, head.hex().encode())
        try:
            os.pwrite(self._fd, b"%b %08x\n" % (line, crc32(line)), 0)
        except OSError:
            # Behind is safe; a fault of the disk shows at the next append, where it is told.
            return

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
