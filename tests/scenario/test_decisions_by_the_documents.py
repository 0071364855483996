"""Two hundred people at a gate: what the documents ask for, written before the engine was asked.

`decisions.jsonl` has one a line: the regime, who it is, the facts as `gatepost decide` takes them,
the outcomes that the documents allow, and rules, recipients and prompts that must be among those
of the decision. Where no document decides, several outcomes stand there.
"""

import json
from pathlib import Path

import pytest

from gatepost.cli.main import main
from gatepost_config.regimes import shipped

LINES = Path(__file__).with_name("decisions.jsonl").read_text(encoding="utf-8").splitlines()
CASES = [json.loads(line) for line in LINES]
RELEASING = {"admit", "admit_and_report"}


@pytest.fixture
def decided(tmp_path, capsys):
    """The decisions of `gatepost decide`, by the number of the line."""
    found = {}
    for name in shipped():
        numbers = [number for number, case in enumerate(CASES) if case["regime"] == name]
        path = tmp_path / f"{name}.jsonl"
        lines = [json.dumps(CASES[number]["facts"]) for number in numbers]
        path.write_text("\n".join(lines), encoding="utf-8")
        assert main(["decide", "--regime", name, str(path)]) == 0
        answers = map(json.loads, capsys.readouterr().out.splitlines())
        found |= dict(zip(numbers, answers, strict=True))
    return found


def test_each_is_decided_as_the_documents_ask(decided):
    assert len(decided) == len(CASES)
    wrong = []
    for number, case in enumerate(CASES):
        decision = decided[number]
        told = {notice["who"] for notice in decision["tell"]}
        is_right = (
            decision["outcome"] in case["outcome"]
            and decision["release"] is (decision["outcome"] in RELEASING)
            and decision["record"] is True
            and set(case["rules"]) <= set(decision["rules"])
            and set(case["tell"]) <= told
            and set(case["say"]) <= set(decision["say"])
        )
        if not is_right:
            wrong.append((case["regime"], case["who"], decision))
    assert wrong == []


def test_there_are_some_of_every_regime_direction_and_outcome():
    assert len(CASES) > 190
    assert {case["regime"] for case in CASES} == set(shipped())
    assert {case["facts"]["direction"] for case in CASES} == {"entry", "exit"}
    outcomes = {outcome for case in CASES for outcome in case["outcome"]}
    assert outcomes == {*RELEASING, "recheck", "refer", "redirect", "deny"}
    assert len({(case["regime"], case["who"]) for case in CASES}) == len(CASES)
