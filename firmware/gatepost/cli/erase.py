"""`gatepost erase SUBJECT`: remove a person from what the gate keeps. Also while the gate runs.

What is on the gate of a person is in services/PRIVACY.md. Exit status: 0; 1 where something could
not be removed, which is then told, and where nobody of that name is kept.
"""

import argparse
import mmap
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from gatepost.cli.main import fail
from gatepost.cli.process import add_config_argument
from gatepost.cli.words import mark, say, yes_or_no
from gatepost.wiring.last_good import settings_in_force
from gatepost_config.paths import Paths
from gatepost_config.settings import Settings
from gatepost_services.journal import JournalReader, JournalUnavailable
from gatepost_services.roster import Roster, RosterError
from gatepost_services.roster.changing import key_in_force
from gatepost_services.roster.writer import RosterWriter
from gatepost_services.state_file import StateFileError, read_state
from gatepost_services.whereabouts import Whereabouts, WhereaboutsError, WhereaboutsReader

_PAGE = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_config_argument(parser)
    parser.add_argument("subject", metavar="SUBJECT", help="as the roster and the events name them")
    parser.add_argument("--yes", action="store_true", help="do not ask whether it is meant")


def run(args: argparse.Namespace) -> int:
    """Do it, and say what is left and until when."""
    settings = settings_in_force(args.config).settings
    if not args.yes:
        _ask(args.subject)
    paths = settings.paths
    is_kept = _is_kept(paths, args.subject)
    problems = [*_from_roster(paths, args.subject), *_from_whereabouts(paths, args.subject)]
    events = _events_or_why(paths.journal, args.subject)
    print("\n".join(_left_over(settings, args.subject, events)))
    if not (is_kept or problems or events):
        problems = [say("nobody of the name {subject} is kept here", subject=args.subject)]
    for problem in problems:
        print(f"gatepost: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _ask(subject: str) -> None:
    if not sys.stdin.isatty():
        fail(say("nobody is there to be asked whether it is meant; say --yes"), status=2)
    told = mark("All passes of {subject}, and where they were last seen, are removed for good.")
    print(say(told, subject=subject))
    if yes_or_no(input(say("Is it meant? (yes or no) "))) is not True:
        fail(say("nothing was removed"))


def _from_roster(paths: Paths, subject: str) -> Iterator[str]:
    """Remove somebody; yield what hindered it."""
    if not paths.roster.exists():
        print(say("roster: there is none ({path})", path=paths.roster))
        return
    try:
        key = key_in_force(paths.roster, paths.roster_key)
        with RosterWriter.open(paths.roster, key) as writer:
            change = writer.erase(subject, int(time.time()))
    except RosterError as error:
        yield say("roster: nothing was removed: {why}", why=error)
        return
    told = mark("roster: {count} passes removed; version {version}")
    print(say(told, count=change.removed, version=change.state.version))


def _from_whereabouts(paths: Paths, subject: str) -> Iterator[str]:
    """Remove where somebody was seen, unless the gate does; yield what hindered it."""
    path = paths.whereabouts
    if not path.exists():
        print(say("whereabouts: there are none ({path})", path=path))
        return
    try:
        with Whereabouts(path) as whereabouts:
            gone = whereabouts.forget([subject])
    except WhereaboutsError as error:
        if not isinstance(error.__cause__, BlockingIOError):
            yield say("whereabouts: nothing was removed: {why}", why=error)
        elif not paths.roster.exists():
            yield say("whereabouts: the gate has them open; stop it, and say this again")
        else:
            told = mark("the running gate forgets within 5 s for each 200 that it has seen")
            print(say("whereabouts: {told}", told=say(told)))
        return
    print(say("whereabouts: removed") if gone else say("whereabouts: nothing was known"))


def _is_kept(paths: Paths, subject: str) -> bool:
    """Return whether anything but the journal holds somebody; also where that cannot be said."""
    try:
        with Roster(paths.roster, paths.roster_key) as roster:
            if paths.roster.exists() and roster.person(subject) is not None:
                return True
        with WhereaboutsReader(paths.whereabouts) as whereabouts:
            if paths.whereabouts.exists() and whereabouts.knows(subject):
                return True
    except (RosterError, WhereaboutsError):
        return True
    return _is_in_ledger(paths.ledger, subject) or bool(_naming(paths.incoming, subject))


def _events_or_why(path: Path, subject: str) -> int | str:
    """Return how many events name somebody, or why that cannot be said."""
    try:
        return _events_of(path, subject) if path.exists() else 0
    except JournalUnavailable as error:
        return str(error)


def _left_over(settings: Settings, subject: str, events: int | str) -> Iterator[str]:
    """Yield what is still there of somebody, and until when."""
    journal = settings.journal
    if isinstance(events, str):
        yield say("journal: cannot be read now: {why}", why=events)
    else:
        yield say("journal: {count} events name this subject", count=events)
    if events:
        yield "  " + say(
            "they stay until the server has had them for {days} days, at most {most} days: they "
            "are proof of what the gate did, and each names the one before",
            days=f"{journal.keep_delivered_days:g}",
            most=f"{journal.max_age_days:g}",
        )
        yield "  " + say("[journal] keep_delivered_days and max_age_days are the site's to shorten")
    if _is_in_ledger(settings.paths.ledger, subject):
        yield say("ledger: names this subject as being inside; that goes when they leave")
    for folder in (settings.paths.gate_dir, settings.paths.roster.parent):
        for aside in sorted({*folder.glob("*.db.broken-*"), *folder.glob("*.db.told*")}):
            yield say(
                "set aside: {path} may still name this subject; delete it when it is not needed",
                path=aside,
            )
    for letter in _naming(settings.paths.incoming, subject):
        yield say(
            "roster of the server: {path} may still name this subject; it goes when the server has "
            "sent the next one",
            path=letter,
        )
    yield say("server: has its own events and its own list. Erase there too,")
    yield "  " + say("or the next roster brings this person back")


def _naming(folder: Path, subject: str) -> list[Path]:
    """Return what the server sent, and the gate may still need, that has this name in it."""
    needle, found = subject.encode(), []
    for path in sorted(folder.glob("*")):
        try:
            with (
                path.open("rb") as file,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
            ):
                is_named = content.find(needle) >= 0
        except (FileNotFoundError, ValueError):  # gone meanwhile; empty
            continue
        except OSError:
            is_named = True  # nobody knows
        if is_named:
            found.append(path)
    return found


def _is_in_ledger(path: Path, subject: str) -> bool:
    try:
        return msgspec.json.encode(subject) in (read_state(path) or b"")
    except StateFileError:
        return False  # nor can the gate read it, which says so


def _events_of(path: Path, subject: str) -> int:
    # As the journal writes it: `gatepost_services.contract.events`.
    needle = b'"subject":' + msgspec.json.encode(subject)
    count, after_seq = 0, 0
    with JournalReader(path) as reader:
        while True:
            page = reader.read(after_seq, _PAGE)
            count += sum(needle in record.body for record in page.records)
            if len(page.records) < _PAGE:
                return count
            after_seq = page.through
