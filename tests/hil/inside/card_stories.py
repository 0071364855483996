"""Run by pytest in the guest (see tests/hil/test_systemd.py) after a power cut, with a card in.

The gate was erased before (settings_stories.py). Nothing here starts a unit but where it says so:
what runs, systemd has started at this boot. The card is a FAT file system of the kernel's, with
what `gatepost provision` made; the site's authority is /mnt/ca.
"""

import subprocess
from pathlib import Path

import pytest

from . import lane, units
from .unit_bench import (
    DEVICES,
    ETC,
    JOURNAL,
    PATIENCE_S,
    all_done,
    let_out,
    nothing_is_released,
    owner,
    walk_out,
)
from .units import FIRST_BOOT, FIRST_ENROL, GATE, LINK, probed, unconfined

CARD = Path("/boot/firmware")
TOKEN, REPORT = CARD / "enrolment-token", CARD / "gatepost-first-boot.txt"
GATE_NAME = "bench/gate-7"
PORT = 8085  # in the guest alone
# The card's first megabytes: all that is on it.
_ON_THE_CARD = ("head", "-c", "16M", "/dev/vdb1")


def bytes_on_the_card():
    """Return what a reader of the card's blocks sees, names and contents and what was removed."""
    units.run("sync")
    Path("/proc/sys/vm/drop_caches").write_text("3")
    return subprocess.run(_ON_THE_CARD, capture_output=True, check=True).stdout


@pytest.fixture(scope="module", autouse=True)
def an_empty_lane():
    lane.rest()
    lane.show(lane.ROOM_C)


@pytest.fixture(scope="module")
def token():
    """Its secret, as long as it is there."""
    return TOKEN.read_bytes().split(b"\n")[0]


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    """The site's authority, at last."""
    folder = tmp_path_factory.mktemp("office") / "ca"
    units.run("cp", "-r", "--preserve=mode", "/mnt/ca", str(folder))
    command = ("pki", "serve", "--dir", folder, "--name", "localhost", "--listen", "127.0.0.1")
    with subprocess.Popen([f"{units.VENV}/gatepost", *command, "--port", str(PORT)]) as serving:
        yield
        serving.terminate()


def test_both_start_by_themselves_and_the_gate_lets_out():
    units.wait_active(GATE)
    units.wait_active(LINK)
    assert [units.show(unit)["NRestarts"] for unit in (GATE, LINK)] == ["0", "0"]
    let_out()
    walk_out()


def test_the_settings_of_the_card_were_in_force_before_the_gate_began():
    told = units.show(FIRST_BOOT)
    assert (told["Result"], told["ExecMainStatus"]) == ("success", "0")
    ended, began = "ExecMainExitTimestampMonotonic", "ExecMainStartTimestampMonotonic"
    assert 0 < int(told[ended]) <= int(units.show(GATE)[began])
    assert not (CARD / "gatepost.toml").exists()
    settings = ETC / "gatepost.toml"
    assert settings.read_bytes() == (CARD / "gatepost.used.toml").read_bytes()
    assert owner(settings) == ("root", "gatepost", 0o640)
    assert 'name = "gate-7"' in settings.read_text()


def test_without_a_server_it_goes_on_trying_and_nothing_waits_for_it(token):
    def has_tried():
        return REPORT.read_text().startswith(f"error: {GATE_NAME} has its settings and no cert")

    lane.wait_until(has_tried, "the report of the first try", PATIENCE_S)
    assert units.show("multi-user.target")["ActiveState"] == "active"
    assert TOKEN.read_bytes().split(b"\n")[0] == token
    assert token in bytes_on_the_card()


@pytest.mark.usefixtures("office")
def test_with_a_server_it_gets_its_certificate_and_the_token_is_gone_from_the_card(token):
    lane.wait_until(lambda: not TOKEN.exists(), "the token is gone", PATIENCE_S)
    units.wait_for(FIRST_ENROL, lambda now: now["ActiveState"] == "inactive", "ended")
    assert units.show(FIRST_ENROL)["Result"] == "success"
    assert REPORT.read_text().startswith(f"ok: {GATE_NAME} has its settings, and its certificate")
    assert owner(ETC / "tls" / "device.key") == ("gatepost-link", "gatepost", 0o600)
    on_the_card = bytes_on_the_card()
    assert token not in on_the_card
    assert b"BEGIN CERTIFICATE" in on_the_card  # so this is where it would be


def test_started_again_neither_does_anything():
    before = units.wait_active(GATE), REPORT.stat(), (ETC / "gatepost.toml").stat()
    for unit in (FIRST_BOOT, FIRST_ENROL):
        units.run("systemctl", "start", unit)
        told = units.show(unit)
        assert (told["ConditionResult"], told["Result"]) == ("no", "success")
    assert before == (units.wait_active(GATE), REPORT.stat(), (ETC / "gatepost.toml").stat())


def test_what_takes_the_settings_has_two_folders_and_no_network():
    mine = ["socket:AF_UNIX", f"make:{CARD}", f"make:{ETC}", f"read:{ETC}/gatepost.toml"]
    forbidden = {
        "socket:AF_INET": "EAFNOSUPPORT",
        "socket:AF_INET6": "EAFNOSUPPORT",
        "socket:AF_NETLINK": "EAFNOSUPPORT",
        **{f"read:{path}": "ENOENT" for path in DEVICES},
        "make:/etc": "EROFS",
        f"list:{ETC}/tls": "EACCES",
        f"read:{JOURNAL}": "EACCES",
        "namespace:user": "EPERM",
        "code:": "EPERM",
        "list:/home": "EACCES",
    }
    attempts = [*mine, *forbidden]
    assert probed(FIRST_BOOT, attempts, _ONCE_MORE) == dict.fromkeys(mine, "done") | forbidden
    assert unconfined(attempts) == all_done(attempts)


@pytest.mark.usefixtures("office")
def test_what_enrols_has_the_network_and_neither_the_card_nor_anything_of_the_gates():
    key = ETC / "roster.key"
    mine = ["socket:AF_UNIX", "socket:AF_INET", "socket:AF_INET6", f"connect:{PORT}"]
    mine += [f"make:{ETC}/tls", f"read:{ETC}/gatepost.toml"]
    forbidden = {
        "socket:AF_NETLINK": "EAFNOSUPPORT",
        **{f"read:{path}": "ENOENT" for path in DEVICES},
        f"make:{CARD}": "EROFS",
        f"make:{ETC}": "EROFS",
        "make:/etc": "EROFS",
        "read:/etc/shadow": "EACCES",
        f"read:{key}": "EACCES",
        f"read:{JOURNAL}": "EACCES",
        "namespace:user": "EPERM",
        "code:": "EPERM",
        "list:/home": "EACCES",
    }
    attempts = [*mine, *forbidden]
    key.write_text("a key")
    TOKEN.write_text("a token")  # it is handed a copy
    try:
        assert probed(FIRST_ENROL, attempts, _ONCE_MORE) == dict.fromkeys(mine, "done") | forbidden
        assert unconfined(attempts) == all_done(attempts)
    finally:
        key.unlink()
        TOKEN.unlink()
    assert nothing_is_released()


# The card has nothing for them any more: else the probe would not be run either.
_ONCE_MORE = "[Unit]\nConditionPathExists="
