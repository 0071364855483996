"""A reader that sends each pass as a line of text: a keyboard, a terminal, a serial QR scanner."""

import os
import select
import stat
import termios
import threading
import tty
from pathlib import Path

from gatepost_hal.ports import (
    Clock,
    Direction,
    Mailbox,
    PassRead,
    ReaderFault,
    ReaderFaultKind,
)

# A QR code of version 40 holds 4,296 alphanumeric characters (ISO/IEC 18004, table 1).
MAX_PASS_BYTES = 4296

_CHUNK_BYTES = 4096
_REOPEN_S = 1.0
# Nobody shows passes faster than this. A broken or hostile device does, and the control loop would
# find the fire input behind millions of them; what is too much is dropped.
_MOST_PER_CHUNK = 8
_PAUSE_S = 0.1
_LINE_ENDS = b"\r\n"


class LineFramer:
    """Cuts a stream of bytes into passes. Pure: bytes in, passes and faults out.

    A pass ends with CR, LF or both; empty lines are no passes. After a line that is too long,
    everything up to the next line end is dropped: the rest of it must not become a pass.
    What it finds carries `direction`, the way that the reader stands for.
    """

    def __init__(self, direction: Direction = Direction.ENTRY) -> None:
        self._direction = direction
        self._line = bytearray()
        self._dropping = False

    def feed(self, data: bytes, at_s: float) -> list[PassRead | ReaderFault]:
        """Return what `data` completes."""
        events: list[PassRead | ReaderFault] = []
        for byte in data:
            if byte not in _LINE_ENDS:
                if self._dropping:
                    continue
                self._line.append(byte)
                if len(self._line) > MAX_PASS_BYTES:
                    self._dropping = True
                    detail = f"more than {MAX_PASS_BYTES} bytes without a line end"
                    events.append(self._fault(at_s, ReaderFaultKind.TOO_LONG, detail))
                continue
            if self._line and not self._dropping:
                events.append(self._parse(bytes(self._line), at_s))
            self._line.clear()
            self._dropping = False
        return events

    def _parse(self, line: bytes, at_s: float) -> PassRead | ReaderFault:
        try:
            text = line.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            detail = f"byte {error.start} of {len(line)} is not UTF-8"
            return self._fault(at_s, ReaderFaultKind.NOT_TEXT, detail)
        if not text or not text.isprintable():
            detail = f"{len(line)} bytes that are not printable text"
            return self._fault(at_s, ReaderFaultKind.NOT_TEXT, detail)
        return PassRead(at_s, text, self._direction)

    def _fault(self, at_s: float, kind: ReaderFaultKind, detail: str) -> ReaderFault:
        return ReaderFault(at_s, kind, detail, self._direction)


class LineReader:
    """Reads a device with a thread of its own, and opens it again when it vanished.

    A device that is missing, at start or later, is one `ReaderFault` (GONE), and is looked for
    every `_REOPEN_S` from then on: a scanner may be plugged in late, or again.

    Args:
        device: a terminal, serial line or character device.
        clock: stamps the events.
        mailbox: takes the events.
        direction: the way that the reader stands for; its events carry it.
    """

    def __init__(
        self,
        device: Path,
        *,
        clock: Clock,
        mailbox: Mailbox,
        direction: Direction = Direction.ENTRY,
    ) -> None:
        self._device = device
        self._direction = direction
        self._clock = clock
        self._mailbox = mailbox
        self._is_gone = False
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
            if not self._is_gone:
                self._is_gone = True
                detail = f"{self._device}: {reason}"
                at_s, kind = self._clock.now_s(), ReaderFaultKind.GONE
                self._mailbox.post(ReaderFault(at_s, kind, detail, self._direction))
            if select.select([self._stop_read], [], [], _REOPEN_S)[0]:
                return

    def _read_device(self) -> str | None:
        """Open the device and read it; return why that ended, None when `close` was called."""
        try:
            # Not blocking: a FIFO or a modem line would wait for its other end in here.
            flags = os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC | os.O_NONBLOCK
            fd = os.open(self._device, flags)
        except OSError as error:
            return str(error.strerror)
        try:
            if stat.S_ISREG(os.fstat(fd).st_mode):
                return "a file, not a device: it would be read again and again"
            _make_raw(fd)
            return self._read(fd)
        finally:
            os.close(fd)

    def _read(self, fd: int) -> str | None:
        framer = LineFramer(self._direction)
        while True:
            ready, _, _ = select.select([fd, self._stop_read], [], [])
            if self._stop_read in ready:
                return None
            try:
                data = os.read(fd, _CHUNK_BYTES)
            except OSError as error:  # a pulled USB plug is EIO or ENODEV
                return str(error.strerror)
            if not data:
                return "end of file"
            self._is_gone = False
            events = framer.feed(data, self._clock.now_s())
            for event in events[:_MOST_PER_CHUNK]:
                self._mailbox.post(event)
            # The kernel's own buffer fills meanwhile, and slows the device down or drops.
            if events and select.select([self._stop_read], [], [], _PAUSE_S)[0]:
                return None


def _make_raw(fd: int) -> None:
    """Take a terminal as it comes: fresh ones echo, edit, and cut lines after 4,095 bytes.

    Not the terminal that this process was started from: a technician types there.
    """
    if not os.isatty(fd):
        return
    try:
        os.tcgetpgrp(fd)  # ENOTTY for every other terminal
    except OSError:
        tty.setraw(fd, termios.TCSANOW)
