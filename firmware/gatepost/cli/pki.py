"""`gatepost pki`: a small certificate authority, for tests and for sites that run none.

It runs on the site's server or on a technician's computer, never on a gate. Exit status: 0 done;
1 refused, or a file cannot be read or written; 2 wrong usage.
"""

import argparse
import json
import logging
import sys
from datetime import timedelta
from pathlib import Path

from gatepost.cli.main import fail
from gatepost.cli.process import log_to_stderr
from gatepost_services.pki import profiles, tokens
from gatepost_services.pki.authority import (
    AUTHORITY_LIFETIME,
    GATE_LIFETIME,
    SERVER_LIFETIME,
    Authority,
    Issued,
)
from gatepost_services.pki.errors import PkiError, PkiFileError
from gatepost_services.pki.est_server import DEFAULT_PORT, EstServer
from gatepost_services.pki.files import make_folder, write_file

_DEFAULT_FOLDER = Path("/var/lib/gatepost-pki")
_DAY = timedelta(days=1)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    what = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    init = what.add_parser("init", help="make the authority of a site: once")
    init.add_argument("site", metavar="SITE", help="[gate] site of the gates")
    init.add_argument(
        "--days",
        type=_count,
        default=AUTHORITY_LIFETIME // _DAY,
        metavar="N",
        help="for how many days its certificate is good (default: %(default)s)",
    )
    token = what.add_parser("token", help="make a token, by which a gate enrols itself, once")
    token.add_argument("gate", metavar="GATE", help="[gate] name of that gate")
    token.add_argument(
        "--hours",
        type=_count,
        default=tokens.TOKEN_LIFETIME // timedelta(hours=1),
        metavar="N",
        help="for how many hours it is good (default: %(default)s)",
    )
    serve = what.add_parser("serve", help="answer gates that enrol or renew, until Ctrl-C")
    _add_serve(serve)
    _add_issue(
        what.add_parser("issue", help="make a key and a certificate here, for whoever cannot enrol")
    )
    revoke = what.add_parser(
        "revoke", help="have a certificate no longer count, as that of a stolen gate"
    )
    revoke.add_argument(
        "which", metavar="NAME|SERIAL", help="as `pki list` shows it; a name is all of that name"
    )
    shown = what.add_parser("list", help="what was issued, until when, and what is revoked")
    shown.add_argument("--json", action="store_true", help="one line of JSON each")
    for command in (init, token, serve, revoke, shown):
        _add_folder(command)


def run(args: argparse.Namespace) -> int:
    """Do it."""
    try:
        if args.what == "init":
            return _init(args.dir, args.site, args.days * _DAY)
        authority = Authority.open(args.dir)
        match args.what:
            case "token":
                return _token(authority, args.gate, timedelta(hours=args.hours))
            case "serve":
                return _serve(authority, args.name, args.listen, args.port)
            case "issue":
                return _issue(authority, args)
            case "revoke":
                return _revoke(authority, args.which)
            case _:
                return _list(authority, as_json=args.json)
    except PkiError as error:
        fail(str(error))


def _add_folder(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--dir",
        type=Path,
        default=_DEFAULT_FOLDER,
        metavar="FOLDER",
        help="the authority's folder (default: %(default)s); whoever reads it is the authority",
    )


def _add_serve(serve: argparse.ArgumentParser) -> None:
    serve.add_argument(
        "--name",
        action="append",
        required=True,
        metavar="HOST",
        help="how gates reach this computer: a host name or an address; may be given again",
    )
    serve.add_argument(
        "--listen",
        default="0.0.0.0",  # noqa: S104 - gates reach it from elsewhere; what they may is bounded
        metavar="ADDRESS",
        help="the address to listen at (default: %(default)s)",
    )
    serve.add_argument(
        "--port",
        type=int,
        default=DEFAULT_PORT,
        metavar="N",
        help="the port to listen at (default: %(default)s)",
    )


def _add_issue(issue: argparse.ArgumentParser) -> None:
    kind = issue.add_subparsers(dest="kind", metavar="KIND", required=True)
    server = kind.add_parser("server", help="a certificate for a broker")
    server.add_argument(
        "names", nargs="+", metavar="HOST", help="host names and addresses that gates use for it"
    )
    client = kind.add_parser(
        "client", help="a certificate for a client of the broker that is no gate"
    )
    client.add_argument("names", nargs=1, metavar="NAME", help="the broker's user, as `centre`")
    gate = kind.add_parser("gate", help="a certificate for a gate that cannot enrol itself")
    gate.add_argument("names", nargs=1, metavar="GATE", help="[gate] name of that gate")
    for command in (server, client, gate):
        command.add_argument(
            "--out", type=Path, required=True, metavar="FOLDER", help="gets key and certificate"
        )
        command.add_argument("--days", type=_count, metavar="N", help="how long it counts")
        _add_folder(command)


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 36_500:  # noqa: PLR2004
        raise argparse.ArgumentTypeError("must be 1 to 36500")
    return number


def _init(folder: Path, site: str, lifetime: timedelta) -> int:
    made = Authority.create(folder, site, lifetime=lifetime)
    print(f"{folder}: the authority of site {site}, until {_day(Issued(made.certificate))}")
    print(f"  fingerprint {made.fingerprint}")
    print("Keep a copy of this folder off this computer, where nobody else can read it.")
    print("Next: gatepost pki issue server HOST --out FOLDER, for the broker")
    return 0


def _token(authority: Authority, gate: str, lifetime: timedelta) -> int:
    print(tokens.make_token(authority, gate, lifetime))
    # Not among the output: so a script can take that.
    print(
        f"for {authority.site}/{gate}, once, within {lifetime // timedelta(hours=1)} hours."
        " On the gate: sudo gatepost enrol - --url https://HOST:PORT  (asks for it)",
        file=sys.stderr,
    )
    return 0


def _serve(authority: Authority, names: list[str], listen: str, port: int) -> int:
    log_to_stderr()
    logging.getLogger("gatepost_services.pki").setLevel(logging.INFO)
    try:
        server = EstServer(authority, names, host=listen, port=port)
    except OSError as error:
        fail(f"{listen}:{port}: cannot listen: {error.strerror}; see --listen and --port")
    with server:
        print(f"gates enrol at https://{names[0]}:{server.server_port}", flush=True)
        server.serve_forever()
    return 0


def _issue(authority: Authority, args: argparse.Namespace) -> int:
    default = GATE_LIFETIME if args.kind == "gate" else SERVER_LIFETIME
    lifetime = args.days * _DAY if args.days else default
    key = profiles.new_key()
    public = key.public_key()
    stem = {"server": "server", "client": args.names[0], "gate": "device"}[args.kind]
    out: Path = args.out
    for name in (f"{stem}.key", f"{stem}.pem"):
        if (out / name).exists():
            raise PkiFileError(f"{out / name}: exists; a key is never overwritten, name another")
    make_folder(out)
    match args.kind:
        case "server":
            made = authority.issue_server(args.names, public, lifetime=lifetime)
        case "client":
            made = authority.issue_client(args.names[0], public, lifetime=lifetime)
        case _:
            made = authority.issue_gate(args.names[0], public, lifetime=lifetime)
    write_file(out / f"{stem}.key", profiles.key_pem(key))
    write_file(out / f"{stem}.pem", made.pem)
    write_file(out / "ca.pem", authority.pem)
    write_file(out / "crl.pem", authority.crl_pem)
    print(f"{made.kind} {made.name}, serial {made.serial:x}, until {_day(made)}")
    print(f"  in {out}: {stem}.key {stem}.pem ca.pem crl.pem, for their owner alone")
    return 0


def _revoke(authority: Authority, which: str) -> int:
    found = [each.serial for each in authority.issued() if which in {each.name, f"{each.serial:x}"}]
    gate = which.rpartition("/")[2]
    forgotten = tokens.forget(authority, gate) if which == f"{authority.site}/{gate}" else 0
    if not found and not forgotten:
        fail(f"{which}: nothing of that name or serial was issued; see: gatepost pki list")
    count = authority.revoke(found)
    print(
        f"{which}: {count} revoked, {len(found) - count} were already; tokens forgotten:"
        f" {forgotten}"
    )
    print(
        f"Now copy {authority.folder}/crl.pem to the broker's crlfile and send the broker SIGHUP."
    )
    print("Connections that stand are not ended by that: restart the broker when it is urgent.")
    print("Gates take the list with their next renewal (daily), while `gatepost pki serve` runs.")
    return 0


def _list(authority: Authority, *, as_json: bool) -> int:
    for each in authority.issued():
        print(json.dumps(_document(each)) if as_json else _line(each, authority))
    if not as_json:
        print(f"authority of site {authority.site}, until {_day(Issued(authority.certificate))}")
        print(f"  fingerprint {authority.fingerprint}")
        for token in tokens.waiting(authority):
            print(f"  token {token.id} for {token.gate}, until {token.expires_utc:%Y-%m-%d %H:%M}")
    return 0


def _document(each: Issued) -> dict[str, str | None]:
    return {
        "name": each.name,
        "kind": each.kind,
        "serial": f"{each.serial:x}",
        "expires": each.expires_utc.isoformat(),
        "revoked": each.revoked_utc.isoformat() if each.revoked_utc else None,
    }


def _line(each: Issued, authority: Authority) -> str:
    state = f"until {_day(each)}"
    if each.revoked_utc is not None:
        state = f"REVOKED on {each.revoked_utc:%Y-%m-%d}"
    elif each.expires_utc < authority.now_utc():
        state = f"ended on {_day(each)}"
    return f"{each.name:<24} {each.kind:<7} {state:<22} {each.serial:x}"


def _day(each: Issued) -> str:
    return f"{each.expires_utc:%Y-%m-%d}"
