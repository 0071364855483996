"""The guest's part of a power cut where it is saved and restored: wait for the disk, and go on.

What comes before `_wait` is in the snapshot. Nothing of Gatepost runs there, and SQLite is not
used: it takes the start of its random numbers from the system once a process.
"""

import fcntl
import json
import os
import random
import struct
import subprocess
import time
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from gatepost import wiring

from . import powercut_load

_COMMANDS = ("gatepost.cli.run", "gatepost.cli.uplink")
_PORT = "vport*p1"
_DISK = "vda"
_BLOCK_DRIVER = Path("/sys/bus/virtio/drivers/virtio_blk")
# random(4): add what is in the structure to the kernel's pool; draw its own key from that.
_RNDADDENTROPY, _RNDRESEEDCRNG = 0x40085203, 0x5207


def main() -> None:
    """Get everything ready but the disk, be saved, and be one boot of the bench from there on."""
    _import()
    disk = (Path("/sys/block") / _DISK / "device").resolve().name
    (_BLOCK_DRIVER / "unbind").write_text(disk)
    start = _wait()
    _reseed(bytes.fromhex(start["seed"]))
    time.clock_settime(time.CLOCK_REALTIME, start["utc_s"])
    share = "trans=virtio,version=9p2000.L,msize=512000"
    subprocess.run(["mount", "-t", "9p", "-o", share, "share", powercut_load.SHARE], check=True)
    log = os.open(powercut_load.SHARE / "load.log", os.O_WRONLY | os.O_CREAT)
    for fd in (1, 2):
        os.dup2(log, fd)
    (_BLOCK_DRIVER / "bind").write_text(disk)
    powercut_load.main()


def _import() -> None:
    """Import what gate and link do when they start; only the cold boots wait for that there.

    Not lgpio, which starts a thread when it is imported: none outlives a fork.
    """
    parts = [part.name for part in iter_modules(wiring.__path__, "gatepost.wiring.")]
    for name in (*_COMMANDS, *parts):
        import_module(name)


def _wait() -> dict[str, object]:
    """Tell that all is ready; return what the host sends once it has restored this guest."""
    (port,) = Path("/dev").glob(_PORT)
    with port.open("r+b", buffering=0) as wire:
        wire.write(b'{"tell": "warm"}\n')
        line = b""
        while not line.endswith(b"\n"):
            line += wire.read(4096)
    return json.loads(line)


def _reseed(seed: bytes) -> None:
    """Give the kernel, and Python's own generator, a start that no other restored guest has."""
    pool = struct.pack("ii", 8 * len(seed), len(seed)) + seed
    with Path("/dev/urandom").open("wb") as device:
        fcntl.ioctl(device, _RNDADDENTROPY, pool)
        fcntl.ioctl(device, _RNDRESEEDCRNG)
    random.seed()


if __name__ == "__main__":
    main()
