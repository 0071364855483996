"""What holds for every Unix socket of ours: how long its path may be, and what lies there."""

import os
import stat
from pathlib import Path

# sun_path has 108 bytes on Linux including the closing NUL: unix(7).
MAX_PATH_BYTES = 107


def checked_address(path: Path) -> str:
    """Return a path as the address of a socket.

    Raises:
        ValueError: it is too long for one.
    """
    length = len(os.fsencode(path))
    if length > MAX_PATH_BYTES:
        raise ValueError(
            f"{path}: {length} bytes are too long for a Unix socket; "
            f"choose a path of at most {MAX_PATH_BYTES} bytes"
        )
    return str(path)


def is_socket_there(path: Path) -> bool:
    """Return whether a predecessor's socket lies there; a killed one leaves it.

    Raises:
        FileExistsError: something else does, which is not ours to remove.
        OSError: nobody may look.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISSOCK(found.st_mode):
        raise FileExistsError("something else than a socket is there; move it away")
    return True
