"""How long the gate takes to serve, with a long journal and with none.

The real process on a simulated lane (`gatepost simulate`), with the journal's pages out of the
cache, as after a boot, and its -wal full, as after a kill. It serves when it says READY and its
first record is on the disk.
"""

import os
import shutil
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from gatepost.demo.broker import free_port
from gatepost_services.journal import JournalReader, JournalUnavailable
from gatepost_services.journal.witness import witness_path
from saf import rates, traffic
from saf.station import Station

ROUNDS = 5
_TIMEOUT_S = 60.0
_LOOK_EACH_S = 0.002
# Nearly as many as a -wal takes before SQLite moves it into the main file.
_COMMITS_IN_WAL = 300


class Start(NamedTuple):
    """Seconds from the start of the process, medians."""

    ready_s: float
    recorded_s: float


def starts(filled: Path, folder: Path) -> tuple[Start, Start]:
    """Return the start with no journal, and with `filled` as a kill leaves it; they take turns.

    Raises:
        RuntimeError: the gate does not start.
    """
    killed, last_seq = _as_killed(filled, folder / "killed")
    rounds: tuple[list[Start], list[Start]] = ([], [])
    for number in range(ROUNDS):
        for which, source in enumerate((None, killed)):
            station = Station(folder / f"start-{number}-{which}", free_port())
            if source is not None:
                _copy(source, station.paths.journal)
            rounds[which].append(_start(station, last_seq if source else 0))
            shutil.rmtree(station.folder)
    none, full = (
        Start(median(each.ready_s for each in found), median(each.recorded_s for each in found))
        for found in rounds
    )
    return none, full


def _as_killed(filled: Path, folder: Path) -> tuple[Path, int]:
    """Return a copy of a journal with events in its -wal alone, and its last number."""
    folder.mkdir()
    source, copy = folder / "open.db", folder / "killed.db"
    shutil.copy(filled, source)
    with rates.journal(source) as journal:
        for number in range(_COMMITS_IN_WAL):
            journal.append([traffic.decision(number, float(number), 1.79e9)])
        _copy(source, copy)
        return copy, journal.state.last_seq


def _copy(source: Path, target: Path) -> None:
    """Copy a journal with what belongs to it, and take its pages out of the cache."""
    for path in (_beside(source, ""), _beside(source, "-wal"), witness_path(source)):
        copy = target.with_name(path.name.replace(source.name, target.name))
        shutil.copy(path, copy)
        _forget_pages(copy)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _start(station: Station, last_seq: int) -> Start:
    """Start the gate; `last_seq` ends its journal. Nobody reads there before it does."""
    began_s = time.monotonic()
    with (
        station.process("simulate", "--people", "1") as (_, ready_s),
        JournalReader(station.paths.journal) as reader,
    ):
        while _last_seq(reader) <= last_seq:
            if time.monotonic() - began_s > _TIMEOUT_S:
                raise RuntimeError(f"{station.folder}: the gate records nothing")
            time.sleep(_LOOK_EACH_S)
        return Start(ready_s, time.monotonic() - began_s)


def _last_seq(reader: JournalReader) -> int:
    try:
        return reader.last_seq()
    except JournalUnavailable:
        return 0


def _forget_pages(path: Path) -> None:
    fd = os.open(path, os.O_RDWR)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)
