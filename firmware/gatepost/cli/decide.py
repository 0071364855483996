"""`gatepost decide`: facts about people in, one decision a line out, by a regime.

The same core as at the gate, without its hardware: to see what an order does before it is in
force, and to ask why somebody was not let in. Exit status: 0, or 1 when a line could not be read;
its answer is then {"line": N, "error": "..."}, and the other lines are decided all the same.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from gatepost.cli.main import fail
from gatepost.core.facts import Facts
from gatepost.core.regime import Regime, RegimeLoopError, in_force
from gatepost.core.rules import Decision, decide
from gatepost.wiring.facts_json import FactsError, facts_of
from gatepost.wiring.regimes import load

_STDIN = Path("-")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--regime", required=True, metavar="NAME|FILE", help="a shipped regime, or a file of one"
    )
    parser.add_argument(
        "--site", type=Path, metavar="FILE", help="the site's own lines, which change the regime"
    )
    parser.add_argument(
        "facts", type=Path, metavar="FACTS.jsonl", help='one JSON object a line; "-" is the input'
    )


def run(args: argparse.Namespace) -> int:
    """Decide on each line."""
    regimes = load(args.regime, args.site)
    name = next(iter(regimes))
    status = 0
    for number, line in enumerate(_lines(args.facts), start=1):
        if not line.strip():
            continue
        try:
            answer = _answer(facts_of(line), name, regimes)
        except (FactsError, RegimeLoopError) as error:
            answer, status = {"line": number, "error": str(error)}, 1
        print(json.dumps(answer, ensure_ascii=False))
    return status


def _lines(path: Path) -> list[bytes]:
    if path == _STDIN:
        return sys.stdin.buffer.read().splitlines()
    try:
        return path.read_bytes().splitlines()
    except OSError as error:
        fail(f"{path}: cannot be read: {error.strerror}")


def _answer(facts: Facts, name: str, regimes: Mapping[str, Regime]) -> dict[str, object]:
    regime = in_force(name, regimes, facts.now)
    return {**told(decide(facts, regime)), "regime": regime.name}


def told(decision: Decision) -> dict[str, object]:
    """Return a decision, ready for JSON. Every one is recorded (R161)."""
    return {
        "outcome": decision.outcome.word,
        "release": decision.release,
        "rules": list(decision.rules),
        "tell": [notice._asdict() for notice in decision.tell],
        "record": True,
        "say": list(decision.say),
        "reason": decision.reason,
    }
