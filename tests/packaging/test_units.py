"""What systemd/ installs, without a systemd that runs (tests/hil/test_systemd.py boots one)."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging
SYSTEMD = Path(__file__).parents[2] / "systemd"
SERVICES = sorted(SYSTEMD.glob("*.service"))
# Of systemd-analyze security: 0 best, 10 worst. Its --threshold= takes tenths.
MOST_TENTHS = 15
_ANALYZE = shutil.which("systemd-analyze")


def values(path, key):
    """Return the words that a unit gives to a key, in all its lines."""
    lines = re.findall(rf"^{key}=(.*)$", path.read_text(), re.MULTILINE)
    return [word for line in lines for word in line.split()]


def rules():
    """Return the rules of udev: each its matches and assignments, as {("KERNEL", "=="): "..."}."""
    lines = (SYSTEMD / "gatepost.udev.rules").read_text().splitlines()
    found = [
        {(key, operator): value for key, operator, value in re.findall(r'(\w+)(==|=)"(.*?)"', line)}
        for line in lines
        if line and not line.startswith("#")
    ]
    assert found
    return found


def made_by_sysusers(kind):
    text = (SYSTEMD / "gatepost.sysusers.conf").read_text()
    return set(re.findall(rf"^{kind} (\S+)", text, re.MULTILINE))


def test_the_readme_installs_every_file_that_there_is():
    commands = re.findall(r"^    install .*$", (SYSTEMD / "README.md").read_text(), re.MULTILINE)
    named = {word for line in commands for word in line.split() if word.startswith("gatepost")}
    files = {
        path.name
        for path in SYSTEMD.iterdir()
        if path.suffix in (".service", ".timer", ".conf", ".rules")
    }
    assert named == files


def test_udev_gives_devices_to_nobody_but_the_gate_and_its_groups():
    gate = SYSTEMD / "gatepost-gate.service"
    for rule in rules():
        if group := rule.get(("GROUP", "=")):
            assert group in values(gate, "SupplementaryGroups")
            assert group in made_by_sysusers("g")
            assert rule["MODE", "="] == "0660"
        else:
            assert [rule["OWNER", "="]] == values(gate, "User")
            assert rule["OWNER", "="] in made_by_sysusers("u")
            assert rule["MODE", "="] == "0600"
        # One subsystem and one kind of device: no rule is for whatever comes.
        assert rule["SUBSYSTEM", "=="]
        assert "*" not in rule["KERNEL", "=="].removesuffix("[0-9]*")


@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.name)
def test_a_crash_of_none_writes_its_keys_to_the_disk(unit):
    assert values(unit, "LimitCORE") == ["0"]


def test_gate_and_link_are_started_again_for_ever():
    for name in ("gatepost-gate.service", "gatepost-uplink.service"):
        unit = SYSTEMD / name
        assert values(unit, "Restart") == ["always"]
        assert values(unit, "StartLimitIntervalSec") == ["0"]


@pytest.mark.skipif(_ANALYZE is None, reason="NOT TESTED: no systemd-analyze here")
@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.name)
def test_none_is_exposed_more_than_one_and_a_half_of_ten(unit):
    done = subprocess.run(
        [_ANALYZE, "security", "--no-pager", "--offline=true", f"--threshold={MOST_TENTHS}", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, [*done.stdout.splitlines()[-1:], done.stderr]


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_what_hides_the_processor_runs_nothing_that_asks_which_it_is(path):
    """What does (Adafruit's Blinka, gpiozero) fails at its import, where /proc has processes alone:
    a first boot that never takes its settings.
    """
    if "pid" not in values(path, "ProcSubset"):
        assert path.name == "gatepost-gate.service"
        return
    command = values(path, "ExecStart")[1].replace("-", "_")
    # What is imported on the way, where somebody enrols, as well.
    modules = f"gatepost.cli.main, gatepost.cli.{command}, gatepost.provision.enrolment"
    asking = "{'adafruit_platformdetect', 'gpiozero'}"
    code = f"import sys, {modules}; print(*{asking} & sys.modules.keys())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == []
