"""A plain Debian in a folder, and what is done in it: for the tests of the package.

Mounts are made in name spaces of these processes: none stays behind, whatever fails.
"""

import ctypes
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MIRROR = "http://deb.debian.org/debian"
# The mirror's lists, logs, caches and dpkg's own books; and copies of /etc/passwd and its like that
# userdel leaves. All else that a package leaves behind is its own.
_NOT_OURS = (
    *("var/lib/apt", "var/lib/dpkg", "var/cache", "var/log", "proc", "dev", "sys", "tmp"),
    *("etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-"),
    *("etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"),
)
_CLONE_NEWNS = 0x00020000  # sched.h; os.unshare() is of Python 3.12
_ENTER = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"'
_SPACES = ("unshare", "--mount", "--pid", "--fork", "sh", "-c", _ENTER)


class Told(NamedTuple):
    """What came of a command. `text` is its output and its errors, as they came."""

    status: int
    text: str


def keep_mounts_to_ourselves() -> None:
    """Give this process name spaces of its own for mounts: whatever it mounts ends with it.

    Raises:
        OSError: it may not.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


class Root:
    """A root directory with Debian in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def copied(self, folder: Path) -> "Iterator[Root]":
        """Yield a copy of it in this folder. Only what changes is stored."""
        for name in ("root", "changed", "work"):
            (folder / name).mkdir()
        layers = f"lowerdir={self.path},upperdir={folder / 'changed'},workdir={folder / 'work'}"
        subprocess.run(
            ["mount", "-t", "overlay", "overlay", "-o", layers, str(folder / "root")], check=True
        )
        try:
            yield Root(folder / "root")
        finally:
            subprocess.run(["umount", "--lazy", str(folder / "root")], check=True)
            shutil.rmtree(folder / "changed")

    def command(self, *command: str, user: str | None = None) -> list[str]:
        """Return the command that runs `command` in it, as `user` with the group gatepost."""
        as_user = ("setpriv", f"--reuid={user}", "--regid=gatepost", "--clear-groups")
        inside = [*(as_user if user else ()), *command]
        return [*_SPACES, str(self.path), *inside]

    def run(self, *command: str, user: str | None = None, given: str | None = None) -> Told:
        """Run a command in it. Without `given` there is nothing to read: a question ends it."""
        result = subprocess.run(
            self.command(*command, user=user),
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
            input=given or "",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        return Told(result.returncode, result.stdout)

    def do(self, *command: str, user: str | None = None, given: str | None = None) -> str:
        """Run a command in it that must succeed; return what it says."""
        told = self.run(*command, user=user, given=given)
        assert told.status == 0, f"{' '.join(command)}: status {told.status}\n{told.text}"
        return told.text

    def bring(self, package: Path) -> str:
        """Copy a file to /tmp in it; return its path there."""
        shutil.copy(package, self.path / "tmp")
        return f"/tmp/{package.name}"  # noqa: S108 - in the root, not here

    def files(self) -> dict[str, str]:
        """Return everything in it that a package could leave: path -> what it is."""
        found = {}
        for folder, folders, names in os.walk(self.path):
            here = Path(folder).relative_to(self.path)
            folders[:] = [each for each in folders if str(here / each) not in _NOT_OURS]
            for name in [*folders, *names]:
                path = here / name
                if str(path) not in _NOT_OURS:
                    found[str(path)] = _what(self.path / path)
        return found

    def names(self, book: str) -> set[str]:
        """Return the names in /etc/passwd or /etc/group of it."""
        lines = (self.path / "etc" / book).read_text().splitlines()
        return {line.split(":")[0] for line in lines}


def _what(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    if path.is_dir():
        return "folder"
    return f"{path.stat().st_size} bytes"


def plain_root(suite: str, path: Path) -> Root:
    """Make a plain Debian of the suite: what every Debian has, and apt."""
    subprocess.run(
        ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", suite, str(path), MIRROR],
        check=True,
    )
    # For apt, which asks the mirror by name.
    shutil.copy("/etc/resolv.conf", path / "etc")
    (path / "etc/apt/apt.conf.d/99-quick").write_text(
        'Acquire::Languages "none";\nAPT::Install-Recommends "false";\n'
    )
    root = Root(path)
    root.do("apt-get", "-q", "update")
    return root
