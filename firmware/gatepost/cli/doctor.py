"""`gatepost doctor`: looks at everything of a gate, and says what is wrong and what to do.

It changes nothing. Only with --move does it free the turnstile, and asks before each time.
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from gatepost import __version__
from gatepost.cli.document import add_markdown_argument, print_or_renew
from gatepost.cli.ending import ended_in_order
from gatepost.cli.main import fail
from gatepost.cli.process import add_config_argument
from gatepost.cli.words import say, yes_or_no
from gatepost.doctor.bundle import write_bundle
from gatepost.doctor.machine import Nobody, machine
from gatepost.doctor.model import Result, examine
from gatepost.doctor.report import (
    MARKERS,
    as_json,
    as_markdown,
    line_of,
    list_of,
    status_of,
    summary,
)
from gatepost.doctor.site import Operator, Site
from gatepost.doctor.table import CHECKS
from gatepost.verify.diagram import between

_LEAST_COLUMNS, _MOST_COLUMNS = 60, 120


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Looks at everything of this gate and says what is wrong, what it means for the people "
        "there, and what to do. Changes nothing. Best with sudo. For the sensor and the lines: "
        "sudo systemctl stop gatepost-gate first."
    )
    parser.epilog = "Exit status: 0 all well, 1 warnings, 2 faults (or wrong usage)."
    add_config_argument(parser)
    parser.add_argument("--json", action="store_true", help="one document of JSON, no text")
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="NAME",
        help="only these checks, or groups as sensor, and what they need; --list names them",
    )
    parser.add_argument(
        "--move", action="store_true", help="try relays and passage, too: asks before each"
    )
    parser.add_argument(
        "--yes",
        action="store_true",
        help="with --move: do not ask. Nobody may stand in the arm",
    )
    parser.add_argument(
        "--bundle", type=Path, metavar="FILE.tar.gz", help="write all of it for whoever is to help"
    )
    parser.add_argument("--list", action="store_true", help="name the checks, and stop")
    add_markdown_argument(parser, "--markdown", "with --list the table of all findings")


class _Asked:
    """An `Operator` at the terminal."""

    def may(self, question: str) -> bool:
        return yes_or_no(_answer(say("May I {question}? [y/N] ", question=question)) or "") is True

    def which(self, question: str, answers: Mapping[str, str]) -> str | None:
        said = ", ".join(f"{key}: {say(text)}" for key, text in answers.items())
        answer = _answer(f"{say(question)} [{said}] ")
        while answer is not None and answer not in answers:
            answer = _answer(f"[{', '.join(answers)}] ")
        return answer


def _answer(question: str) -> str | None:
    """Return what was typed, None where nobody is there to type."""
    # Not on standard output, which a program may read.
    print(question, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    return line.strip().lower() if line else None


def run(args: argparse.Namespace) -> int:
    """Look, tell, and return the status."""
    if args.list:
        return _list(args.markdown)
    if args.markdown:
        fail(say("--markdown is for --list"), status=2)
    if args.yes and not args.move:
        fail(say("--yes is for --move"), status=2)
    if args.bundle is not None and args.bundle.exists():
        fail(say("{path}: exists; name another file", path=args.bundle), status=2)
    operator: Operator = Nobody(allows=True) if args.yes else _Asked()
    with ended_in_order():
        return report(args, machine(args.config, operator))


def report(args: argparse.Namespace, site: Site) -> int:
    """Run the checks on a site and tell; return the exit status."""
    chosen = _chosen(args.only)
    in_colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    columns = shutil.get_terminal_size((_MOST_COLUMNS, 24)).columns
    columns = min(max(columns, _LEAST_COLUMNS), _MOST_COLUMNS)
    results: list[Result] = []
    is_watched = sys.stdout.isatty() and not args.json
    begin = _begin if is_watched else lambda _id: None
    for result in examine(site, CHECKS, chosen, may_move=args.move, on_begin=begin):
        results.append(result)
        if not args.json:
            print(line_of(result, in_colour=in_colour, columns=columns, say=say), flush=True)
    if args.json:
        print(json.dumps(as_json(results, version=__version__), ensure_ascii=False))
    else:
        print("\n".join(summary(results, in_colour=in_colour, columns=columns, say=say)))
    if args.bundle is not None:
        _bundle(args.bundle, site, results)
    return status_of(results)


def _begin(id_: str) -> None:
    """Show what is being looked at; its own line is written over it."""
    print(f"{'...':<6}{id_}", end="\r", flush=True)


def _chosen(names: list[str]) -> list[str]:
    """Return the ids of checks for ids and names of groups."""
    chosen = []
    for name in names:
        found = [each.id for each in CHECKS if name in (each.id, each.id.partition(".")[0])]
        if not found:
            fail(say("no check {name!r}; gatepost doctor --list names them", name=name), status=2)
        chosen += found
    return chosen


def _bundle(path: Path, site: Site, results: list[Result]) -> None:
    try:
        names = write_bundle(path, site, results)
    except OSError as error:
        fail(say("{path}: cannot be written: {why}", path=path, why=error.strerror), status=2)
    told = say(
        "{path}: {names}; no secrets and no names are in it", path=path, names=", ".join(names)
    )
    print(f"gatepost: {told}", file=sys.stderr)


def _list(markdown: Path | None) -> int:
    if markdown is None:
        print("\n".join(list_of(CHECKS, say=say)))
        return 0
    return print_or_renew(markdown, as_markdown(CHECKS, say=say), renewed)


def renewed(text: str) -> str:
    """Return a page with the table of findings between its markers, in the user's language.

    Raises:
        ValueError: it has not both markers, in this order.
    """
    return between(text, *MARKERS, as_markdown(CHECKS, say=say))
