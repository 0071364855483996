"""The disk: what it gives a bare program, and one whose power is cut."""

import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from saf.events import SIZE, body

IMAGE_BYTES = 1 << 30
_PAGE = bytes(4096)
_SETTLED_FOR_S, _SETTLE_WITHIN_S = 1.5, 10.0
_UNTIL_WAL_IS_FULL = 1500
_UMOUNT_TRIES, _UMOUNT_PAUSE_S = 50, 0.1


def used_mb(folder: Path) -> float:
    """Return what the files of a folder take on the disk."""
    blocks = 0
    for path in folder.rglob("*"):
        try:
            blocks += path.lstat().st_blocks
        except FileNotFoundError:
            continue
    return blocks * 512 / 1e6


def settled_mb(folder: Path) -> float:
    """Return what they take once that no longer changes, or after some seconds."""
    give_up_s = time.monotonic() + _SETTLE_WITHIN_S
    before, now = -1.0, used_mb(folder)
    while now != before and time.monotonic() < give_up_s:
        time.sleep(_SETTLED_FOR_S)
        before, now = now, used_mb(folder)
    return now


def fsyncs_per_s(folder: Path, rounds: int) -> float:
    """Return how often a second 4 KiB of a file can be written over and be on the disk."""
    path = folder / "fsync.probe"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        os.pwrite(fd, _PAGE, 0)
        os.fsync(fd)
        began_s = time.monotonic()
        for _ in range(rounds):
            os.pwrite(fd, _PAGE, 0)
            os.fdatasync(fd)
        return rounds / (time.monotonic() - began_s)
    finally:
        os.close(fd)
        path.unlink()


class BareSqlite:
    """SQLite in WAL with an fsync a commit, and nothing around it: a table of bodies."""

    def __init__(self, folder: Path, body_bytes: int = SIZE) -> None:
        self._body = body(0, body_bytes)
        self._path = folder / "bare.db"
        self._connection = sqlite3.connect(self._path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE event (id INTEGER PRIMARY KEY, body BLOB)")

    def commits_per_s(self, rounds: int) -> float:
        """Return how many one-row commits a second it does."""
        began_s = time.monotonic()
        for _ in range(rounds):
            self._connection.execute("INSERT INTO event (body) VALUES (?)", (self._body,))
        return rounds / (time.monotonic() - began_s)

    def rows_per_s(self, group: int, groups: int) -> float:
        """Return how many rows a second it does, so many a commit."""
        rows = [(self._body,)] * group
        began_s = time.monotonic()
        for _ in range(groups):
            self._connection.execute("BEGIN")
            self._connection.executemany("INSERT INTO event (body) VALUES (?)", rows)
            self._connection.execute("COMMIT")
        return group * groups / (time.monotonic() - began_s)

    def close(self) -> None:
        """Remove it."""
        self._connection.close()
        self._path.unlink()


def sqlite_commits_per_s(folder: Path, rounds: int) -> float:
    """Return how many one-row commits a second SQLite does there, with an fsync each.

    Those that make the -wal grow do not count: they cost the file system more.
    """
    bare = BareSqlite(folder)
    try:
        bare.commits_per_s(_UNTIL_WAL_IS_FULL)
        return bare.commits_per_s(rounds)
    finally:
        bare.close()


def power_can_be_cut() -> bool:
    """Whether this machine lets us mount a file system of our own."""
    return os.geteuid() == 0 and shutil.which("mkfs.ext4") is not None and _loop_works()


def _loop_works() -> bool:
    return subprocess.run(["losetup", "-f"], capture_output=True, check=False).returncode == 0


class Mains:
    """An ext4 on a loop device, and a switch.

    What is cut off keeps what the kernel had given to the device by then, and nothing of the page
    cache; a drive that lies about its own cache is not modelled.
    """

    def __init__(self, folder: Path) -> None:
        self._image = folder / "disk.img"
        self._copy = folder / "cut.img"
        self.mounted_on = folder / "disk"
        self._is_mounted = False

    def switch_on(self) -> None:
        """Make the file system and mount it."""
        self.mounted_on.mkdir()
        with self._image.open("wb") as image:
            image.truncate(IMAGE_BYTES)
        options = ("-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0")
        _run("mkfs.ext4", *options, str(self._image))
        self._mount(self._image)
        os.sync()

    def cut(self) -> None:
        """Note what is on the disk at this moment; `come_back` goes on from there."""
        _run("cp", "--sparse=always", str(self._image), str(self._copy))

    def come_back(self) -> None:
        """Mount what was there at the cut. Nobody may be at work on the file system."""
        self.switch_off()
        self._copy.replace(self._image)
        self._mount(self._image)

    def switch_off(self) -> None:
        """Unmount, if it is mounted.

        Raises:
            OSError: somebody is still at work on it.
        """
        if not self._is_mounted:
            return
        for _ in range(_UMOUNT_TRIES):
            done = subprocess.run(
                ["umount", str(self.mounted_on)], capture_output=True, text=True, check=False
            )
            if done.returncode == 0:
                self._is_mounted = False
                return
            time.sleep(_UMOUNT_PAUSE_S)
        raise OSError(f"cannot unmount {self.mounted_on}: {done.stderr.strip()}")

    def _mount(self, image: Path) -> None:
        _run("mount", "-o", "loop", str(image), str(self.mounted_on))
        self._is_mounted = True


@contextmanager
def place(folder: Path, *, with_mains: bool) -> Iterator[tuple[Path, Mains | None]]:
    """Yield the folder that an edge keeps its things in, and the switch of its disk if it has one.

    Raises:
        OSError: the file system cannot be made or mounted.
    """
    if not with_mains:
        plain = folder / "edge"
        plain.mkdir()
        yield plain, None
        return
    mains = Mains(folder)
    try:
        mains.switch_on()
        yield mains.mounted_on, mains
    finally:
        mains.switch_off()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
