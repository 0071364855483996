"""House rules that a machine can check."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging
ROOT = Path(__file__).parents[2]
SOURCE_ROOTS = ("firmware", "hal", "services", "config")
TOP_LEVEL = {
    *("firmware", "hal", "services", "config", "systemd", "tests"),
    *("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "Makefile"),
}
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 50


def tracked(*patterns):
    listed = subprocess.run(
        ["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.splitlines()]


def source_modules():
    return [path for path in tracked("*.py") if path.relative_to(ROOT).parts[0] in SOURCE_ROOTS]


def test_the_top_level_is_the_fixed_one():
    names = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert {name for name in names if not name.startswith(".")} <= TOP_LEVEL


def test_no_module_lies_beside_the_packages():
    # It would be importable from an editable install alone.
    loose = [path for name in SOURCE_ROOTS for path in (ROOT / name).glob("*.py")]
    assert loose == []


def test_modules_and_functions_are_short():
    long = []
    for path in tracked("*.py"):
        text = path.read_text()
        if text.count("\n") > MAX_MODULE_LINES:
            long.append(f"{path.relative_to(ROOT)}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno}: {node.name} {length}")
    assert long == []


def test_nothing_sleeps_in_tests_or_tells_the_time_in_the_core():
    forbidden = re.compile(r"\btime\.sleep\(|\btime\.time\(|\bdatetime\.now\(")
    places = [
        str(path.relative_to(ROOT))
        for path in tracked(
            "tests/*.py", "firmware/gatepost/core/*.py", "firmware/gatepost/gate/*.py"
        )
        if forbidden.search(path.read_text()) and path != Path(__file__)
        # No tests; some of them play in real time.
        if path.relative_to(ROOT).parts[:2] != ("tests", "bench")
    ]
    assert places == []


def test_no_assertion_is_a_conditional_expression():
    # `assert a == b if c else d` parses as `assert (a == b if c else d)` and often cannot fail.
    places = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in tracked("tests/*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assert) and isinstance(node.test, ast.IfExp)
    ]
    assert places == []


def test_every_shipped_text_ends_with_a_line_end_and_has_no_path_of_one_machine():
    home = re.compile(r"/(?:work|root|home/[a-z]+)/")
    bad = []
    for path in tracked("*.py", "*.md", "*.toml", "*.csv", "Makefile", ".ci/*"):
        text = path.read_text()
        if not text.endswith("\n") or (home.search(text) and path != Path(__file__)):
            bad.append(str(path.relative_to(ROOT)))
    assert bad == []


def test_supported_pythons_are_those_of_the_classifiers():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [re.search(r":: (3\.\d+)$", line) for line in project["classifiers"]]
    assert [found[1] for found in named if found] == ["3.11", "3.12", "3.13"]
    assert project["requires-python"] == ">=3.11"
