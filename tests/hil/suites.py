"""Runs tests of this checkout in the guest, and reads what became of each."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

from .build import ROOT

_PYTEST = "-m pytest -p no:cacheprovider -q"


class Outcomes(NamedTuple):
    """Names of tests, as "test_one[high-kernel]"."""

    passed: set[str]
    failed: set[str]


def inside(arguments: str, to: str = "outcomes.xml") -> str:
    """Return the script's line that runs these tests; the share has the outcomes afterwards."""
    # No test in there uses a plugin, and to load them costs seconds at this speed.
    python = "PYTHONHASHSEED=0 PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $PYTHON"
    return f"{python} {_PYTEST} --tb=short --junitxml=/mnt/{to} {arguments}\n"


def read(path: Path) -> Outcomes:
    """Return what became of each test. One that was skipped is neither."""
    passed, failed = set(), set()
    for case in ET.parse(path).iter("testcase"):  # noqa: S314 - our own pytest's
        name = case.attrib["name"]
        if case.find("failure") is not None or case.find("error") is not None:
            failed.add(name)
        elif case.find("skipped") is None:
            passed.add(name)
    return Outcomes(passed, failed)


def collected(path: Path, expression: str = "") -> set[str]:
    """Return the tests that are in a file here, on the host."""
    command = [sys.executable, *_PYTEST.split(), "--collect-only", "-k", expression, str(path)]
    # Some names have sets in them: the same order as in the guest.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    told = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment
    )
    names = {line.partition("::")[2] for line in told.stdout.splitlines() if "::" in line}
    assert names, told.stdout + told.stderr
    return names
