"""One boot of a power cut: the lossy disk, the guest, and what it tells until the power goes."""

import json
import queue
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random
from typing import Any, Protocol, Self

from .build import Guest
from .lossy_disk import Counts, LossyDisk
from .machine import GuestError, Machine
from .powercut_ledger import Ledger
from .snapshot import COLD_SCRIPT, Snapshot, devices, restore, set_going

_CONNECT_S, _BOOT_S, _START_S, _WORK_S = 30.0, 120.0, 180.0, 120.0
_CACHE_S = 2.0  # how long a cut waits for a cache that fills


class Keeper(Protocol):
    """Who keeps what lives on from boot to boot."""

    ledger: Ledger

    def judge(self, verdict: Mapping[str, Any]) -> None:
        """Hold a verdict against everything known by now."""
        ...

    def count(self, counts: Counts) -> None:
        """Add what a disk counted."""
        ...

    def wait_server(self, seq: int, timeout_s: float) -> bool:
        """Wait until the server has everything through a number; return whether it does."""
        ...


class Boot:
    """One boot: the disk, the guest, and what comes out of it."""

    def __init__(self, keeper: Keeper, start: Guest | Snapshot, image: Path, share: Path) -> None:
        self._keeper, self._share = keeper, share
        # How long gate and link take to start, against a boot in which they are imported first.
        self._pace = 0.5 if isinstance(start, Snapshot) else 1.0
        self._told: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        with ExitStack() as undone:
            self._start(undone, start, image)
            self._closing = undone.pop_all()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _start(self, closing: ExitStack, start: Guest | Snapshot, image: Path) -> None:
        disk_at, out_at = image.with_name("disk.sock"), image.with_name("out.sock")
        for path in (disk_at, out_at):
            path.unlink(missing_ok=True)
        self._disk = closing.enter_context(LossyDisk(image, disk_at))
        listener = closing.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(out_at))
        listener.listen()
        disk = f"file=nbd+unix:///?socket={disk_at},format=raw"
        if isinstance(start, Snapshot):
            self._machine = restore(start, self._share, disk, out_at)
        else:
            self._machine = Machine(start, self._share, COLD_SCRIPT, devices=devices(disk, out_at))
        closing.callback(self._machine.kill)
        listener.settimeout(_CONNECT_S)
        try:
            self._out, _ = listener.accept()
        except TimeoutError:
            raise self._failed(f"QEMU does not connect in {_CONNECT_S:.0f} s") from None
        closing.enter_context(self._out)
        if isinstance(start, Snapshot):
            set_going(self._machine, self._out)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._closing.close()
        self._reader.join()

    def run_until(self, moment: str, chance: Random) -> None:
        """Go on until it is time for the power to go."""
        self.wait_for("mounting", _BOOT_S)
        if moment == "mount":
            self._go_on(self._pace * chance.uniform(0.0, 3.0))
            return
        self.wait_for("verdict", _BOOT_S)
        if moment == "start":
            self._go_on(self._pace * chance.uniform(0.0, 8.0))
            return
        self.wait_at_rest()
        if moment == "link":
            self.wait_server(max(self._keeper.ledger.books["gate"].hashes))
        if moment == "hands":
            for _ in range(chance.randint(1, 3)):
                self.wait_for("did", _WORK_S)
        for _ in range(chance.randint(1, chance.choice((20, 120)))):
            self.wait_for("durable", _WORK_S)
        self._go_on(chance.uniform(0.0, 0.05))

    def wait_at_rest(self) -> None:
        """Wait until the gate works, and its relays have been looked at."""
        self.wait_for("at_rest", _START_S)

    def wait_for(self, kind: str, timeout_s: float) -> None:
        """Take what the guest tells until it tells something of this kind.

        Raises:
            GuestError: not in time.
        """
        until_s = time.monotonic() + timeout_s
        while (told := self._next(until_s)) is not None:
            if told["tell"] == kind:
                return
        raise self._failed(f"the guest told no {kind!r} in {timeout_s:.0f} s, or ended")

    def wait_server(self, seq: int) -> None:
        """Wait until the server has everything through a number: the link goes on.

        Raises:
            GuestError: not in time.
        """
        if not self._keeper.wait_server(seq, _WORK_S):
            raise self._failed(f"the server does not get event {seq} in {_WORK_S:.0f} s")

    def cut(self, chance: Random) -> None:
        """Take the power away, and take what was on its way out."""
        if self._machine.process.poll() is not None:
            raise self._failed("the guest ended by itself")
        # Half of the cuts come in the middle of what the kernel writes between two flushes.
        unflushed = chance.choice((0, 0, chance.randint(1, 8), chance.randint(8, 60)))
        self._disk.cut(chance, unflushed=unflushed, wait_s=_CACHE_S)
        self._keeper.count(self._disk.counts)
        self._machine.kill()
        self._reader.join()
        while self._next(0.0) is not None:
            pass

    def _failed(self, reason: str) -> GuestError:
        logs = [
            f"--- {path.name}\n{path.read_text(errors='replace')[-1500:]}"
            for path in sorted(self._share.glob("*.log"))
        ]
        return GuestError("\n".join((reason, *self._machine.lines[-10:], *logs)))

    def _go_on(self, for_s: float) -> None:
        until_s = time.monotonic() + for_s
        while self._next(until_s) is not None:
            pass

    def _next(self, until_s: float) -> dict[str, Any] | None:
        """Return what the guest tells next, which the ledger has then; None after `until_s`."""
        try:
            told = self._told.get(timeout=max(0.0, until_s - time.monotonic()))
        except queue.Empty:
            return None
        if told is None:
            self._told.put(None)
            return None
        if told["tell"] == "verdict":
            self._keeper.judge(told)
        self._keeper.ledger.take(told)
        return told

    def _read(self) -> None:
        with self._out.makefile("rb") as lines, suppress(OSError):
            for line in lines:
                with suppress(ValueError):  # half a line, cut
                    self._told.put(json.loads(line))
        self._told.put(None)
