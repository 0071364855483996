"""How far the gate may forget: one number in a file, written by the link, read by the gate.

A plain number and no database, because the reader is the process that opens the gate and the
writer the one that the network can reach: whatever a taken-over link puts there, the gate reads a
few bytes of a regular file, or nothing (decisions/0007). What the link knows beyond that number is
its own affair (`gatepost_services.uplink.store`).
"""

import errno
import os
import re
import stat
from pathlib import Path

# 18 digits stay below 2**63, which is where SQLite's numbers end.
_NUMBER = re.compile(rb"[0-9]{1,18}\n")
_MOST_BYTES = 20


class PositionError(OSError):
    """The number cannot be stored."""


def write_acknowledged(path: Path, seq: int) -> None:
    """Store that the gate may forget everything through `seq`.

    The file is replaced whole. It does not wait for the disk: a power cut may take the last steps
    back, and then the gate keeps its events a little longer.

    Raises:
        PositionError: not stored.
    """
    content = b"%d\n" % seq
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.write_bytes(content)
        fresh.replace(path)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise _error(path, error) from error
        # The disk is full, of a journal that only shrinks once this number grows. The old file
        # has room for it; torn by a power cut, it is no number, and nothing is forgotten.
        try:
            with path.open("r+b", buffering=0) as file:
                file.write(content)
                file.truncate()
        except OSError:
            raise _error(path, error) from error


def read_acknowledged(path: Path) -> int:
    """Return how far the gate may forget, for a process that trusts its writer in nothing.

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


def _error(path: Path, error: OSError) -> PositionError:
    return PositionError(
        f"{path}: cannot write how far the gate may forget: {error.strerror}; "
        "see that the folder exists and that this user may write there"
    )
