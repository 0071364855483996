"""Every code that the code can say is in the table, and the table has no other.

The codes are collected from the source: by where they stand, not by running it.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import gatepost
import gatepost_services
from gatepost.core.faults import Fault
from gatepost.core.passback import ALREADY_INSIDE, TOO_SOON
from gatepost.core.states import State
from gatepost_services.contract.reasons import PLACES, as_markdown, codes, reasons

FIRMWARE = Path(gatepost.__file__).parent
SERVICES = Path(gatepost_services.__file__).parent
CODE = re.compile(r"[a-z][a-z0-9_]*")
# Members and arguments that hold a code.
NAMES = frozenset({"why", "reason", "refusal", "cause", "finding", "objection"})
# Enumerations whose values are codes.
ENUMS = frozenset({"Why", "Refusal", "Reason", "Finding", "Fault"})
# Functions that return one, or take one at this place.
RETURNS = re.compile(r"_?(refusal|reason|why)\w*")
TAKES = {"_closed": 4, "Evict": 2, "_make_room": 2, "Objection": 0, "_refuse": 1}
# Constants that hold one.
WORDS = re.compile(r"_NOT?_[A-Z_]+")
# What is said to a technician or to the person, and in no event and no reply.
ELSEWHERE = ("cli/", "demo/", "verify/", "hub/", "core/prompts.py")
# Words that stand where a code may stand, and are none: of settings, of words for technicians.
NO_CODES = frozenset({"home", "ok", "staff"})
# `Refusal` of `core.facts` is what a person refuses: a word of facts, which no event has.
NO_ENUM = {"core/facts.py": "Refusal"}


def parsed() -> Iterator[tuple[str, ast.AST]]:
    for folder in (FIRMWARE, SERVICES):
        for path in sorted(folder.rglob("*.py")):
            if path.is_relative_to(SERVICES / "contract") and path.name != "events.py":
                continue
            name = path.relative_to(folder).as_posix()
            if not name.startswith(ELSEWHERE):
                yield name, ast.parse(path.read_text(encoding="utf-8"))


def constants(node: ast.AST | None) -> Iterator[str]:
    """Yield the literals that an expression can come to."""
    match node:
        case ast.Constant(value=str(value)):
            yield value
        case ast.IfExp(body=body, orelse=orelse):
            yield from constants(body)
            yield from constants(orelse)
        case ast.BoolOp(values=values):
            for value in values:
                yield from constants(value)


def name_of(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def in_data(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if isinstance(key, ast.Constant) and key.value in NAMES:
                    yield from constants(value)
        case ast.Assign(targets=[ast.Subscript(slice=ast.Constant(value=key))]) if key in NAMES:
            yield from constants(node.value)
        case ast.Assign(targets=[ast.Name(id=name)]) if name in NAMES or WORDS.fullmatch(name):
            yield from constants(node.value)
        case ast.AnnAssign(target=ast.Name(id=name)) if name in NAMES:
            yield from constants(node.value)


def in_calls(node: ast.AST) -> Iterator[str]:
    if not isinstance(node, ast.Call):
        return
    for keyword in node.keywords:
        if keyword.arg in NAMES:
            yield from constants(keyword.value)
    place = TAKES.get(name_of(node))
    if place is not None and len(node.args) > place:
        yield from constants(node.args[place])


def in_definitions(node: ast.AST, where: str) -> Iterator[str]:
    match node:
        case ast.ClassDef(name=name, body=lines) if name in ENUMS and NO_ENUM.get(where) != name:
            for line in lines:
                if isinstance(line, ast.Assign):
                    yield from constants(line.value)
        case ast.FunctionDef(name=name) if RETURNS.fullmatch(name):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return):
                    yield from constants(inner.value)


@cache
def spoken() -> dict[str, set[str]]:
    """Return every code that the source can say, and where."""
    found: dict[str, set[str]] = {}
    for where, tree in parsed():
        for node in ast.walk(tree):
            for word in (*in_data(node), *in_calls(node), *in_definitions(node, where)):
                if CODE.fullmatch(word) and word not in NO_CODES:
                    found.setdefault(word, set()).add(where)
    for word in (ALREADY_INSIDE, TOO_SOON, *(state.name.lower() for state in State)):
        found.setdefault(word, set()).add("core")
    return found


def test_every_code_that_can_be_said_is_in_the_table():
    missing = {code: where for code, where in spoken().items() if code not in codes()}
    assert not missing


def test_every_code_of_the_table_can_be_said():
    assert codes() - spoken().keys() == set()


def test_the_collection_sees_each_way_in_which_a_code_is_said():
    """One code of each family, so that a change of style makes this red, and not blind."""
    found = spoken()
    for code, where in {
        "not_now": "core/lane.py",
        "no_record": "gate/clerk.py",
        "left": "core/ledgers.py",
        "cold": "core/screening.py",
        "entrance": "core/rules.py",
        "no_escort": "wiring/signed_codes.py",
        "window_too_long": "commands/judge.py",
        "not_authentic": "wiring/remote.py",
        "lost": "journal/opening.py",
        "age": "journal/bounds.py",
        "refused": "uplink/bodies.py",
        "sensor": "core/faults.py",
        "wrong_base": "sync/documents.py",
        "step": "credentials/errors.py",
    }.items():
        assert where in found[code], code


def test_faults_and_states_are_in_the_table_as_such():
    assert codes("fault") == {fault.value for fault in Fault}
    assert codes("state") == {state.name.lower() for state in State}


@pytest.mark.parametrize("code", sorted(reasons()))
def test_a_code_has_a_meaning_in_both_languages_and_a_place(code):
    meaning = reasons()[code]
    assert CODE.fullmatch(code)
    assert meaning.en.endswith(".")
    assert meaning.en[0].isupper()
    assert meaning.zh.endswith("。")
    assert re.search(r"[\u4e00-\u9fff]", meaning.zh)
    assert meaning.where
    assert set(meaning.where) <= PLACES.keys()


def test_the_table_is_printed_with_a_row_a_code():
    rows = [line for line in as_markdown().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == sorted(reasons())
