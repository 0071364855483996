"""What all readers have in common: a device that comes and goes, and may say too much.

`Intake` holds what that means, and is pure; `DeviceReader` is the thread that feeds it.
"""

import math
import os
import select
import threading
from typing import NamedTuple, Protocol

from gatepost_hal.ports import (
    Clock,
    Direction,
    Mailbox,
    PassRead,
    ReaderBack,
    ReaderFault,
    ReaderFaultKind,
)

# What is shown between the plug and the next attempt to open is lost. An attempt costs one system
# call, and a scanner takes longer than this to start.
REOPEN_S = 0.2
# A device that was gone and stays open this long is back, also when nobody shows anything. A broken
# plug, and standard input at its end, open again and again.
SETTLED_S = 1.0
# Nobody shows passes faster than this. A broken or hostile device does, and the control loop would
# find the fire input behind millions of them; what is too much is dropped.
WINDOW_S = 0.1
MOST_EVENTS = 8
# As many bytes in a window cost a Pi Zero 2 W some per cent of one core. The longest QR code on a
# serial line is a quarter of it, a keyboard with 1000 reports a second three quarters.
MOST_BYTES = 16_384

ReaderEvent = PassRead | ReaderFault


class Decoder(Protocol):
    """Makes passes of the bytes of one kind of device. Pure: bytes and instants in, events out."""

    @property
    def due_at_s(self) -> float:
        """When what has begun counts as ended, if nothing more comes; infinity when nothing has."""
        ...

    def feed(self, data: bytes, at_s: float) -> list[ReaderEvent]:
        """Return what `data`, read from the device at `at_s`, completes."""
        ...

    def lapse(self, at_s: float) -> list[ReaderEvent]:
        """Return what ends by itself, where nothing more came until `at_s`."""
        ...


class Opened(NamedTuple):
    """A device that has been opened, and what reads it from here on."""

    fd: int
    decoder: Decoder


class Source(Protocol):
    """A device as it is named and opened. Its `str` is its name in messages."""

    @property
    def chunk_bytes(self) -> int:
        """How much is read at a time, at most."""
        ...

    def open(self) -> Opened:
        """Open the device, without ever waiting for its other end.

        Raises:
            OSError: it is not there, or is no such device.
        """
        ...


class Intake:
    """What a reader says of its device. Pure: it is told what happened, and returns the events.

    A device that is missing, at start or later, is one GONE; that it is there again is one
    `ReaderBack`. In any window of `WINDOW_S` there are at most `MOST_EVENTS` events of its
    decoder. `ready_at_s` is the instant before which nothing more should be read.

    Args:
        name: of the device, for messages.
        direction: the way that the reader stands for; all events carry it.
    """

    def __init__(self, name: str, direction: Direction) -> None:
        self._name = name
        self._direction = direction
        self._decoder: Decoder | None = None
        self._is_gone = False
        self._settled_at_s = math.inf
        self._window_ends_s = -math.inf
        self._events_left = 0
        self._bytes_left = 0
        self.ready_at_s = -math.inf

    @property
    def due_at_s(self) -> float:
        """When `due` is to be called, if nothing is read before; infinity for never."""
        decoded_s = math.inf if self._decoder is None else self._decoder.due_at_s
        return min(decoded_s, self._settled_at_s)

    def opened(self, decoder: Decoder, at_s: float) -> None:
        """Note that the device is open; what was half read before is forgotten."""
        self._decoder = decoder
        if self._is_gone:
            self._settled_at_s = at_s + SETTLED_S

    def failed(self, reason: str, at_s: float) -> list[ReaderFault | ReaderBack]:
        """Note that the device cannot be opened or read any more."""
        self._decoder = None
        self._settled_at_s = math.inf
        if self._is_gone:
            return []
        self._is_gone = True
        detail = f"{self._name}: {reason}"
        return [ReaderFault(at_s, ReaderFaultKind.GONE, detail, self._direction)]

    def took(self, data: bytes, at_s: float) -> list[ReaderEvent | ReaderBack]:
        """Return what it means that `data` was read from the device."""
        if self._decoder is None:
            return []
        decoded = self._decoder.feed(data, at_s)
        return [*self._back(at_s), *self._bounded(decoded, len(data), at_s)]

    def due(self, at_s: float) -> list[ReaderEvent | ReaderBack]:
        """Return what it means that nothing was read until `at_s`."""
        back = self._back(at_s) if at_s >= self._settled_at_s else []
        if self._decoder is None or at_s < self._decoder.due_at_s:
            return [*back]
        return [*back, *self._bounded(self._decoder.lapse(at_s), 0, at_s)]

    def _back(self, at_s: float) -> list[ReaderBack]:
        self._settled_at_s = math.inf
        if not self._is_gone:
            return []
        self._is_gone = False
        return [ReaderBack(at_s, self._direction)]

    def _bounded(
        self, events: list[ReaderEvent], read_bytes: int, at_s: float
    ) -> list[ReaderEvent]:
        if at_s >= self._window_ends_s:
            self._window_ends_s = at_s + WINDOW_S
            self._events_left, self._bytes_left = MOST_EVENTS, MOST_BYTES
        kept = events[: self._events_left]
        self._events_left -= len(kept)
        self._bytes_left -= read_bytes
        if len(kept) < len(events) or self._bytes_left < 0:
            # The kernel's own buffer fills meanwhile, and slows the device down or drops.
            self.ready_at_s = self._window_ends_s
        return kept


class DeviceReader:
    """Reads a device with a thread of its own, and opens it again when it vanished.

    Args:
        source: the device.
        clock: stamps the events.
        mailbox: takes the events.
        direction: the way that the reader stands for.
    """

    def __init__(
        self, source: Source, *, clock: Clock, mailbox: Mailbox, direction: Direction
    ) -> None:
        self._source = source
        self._clock = clock
        self._mailbox = mailbox
        self._intake = Intake(str(source), direction)
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(
            target=self._run, name=f"reader-{direction.value}", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """End the thread and close the device."""
        os.write(self._stop_write, b"x")
        self._thread.join()
        for fd in (self._stop_read, self._stop_write):
            os.close(fd)

    def _run(self) -> None:
        while (reason := self._read_device()) is not None:
            for event in self._intake.failed(reason, self._clock.now_s()):
                self._mailbox.post(event)
            if self._is_stopped_within(REOPEN_S):
                return

    def _read_device(self) -> str | None:
        """Open the device and read it; return why that ended, None when `close` was called."""
        try:
            fd, decoder = self._source.open()
        except OSError as error:
            return error.strerror or str(error)
        try:
            self._intake.opened(decoder, self._clock.now_s())
            return self._read(fd)
        except OSError as error:  # a pulled USB plug is EIO or ENODEV
            return str(error.strerror)
        finally:
            os.close(fd)

    def _read(self, fd: int) -> str | None:
        intake = self._intake
        while True:
            now_s = self._clock.now_s()
            if intake.ready_at_s > now_s and self._is_stopped_within(intake.ready_at_s - now_s):
                return None
            left_s = intake.due_at_s - self._clock.now_s()
            timeout_s = None if math.isinf(left_s) else max(0.0, left_s)
            ready, _, _ = select.select([fd, self._stop_read], [], [], timeout_s)
            if self._stop_read in ready:
                return None
            if fd in ready:
                try:
                    data = os.read(fd, self._source.chunk_bytes)
                except BlockingIOError:  # ready, and then not: select(2) says that it happens
                    continue
                if not data:
                    return "end of file"
                events = intake.took(data, self._clock.now_s())
            else:
                events = intake.due(self._clock.now_s())
            for event in events:
                self._mailbox.post(event)

    def _is_stopped_within(self, duration_s: float) -> bool:
        return bool(select.select([self._stop_read], [], [], duration_s)[0])
