"""`gatepost journal`: what is in the event log, whether it is whole, and out with it.

Reads only, also while the gate runs, and also a file that the gate set aside.
"""

import argparse
import json
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from gatepost.cli.main import fail
from gatepost.cli.process import add_config_argument
from gatepost.cli.progress import Bar
from gatepost.cli.words import mark, say
from gatepost.doctor.columns import padded, right
from gatepost_config.load import load
from gatepost_config.settings import Settings
from gatepost_services.journal import JournalError, JournalReader
from gatepost_services.journal.export import Choice, Exported, export
from gatepost_services.journal.figures import Figures, figures
from gatepost_services.journal.schema import is_something_else
from gatepost_services.journal.verify import Report, verify
from gatepost_services.record import EventClass
from gatepost_services.uplink.position import read_acknowledged

_MOST_SHOWN = 20
_LAST = 2**63 - 1
_CLASSES = {each.label: each for each in EventClass}
_AGES = (
    (86_400.0, mark("{number} days ago")),
    (3_600.0, mark("{number} hours ago")),
    (60.0, mark("{number} minutes ago")),
    (1.0, mark("{number} seconds ago")),
)
_LABEL_COLUMNS = 14
_EVENTS = mark("{undelivered} events; acknowledged through {acknowledged}")
_FILE = mark("{bytes} bytes, of which {free} are free")
_WHOLE = mark("{path}: whole: {events} events, from {first} to {last}, hash of the last {hash}")
_BROKEN = mark(
    "{path}: broken: {events} events, from {first} to {last}; findings: {findings}, the first of "
    "them:"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_config_argument(parser)
    what = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    for name, help_text in {
        "stats": "how much is in it, how old, and how much of that no server has",
        "verify": "whether it is all there, as it was written; status 1 if not, 2 if unreadable",
    }.items():
        command = what.add_parser(name, help=help_text)
        _add_file(command)
        command.add_argument("--json", action="store_true", help="one line of JSON")
    out = what.add_parser("export", help="write events as JSON Lines or CSV: it is health data")
    _add_file(out)
    _add_range(out)
    out.add_argument("--format", choices=["jsonl", "csv"], default="jsonl", help="default: jsonl")
    out.add_argument(
        "--class",
        dest="classes",
        action="append",
        choices=list(_CLASSES),
        help="only events of this class; may be repeated",
    )
    out.add_argument(
        "--out", type=Path, metavar="FILE", help="write to a new file, not to the terminal"
    )
    out.add_argument("--force", action="store_true", help="replace FILE if it is there")
    again = what.add_parser(
        "replay", help="send events to the server once more, on the topic event/replay"
    )
    _add_file(again)
    _add_range(again)


def run(args: argparse.Namespace) -> int:
    """Do it; the statuses are those of `add_arguments`."""
    settings = load(args.config)
    path: Path = args.file or settings.paths.journal
    cannot = _failing(2 if args.what == "verify" else 1)
    if args.file is not None:
        _check_is_one(args.file, cannot)
    _check_readable(path, cannot)
    try:
        match args.what:
            case "stats":
                return _stats(settings, path, as_json=args.json)
            case "verify":
                # Of a file that was set aside, a later one may have been delivered.
                delivered = 0 if args.file else read_acknowledged(settings.paths.acknowledged)
                return _verify(path, delivered, as_json=args.json)
            case "export":
                return _export(path, args)
            case _:
                # paho only where it is needed: it takes longer to load than all the rest.
                from gatepost.cli.replay import replay_command  # noqa: PLC0415

                return replay_command(settings, path, args.first, args.through)
    except JournalError as error:
        cannot(str(error))


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--file", type=Path, metavar="FILE", help="look at another journal: one that was set aside"
    )


def _add_range(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="first",
        type=_number,
        default=1,
        metavar="SEQ",
        help="from the event of this number on",
    )
    parser.add_argument(
        "--through",
        type=_number,
        default=_LAST,
        metavar="SEQ",
        help="up to the event of this number",
    )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= _LAST):
        raise argparse.ArgumentTypeError(
            say("{text!r} is no number of an event: 1 or more", text=text)
        )
    return int(text)


def _failing(status: int) -> Callable[[str], NoReturn]:
    def cannot(message: str) -> NoReturn:
        fail(message, status=status)

    return cannot


def _check_is_one(path: Path, cannot: Callable[[str], NoReturn]) -> None:
    """Refuse what was named by mistake: of a gate's own journal it would be damage."""
    _check_readable(path, cannot)
    if not path.is_file():
        fail(say("{path}: is no file", path=path), status=2)
    if is_something_else(path):
        fail(say("{path}: this is no journal; name another file", path=path), status=2)


def _check_readable(path: Path, cannot: Callable[[str], NoReturn]) -> None:
    try:
        with path.open("rb"):
            return
    except FileNotFoundError:
        told = mark("{path}: no journal there; the gate makes it when it first records something")
        cannot(say(told, path=path))
    except PermissionError:
        told = mark("{path}: you may not read it (it is health data); begin the command with sudo")
        cannot(say(told, path=path))
    except OSError as error:
        cannot(say("{path}: cannot be read: {why}", path=path, why=error.strerror))


def _last_seq(path: Path) -> int:
    """Return how far a journal goes; 0 of one that cannot say so: its end is not known before."""
    try:
        with JournalReader(path) as reader:
            return reader.last_seq()
    except JournalError:
        return 0


# ------------------------------------------------------------------------------------------ stats


def _stats(settings: Settings, path: Path, *, as_json: bool) -> int:
    acknowledged = read_acknowledged(settings.paths.acknowledged)
    found = figures(path, acknowledged, time.time())
    print(json.dumps(_as_json(found)) if as_json else "\n".join(_lines(found)))
    return 0


def _as_json(found: Figures) -> dict[str, Any]:
    return {**found._asdict(), "file": str(found.file), "head": found.head.hex()}


def _lines(found: Figures) -> Iterator[str]:
    yield f"{found.file}"
    sent = {"undelivered": found.undelivered, "acknowledged": found.acknowledged}
    last = {"number": found.last_seq, "hash": found.head.hex()}
    rate = f"{found.events_per_hour:.1f}"
    room = {"bytes": f"{found.file_bytes:,}", "free": f"{found.free_bytes:,}"}
    for label, text in (
        (say("undelivered"), say(_EVENTS, **sent)),
        (say("last number"), say("{number}, hash {hash}", **last)),
        (say("oldest"), _span(found.oldest_age_s)),
        (say("rate"), say("{rate} events an hour over the last day", rate=rate)),
        (say("file"), say(_FILE, **room)),
        (say("set aside"), ", ".join(found.set_aside) or say("nothing")),
    ):
        yield f"{padded(label, _LABEL_COLUMNS)} {text}"
    head = zip((say("events"), say("bytes"), say("dropped")), (12, 16, 12), strict=True)
    yield padded(say("class"), 12) + "".join(right(word, columns) for word, columns in head)
    for label in _CLASSES:
        events, size, dropped = (
            counts[label] for counts in (found.events, found.bytes, found.dropped)
        )
        yield f"{label:<12}{events:>12,}{size:>16,}{dropped:>12,}"


def _span(seconds: float | None) -> str:
    if seconds is None:
        return say("there is none")
    if seconds < 0.0:
        return say("dated in the future: the clock was wrong then, or is now")
    unit_s, told = next((each for each in _AGES if seconds >= 2 * each[0]), _AGES[-1])
    return say(told, number=f"{seconds / unit_s:.0f}")


# ----------------------------------------------------------------------------------------- verify


def _verify(path: Path, delivered_seq: int, *, as_json: bool) -> int:
    with Bar(say("looking"), _last_seq(path)) as bar:
        report = verify(path, delivered_seq=delivered_seq, on_event=bar.show)
    if as_json:
        print(json.dumps(_report_json(path, report)))
    else:
        print("\n".join(_report_lines(path, report)))
    return 0 if report.is_whole else 1


def _report_json(path: Path, report: Report) -> dict[str, Any]:
    return {
        "file": str(path),
        "whole": report.is_whole,
        "events": report.events,
        "first_seq": report.first_seq,
        "last_seq": report.last_seq,
        "head": report.head.hex(),
        "broken": report.broken,
        "findings": [
            {"seq": each.seq, "kind": each.kind, "text": each.text} for each in report.findings
        ],
    }


def _report_lines(path: Path, report: Report) -> Iterator[str]:
    found = {"events": report.events, "first": report.first_seq, "last": report.last_seq}
    if report.is_whole:
        yield say(_WHOLE, path=path, **found, hash=report.head.hex())
        return
    yield say(_BROKEN, path=path, **found, findings=report.broken)
    for each in report.findings[:_MOST_SHOWN]:
        yield f"  {each.kind}: {each.text}"


# ----------------------------------------------------------------------------------------- export


def _export(path: Path, args: argparse.Namespace) -> int:
    classes = tuple(_CLASSES[label] for label in args.classes or _CLASSES)
    choice = Choice(args.first, args.through, tuple(sorted(set(classes))))
    if args.out is None:
        exported = export(path, choice, args.format, _writer(sys.stdout.buffer))
        sys.stdout.buffer.flush()
    else:
        first, through = args.first - 1, min(args.through, _last_seq(path))
        with (
            _new_file(args.out, force=args.force) as file,
            Bar(say("exporting"), through - first) as bar,
        ):
            exported = export(
                path, choice, args.format, _writer(file), lambda seq: bar.show(seq - first)
            )
    _tell(exported)
    return 1 if exported.broken else 0


def _writer(file: BinaryIO) -> Callable[[str], object]:
    return lambda text: file.write(text.encode())


def _tell(exported: Exported) -> None:
    # Not on standard output, which the events may be on.
    told = [say("{count} events exported", count=exported.events)]
    told += [say("not exported: {what}", what=text) for text in exported.unread[:_MOST_SHOWN]]
    if exported.broken > _MOST_SHOWN:
        told += [say("not exported: {count} in all", count=exported.broken)]
    for line in told:
        print(f"gatepost: {line}", file=sys.stderr)


@contextmanager
def _new_file(out: Path, *, force: bool) -> Iterator[BinaryIO]:
    """Yield a file that only its owner may read, and that is at `out` once it is whole."""
    part = out.with_name(out.name + ".part")
    try:
        if out.exists() and not (force and stat.S_ISREG(out.stat().st_mode)):
            there = mark("{path}: exists; --force replaces it")
            fail(say(there if out.is_file() else mark("{path}: is no file"), path=out))
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(out)
        finally:
            part.unlink(missing_ok=True)
    except JournalError:
        raise
    except OSError as error:
        fail(say("{path}: cannot be written: {why}", path=out, why=error.strerror))
