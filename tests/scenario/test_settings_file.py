"""The gate's file under a disk that fails at any step: the old settings, or the new ones."""

import errno
import itertools
import os
import random
from contextlib import suppress

import pytest

from gatepost.cli import settings_file
from gatepost.cli.settings_file import (
    SettingsFileError,
    before_of,
    exchange,
    finish_exchange,
    put_in_force,
)

from .test_provision_power_cut import Disk, PowerCut

FIRST, SECOND, THIRD = (f"settings {number}\n".encode() * 50 for number in range(3))


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


@pytest.fixture
def new_file(tmp_path):
    """Make files in folders of their own, in force for the second time."""
    numbers = itertools.count()

    def make():
        path = tmp_path / str(next(numbers)) / "gatepost.toml"
        path.parent.mkdir()
        path.write_bytes(SECOND)
        before_of(path).write_bytes(FIRST)
        return path

    return make


def steps_of(disk, path, change):
    disk.fail_at(None)
    change(path)
    return len(disk.log)


CHANGES = {
    "apply": (lambda path: put_in_force(path, THIRD), (THIRD, SECOND)),
    "rollback": (exchange, (FIRST, SECOND)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_cut_at_each_step_leaves_old_or_new_whole(new_file, disk, name):
    change, (wanted, kept) = CHANGES[name]
    steps = steps_of(disk, new_file(), change)
    assert steps >= 8
    for number in range(steps):
        path = new_file()
        disk.fail_at(number)
        with pytest.raises(PowerCut):
            change(path)
        assert path.read_bytes() in (SECOND, wanted), number
        assert before_of(path).read_bytes() in (FIRST, SECOND), number
        # Said again, it comes to the same end, but for a rollback that had gone through.
        disk.fail_at(None)
        if path.read_bytes() == SECOND:
            change(path)
            assert path.read_bytes() == wanted, number
            assert before_of(path).read_bytes() == kept, number


def test_a_cut_in_a_rollback_loses_neither_of_the_two(new_file, disk):
    """Both are there whatever was done, and once more undoes it, or does it."""
    for number in range(steps_of(disk, new_file(), exchange)):
        path = new_file()
        disk.fail_at(number)
        with pytest.raises(PowerCut):
            exchange(path)
        # The next command is cut off too, at each of its steps, before it has done anything.
        for second in range(8):
            disk.fail_at(second)
            with suppress(PowerCut):
                finish_exchange(path)
        disk.fail_at(None)
        held = path.read_bytes()
        finish_exchange(path)
        assert {held, before_of(path).read_bytes()} == {FIRST, SECOND}, number
        assert path.read_bytes() == held
        exchange(path)
        assert {path.read_bytes(), before_of(path).read_bytes()} == {FIRST, SECOND}, number
        assert path.read_bytes() != held
        assert len(list(path.parent.iterdir())) == 2, number


def test_others_after_a_cut_in_a_rollback_keep_those_that_count(new_file, disk):
    for number in range(steps_of(disk, new_file(), exchange)):
        path = new_file()
        disk.fail_at(number)
        with pytest.raises(PowerCut):
            exchange(path)
        disk.fail_at(None)
        held = path.read_bytes()
        put_in_force(path, THIRD)
        assert (path.read_bytes(), before_of(path).read_bytes()) == (THIRD, held)
        assert not path.with_name(f"{path.name}.exchanging").exists()
        exchange(path)
        assert (path.read_bytes(), before_of(path).read_bytes()) == (held, THIRD)
        assert len(list(path.parent.iterdir())) == 2, number


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_refuses_is_told_in_words(new_file, disk, name, code):
    change, (wanted, _) = CHANGES[name]
    for number in range(steps_of(disk, new_file(), change)):
        path = new_file()
        disk.fail_at(number, OSError(code, os.strerror(code)))
        with pytest.raises(SettingsFileError, match=os.strerror(code)) as caught:
            change(path)
        assert str(path) in str(caught.value)
        assert path.read_bytes() in (SECOND, wanted)


def test_cuts_again_and_again_leave_settings_that_somebody_wrote(new_file, disk):
    """Whatever is done in whatever order, and cut off wherever: no file is ever half."""
    chance = random.Random(7)
    written = {FIRST, SECOND}
    path = new_file()
    for number in range(300):
        content = f"settings {number}\n".encode() * chance.randrange(1, 200)
        change = chance.choice((exchange, lambda file, new=content: put_in_force(file, new)))
        written |= {content} if change is not exchange else set()
        disk.fail_at(None)
        finish_exchange(path)
        assert not path.with_name(f"{path.name}.exchanging").exists()
        disk.fail_at(chance.randrange(20))
        held, kept = path.read_bytes(), before_of(path).read_bytes()
        try:
            change(path)
        except PowerCut:
            assert path.read_bytes() in ({held, kept} if change is exchange else {held, content})
        assert {path.read_bytes(), before_of(path).read_bytes()} <= written
    disk.fail_at(None)
    put_in_force(path, THIRD)
    assert path.read_bytes() == THIRD
    assert len(list(path.parent.iterdir())) == 2


def test_nothing_is_relied_on_before_it_is_on_the_disk(new_file, disk):
    path = new_file()
    disk.fail_at(None)
    put_in_force(path, THIRD)
    log = disk.log
    for number, (name, *paths) in enumerate(log):
        if name in ("replace", "rename"):
            assert ("fsync", paths[0]) in log[:number]
            assert ("fsync", path.parent) in log[number:]
    in_force = [each[0] for each in log].index("replace")
    # What was there is kept, for good, before it is replaced.
    assert log[in_force][-1] == before_of(path)
    assert ("fsync", path.parent) in log[in_force : log.index(("replace", *_pair(path)))]


def _pair(path):
    return path.with_name("gatepost.toml.new"), path


def test_what_a_cut_left_half_written_is_in_nobodys_way(new_file):
    path = new_file()
    for half in (path, before_of(path)):
        half.with_name(half.name + ".new").write_bytes(b"half")
    put_in_force(path, THIRD)
    assert {each.name for each in path.parent.iterdir()} == {path.name, before_of(path).name}


def test_the_first_settings_have_none_before(tmp_path):
    path = tmp_path / "gatepost.toml"
    put_in_force(path, FIRST)
    assert path.read_bytes() == FIRST
    assert path.stat().st_mode & 0o777 == 0o640
    assert not before_of(path).exists()
    with pytest.raises(SettingsFileError, match="there are no settings before"):
        exchange(path)


def test_a_file_beyond_reason_is_none_of_settings(tmp_path):
    path = tmp_path / "gatepost.toml"
    path.write_bytes(b"#" * 1_000_001)
    with pytest.raises(SettingsFileError, match="larger than 1000000 bytes"):
        settings_file.read(path)
