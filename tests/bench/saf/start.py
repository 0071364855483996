"""How long the gate takes to serve, with a long journal and with none.

The real process on a simulated lane (`gatepost simulate`), with the journal's pages out of the
cache, as after a boot. It serves when it says READY and its first record is on the disk.
"""

import os
import shutil
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from gatepost.demo.broker import free_port
from gatepost_services.journal import JournalReader, JournalUnavailable
from saf.station import Station

ROUNDS = 5
_TIMEOUT_S = 60.0
_LOOK_EACH_S = 0.002


class Start(NamedTuple):
    """Seconds from the start of the process, medians."""

    ready_s: float
    recorded_s: float


def starts(filled: Path, folder: Path) -> tuple[Start, Start]:
    """Return the start with no journal, and with a copy of `filled`; they take turns.

    Raises:
        RuntimeError: the gate does not start.
    """
    rounds: tuple[list[Start], list[Start]] = ([], [])
    for number in range(ROUNDS):
        for which, journal in enumerate((None, filled)):
            station = Station(folder / f"start-{number}-{which}", free_port())
            if journal is not None:
                shutil.copy(journal, station.paths.journal)
                _forget_pages(station.paths.journal)
            rounds[which].append(_start(station))
            shutil.rmtree(station.folder)
    none, full = (
        Start(median(each.ready_s for each in found), median(each.recorded_s for each in found))
        for found in rounds
    )
    return none, full


def _start(station: Station) -> Start:
    with JournalReader(station.paths.journal) as reader:
        before = _last_seq(reader)
        began_s = time.monotonic()
        with station.process("simulate", "--people", "1") as (_, ready_s):
            while _last_seq(reader) <= before:
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
