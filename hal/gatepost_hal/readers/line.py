"""A reader that sends each pass as a line of text: a serial QR scanner, a terminal, a FIFO."""

import math
import os
import stat
import termios
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
from gatepost_hal.readers.device import DeviceReader, Opened, ReaderEvent

# A QR code of version 40 holds 4,296 alphanumeric characters (ISO/IEC 18004, table 1).
MAX_PASS_BYTES = 4296
# Half a line that is not continued within this time is no pass, and the next one is not its end.
# Scanners can be told to pause between characters, and leave the factory without: for up to 0.99 s
# (Datalogic Heron HD3100, product reference guide, "Intercharacter Delay").
HALF_READ_S = 1.0
# What a UART scanner sends with as it is delivered differs (Honeywell and Datalogic 9600 or
# 115200); one on USB (CDC) takes any speed.
BAUD = 115_200

_CHUNK_BYTES = 4096
_LINE_ENDS = b"\r\n"
_CFLAG, _IN_SPEED, _OUT_SPEED = 2, 4, 5  # places in what termios.tcgetattr returns


class LineFramer:
    """Cuts a stream of bytes into passes. Pure: bytes in, passes and faults out.

    A pass ends with CR, LF or both; empty lines are no passes. After a line that is too long, or
    spoilt, everything up to the next line end is dropped: the rest of it must not become a pass.
    What it finds carries `direction`, the way that the reader stands for.

    Args:
        direction: as above.
        half_read_s: a line that is not continued for so long is dropped. Infinite where a person
            types.
    """

    def __init__(
        self, direction: Direction = Direction.ENTRY, *, half_read_s: float = math.inf
    ) -> None:
        self._direction = direction
        self._half_read_s = half_read_s
        self._line = bytearray()
        self._dropping = False
        self._last_at_s = -math.inf

    @property
    def due_at_s(self) -> float:
        """When a half line is dropped, if nothing more comes; infinity when there is none."""
        return self._last_at_s + self._half_read_s if self._line or self._dropping else math.inf

    def feed(self, data: bytes, at_s: float) -> list[ReaderEvent]:
        """Return what `data` completes."""
        self._last_at_s = at_s
        events: list[ReaderEvent] = []
        for byte in data:
            if byte not in _LINE_ENDS:
                if self._dropping:
                    continue
                self._line.append(byte)
                if len(self._line) > MAX_PASS_BYTES:
                    detail = f"more than {MAX_PASS_BYTES} bytes without a line end"
                    events.append(self._drop(at_s, ReaderFaultKind.TOO_LONG, detail))
                continue
            if self._line:
                events.append(self._parse(bytes(self._line), at_s))
            self._line.clear()
            self._dropping = False
        return events

    def lapse(self, at_s: float) -> list[ReaderEvent]:
        """Drop a half line that was not continued until `at_s`; return that it was."""
        events: list[ReaderEvent] = []
        if self._line:
            detail = f"{len(self._line)} bytes, and no line end within {self._half_read_s} s"
            events.append(self._drop(at_s, ReaderFaultKind.INCOMPLETE, detail))
        self._dropping = False
        return events

    def spoil(self, at_s: float, detail: str) -> ReaderFault:
        """Drop the line that is under way, for some of it was lost; return that it was."""
        self._last_at_s = at_s
        return self._drop(at_s, ReaderFaultKind.INCOMPLETE, detail)

    def _drop(self, at_s: float, kind: ReaderFaultKind, detail: str) -> ReaderFault:
        self._line.clear()
        self._dropping = True
        return self._fault(at_s, kind, detail)

    def _parse(self, line: bytes, at_s: float) -> ReaderEvent:
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


class LineSource:
    """A terminal, serial line or character device, for `DeviceReader`."""

    chunk_bytes = _CHUNK_BYTES

    def __init__(
        self, device: Path, *, direction: Direction, baud: int, half_read_s: float
    ) -> None:
        self._device = device
        self._direction = direction
        self._baud = baud
        self._half_read_s = half_read_s

    def __str__(self) -> str:
        """Return the name for messages."""
        return str(self._device)

    def open(self) -> Opened:
        """Open it and, where it is a serial line, take it as it comes."""
        # Not blocking: a FIFO or a modem line would wait for its other end in here.
        fd = os.open(self._device, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            _refuse_file(fd)
            half_read_s = math.inf if _is_typed_at(fd) else self._half_read_s
            if os.isatty(fd) and not _is_typed_at(fd):
                _make_raw(fd, self._baud)
        except BaseException:
            os.close(fd)
            raise
        return Opened(fd, LineFramer(self._direction, half_read_s=half_read_s))


class LineReader(DeviceReader):
    """Reads lines from a device; see `DeviceReader`.

    Args:
        device: a terminal, serial line or character device.
        clock: stamps the events.
        mailbox: takes the events.
        direction: the way that the reader stands for; its events carry it.
        baud: the speed of a UART, one that termios knows.
        half_read_s: a line that is not continued for so long is dropped.
    """

    def __init__(
        self,
        device: Path,
        *,
        clock: Clock,
        mailbox: Mailbox,
        direction: Direction = Direction.ENTRY,
        baud: int = BAUD,
        half_read_s: float = HALF_READ_S,
    ) -> None:
        source = LineSource(device, direction=direction, baud=baud, half_read_s=half_read_s)
        super().__init__(source, clock=clock, mailbox=mailbox, direction=direction)


def _refuse_file(fd: int) -> None:
    if stat.S_ISREG(os.fstat(fd).st_mode):
        raise OSError("a file, not a device: it would be read again and again")


def _is_typed_at(fd: int) -> bool:
    """Return whether it is the terminal that this process was started from."""
    try:
        os.tcgetpgrp(fd)
    except OSError:  # ENOTTY for everything else
        return False
    return True


def _make_raw(fd: int, baud: int) -> None:
    """Take a serial line as it comes: fresh ones echo, edit, and cut lines after 4,095 bytes."""
    try:
        tty.setraw(fd, termios.TCSANOW)
        attributes = termios.tcgetattr(fd)
        # A scanner has no carrier that could be waited for, or lost.
        attributes[_CFLAG] |= termios.CLOCAL | termios.CREAD
        attributes[_IN_SPEED] = attributes[_OUT_SPEED] = getattr(termios, f"B{baud}")
        termios.tcsetattr(fd, termios.TCSANOW, attributes)
    except termios.error as error:  # no OSError, but the same: the plug is pulled in this moment
        raise OSError(*error.args) from error
