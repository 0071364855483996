"""Files of keys and certificates: for their owner alone, replaced whole, of a bounded size."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from gatepost_services.pki.errors import PkiFileError
from gatepost_services.small_file import TooLargeError, read_small, replace_whole

# A chain or a revocation list of thousands.
_MOST_BYTES = 1_000_000
# User and group, by number.
Owner: TypeAlias = tuple[int, int]
_FILE_MODE = 0o600
_FOLDER_MODE = 0o700


def make_folder(path: Path, mode: int = _FOLDER_MODE) -> None:
    """Make a folder, for its owner alone unless `mode` says otherwise; one that is there may stay.

    Raises:
        PkiFileError: it cannot be made.
    """
    try:
        path.mkdir(mode=mode, exist_ok=True)
    except OSError as error:
        raise PkiFileError(f"{path}: cannot be made: {error.strerror}") from error


def read_file(path: Path) -> bytes:
    """Return the content.

    Raises:
        PkiFileError: there is no such file, it cannot be read, or it is far too large.
    """
    try:
        content = read_small(path, _MOST_BYTES)
    except OSError as error:
        raise PkiFileError(f"{path}: cannot be read: {error.strerror}") from error
    except TooLargeError as error:
        raise PkiFileError(str(error)) from error
    if content is None:
        raise PkiFileError(f"{path}: there is no such file")
    return content


def write_file(path: Path, content: bytes, owner: Owner | None = None) -> None:
    """Replace a file, for its owner alone. It is on the disk when this returns.

    `owner`: whose it shall be; None: whoever runs this.

    Raises:
        PkiFileError: it is not, or may not be after a power cut. The old or the new one is whole.
    """
    try:
        replace_whole(path, content, mode=_FILE_MODE, owner=owner)
    except OSError as error:
        raise PkiFileError(f"{path}: cannot be written: {error.strerror}") from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: `pki serve` and another `pki` command do not meet in the middle.

    Raises:
        PkiFileError: the lock's file cannot be made.
    """
    path = folder / "lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
    except OSError as error:
        raise PkiFileError(f"{path}: cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
