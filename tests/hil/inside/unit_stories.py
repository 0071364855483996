"""Run by pytest in the guest (see tests/hil/test_systemd.py): the shipped units, under systemd.

They are installed by the very commands of systemd/README.md, and go through all stories in the
order of this file. The link's server is a broker and a subscriber beside them.
"""

import grp
import os
import signal
from pathlib import Path

import pytest

from . import lane, units
from .lane import PINS
from .site import show_pass
from .unit_bench import (
    DEVICES,
    ETC,
    JOURNAL,
    PATIENCE_S,
    STATE,
    all_done,
    let_out,
    nothing_is_released,
    owner,
    walk_out,
)
from .units import GATE, LINK, probed, unconfined


def number_of(path):
    """Return a device's numbers, as "254.0"."""
    number = Path(path).stat().st_rdev
    return f"{os.major(number)}.{os.minor(number)}"


def as_user(name):
    """Return the command before one that runs as this user, with the gate's groups."""
    groups = ",".join(str(grp.getgrnam(group).gr_gid) for group in units.GROUPS)
    return ("setpriv", f"--reuid={name}", "--regid=gatepost", f"--groups={groups}")


def test_as_installed_both_units_become_active(server):
    for unit in (GATE, LINK):
        units.wait_active(unit)
        told = units.show(unit)
        assert (told["Type"], told["UnitFileState"]) == ("notify", "enabled")
    server.wait_for("controller.started")


def test_the_udev_rules_give_the_devices_to_the_gate_alone(server):
    before = server.owned_before
    # Else it would be no work of ours.
    assert before["/dev/gpiochip0"] == before["/dev/i2c-3"] == ("root", "root", 0o600)
    assert owner("/dev/gpiochip0") == ("root", "gpio", 0o660)
    assert owner("/dev/i2c-3") == ("root", "i2c", 0o660)
    assert owner("/dev/ttyUSB0") == ("root", "dialout", 0o660)
    assert owner("/dev/input/event0") == ("root", "input", 0o660)
    for path in ("/dev/watchdog", "/dev/watchdog0"):
        assert owner(path)[0] == "gatepost-gate"
        assert owner(path)[2] == 0o600


@pytest.mark.usefixtures("gate")
def test_the_exit_button_lets_one_out_and_the_server_hears_of_it(server):
    since = len(server.types)
    let_out()
    walk_out()
    server.wait_for("exit.released", since)
    server.wait_for("passage.left", since)


@pytest.mark.usefixtures("gate")
def test_a_healthy_resident_with_a_pass_is_let_in(server):
    since = len(server.types)
    lane.close(PINS.presence)
    lane.wait_until(lambda: lane.level(PINS.amber_lamp), "the amber lamp asks for a pass")
    lane.show(lane.HEALTHY_C)
    show_pass(units.PASS)
    lane.wait_until(lambda: lane.level(PINS.entry_relay), "the entry relay", PATIENCE_S)
    lane.close(PINS.passage)
    lane.wait_until(nothing_is_released, "the relay falls when somebody walks")
    lane.rest()
    server.wait_for("passage.entered", since)


def test_the_gate_opens_its_devices_and_no_socket_of_the_internet(gate, server):
    assert Path(f"/proc/{gate}/ns/net").readlink() != Path("/proc/1/ns/net").readlink()
    mine = [
        *("socket:AF_UNIX", "write:/dev/gpiochip0", "write:/dev/i2c-3", "read:/dev/ttyUSB0"),
        *("read:/dev/input/event0", f"write:{JOURNAL}", f"make:{JOURNAL.parent}"),
        *(f"read:{STATE}/link/uplink.db", f"read:{ETC}/gatepost.toml", f"read:{ETC}/roster.key"),
    ]
    forbidden = {
        "socket:AF_INET": "EAFNOSUPPORT",
        "socket:AF_INET6": "EAFNOSUPPORT",
        "socket:AF_NETLINK": "EAFNOSUPPORT",
        f"connect:{server.broker.address.port}": "EAFNOSUPPORT",
        "write:/dev/ttyUSB0": "EPERM",
        "write:/dev/input/event0": "EPERM",
        "namespace:user": "EPERM",
        "code:": "EPERM",
        "list:/home": "EACCES",
    }
    not_its_own = {
        f"write:{STATE}/link/uplink.db": "EACCES",
        f"make:{STATE}/link": "EROFS",
        f"list:{ETC}/tls": "EACCES",
        "make:/etc": "EROFS",
        "put:/dev/watchdog": "EPERM",
    }
    attempts = [*mine, *forbidden, *not_its_own]
    assert probed(GATE, attempts) == dict.fromkeys(mine, "done") | forbidden | not_its_own
    # Without the sandbox the same user may do all but the last, and root the last as well.
    assert unconfined([*mine, *forbidden], *as_user("gatepost-gate")) == all_done(mine, forbidden)
    assert unconfined(attempts) == all_done(attempts)


@pytest.mark.usefixtures("server")
def test_the_gate_gets_the_watchdog_with_the_drop_in_that_the_unit_names():
    allowed = "DeviceAllow=/dev/watchdog w"
    assert (
        f"# Where [watchdog] device or [signals] voice_dir are set, in a drop-in:\n# {allowed}"
        in (units.unit_text(GATE))
    )
    assert probed(GATE, ["put:/dev/watchdog"], allowed) == {"put:/dev/watchdog": "done"}


@pytest.mark.usefixtures("gate")
def test_the_link_opens_its_sockets_and_no_device_nor_the_journal_for_writing(server):
    units.wait_active(LINK)
    mine = [
        *("socket:AF_UNIX", "socket:AF_INET", "socket:AF_INET6"),
        f"connect:{server.broker.address.port}",
        *(f"read:{JOURNAL}", f"read:{JOURNAL}-wal", f"read:{JOURNAL}-shm"),
        *(f"write:{STATE}/link/uplink.db", f"make:{STATE}/link", "make:/run/gatepost/link"),
        f"read:{ETC}/gatepost.toml",
    ]
    forbidden = {f"read:{path}": "ENOENT" for path in DEVICES} | {
        "write:/dev/gpiochip0": "ENOENT",
        "write:/dev/i2c-3": "ENOENT",
        "socket:AF_NETLINK": "EAFNOSUPPORT",
        "namespace:user": "EPERM",
        "code:": "EPERM",
        "list:/home": "EACCES",
    }
    not_its_own = {
        f"write:{JOURNAL}": "EACCES",
        f"write:{JOURNAL}-wal": "EACCES",
        f"write:{JOURNAL}-shm": "EACCES",
        f"make:{JOURNAL.parent}": "EROFS",
        f"read:{ETC}/roster.key": "EACCES",
        f"read:{STATE}/gate/device.key": "EACCES",
        "read:/dev/watchdog": "ENOENT",
        f"device:{number_of('/dev/gpiochip0')}": "EPERM",
    }
    attempts = [*mine, *forbidden, *not_its_own]
    # With the gate's groups it would still see no device.
    groups = f"SupplementaryGroups={' '.join(units.GROUPS)}"
    assert probed(LINK, attempts, groups) == dict.fromkeys(mine, "done") | forbidden | not_its_own
    assert unconfined([*mine, *forbidden], *as_user("gatepost-link")) == all_done(mine, forbidden)
    assert unconfined(attempts) == all_done(attempts)


@pytest.mark.usefixtures("server")
def test_neither_is_exposed_more_than_one_and_a_half_of_ten():
    assert {unit: exposed <= 1.5 for unit, exposed in units.exposures().items()} == {
        GATE: True,
        LINK: True,
    }


def test_killed_while_somebody_is_let_out_it_lets_go_and_comes_back(gate):
    let_out()
    os.kill(gate, signal.SIGKILL)
    lane.wait_until(nothing_is_released, "the relay falls")
    units.wait_active(GATE, since_pid=gate)
    let_out()


def test_a_gate_that_is_stopped_is_killed_by_its_watchdog_and_comes_back(gate):
    let_out()
    os.kill(gate, signal.SIGSTOP)
    units.wait_active(GATE, since_pid=gate)
    assert "Watchdog timeout (limit 10s)!" in units.log_of(GATE)
    lane.wait_until(nothing_is_released, "the relay falls")
    let_out()


@pytest.mark.usefixtures("gate")
def test_told_to_end_it_ends_in_good_order(server):
    units.run("systemctl", "start", LINK)
    since = len(server.types)
    let_out()
    units.run("systemctl", "stop", GATE)
    assert nothing_is_released()
    told = units.show(GATE)
    assert (told["Result"], told["ActiveState"]) == ("success", "inactive")
    server.wait_for("controller.stopped", since)
