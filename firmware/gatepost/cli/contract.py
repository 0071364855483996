"""`gatepost contract`: what crosses the wire, as documents: AsyncAPI, JSON Schema, reason codes."""

import argparse
import sys
from pathlib import Path

from gatepost.cli.document import print_or_renew
from gatepost.cli.main import fail
from gatepost.verify.diagram import between
from gatepost_services.contract import reasons
from gatepost_services.contract.documents import (
    FOLDER,
    all_files,
    drifted,
    package_files,
    write,
)
from gatepost_services.contract.json_schemas import VersionError
from gatepost_services.contract.schemas import schemas

_TABLES = ("reasons", "types")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Writes asyncapi.json, versions.json and schemas/ into DIR; without DIR, the two that lie "
        "beside the code. `reasons` and `types` print the tables instead."
    )
    parser.add_argument("what", nargs="?", metavar="DIR|reasons|types", help="where to, or a table")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; status 1 when a file is not up to date"
    )
    parser.add_argument(
        "--markdown",
        type=Path,
        metavar="FILE",
        help="renew the table in FILE, between its markers",
    )


def run(args: argparse.Namespace) -> int:
    """Write, check or print; return the exit status."""
    if args.what in _TABLES:
        if args.check:
            fail("--check is for the files, not for a table", status=2)
        return _table(args.what, args.markdown)
    if args.markdown is not None:
        fail(f"--markdown is for a table: gatepost contract {'|'.join(_TABLES)}", status=2)
    try:
        wanted = package_files() if args.what is None else all_files()
    except VersionError as error:
        fail(str(error))
    folder = FOLDER if args.what is None else Path(args.what)
    return _check(folder, wanted) if args.check else _write(folder, wanted)


def _check(folder: Path, wanted: dict[str, str]) -> int:
    names = drifted(folder, wanted)
    for name in names:
        print(f"gatepost: {folder / name}: not what the code says", file=sys.stderr)
    if not names:
        print(f"{len(schemas())} types of event, {len(wanted)} files: up to date")
    return 1 if names else 0


def _write(folder: Path, wanted: dict[str, str]) -> int:
    try:
        write(folder, wanted)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    print(f"{len(schemas())} types of event, {len(wanted)} files in {folder}")
    return 0


def _table(name: str, path: Path | None) -> int:
    if path is not None:
        return print_or_renew(path, "", lambda text: renewed(text, name))
    if name == "types":
        for each in schemas().values():
            print(f"{each.name:<24}{each.event_class.label:<13}{each.version}  {each.description}")
        return 0
    for code, meaning in sorted(reasons.reasons().items()):
        print(f"{code:<22}{', '.join(meaning.where):<22}{meaning.en}  {meaning.zh}")
    return 0


def renewed(text: str, name: str) -> str:
    """Return a document with the table `reasons` or `types` between its markers as it is to be.

    Raises:
        ValueError: it has not both markers, in this order.
    """
    begin, end = (f"<!-- {word}: gatepost contract {name} -->" for word in ("begin", "end"))
    table = reasons.as_markdown() if name == "reasons" else types_markdown()
    return between(text, begin, end, table)


def types_markdown() -> str:
    """Return the table of types as `services/CONTRACT.md` holds it."""
    rows = (
        f"| `{each.name}` | {each.event_class.label} | {each.version} | {each.description} |"
        for each in schemas().values()
    )
    return "\n".join(("| type | class | version | |", "|---|---|---:|---|", *rows, ""))
