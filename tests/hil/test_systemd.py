"""The shipped units on a booted systemd: Debian's own, as the first process of the guest.

The stories are in inside/*_stories.py, one after the other in one guest, whose power goes in the
middle; each is one test here. In real time: systemd's limits are what is measured.
"""

import re
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from itertools import chain
from pathlib import Path

import pytest

from .build import CACHE, ROOT, NoGuestError, found, unpacked
from .machine import GuestError, running
from .plugs import scanner_devices
from .site_guest import failures

# One boot each, on one disk: the power goes between the two.
STORIES = (
    ("tests/hil/inside/unit_stories.py", "tests/hil/inside/settings_stories.py"),
    ("tests/hil/inside/card_stories.py",),
)
NAMES = [
    name
    for path in chain.from_iterable(STORIES)
    for name in re.findall(r"^def (test_\w+)", (ROOT / path).read_text(), re.MULTILINE)
]
_SYSTEMD = Path("/lib/systemd/systemd")
_STORY = """
cd {root}
export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1
{python} -m pytest -p no:cacheprovider -p tests.hil.inside.unit_bench --color=no -v --tb=short \\
    --junitxml=/mnt/report.xml {stories}
status=$?
sync
echo "GUEST: ended with $status"
"""
# The units' own, systemd's and a broker's; what is read of the host's files stays in it too.
_MEMORY_MB = 1024
_DISK_BYTES = 1 << 30
_LIMIT_S = 900.0
# A card for this guest: what the bench has, and where it enrols, in there.
_SITES = "site,gate,network\nbench,gate-7,wired\n"
_TEMPLATE = """
[screening]
learns = false
[sensor]
calibration = "factory"
warm_up_s = 0
[link]
broker_host = "127.0.0.1"
broker_port = 1
transport = "plain"
"""
_ENROL_AT = "https://localhost:8085"


def first_process(udev):
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    given = {
        "VERSION": version,
        "HOME_OF": sys.base_prefix,
        "PACKAGES": sysconfig.get_path("purelib"),
        "UDEV": udev,
        "MODULES": CACHE / "root",
    }
    lines = [f"{name}={shlex.quote(str(value))}" for name, value in given.items()]
    return "\n".join([*lines, ". tests/hil/inside/first_process.sh\n"])


def make_disk(image):
    """Make the file system that what is written in the guest lies on."""
    with image.open("wb") as file:
        file.truncate(_DISK_BYTES)
    subprocess.run([found("mkfs.ext4") or "mkfs.ext4", "-q", "-F", image], check=True)


def make_card(folder, desk):
    """Make a card as a technician does, and the site's authority: `desk`/ca."""

    def gatepost(*words):
        command = [sys.executable, "-m", "gatepost", *map(str, words)]
        done = subprocess.run(command, cwd=desk, capture_output=True, text=True, check=False)
        assert not done.returncode, done.stdout + done.stderr

    (desk / "sites.csv").write_text(_SITES)
    (desk / "all.toml").write_text(_TEMPLATE)
    gatepost("pki", "init", "bench", "--dir", "ca")
    gatepost(
        *("provision", "sites.csv", "cards", "--template", "all.toml"),
        *("--pki", "ca", "--enrol", _ENROL_AT),
    )
    (desk / "cards" / "bench-gate-7").rename(folder)


def disk_devices(image):
    return (
        *("-drive", f"if=none,id=disk,format=raw,cache=unsafe,file={image}"),
        *("-device", "virtio-blk-pci,drive=disk"),
    )


def card_devices(folder):
    """Put a card in: QEMU makes FAT of a folder, and forgets what is written to it."""
    return (
        *("-drive", f"if=none,id=card,format=raw,snapshot=on,file=fat:16:{folder}"),
        *("-device", "virtio-blk-pci,drive=card"),
    )


def run_stories(built, share, udev, stories, devices):
    """Boot once; return why each story failed, and the console's lines."""
    told = {"root": ROOT, "python": sys.executable, "stories": " ".join(stories)}
    quoted = {key: shlex.quote(str(value)) for key, value in told.items() if key != "stories"}
    (share / "story").write_text(_STORY.format_map(told | quoted))
    with running(
        built,
        share,
        first_process(udev),
        devices=(*scanner_devices(share), *devices),
        memory_mb=_MEMORY_MB,
        kernel="guest.first=yes guest.memory=/dev/vda",
    ) as machine:
        try:
            machine.wait_end(_LIMIT_S)
        except GuestError as error:
            machine.lines.append(str(error))
    report = share / "report.xml"
    return failures(report) if report.exists() else {}, machine.lines


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
    watchdog = ("-device", "i6300esb", "-action", "watchdog=none")
    with tempfile.TemporaryDirectory(prefix="hil") as folder:  # a socket in it: its path is short
        shares = [Path(folder, name) for name in ("first", "second")]
        for share in shares:
            share.mkdir()
        image, card = Path(folder, "disk"), Path(folder, "card")
        make_disk(image)
        make_card(card, shares[1])
        disk = disk_devices(image)
        failed, lines = run_stories(built, shares[0], udev, STORIES[0], (*disk, *watchdog))
        devices = (*disk, *card_devices(card), *watchdog)
        more, after = run_stories(built, shares[1], udev, STORIES[1], devices)
        return failed | more, [*lines, "--- the power is gone, and back", *after]


@pytest.mark.parametrize("story", NAMES)
def test_under_systemd(lived, story):
    failed, lines = lived
    assert story in failed, "it did not run:\n" + "\n".join(lines[-60:])
    assert not failed[story], failed[story]
