"""Files of keys and certificates: for their owner alone, replaced whole, of a bounded size."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from gatepost_services.pki.errors import PkiFileError

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
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise PkiFileError(f"{path}: there is no such file") from None
    except OSError as error:
        raise PkiFileError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > _MOST_BYTES:
        raise PkiFileError(f"{path}: larger than {_MOST_BYTES} bytes")
    return content


def write_file(path: Path, content: bytes, owner: Owner | None = None) -> None:
    """Replace a file, for its owner alone. It is on the disk when this returns.

    `owner`: whose it shall be; None: whoever runs this.

    Raises:
        PkiFileError: it is not, or may not be after a power cut. The old or the new one is whole.
    """
    fresh = path.with_name(path.name + ".new")
    try:
        # What a kill left there may have another mode.
        with suppress(FileNotFoundError):
            fresh.unlink()
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            if owner is not None:
                os.fchown(descriptor, *owner)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise PkiFileError(f"{path}: cannot be written: {error.strerror}") from error


def sync_folder(path: Path) -> None:
    """Bring the names in a folder to the disk.

    Raises:
        OSError: they may not be there.
    """
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


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
