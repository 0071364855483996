"""A QR scanner that types each pass as a USB keyboard, read from the kernel's input layer (evdev).

The device is grabbed: without that the codes go to the console as well, where they are commands
to whoever is logged in there, or the gate's own terminal. The kernel's records are read with the
standard library (firmware/decisions/0023-readers-read-the-kernels-records.md).
"""

import errno
import fcntl
import os
import struct
from pathlib import Path
from typing import NamedTuple

from gatepost_hal.ports import Clock, Direction, Mailbox
from gatepost_hal.readers.device import DeviceReader, Opened, ReaderEvent
from gatepost_hal.readers.line import HALF_READ_S, LineFramer

# struct input_event (linux/input.h): seconds and microseconds as the machine's unsigned long (also
# since the year 2038 was seen to, on 32 bits), type, code, value. 24 bytes on 64 bits, 16 on 32.
INPUT_EVENT = struct.Struct("@LLHHi")

# linux/input-event-codes.h
EV_SYN, EV_KEY = 0x00, 0x01
SYN_REPORT, SYN_DROPPED = 0, 3
RELEASED, PRESSED = 0, 1  # 2 is a key that repeats, because it is held
ENTERS = frozenset({28, 96})  # KEY_ENTER, KEY_KPENTER
SHIFTS = frozenset({42, 54})
# With one of these held a key types no character: KEY_LEFTCTRL, _RIGHTCTRL, _LEFTALT, _RIGHTALT,
# _LEFTMETA, _RIGHTMETA.
_COMMANDS = frozenset({29, 97, 56, 100, 125, 126})
# KEY_NUMLOCK, KEY_SCROLLLOCK: scanners set them and type digits all the same. Not KEY_CAPSLOCK,
# after which nobody can tell which letters are meant.
_LOCKS = frozenset({69, 70})

# linux/input.h: _IOW('E', 0x90, int) and _IOW('E', 0xa0, int).
_EVIOCGRAB = 0x40044590
_EVIOCSCLOCKID = 0x400445A0
_CLOCK_MONOTONIC = struct.pack("@i", 1)

# The kernel keeps 64 records for a reader (EVDEV_MIN_BUFFER_SIZE in drivers/input/evdev.c).
_CHUNK_BYTES = 256 * INPUT_EVENT.size
_US_PER_S = 1_000_000
# No key of a pass: it makes a line that is not text.
_NO_TEXT = b"\0"


class Key(NamedTuple):
    """What a key types, without and with shift."""

    plain: str
    shifted: str


def _keys() -> dict[int, Key]:
    """Return the US layout, by the codes of linux/input-event-codes.h."""
    rows = (
        (2, "1234567890-=", "!@#$%^&*()_+"),
        (16, "qwertyuiop[]", "QWERTYUIOP{}"),
        (30, "asdfghjkl;'`", 'ASDFGHJKL:"~'),
        (43, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
        (57, " ", " "),
        # The keypad, as with number lock on.
        (55, "*", "*"),
        (71, "789-456+1230.", "789-456+1230."),
        (98, "/", "/"),
    )
    return {
        first + place: Key(*pair)
        for first, plain, shifted in rows
        for place, pair in enumerate(zip(plain, shifted, strict=True))
    }


KEYS = _keys()


class KeyboardDecoder:
    """Makes passes of the records of a keyboard. Pure: bytes and instants in, events out.

    Only keys that are pressed count. A pass ends with either Enter; one that holds anything but
    characters of the US layout is a fault. Where the kernel lost keys, all up to the next Enter
    is dropped: the rest of a pass must not become one. So is a half pass that is not continued
    within `half_read_s`, by the kernel's time stamps: a thread that is late changes nothing.

    Args:
        direction: the way that the reader stands for; all events carry it.
        half_read_s: as above.
        record: how the kernel lays out its records.
    """

    def __init__(
        self,
        direction: Direction = Direction.ENTRY,
        *,
        half_read_s: float = HALF_READ_S,
        record: struct.Struct = INPUT_EVENT,
    ) -> None:
        self._framer = LineFramer(direction, half_read_s=half_read_s)
        self._record = record
        self._held: set[int] = set()
        self._is_resynchronising = False

    @property
    def due_at_s(self) -> float:
        """When a half pass is dropped, if no key comes; infinity when there is none."""
        return self._framer.due_at_s

    def feed(self, data: bytes, at_s: float) -> list[ReaderEvent]:
        """Return what whole records complete."""
        whole = len(data) - len(data) % self._record.size
        events: list[ReaderEvent] = []
        for seconds, microseconds, kind, code, value in self._record.iter_unpack(data[:whole]):
            typed_at_s = seconds + microseconds / _US_PER_S
            if kind == EV_SYN:
                events += self._synchronise(code, typed_at_s)
            elif kind == EV_KEY and not self._is_resynchronising:
                events += self._key(code, value, typed_at_s)
        # Framed by when the keys were typed, and told by when that was read.
        return [event._replace(at_s=at_s) for event in events]

    def lapse(self, at_s: float) -> list[ReaderEvent]:
        """Drop a half pass that was not continued until `at_s`; return that it was."""
        return self._framer.lapse(at_s)

    def _synchronise(self, code: int, typed_at_s: float) -> list[ReaderEvent]:
        if code == SYN_REPORT:
            self._is_resynchronising = False
        elif code == SYN_DROPPED:
            # What follows up to the next report is a part of one (event-codes.rst, SYN_DROPPED). A
            # shift that was let go meanwhile must not hang; one that is held is dropped with the
            # rest of its line.
            self._is_resynchronising = True
            self._held.clear()
            return [self._framer.spoil(typed_at_s, "the kernel dropped keys, faster than read")]
        return []

    def _key(self, code: int, value: int, typed_at_s: float) -> list[ReaderEvent]:
        if code in SHIFTS or code in _COMMANDS:
            (self._held.discard if value == RELEASED else self._held.add)(code)
            return []
        if value != PRESSED or code in _LOCKS:
            return []
        late = self._framer.lapse(typed_at_s) if typed_at_s >= self._framer.due_at_s else []
        return [*late, *self._framer.feed(self._typed(code), typed_at_s)]

    def _typed(self, code: int) -> bytes:
        if code in ENTERS:
            return b"\n"
        key = KEYS.get(code)
        if key is None or self._held & _COMMANDS:
            return _NO_TEXT
        return (key.shifted if self._held & SHIFTS else key.plain).encode("ascii")


class KeyboardSource:
    """An input device, for `DeviceReader`."""

    chunk_bytes = _CHUNK_BYTES

    def __init__(self, device: Path, *, direction: Direction) -> None:
        self._device = device
        self._direction = direction

    def __str__(self) -> str:
        """Return the name for messages."""
        return str(self._device)

    def open(self) -> Opened:
        """Open it and grab it."""
        fd = os.open(self._device, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            _grab(fd)
        except BaseException:
            os.close(fd)
            raise
        return Opened(fd, KeyboardDecoder(self._direction))


class KeyboardReader(DeviceReader):
    """Reads a scanner that types; see `DeviceReader`.

    Args:
        device: below /dev/input, best by its name in /dev/input/by-id, which stays the same.
        clock: stamps the events. Half passes lapse by it: CLOCK_MONOTONIC, as the records have.
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
        source = KeyboardSource(device, direction=direction)
        super().__init__(source, clock=clock, mailbox=mailbox, direction=direction)


def _grab(fd: int) -> None:
    """Take the device for this process alone, with time stamps of the monotonic clock.

    Raises:
        OSError: it is no input device, or another program has it.
    """
    try:
        fcntl.ioctl(fd, _EVIOCGRAB, 1)
        fcntl.ioctl(fd, _EVIOCSCLOCKID, _CLOCK_MONOTONIC)
    except OSError as error:
        if error.errno == errno.ENOTTY:
            raise OSError("no input device; name one of /dev/input/by-id") from error
        if error.errno == errno.EBUSY:
            raise OSError("another program has grabbed it; end that one") from error
        raise
