"""The package on a systemd that runs: what the scripts stop and start, and what a boot starts."""

import json

import pytest

from .booted import NoBootError, booted
from .test_package import CONFIG, configure, install, verified

pytestmark = pytest.mark.packaging
GATE, LINK, TIMER = "gatepost-gate.service", "gatepost-uplink.service", "gatepost-renew.timer"
# There are no lines and no bus here: the gate process of the demo in the place of the other, as the
# same user, behind the same wall.
SIMULATED = """[Service]
Type=simple
WatchdogSec=0
ExecStart=
ExecStart=/usr/bin/gatepost simulate --people 1000000 --speed 1
"""


@pytest.fixture
def boot(root, tmp_path):
    """Return a function that boots this Debian, with systemd and without the package."""

    def boots():
        return booted(root, tmp_path)

    try:
        with boots() as machine:
            machine.do("systemctl", "--version")
    except NoBootError as error:
        pytest.skip(f"NOT TESTED on a booted systemd: {error}")
    return boots


def simulate_the_lane(root):
    folder = root.path / f"etc/systemd/system/{GATE}.d"
    folder.mkdir()
    (folder / "override.conf").write_text(SIMULATED)


def states(machine):
    return {unit: machine.shown(unit, "ActiveState") for unit in (GATE, LINK, TIMER)}


def test_a_machine_that_runs(root, boot, package, older):
    # Installed: nothing runs, and asked to start it says why it does not.
    with boot() as machine:
        told = install(machine, package)
        assert told.status == 0, told.text
        assert states(machine) == {GATE: "inactive", LINK: "inactive", TIMER: "inactive"}
        machine.do("systemctl", "start", GATE, LINK)
        assert machine.shown(GATE, "ConditionResult") == "no"
        assert states(machine)[GATE] == "inactive"
        configure(machine)
    simulate_the_lane(root)

    # The next boot has settings: all of it starts by itself.
    with boot() as machine:
        assert states(machine) == {GATE: "active", LINK: "active", TIMER: "active"}
        before = {unit: machine.shown(unit, "MainPID") for unit in (GATE, LINK)}

        # An older version over it, and this one again: stopped meanwhile, running afterwards.
        for each, version in ((older, "0.0.9"), (package, "0.1.0")):
            told = install(machine, each)
            assert told.status == 0, told.text
            assert machine.do("gatepost", "--version") == f"gatepost {version}\n"
            assert states(machine) == {GATE: "active", LINK: "active", TIMER: "active"}
            now = {unit: machine.shown(unit, "MainPID") for unit in (GATE, LINK)}
            assert all(now[unit] != before[unit] for unit in (GATE, LINK))
            before = now
        print(f"without a gate for {away_s(machine):.1f} s")
        found = verified(machine)
        assert found["whole"], json.dumps(found)
        assert found["events"] > 0

        # What somebody stopped and disabled stays so.
        machine.do("systemctl", "disable", "--now", LINK)
        assert install(machine, package).status == 0
        assert states(machine) == {GATE: "active", LINK: "inactive", TIMER: "active"}

        # Removed: nothing of it runs; purged: nothing of it is there.
        machine.do("dpkg", "--remove", "gatepost")
        assert states(machine) == {GATE: "inactive", LINK: "inactive", TIMER: "inactive"}
        assert machine.do("find", "/proc", "-maxdepth", "1", "-user", "gatepost-gate") == ""
        machine.do("dpkg", "--purge", "gatepost")
        assert machine.shown(GATE, "LoadState") == "not-found"
        assert not (root.path / CONFIG.lstrip("/")).exists()
        left = machine.do("find", "/", "/run", "-xdev", "(", "-nouser", "-o", "-nogroup", ")")
        assert left == ""


def away_s(machine):
    """Return how long the gate was away in the last upgrade, s."""
    stopped = int(machine.shown(GATE, "InactiveEnterTimestampMonotonic"))
    began = int(machine.shown(GATE, "ActiveEnterTimestampMonotonic"))
    assert began > stopped > 0
    return (began - stopped) / 1e6
