"""`gatepost roster key`: which key the roster is made with, and another one with another roster.

The roster holds digests alone, so the passes that are in it cannot be made anew with another key:
it takes the list of them once more. Key and roster belong together at every instant
(`gatepost_services.roster.changing`), and a running gate follows both without a restart.
"""

import argparse
import grp
import json
import os
import pwd
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gatepost.cli.main import fail
from gatepost.cli.words import mark, say, yes_or_no
from gatepost.doctor.columns import padded
from gatepost_config.paths import Paths
from gatepost_services.roster import DamagedError, Roster, RosterError, RosterKey, State
from gatepost_services.roster.changing import change_key, key_in_force, settle
from gatepost_services.roster.comparing import differences
from gatepost_services.roster.documents import read_document
from gatepost_services.roster.writer import Whole

_DAY_S, _HOUR_S = 86_400.0, 3600
_TITLE_COLUMNS = 14
# What a file holds, and the POSIX time that counts as its own.
Read = Callable[[str], tuple[bytes, int]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Shows which key the roster is made with: its fingerprint, age, owner and mode, never the "
        "key. With --change: draws another key and makes the roster anew from the list; both count "
        "at once, also at a gate that runs. Then each other gate of the site takes the same key: "
        "bring a copy of the key's file there, and say --change LIST --key FILE."
    )
    parser.add_argument(
        "--change",
        metavar="LIST",
        help="another key; LIST holds all passes of the site as they are on the cards, in the form "
        "of roster import: the roster itself holds only digests of them",
    )
    parser.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="with --change: not a new key, but that of another gate of the site",
    )
    parser.add_argument("--yes", action="store_true", help="with --change: do not ask")
    parser.add_argument("--json", action="store_true", help="one line of JSON")


def run(paths: Paths, args: argparse.Namespace, *, read: Read) -> int:
    """Show the key, or change it; 1 where nothing was changed.

    Raises:
        RosterError: it cannot be shown; or nothing was changed.
    """
    if args.change is None and (args.key or args.yes):
        fail(say("--key and --yes are for --change"), status=2)
    if args.change is not None and args.json:
        fail(say("--json is for showing the key"), status=2)
    may_write = os.access(paths.roster_key.parent, os.W_OK)
    if may_write and settle(paths.roster, paths.roster_key) and not args.json:
        print(say("A change of the key was cut short behind the new roster; it is finished now."))
    if args.change is None:
        return _show(paths, as_json=args.json)
    return _change(paths, args, read)


# ------------------------------------------------------------------------------------------- show


def _show(paths: Paths, *, as_json: bool) -> int:
    found = _figures(paths)
    if as_json:
        print(json.dumps(found))
        return 0
    age = say("{days} days ago", days=f"{found['age_days']:.1f}")
    owner = say("{user}:{group}, mode {mode}", **{k: found[k] for k in ("user", "group", "mode")})
    for title, text in (
        (say("key"), say("{key}, of {path}", key=found["key"], path=found["file"])),
        (say("written"), f"{found['written']}, {age}"),
        (say("owner"), owner),
        (say("roster"), _fit(found)),
    ):
        print(f"{padded(title, _TITLE_COLUMNS)} {text}")
    return 0


def _fit(found: dict[str, Any]) -> str:
    if found["roster_key"] is None:
        return say("none yet: gatepost roster import")
    if found["roster_key"] != found["key"]:
        told = mark("made with another key, {key}: put that one there, or gatepost roster import")
        return say(told, key=found["roster_key"])
    return say("made with this key, version {version}", version=found["version"])


def _figures(paths: Paths) -> dict[str, Any]:
    """Return what is told of a key: never the key."""
    path = paths.roster_key
    key = key_in_force(paths.roster, path)
    found = path.stat()
    state = _state(paths)
    return {
        "file": str(path),
        "key": key.id.hex(),
        "written": datetime.fromtimestamp(found.st_mtime, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "age_days": round((time.time() - found.st_mtime) / _DAY_S, 3),
        "user": _name(lambda: pwd.getpwuid(found.st_uid).pw_name, found.st_uid),
        "group": _name(lambda: grp.getgrgid(found.st_gid).gr_name, found.st_gid),
        "mode": f"{stat.S_IMODE(found.st_mode):04o}",
        "roster_key": None if state is None else state.key_id.hex(),
        "version": None if state is None else state.version,
    }


def _name(look_up: Callable[[], str], number: int) -> str:
    try:
        return look_up()
    except KeyError:
        return str(number)


def _state(paths: Paths) -> State | None:
    """Return which roster there is, of whatever key; None where none was ever imported."""
    if not paths.roster.exists():
        return None
    with Roster(paths.roster, paths.roster_key) as roster:
        state = roster.state_at_all()
    return state if state.version else None


# ----------------------------------------------------------------------------------------- change


def _change(paths: Paths, args: argparse.Namespace, read: Read) -> int:
    content, as_of_utc_s = read(args.change)

    def whole_of(key: RosterKey) -> Whole:
        found = read_document(content, args.change, key, as_of_utc_s=as_of_utc_s)
        if not isinstance(found, Whole):
            raise RosterError(
                say("{file}: is a delta; a new key needs the whole list", file=args.change)
            )
        return found._replace(version=None)

    key = RosterKey.drawn() if args.key is None else RosterKey.load(args.key)
    whole = whole_of(key)
    if not whole.rows:
        raise RosterError(say("{file}: nobody is in it, and all passes would go", file=args.change))
    other = whole_of(RosterKey.drawn())
    if {row.digest for row in whole.rows} & {row.digest for row in other.rows}:
        raise RosterError(
            say(
                "{file}: holds digests, which no other key can use; take the list with the passes "
                "themselves",
                file=args.change,
            )
        )
    _refuse_what_is_there(paths, key)
    _wait_for_the_erased(paths)
    _tell_what_comes(paths, len(whole.rows), whole_of)
    if not args.yes:
        _ask()
    state = change_key(paths.roster, paths.roster_key, key, whole_of).state
    print(
        say(
            "{path}: version {version}, {passes} passes, made with the key {key}\nthe key is in "
            "{key_path}: keep a copy in a safe place. A running gate has both already.",
            path=paths.roster,
            version=state.version,
            passes=state.members,
            key=key.id.hex(),
            key_path=paths.roster_key,
        )
    )
    return 0


def _refuse_what_is_there(paths: Paths, key: RosterKey) -> None:
    state = None
    with suppress(DamagedError):  # it is set aside, and the list makes a new one
        state = _state(paths)
    if state is not None and state.key_id == key.id:
        raise RosterError(
            say(
                "{path}: is made with this key already; for another list: gatepost roster import",
                path=paths.roster,
            )
        )


def _wait_for_the_erased(paths: Paths) -> None:
    """Refuse while the gate may still have to forget somebody: only the old key finds them."""
    erased_utc_s = None
    if paths.roster.exists():
        with suppress(DamagedError), Roster(paths.roster, paths.roster_key) as roster:
            erased_utc_s = roster.last_erased_utc_s()
    left_s = 0.0 if erased_utc_s is None else erased_utc_s + _HOUR_S - time.time()
    if left_s > 0:
        raise RosterError(
            say(
                "somebody was erased a moment ago, and the gate finds by the old key alone whom it "
                "has to forget; leave the gate running, and come again in {minutes} minutes",
                minutes=int(min(left_s, _HOUR_S) / 60) + 1,
            )
        )


def _tell_what_comes(paths: Paths, passes: int, whole_of: Callable[[RosterKey], Whole]) -> None:
    try:
        with Roster(paths.roster, paths.roster_key) as roster:
            _, rows = roster.rows()
        old = key_in_force(paths.roster, paths.roster_key)
    except RosterError as error:
        print(say("What is there now cannot be compared: {why}", why=error))
    else:
        differ = differences(rows, whole_of(old).rows)
        come, go, changed = (len(subjects) for subjects in differ)
        print(
            say(
                "The list has {passes} passes, the roster here {before}: {come} come, {go} go, "
                "{changed} change.",
                passes=passes,
                before=len(rows),
                come=come,
                go=go,
                changed=changed,
            )
        )
    print(
        say(
            "The old key is gone for good. Every other gate of the site, and a server that sends "
            "digests, needs the new one: until then each goes on with the old, and this gate "
            "refuses what such a server sends."
        )
    )


def _ask() -> None:
    if not sys.stdin.isatty():
        fail(say("nobody is there to be asked whether it is meant; say --yes"), status=2)
    if yes_or_no(input(say("Is it meant? (yes or no) "))) is not True:
        fail(say("nothing was changed"))
