"""The whole site on a real kernel: gate, link, broker and server, and people who walk through.

The stories are in inside/gate_stories.py. They run in one guest, one after the other; each is one
test here.
"""

import re
from xml.etree import ElementTree as ET

import pytest

from .build import ROOT
from .machine import running
from .plugs import plug, scanner_devices, unplug

STORIES = "tests/hil/inside/gate_stories.py"
NAMES = re.findall(r"^def (test_\w+)", (ROOT / STORIES).read_text(), re.MULTILINE)
LIMIT_S = 600.0


@pytest.fixture(scope="module")
def told(built, tmp_path_factory):
    """What became of each story: nothing, or what failed."""
    share = tmp_path_factory.mktemp("share")
    script = (
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $PYTHON -m pytest -p no:cacheprovider --color=no -v "
        f"--junitxml=/mnt/report.xml {STORIES}"
    )
    with running(built, share, script, is_virtual_time=True, devices=scanner_devices()) as machine:
        while (said := machine.wait_for(r"HOST: (plug|unplug)|GUEST: ended", LIMIT_S))[1]:
            {"plug": plug, "unplug": unplug}[said[1]](machine)
    report = ET.parse(share / "report.xml")  # noqa: S314 - pytest wrote it, in our own guest
    return {
        case.attrib["name"]: "\n".join(failure.text or "" for failure in case)
        for case in report.iter("testcase")
    }


@pytest.mark.parametrize("story", NAMES)
def test_on_a_real_kernel(told, story):
    assert story in told, f"it did not run; of {NAMES} these did: {list(told)}"
    assert not told[story], told[story]
