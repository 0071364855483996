"""A card reader on two data lines (Wiegand, 26 or 34 bits), by the kernel's time stamps of edges.

A 0 is a short low pulse on D0, a 1 is one on D1. Both lines are requested together from the GPIO
character device, whose records tell when each edge was, and whether one was lost; no thread of
ours has to be in time for a pulse (firmware/decisions/0023-readers-read-the-kernels-records.md).

What the format cannot show: two flipped bits in one half of a frame leave its parity right, and
are another card. Only a parity that fails, or a wrong number of pulses, is seen.
"""

import errno
import fcntl
import math
import os
import struct
from operator import itemgetter
from pathlib import Path
from typing import Literal

from gatepost_hal.ports import (
    Clock,
    Direction,
    Mailbox,
    PassRead,
    ReaderFault,
    ReaderFaultKind,
)
from gatepost_hal.readers.device import DeviceReader, Opened, ReaderEvent

Bits = Literal[26, 34]

# SIA AC-01-1996.10 lets a reader send pulses of 20 to 100 us, 200 us to 20 ms apart. A frame ends
# with a gap that no two pulses of one may have, and a quarter more.
GAP_S = 0.025
# Nearer than the longest pulse is long: a line that rings, or both lines at once. Half of what a
# reader may do, because an interrupt that is held up stamps its edge late.
CLOSEST_S = 0.0001
# After so many without a gap the line hums; that is told once, and not at its end, if it has any.
_MOST_PULSES = 100

_FACILITY_BITS = {26: 8, 34: 16}
_CARD_BITS = 16
_CARD_MASK = (1 << _CARD_BITS) - 1

# struct gpio_v2_line_event (linux/gpio.h): time stamp in ns of CLOCK_MONOTONIC, kind of edge, line,
# number in the request, number of the line, padding.
LINE_EVENT = struct.Struct("=QIIII24x")
# struct gpio_v2_line_request: 64 lines, consumer, configuration (flags, count of attributes and
# these), count of lines, size of the buffer, padding, file descriptor of the answer.
_REQUEST = struct.Struct("=64I32sQI20x240xII20xi")
_GET_LINE = 0xC250B407  # _IOWR(0xB4, 0x07, struct gpio_v2_line_request)
_INPUT, _EDGE_FALLING, _PULL_UP = 1 << 2, 1 << 5, 1 << 8
_REQUESTED = 64
# Seven frames of 34: a thread may be that late. (lgpio leaves the kernel's 16 for a line.)
_BUFFERED = 256
_LOST = "the kernel lost pulses, faster than read"
_NS_PER_S = 1_000_000_000
_US_PER_S = 1_000_000


class WiegandFramer:
    """Makes cards of pulses. Pure: lines and instants in, cards and faults out.

    A frame of exactly `bits` pulses with both parities right is a pass, as
    "W26:FACILITY:CARD" or "W34:FACILITY:CARD" in decimal: 8 and 16 bits (HID's H10301), or 16 and
    16. Whatever else comes between two gaps is one fault, which says why.
    """

    def __init__(self, bits: Bits, direction: Direction = Direction.ENTRY) -> None:
        self._bits = bits
        self._direction = direction
        self._last_at_s = -math.inf
        self._pulses = 0
        self._value = 0
        self._problem = ""

    @property
    def due_at_s(self) -> float:
        """When the frame that is under way ends, if nothing more comes; infinity without one."""
        return self._last_at_s + GAP_S if self._pulses else math.inf

    def pulse(
        self, bit: int, edge_at_s: float, at_s: float, *, is_lost: bool = False
    ) -> list[ReaderEvent]:
        """Return what a pulse ends: the frame before it, or the patience with a line that hums.

        Args:
            bit: 0 for D0, 1 for D1.
            edge_at_s: when its line fell.
            at_s: now.
            is_lost: whether pulses before this one are missing.
        """
        events: list[ReaderEvent] = []
        if is_lost:  # of this frame or of the one before: neither can be trusted
            self._object(_LOST)
        if edge_at_s >= self.due_at_s:
            events += self.lapse(at_s)
        if is_lost:
            self._object(_LOST)
        apart_s = edge_at_s - self._last_at_s
        if self._pulses and apart_s < CLOSEST_S:
            self._object(
                f"pulses {apart_s * _US_PER_S:.0f} us apart, a reader's are at least 200: "
                "noise, or D0 and D1 touch"
            )
        self._last_at_s = edge_at_s
        self._pulses += 1
        self._value = (self._value << 1 | bit) & ((1 << self._bits) - 1)
        if self._pulses == _MOST_PULSES:
            events.append(self._fault(at_s, f"{_MOST_PULSES} pulses without a gap"))
        return events

    def lapse(self, at_s: float) -> list[ReaderEvent]:
        """End the frame; return the card or the fault that it is."""
        pulses, value, problem = self._pulses, self._value, self._problem
        self._pulses, self._value, self._problem = 0, 0, ""
        if pulses == 0 or pulses >= _MOST_PULSES:  # told already
            return []
        if pulses != self._bits:
            problem = problem or f"number of pulses {pulses}, a card's is {self._bits}"
        problem = problem or self._wrong_parity(value)
        if problem:
            return [self._fault(at_s, problem)]
        data = value >> 1 & ((1 << self._bits - 2) - 1)
        text = f"W{self._bits}:{data >> _CARD_BITS}:{data & _CARD_MASK}"
        return [PassRead(at_s, text, self._direction)]

    def _wrong_parity(self, value: int) -> str:
        """Return which half is wrong: the first has an even number of ones, the second an odd."""
        half = self._bits // 2
        if (value >> half).bit_count() % 2 != 0:
            return f"bits 1 to {half} fail their even parity"
        if (value & ((1 << half) - 1)).bit_count() % 2 != 1:
            return f"bits {half + 1} to {self._bits} fail their odd parity"
        return ""

    def _object(self, problem: str) -> None:
        self._problem = self._problem or problem

    def _fault(self, at_s: float, detail: str) -> ReaderFault:
        return ReaderFault(at_s, ReaderFaultKind.BAD_FRAME, detail, self._direction)


class WiegandDecoder:
    """Makes cards of the kernel's records of two lines. Pure: bytes in, events out."""

    def __init__(self, bits: Bits, *, d1: int, direction: Direction = Direction.ENTRY) -> None:
        self._framer = WiegandFramer(bits, direction)
        self._d1 = d1
        self._last_number = 0

    @property
    def due_at_s(self) -> float:
        """When the frame that is under way ends, if nothing more comes; infinity without one."""
        return self._framer.due_at_s

    def feed(self, data: bytes, at_s: float) -> list[ReaderEvent]:
        """Return what whole records complete."""
        whole = len(data) - len(data) % LINE_EVENT.size
        # The kernel notes the edges of two lines on two threads, and numbers them when they happen.
        records = sorted(LINE_EVENT.iter_unpack(data[:whole]), key=itemgetter(3))
        events: list[ReaderEvent] = []
        for stamp_ns, _, line, number, _ in records:
            is_lost = number != self._last_number + 1
            self._last_number = number
            bit, edge_at_s = int(line == self._d1), stamp_ns / _NS_PER_S
            events += self._framer.pulse(bit, edge_at_s, at_s, is_lost=is_lost)
        return events

    def lapse(self, at_s: float) -> list[ReaderEvent]:
        """End the frame that is under way; return the card or the fault that it is."""
        return self._framer.lapse(at_s)


class WiegandSource:
    """Two lines of a GPIO chip, for `DeviceReader`."""

    chunk_bytes = _BUFFERED * LINE_EVENT.size

    def __init__(self, chip: Path, *, d0: int, d1: int, bits: Bits, direction: Direction) -> None:
        self._chip = chip
        self._d0, self._d1 = d0, d1
        self._bits: Bits = bits
        self._direction = direction

    def __str__(self) -> str:
        """Return the name for messages."""
        return f"{self._chip} lines {self._d0} (D0) and {self._d1} (D1)"

    def open(self) -> Opened:
        """Request the lines."""
        chip = os.open(self._chip, os.O_RDWR | os.O_CLOEXEC)
        try:
            fd = _request(chip, self._d0, self._d1)
        finally:
            os.close(chip)
        return Opened(fd, WiegandDecoder(self._bits, d1=self._d1, direction=self._direction))


class WiegandReader(DeviceReader):
    """Reads cards from two data lines; see `DeviceReader`.

    The wires are not supervised: a reader that is unplugged says nothing, and looks like one that
    nobody uses. Gone is what the kernel does not let have: the chip, or a line that is taken.

    Args:
        chip: the GPIO chip with the 40-pin header, as /dev/gpiochip0.
        d0: BCM number of the line that pulses for a 0.
        d1: the same for a 1.
        bits: of a frame. Anything else is refused, so that pulses that are lost never make a
            short frame out of a long one.
        clock: stamps the events. Frames end by it: CLOCK_MONOTONIC, as the records have.
        mailbox: takes the events.
        direction: the way that the reader stands for; its events carry it.
    """

    def __init__(
        self,
        chip: Path,
        *,
        d0: int,
        d1: int,
        bits: Bits,
        clock: Clock,
        mailbox: Mailbox,
        direction: Direction = Direction.ENTRY,
    ) -> None:
        source = WiegandSource(chip, d0=d0, d1=d1, bits=bits, direction=direction)
        super().__init__(source, clock=clock, mailbox=mailbox, direction=direction)


def _request(chip: int, d0: int, d1: int) -> int:
    """Return a file descriptor that tells the falling edges of both lines.

    Raises:
        OSError: it is no GPIO chip, has no such line, or somebody else has one of them.
    """
    lines = [d0, d1] + [0] * (_REQUESTED - 2)
    flags = _INPUT | _EDGE_FALLING | _PULL_UP
    request = bytearray(_REQUEST.pack(*lines, b"gatepost", flags, 0, 2, _BUFFERED, 0))
    try:
        fcntl.ioctl(chip, _GET_LINE, request)
    except OSError as error:
        if error.errno == errno.ENOTTY:
            raise OSError("no GPIO chip; name one as /dev/gpiochip0") from error
        if error.errno == errno.EBUSY:
            raise OSError("one of the lines is taken; who else uses it?") from error
        raise
    fd: int = _REQUEST.unpack(request)[-1]
    os.set_blocking(fd, False)
    return fd
