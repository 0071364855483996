"""Keeps the journal within its limits and sound, a small step at a time."""

import os
from collections.abc import Callable, Generator, Mapping

from gatepost_services.journal.bounds import Evict, Forget, GiveBack, Limits, next_step
from gatepost_services.journal.opening import Stamp
from gatepost_services.journal.rescue import digest_of, mark_told, untold
from gatepost_services.journal.schema import JournalError
from gatepost_services.journal.writer import Journal
from gatepost_services.record import JsonValue

CORRUPT_TYPE = "store.corrupt"
# Looked through again and again, at this pace: a million events in three hours.
_CHECK_EVENTS = 500


class Keeper:
    """What an open journal needs besides appending. Belongs to the thread that has the journal.

    `now_utc_s` gives the wall clock's time, None while nobody vouches for it. `about` is what is
    known of a file that was just set aside.
    """

    def __init__(
        self,
        journal: Journal,
        limits: Limits,
        stamp: Stamp,
        now_utc_s: Callable[[], float | None],
        about: Mapping[str, JsonValue],
    ) -> None:
        self._journal = journal
        self._limits = limits
        self._stamp = stamp
        self._now_utc_s = now_utc_s
        self._about = about
        self._checked_seq = 0
        self._broken: set[int] = set()
        self._has_told = False
        self._telling = self._tell()

    def check(self) -> None:
        """Look whether the next few hundred events are what was written; tell of those that aren't.

        Raises:
            JournalDamaged: what is wrong is more than single events.
            JournalError: the journal cannot be read, or the news not be written.
        """
        checked = self._journal.check(self._checked_seq, _CHECK_EVENTS)
        news = [seq for seq in checked.broken if seq not in self._broken]
        if news:
            # The file goes on: to set it aside would cost the events that are whole.
            why = "these events are not what was written"
            file = self._journal.path.name
            entry = self._stamp(CORRUPT_TYPE, {"file": file, "why": why, "events": news})
            self._journal.append([entry])
            self._broken.update(news)
        self._checked_seq = checked.through or 0

    def step(self, delivered_seq: int) -> bool:
        """Do one thing that has to be done; return whether there may be another.

        Takes some milliseconds, and what the disk adds.

        Raises:
            JournalError: it was not done.
        """
        if not self._has_told:
            return self._tell_on()
        step = next_step(
            self._journal.stats(),
            self._limits,
            delivered_seq=delivered_seq,
            free_bytes=self._free_bytes(),
            now_utc_s=self._now_utc_s(),
        )
        match step:
            case Forget(keep):
                return self._journal.forget(delivered_seq, keep) > 0
            case Evict(event_class, dated, cause, most):
                gap = self._stamp("journal.gap", {"cause": cause})
                return self._journal.evict(event_class, delivered_seq, gap, dated, most=most) > 0
            case GiveBack(pages):
                self._journal.give_back(pages)
                return True
            case None:
                return False

    def _free_bytes(self) -> int:
        folder = self._journal.path.parent
        try:
            disk = os.statvfs(folder)
        except OSError as error:
            raise JournalError(f"{folder}: cannot tell what is free: {error.strerror}") from error
        return disk.f_bavail * disk.f_frsize

    def _tell_on(self) -> bool:
        try:
            self._has_told = next(self._telling, True) is True
        except OSError as error:
            self._telling = self._tell()  # from the beginning, when the disk works again
            if isinstance(error, JournalError):
                raise
            folder = self._journal.path.parent
            raise JournalError(f"{folder}: cannot look at what was set aside: {error}") from error
        return True

    def _tell(self) -> Generator[None, None, None]:
        """Tell of each file that was set aside, with its digests, in small steps."""
        for aside in untold(self._journal.path):
            digests = yield from digest_of(aside)
            data = {"file": aside.name, **self._about, "sha256": digests}
            self._journal.append([self._stamp(CORRUPT_TYPE, data)])
            mark_told(aside)
            self._about = {}
