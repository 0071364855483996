"""A small file of one process's state, replaced whole: old or new after a power cut."""

from pathlib import Path

from gatepost_services.small_file import TooLargeError, read_small, replace_whole

_MOST_BYTES = 1_000_000


class StateFileError(OSError):
    """The file cannot be read or written."""


def read_state(path: Path) -> bytes | None:
    """Return the content, None when there is no such file.

    Raises:
        StateFileError: it is there and cannot be read, or is larger than any state of ours.
    """
    try:
        return read_small(path, _MOST_BYTES)
    except OSError as error:
        raise StateFileError(f"{path}: cannot be read: {error.strerror}") from error
    except TooLargeError as error:
        raise StateFileError(str(error)) from error


def write_state(path: Path, content: bytes) -> None:
    """Replace the content; it is on the disk when this returns.

    Raises:
        StateFileError: it is not, or may not be after a power cut. The file is whole all the same:
            the old content, or, where only the folder could not be flushed, the new one.
    """
    try:
        replace_whole(path, content)
    except OSError as error:
        raise StateFileError(f"{path}: cannot be written: {error.strerror}") from error
