"""Another key with another roster, so that the two belong together at every instant.

    the new key beside the old one (`.next`)  ->  the roster, made with it  ->  the key in its place

A power cut before the roster leaves the old pair, and one behind it the new pair: whoever reads the
roster takes the key that it names (`RosterKey.load`). What a cut left is tidied by `settle`.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gatepost_services.roster.key import RosterKey, drop_next, next_of, take_next, write_next
from gatepost_services.roster.reader import Roster
from gatepost_services.roster.rows import RosterError
from gatepost_services.roster.writer import Change, RosterWriter, Whole


def change_key(
    roster: Path, path: Path, key: RosterKey, whole_of: Callable[[RosterKey], Whole]
) -> Change:
    """Replace the roster and its key.

    Args:
        roster: the database. The gate follows it without a restart.
        path: the key's file.
        key: the new one.
        whole_of: returns the whole roster, made with a key.

    Raises:
        RosterError: old roster and old key count, unless the text says that the new ones do.
    """
    whole = whole_of(key)
    settle(roster, path)
    write_next(path, key, for_owner_of=roster.parent)
    try:
        with RosterWriter.open(roster, key) as writer:
            change = writer.replace(whole)
    except RosterError:
        settle(roster, path)
        raise
    take_next(path)
    return change


def key_in_force(roster: Path, path: Path) -> RosterKey:
    """Return the key that a roster was made with, where there is none yet that of the file.

    Raises:
        RosterError: as `RosterKey.load`.
    """
    wanted = None
    if roster.exists():
        with suppress(RosterError), Roster(roster, path) as reader:
            wanted = reader.key_id()
    return RosterKey.load(path, wanted)


def settle(roster: Path, path: Path) -> bool:
    """Finish what a power cut interrupted; return whether there was a new key to be taken.

    Raises:
        RosterError: the key's file or folder cannot be changed.
    """
    waiting = next_of(path)
    if not waiting.exists():
        return False
    try:
        with Roster(roster, path) as reader:
            made_with = reader.key_id() if roster.exists() else None
    except RosterError:
        return False  # whichever it needs is there
    if made_with is not None and _id_of(waiting) == made_with:
        take_next(path)
        return True
    drop_next(path)
    return False


def _id_of(path: Path) -> bytes | None:
    try:
        return RosterKey.load(path).id
    except RosterError:
        return None  # none, or half of one
