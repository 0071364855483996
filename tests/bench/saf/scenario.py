"""One scenario with one edge: an outage, with or without a crash, and what arrives after it.

The collector's durable session is made, the centre goes away, the edge accepts its events, the
crash comes, the edge starts again, the centre comes back, and everything drains.
"""

import os
import shutil
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from gatepost.demo.broker import LocalBroker, free_port
from saf import disk
from saf.collector import Arrival, Collector, register
from saf.events import TOPIC
from saf.lineup import Peer
from saf.processes import Edge, EdgeError

ACCEPT_TIMEOUT_S = 240.0
DRAIN_TIMEOUT_S = 200.0
SETTLE_S = 1.0  # after a restart, before the centre comes back
_LOOK_EACH_S = 0.02
_QUIET_WHEN_COMPLETE_S = 2.0  # for repeated ones that come late
_QUIET_S = 8.0
_BARE_ROUNDS = 3000
_EDGE_LOG = "edge.err"


class Scenario(StrEnum):
    """What happens between accepting and draining."""

    OUTAGE = "outage"
    KILL = "kill9"
    KILL_TWICE = "kill9x2"  # once more when half has arrived
    POWER_CUT = "powercut"

    @property
    def crashes(self) -> int:
        """How often the edge is ended without a warning."""
        return {Scenario.OUTAGE: 0, Scenario.KILL_TWICE: 2}.get(self, 1)


@dataclass
class Outcome:
    """What one run gave. Rates are events a second, times processor microseconds an event."""

    peer: str
    scenario: Scenario
    events: int
    accepted: int = 0
    delivered: int = 0
    lost: int = 0
    duplicates: int = 0
    out_of_order: int = 0
    accept_per_s: float = 0.0
    drain_per_s: float | None = None
    reconnect_s: float | None = None
    restart_s: float | None = None
    memory_mb: float = 0.0
    disk_accepted_mb: float = 0.0
    disk_drained_mb: float = 0.0
    cpu_accept_us: float = 0.0
    cpu_drain_us: float | None = None
    bare_sqlite_per_s: float | None = None
    bare_fsync_per_s: float | None = None
    load: float = 0.0
    error: str | None = None


def run(peer: Peer, scenario: Scenario, events: int, *, measure_bare: bool = False) -> Outcome:
    """Play it once; what goes wrong with the edge is in the outcome's `error`.

    `measure_bare`: also what the same folder gives a bare SQLite and a bare fsync, before and
    after the edge accepts.

    Raises:
        OSError: the centre or the file system cannot be had.
    """
    outcome = Outcome(peer.name, scenario, events, load=os.getloadavg()[0])
    folder = Path(tempfile.mkdtemp(prefix="saf-"))
    with ExitStack() as closing:
        closing.callback(shutil.rmtree, folder, ignore_errors=True)
        centre_folder = folder / "centre"
        centre_folder.mkdir()
        centre = LocalBroker(centre_folder)
        closing.callback(centre.stop)
        centre.start()
        register(centre.address.port, TOPIC)
        centre.stop()
        with_mains = scenario is Scenario.POWER_CUT
        place, mains = closing.enter_context(disk.place(folder, with_mains=with_mains))
        play = _Play(peer, outcome, folder=folder, place=place, mains=mains, centre=centre)
        closing.callback(play.close)
        try:
            play.accept(place if measure_bare else None)
            play.crash()
            play.drain()
        except EdgeError as error:
            outcome.error = f"{error}; {_last_words(folder)}"
    return outcome


class _Play:
    """One run while it goes on."""

    def __init__(
        self,
        peer: Peer,
        outcome: Outcome,
        *,
        folder: Path,
        place: Path,
        mains: disk.Mains | None,
        centre: LocalBroker,
    ) -> None:
        self._peer = peer
        self._scenario = outcome.scenario
        self._outcome = outcome
        self._folder = folder
        self._place = place
        self._mains = mains
        self._centre = centre
        self._environment = {
            "SAF_DIR": str(place),
            "SAF_HOST": "127.0.0.1",
            "SAF_PORT": str(centre.address.port),
            "SAF_TOPIC": TOPIC,
            "SAF_LOCAL_PORT": str(free_port()),
            "SAF_FAST_RECONNECT": str(int(outcome.scenario is not Scenario.OUTAGE)),
            **peer.environment,
        }
        self._edge: Edge | None = None

    def close(self) -> None:
        """Leave no process."""
        if self._edge is not None:
            self._edge.kill()

    def accept(self, bare_folder: Path | None) -> None:
        """Let the edge accept its events."""
        outcome = self._outcome
        bare = [_bare(bare_folder)] if bare_folder else []
        edge = self._start(outcome.events)
        edge.wait_ready()
        took_s = edge.wait_accepted(ACCEPT_TIMEOUT_S)
        outcome.accepted = edge.accepted
        outcome.accept_per_s = edge.accepted / took_s
        outcome.cpu_accept_us = edge.cpu_s() / edge.accepted * 1e6
        outcome.memory_mb = edge.memory_mb()
        if bare_folder and self._scenario is Scenario.OUTAGE:
            bare.append(_bare(bare_folder))
        if bare:
            outcome.bare_fsync_per_s = sum(fsync for fsync, _ in bare) / len(bare)
            outcome.bare_sqlite_per_s = sum(commit for _, commit in bare) / len(bare)
        outcome.disk_accepted_mb = disk.used_mb(self._place)

    def crash(self) -> None:
        """Let the scenario's crash happen, and start the edge again."""
        edge = self._running()
        if self._mains is not None:
            edge.stop_still()
            self._mains.cut()
        if not self._scenario.crashes:
            return
        edge.kill()
        if self._mains is not None:
            self._mains.come_back()
        self._outcome.restart_s = self._start(0).wait_ready()
        time.sleep(SETTLE_S)

    def drain(self) -> None:
        """Let the centre come back, and judge what arrives."""
        outcome = self._outcome
        cpu_before_s = self._running().cpu_s()
        self._centre.start()
        up_at_s = time.monotonic()
        with Collector(self._centre.address.port, self._folder) as collector:
            self._watch(collector, up_at_s)
            judge(outcome, collector.arrivals, up_at_s)
        edge = self._running()
        outcome.memory_mb = max(outcome.memory_mb, edge.memory_mb())
        if outcome.delivered and self._scenario is not Scenario.KILL_TWICE:
            outcome.cpu_drain_us = (edge.cpu_s() - cpu_before_s) / outcome.delivered * 1e6
        outcome.disk_drained_mb = disk.settled_mb(self._place)

    def _watch(self, collector: Collector, up_at_s: float) -> None:
        """Look on until everything is there, or nothing comes any more."""
        outcome, is_killed = self._outcome, self._scenario is not Scenario.KILL_TWICE
        is_late = outcome.scenario is Scenario.OUTAGE
        first_by_s = self._peer.first_within_s if is_late else _QUIET_S
        last_s = up_at_s
        while (now_s := time.monotonic()) - up_at_s < DRAIN_TIMEOUT_S:
            time.sleep(_LOOK_EACH_S)
            if collector.look():
                last_s = now_s
            if not is_killed and len(collector.numbers) >= outcome.events // 2:
                self._running().kill()
                self._start(0)
                is_killed, last_s = True, now_s
            is_complete = len(collector.numbers) >= outcome.accepted
            quiet_s = _QUIET_S if collector.arrivals else first_by_s
            if now_s - last_s > (_QUIET_WHEN_COMPLETE_S if is_complete else quiet_s):
                return

    def _start(self, events: int) -> Edge:
        log = self._folder / _EDGE_LOG
        self._edge = Edge(self._peer.command, events, self._environment, log)
        return self._edge

    def _running(self) -> Edge:
        if self._edge is None:
            raise EdgeError("not started")
        return self._edge


def judge(outcome: Outcome, arrivals: list[Arrival], up_at_s: float) -> None:
    """Fill in what the arrivals say."""
    first: dict[int, float] = {}
    highest = -1
    for arrival in arrivals:
        if arrival.number in first:
            continue
        first[arrival.number] = arrival.at_s
        outcome.out_of_order += arrival.number < highest
        highest = max(highest, arrival.number)
    outcome.delivered = len(first)
    outcome.lost = sum(1 for number in range(outcome.accepted) if number not in first)
    outcome.duplicates = len(arrivals) - len(first)
    if first:
        times = sorted(first.values())
        outcome.reconnect_s = times[0] - up_at_s
        outcome.drain_per_s = len(times) / max(times[-1] - times[0], 1e-3)


def _last_words(folder: Path) -> str:
    """Return the last line that the edge wrote to its standard error."""
    log = folder / _EDGE_LOG
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")


def _bare(folder: Path) -> tuple[float, float]:
    return (
        disk.fsyncs_per_s(folder, _BARE_ROUNDS),
        disk.sqlite_commits_per_s(folder, _BARE_ROUNDS),
    )
