"""The shipped units on a booted systemd: Debian's own, as the first process of the guest.

The stories are in inside/unit_stories.py. They run in one guest, one after the other; each is one
test here. In real time: systemd's limits are what is measured.
"""

import re
import shlex
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest

from .build import ROOT, NoGuestError, unpacked
from .machine import GuestError, running
from .plugs import scanner_devices
from .site_guest import failures

STORIES = "tests/hil/inside/unit_stories.py"
NAMES = re.findall(r"^def (test_\w+)", (ROOT / STORIES).read_text(), re.MULTILINE)
_SYSTEMD = Path("/lib/systemd/systemd")
_STORY = f"""
cd {shlex.quote(str(ROOT))}
export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1
{shlex.quote(sys.executable)} -m pytest -p no:cacheprovider --color=no -v --tb=short \
    --junitxml=/mnt/report.xml {STORIES}
echo "GUEST: ended with $?"
"""
# The units' own, systemd's and a broker's; what is read of the host's files stays in it too.
_MEMORY_MB = 1024
_LIMIT_S = 900.0


def first_process(udev):
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    given = {
        "VERSION": version,
        "HOME_OF": sys.base_prefix,
        "PACKAGES": sysconfig.get_path("purelib"),
        "UDEV": udev,
    }
    lines = [f"{name}={shlex.quote(str(value))}" for name, value in given.items()]
    return "\n".join([*lines, ". tests/hil/inside/first_process.sh\n"])


@pytest.fixture(scope="module")
def lived(built):
    """Return why each story failed, and the console's lines."""
    if not _SYSTEMD.exists():
        pytest.skip(f"NOT TESTED on a booted systemd: no {_SYSTEMD} here")
    try:
        udev = unpacked("udev")
    except NoGuestError as error:
        pytest.skip(f"NOT TESTED on a booted systemd: {error}")
    # An armed watchdog that nobody pets is none of this file's stories.
    devices = ("-device", "i6300esb", "-action", "watchdog=none")
    with tempfile.TemporaryDirectory(prefix="hil") as folder:  # a socket in it: its path is short
        share = Path(folder)
        (share / "story").write_text(_STORY)
        with running(
            built,
            share,
            first_process(udev),
            devices=(*scanner_devices(share), *devices),
            memory_mb=_MEMORY_MB,
            kernel="guest.first=yes",
        ) as machine:
            try:
                machine.wait_end(_LIMIT_S)
            except GuestError as error:
                machine.lines.append(str(error))
        report = share / "report.xml"
        return failures(report) if report.exists() else {}, machine.lines


@pytest.mark.parametrize("story", NAMES)
def test_under_systemd(lived, story):
    failed, lines = lived
    assert story in failed, "it did not run:\n" + "\n".join(lines[-60:])
    assert not failed[story], failed[story]
