"""The journal and the link by the clock: accepting, grouping, room, a million events, the start.

    accept  one event a commit, beside a bare SQLite with an fsync a commit, in turns
    group   a thousand events a commit, beside the same bare SQLite, in turns
    room    how many events of a real mix fit a gigabyte
    drain   a million of them to mosquitto, with a fresh alarm and live events meanwhile; then idle
    start   the gate with a million events in its journal, beside the gate with none

Exit status 1 when what must hold does not. Run with `make bench`.
"""

import argparse
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from saf import backlog, lineup, rates, start
from saf.processes import leave_in_order

from gatepost.demo.broker import SEARCH_PATH

LEAST_OF_SQLITE = 0.8
LEAST_GROUPED_PER_S = 100_000
LEAST_IN_A_GIGABYTE = 1_000_000
LEAST_DRAIN_PER_S = 15_000
MOST_MEMORY_MB, MOST_GROWTH_MB = 45.0, 2.0
MOST_LIVE_S, MOST_ALARM_S = 0.25, 1.0
MOST_IDLE_SHARE = 0.005
MOST_LATER_S = 1.5


class Bench:
    """The measurements, and what they say of what must hold."""

    def __init__(self, folder: Path, events: int) -> None:
        self._folder = folder
        self._events = events
        self._filled = folder / "filled.db"
        self.all_hold = True

    def accept(self) -> None:
        """One event a commit."""
        found = rates.accept(self._folder)
        print(
            f"  ours {found.ours_per_s:,.0f}/s (through the gate's thread "
            f"{found.threaded_per_s:,.0f}/s), bare SQLite FULL {found.bare_per_s:,.0f}/s, "
            f"bare fsync of the disk {found.fsync_per_s:,.0f}/s"
        )
        self._judge(
            found.ratio >= LEAST_OF_SQLITE,
            f"{found.ratio:.2f} of bare SQLite; at least {LEAST_OF_SQLITE}",
        )

    def group(self) -> None:
        """A thousand events a commit."""
        found = rates.grouped(self._folder)
        print(
            f"  visit.admitted only {found.decisions_per_s:,.0f}/s, a real mix "
            f"{found.mixed_per_s:,.0f}/s, bare SQLite FULL {found.bare_per_s:,.0f}/s "
            f"({found.ratio:.2f} of it)"
        )
        self._judge(
            found.mixed_per_s >= LEAST_GROUPED_PER_S,
            f"a real mix {found.mixed_per_s:,.0f}/s at {rates.GROUP} a commit; "
            f"at least {LEAST_GROUPED_PER_S:,}/s",
        )

    def room(self) -> None:
        """What an event takes."""
        filled = self._made()
        size = rates.bytes_an_event(filled, self._events)
        self._judge(
            rates.GIGABYTE / size >= LEAST_IN_A_GIGABYTE,
            f"{size:.0f} bytes an event of a real mix: {rates.GIGABYTE / size:,.0f} events in "
            f"1 GB; at least {LEAST_IN_A_GIGABYTE:,}",
        )

    def drain(self) -> None:
        """A long backlog, and what is fresh meanwhile."""
        if lineup.mosquitto(SEARCH_PATH) is None:
            print("  not measured: no mosquitto here (apt-get install mosquitto)")
            return
        found = backlog.drain(self._made(), self._folder)
        growth_mb = backlog.flatness_mb(found.memory_mb)
        each = max(1, len(found.memory_mb) // 20)
        sampled = " ".join(f"{memory_mb:.1f}" for memory_mb in found.memory_mb[::each])
        print(
            f"  {found.events:,} events in {found.took_s:.1f} s, link {found.link_cpu_us:.0f} us "
            f"an event\n  RSS of the link, MB, every {each} s: {sampled}"
        )
        self._judge(
            found.missing == found.out_of_order == found.twice == 0,
            f"lost {found.missing}, out of order {found.out_of_order}, twice {found.twice}; all 0",
        )
        self._judge(
            found.per_s >= LEAST_DRAIN_PER_S,
            f"drain {found.per_s:,.0f}/s; at least {LEAST_DRAIN_PER_S:,}/s",
        )
        self._judge(
            found.peak_mb < MOST_MEMORY_MB and growth_mb < MOST_GROWTH_MB,
            f"link's memory at most {found.peak_mb:.1f} MB, last quarter {growth_mb:+.1f} MB above "
            f"the first; less than {MOST_MEMORY_MB:.0f} MB, and {MOST_GROWTH_MB:.0f} MB",
        )
        median_s, late_s = (found.live_percentile_s(share) for share in (0.5, 0.99))
        self._judge(
            late_s is not None and late_s < MOST_LIVE_S,
            f"live events meanwhile, append to subscriber: median {_ms(median_s)}, "
            f"p99 {_ms(late_s)} of {len(found.live_s)}; less than {_ms(MOST_LIVE_S)}",
        )
        self._judge(
            found.alarm_s is not None and found.alarm_s < MOST_ALARM_S,
            f"a fresh alarm at the subscriber {_ms(found.alarm_s)} after the TCP connection; "
            f"less than {_ms(MOST_ALARM_S)}",
        )
        if found.idle_share is not None:
            self._judge(
                found.idle_share < MOST_IDLE_SHARE,
                f"idle link {found.idle_share:.2%} of a core over {backlog.IDLE_S:.0f} s; "
                f"less than {MOST_IDLE_SHARE:.1%}",
            )

    def start(self) -> None:
        """The gate with a long journal."""
        none, full = start.starts(self._made(), self._folder)
        for name, found in ((f"{self._events:,} events", full), ("none", none)):
            print(
                f"  with {name:<17} READY after {found.ready_s:.2f} s, "
                f"first record on the disk after {found.recorded_s:.2f} s"
            )
        later_s = max(full.ready_s - none.ready_s, full.recorded_s - none.recorded_s)
        self._judge(later_s < MOST_LATER_S, f"{later_s:.2f} s later; less than {MOST_LATER_S} s")

    def _made(self) -> Path:
        if not self._filled.exists():
            per_s = rates.fill(self._filled, self._events)
            print(f"  ({self._events:,} events of a real mix written, {per_s:,.0f}/s)", flush=True)
        return self._filled

    def _judge(self, holds: bool, text: str) -> None:
        self.all_hold = self.all_hold and holds
        print(f"  {'PASS' if holds else 'FAIL'}  {text}", flush=True)


def main() -> int:
    """Return 1 when something that must hold does not."""
    leave_in_order()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="accept,group,room,drain,start", help="some, with commas")
    parser.add_argument("--events", type=int, default=1_000_000, help="in the long journal")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="saf-"))
    bench = Bench(folder, asked.events)
    steps = {
        "accept": bench.accept,
        "group": bench.group,
        "room": bench.room,
        "drain": bench.drain,
        "start": bench.start,
    }
    try:
        for name in asked.only.split(","):
            print(name, flush=True)
            steps[name]()
    finally:
        with suppress(OSError):
            shutil.rmtree(folder)
    return 0 if bench.all_hold else 1


def _ms(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds * 1000:.0f} ms"


if __name__ == "__main__":
    sys.exit(main())
