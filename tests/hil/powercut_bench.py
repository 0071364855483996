"""The disk and the server that live on from power cut to power cut."""

import json
import queue
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from hashlib import sha256
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Literal, Self

from gatepost.demo.broker import Address, LocalBroker
from gatepost_services.contract.events import WireEvent, event_source
from gatepost_services.hub.subscriber import Subscriber
from gatepost_services.hub.tally import Tally

from .build import Guest, found
from .lossy_disk import Counts
from .machine import GuestError
from .powercut_boot import Boot
from .powercut_ledger import Ledger
from .snapshot import Guests, Snapshot

Control = Literal["", "nobarrier", "nosync"]
SITE, GATE = "bench", "lane-1"
SOURCE = event_source(SITE, GATE)
IMAGE_BYTES = 64 * 1024 * 1024
# Of the load's own journal, how many of the events that stood at the last cut stay.
_KEPT_EVENTS = 50
# Of so many boots one is of the whole guest. The others begin where it had not seen its disk yet.
COLD_EACH = 10
# When the power goes: while the file system recovers and is looked at, while gate and link start,
# at work, after some people have walked, or once the server has what this boot began with.
_MOMENTS = ("mount", "start", "start", "work", "work", "work", "hands", "hands", "link")


class PowerCutError(AssertionError):
    """What must hold does not; the message says what, where, and how to see it again."""


class _Receipts(Tally):
    """The server's tally, which keeps what came for the ledger."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: queue.SimpleQueue[tuple[int, str, str, Mapping[str, object]]]
        self.queue = queue.SimpleQueue()

    def add(self, event: WireEvent, payload: bytes | None = None, stream: str = "") -> bool:
        digest = sha256(payload or b"").hexdigest()
        self.queue.put((event.seq, digest, event.type, event.data))
        return super().add(event, payload, stream)


class Bench:
    """One disk and one server, for as many cycles as wanted.

    Args:
        guests: what to boot, and what to restore.
        folder: for image, sockets and logs.
        seed: decides on every cut: when, and what of the cache is lost. The moment within the
            guest is the machine's own, so that a cycle repeats in kind and not to the sector.
        control: takes the flushes away. "nobarrier": the file system sends none; "nosync": the
            writer of the load asks for none.
        cold_each: the first boot, and each one after so many, is one of the whole guest; the others
            restore it (`snapshot`). With 1 none does, with 0 all do.
    """

    def __init__(
        self,
        guests: Guests,
        folder: Path,
        *,
        seed: int,
        control: Control = "",
        cold_each: int = COLD_EACH,
    ) -> None:
        self._guests, self._folder = guests, folder
        self._seed, self._control, self._cold_each = seed, control, cold_each
        self.took_s: dict[str, list[float]] = {"cold": [], "restored": []}  # from boot to cut
        self.ledger = Ledger()
        self.moments: Counter[str] = Counter()
        self.disk_counts = Counts()
        self.cycles = self.repairs = 0
        self._load_delivered_seq = 0
        self._image = folder / "image"
        self._receipts = _Receipts()
        self._broker = LocalBroker(folder)
        self._server = Subscriber(
            host="127.0.0.1",
            port=self._broker.address.port,
            protocol=self._broker.address.protocol,
            client_id="server",
            tally=self._receipts,
        )
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        with self._image.open("wb") as file:
            file.truncate(IMAGE_BYTES)
        lazy = "lazy_itable_init=0,lazy_journal_init=0"
        mkfs = found("mkfs.ext4") or "mkfs.ext4"
        subprocess.run([mkfs, "-q", "-F", "-E", lazy, self._image], check=True)
        self._broker.start()
        self._closing.callback(self._broker.stop)
        self._closing.enter_context(self._server)
        if not self._server.wait_subscribed(30.0):
            raise PowerCutError("the server cannot subscribe at the broker")
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._closing.close()

    def cycle(self) -> None:
        """Boot, judge what the last cut left, work, and cut.

        Raises:
            PowerCutError: something was lost, or is not as it must be.
            GuestError: the guest did not come as far as it should have.
        """
        self.cycles += 1
        chance = Random(f"{self._seed} {self.cycles}")
        moment = "link" if self.cycles == 1 else chance.choice(_MOMENTS)
        self.moments[moment] += 1

        def live(boot: Boot) -> None:
            boot.run_until(moment, chance)
            boot.cut(chance)

        self._live(moment, live)

    def settle(self) -> None:
        """Boot once more, judge, and see that in the end the server has everything.

        Raises:
            PowerCutError, GuestError: as `cycle`.
        """
        self.cycles += 1

        def live(boot: Boot) -> None:
            boot.wait_at_rest()
            last_seq = max(self.ledger.books["gate"].hashes)
            boot.wait_server(last_seq)
            boot.cut(Random(self._seed))

        self._live("settle", live)
        tally = self._server.snapshot()
        wrong = {"breaks": tally.breaks, "malformed": tally.malformed, "gone": tally.gone}
        self.ledger.problems += [f"server: {n} {what}" for what, n in wrong.items() if n]
        self._raise_problems()

    def figures(self) -> dict[str, object]:
        """Return what was done and found so far."""
        books, tally = self.ledger.books, self._server.snapshot()
        return {
            "cycles": self.cycles,
            "cold_boots": len(self.took_s["cold"]),
            "restored": len(self.took_s["restored"]),
            "boot_ids": len(self.ledger.boot_ids),
            "median_s": {
                name: round(median(took), 1) for name, took in self.took_s.items() if took
            },
            "moments": dict(self.moments),
            "acknowledged": {name: book.acknowledged for name, book in books.items()},
            "received": tally.received,
            "received_again": tally.duplicates,
            "lost": {name: book.lost for name, book in books.items()},
            "deleted_after_delivery": {name: book.pruned for name, book in books.items()},
            "judged": self.ledger.verdicts,
            "safe_starts": self.ledger.at_rest,
            "file_system_recoveries": self.ledger.recoveries,
            "checked_at_boot": self.repairs,
            "states": self.ledger.states,
            "disk": self.disk_counts._asdict(),
        }

    def count(self, counts: Counts) -> None:
        """Add what a disk counted."""
        self.disk_counts = Counts(*map(sum, zip(self.disk_counts, counts, strict=True)))

    def judge(self, verdict: Mapping[str, Any]) -> None:
        """Hold a verdict against everything known by now."""
        self.take_receipts()
        has = self._server.snapshot().complete_through.get(SOURCE, 0)
        self.ledger.judge(verdict, {"gate": has, "load": self._load_delivered_seq})

    def take_receipts(self) -> None:
        """Note what the server has received."""
        with suppress(queue.Empty):
            while True:
                self.ledger.receive(*self._receipts.queue.get_nowait())

    def wait_server(self, seq: int, timeout_s: float) -> bool:
        """Wait until the server has everything through a number; return whether it does."""
        return self._server.wait_until(
            lambda tally: tally.complete_through.get(SOURCE, 0) >= seq, timeout_s
        )

    def _live(self, moment: str, live: Callable[[Boot], None]) -> None:
        """Boot and live; a disk that the kernel does not mount is checked as at any boot, once."""
        for is_mended in (False, True):
            each = self._cold_each
            is_cold = each > 0 and self.cycles % each == 1 % each
            start = self._guests.built if is_cold else self._guests.snapshot
            began_s = time.monotonic()
            try:
                with self._boot(start, moment) as boot:
                    live(boot)
                took_s = time.monotonic() - began_s
                self.took_s["cold" if is_cold else "restored"].append(took_s)
                break
            except GuestError:
                failure = self.ledger.take_mount_failure()
                if not failure or is_mended:
                    self.ledger.problems += [failure] if failure else []
                    self._raise_problems()  # they are why
                    raise
                mend(self._image)
                self.repairs += 1
        self._raise_problems()

    def _boot(self, start: Guest | Snapshot, moment: str) -> Boot:
        shutil.copy(self._image, self._folder / "image.before")
        share = self._folder / "share"
        shutil.rmtree(share, ignore_errors=True)
        share.mkdir()
        (share / "gatepost.toml").write_text(_settings(self._broker.address))
        last_seq = self.ledger.books["load"].last_seq
        self._load_delivered_seq = max(self._load_delivered_seq, last_seq - _KEPT_EVENTS)
        cycle = {
            "seed": f"{self._seed} {self.cycles}",
            "mount_options": "barrier=0" if self._control == "nobarrier" else "data=ordered",
            "is_synchronous": self._control != "nosync",
            "writes_at_once": moment == "start",
            "enters_first": moment == "hands",
            "load_delivered_seq": self._load_delivered_seq,
        }
        (share / "cycle.json").write_text(json.dumps(cycle))
        return Boot(self, start, self._image, share)

    def _raise_problems(self) -> None:
        if self.ledger.problems:
            command = f"-m tests.hil.powercut --seed {self._seed} --cycles {self.cycles}"
            command += f" --cold-each {self._cold_each}"
            told = "\n".join(self.ledger.problems[:20])
            raise PowerCutError(
                f"cycle {self.cycles}, {self._folder}/image.before as it was before this boot; "
                f"again with {command}:\n{told}"
            )


def mend(image: Path) -> None:
    """Check the file system as Raspberry Pi OS does at every boot (`fsck.repair=yes`).

    A block of ext4 is several sectors, and a cut may come between them. Two of them the kernel does
    not get over: the superblock, and before Linux 6.10 the last commit block of the journal.

    Raises:
        PowerCutError: it cannot be mended.
    """
    command = [found("e2fsck") or "e2fsck", "-y", image]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):  # e2fsck(8): 1 is, errors were corrected
        raise PowerCutError(f"e2fsck -y ends with {done.returncode}:\n{done.stdout[-2000:]}")


def _settings(broker: Address) -> str:
    disk = "/run/disk"
    return f"""
[gate]
site = "{SITE}"
name = "{GATE}"
[lane]
refused_show_s = 1.0
[passback]
mode = "soft"
[screening]
samples = 5
[sensor]
calibration = "factory"
warm_up_s = 0
[pins]
tamper = 26
[reader]
device = "/run/entry-reader"
exit_device = "/run/exit-reader"
[journal]
max_events = 1000
min_free_megabytes = 10
append_deadline_s = 5.0
[link]
broker_host = "10.0.2.2"
broker_port = {broker.port}
transport = "plain"
mqtt_version = "{broker.protocol}"
reconnect_max_s = 1.0
backlog_rate = 0
[paths]
gate_dir = "{disk}/gate"
link_dir = "{disk}/link"
run_dir = "/run/gatepost"
roster = "{disk}/roster.db"
roster_key = "{disk}/roster.key"
calibration_dir = "{disk}/calibration"
"""


def run_control(guests: Guests, folder: Path, control: Control, *, seed: int, cycles: int) -> str:
    """Return what the bench finds on a disk that is not flushed.

    Raises:
        PowerCutError: it finds nothing, and so proves nothing.
    """
    with Bench(guests, folder, seed=seed, control=control, cold_each=0) as bench:
        for _ in range(cycles):
            try:
                bench.cycle()
            except PowerCutError as error:
                return str(error)
    raise PowerCutError(f"{control}: nothing was lost in {cycles} cycles; this proves nothing")
