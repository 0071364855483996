"""`gatepost roster`: who has a pass, for a technician without a server. Also while the gate runs.

Exit status: 0; 1 for `compare` when the two differ, and where nothing was changed; 2 for `compare`
and `show` when the roster cannot be used.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from gatepost.cli import roster_key
from gatepost.cli.main import fail
from gatepost.cli.process import add_config_argument
from gatepost.cli.words import mark, say, yes_or_no
from gatepost.core.facts import Category
from gatepost.doctor.columns import padded
from gatepost_config.load import load
from gatepost_config.paths import Paths
from gatepost_config.settings import Settings
from gatepost_services.roster import Roster, RosterError, RosterKey, Row, State
from gatepost_services.roster.changing import key_in_force, settle
from gatepost_services.roster.comparing import Differences, differences
from gatepost_services.roster.csv_text import as_csv
from gatepost_services.roster.documents import MOST_BYTES, read_document
from gatepost_services.roster.gathering import is_digest
from gatepost_services.roster.json_text import as_json
from gatepost_services.roster.writer import Change, Delta, RosterWriter, Whole

_MOST_SHOWN = 20
_FEW = 10  # passes: of fewer than these, many come and go in a day
_DAY_S = 86_400.0
_STDIN = "-"
_TITLE_COLUMNS = 14


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_config_argument(parser)
    what = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    take = what.add_parser(
        "import", help="replace the roster by a list, or change it; whole or not at all"
    )
    take.add_argument(
        "file", metavar="FILE", help="the list, CSV or JSON (services/README.md); - reads a pipe"
    )
    take.add_argument(
        "--as-of",
        type=_instant,
        metavar="UTC",
        help="from when the list is, as 2026-11-22T05:14:25Z; else the file's own time",
    )
    take.add_argument(
        "--delta", action="store_true", help="the file holds changes, not the whole list"
    )
    take.add_argument(
        "--base",
        type=_digest,
        metavar="DIGEST",
        help="with --delta: only if this is the digest of the roster here",
    )
    take.add_argument(
        "--empty", action="store_true", help="take a whole roster of nobody: all passes go"
    )
    take.add_argument(
        "--yes", action="store_true", help="do not ask when more than half of the passes go"
    )
    out = what.add_parser("export", help="print what is kept: digests, never credentials")
    out.add_argument("--json", action="store_true", help="JSON, with version and digest; else CSV")
    compare = what.add_parser(
        "compare", help="what differs between the roster here and another; status 1 if anything"
    )
    compare.add_argument("other", metavar="FILE|DIGEST", help="another whole roster, or its digest")
    show = what.add_parser(
        "show", aliases=["status"], help="which roster is here, how old, and of how many people"
    )
    roster_key.add_arguments(
        what.add_parser("key", help="which key it is made with; or take another key")
    )
    for command in (compare, show):
        command.add_argument("--json", action="store_true", help="one line of JSON, and all of it")


def run(args: argparse.Namespace) -> int:
    """Do it; the statuses are those of the module."""
    settings = load(args.config)
    paths = settings.paths
    try:
        match args.what:
            case "import":
                return _import(paths, args)
            case "export":
                with Roster(paths.roster, paths.roster_key) as roster:
                    state, rows = roster.rows()
                sys.stdout.writelines(as_json(state, rows) if args.json else as_csv(rows))
                return 0
            case "key":
                return roster_key.run(paths, args, read=_read)
            case "compare":
                return _compare(paths, args.other, as_json=args.json)
            case _:
                return _show(settings, as_json=args.json)
    except RosterError as error:
        fail(str(error), status=1 if args.what in ("import", "export", "key") else 2)


def _instant(text: str) -> int:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise argparse.ArgumentTypeError(
            say("{text!r} is no time with its zone, as 2026-11-22T05:14:25Z", text=text)
        )
    return int(found.timestamp())


def _digest(text: str) -> bytes:
    if not is_digest(text):
        raise argparse.ArgumentTypeError(
            say("a digest has 64 hexadecimal digits: gatepost roster show")
        )
    return bytes.fromhex(text)


# ----------------------------------------------------------------------------------------- import


def _import(paths: Paths, args: argparse.Namespace) -> int:
    if args.base and not args.delta:
        fail(say("--base is of a change; say --delta as well"), status=2)
    is_new = not paths.roster_key.exists()
    content, as_of_utc_s = _read(args.file)
    settle(paths.roster, paths.roster_key)
    key = RosterKey.load_or_make(paths.roster_key, for_owner_of=paths.roster.parent)
    places: dict[str, str] = {}
    found = read_document(content, args.file, key, as_of_utc_s=as_of_utc_s, places=places)
    if args.as_of is not None:
        found = found._replace(as_of_utc_s=args.as_of)
    if isinstance(found, Delta) is not args.delta:
        if isinstance(found, Delta):
            raise RosterError(say("{file}: is a delta; say --delta to apply it", file=args.file))
        raise RosterError(say("{file}: is a whole roster; leave --delta out", file=args.file))
    if isinstance(found, Whole) and not found.rows and not args.empty:
        told = mark("{file}: nobody is in it; if all passes are to go, say --empty")
        raise RosterError(say(told, file=args.file))
    with RosterWriter.open(paths.roster, key) as writer:
        if isinstance(found, Whole):
            if not args.yes and not args.empty:
                _ask_when_many_go(writer, found)
            change = writer.replace(found)
        else:
            change = writer.apply(found._replace(base_digest=found.base_digest or args.base))
    print(_told(paths.roster, change))
    for warning in _unknown_categories(found, args.file, places):
        print(f"gatepost: {warning}", file=sys.stderr)
    if is_new:
        told = say(
            "made the key {path}: keep a copy in a safe place; whoever sends digests, and every "
            "other gate of the site, needs the same",
            path=paths.roster_key,
        )
        print(told)
    return 0


def _unknown_categories(found: Whole | Delta, file: str, places: dict[str, str]) -> Iterator[str]:
    """Yield what no order decides by: whoever has it is dealt with as if nobody knew who they are.

    A site may have its reasons: nothing is refused for it.
    """
    known = [each.value for each in Category]
    rows = found.rows if isinstance(found, Whole) else found.put
    for name, count in Counter(row.category for row in rows).items():
        if name not in known:
            told = say(
                "{place}: no order knows the category {name} ({count} passes)",
                place=f"{file}{places[name]}",
                name=name,
                count=count,
            )
            near = get_close_matches(name, known, n=1)
            yield told + (say("; did you mean {name}?", name=near[0]) if near else "")


def _ask_when_many_go(writer: RosterWriter, whole: Whole) -> None:
    """Ask whether it is meant when most passes would go: half a list, or that of another site."""
    members, gone = writer.state().members, writer.gone_with(whole)
    if members < _FEW or gone <= members / 2:
        return
    print(say("{gone} of the {members} passes here would go.", gone=gone, members=members))
    if not sys.stdin.isatty():
        fail(say("nobody is there to be asked whether it is meant; say --yes"), status=2)
    if yes_or_no(input(say("Is it meant? (yes or no) "))) is not True:
        fail(say("nothing was changed"))


def _read(name: str) -> tuple[bytes, int]:
    """Return a file's content, and the POSIX time that counts as its own."""
    try:
        if name == _STDIN:
            return sys.stdin.buffer.read(MOST_BYTES + 1), int(time.time())
        with Path(name).open("rb") as file:
            return file.read(MOST_BYTES + 1), int(Path(name).stat().st_mtime)
    except OSError as error:
        raise RosterError(
            say("{path}: cannot be read: {why}", path=name, why=error.strerror)
        ) from error


def _told(path: Path, change: Change) -> str:
    state = change.state
    return say(
        "{path}: version {version}, as of {as_of}: {passes} passes; {came} came, {changed} changed,"
        " {went} went\ndigest {digest}",
        path=path,
        version=state.version,
        as_of=state.as_of_utc,
        passes=state.members,
        came=change.added,
        changed=change.changed,
        went=change.removed,
        digest=state.digest.hex(),
    )


# ---------------------------------------------------------------------------------------- compare


def _compare(paths: Paths, other: str, *, as_json: bool) -> int:
    if is_digest(other) and not Path(other).exists():
        with Roster(paths.roster, paths.roster_key) as roster:
            digest = roster.check().digest.hex()
        is_same = digest == other
        if as_json:
            print(json.dumps({"same": is_same, "digest": digest}))
        else:
            another = say("another one: the digest here is {digest}", digest=digest)
            print(say("the same") if is_same else another)
        return 0 if is_same else 1
    content, as_of_utc_s = _read(other)
    key = key_in_force(paths.roster, paths.roster_key)
    found = read_document(content, other, key, as_of_utc_s=as_of_utc_s)
    if isinstance(found, Delta):
        raise RosterError(
            say("{file}: is a delta; compare a whole roster, or a digest", file=other)
        )
    with Roster(paths.roster, paths.roster_key) as roster:
        _, rows = roster.rows()
    differ = differences(rows, found.rows)
    if as_json:
        print(json.dumps({"same": differ.are_none, **differ._asdict()}))
    else:
        print("\n".join(_difference_lines(differ)))
    return 0 if differ.are_none else 1


def _difference_lines(differ: Differences) -> Iterator[str]:
    if differ.are_none:
        yield say("the same")
    said = (
        mark("{count} passes are missing on the gate, of: {subjects}"),
        mark("{count} passes are on the gate alone, of: {subjects}"),
        mark("{count} passes are different, of: {subjects}"),
    )
    for words, subjects in zip(said, differ, strict=True):
        if subjects:
            told = say(words, count=len(subjects), subjects=", ".join(subjects[:_MOST_SHOWN]))
            more = len(subjects) - _MOST_SHOWN
            yield told + (say(" and {more} more", more=more) if more > 0 else "")


# ------------------------------------------------------------------------------------------- show


def _show(settings: Settings, *, as_json: bool) -> int:
    paths = settings.paths
    with Roster(paths.roster, paths.roster_key) as roster:
        roster.check()
        state, rows = roster.rows()
    found = _figures(paths.roster, state, rows)
    if as_json:
        print(json.dumps(found))
        return 0
    limit_days = settings.roster.max_age_days
    written = mark("{path}: as it was written, {bytes} bytes")
    print(say(written, path=paths.roster, bytes=f"{found['bytes']:,}"))
    key = say("{key}, of {path}", key=state.key_id.hex(), path=paths.roster_key)
    people = say(
        "{passes} of {people} people", passes=f"{state.members:,}", people=f"{found['subjects']:,}"
    )
    for title, text in (
        (say("version"), state.version),
        (say("as of"), f"{state.as_of_utc}, {_age(found['age_days'], limit_days)}"),
        (say("digest"), state.digest.hex()),
        (say("key"), key),
        (say("passes"), people),
    ):
        print(f"{padded(title, _TITLE_COLUMNS)} {text}")
    counted = ((say("category"), found["categories"]), (say("mark"), found["marks"]))
    for title, counts in counted:
        for name, count in counts.items():
            print(f"{padded(title, _TITLE_COLUMNS)} {name:<24}{count:>10,}")
    return 0


def _figures(path: Path, state: State, rows: list[Row]) -> dict[str, Any]:
    categories = Counter(row.category for row in rows)
    marks = Counter(row.mark for row in rows if row.mark)
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        "version": state.version,
        "as_of": state.as_of_utc,
        "age_days": round((time.time() - state.as_of_utc_s) / _DAY_S, 3),
        "digest": state.digest.hex(),
        "key": state.key_id.hex(),
        "passes": state.members,
        "subjects": len({row.subject for row in rows}),
        "categories": dict(categories.most_common()),
        "marks": dict(marks.most_common()),
    }


def _age(age_days: float, limit_days: float) -> str:
    if age_days < 0:
        return say("in the future: the clock here, or where it was made, is wrong")
    told = say("{days} days ago", days=f"{age_days:.1f}")
    if limit_days:
        told += say("; [roster] max_age_days is {limit}", limit=f"{limit_days:g}")
    return told + (say(": too old") if limit_days and age_days > limit_days else "")
