"""How fast the journal takes events, and how much room they take."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from statistics import median
from typing import NamedTuple

from gatepost_services.contract.events import Envelope
from gatepost_services.journal import Entry, Journal, JournalDamaged
from gatepost_services.journal.bounds import Limits
from gatepost_services.journal.durable import DurableLog
from gatepost_services.journal.keeper import Keeper
from gatepost_services.record import JsonValue
from saf import disk, traffic

ROUNDS, COMMITS_A_ROUND = 20, 300
GROUP, GROUPS_A_ROUND = 1000, 10
SITE, GATE = "north", "gate-1"
GIGABYTE = 1e9
# What goes into one commit happened in one turn of the gate, or piled up behind a slow disk.
_APART_S = 0.001


class AcceptRates(NamedTuple):
    """Commits a second, medians, and the median of the ratio within each round.

    `threaded_per_s`: ours through the thread that the gate keeps for it.
    """

    ours_per_s: float
    threaded_per_s: float
    bare_per_s: float
    fsync_per_s: float
    ratio: float


def journal(path: Path) -> Journal:
    """Return a journal with the real envelope."""
    return Journal(path, Envelope(SITE, GATE, "0d1c7f0e-5a52-4a3e-9b0f-0f0f5d1b8a11"))


def accept(folder: Path) -> AcceptRates:
    """Measure one event a commit beside a bare SQLite that stores bodies of the same length.

    They take turns, and so does the bare fsync of the disk; a first round of each does not count.
    """
    entry = traffic.decision(1, 10.0, 1.79e9)
    with ExitStack() as closing:
        ours = closing.enter_context(journal(folder / "accept.db"))
        ours.append([entry])
        bare = disk.BareSqlite(folder, body_bytes=sum(ours.stats().bytes))
        closing.callback(bare.close)
        threaded = _threaded(folder / "threaded.db")
        closing.callback(threaded.close)
        rounds = [
            (
                _commits_per_s(ours.append, entry),
                _commits_per_s(threaded.append, entry),
                bare.commits_per_s(COMMITS_A_ROUND),
                disk.fsyncs_per_s(folder, COMMITS_A_ROUND),
            )
            for _ in range(ROUNDS + 1)
        ][1:]
    medians = [median(column) for column in zip(*rounds, strict=True)]
    return AcceptRates._make([*medians, median(each[0] / each[2] for each in rounds)])


def _threaded(path: Path) -> DurableLog:
    def open_(_damage: JournalDamaged | None) -> tuple[Journal, Keeper]:
        opened = journal(path)
        return opened, Keeper(opened, Limits(), _stamp, lambda: None, {})

    return DurableLog(open_)


def _stamp(type_: str, data: Mapping[str, JsonValue]) -> Entry:
    return Entry(type_, time.monotonic(), time.time(), data)


def _commits_per_s(append: Callable[[list[Entry]], object], entry: Entry) -> float:
    began_s = time.monotonic()
    for _ in range(COMMITS_A_ROUND):
        append([entry])
    return COMMITS_A_ROUND / (time.monotonic() - began_s)


class GroupRates(NamedTuple):
    """Events a second at `GROUP` a commit, medians, and the median of the ratio within each round.

    `decisions_per_s`: all of them admitted visits; `mixed_per_s`: a real mix; `bare_per_s`: a bare
    SQLite that stores bodies of the mix's mean length.
    """

    decisions_per_s: float
    mixed_per_s: float
    bare_per_s: float
    ratio: float


def grouped(folder: Path) -> GroupRates:
    """Measure many events a commit, in turns with a bare SQLite; a first round does not count."""
    decisions = [traffic.decision(n, n * _APART_S, 1.79e9 + n * _APART_S) for n in range(GROUP)]
    mixed = list(traffic.entries(GROUP, apart_s=_APART_S))
    with ExitStack() as closing:
        ours = [
            closing.enter_context(journal(folder / f"{name}.db")) for name in ("decisions", "mixed")
        ]
        ours[1].append(mixed)
        bare = disk.BareSqlite(folder, body_bytes=sum(ours[1].stats().bytes) // GROUP)
        closing.callback(bare.close)
        rounds = [
            (
                _grouped_per_s(ours[0], decisions),
                _grouped_per_s(ours[1], mixed),
                bare.rows_per_s(GROUP, GROUPS_A_ROUND),
            )
            for _ in range(ROUNDS + 1)
        ][1:]
    medians = [median(column) for column in zip(*rounds, strict=True)]
    return GroupRates._make([*medians, median(each[1] / each[2] for each in rounds)])


def _grouped_per_s(ours: Journal, group: list[Entry]) -> float:
    began_s = time.monotonic()
    for _ in range(GROUPS_A_ROUND):
        ours.append(group)
    return GROUP * GROUPS_A_ROUND / (time.monotonic() - began_s)


def fill(path: Path, events: int) -> float:
    """Make a journal with so many events of a real mix; return the events a second."""
    pending = traffic.entries(events)
    took_s = 0.0
    with journal(path) as ours:
        while group := list(islice(pending, GROUP)):
            began_s = time.monotonic()
            ours.append(group)
            took_s += time.monotonic() - began_s
    return events / took_s


def bytes_an_event(path: Path, events: int) -> float:
    """Return what an event takes on the disk, all files of a journal together."""
    files = path.parent.glob(path.name + "*")
    return sum(file.stat().st_blocks * 512 for file in files) / events
