"""A first boot that loses its power, or its disk, at any step: the next one comes through.

Each change of the disk is an operation of `os`. A cut is an exception that nothing catches, before
the nth of them; what was written is there, what comes after is not.
"""

import errno
import itertools
import os
import random
import threading
from pathlib import Path

import pytest

from gatepost.provision.card import Card
from gatepost.provision.first_boot import FirstBoot
from gatepost_config.load import load
from gatepost_services.uplink.tls import certificate_state

from .provision_rig import Gate, Office, new_token, tree

OPERATIONS = ("fsync", "replace", "rename", "unlink", "symlink", "mkdir", "open")
TRIPLES = 15


class PowerCut(BaseException):
    """Nothing catches it, as nothing catches a power cut."""


class Disk:
    """Counts what the main thread changes on the disk, and fails at one of them."""

    def __init__(self, patch):
        self.log, self._at, self._error = [], None, None
        for name in OPERATIONS:
            patch.setattr(os, name, self._watched(name, getattr(os, name)))

    def fail_at(self, number, error=None):
        """Fail at the operation of that number, from now on: by a cut, or by an error."""
        self.log, self._at, self._error = [], number, error

    def _watched(self, name, real):
        def operation(*args, **keywords):
            changes = name != "open" or args[1] & os.O_CREAT
            # The authority answers in a thread of its own, on a disk of its own.
            if changes and threading.current_thread() is threading.main_thread():
                if len(self.log) == self._at:
                    self._at = None
                    raise PowerCut if self._error is None else self._error
                self.log.append((name, *map(_path_of, args[: 2 if name == "replace" else 1])))
            # What is flushed stands in the log. That it takes a real disk long is not looked at.
            return None if name == "fsync" else real(*args, **keywords)

        return operation


def _path_of(what):
    return Path(f"/proc/self/fd/{what}").readlink() if isinstance(what, int) else Path(what)


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    made = Office(tmp_path_factory.mktemp("office") / "ca")
    yield made
    made.close()


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


@pytest.fixture
def new_gate(office, tmp_path):
    """Make gates in service with old settings, whose card has new ones and a token."""
    numbers = itertools.count(len(office.authority.issued()))

    def make():
        name = f"gate-{next(numbers)}"
        gate = Gate(tmp_path / name)
        gate.name = name
        gate.config.write_text(gate.settings(name))
        gate.insert(_new(gate), new_token(office, name), office.url)
        (gate.boot / "site-ca.pem").write_bytes(office.authority.pem)
        return gate

    return make


def _new(gate):
    return gate.settings(gate.name, "[journal]\nmax_age_days = 30\n")


def _note(gate):
    return gate.tls / "first-boot.json"


def first_boot(gate):
    return FirstBoot(Card(gate.boot), gate.config).run()


def check_done(gate, office):
    """The end is the same as without any trouble, whatever was in between."""
    assert gate.config.read_text() == _new(gate)
    assert (gate.etc / "gatepost.toml.before").read_text() == gate.settings(gate.name)
    assert {path.name for path in gate.etc.iterdir()} == {"gatepost.toml", "gatepost.toml.before"}
    assert gate.names() == {"gatepost.used.toml", "site-ca.pem", "gatepost-first-boot.txt"}
    assert gate.report.startswith(f"ok: north/{gate.name} has its settings, and its certificate")
    (issued,) = office.issued(gate.name)  # the token was used once
    assert certificate_state(gate.tls / "device.pem").expires_utc == issued.expires_utc
    assert (gate.tls / "device.key").exists()


def check_sane(gate):
    """At any instant: settings that a gate starts with, and the token until its certificate."""
    assert load(gate.config).gate.name == gate.name
    has_token = (gate.boot / "enrolment-token").exists()
    assert has_token or (gate.tls / "device.pem").exists()


@pytest.fixture
def steps(new_gate, disk, office):
    """How many operations a first boot without trouble takes."""
    gate = new_gate()
    disk.fail_at(None)
    assert first_boot(gate).status == 0
    check_done(gate, office)
    return len(disk.log)


def test_a_cut_at_each_step(new_gate, disk, office, steps):
    assert steps > 30
    for number in range(steps):
        gate = new_gate()
        disk.fail_at(number)
        with pytest.raises(PowerCut):
            first_boot(gate)
        check_sane(gate)
        disk.fail_at(None)
        assert first_boot(gate).status == 0, number
        check_done(gate, office)
        before = tree(gate.boot.parent)
        assert first_boot(gate).is_news is False
        assert tree(gate.boot.parent) == before


def test_cuts_again_and_again(new_gate, disk, office, steps):
    chance = random.Random(20)
    for _ in range(TRIPLES):
        gate = new_gate()
        numbers = [chance.randrange(steps) for _ in range(3)]
        for number in numbers:
            disk.fail_at(number)
            try:
                first_boot(gate)
            except PowerCut:
                check_sane(gate)
        disk.fail_at(None)
        assert first_boot(gate).status == 0, numbers
        check_done(gate, office)


def test_a_disk_that_refuses_is_told_in_words(new_gate, disk, office, steps):
    codes = (errno.EIO, errno.ENOSPC, errno.EROFS)
    for number, code in zip(range(steps), itertools.cycle(codes), strict=False):
        gate = new_gate()
        disk.fail_at(number, OSError(code, os.strerror(code)))
        outcome = first_boot(gate)
        assert outcome.status in (0, 1), number
        assert (os.strerror(code) in outcome.text()) == (outcome.status == 1), number
        check_sane(gate)
        disk.fail_at(None)
        outcome = first_boot(gate)
        assert outcome.status == 0, (number, outcome)
        check_done(gate, office)


def test_what_a_cut_leaves_half_written_is_written_anew(new_gate, office):
    gate = new_gate()
    gate.tls.mkdir()
    for path in (gate.etc / "gatepost.toml", gate.etc / "gatepost.toml.before", _note(gate)):
        path.with_name(f"{path.name}.new").write_bytes(b"\0\xff[")
    (gate.boot / "gatepost-first-boot.txt.new").write_bytes(b"o")
    _note(gate).write_bytes(b"{")
    assert first_boot(gate).status == 0
    check_done(gate, office)
    assert "gatepost-first-boot.txt.new" not in gate.names()


def test_zeros_in_place_of_the_token_are_its_wiping_when_the_certificate_is_there(
    new_gate, disk, office
):
    gate = new_gate()
    disk.fail_at(None)
    first_boot(gate)
    wiped = [each[0] for each in disk.log if each[-1] == gate.boot / "enrolment-token"]
    assert wiped == ["fsync", "unlink"]
    # Half of it over the token, as a controller may leave it.
    other = new_gate()
    disk.fail_at(disk.log.index(("unlink", gate.boot / "enrolment-token")))
    with pytest.raises(PowerCut):
        first_boot(other)
    (other.boot / "enrolment-token").write_bytes(b"\0" * 50 + b"rest of the token")
    disk.fail_at(None)
    assert first_boot(other).text().startswith("ok: ")
    check_done(other, office)


def test_nothing_is_relied_on_before_it_is_on_the_disk(new_gate, disk):
    """What is renamed was flushed before, its folder after; the wiping waits for all of it."""
    gate = new_gate()
    disk.fail_at(None)
    first_boot(gate)
    log = disk.log
    for number, (name, *paths) in enumerate(log):
        if name == "replace" and not paths[0].is_symlink() and paths[0].suffix == ".new":
            is_link = any(each[0] == "symlink" for each in log[max(0, number - 2) : number])
            assert is_link or ("fsync", paths[0]) in log[:number], paths
            assert ("fsync", paths[1].parent) in log[number:], paths
    installed = log.index(("replace", gate.etc / "gatepost.toml.new", gate.config))
    retired = next(
        i
        for i, each in enumerate(log)
        if each[0] == "replace" and each[1] == gate.boot / "gatepost.toml"
    )
    assert ("fsync", gate.etc) in log[installed:retired]
    current = log.index(("replace", gate.tls / "current.new", gate.tls / "current"))
    wiped = log.index(("fsync", gate.boot / "enrolment-token"))
    assert ("fsync", gate.tls) in log[current:wiped]
    removed = log.index(("unlink", gate.boot / "enrolment-token"))
    assert current < wiped < removed
    assert ("fsync", gate.boot) in log[removed:]


def test_settings_without_a_token_and_a_cut_at_each_step(new_gate, disk):
    gate = new_gate()
    (gate.boot / "enrolment-token").unlink()
    disk.fail_at(None)
    first_boot(gate)
    for number in range(len(disk.log)):
        gate = new_gate()
        (gate.boot / "enrolment-token").unlink()
        disk.fail_at(number)
        with pytest.raises(PowerCut):
            first_boot(gate)
        assert load(gate.config).gate.name == gate.name
        disk.fail_at(None)
        assert first_boot(gate).status == 0
        assert gate.config.read_text() == _new(gate)
        assert gate.report == f"ok: north/{gate.name} has its settings.\n"


def test_a_gate_that_waits_for_its_network_writes_nothing(new_gate, disk):
    gate = new_gate()
    token = (gate.boot / "enrolment-token").read_text().splitlines()[0]
    gate.insert_token(token, "https://localhost:1")
    assert first_boot(gate).status == 1
    disk.fail_at(None)
    for _ in range(3):
        assert first_boot(gate).status == 1
    assert [each for each in disk.log if each[0] != "mkdir"] == []  # that one finds its folder
