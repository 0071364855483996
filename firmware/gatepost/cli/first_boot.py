"""`gatepost first-boot`: a gate takes its settings and its token from the card, once.

systemd runs it (systemd/gatepost-first-boot.service); by hand it does the same. How it went stands
in gatepost-first-boot.txt on the card as well. Exit status: 0 done, or nothing to do; 1 not yet,
it may be run again; 2 somebody must correct what is on the card.
"""

import argparse
import sys
from pathlib import Path

from gatepost.cli.main import fail
from gatepost.cli.process import add_config_argument
from gatepost.cli.words import mark, say
from gatepost.provision.card import Card, HandedCard
from gatepost.provision.finishing import finish
from gatepost.provision.first_boot import FirstBoot

_BOOT = Path("/boot/firmware")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--boot",
        type=Path,
        default=_BOOT,
        metavar="FOLDER",
        help="where gatepost.toml and enrolment-token are (default: %(default)s)",
    )
    parser.add_argument(
        "--again",
        action="store_true",
        help="let this gate become another one, when gatepost.toml there has another name",
    )
    parser.add_argument(
        "--no-enrol",
        action="store_true",
        help="the settings alone, without the network; the token waits on the card",
    )
    apart = parser.add_mutually_exclusive_group()
    apart.add_argument(
        "--apart",
        type=Path,
        metavar="FOLDER",
        help="enrol alone, with copies of token and site-ca.pem in --boot; leave in FOLDER what is"
        " to be done at the card (for gatepost-first-enrol.service)",
    )
    apart.add_argument(
        "--finish",
        type=Path,
        metavar="FOLDER",
        help="do at the card what --apart left in FOLDER: the report, the wiping of the token",
    )
    add_config_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Do it."""
    if not args.boot.is_dir():
        told = mark("{path}: there is no such folder; say where the card is: --boot FOLDER")
        fail(say(told, path=args.boot), status=2)
    if args.finish is not None:
        outcome = finish(Card(args.boot), args.finish, args.config)
    else:
        card = Card(args.boot) if args.apart is None else HandedCard(args.boot, args.apart)
        outcome = FirstBoot(card, args.config, is_again=args.again, enrols=not args.no_enrol).run()
    print(outcome.text(say), end="", file=sys.stderr if outcome.status else sys.stdout)
    return outcome.status
