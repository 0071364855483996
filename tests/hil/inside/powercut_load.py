"""The guest's part of a power cut: tell what the last one left, then keep the disk busy.

Whatever is told here goes out of the guest at once, and is then held against this gate.
"""

import json
import os
import random
import sqlite3
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

from gatepost.cli.main import main as gatepost
from gatepost.wiring.lane import system_boot_id
from gatepost_config.load import load
from gatepost_config.paths import Paths
from gatepost_config.settings import Settings
from gatepost_hal.gpio import ALARM_REST_S
from gatepost_hal.system import SystemClock
from gatepost_services.contract.events import Envelope
from gatepost_services.control import ControlError, ask
from gatepost_services.credentials.replay import Counted, ReplayStore
from gatepost_services.journal import Entry, Journal, JournalReader, JournalUnavailable
from gatepost_services.journal.bounds import Limits
from gatepost_services.journal.durable import DurableLog
from gatepost_services.journal.keeper import Keeper
from gatepost_services.journal.opening import open_journal
from gatepost_services.uplink.position import write_acknowledged

from . import lane
from .powercut_site import DISK, LOAD_DIR, SUBJECTS, calibrate, kernel_on_ext4, mount, prepare
from .powercut_verdict import Verdict, offset_state

SHARE = Path("/mnt")
READERS = {"entry": Path("/run/entry-reader"), "exit": Path("/run/exit-reader")}
TAMPER_LINE = 26
_TYPES = ("visit.admitted", "passage.entered", "visit.referred", "controller.overrun", "fault.x")
_REOPENED_EACH = 60  # appends
_HOUSE_S = 0.3
_AT_REST_S = 0.5
_ANSWER_S = 30.0  # of a gate in a guest whose disk and processor are slow


class Outside:
    """The way out of the guest; any thread may tell."""

    def __init__(self) -> None:
        (port,) = Path("/dev").glob("vport*p1")
        self._port = os.open(port, os.O_WRONLY)
        self._lock = threading.Lock()

    def tell(self, what: str, **data: object) -> None:
        """Tell something; it is out when this returns."""
        left = json.dumps({"tell": what, "at_s": time.monotonic(), **data}).encode() + b"\n"
        with self._lock:
            while left:
                left = left[os.write(self._port, left) :]


class _Recording:
    """A sealer that remembers number and hash of what it sealed."""

    def __init__(self, sealer: Envelope) -> None:
        self._sealer = sealer
        self.sealed: list[tuple[int, str]] = []

    def seal(self, entry: Entry, seq: int, previous: bytes) -> bytes:
        body = self._sealer.seal(entry, seq, previous)
        self.sealed.append((seq, sha256(body).hexdigest()))
        return body


class _Careless(Journal):
    """A journal that never waits for the disk: what the bench must find out."""

    def _configure(self, connection: sqlite3.Connection) -> None:
        super()._configure(connection)
        connection.execute("PRAGMA synchronous = OFF")


class Writer:
    """A gate directory of its own, written as fast as the disk takes it."""

    def __init__(
        self,
        outside: Outside,
        seed: str,
        delivered_seq: int,
        make: type[Journal],
        used: int,
    ) -> None:
        self._make = make
        self._used = used  # steps of a pass, before this boot
        self._outside = outside
        self._chance = Random(seed)
        self._clock = SystemClock()
        self._delivered_seq = delivered_seq
        self._sealer = _Recording(Envelope("bench", "load", system_boot_id()))

    def run(self) -> None:
        """Append until the power fails; close and open it again now and then."""
        try:
            self._append_on()
        except Exception as error:
            self._outside.tell("problem", what=f"the load's journal: {error!r}")
            raise

    def _append_on(self) -> None:
        write_acknowledged(LOAD_DIR / "acknowledged", self._delivered_seq)
        uses = ReplayStore.open(LOAD_DIR / "credentials.db")
        while True:
            log = DurableLog(self._open, deadline_s=60.0)
            for _ in range(_REOPENED_EACH):
                log.append([self._entry() for _ in range(self._chance.choice((1, 1, 1, 4)))])
                told, self._sealer.sealed = self._sealer.sealed, []
                self._outside.tell("durable", journal="load", events=told)
                # Seldom, and not in the control: its flush saves what nobody else flushed.
                if self._make is Journal and self._chance.random() < 0.1:
                    self._use_pass(uses)
                if self._chance.random() < 0.1:
                    log.keep_house(self._delivered_seq)
                    Event().wait(_HOUSE_S)  # it gives way to whatever is to be appended
            log.close()

    def _use_pass(self, uses: ReplayStore) -> None:
        """Count the next step of one pass: after a cut none of them may work again."""
        self._used += 1
        end = datetime.max.replace(tzinfo=UTC)
        uses.consume(Counted(bytes(16), None, self._used, end, end))
        self._outside.tell("stands", states={"pass uses": self._used})

    def _open(self, damage: object) -> tuple[Journal, Keeper]:
        if damage is not None:
            self._outside.tell("problem", what=f"the load's journal: {damage}")
        opened = open_journal(
            LOAD_DIR / "journal.db",
            self._sealer,
            delivered_seq=self._delivered_seq,
            stamp=lambda type_, data: Entry(type_, self._clock.now_s(), self._clock.utc_s(), data),
            make=self._make,
        )
        if opened.why:
            self._outside.tell("problem", what=f"the load's journal: {opened.why}")
        # What is delivered is deleted at once.
        limits = Limits(max_events=5000, keep_delivered_s=0.0, min_free_bytes=4_000_000)
        keeper = Keeper(opened.journal, limits, lambda *_: self._entry(), self._clock.utc_s, {})
        return opened.journal, keeper

    def _entry(self) -> Entry:
        pad = "x" * self._chance.choice((10, 300, 4000))
        type_ = self._chance.choice(_TYPES)
        return Entry(type_, self._clock.now_s(), self._clock.utc_s(), {"pad": pad})


class Watcher:
    """Reads what the gate has made durable, and tells it."""

    def __init__(self, outside: Outside, paths: Paths) -> None:
        self.outside = outside
        self._paths = paths
        self._journal = JournalReader(paths.journal)
        self._through = 0
        self.types: list[str] = []

    def skip(self) -> None:
        """Leave out what was there before."""
        with suppress(JournalUnavailable):
            self._through = self._journal.last_seq()
        self._journal.close()  # SQLite must not be carried into a fork

    def look(self) -> None:
        """Tell what is new in the gate's journal: what a reader sees is on the disk."""
        with suppress(JournalUnavailable):
            page = self._journal.read(self._through, 1000)
            self._through = page.through
            events = [(each.seq, each.hash.hex()) for each in page.records]
            self.types += [json.loads(each.body)["type"] for each in page.records]
            if events:
                self.outside.tell("durable", journal="gate", events=events)

    def look_at_states(self) -> None:
        """Tell what the gate's other files hold.

        What stands in a file before the loop answers was written, and waited for, by the loop.
        """
        states = offset_state(self._paths.offset)
        states |= _whereabouts_state(self._paths.whereabouts)
        standing = self._paths.standing
        states["standing"] = json.loads(standing.read_bytes()) if standing.exists() else []
        status = ask(self._paths.control, {"verb": "status"}, _ANSWER_S)
        self.outside.tell("stands", states=states, state=status.get("state"))


class Hands:
    """Whoever walks, presses, shows and orders at the lane."""

    def __init__(
        self, watcher: Watcher, settings: Settings, seed: str, found: Mapping[str, Any]
    ) -> None:
        self._watcher = watcher
        self._outside = watcher.outside
        self._paths = settings.paths
        self._pins = settings.pins
        self._chance = Random(seed)
        self._readers = {name: _pty(path) for name, path in READERS.items()}
        self._calibrations = found.get("calibration", 1)
        self._is_locked = bool(found["standing"])

    def work(self, story: Callable[[], None] | None = None) -> None:
        """Do this, or anything, whatever comes of it, and tell what it left."""
        stories = (self.leave, self.leave, self.enter, self.lock, self.tamper, self.calibrate)
        with suppress(lane.LaneError, ControlError):
            if self._is_locked and self._chance.random() < 0.5:
                self.lock()
            (story or self._chance.choice(stories))()
            self._watcher.look()
            self._watcher.look_at_states()
        lane.rest()
        lane.close(TAMPER_LINE)
        self._outside.tell("did")

    def leave(self) -> None:
        """Leave by a pass or by the button, and walk."""
        if self._chance.random() < 0.5:
            self._show("exit")
        else:
            lane.close(self._pins.exit_button)
        self._walk(self._pins.exit_relay)

    def enter(self) -> None:
        """Enter as a resident who is well."""
        lane.show(lane.HEALTHY_C)
        lane.close(self._pins.presence)
        Event().wait(0.3)  # seen by then
        self._show("entry")
        self._walk(self._pins.entry_relay)

    def lock(self) -> None:
        """Order a lock-down, or end the one there is."""
        self._is_locked = not self._is_locked
        standing = ["lockdown"] if self._is_locked else []
        self._outside.tell("wanted", states={"standing": standing})
        ask(self._paths.control, {"verb": "lock" if self._is_locked else "unlock"}, 5.0)

    def tamper(self) -> None:
        """Open the housing."""
        lane.open_(TAMPER_LINE)
        Event().wait(0.1)
        lane.close(TAMPER_LINE)
        Event().wait(ALARM_REST_S + 0.2)  # or nobody would be let in

    def calibrate(self) -> None:
        """Write the next calibration."""
        self._calibrations += 1
        calibrate(self._paths, self._calibrations)
        self._outside.tell("stands", states={"calibration": self._calibrations})

    def _show(self, reader: str) -> None:
        subject = self._chance.choice(SUBJECTS)
        os.write(self._readers[reader], f"pass-{subject}\n".encode())

    def _walk(self, relay: int) -> None:
        lane.wait_until(lambda: lane.level(relay), "the release", 8.0)
        self._watcher.look()
        lane.close(self._pins.passage)
        Event().wait(0.1)
        lane.open_(self._pins.passage)
        lane.open_(self._pins.presence)
        lane.wait_until(lambda: not lane.level(relay), "the end of the release", 8.0)


def _whereabouts_state(path: Path) -> dict[str, object]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT subject, utc_s FROM whereabouts").fetchall()
    return {f"whereabouts of {subject}": utc_s for subject, utc_s in rows}


def _pty(link: Path) -> int:
    """Return the wire behind a reader that the gate finds at `link`."""
    wire, terminal = os.openpty()
    link.symlink_to(os.ttyname(terminal))
    return wire


def start(command: str) -> int:
    """Start the gate or the link as its unit does; return the process id.

    A fork that has the modules already: emulated, the interpreter alone takes seconds to start.
    """
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        log = os.open(SHARE / f"{command}.log", os.O_WRONLY | os.O_CREAT)
        for fd in (1, 2):
            os.dup2(log, fd)
        status = gatepost([command, "--config", str(SHARE / "gatepost.toml")])
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(status)  # nothing of the parent's is to be closed here


def ended() -> int:
    """Return the process id of a service that has ended, 0 while they run."""
    return os.waitpid(-1, os.WNOHANG)[0]


def wait_at_rest(watcher: Watcher, settings: Settings, trace: lane.Trace) -> dict[str, object]:
    """Wait until the gate works, and return how its relays were all the time until then.

    Raises:
        LaneError: it does not work in time, or gate or link has ended.
    """
    relays = (settings.pins.entry_relay, settings.pins.exit_relay)

    def has_started() -> bool:
        Event().wait(0.1)  # the gate needs the processor
        if pid := ended():
            raise lane.LaneError(f"process {pid} has ended while it started")
        watcher.look()
        return "gatepost.controller.started" in watcher.types

    lane.wait_until(has_started, "the gate's first event", 120.0)
    Event().wait(_AT_REST_S)
    watcher.look_at_states()
    changes = trace.changes(*relays)
    return {
        "is_at_rest": not any(change.level for change in changes),
        "has_claimed": {change.line for change in changes} == set(relays),
        "levels": [lane.level(line) for line in relays],
    }


def main() -> None:
    """Do what this boot is for."""
    cycle = json.loads((SHARE / "cycle.json").read_text())
    settings = load(SHARE / "gatepost.toml")
    outside = Outside()
    drawn = [os.urandom(8).hex(), random.randbytes(8).hex()]
    outside.tell("mounting", boot_id=system_boot_id(), drawn=drawn)
    failure = mount(cycle["mount_options"])
    outside.tell("mounted", failure=failure, kernel=kernel_on_ext4())
    if failure:
        return
    verdict = Verdict(DISK, settings.paths, LOAD_DIR)
    found = {"problems": verdict.problems, "states": verdict.states, "journals": verdict.journals}
    outside.tell("verdict", **found)
    prepare(settings.paths)
    lane.rest()
    lane.close(TAMPER_LINE)
    lane.show(lane.HEALTHY_C)
    watcher = Watcher(outside, settings.paths)
    watcher.skip()
    hands = Hands(watcher, settings, f"{cycle['seed']} hands", verdict.states)
    trace = lane.Trace()
    trace.clear()
    services = {start(command): command for command in ("run", "uplink")}
    make = Journal if cycle["is_synchronous"] else _Careless
    writer = Writer(
        outside,
        f"{cycle['seed']} writer",
        cycle["load_delivered_seq"],
        make,
        verdict.states.get("pass uses", 0),
    )
    thread = threading.Thread(target=writer.run, daemon=True)
    if cycle["writes_at_once"]:
        thread.start()
    outside.tell("at_rest", **wait_at_rest(watcher, settings, trace))
    if not thread.is_alive():
        thread.start()
    if cycle["enters_first"]:
        hands.work(hands.enter)
    while not (pid := ended()):
        hands.work()
    outside.tell("problem", what=f"gatepost {services[pid]} has ended")


if __name__ == "__main__":
    main()
