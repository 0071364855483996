"""A guest at the instant before it sees its disk: booted once, saved, and restored for each cut.

To boot a guest takes most of a power cut's time, and says nothing about the disk. Saved is the
memory of a guest that has booted, has its lane's devices and its network, and has imported what
gate and link import. No driver has the disk by then (`inside/powercut_restored`): nothing of it can
have been read, or stand in a cache. From there on all is as after a boot.

The same in each restored guest, and so not varied by it: the kernel's and the interpreter's
addresses, the interpreter's hash seed, the process ids, and the monotonic clock at its start. Not
the same: the disk, the wall clock, everything drawn at random, and the boot id, which the kernel
draws when it is first asked.
"""

import json
import os
import shlex
import socket
import time
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

from .build import Guest
from .machine import GuestError, Machine, whole_script
from .root_image import SCRIPT, make_root_image

# The page cache is most of it; what is not zero is read at each restore.
MEMORY_MB = 384
_KERNEL = f"guest.root=/dev/vdb guest.run={SCRIPT}"
_BOOT_S, _SAVE_S, _LOAD_S = 180.0, 120.0, 60.0
_POLL_S = 0.01
_NO_DISK = f"driver=null-co,size={64 * 1024 * 1024},read-zeroes=on"
_SEED_BYTES = 64
_SCRIPT = """
busybox ip addr add 10.0.2.15/24 dev eth0
busybox ip link set eth0 up
busybox ip route add default via 10.0.2.2
# What nobody flushes is to be on its way to the disk all the time, not each half minute.
echo 20 > /proc/sys/vm/dirty_writeback_centisecs
echo 20 > /proc/sys/vm/dirty_expire_centisecs
"""
COLD_SCRIPT = _SCRIPT + "exec $PYTHON -m tests.hil.inside.powercut_load > /mnt/load.log 2>&1\n"
_SAVED_SCRIPT = _SCRIPT + "exec $PYTHON -m tests.hil.inside.powercut_restored\n"


class Snapshot(NamedTuple):
    """A saved guest: QEMU's stream, and the file system that it has as its root."""

    guest: Guest
    root: Path
    state: Path


class Guests:
    """A guest in both forms; it is saved when that is first asked for, in a folder to be made."""

    def __init__(self, built: Guest, folder: Path) -> None:
        self.built = built
        self._folder = folder

    @cached_property
    def snapshot(self) -> Snapshot:
        """The guest at the instant before its disk."""
        return save(self.built, self._folder)


def devices(disk: str, out_at: Path, root: Path | None = None) -> list[str]:
    """Return QEMU's arguments: a drive for the disk, the socket of the way out, a root's image."""
    root_devices = (
        *("-drive", f"file={root},format=raw,if=none,id=root,readonly=on"),
        *("-device", "virtio-blk-pci,drive=root"),
    )
    return [
        *("-drive", f"{disk},if=none,id=disk", "-device", "virtio-blk-pci,drive=disk"),
        *(root_devices if root else ()),
        *("-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="),
        *("-chardev", f"socket,id=out,path={out_at}"),
        *("-device", "virtio-serial-pci", "-device", "virtserialport,chardev=out,name=out"),
    ]


def save(guest: Guest, folder: Path) -> Snapshot:
    """Boot a guest up to the instant before its disk, and save it in a folder.

    Raises:
        GuestError: it does not come that far.
    """
    folder.mkdir()
    root = make_root_image(folder, whole_script(_SAVED_SCRIPT))
    snapshot = Snapshot(guest, root, folder / "state")
    out_at = folder / "out.sock"
    with ExitStack() as closing:
        listener = closing.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(out_at))
        listener.listen()
        listener.settimeout(_BOOT_S)
        machine = Machine(
            guest,
            folder,
            "",
            devices=devices(_NO_DISK, out_at, root),
            memory_mb=MEMORY_MB,
            kernel=_KERNEL,
        )
        closing.callback(machine.kill)
        out, _ = listener.accept()
        closing.enter_context(out)
        _wait_warm(machine, out)
        machine.tell("stop")
        machine.tell("migrate-set-parameters", **{"max-bandwidth": 1 << 34})
        machine.tell("migrate", uri=f"exec:cat > {shlex.quote(str(snapshot.state))}")
        _wait_status(machine, "query-migrate", ("completed",), _SAVE_S)
    return snapshot


def restore(snapshot: Snapshot, share: Path, disk: str, out_at: Path) -> Machine:
    """Return a machine that stands where the saved one did, with this disk; see `set_going`."""
    load = ("-incoming", f"exec:cat {shlex.quote(str(snapshot.state))}")
    return Machine(
        snapshot.guest,
        share,
        "",
        devices=[*devices(disk, out_at, snapshot.root), *load],
        memory_mb=MEMORY_MB,
        kernel=_KERNEL,
    )


def set_going(machine: Machine, out: socket.socket) -> None:
    """Let a restored machine go on, with the time and a seed of its own.

    Raises:
        GuestError: it was not restored.
    """
    _wait_status(machine, "query-status", ("paused",), _LOAD_S)
    machine.tell("cont")
    start = {"utc_s": time.time_ns() / 1e9, "seed": os.urandom(_SEED_BYTES).hex()}
    out.sendall(json.dumps(start).encode() + b"\n")


def _wait_warm(machine: Machine, out: socket.socket) -> None:
    out.settimeout(_BOOT_S)
    with out.makefile("rb") as lines:
        try:
            line = lines.readline()
        except TimeoutError:
            line = b""
    if b"warm" not in line:
        raise GuestError("\n".join(("the guest to be saved did not start", *machine.lines[-20:])))


def _wait_status(machine: Machine, query: str, wanted: tuple[str, ...], timeout_s: float) -> None:
    until_s = time.monotonic() + timeout_s
    told: dict[str, Any] = {}
    while time.monotonic() < until_s:
        told = machine.tell(query)
        if told.get("status") in wanted:
            return
        if told.get("status") == "failed":
            break
        Event().wait(_POLL_S)
    raise GuestError("\n".join((f"{query} tells {told}", *machine.lines[-20:])))
