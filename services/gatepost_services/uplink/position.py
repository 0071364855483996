"""How far the centre has acknowledged: one number in a file, written by the link, read by the gate.

A plain number and no database, because the reader is the process that opens the gate and the
writer the one that the network can reach: whatever a taken-over link puts there, the gate reads a
few bytes of a regular file, or nothing (decisions/0007).
"""

import errno
import logging
import os
import re
import stat
from pathlib import Path

_LOG = logging.getLogger(__name__)

# 18 digits stay below 2**63, which is where SQLite's numbers end.
_NUMBER = re.compile(rb"[0-9]{1,18}\n")
_MOST_BYTES = 20


class PositionError(OSError):
    """The position cannot be read or stored."""


class PositionStore:
    """The writer of the number. Belongs to the thread that made it.

    Creates the file when there is none. Losing it loses nothing: the link sends again whatever the
    journal still has, and the centre knows the events by their number. A file that holds no number
    is logged and begun anew.

    Raises:
        PositionError: the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fresh = path.with_name(path.name + ".new")
        self._acknowledged = 0
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            content = b"0\n"
        except OSError as error:
            raise self._error("read", error) from error
        if _NUMBER.fullmatch(content):
            self._acknowledged = int(content)
        else:
            _LOG.warning("%s holds no number; what the journal has is sent again", path)
        self._write(self._acknowledged)  # find out now whether it can be

    @property
    def acknowledged(self) -> int:
        """The number through which everything is with the centre, 0 before the first."""
        return self._acknowledged

    def advance(self, seq: int) -> None:
        """Store that everything through `seq` is with the centre. Never moves backwards.

        The file is replaced whole. It does not wait for the disk: a power cut may take the last
        steps back, which only repeats events.

        Raises:
            PositionError: not stored.
        """
        if seq > self._acknowledged:
            self._write(seq)
            self._acknowledged = seq

    def _write(self, seq: int) -> None:
        content = b"%d\n" % seq
        try:
            self._fresh.write_bytes(content)
            self._fresh.replace(self._path)
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise self._error("write", error) from error
            # The disk is full, of a journal that only shrinks once this number grows. The old file
            # has room for it; torn by a power cut, it is no number, and events are sent again.
            try:
                with self._path.open("r+b", buffering=0) as file:
                    file.write(content)
                    file.truncate()
            except OSError:
                raise self._error("write", error) from error

    def _error(self, verb: str, error: OSError) -> PositionError:
        return PositionError(
            f"{self._path}: cannot {verb} the position: {error.strerror}; "
            "see that the folder exists and that this user may write there"
        )


def read_acknowledged(path: Path) -> int:
    """Return how far the centre has acknowledged, for a process that trusts its writer in nothing.

    Never blocks and never raises. 0 when there is no regular file with a number: then the gate
    deletes nothing, which is always safe.
    """
    try:
        # O_NONBLOCK: a FIFO in its place would wait for a writer. O_NOFOLLOW: no link elsewhere.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        is_file = stat.S_ISREG(os.fstat(fd).st_mode)
        content = os.read(fd, _MOST_BYTES) if is_file else b""
    except OSError:
        return 0
    finally:
        os.close(fd)
    return int(content) if _NUMBER.fullmatch(content) else 0
