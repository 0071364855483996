"""`gatepost provision`: a folder a gate for its card, from a list of gates.

It runs on a technician's computer, never on a gate. Exit status: 0 done; 1 the disk or the
authority refuses; 2 something is wrong with the list, and nothing was written.

Like the settings' loader, what reads the list says in English what is wrong with it, and a card
says everything in English.
"""

import argparse
import os
from datetime import timedelta
from pathlib import Path

from gatepost.cli.main import fail
from gatepost.cli.words import mark, say
from gatepost.provision.folders import FolderError, check_free, write_folders
from gatepost.provision.plan import Plan, Planner, read_template
from gatepost.provision.sites import read_sites
from gatepost.provision.wifi import ENVIRONMENT, read_passwords
from gatepost_config.load import ConfigError
from gatepost_services.pki import tokens
from gatepost_services.pki.authority import Authority
from gatepost_services.pki.errors import PkiError

_MOST_HOURS = 24 * 31
_MOST_KEY_CHARACTERS = 2000
_HOUR = timedelta(hours=1)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog = (
        "Columns: site, gate, network (wired, or wifi:NAME with wifi_country); broker, broker_port,"
        " sensor, release, passage, pins, token, enrol, and any setting as SECTION.KEY."
        " config/PROVISIONING.md has all."
    )
    parser.add_argument(
        "sites", type=Path, metavar="SITES.csv", help="the list: a row for each gate"
    )
    parser.add_argument(
        "out", type=Path, metavar="OUT", help="where a folder is made for each gate: SITE-GATE"
    )
    parser.add_argument(
        "--template",
        type=Path,
        metavar="FILE",
        help="a file with the settings that all these gates have",
    )
    parser.add_argument(
        "--pki",
        type=Path,
        metavar="FOLDER",
        help="the authority of the site, which makes a token for each gate; see gatepost pki",
    )
    parser.add_argument(
        "--enrol", default="", metavar="URL", help="where gates enrol: https://HOST:PORT"
    )
    parser.add_argument(
        "--hours",
        type=_hours,
        default=tokens.TOKEN_LIFETIME // _HOUR,
        metavar="N",
        help="for how many hours the tokens are good (default: %(default)s)",
    )
    _add_access(parser)
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace the folders of these gates that are there already",
    )


def _add_access(parser: argparse.ArgumentParser) -> None:
    """Add what lets the gates into a network, and a technician into the gates."""
    parser.add_argument(
        "--wifi-passwords",
        type=Path,
        metavar="FILE",
        help='a file with lines "NAME" = "PASSWORD"; that of other networks is taken from the '
        f"environment, {ENVIRONMENT}",
    )
    parser.add_argument(
        "--ssh-key",
        type=Path,
        metavar="FILE",
        help="a public key: its owner logs in as technician; without it nobody can",
    )


def run(args: argparse.Namespace) -> int:
    """Do it."""
    template = (args.template, read_template(args.template)) if args.template else None
    passwords = read_passwords(args.wifi_passwords) if args.wifi_passwords else {}
    ssh_key = _ssh_key(args.ssh_key) if args.ssh_key else None
    try:
        authority = Authority.open(args.pki) if args.pki else None
    except PkiError as error:
        fail(str(error))
    planner = Planner(
        template=template,
        passwords=passwords,
        password=os.environ.get(ENVIRONMENT, ""),
        site=authority.site if authority else None,
        enrol_url=args.enrol,
    )
    plans = planner.plans(read_sites(args.sites))
    check_free(args.out, is_forced=args.force)
    _write(args, plans, authority, ssh_key)
    return 0


def _write(
    args: argparse.Namespace, plans: list[Plan], authority: Authority | None, ssh_key: str | None
) -> None:
    lifetime = args.hours * _HOUR
    try:
        if authority is None:
            write_folders(args.out, plans, source=args.sites.name, ssh_key=ssh_key)
        else:
            write_folders(
                args.out,
                plans,
                source=args.sites.name,
                ssh_key=ssh_key,
                authority_pem=authority.pem,
                make_token=lambda plan: str(
                    tokens.make_token(authority, plan.settings.gate.name, lifetime)
                ),
                until_utc=authority.now_utc() + lifetime,
            )
    except (FolderError, PkiError) as error:
        fail(str(error))
    for plan in plans:
        gate = plan.settings.gate
        how = say("enrols by its token") if authority or plan.token else say("no token")
        name = f"{gate.site}/{gate.name}"
        print(say("{folder}: {gate}, {how}", folder=args.out / plan.name, gate=name, how=how))
    print(say("Next: print LABEL.txt of each, and do what it says."))
    if authority is not None:
        told = mark("The tokens are good for {hours} hours; gates enrol while the server runs:")
        print(say(told, hours=args.hours))
        print("  gatepost pki serve --name HOST")


def _hours(text: str) -> int:
    number = int(text)
    if not 1 <= number <= _MOST_HOURS:
        raise argparse.ArgumentTypeError(say("must be 1 to {most}", most=_MOST_HOURS))
    return number


def _ssh_key(path: Path) -> str:
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read as a public key: {error}."]) from None
    is_one_line = text.isprintable() and len(text) <= _MOST_KEY_CHARACTERS
    if not is_one_line or not text.startswith(("ssh-", "ecdsa-", "sk-")):
        raise ConfigError([f"{path}: no public key in one line, as ssh-keygen writes it to .pub."])
    return text
