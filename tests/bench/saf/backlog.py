"""A long backlog goes out while the gate goes on: rate, memory, and what is fresh meanwhile.

The link is the real process, the broker mosquitto, the subscriber a raw socket. A new alarm is
appended just before the link starts, then a live event every 50 ms until everything is there.
"""

import shutil
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import NamedTuple

from gatepost.demo.broker import LocalBroker
from gatepost_services.doorbell import Doorbell
from gatepost_services.journal import Journal
from gatepost_services.record import Entry
from saf import rates, traffic
from saf.collector import Collector, register
from saf.processes import cpu_s, memory_kib
from saf.station import Station

TOPIC = "gatepost/+/+/event/#"
LIVE_EACH_S = 0.05
SAMPLE_EACH_S = 1.0
DRAIN_TIMEOUT_S = 400.0
IDLE_S = 30.0
_QUIET_S = 10.0
_SETTLE_S = 3.0
_LOOK_EACH_S = 0.002
_ESTABLISHED = "01"


class Drain(NamedTuple):
    """What came of it. `memory_mb`: resident, each second from the connection on."""

    events: int
    missing: int
    twice: int
    out_of_order: int
    took_s: float
    memory_mb: list[float]
    peak_mb: float
    link_cpu_us: float
    alarm_s: float | None
    live_s: list[float]
    idle_share: float | None

    @property
    def per_s(self) -> float:
        """Events a second."""
        return self.events / self.took_s

    def live_percentile_s(self, share: float) -> float | None:
        """Return what so many of the live events did not exceed; None when none came."""
        ordered = sorted(self.live_s)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


def drain(filled: Path, folder: Path, *, idle_s: float = IDLE_S) -> Drain:
    """Bring a copy of the journal `filled` to a broker; then look on the idle link for `idle_s`.

    Raises:
        RuntimeError: the link does not start.
    """
    with ExitStack() as closing:
        centre_folder = folder / "centre"
        centre_folder.mkdir()
        centre = LocalBroker(centre_folder)
        closing.callback(centre.stop)
        centre.start()
        port = centre.address.port
        register(port, TOPIC)
        station = Station(folder / "station", port)
        shutil.copy(filled, station.paths.journal)
        journal = closing.enter_context(rates.journal(station.paths.journal))
        bell = Doorbell(station.paths.doorbell)
        closing.callback(bell.close)
        collector = closing.enter_context(Collector(port, folder))
        _wait_connections(port, 1)
        alarm_seq = journal.append([traffic.alarm(_now_s(), time.time())])
        pid, _ = closing.enter_context(station.process("uplink"))
        connected_s = _wait_connections(port, 2)
        watch = _Watch(journal, bell, collector, pid)
        watch.until_complete(old=alarm_seq)
        idle_share = _idle_share(pid, idle_s) if idle_s else None
        return watch.result(connected_s, alarm_seq, idle_share)


class _Watch:
    """Appends live events, and notes the memory of the link, while the backlog goes out."""

    def __init__(self, journal: Journal, bell: Doorbell, collector: Collector, pid: int) -> None:
        self._journal = journal
        self._bell = bell
        self._collector = collector
        self._pid = pid
        self._cpu_before_s = cpu_s(pid)
        self._appended: dict[int, float] = {}
        self._memory_mb: list[float] = []
        self._cpu_s = 0.0

    def until_complete(self, *, old: int) -> None:
        """Go on until the first `old` events are there, or nothing comes any more."""
        began_s = last_s = live_s = sample_s = _now_s()
        is_complete = False
        while not is_complete and _now_s() - began_s < DRAIN_TIMEOUT_S:
            now_s = _now_s()
            if now_s >= live_s:
                self._append_live()
                live_s += LIVE_EACH_S
            if now_s >= sample_s:
                self._memory_mb.append(memory_kib(self._pid, "VmRSS") / 1024)
                sample_s += SAMPLE_EACH_S
                if self._collector.look():
                    last_s = now_s
                numbers = self._collector.numbers
                came = len(numbers) - len(numbers & self._appended.keys())
                is_complete = came >= old
            if now_s - last_s > _QUIET_S:
                break
            time.sleep(max(0.0, min(live_s, sample_s) - _now_s()))
        self._cpu_s = cpu_s(self._pid) - self._cpu_before_s
        time.sleep(_SETTLE_S)
        self._collector.look()

    def result(self, connected_s: float, alarm_seq: int, idle_share: float | None) -> Drain:
        """Return what came of it; `alarm_seq` ends the backlog."""
        first: dict[int, float] = {}
        disorder, highest = 0, 0
        for arrival in self._collector.arrivals:
            if arrival.number in first:
                continue
            first[arrival.number] = arrival.at_s
            if arrival.number < alarm_seq and not _is_alarm(arrival.number):
                disorder += arrival.number < highest
                highest = max(highest, arrival.number)
        wanted = [*range(1, alarm_seq + 1), *self._appended]
        backlog = [at_s for number, at_s in first.items() if number <= alarm_seq]
        return Drain(
            events=len(backlog),
            missing=sum(1 for number in wanted if number not in first),
            twice=len(self._collector.arrivals) - len(first),
            out_of_order=disorder,
            took_s=max(backlog, default=0.0) - connected_s,
            memory_mb=self._memory_mb,
            peak_mb=memory_kib(self._pid) / 1024,
            link_cpu_us=self._cpu_s / max(1, len(first)) * 1e6,
            alarm_s=first[alarm_seq] - connected_s if alarm_seq in first else None,
            live_s=[
                first[number] - at_s for number, at_s in self._appended.items() if number in first
            ],
            idle_share=idle_share,
        )

    def _append_live(self) -> None:
        at_s = _now_s()
        seq = self._journal.append([Entry("passage.left", at_s, time.time(), {})])
        self._bell.ring()
        self._appended[seq] = at_s


def _is_alarm(number: int) -> bool:
    return number % traffic.ALARM_EACH == 0


def _idle_share(pid: int, idle_s: float) -> float:
    """Return the share of one core that a process takes while nothing happens."""
    before_s = cpu_s(pid)
    time.sleep(idle_s)
    return (cpu_s(pid) - before_s) / idle_s


def _wait_connections(port: int, count: int) -> float:
    """Wait until the broker has so many connections; return the instant."""
    give_up_s = _now_s() + 30.0
    while _now_s() < give_up_s:
        if _connections(port) >= count:
            return _now_s()
        time.sleep(_LOOK_EACH_S)
    raise RuntimeError(f"nobody connects to port {port}")


def _connections(port: int) -> int:
    """Return how many connections stand at a port of ours: /proc/net/tcp, proc(5)."""
    count = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        count += state == _ESTABLISHED and int(local.rpartition(":")[2], 16) == port
    return count


def _now_s() -> float:
    return time.monotonic()


def flatness_mb(memory_mb: list[float]) -> float:
    """Return by how much the last quarter of the samples is above the first."""
    quarter = max(1, len(memory_mb) // 4)
    return median(memory_mb[-quarter:]) - median(memory_mb[:quarter])
