"""`gatepost regime`: which orders there are, whether a file of one is right, and what it says.

Exit status: 0, or 2 when the regime or the site file cannot be used; each problem is told then.
`status` ends with 1 when what a server has set cannot be used.
"""

import argparse
from pathlib import Path
from typing import get_args

from gatepost.cli.main import fail
from gatepost.cli.process import add_config_argument
from gatepost.cli.regime_text import as_markdown, as_text, document
from gatepost.wiring.regimes import load
from gatepost.wiring.server_order import ServerOrder, built, load_order, order_path
from gatepost_config import load as config
from gatepost_config.regime_file import ROWS
from gatepost_config.regime_settings import RegimeSettings
from gatepost_config.regimes import load_regime, path_of, shipped
from gatepost_config.settings import NOTHING
from gatepost_config.terms import Category
from gatepost_services.state_file import StateFileError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    what = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    what.add_parser("list", help="list the shipped regimes")
    check = what.add_parser("check", help="say that a file can be used, or what is wrong with it")
    explain = what.add_parser("explain", help="print the resolved order with its sources")
    for command in (check, explain):
        command.add_argument(
            "regime", metavar="NAME|FILE", help="a shipped regime, or a file of one"
        )
        command.add_argument(
            "--site", type=Path, metavar="FILE", help="the site's own lines, which change it"
        )
    explain.add_argument(
        "--category", choices=get_args(Category), metavar="C", help="one category of people only"
    )
    explain.add_argument("--direction", choices=ROWS, help="one direction only")
    explain.add_argument("--markdown", action="store_true", help="as Markdown, to be published")
    status = what.add_parser("status", help="which order this gate obeys: the server's, or its own")
    add_config_argument(status)


def run(args: argparse.Namespace) -> int:
    """Print it."""
    if args.what == "list":
        _list()
        return 0
    if args.what == "status":
        return _status(args.config)
    # With those that its window leads to, and what no regime may say.
    regimes = load(args.regime, args.site)
    settings = load_regime(path_of(args.regime), args.site)
    if args.what == "check":
        others = f"; its window leads to {', '.join([*regimes][1:])}" if len(regimes) > 1 else ""
        print(f"ok: {settings.name}: {_counts(settings)}{others}")
        return 0
    lines = document(settings, category=args.category, direction=args.direction)
    print(as_markdown(lines) if args.markdown else as_text(lines), end="")
    return 0


def _list() -> None:
    for name, path in shipped().items():
        settings = load_regime(path)
        print(f"{name:<15} {settings.title:<40} {', '.join(settings.sources)}")


def _status(path: Path) -> int:
    """Print what this machine's settings say, and what a server has set since."""
    settings = config.load(path)
    regime = settings.regime
    if not regime.name:
        print(f"none: {path} sets no order ([regime] name), and a server can set none")
        return 0
    lines = "" if regime.site == NOTHING else f", with the lines of {regime.site}"
    file = order_path(settings.paths)
    try:
        order = load_order(file)
        if order is None:
            print(f"this machine's: {regime.name}{lines}; no server has set one")
            return 0
        first, *others = built(order, settings.gate.name)
    except (StateFileError, config.ConfigError) as error:
        fail(f"{file}: the server's cannot be used, and {regime.name}{lines} counts: {error}")
    print(_of_the_server(order, first, others))
    print(f"not {regime.name}{lines}, which {path} sets")
    return 0


def _of_the_server(order: ServerOrder, first: str, others: list[str]) -> str:
    windows = f"; its window leads to {', '.join(others)}" if others else ""
    lines = "no lines of a site" if not order.site else "with the site's lines"
    return (
        f"the server's: {first}, version {order.version}, {lines}{windows}\ndigest {order.digest}"
    )


def _counts(settings: RegimeSettings) -> str:
    categories = {category for _, category in settings.rows}
    treatments = [
        treatment
        for row in settings.rows.values()
        for treatment in (row.base, *row.treatments.values())
    ]
    checks = [rules for row in settings.rows.values() for _, rules in row.checks]
    rules = {rule for treatment in treatments for rule in treatment.rules}
    rules.update(*checks)
    return (
        f"{len(categories)} categories in {len(ROWS)} directions, {len(settings.choices)} choices, "
        f"{len(rules - {'ours'})} rules cited"
    )
