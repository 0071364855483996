"""`gatepost first-boot`: a gate takes its settings and its token from the card, once.

systemd runs it (systemd/gatepost-first-boot.service); by hand it does the same. How it went stands
in gatepost-first-boot.txt on the card as well. Exit status: 0 done, or nothing to do; 1 not yet,
it may be run again; 2 somebody must correct what is on the card.
"""

import argparse
import sys
from pathlib import Path

from gatepost.cli.process import add_config_argument
from gatepost.cli.words import say
from gatepost.provision.card import Card
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
    add_config_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Do it."""
    outcome = FirstBoot(
        Card(args.boot), args.config, is_again=args.again, enrols=not args.no_enrol
    ).run()
    print(outcome.text(say), end="", file=sys.stderr if outcome.status else sys.stdout)
    return outcome.status
