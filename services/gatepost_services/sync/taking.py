"""Takes a roster that the server wants, in a process of its own: it needs seconds.

`python -m gatepost_services.sync.taking TASK` prints one line of JSON, a `Taken`, and ends with
status 0; any other end is a failure. It may be killed at any instant: the roster's file is then
the old one or the new one, and a second start finds which.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from gatepost_services.roster.changing import key_in_force
from gatepost_services.roster.documents import read_document
from gatepost_services.roster.key import RosterKey
from gatepost_services.roster.rows import RosterError
from gatepost_services.roster.schema import State
from gatepost_services.roster.writer import Delta, RosterWriter, Whole
from gatepost_services.sync.content import read_content
from gatepost_services.sync.documents import Desired, DocumentError, Why
from gatepost_services.sync.task import Taken, Task

_LOWEST = 19
_FIRST_TO_GO = "1000"
# What SQLite calls a disk that is full or fails, and a file that somebody else changes.
_DISK = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")
_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")


def take(task: Task) -> Taken:
    """Do it. One that was taken already changes nothing."""
    try:
        key = _key(task)
        content = read_content(Path(task.content), task.desired)
        name = task.desired.name
        found = read_document(content, name, key, as_of_utc_s=task.desired.iat)
        with RosterWriter.open(Path(task.roster), key) as writer:
            was = writer.state()
            if was.version == task.desired.version and isinstance(found, Delta):
                return Taken(None, "was there already")
            _apply(writer, found, task.desired, was)
    except DocumentError as error:
        return Taken(error.why, str(error))
    except RosterError as error:
        return Taken(_why(error), str(error))
    return Taken(None)


def _apply(writer: RosterWriter, found: Whole | Delta, desired: Desired, was: State) -> None:
    """Change the roster. Its version is that of the letter, whatever the content's own was."""
    if isinstance(found, Delta) is not (desired.mode == "delta"):
        raise DocumentError(Why.INVALID, f"{desired.name}: is not a {desired.mode} roster")
    if desired.version < was.version:
        raise DocumentError(Why.NOT_NEWER, f"{desired.name}: version {was.version} is here")
    if isinstance(found, Whole):
        writer.replace(found._replace(version=desired.version))
        return
    is_base = desired.base_version == was.version and found.base_version in (None, was.version)
    if not is_base or found.base_digest not in (None, was.digest):
        raise DocumentError(
            Why.WRONG_BASE,
            f"{desired.name}: is for another roster than the one here, version {was.version}, "
            f"digest {was.digest.hex()}; send the whole",
        )
    writer.apply(found._replace(version=desired.version, base_version=was.version))


def _key(task: Task) -> RosterKey:
    try:
        return key_in_force(Path(task.roster), Path(task.key))
    except RosterError as error:
        raise DocumentError(Why.NO_KEY, str(error)) from None


def _why(error: RosterError) -> Why:
    name = getattr(error.__cause__, "sqlite_errorname", "")
    if name.startswith(_BUSY):
        return Why.BUSY
    # What has another cause than SQLite is an error of the system: a folder that is not there.
    is_system = isinstance(error.__cause__, OSError)
    return Why.DISK if is_system or name.startswith(_DISK) else Why.INVALID


def _step_back() -> None:
    """Let everything else go first, and be the first to go when memory runs out."""
    with suppress(OSError):
        os.nice(_LOWEST)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO, encoding="ascii")


def main(argv: list[str]) -> int:
    """Take what the argument says, and print what came of it."""
    _step_back()
    taken = take(msgspec.json.decode(argv[0], type=Task))
    sys.stdout.buffer.write(msgspec.json.encode(taken) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
