"""A small file of one process's state, replaced whole: old or new after a power cut."""

import os
from pathlib import Path

_MOST_BYTES = 1_000_000


class StateFileError(OSError):
    """The file cannot be read or written."""


def read_state(path: Path) -> bytes | None:
    """Return the content, None when there is no such file.

    Raises:
        StateFileError: it is there and cannot be read, or is larger than any state of ours.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateFileError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > _MOST_BYTES:
        raise StateFileError(f"{path}: larger than {_MOST_BYTES} bytes")
    return content


def write_state(path: Path, content: bytes) -> None:
    """Replace the content; it is on the disk when this returns.

    Raises:
        StateFileError: it is not, or may not be after a power cut. The file is whole all the same:
            the old content, or, where only the folder could not be flushed, the new one.
    """
    fresh = path.with_name(path.name + ".new")
    try:
        with fresh.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise StateFileError(f"{path}: cannot be written: {error.strerror}") from error
