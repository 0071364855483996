"""Clock, timer, mailbox and sampler of a real machine: the ports that threads stand behind."""

import ctypes
import heapq
import itertools
import logging
import queue
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

from gatepost_hal.ports import Clock, HardwareEvent, Mailbox, Thermometer, TimeQuality

_log = logging.getLogger(__name__)

_RETRY_S = 0.05


class SystemClock:
    """The kernel's clocks."""

    def now_s(self) -> float:
        """Return CLOCK_MONOTONIC in seconds."""
        return time.monotonic()

    def utc_s(self) -> float:
        """Return POSIX time in seconds. A Pi without an RTC starts with a wrong one."""
        return time.time()

    def utc_quality(self) -> TimeQuality:
        """Return what the kernel says of the wall clock: adjtimex(2), and where it began.

        Without a time server's word: "rtc" where the kernel took the time from a clock with a
        battery, "restored" where something later put it beyond this program's own date, as
        systemd-timesyncd does from a file of the last run.
        """
        if _is_synchronised():
            return "ntp"
        if any(_says_yes(path) for path in _RTCS.glob("rtc*/hctosys")):
            return "rtc"
        return "restored" if self.utc_s() > _NEVER_SET_BEFORE_S else "none"


_STA_UNSYNC = 0x40
_TIME_ERROR = 5
_RTCS = Path("/sys/class/rtc")
# 2025-01-01: an image is younger, and a clock that was never set begins in 1970, or at the image.
_NEVER_SET_BEFORE_S = 1_735_689_600.0
# struct timex is 208 bytes where a long has eight; its int `status` comes after modes, padding
# and four longs, whatever a long has.
_TIMEX_BYTES = 208
_STATUS_AT = 5 * ctypes.sizeof(ctypes.c_long)


def _is_synchronised() -> bool:
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    state: int = ctypes.CDLL(None).adjtimex(timex)  # modes = 0: asks only
    (status,) = struct.unpack_from("i", timex, _STATUS_AT)
    return 0 <= state < _TIME_ERROR and not status & _STA_UNSYNC


def _says_yes(path: Path) -> bool:
    try:
        return path.read_text(encoding="ascii").strip() == "1"
    except OSError:
        return False


class ThreadTimer:
    """A `Timer` with a thread of its own, which does nothing but run what is due.

    An action that raises is logged once and run again until it succeeds: the one thing that must
    not happen is a relay that stays on because a line was busy for a moment.
    """

    def __init__(self, clock: Clock, *, name: str) -> None:
        self._clock = clock
        self._wake = threading.Condition()
        self._order = itertools.count()
        self._due: list[tuple[float, int, _Call]] = []
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call_at(self, at_s: float, action: Callable[[], None]) -> Callable[[], None]:
        """Run `action` on the timer's thread at `at_s`; return what cancels it.

        Raises:
            RuntimeError: the timer is closed or its thread died: nothing may rely on it.
        """
        call = _Call(action)
        with self._wake:
            if self._closed or not self._thread.is_alive():
                raise RuntimeError("the timer is closed")
            heapq.heappush(self._due, (at_s, next(self._order), call))
            self._wake.notify()
        return call.cancel

    def close(self) -> None:
        """End the thread. What is still due does not run."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while (call := self._take()) is not None:
            if call.cancelled:
                continue
            try:
                call.action()
            except Exception:  # noqa: BLE001 - whatever it is, the relay must still fall
                if not call.failed:
                    _log.exception("a timed action failed; tried again every %s s", _RETRY_S)
                call.failed = True
                with self._wake:
                    retry_at_s = self._clock.now_s() + _RETRY_S
                    heapq.heappush(self._due, (retry_at_s, next(self._order), call))

    def _take(self) -> "_Call | None":
        with self._wake:
            while not self._closed:
                if not self._due:
                    self._wake.wait()
                elif (left_s := self._due[0][0] - self._clock.now_s()) > 0:
                    self._wake.wait(left_s)
                else:
                    return heapq.heappop(self._due)[2]
        return None


class _Call:
    """One action of a timer, and what became of it."""

    __slots__ = ("action", "cancelled", "failed")

    def __init__(self, action: Callable[[], None]) -> None:
        self.action = action
        self.cancelled = False
        self.failed = False

    def cancel(self) -> None:
        self.cancelled = True


class ThreadMailbox:
    """A `Mailbox` between threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._events: queue.SimpleQueue[HardwareEvent] = queue.SimpleQueue()

    def post(self, event: HardwareEvent) -> None:
        """Leave an event."""
        self._events.put(event)

    def wait(self, until_s: float) -> list[HardwareEvent]:
        """Return all events there are, waiting for the first one until `until_s`."""
        events = []
        try:
            events.append(self._events.get(timeout=max(0.0, until_s - self._clock.now_s())))
            while True:
                events.append(self._events.get_nowait())
        except queue.Empty:
            return events


class ThreadSampler:
    """A `Sampler` whose thread owns the thermometer: a hanging bus hangs only this thread."""

    def __init__(self, thermometer: Thermometer, mailbox: Mailbox) -> None:
        self._thermometer = thermometer
        self._mailbox = mailbox
        self._wanted = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._thread.start()

    def request(self) -> None:
        """Ask for one sample; ignored while one is outstanding."""
        self._wanted.set()

    def close(self) -> None:
        """End the thread after the measurement it is in; do not wait for a bus that hangs."""
        self._closed = True
        self._wanted.set()
        self._thread.join(timeout=_RETRY_S)

    def _run(self) -> None:
        while self._wanted.wait() and not self._closed:
            sample = self._thermometer.measure()
            # Cleared first: the loop may ask again the moment it sees the sample.
            self._wanted.clear()
            self._mailbox.post(sample)
