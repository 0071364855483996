"""Run by pytest in the guest (see tests/hil/test_systemd.py), behind unit_stories.py: `gatepost`
as root on a gate that systemd runs, with the systemctl that is there. They end with a reset, and
with units that cannot start.
"""

import json
import os
import subprocess
from pathlib import Path
from threading import Event

import pytest

from . import lane, units
from .lane import PINS
from .unit_bench import ETC, STATE, let_out, nothing_is_released, owner
from .units import GATE, LINK

SETTINGS, BEFORE = ETC / "gatepost.toml", ETC / "gatepost.toml.before"
NAME = "lane-1"
# What a gate that runs can be asked. The rest is not checked here, and no false alarm either; but
# that a busy emulator is slow may be told.
_SOUND = ("config.file", "unit.gate", "unit.link", "unit.hardening", "system.users")
_SOUND += ("gpio.chip", "i2c.device", "reader.entry", "journal.whole", "secret.mode")
_SLOW = ("gate.faults", "disk.write", "broker.")
# systemd's own: five starts in ten seconds, and it gives up.
DEFAULT_BURST = 5


@pytest.fixture
def both(server):  # noqa: ARG001 - it has the units installed
    """Both run, and the lane is empty; return their processes."""
    lane.rest()
    units.run("systemctl", "start", GATE, LINK)  # returns when both have said READY=1
    lane.wait_until(nothing_is_released, "the last release is over")
    return pids()


def pids():
    told = units.run("systemctl", "show", "--property=MainPID", "--value", GATE, LINK)
    return tuple(map(int, told.split()))


def gatepost(*words, status=0):
    """Run a command as a technician would, as root; return what it says, on either way out."""
    done = subprocess.run(
        [f"{units.VENV}/gatepost", *words],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


@pytest.fixture
def other(tmp_path):
    """A file of other settings of this gate, for the gate and for the link."""
    path = tmp_path / "other.toml"
    path.write_text(
        SETTINGS.read_text().replace("[screening]", "[turnstile]\nrelease_hold_s = 3\n[screening]")
        + "keepalive_s = 45\n"
    )
    return path


@pytest.mark.usefixtures("both")
def test_the_doctor_finds_both_units_in_order():
    done = subprocess.run(
        [f"{units.VENV}/gatepost", "doctor", "--json"], capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    found = {each["id"]: each for each in json.loads(done.stdout)["checks"]}
    assert {id_: found[id_] for id_ in _SOUND if found[id_]["level"] != "ok"} == {}
    alarms = [each for each in found.values() if each["level"] in ("warning", "fault")]
    assert [each for each in alarms if not each["id"].startswith(_SLOW)] == []


def test_a_file_that_cannot_be_used_changes_nothing(both, tmp_path):
    bad, held = tmp_path / "bad.toml", SETTINGS.read_bytes()
    bad.write_text(SETTINGS.read_text().replace("warm_up_s = 0", 'warm_up_s = "soon"'))
    said = gatepost("config", "apply", str(bad), "--yes", status=2)
    assert "warm_up_s" in said
    assert (SETTINGS.read_bytes(), BEFORE.exists(), pids()) == (held, False, both)


def test_other_settings_wait_for_whoever_is_in_the_lane_and_then_both_take_them(both, other):
    held = SETTINGS.read_bytes()
    let_out()  # and nobody has walked yet
    applying = subprocess.Popen(
        [f"{units.VENV}/gatepost", "config", "apply", str(other), "--yes"],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with applying, applying.stdout as told:
        lane.close(PINS.passage)  # somebody stands in the arm from now on
        before = [next(told)]
        while "waiting, at most" not in before[-1]:
            before.append(next(told))
        Event().wait(1.0)  # it looks twice a second
        assert pids()[0] == both[0]
        lane.open_(PINS.passage)
        after = told.read()
    assert applying.returncode == 0, after
    for told in (
        "gate: nobody is in the lane; it starts anew",
        "gate: runs with them",
        "link: start",
    ):
        assert told in after
    assert (SETTINGS.read_bytes(), BEFORE.read_bytes()) == (other.read_bytes(), held)
    assert owner(SETTINGS) == ("root", "gatepost", 0o640)
    assert not set(pids()) & {0, *both}


def test_a_rollback_puts_the_ones_before_in_force(both):
    now, before = SETTINGS.read_bytes(), BEFORE.read_bytes()
    assert now != before
    assert "gate: runs with them\nlink: started anew" in gatepost("config", "rollback", "--yes")
    assert (SETTINGS.read_bytes(), BEFORE.read_bytes()) == (before, now)
    assert not set(pids()) & {0, *both}
    let_out()


@pytest.mark.usefixtures("both")
def test_a_factory_reset_stops_both_and_leaves_nothing_that_starts():
    lane.wait_until(nothing_is_released, "the last release is over")
    said = gatepost("factory-reset", "--yes", NAME)
    assert "erased: " in said
    for unit in (GATE, LINK):
        told = units.show(unit)
        assert (told["ActiveState"], told["Result"]) == ("inactive", "success")
    left = [path for path in (*STATE.rglob("*"), *ETC.rglob("*")) if not path.is_dir()]
    assert left == []
    assert list(Path("/run/gatepost").rglob("*.sock")) == []
    units.run("systemctl", "start", "--no-block", GATE)
    units.wait_for(GATE, lambda now: int(now["NRestarts"]) > 0, "starts without settings")
    assert units.show(GATE)["ActiveState"] != "active"
    assert nothing_is_released()
    units.run("systemctl", "stop", GATE)
    assert "gatepost.toml: there is no such file" in units.log_of(GATE)


@pytest.mark.usefixtures("server")
def test_one_that_fails_at_every_start_is_tried_for_ever_with_the_relays_off():
    broken = "Type=exec\nExecStart=\nExecStart=/bin/false\nRestartSec=100ms"
    with units.in_place_of_program(LINK, broken), units.in_place_of_program(GATE, broken):
        units.run("systemctl", "start", "--no-block", LINK, GATE)
        for unit in (LINK, GATE):
            units.wait_for(
                unit,
                lambda now: int(now["NRestarts"]) > 2 * DEFAULT_BURST,
                "more starts than systemd makes by itself",
            )
            assert units.show(unit)["ActiveState"] != "failed"
    assert nothing_is_released()
