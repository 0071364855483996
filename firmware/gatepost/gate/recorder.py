"""Writes what happened, before anything follows from it; and keeps count of what it could not."""

from collections.abc import Callable, Iterable

from gatepost.core.events import Record
from gatepost.core.faults import Fault, FaultBook
from gatepost.gate.parts import EventLog
from gatepost_hal.ports import Clock
from gatepost_services.journal import Entry, JournalError, JournalLate


class Recorder:
    """The loop's pen. `ring` tells the link that there is something to read.

    `give_up` says that something is more urgent than to wait for the disk.
    """

    def __init__(
        self,
        log: EventLog,
        clock: Clock,
        ring: Callable[[], None],
        give_up: Callable[[], bool] = lambda: False,
    ) -> None:
        self._log = log
        self._clock = clock
        self._ring = ring
        self._give_up = give_up
        self._faults = FaultBook()
        self._lost = 0
        self._late = 0
        self._untold: tuple[Record, ...] = ()

    @property
    def standing(self) -> tuple[Fault, ...]:
        """Return the faults that stand, the oldest first."""
        return self._faults.standing()

    def write(self, records: Iterable[Record]) -> bool:
        """Write records durably; return whether they are.

        What cannot be written is counted as lost; what is late is counted as late, for what it
        tells of was not done, or was done without waiting for it.
        """
        records = tuple(records)
        return not records or self._append(records)

    def raised(self, fault: Fault, at_s: float, detail: str) -> None:
        """Tell of a fault, once."""
        self.write(self._faults.raised(fault, at_s, detail))

    def cleared(self, fault: Fault, at_s: float) -> None:
        """Tell that a fault is over, if it stood."""
        self.write(self._faults.cleared(fault, at_s))

    def keep_house(self, acknowledged_seq: Callable[[], int]) -> None:
        """Let the journal look after itself, and try a failing one again."""
        self._log.keep_house(acknowledged_seq())
        if Fault.JOURNAL in self._faults.standing():
            self._append(())

    def _append(self, records: tuple[Record, ...]) -> bool:
        at_s = self._clock.now_s()
        self._take_lost()
        told = self._untold
        if self._late:
            told += (Record("journal.late", at_s, {"count": self._late}),)
        if self._lost:
            told += (Record("journal.lost", at_s, {"count": self._lost}),)
        try:
            self._log.append([self._entry(record) for record in told + records], self._give_up)
        except JournalLate as error:
            # They are on their way, `told` among them. The fault itself must be in a later batch.
            self._late, self._lost, self._untold = len(records), 0, ()
            self._failed(at_s, error)
            return False
        except JournalError as error:
            self._lost += len(records)
            self._failed(at_s, error)
            return False
        self._untold = ()
        self._lost = self._late = 0
        self._ring()
        self.cleared(Fault.JOURNAL, at_s)
        return True

    def _take_lost(self) -> None:
        for entry in self._log.take_lost():
            # What such a batch had to tell of earlier ones must still be told.
            count = entry.data.get("count")
            if entry.type == "journal.lost" and isinstance(count, int):
                self._lost += count
            elif entry.type == "journal.late" and isinstance(count, int):
                self._late += count
            elif entry.type == "fault.raised" and entry.data["fault"] == Fault.JOURNAL.value:
                self._untold += (Record(entry.type, entry.at_s, entry.data),)
            else:
                self._lost += 1

    def _failed(self, at_s: float, error: JournalError) -> None:
        # It cannot be told now; it will be the first thing told when the disk works again.
        self._untold += self._faults.raised(Fault.JOURNAL, at_s, str(error))

    def _entry(self, record: Record) -> Entry:
        utc_s = self._clock.utc_s() - (self._clock.now_s() - record.at_s)
        return Entry(
            type=record.type,
            at_s=record.at_s,
            utc_s=max(utc_s, 0.0),
            data=record.data,
            quality=self._clock.utc_quality(),
        )
