"""`gatepost desired push`: give gates a regime, a roster or a trust list, and see what they say.

For small sites without a server of their own. The key is one of `gatepost pass keygen` whose
public part stands in the site's trust list with the use administrator. The command serves the
content until every gate has said what came of it.

Exit status: 0 all have it; 1 refused by a gate, or not published; 2 wrong usage, or a document that
no gate would take; 3 not every gate has answered in time: the letters stand at the broker, and the
same command again serves on.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import get_args

import msgspec

from gatepost.cli.broker import add_broker_arguments, broker_of
from gatepost.cli.main import fail
from gatepost_config.load import load
from gatepost_services.contract.events import event_source
from gatepost_services.credentials import signing
from gatepost_services.hub.desired import DesiredError, DesiredServer, Report
from gatepost_services.sync.documents import MAX_VERSION, MOST_BYTES, Desired, DocumentKind

_NOT_IN_TIME = 3
_CONNECT_S = 10.0
_RETAINED_S = 3.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    what = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    push = what.add_parser("push", help="give gates a document, and wait until they have it")
    push.add_argument(
        "document",
        choices=get_args(DocumentKind),
        metavar="regime|roster|trust",
        help="what the gates are to have",
    )
    push.add_argument("file", type=Path, metavar="FILE", help="TOML; CSV or JSON; a signed list")
    push.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help="the secret key, from pass keygen"
    )
    push.add_argument(
        "--gate", action="append", required=True, metavar="NAME", help="may be given several times"
    )
    push.add_argument("--site", help="default: that of --config")
    push.add_argument(
        "--version",
        type=_version,
        metavar="N",
        help="default: one more than the highest that the gates report; of a trust list, its own",
    )
    push.add_argument(
        "--base", type=_version, metavar="N", help="FILE says what changes in this roster"
    )
    push.add_argument(
        "--lines", type=Path, metavar="FILE", help="with a regime: the site's lines, for all gates"
    )
    push.add_argument(
        "--wait",
        type=_seconds,
        default=600.0,
        metavar="S",
        help="wait for that so many seconds at most (default: 600)",
    )
    add_broker_arguments(push)


def run(args: argparse.Namespace) -> int:
    """Push it."""
    content = _content(args)
    try:
        key = signing.read_key(args.key)
    except signing.KeyFileError as error:
        fail(str(error))
    site = args.site or load(args.config).gate.site
    gates = list(dict.fromkeys(args.gate))
    try:
        sources = [event_source(site, gate) for gate in gates]
    except ValueError as error:
        fail(str(error), status=2)
    aud = sources[0] if len(sources) == 1 else sources[0].rpartition("/")[0]
    with DesiredServer(broker_of(args), site) as server:
        if (trouble := server.wait_trouble(_CONNECT_S)) is not None:
            fail(f"broker: {trouble}")
        version = args.version or _next_version(server, gates, args.document)
        desired = Desired(
            document=args.document,
            version=version,
            digest=server.serve(content),
            bytes=len(content),
            aud=aud,
            iat=int(time.time()),
            mode="delta" if args.base else "whole",
            base_version=args.base,
        )
        try:
            server.push(gates, desired, key)
        except DesiredError as error:
            fail(str(error))
        print(f"{desired.name}: {len(content):,} bytes, for {len(gates)} gates", flush=True)
        return _follow(server, gates, desired, args.wait)


def _version(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_VERSION:
        raise argparse.ArgumentTypeError(f"{text}: a version is 1 to 2**53 - 1")
    return int(text)


def _seconds(text: str) -> float:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text}: must be whole seconds, 1 or more")
    return float(text)


def _content(args: argparse.Namespace) -> bytes:
    """Return what is to be served; end the command where no gate would take it."""
    if args.document != "roster" and args.base:
        fail("--base is for a roster", status=2)
    if args.document != "regime" and args.lines:
        fail("--lines is for a regime", status=2)
    content = _read(args.file)
    if args.document == "regime":
        # Imported here: the other documents need none of it. Raises ConfigError, which is told.
        from gatepost.wiring.regimes import load as load_regime  # noqa: PLC0415

        load_regime(str(args.file), args.lines)
        if args.lines:
            texts = {"regime": content.decode(), "site": _read(args.lines).decode()}
            content = msgspec.json.encode(texts)
    elif args.document == "trust":
        args.version = _own_version(args)
    most = MOST_BYTES[args.document]
    if not 0 < len(content) <= most:
        fail(f"{args.file}: {len(content)} bytes; a gate takes 1 to {most}", status=2)
    return content


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        fail(f"{path}: cannot be read: {error.strerror}", status=2)


def _own_version(args: argparse.Namespace) -> int:
    """Return the version of a trust list, which is its letter's as well."""
    from gatepost.cli.trust import read_list  # noqa: PLC0415 - as above

    settings = load(args.config)
    held = read_list(args.file, settings.passes.root_key, args.site or settings.gate.site)
    if args.version not in (None, held.version):
        fail(f"{args.file}: is version {held.version}, and --version {args.version}", status=2)
    return held.version


def _next_version(server: DesiredServer, gates: list[str], document: DocumentKind) -> int:
    def reports() -> list[Report | None]:
        return [server.report(gate, document) for gate in gates]

    server.wait_reports(lambda: all(reports()), _RETAINED_S)
    silent = [gate for gate, found in zip(gates, reports(), strict=True) if found is None]
    if silent:
        fail(f"{', '.join(silent)}: never reported what is there; say --version", status=2)
    return 1 + max(max(r.version, r.refused or 0) for r in reports() if r is not None)


def _follow(server: DesiredServer, gates: list[str], desired: Desired, wait_s: float) -> int:
    """Wait until each gate has said what came of it; tell it once."""
    told: dict[str, bool] = {}

    def are_all_told() -> bool:
        for gate in gates:
            found = server.report(gate, desired.document)
            if found is None or gate in told:
                continue
            if found.refused == desired.version:
                told[gate] = False
                print(f"{gate}: refused: {found.why}; it has version {found.version}", flush=True)
            elif found.version == desired.version and (
                desired.document == "roster" or found.digest == desired.digest
            ):
                told[gate] = True
                print(f"{gate}: has it, digest {found.digest}", flush=True)
        return len(told) == len(gates)

    if server.wait_reports(are_all_told, wait_s):
        return 0 if all(told.values()) else 1
    silent = ", ".join(gate for gate in gates if gate not in told)
    print(
        f"gatepost: not heard of within {wait_s:g} s: {silent}; the letter stands at the broker: "
        f"run this again with --version {desired.version} to serve on",
        file=sys.stderr,
    )
    return _NOT_IN_TIME
