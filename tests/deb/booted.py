"""A Debian in a folder whose systemd runs, in name spaces of its own: for the tests of the package.

It has its own processes, mounts, network (none) and branch of the kernel's control groups; the
kernel is that of this machine, so that nothing is emulated. No device but the null ones.
"""

import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from .roots import Root, Told

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE = 600  # looks, a tenth of a second apart
# $0 is the root, $1 its control group. In the first shell it joins that group.
_JOIN = 'echo $$ > "$1/cgroup.procs"; exec unshare {spaces} --kill-child sh -c \'{inner}\' "$0"'
_SPACES = "--cgroup --pid --fork --mount --propagation private --uts --ipc --net"
_BOOT = """
set -e
mount --bind "$0" "$0"
mount -t proc proc "$0/proc"
mount -t sysfs -o ro sysfs "$0/sys"
mount -t cgroup2 cgroup2 "$0/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$0/dev"
for each in null zero full random urandom tty; do
    touch "$0/dev/$each"
    mount --bind "/dev/$each" "$0/dev/$each"
done
mkdir "$0/dev/pts" "$0/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$0/dev/pts"
ln -s pts/ptmx "$0/dev/ptmx"
mount -t tmpfs -o mode=755 tmpfs "$0/run"
cd "$0"
pivot_root . mnt
umount -l /mnt
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=other \\
    /lib/systemd/systemd --unit=multi-user.target
"""


class NoBootError(Exception):
    """This machine lets nobody boot a systemd in a folder."""


class Booted(Root):
    """A root directory whose systemd runs as process `first` of this machine."""

    def __init__(self, path: Path, first: int) -> None:
        super().__init__(path)
        self._first = first

    def command(self, *command: str, user: str | None = None) -> list[str]:
        """Return the command that runs `command` in it, as `user` with the group gatepost."""
        as_user = ("setpriv", f"--reuid={user}", "--regid=gatepost", "--clear-groups")
        enter = (
            "nsenter",
            f"--target={self._first}",
            "-m",
            "-u",
            "-i",
            "-n",
            "-p",
            "-C",
            "-r",
            "-w",
        )
        return [*enter, *(as_user if user else ()), *command]

    def bring(self, package: Path) -> str:
        """Copy a file into it; return its path there. Over /tmp there may be another."""
        shutil.copy(package, self.path / "root")
        return str(Path("/root", package.name))

    def shown(self, unit: str, name: str) -> str:
        """Return what systemd says of a unit."""
        return self.do("systemctl", "show", "--value", f"--property={name}", unit).strip()

    def wait_until_up(self) -> None:
        """Wait until everything was started that is to be.

        Raises:
            NoBootError: it is not up in a minute.
        """
        pause, told = Event(), Told(1, "")
        for _ in range(_PATIENCE):
            told = self.run("systemctl", "is-system-running", "--wait")
            if told.text.strip() in {"running", "degraded"}:
                return
            pause.wait(0.1)
        raise NoBootError(told.text)


@contextmanager
def booted(root: Root, folder: Path) -> "Iterator[Booted]":
    """Boot the systemd of a root; everything that it started ends with it.

    Raises:
        NoBootError: it cannot be done on this machine.
    """
    groups = folder / "groups"
    groups.mkdir()
    try:
        subprocess.run(["mount", "-t", "cgroup2", "cgroup2", str(groups)], check=True)
    except subprocess.CalledProcessError as error:
        raise NoBootError("no cgroup2 here") from error
    own = groups / f"gatepost-deb-test-{os.getpid()}"
    try:
        own.mkdir()
        with _begun(root, own) as first:
            machine = Booted(root.path, first)
            machine.wait_until_up()
            yield machine
    finally:
        _remove(own)
        subprocess.run(["umount", str(groups)], check=True)
        groups.rmdir()


@contextmanager
def _begun(root: Root, group: Path) -> "Iterator[int]":
    script = _JOIN.format(spaces=_SPACES, inner=_BOOT)
    outer = subprocess.Popen(
        ["sh", "-c", script, str(root.path), str(group)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    first = 0
    try:
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
        pause = Event()
        for _ in range(_PATIENCE):
            if outer.poll() is not None:
                raise NoBootError(outer.stderr.read())
            found = children.read_text().split()
            if found and Path(f"/proc/{found[0]}/comm").read_text() == "systemd\n":
                first = int(found[0])
                break
            pause.wait(0.1)
        else:
            raise NoBootError("its systemd does not come up")
        yield first
    finally:
        # With the first process of a name space the kernel ends all others.
        if outer.poll() is None:
            os.kill(first or outer.pid, signal.SIGKILL)
        outer.communicate()


def _remove(group: Path) -> None:
    """Remove a control group with all below; the kernel may need a moment to empty them."""
    pause = Event()
    for _ in range(_PATIENCE):
        try:
            for folder, _, _ in os.walk(group, topdown=False):
                Path(folder).rmdir()
        except OSError:
            pause.wait(0.1)
        else:
            return
    raise TimeoutError(f"{group} still has processes")
