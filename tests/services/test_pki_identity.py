"""The gate's folder: whoever is killed at whatever instant, a pair is there that fits, or none."""

import os
import stat
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from gatepost_services.pki import profiles
from gatepost_services.pki.authority import Authority, utc_now
from gatepost_services.pki.errors import PkiFileError
from gatepost_services.pki.identity import Identity
from gatepost_services.uplink.tls import TlsError, TlsFiles, client_context

from .tls_rig import Files

NAMES = ("ca.pem", "device.pem", "device.key", "crl.pem")


class KilledError(BaseException):
    """What a kill looks like from inside: nothing is tidied up."""


class Bench:
    def __init__(self, folder: Path, authority: Authority | None = None) -> None:
        self.authority = authority or Authority.create(folder / "ca", "north")
        (folder / "tls").mkdir(parents=True)
        self.identity = Identity(folder / "tls")
        self.files = Files(*(folder / "tls" / name for name in NAMES))

    def made(self) -> dict[str, bytes]:
        key = profiles.new_key()
        issued = self.authority.issue_gate("gate-1", key.public_key())
        pem = profiles.key_pem(key)
        return dict(
            zip(NAMES, (self.authority.pem, issued.pem, pem, self.authority.crl_pem), strict=True)
        )

    def lying(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in map(self.identity.folder.joinpath, NAMES)}

    def check(self) -> None:
        client_context(self.files, utc_now())


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


class Killer:
    """Kills at the n-th of the calls that change something on the disk, before or after it."""

    def __init__(self, patch: pytest.MonkeyPatch, at: int) -> None:
        self._left = at
        for where, name in (
            (os, "open"),
            (os, "fsync"),
            (Path, "replace"),
            (Path, "symlink_to"),
            (Path, "unlink"),
            (Path, "mkdir"),
        ):
            patch.setattr(where, name, self._wrapped(getattr(where, name)))

    @property
    def is_through(self) -> bool:
        return self._left > 0

    def _wrapped(self, real):
        def call(*args, **more):
            self._step()
            result = real(*args, **more)
            if real is not os.open:  # a kill closes it, an exception here would not
                self._step()
            return result

        return call

    def _step(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise KilledError


@pytest.mark.parametrize("begins", ["empty", "installed", "by hand"])
def test_a_kill_at_any_step_leaves_a_pair_that_fits(tmp_path, begins, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)  # a kill is no power cut
    authority = Authority.create(tmp_path / "ca", "north")
    at, kills = 0, 0
    while True:
        at += 1
        bench = Bench(tmp_path / str(at), authority)
        old, new = bench.made(), bench.made()
        if begins == "installed":
            bench.identity.install(old)
        elif begins == "by hand":
            for name, content in old.items():
                (bench.identity.folder / name).write_bytes(content)
            bench.files.key.chmod(0o600)
        with pytest.MonkeyPatch.context() as patch:
            killer = Killer(patch, at)
            try:
                bench.identity.install(new)
            except KilledError:
                kills += 1
        if killer.is_through:
            break
        if begins != "empty" or (bench.identity.folder / "device.pem").exists():
            assert bench.lying() in (old, new)
            bench.check()
        last = bench.made()
        bench.identity.install(last)
        assert bench.lying() == last
        bench.check()
        assert len([each for each in bench.identity.folder.iterdir() if each.name.isdigit()]) <= 2
    assert kills > 30


def test_a_power_cut_finds_a_whole_set_behind_the_link(bench, monkeypatch):
    """All of the new set is on the disk before the one name that leads to it is changed."""
    bench.identity.install(bench.made())
    steps, real_fsync, real_replace = [], os.fsync, Path.replace

    def fsync(descriptor):
        steps.append(("fsync", Path(f"/proc/self/fd/{descriptor}").readlink()))
        real_fsync(descriptor)

    def replace(path, target):
        steps.append(("replace", Path(target)))
        return real_replace(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    bench.identity.install(bench.made())
    folder = bench.identity.folder
    switch = steps.index(("replace", folder / "current"))
    before, after = steps[:switch], steps[switch + 1 :]
    for name in NAMES:
        written = before.index(("fsync", folder / "2" / f"{name}.new"))
        named = before.index(("replace", folder / "2" / name))
        assert written < named < len(before) - before[::-1].index(("fsync", folder / "2")) - 1
    assert before[-1] == ("fsync", folder)
    assert after[0] == ("fsync", folder)


def test_a_reader_never_sees_two_halves(bench):
    """The link reads while renewal writes."""
    sets = [bench.made() for _ in range(5)]
    bench.identity.install(sets[0])
    stopping = threading.Event()
    tls = TlsFiles(bench.files, utc_now)
    tls.context()

    def write():
        number = 0
        while not stopping.is_set():
            number += 1
            bench.identity.install(sets[number % len(sets)])

    thread = threading.Thread(target=write)
    thread.start()
    try:
        problems = set()
        for _ in range(200):
            tls.context()
            problems.add(tls.problem)
    finally:
        stopping.set()
        thread.join(30)
    # That they change all the time is true here; that a pair does not fit never is.
    assert problems <= {None, f"{bench.identity.folder}: changes all the time"}


def test_one_set_before_is_kept_and_older_ones_go(bench):
    sets = [bench.made() for _ in range(4)]
    for each in sets:
        bench.identity.install(each)
    folder = bench.identity.folder
    assert sorted(each.name for each in folder.iterdir()) == [
        "3",
        "4",
        "ca.pem",
        "crl.pem",
        "current",
        "device.key",
        "device.pem",
    ]
    assert (folder / "3" / "device.pem").read_bytes() == sets[2]["device.pem"]
    assert bench.identity.held() == sets[3]


def test_files_are_for_their_owner_alone(bench):
    old = os.umask(0)
    try:
        bench.identity.pending_key()
        bench.identity.install(bench.made())
        bench.identity.pending_key()
    finally:
        os.umask(old)
    for path in bench.identity.folder.rglob("*"):
        if not path.is_symlink():
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_writes_belongs_to_the_folders_owner(bench):
    os.chown(bench.identity.folder, 4321, 8765)
    bench.identity.pending_key()
    bench.identity.install(bench.made())
    bench.identity.pending_key()
    for path in bench.identity.folder.rglob("*"):
        if not path.is_symlink():
            found = path.stat()
            assert (found.st_uid, found.st_gid) == (4321, 8765), path


def test_the_key_of_a_request_is_the_same_until_it_is_in_force(bench):
    first = profiles.key_pem(bench.identity.pending_key())
    assert profiles.key_pem(bench.identity.pending_key()) == first
    issued = bench.authority.issue_gate("gate-1", bench.identity.pending_key().public_key())
    made = bench.made() | {"device.pem": issued.pem, "device.key": first}
    bench.identity.install(made)
    # As a kill before the last step leaves it.
    (bench.identity.folder / "pending.key").write_bytes(first)
    assert profiles.key_pem(bench.identity.pending_key()) != first


@pytest.mark.parametrize("content", [b"", b"nonsense"])
def test_a_damaged_key_of_a_request_is_made_anew(bench, content):
    (bench.identity.folder / "pending.key").write_bytes(content)
    assert bench.identity.pending_key()


def test_a_folder_that_is_not_ours_is_named_with_a_remedy(bench, monkeypatch):
    bench.identity.install(bench.made())
    held = bench.lying()

    def refused(*_args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "symlink_to", refused)
    with pytest.raises(PkiFileError, match="run this as root, or as the user who owns the folder"):
        bench.identity.install(bench.made())
    assert bench.lying() == held


def test_there_is_nothing_yet(bench):
    assert bench.identity.held() == {}
    with pytest.raises(TlsError):
        client_context(bench.files, utc_now() + timedelta(0))
