"""The one guest in which a whole site runs, for all tests that look at one."""

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

from .build import Guest
from .machine import GuestError, running
from .plugs import plug, scanner_devices, unplug

STORIES = "tests/hil/inside/gate_stories.py"
_SCRIPT = f"""
export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1
$PYTHON -m pytest -p no:cacheprovider --color=no -v --tb=short --junitxml=/mnt/report.xml {STORIES}
$PYTHON -m tests.hil.inside.latency
"""
_LIMIT_S = 600.0


class Lived(NamedTuple):
    """What became of a site.

    `failed`: by the name of a story, why; empty where nothing did. `took_s`: by the name of a way
    to a relay, the seconds of each repetition. `lines`: of the console.
    """

    failed: dict[str, str]
    took_s: dict[str, list[float]]
    lines: list[str]


@cache
def lived(guest: Guest) -> Lived:
    """Return what became of the site: of one guest, also where that failed."""
    with tempfile.TemporaryDirectory(prefix="hil") as folder:
        share = Path(folder)
        try:
            lines = _run(guest, share)
        except GuestError as error:
            lines = [str(error)]
        report, figures = share / "report.xml", share / "figures.json"
        return Lived(
            failures(report) if report.exists() else {},
            json.loads(figures.read_text()) if figures.exists() else {},
            lines,
        )


def _run(guest: Guest, share: Path) -> list[str]:
    with running(
        guest, share, _SCRIPT, is_virtual_time=True, devices=scanner_devices(share)
    ) as machine:
        while (said := machine.wait_for(r"HOST: (plug|unplug)|GUEST: ended", _LIMIT_S))[1]:
            {"plug": plug, "unplug": unplug}[said[1]](machine)
    return machine.lines


def failures(report: Path) -> dict[str, str]:
    """Return why each test of pytest's report failed, by its name; empty where it did not."""
    tree = ET.parse(report)  # noqa: S314 - pytest wrote it, in our own guest
    return {
        case.attrib["name"]: "\n".join(failure.text or "" for failure in case)
        for case in tree.iter("testcase")
    }
