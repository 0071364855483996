"""Small files, read within bounds and replaced whole: after a power cut the old one or the new one.

What they mean, and how a failure is told, is their owners' business: state, settings, the card's
files, keys and certificates.
"""

import os
from contextlib import suppress
from pathlib import Path

_FRESH = ".new"


class TooLargeError(ValueError):
    """The file is larger than any of its kind; the text names it."""


def read_small(path: Path, most_bytes: int) -> bytes | None:
    """Return a file's content, None when there is no such file.

    Raises:
        OSError: it is there and cannot be read.
        TooLargeError: it has more than `most_bytes`.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except FileNotFoundError:
        return None
    if len(content) > most_bytes:
        raise TooLargeError(f"{path}: larger than {most_bytes} bytes")
    return content


def replace_whole(
    path: Path, content: bytes, *, mode: int | None = None, owner: tuple[int, int] | None = None
) -> None:
    """Replace a file: after a power cut it is the old one or the new one, never half.

    Args:
        path: the file. What a cut left half written lies beside it, as `.new`.
        content: all of it.
        mode: who may read it; None as the umask says. Nobody else reads it before that is so.
        owner: user and group, which root alone may give away. None: whoever runs this.

    Raises:
        OSError: it is not on the disk, or may not be after a power cut.
    """
    fresh = path.with_name(path.name + _FRESH)
    with suppress(FileNotFoundError):
        fresh.unlink()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(fresh, flags, 0o666 if mode is None else 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if owner is not None:
                os.fchown(descriptor, *owner)
            if mode is not None:
                os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        fresh.replace(path)
    except OSError:
        with suppress(OSError):
            fresh.unlink()  # on a full disk it would only take the room
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
