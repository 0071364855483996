"""The file of settings on the disk: replaced whole, and the one before kept beside it.

After a power cut at any instant the file is the old one or the new one. The order of the steps is
such that what is in force now is never the only copy that is being written.
"""

import os
import stat
from pathlib import Path

from gatepost_services.small_file import TooLargeError, read_small, replace_whole, sync_folder

_BEFORE = ".before"
# Those that a rollback puts in force, while it exchanges the two.
_ASIDE = ".exchanging"
_MODE = 0o640
_MOST_BYTES = 1_000_000


class SettingsFileError(OSError):
    """The file cannot be read or written; the text names it and the remedy."""


def before_of(path: Path) -> Path:
    """Return where the settings are kept that were in force before those in `path`."""
    return path.with_name(path.name + _BEFORE)


def read(path: Path) -> bytes | None:
    """Return the content, None where there is no such file.

    Raises:
        SettingsFileError: it cannot be read, or is far too large.
    """
    try:
        return read_small(path, _MOST_BYTES)
    except OSError as error:
        raise _explained(path, "read", error) from error
    except TooLargeError as error:
        raise SettingsFileError(f"{error}; no file of settings is") from error


def put_in_force(path: Path, content: bytes) -> None:
    """Replace the settings; those that were there are in `before_of(path)` by then.

    A cut between the two steps leaves the same settings in both.

    Raises:
        SettingsFileError: they are not on the disk, or may not be after a power cut.
    """
    finish_exchange(path)
    held = read(path)
    if held is not None:
        _replace(before_of(path), held, like=path)
    _replace(path, content, like=path)


def exchange(path: Path) -> None:
    """Put the settings before in force, and keep those that were: doing it again undoes it.

    A cut at any instant loses neither: `finish_exchange` does the rest.

    Raises:
        SettingsFileError: there are none, or as `put_in_force`.
    """
    finish_exchange(path)
    held, content = read(path), read(before_of(path))
    if content is None:
        raise SettingsFileError(
            f"{before_of(path)}: there are no settings before; gatepost config apply keeps them"
        )
    if held is not None:
        _replace(_aside_of(path), content, like=path)
        _replace(before_of(path), held, like=path)
    _replace(path, content, like=path)
    finish_exchange(path)


def finish_exchange(path: Path) -> None:
    """Bring an exchange that was cut off to one of its ends: the settings in force stay.

    Raises:
        SettingsFileError: as `put_in_force`.
    """
    aside, before = _aside_of(path), before_of(path)
    if read(aside) is None:
        return
    try:
        if read(before) == read(path):
            aside.replace(before)  # cut off before they were in force: as it was
        else:
            aside.unlink()
        sync_folder(path.parent)
    except OSError as error:
        raise _explained(aside, "removed", error) from error


def _aside_of(path: Path) -> Path:
    return path.with_name(path.name + _ASIDE)


def _replace(path: Path, content: bytes, *, like: Path) -> None:
    """Replace a file as a whole, with the owner and mode of `like`, or those of a new one."""
    try:
        owner, mode = _owner_and_mode(like)
        replace_whole(path, content, mode=mode, owner=owner if os.geteuid() == 0 else None)
    except OSError as error:
        raise _explained(path, "written", error) from error


def _owner_and_mode(path: Path) -> tuple[tuple[int, int], int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return (0, path.parent.stat().st_gid), _MODE  # root's, for the services' group to read
    return (found.st_uid, found.st_gid), stat.S_IMODE(found.st_mode)


def _explained(path: Path, what: str, error: OSError) -> SettingsFileError:
    remedy = "; run it with sudo" if isinstance(error, PermissionError) else ""
    return SettingsFileError(f"{path}: cannot be {what}: {error.strerror or error}{remedy}")
