"""The journal with a thread of its own: nobody waits for a disk for longer than they can afford.

The thread opens the journal, appends, keeps house, and opens it anew when it is broken. A disk that
stalls (SD cards do, for a second and more) delays what is asked of it, in order; it loses nothing
but what no longer fits the queue.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from gatepost_services.edge_log import EdgeLog
from gatepost_services.journal.keeper import Keeper
from gatepost_services.journal.schema import JournalDamaged, JournalError, JournalLate
from gatepost_services.journal.writer import Journal
from gatepost_services.record import Entry

APPEND_DEADLINE_S = 2.0
_MOST_WAITING = 1000  # entries
_LOOK_S = 0.02
_STEPS_A_ROUND = 50
_log = logging.getLogger(__name__)

Open = Callable[[JournalDamaged | None], tuple[Journal, Keeper]]


class _Request:
    """Entries on their way, and what became of them."""

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self.entries = entries
        self.done = threading.Event()
        self.error: BaseException | None = None
        self.is_overdue = False


class DurableLog:
    """An event log that answers in time. `append` and the rest are for one thread, the loop's.

    `open_` opens the journal, and is told what was wrong with it if it was open before; it is
    called in the log's own thread, by the first append and after each damage.
    """

    def __init__(self, open_: Open, *, deadline_s: float = APPEND_DEADLINE_S) -> None:
        self._open = open_
        self._deadline_s = deadline_s
        self._changed = threading.Condition()  # guards all below
        self._requests: deque[_Request] = deque()
        self._overdue = 0
        self._lost: list[Entry] = []
        self._delivered_seq: int | None = None
        self._is_closing = False
        self._edge_log = EdgeLog(_log, logging.ERROR)
        self._journal: Journal | None = None
        self._keeper: Keeper | None = None
        self._damage: JournalDamaged | None = None
        self._died: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def append(self, entries: Iterable[Entry], give_up: Callable[[], bool] = lambda: False) -> None:
        """Keep all entries or none; they are on the disk when this returns.

        Waits for at most the deadline, less when `give_up` says so (asked every 20 ms), and not at
        all while the disk is late with something else.

        Raises:
            JournalLate: not yet on the disk. They will be, in their order, unless the disk fails
                them later (`take_lost`).
            JournalError: not kept.
            ValueError: data that no event can carry.
        """
        request = _Request(tuple(entries))
        with self._changed:
            if self._died is not None:
                raise RuntimeError("the journal's thread has died") from self._died
            waiting = sum(len(each.entries) for each in self._requests)
            if waiting + len(request.entries) > _MOST_WAITING:
                raise JournalError(f"the disk is behind by {waiting} events; no more fit")
            self._requests.append(request)
            is_late = self._overdue > 0
            self._changed.notify_all()
        until_s = time.monotonic() + (0.0 if is_late else self._deadline_s)
        while not request.done.wait(_LOOK_S) and time.monotonic() < until_s and not give_up():
            pass
        with self._changed:
            if not request.done.is_set():
                request.is_overdue = True
                self._overdue += 1
                raise JournalLate(
                    f"the disk has not answered for {self._deadline_s:g} s, or an alarm came first"
                )
            if self._died is not None and request.error is self._died:
                raise RuntimeError("the journal's thread has died") from self._died
        if request.error is not None:
            raise request.error

    def keep_house(self, delivered_seq: int) -> None:
        """Have the journal look after itself; a server has everything through this number."""
        with self._changed:
            self._delivered_seq = delivered_seq
            self._changed.notify_all()

    def take_lost(self) -> list[Entry]:
        """Return the entries that were late and then failed, since the last call."""
        with self._changed:
            lost, self._lost = self._lost, []
            return lost

    def close(self) -> None:
        """Write what waits, close the journal, and end the thread; not if the disk hangs."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._thread.join(self._deadline_s)

    # ------------------------------------------------------------------------- the thread's part

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:
            # Told to whoever waits, and to whoever comes: the loop ends, and with it the process.
            with self._changed:
                self._died = error
                for request in self._requests:
                    request.error = error
                    request.done.set()
            raise
        finally:
            if self._journal is not None:
                self._journal.close()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not (self._requests or self._delivered_seq is not None or self._is_closing):
                    self._changed.wait()
                request = self._requests[0] if self._requests else None
                delivered_seq, is_closing = self._delivered_seq, self._is_closing
                if request is None:
                    self._delivered_seq = None
            if request is not None:
                self._serve(request)
            elif is_closing:
                break
            elif delivered_seq is not None:
                self._keep_house(delivered_seq)

    def _serve(self, request: _Request) -> None:
        error: Exception | None = None
        try:
            self._append(request.entries)
        except (JournalError, ValueError) as caught:
            error = caught
        with self._changed:
            self._requests.popleft()
            request.error = error
            request.done.set()
            if request.is_overdue:
                self._overdue -= 1
                if error is not None:
                    self._lost += request.entries
        self._log(error)

    def _append(self, entries: tuple[Entry, ...]) -> None:
        try:
            self._opened().append(entries)
        except JournalDamaged as damage:
            self._give_up(damage)
            self._opened().append(entries)

    def _keep_house(self, delivered_seq: int) -> None:
        if self._keeper is None:
            return  # nothing was ever written, or it failed: the next append opens it
        try:
            self._keeper.check()
            for _ in range(_STEPS_A_ROUND):
                if self._requests or not self._keeper.step(delivered_seq):
                    break
        except JournalDamaged as damage:
            self._give_up(damage)
            self._keep_house_anew()
        except JournalError as error:
            self._log(error)

    def _keep_house_anew(self) -> None:
        try:
            self._opened()
        except JournalError as error:
            self._log(error)

    def _give_up(self, damage: JournalDamaged) -> None:
        """Close a journal in which something is wrong; the next one to open is told what."""
        _log.error("%s", damage)
        self._damage = damage
        if self._journal is not None:
            self._journal.close()
        self._journal = self._keeper = None

    def _opened(self) -> Journal:
        if self._journal is None:
            self._journal, self._keeper = self._open(self._damage)
            self._damage = None
        return self._journal

    def _log(self, error: Exception | None) -> None:
        if error is None:
            self._edge_log.recovered("the journal works again")
        elif isinstance(error, JournalError):
            self._edge_log.failed("%s; entry is refused until it works", error)
