"""The whole site on a real kernel: gate, link, broker and server, and people who walk through.

The stories are in inside/gate_stories.py. They run in one guest, one after the other; each is one
test here.
"""

import re

import pytest

from .build import ROOT
from .site_guest import STORIES, lived

NAMES = re.findall(r"^def (test_\w+)", (ROOT / STORIES).read_text(), re.MULTILINE)


@pytest.mark.parametrize("story", NAMES)
def test_on_a_real_kernel(built, story):
    site = lived(built)
    assert story in site.failed, "it did not run:\n" + "\n".join(site.lines[-40:])
    assert not site.failed[story], site.failed[story]
