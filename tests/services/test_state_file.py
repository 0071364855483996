"""A state file is replaced whole or not at all, and whoever fails to says which file and why."""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from gatepost_services.state_file import StateFileError, read_state, write_state

OLD, NEW = b'{"people": 50}', b'{"people": 100, "and": "more"}'
MOST_BYTES = 1_000_000


@pytest.fixture
def path(tmp_path):
    return tmp_path / "offset.json"


def test_a_file_that_was_never_written_is_none(path):
    assert read_state(path) is None


def test_what_was_written_is_read_back_and_nothing_else_is_left(path):
    write_state(path, OLD)
    assert read_state(path) == OLD
    write_state(path, NEW)
    assert read_state(path) == NEW
    write_state(path, b"")
    assert read_state(path) == b""  # written, and empty: not the same as never written
    assert list(path.parent.iterdir()) == [path]


def test_what_an_interrupted_write_left_does_not_matter(path):
    write_state(path, OLD)
    path.with_name("offset.json.new").write_bytes(b"half of something long" * 100)
    assert read_state(path) == OLD
    write_state(path, NEW)
    assert read_state(path) == NEW


def test_the_largest_state_is_read_and_a_larger_one_is_none_of_ours(path):
    path.write_bytes(b"x" * MOST_BYTES)
    assert len(read_state(path)) == MOST_BYTES
    path.write_bytes(b"x" * (MOST_BYTES + 1))
    with pytest.raises(StateFileError) as caught:
        read_state(path)
    assert str(caught.value) == f"{path}: larger than {MOST_BYTES} bytes"


def test_an_endless_file_does_not_fill_the_memory(path):
    path.symlink_to("/dev/zero")
    with pytest.raises(StateFileError, match="larger than"):
        read_state(path)


def test_a_directory_in_its_place_is_told_when_read_and_when_written(path):
    path.mkdir()
    with pytest.raises(StateFileError) as read:
        read_state(path)
    with pytest.raises(StateFileError) as written:
        write_state(path, NEW)
    assert str(read.value) == f"{path}: cannot be read: Is a directory"
    assert str(written.value) == f"{path}: cannot be written: Is a directory"


def test_a_folder_that_is_not_there_is_told(tmp_path):
    path = tmp_path / "gate" / "offset.json"
    assert read_state(path) is None
    with pytest.raises(StateFileError) as caught:
        write_state(path, NEW)
    assert str(caught.value) == f"{path}: cannot be written: No such file or directory"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_a_file_or_folder_that_may_not_be_touched_is_told(path):
    write_state(path, OLD)
    path.chmod(0)
    with pytest.raises(StateFileError, match="cannot be read: Permission denied"):
        read_state(path)
    path.chmod(0o600)
    path.parent.chmod(0o500)
    with pytest.raises(StateFileError, match="cannot be written: Permission denied"):
        write_state(path, NEW)
    path.parent.chmod(0o700)
    assert read_state(path) == OLD


# --------------------------------------------------------------------------------- power and disk


def test_a_full_disk_leaves_the_old_content(path, monkeypatch):
    write_state(path, OLD)
    really_open = os.open

    def on_the_kernels_full_disk(name, flags, mode=0o777):
        """Every write to /dev/full is ENOSPC."""
        if name == path.with_name("offset.json.new"):
            return really_open("/dev/full", os.O_WRONLY)
        return really_open(name, flags, mode)

    monkeypatch.setattr(os, "open", on_the_kernels_full_disk)
    with pytest.raises(StateFileError) as caught:
        write_state(path, NEW)
    assert str(caught.value) == f"{path}: cannot be written: No space left on device"
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOSPC
    assert read_state(path) == OLD


class Calls:
    """What was asked of the operating system, in order; one of the calls can be made to fail."""

    def __init__(self, monkeypatch, fails=None):
        self.made = []
        self._fails = fails
        for name in ("fsync", "replace"):
            monkeypatch.setattr(os, name, self._spied(name, getattr(os, name)))

    def _spied(self, name, real):
        def call(*arguments):
            is_folder = name == "fsync" and stat.S_ISDIR(os.fstat(arguments[0]).st_mode)
            self.made.append(f"{name} folder" if is_folder else name)
            if self.made[-1] == self._fails:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(*arguments)

        return call


def test_the_content_is_on_the_disk_before_it_takes_the_old_ones_place(path, monkeypatch):
    # The other way round, a power cut leaves an empty file in its place.
    calls = Calls(monkeypatch)
    write_state(path, NEW)
    assert calls.made == ["fsync", "replace", "fsync folder"]


@pytest.mark.parametrize(
    ("fails", "left"), [("fsync", OLD), ("replace", OLD), ("fsync folder", NEW)]
)
def test_wherever_the_disk_fails_the_content_is_whole(path, monkeypatch, fails, left):
    # Once it was replaced, only its durability is in doubt: new now, old or new after a power cut.
    write_state(path, OLD)
    calls = Calls(monkeypatch, fails)
    with pytest.raises(StateFileError) as caught:
        write_state(path, NEW)
    assert calls.made[-1] == fails
    assert str(caught.value) == f"{path}: cannot be written: Input/output error"
    assert read_state(path) == left


def test_a_failed_write_can_be_done_again(path, monkeypatch):
    with monkeypatch.context() as broken:
        Calls(broken, "fsync")
        with pytest.raises(StateFileError):
            write_state(path, OLD)
    write_state(path, NEW)
    assert read_state(path) == NEW


def test_no_file_stays_open(path, monkeypatch):
    # A gate that runs for years must not run out of them, least of all on a failing disk.
    for fails in (None, "fsync", "replace", "fsync folder"):
        with monkeypatch.context() as broken, suppress(StateFileError):
            Calls(broken, fails)
            write_state(path, NEW)
    targets = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert targets
    assert [target for target in targets if target.is_relative_to(path.parent)] == []
