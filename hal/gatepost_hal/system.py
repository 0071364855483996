"""Clock, timer, mailbox and sampler of a real machine: the ports that threads stand behind."""

import ctypes
import heapq
import itertools
import logging
import math
import os
import queue
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gatepost_hal.ports import Clock, HardwareEvent, Mailbox, Thermometer, TimeQuality

_log = logging.getLogger(__name__)

_RETRY_S = 0.05


class SystemClock:
    """The kernel's clocks, and what the kernel says of the one on the wall.

    Its word is asked again once a second, and at once when the wall clock has been set meanwhile:
    an event a passage must not cost more than the passage. Any thread may ask.
    """

    def __init__(self) -> None:
        # Each is replaced whole: whoever asks at the same time sees the old one or the new one.
        self._word: _Word | None = None
        self._rtc: _Agreement | None = None
        self._has_complained = False

    def now_s(self) -> float:
        """Return CLOCK_MONOTONIC in seconds."""
        return time.monotonic()

    def utc_s(self) -> float:
        """Return POSIX time in seconds. A Pi without an RTC starts with a wrong one."""
        return time.time()

    def utc_quality(self) -> TimeQuality:
        """Return what the kernel says of the wall clock: adjtimex(2), and where it began.

        Without a time server's word: "rtc" where the kernel took the time from a clock with a
        battery, and that one still tells the same; "restored" where something later put it beyond
        this program's own date, as systemd-timesyncd does from a file of the last run.
        """
        now_s, utc_s = self.now_s(), self.utc_s()
        offset_s = utc_s - now_s
        word = self._word
        if word is None or not (
            0 <= now_s - word.at_s < _ASK_AGAIN_S and abs(offset_s - word.offset_s) < _SET_S
        ):
            word = self._word = _Word(now_s, offset_s, self._asked(now_s, utc_s))
        return word.quality

    def _asked(self, now_s: float, utc_s: float) -> TimeQuality:
        if utc_s <= _NEVER_SET_BEFORE_S:
            return "none"
        if self._is_synchronised():
            return "ntp"
        return "rtc" if self._is_of_rtc(now_s, utc_s) else "restored"

    def _is_synchronised(self) -> bool:
        timex = ctypes.create_string_buffer(_TIMEX_BYTES)
        state: int = ctypes.CDLL(None, use_errno=True).adjtimex(timex)  # modes = 0: asks only
        if state < 0 and not self._has_complained:
            self._has_complained = True
            _log.warning(
                "adjtimex: %s: nobody can say whether a time server keeps the clock, and so it "
                "counts as if none did; see firmware/CLOCK.md",
                os.strerror(ctypes.get_errno()),
            )
        (status,) = struct.unpack_from("i", timex, _STATUS_AT)
        return 0 <= state < _TIME_ERROR and not status & _STA_UNSYNC

    def _is_of_rtc(self, now_s: float, utc_s: float) -> bool:
        """Return whether the wall clock is what a clock with a battery says.

        One whose battery is dead began at its own zero, and something else set the wall clock. To
        read it goes over a bus: where it agrees it is not read again before somebody sets the wall
        clock, and where it does not, or is busy, once a minute.
        """
        offset_s, was = utc_s - now_s, self._rtc
        is_set = was is None or abs(offset_s - was.offset_s) >= _SET_S
        if was is None or is_set or not (was.agrees or now_s < was.at_s + _READ_RTC_AGAIN_S):
            # Two crystals of 100 ppm each, since the kernel took the time.
            most_s = _RTC_IS_READ_S + abs(now_s) * 200e-6
            agrees = any(
                _number(path) == 1 and abs(_number(path.with_name("since_epoch")) - utc_s) <= most_s
                for path in _RTCS.glob("rtc*/hctosys")
            )
            was = self._rtc = _Agreement(now_s, offset_s, agrees)
        return was.agrees


class _Word(NamedTuple):
    """What the kernel said, at which instant, and how far the wall clock then was ahead of it."""

    at_s: float
    offset_s: float
    quality: TimeQuality


class _Agreement(NamedTuple):
    """Whether a clock with a battery tells the same as the wall clock, likewise."""

    at_s: float
    offset_s: float
    agrees: bool


_ASK_AGAIN_S = 1.0
_READ_RTC_AGAIN_S = 60.0
# The two clocks run at one rate, also while a time server slows them or speeds them up: what parts
# them was set. Less is the time that passes between two readings.
_SET_S = 0.5
_STA_UNSYNC = 0x40
_TIME_ERROR = 5
_RTCS = Path("/sys/class/rtc")
_RTC_IS_READ_S = 2.0  # it counts whole seconds, and the kernel may begin in the middle of one
# 2025-01-01: an image is younger, and a clock that was never set begins in 1970, or at the image.
_NEVER_SET_BEFORE_S = 1_735_689_600.0
# struct timex is 208 bytes where a long has eight; its int `status` comes after modes, padding
# and four longs, whatever a long has.
_TIMEX_BYTES = 208
_STATUS_AT = 5 * ctypes.sizeof(ctypes.c_long)


def _number(path: Path) -> float:
    """Return the number in a file of the kernel's, NaN where there is none."""
    try:
        return float(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return math.nan


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
        # No SimpleQueue: up to Python 3.12 its `get` waits for ever where a signal (the service
        # manager's SIGTERM) has interrupted it and the deadline is past after the handler.
        self._events: queue.Queue[HardwareEvent] = queue.Queue()

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
