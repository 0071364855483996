"""The package's scripts at a gate that runs: who is in the lane goes before an upgrade."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging
DEBIAN = Path(__file__).parents[2] / "systemd" / "debian"
MOST_LOOKS = 30


class Machine:
    """A folder in the place of a machine; its programs say what they were told."""

    def __init__(self, folder):
        self.folder = folder
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.log = folder / "log"
        self.log.touch()
        self.config = folder / "gatepost.toml"
        for name in ("deb-systemd-invoke", "systemctl", "deb-systemd-helper", "udevadm"):
            self.add(name, f'echo "{name} $*" >> {self.log}')
        for name in ("py3clean", "py3compile"):
            self.add(name, "exit 0")
        self.add("sleep", f'echo "sleep $*" >> {self.log}')
        self.add("gatepost", "exit 1")

    def add(self, name, text):
        program = self.programs / name
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)

    def lane_is(self, *states):
        """Let the gate be in these states, look by look; in the last from then on."""
        looks = self.folder / "looks"
        looks.write_text("".join(f"{state}\n" for state in states))
        told = f'read -r state < {looks}; echo "state: $state; ordered or raised: nothing"'
        rest = f'[ "$(wc -l < {looks})" -eq 1 ] || sed -i 1d {looks}'
        self.add("gatepost", f"[ \"$*\" = 'lane status' ] || exit 2\n{told}\n{rest}")

    def run(self, script, *words):
        text = (DEBIAN / f"gatepost.{script}").read_text()
        for path, instead in {
            "/usr/bin/gatepost": self.programs / "gatepost",
            "/run/systemd/system": self.folder,
            "/usr/lib/gatepost": self.folder,
            "/etc/gatepost/gatepost.toml": self.config,
        }.items():
            text = text.replace(path, str(instead))
        path = f"{self.programs}:{os.environ['PATH']}"
        return subprocess.run(
            ["sh", "-s", *words],
            input=text,
            env={"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )

    def told(self, what):
        return [line for line in self.log.read_text().splitlines() if line.startswith(what)]


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.mark.parametrize("words", [("upgrade", "0.2.0"), ("remove",), ("failed-upgrade", "0.1.0")])
@pytest.mark.parametrize("state", ["idle", "locked", "closed", "maintenance"])
def test_a_lane_with_nobody_in_it_is_stopped_at_once(machine, state, words):
    machine.lane_is(state)
    assert machine.run("prerm", *words).returncode == 0
    assert machine.told("sleep") == []
    assert len(machine.told("deb-systemd-invoke stop")) == 1


def test_so_is_a_gate_that_does_not_run(machine):
    assert machine.run("prerm", "upgrade", "0.2.0").returncode == 0
    assert (machine.told("sleep"), len(machine.told("deb-systemd-invoke stop"))) == ([], 1)


def test_whoever_is_in_the_lane_is_waited_for(machine):
    machine.lane_is("measuring", "released", "entry_ending", "idle")
    result = machine.run("prerm", "upgrade", "0.2.0")
    assert result.returncode == 0
    assert "waiting until nobody is in the lane (measuring)" in result.stdout
    assert machine.log.read_text().splitlines()[:3] == ["sleep 2"] * 3
    assert len(machine.told("deb-systemd-invoke stop")) == 1


def test_but_not_for_ever(machine):
    machine.lane_is("held")
    result = machine.run("prerm", "upgrade", "0.2.0")
    assert result.returncode == 0
    assert 'the lane is still "held": stopped all the same' in result.stderr
    assert len(machine.told("sleep")) == MOST_LOOKS
    assert len(machine.told("deb-systemd-invoke stop")) == 1


@pytest.mark.parametrize("words", [("upgrade", "0.2.0"), ("remove",), ("failed-upgrade", "0.1.0")])
@pytest.mark.parametrize("states", [("fire",), ("emergency",), ("released", "fire")], ids=" ".join)
def test_what_a_fire_has_freed_is_not_shut_by_an_upgrade(machine, states, words):
    machine.lane_is(*states)
    machine.config.touch()
    result = machine.run("prerm", *words)
    assert result.returncode == 1
    assert f"{states[-1]} at the lane: both ways are free" in result.stderr
    # dpkg then calls the script that puts everything back.
    assert machine.run("postinst", "abort-upgrade", "0.2.0").returncode == 0
    assert machine.told("deb-systemd-invoke stop") == []
    assert machine.told("deb-systemd-invoke restart") == []
    assert len(machine.told("deb-systemd-invoke start gatepost-gate.service")) == 1


def test_after_an_upgrade_all_begins_anew_and_the_first_enrolment_goes_on(machine):
    machine.config.touch()
    machine.add("gatepost", "exit 0")
    assert machine.run("postinst", "configure", "0.1.0").returncode == 0
    assert len(machine.told("deb-systemd-invoke restart gatepost-gate.service")) == 1
    assert machine.told("systemctl --no-block") == [
        "systemctl --no-block start gatepost-first-enrol.service"
    ]


def test_a_first_enrolment_that_was_disabled_stays_so(machine):
    machine.config.touch()
    machine.add("systemctl", f'echo "systemctl $*" >> {machine.log}; [ "$2" != is-enabled ]')
    assert machine.run("postinst", "configure", "0.1.0").returncode == 0
    assert machine.told("systemctl --no-block") == []


@pytest.mark.parametrize(("written", "is_refused"), [(2, False), (3, True)])
def test_a_newer_format_is_seen_where_only_the_wal_has_it(tmp_path, written, is_refused):
    journal = tmp_path / "gate" / "journal.db"
    journal.parent.mkdir()
    killed = tmp_path / "killed.db"
    with closing(sqlite3.connect(killed)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("PRAGMA wal_checkpoint(truncate)")
        connection.execute(f"PRAGMA user_version = {written}")
        for suffix in ("", "-wal"):
            shutil.copy(f"{killed}{suffix}", f"{journal}{suffix}")
    assert int.from_bytes(journal.read_bytes()[60:64], "big") == 1
    script = (DEBIAN / "gatepost.preinst.in").read_text().replace("@FORMATS@", "gate/journal.db 2")
    result = subprocess.run(
        ["sh", "-s", "upgrade", "0.2.0", "0.1.0"],
        input=script.replace("/var/lib/gatepost", str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode != 0) is is_refused, result
    assert (f"{journal} is of format {written}" in result.stderr) is is_refused
    assert {path.stat().st_uid for path in journal.parent.iterdir()} == {journal.stat().st_uid}
