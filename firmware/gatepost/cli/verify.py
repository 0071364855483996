"""`gatepost verify`: the safety rules in every state that a lane can reach.

Exit status: 0 nothing is broken, 1 something is.
"""

import argparse
import json
import sys
from collections.abc import Mapping

from gatepost.cli.document import add_markdown_argument, print_or_renew
from gatepost.cli.main import fail
from gatepost.core.visit import Policy
from gatepost.verify.diagram import as_markdown, renewed
from gatepost.verify.properties import PROPERTIES
from gatepost.verify.report import Report, verify
from gatepost.verify.world import SITES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--site", metavar="WORDS", help="only sites whose name contains this (default: all)"
    )
    parser.add_argument("--first", action="store_true", help="stop at the first violation")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print one line of JSON")
    add_markdown_argument(shown, "--diagram", "the table of the states")


def run(args: argparse.Namespace) -> int:
    """Walk, and tell what was found."""
    if args.diagram is not None:
        return print_or_renew(args.diagram, as_markdown(), renewed)
    report = verify(_chosen(args.site), first=args.first)
    if args.json:
        print(json.dumps(_numbers(report)))
        for story in report.stories:
            print(story, file=sys.stderr)
    else:
        _print(report)
    return 1 if report.violations else 0


def _chosen(words: str | None) -> Mapping[str, Policy]:
    sites = {site: policy for site, policy in SITES.items() if words is None or words in site}
    if not sites:
        fail(f"no site is called {words!r}; there are: {'; '.join(SITES)}", status=2)
    return sites


def _numbers(report: Report) -> dict[str, float]:
    return {
        "states": report.states,
        "transitions": report.transitions,
        "properties": report.properties,
        "violations": report.violations,
        "seconds": round(report.seconds, 1),
    }


def _print(report: Report) -> None:
    print(f"{'states':>9} {'transitions':>12} {'violations':>11} {'seconds':>8}  site")
    for site in report.sites:
        violations = sum(site.violations.values())
        numbers = f"{site.states:>9,} {site.transitions:>12,} {violations:>11,}"
        print(f"{numbers} {site.seconds:>8.1f}  {site.site}")
    print(f"\n{'checked':>12} {'rules':>6}")
    for property_ in PROPERTIES:
        rules = {
            rule
            for site in report.sites
            for rule in site.checks
            if rule.startswith(f"{property_.name}.")
        }
        checks = f"{report.checked(property_.name):>12,} {len(rules):>6}"
        print(f"{checks}  {property_.name}  {property_.words}")
    for story in report.stories:
        print(f"\n{story}")
    verdict = f"{report.violations:,} violations" if report.violations else "no violation"
    print(
        f"\n{report.states:,} states, {report.transitions:,} transitions, "
        f"{report.properties} properties: {verdict}, in {report.seconds:.0f} s"
    )
