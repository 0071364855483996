"""That the catalogue is whole, and says nothing of tests or of rules that does not exist."""

import ast
import re
from dataclasses import fields
from functools import cache
from pathlib import Path

import msgspec
import pytest

from gatepost.cli import rules as command
from gatepost.core.facts import Facts
from gatepost_config import catalogue as module
from gatepost_config.catalogue import SERVED, SHOWN, SYSTEMS, Rule, catalogue

ROOT = Path(__file__).parents[2]
IDS = [f"R{number:03}" for number in range(1, 304)]
CITED = re.compile(r"\bR[0-9]{3}\b")
SOURCE = re.compile(r"(000|001|002|003|004)\b[ -~]*")


GOOD = """\
[R001]
words = "Somebody does something."
source = "000 4(2)"
strength = "must"
systems = [1]
site = "compound"
served = "enforced"
by = "check temperature"
tests = ["tests/core/test_lane.py::test_lane"]
"""
RULE = Rule(
    words="Somebody does something.",
    source="000 4(2)",
    strength="must",
    systems=(1,),
    site="compound",
    served="enforced",
    by="check temperature",
    tests=("tests/core/test_lane.py::test_lane",),
)


@cache
def functions_of(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


def load(text, monkeypatch, tmp_path):
    path = tmp_path / "catalogue.toml"
    path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(module, "_FILE", path)
    return catalogue.__wrapped__()


def test_it_has_every_rule_once_and_in_order():
    assert list(catalogue()) == IDS


def test_it_is_read_once_and_nobody_changes_it():
    assert catalogue() is catalogue()
    with pytest.raises(TypeError):
        catalogue()["R001"] = catalogue()["R002"]


def test_words_are_one_sentence_each_and_no_two_rules_say_the_same():
    words = [rule.words for rule in catalogue().values()]
    assert len(set(words)) == len(words)
    for sentence in words:
        assert sentence == " ".join(sentence.split())
        assert sentence[0].isupper() or sentence[0].isdigit()
        assert sentence.endswith(".")
        assert sentence.isascii()


def test_sources_are_of_the_five_documents():
    for id_, rule in catalogue().items():
        assert all(SOURCE.fullmatch(each) for each in rule.source.split("; ")), id_


def test_systems_are_ascending_and_each_has_rules():
    found = set()
    for id_, rule in catalogue().items():
        assert rule.systems, id_
        assert list(rule.systems) == sorted(set(rule.systems)), id_
        found.update(rule.systems)
    assert found == set(range(1, SYSTEMS + 1))


def test_every_kind_of_serving_is_used_and_those_that_show_are_kinds():
    assert {rule.served for rule in catalogue().values()} == set(SERVED)
    assert set(SERVED) > SHOWN


def test_nothing_is_promised_for_later():
    for id_, rule in catalogue().items():
        assert not re.search(r"\b(later|todo|tbd|planned|soon)\b", rule.by, re.IGNORECASE), id_


def test_every_named_test_exists():
    named = {test for rule in catalogue().values() for test in rule.tests}
    missing = []
    for test in named:
        path, _, name = test.partition("::")
        if not (ROOT / path).is_file() or name not in functions_of(path):
            missing.append(test)
    assert not missing


def test_no_test_is_named_twice_for_a_rule():
    assert all(len(set(rule.tests)) == len(rule.tests) for rule in catalogue().values())


def test_every_rule_of_a_gates_system_that_shows_at_the_gate_has_a_test():
    assert not [
        id_
        for id_, rule in catalogue().items()
        if rule.served in SHOWN and command.is_gates(rule) and not rule.tests
    ]


# What nobody can serve at a gate: money and offices, goods to doors, diagnoses, who leads whom.
OUTSIDE = {
    *("R021", "R056", "R110", "R125", "R142", "R191", "R192", "R194", "R201", "R207", "R210"),
    *("R213", "R214", "R215", "R253", "R254", "R255", "R256"),
}


def test_every_rule_of_a_gates_system_shows_at_the_gate_or_is_known_to_be_outside():
    gates = {id_: rule for id_, rule in catalogue().items() if command.is_gates(rule)}
    assert {id_ for id_, rule in gates.items() if rule.served not in SHOWN} == OUTSIDE
    assert all(gates[id_].served == "outside" for id_ in OUTSIDE)


@pytest.mark.packaging
@pytest.mark.parametrize(
    ("folder", "pattern"),
    [
        ("config/regimes", "*.toml"),
        ("config", "**/*.py"),
        ("firmware", "**/*.py"),
        ("hal", "**/*.py"),
        ("services", "**/*.py"),
    ],
)
def test_every_rule_that_is_cited_is_in_it(folder, pattern):
    paths = list((ROOT / folder).glob(pattern))
    assert paths
    unknown = {
        (str(path), id_)
        for path in paths
        for id_ in CITED.findall(path.read_text(encoding="utf-8"))
        if id_ not in catalogue()
    }
    assert not unknown


@pytest.mark.packaging
def test_the_table_in_the_document_is_what_it_says():
    text = (ROOT / "config/RULES.md").read_text(encoding="utf-8")
    renew = "it is stale: run gatepost rules coverage --markdown config/RULES.md"
    assert command.renewed(text) == text, renew


def test_an_unknown_key_an_overlong_line_and_another_kind_are_refused(monkeypatch, tmp_path):
    assert load(GOOD, monkeypatch, tmp_path) == {"R001": RULE}
    for bad in (
        f'{GOOD}more = "words"\n',
        GOOD.replace("[R001]", "[R1]"),
        GOOD.replace("enforced", "perhaps"),
        GOOD.replace("must", "may"),
        GOOD.replace("Somebody", 160 * "x"),
        GOOD.replace("Somebody", "One | two:"),
        GOOD.replace('source = "000 4(2)"\n', ""),
        GOOD.replace("systems = [1]", "systems = [41]"),
        GOOD.replace("test_lane.py::test_lane", "test_lane.py"),
    ):
        assert bad != GOOD
        with pytest.raises(msgspec.ValidationError):
            load(bad, monkeypatch, tmp_path)


def test_a_rule_is_a_value():
    rule = catalogue()["R001"]
    assert isinstance(rule, Rule)
    with pytest.raises(AttributeError):
        rule.words = "other"


def test_nothing_that_a_decision_knows_of_a_person_is_an_identity():
    # R176, R177: what no decision can ask for, nobody has to show.
    identities = {"name", "identity", "id_card", "phone", "address", "photo", "birthday"}
    assert identities.isdisjoint(field.name for field in fields(Facts))
