"""`gatepost config check`: whether a gate would start with this file."""

import argparse

from gatepost.cli.process import add_config_argument
from gatepost.wiring.order_in_force import check_order
from gatepost.wiring.thermometer import check_part
from gatepost_config.load import load


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("action", choices=["check"])
    add_config_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Check the file; problems become messages and status 2 in `gatepost.cli.main`."""
    settings = load(args.config)
    check_part(settings, args.config)
    check_order(settings)
    print(f"{args.config}: good, for gate {settings.gate.name} of site {settings.gate.site}")
    return 0
