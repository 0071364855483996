"""Watches the wall clock: tells when it was set, what it is worth, and that it went back.

It compares with the last look, five seconds before, and at a start with the last run. What a run
leaves for the next one is a small file; the newest event of the journal is a bound that no file
has to be written for.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gatepost.core.events import Record
from gatepost.wiring.trusted_clock import STEP_S, JudgedClock, Known
from gatepost_config.settings import Settings
from gatepost_hal.ports import Clock, TimeQuality
from gatepost_services.contract.events import WireError, decode
from gatepost_services.edge_log import EdgeLog
from gatepost_services.journal import JournalReader, JournalUnavailable
from gatepost_services.state_file import StateFileError, read_state, write_state

_log = logging.getLogger(__name__)

# The file is for a journal that has nothing left: what is newer than this, the journal knows.
_KEEP_S = 3600.0
_QUALITIES: dict[str, TimeQuality] = {
    "none": "none",
    "restored": "restored",
    "rtc": "rtc",
    "ntp": "ntp",
}


def clock_file(settings: Settings) -> Path:
    """Return where a run leaves what it knew of the wall clock, for the next one."""
    return settings.paths.gate_dir / "clock.json"


def gate_clock(settings: Settings, clock: Clock, boot_id: str) -> JudgedClock:
    """Return the machine's clock, weighed against what this gate has dated so far.

    To be made before the journal is opened: it looks at the newest event.
    """
    known = read_known(clock_file(settings))
    return JudgedClock(clock, boot_id, _dated_by(settings.paths.journal, known))


def read_known(path: Path) -> Known:
    """Return what the last run left. A file that cannot be read is none, and said."""
    try:
        content = read_state(path)
        return msgspec.json.decode(content, type=Known) if content else Known()
    except (StateFileError, ValueError) as error:
        _log.error("%s: cannot be read, and counts as none: %s", path, error)
        return Known()


def _dated_by(journal: Path, known: Known) -> Known:
    """Return the same with the journal's newest event, where there is one to be read."""
    try:
        # SQLite deletes the -wal beside an empty file: it would be the only thing that is left.
        if not journal.exists() or not journal.stat().st_size:
            return known
        with JournalReader(journal) as reader:
            records = reader.read(reader.last_seq() - 1, 1).records
        event = decode(records[0].body) if records else None
    except (JournalUnavailable, WireError, OSError) as error:
        # Whoever opens it for good says what is wrong with it, and does something about it.
        _log.debug("the newest event tells nothing of the clock: %s", error)
        return known
    return known if event is None else known.dated(_QUALITIES[event.time_quality], event.utc_s)


class ClockWatch:
    """Tells of the wall clock what a reader of dates has to know, each once.

    Args:
        clock: the gate's.
        path: what the last run left, and where this one leaves it.
    """

    def __init__(self, clock: JudgedClock, path: Path) -> None:
        self._clock = clock
        self._path = path
        self._before = read_known(path)
        self._edge_log = EdgeLog(_log, logging.ERROR)
        self._is_kept = True
        self._keep_at_s = clock.now_s() + _KEEP_S

    def due(self) -> Sequence[Record]:
        """Return what is to be told since the last call.

        clock.stepped: the wall clock moved by more than a second apart from the monotonic one (what
        a time server does little by little, moves both). clock.behind: it shows a time before what
        was dated already. clock.changed: it is worth something else.
        """
        self._keep()  # what was told is written by now; a kill before would have it told again
        known, before = self._clock.known(), self._before
        now_s, quality = self._clock.now_s(), known.quality
        told = []
        moved_s = known.offset_s - before.offset_s
        if known.boot_id == before.boot_id and abs(moved_s) > STEP_S:
            told.append(
                Record("clock.stepped", now_s, {"by_s": round(moved_s, 3), "quality": quality})
            )
        if (behind_s := self._clock.take_fall()) is not None:
            data = {"behind_s": round(behind_s, 3), "quality": quality}
            told.append(Record("clock.behind", now_s, data))
        if quality != before.quality:
            told.append(
                Record("clock.changed", now_s, {"before": before.quality, "quality": quality})
            )
        self._before = known
        if told or now_s >= self._keep_at_s:
            self._is_kept = False
        return told

    def _keep(self) -> None:
        if self._is_kept:
            return
        self._keep_at_s = self._clock.now_s() + _KEEP_S
        self._is_kept = True
        try:
            write_state(self._path, msgspec.json.encode(self._before))
        except StateFileError as error:
            self._edge_log.failed("%s; the next start knows less of the clock", error)
        else:
            self._edge_log.recovered("what is known of the clock is kept again")
