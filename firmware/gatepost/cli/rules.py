"""`gatepost rules`: what the documents ask for, what serves it, and which tests hold it."""

import argparse
import re
from collections import Counter
from collections.abc import Iterator, Mapping

from gatepost.cli.document import add_markdown_argument, print_or_renew
from gatepost.cli.main import fail
from gatepost.verify.diagram import between
from gatepost_config.catalogue import SERVED, Rule, catalogue

BEGIN = "<!-- begin: gatepost rules coverage --markdown -->"
END = "<!-- end: gatepost rules coverage --markdown -->"
# Of the feature table: what a turnstile is about. The others are of other controllers, and people.
_GATES_SYSTEMS = 24


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    what = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    coverage = what.add_parser("coverage", help="every rule, what serves it, and the sums")
    shown = coverage.add_mutually_exclusive_group()
    add_markdown_argument(shown, "--markdown", "the table")
    shown.add_argument("--served", choices=SERVED, metavar="WORD", help=", ".join(SERVED))
    show = what.add_parser("show", help="one rule")
    show.add_argument("rule", metavar="ID", help="R001 to R303")


def run(args: argparse.Namespace) -> int:
    """Print it."""
    if args.what == "show":
        _show(args.rule.upper())
    elif args.markdown is not None:
        return print_or_renew(args.markdown, as_markdown(), renewed)
    else:
        _print(args.served)
    return 0


def as_markdown() -> str:
    """Return the sums and the table, as `config/RULES.md` holds them."""
    rules = catalogue()
    sums = [f"| {word} | {every} | {gates} |" for word, every, gates in _sums(rules)]
    return "\n".join(
        (
            f"| served | rules | of systems 1 to {_GATES_SYSTEMS} |",
            "|---|---:|---:|",
            *sums,
            "",
            "| id | what is asked for | source | strength | systems | served | by | tests |",
            "|---|---|---|---|---|---|---|---|",
            *(_row(id_, rule) for id_, rule in rules.items()),
            "",
        )
    )


def renewed(text: str) -> str:
    """Return a document with the table between its markers as it is to be.

    Raises:
        ValueError: it has not both markers, in this order.
    """
    return between(text, BEGIN, END, as_markdown())


def _row(id_: str, rule: Rule) -> str:
    site = "" if rule.site == "compound" else f"[{rule.site}] "
    cells = (
        id_,
        f"{site}{_escaped(rule.words)}",
        rule.source,
        rule.strength,
        " ".join(map(str, rule.systems)),
        rule.served,
        _escaped(rule.by),
        "<br>".join(f"`{test.removeprefix('tests/')}`" for test in rule.tests),
    )
    return f"| {' | '.join(cells)} |"


def _escaped(words: str) -> str:
    """Return words in which Markdown finds neither emphasis nor a tag."""
    return re.sub(r"([*<])", r"\\\1", words)


def _sums(rules: Mapping[str, Rule]) -> Iterator[tuple[str, int, int]]:
    every = Counter(rule.served for rule in rules.values())
    gates = Counter(rule.served for rule in rules.values() if is_gates(rule))
    yield from ((word, every[word], gates[word]) for word in SERVED if every[word])
    yield "all", every.total(), gates.total()


def is_gates(rule: Rule) -> bool:
    """Return whether one of the systems that list a rule is one of a turnstile's."""
    return any(system <= _GATES_SYSTEMS for system in rule.systems)


def _print(served: str | None) -> None:
    rules = {
        id_: rule for id_, rule in catalogue().items() if served is None or rule.served == served
    }
    print(f"{'id':<4}  {'served':<13}  {'tests':>5}  by")
    for id_, rule in rules.items():
        print(f"{id_:<4}  {rule.served:<13}  {len(rule.tests):>5}  {rule.by}")
    print(f"\n{'rules':>5}  {'of systems 1 to 24':>18}  served")
    for word, every, gates in _sums(rules):
        print(f"{every:>5}  {gates:>18}  {word}")


def _show(id_: str) -> None:
    rule = catalogue().get(id_)
    if rule is None:
        first, *_, last = catalogue()
        fail(f"no rule is called {id_!r}; there are {first} to {last}", status=2)
    print(f"{id_}: {rule.words}")
    lines = {
        "source": f"{rule.source} ({rule.strength}; written for: {rule.site})",
        "systems": ", ".join(map(str, rule.systems)),
        "served": rule.served,
        "by": rule.by,
        "tests": "\n         ".join(rule.tests) or "none",
    }
    for name, words in lines.items():
        print(f"{name + ':':<8} {words}")
