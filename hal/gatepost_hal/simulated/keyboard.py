"""A QR scanner that types, at the level of the kernel's input records.

It sends the reports of a USB boot keyboard (HID 1.11, appendix B); the tables here are those that
lead from a character to a usage, and from a usage to the kernel's code, and none of the driver's.
"""

import string
import struct
from functools import partial

from gatepost_hal.ports import Direction
from gatepost_hal.readers.keyboard import INPUT_EVENT, KeyboardDecoder
from gatepost_hal.simulated.plugged import PluggedDevice
from gatepost_hal.simulated.world import SimulatedMailbox, World

# From one report to the next: full-speed USB asks every 1 to 10 ms.
REPORT_S = 0.002
# drivers/input/evdev.c keeps at least so many records for a reader.
_BUFFERED = 64

# USB HID usage tables, keyboard page: a to z are 4 to 29, 1 to 9 and 0 are 30 to 39.
ENTER, ESCAPE, SPACE, F1 = 40, 41, 44, 58
KEYPAD_ENTER, KEYPAD_1 = 88, 89
LEFT_CONTROL, LEFT_SHIFT, LEFT_ALT, RIGHT_SHIFT = 224, 225, 226, 229
CAPS_LOCK = 57
_SYMBOLS = {
    **dict(zip("-=[]\\", range(45, 50), strict=True)),
    **dict(zip(";'`,./", range(51, 57), strict=True)),
}
_SHIFTED = dict(zip('!@#$%^&*()_+{}|:"~<>?', "1234567890-=[]\\;'`,./", strict=True))

# What the kernel makes of a usage (hid_keyboard in drivers/hid/hid-input.c), from usage 4 on.
_CODES = (
    *(30, 48, 46, 32, 18, 33, 34, 35, 23, 36, 37, 38, 50, 49, 24, 25),
    *(16, 19, 31, 20, 22, 47, 17, 45, 21, 44, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
    *(28, 1, 14, 15, 57, 12, 13, 26, 27, 43, 43, 39, 40, 41, 51, 52, 53, 58, 59),
)
_CODE_OF = {
    **dict(enumerate(_CODES, start=4)),
    KEYPAD_ENTER: 96,
    # 1 to 9 and 0 of the keypad.
    **dict(
        zip(range(KEYPAD_1, KEYPAD_1 + 10), (79, 80, 81, 75, 76, 77, 71, 72, 73, 82), strict=True)
    ),
    LEFT_CONTROL: 29,
    LEFT_SHIFT: 42,
    LEFT_ALT: 56,
    RIGHT_SHIFT: 54,
}
_EV_SYN, _EV_KEY, _EV_MSC = 0, 1, 4
_MSC_SCAN = 4
_SYN_DROPPED = 3
_KEYBOARD_PAGE = 0x70000
_US_PER_S = 1_000_000


def usage_of(character: str) -> tuple[int, bool]:
    """Return the usage of a printable ASCII character, and whether it needs shift."""
    if character in string.ascii_uppercase:
        return 4 + string.ascii_uppercase.index(character), True
    if character in string.ascii_lowercase:
        return 4 + string.ascii_lowercase.index(character), False
    if character in _SHIFTED:
        return usage_of(_SHIFTED[character])[0], True
    if character in string.digits:
        return 30 + "1234567890".index(character), False
    return (SPACE if character == " " else _SYMBOLS[character]), False


def reports_of(text: str, end: int | None = ENTER) -> list[frozenset[int]]:
    """Return which keys are down in each report of a text: the key, and then none."""
    reports: list[frozenset[int]] = []
    for character in text:
        usage, shifted = usage_of(character)
        reports += [frozenset({LEFT_SHIFT, usage} if shifted else {usage}), frozenset()]
    return reports if end is None else [*reports, frozenset({end}), frozenset()]


class KeyRecords:
    """What the kernel's input layer says of a keyboard's reports.

    Args:
        record: how the kernel lays out its records.
    """

    def __init__(self, record: struct.Struct = INPUT_EVENT) -> None:
        self._record = record
        self._down: frozenset[int] = frozenset()

    def report(self, down: frozenset[int], at_s: float) -> list[bytes]:
        """Return the records of one report, in which these keys are down."""
        changes = sorted(self._down ^ down, reverse=True)  # the modifiers first
        self._down = down
        records: list[bytes] = []
        for usage in changes:
            records.append(self._pack(at_s, _EV_MSC, _MSC_SCAN, _KEYBOARD_PAGE + usage))
            records.append(self._pack(at_s, _EV_KEY, _CODE_OF[usage], int(usage in down)))
        return [*records, self._pack(at_s, _EV_SYN, 0, 0)]

    def repeat(self, usage: int, at_s: float) -> list[bytes]:
        """Return the records of a key that is held and repeats."""
        key = self._pack(at_s, _EV_KEY, _CODE_OF[usage], 2)
        return [key, self._pack(at_s, _EV_SYN, 0, 1)]

    def dropped(self, at_s: float) -> bytes:
        """Return the record of a buffer that ran over."""
        return self._pack(at_s, _EV_SYN, _SYN_DROPPED, 0)

    def _pack(self, at_s: float, kind: int, code: int, value: int) -> bytes:
        seconds, microseconds = divmod(round(at_s * _US_PER_S), _US_PER_S)
        return self._record.pack(seconds, microseconds, kind, code, value)


class SimulatedKeyboard(PluggedDevice):
    """A scanner that types, with a kernel that drops what is not read in time.

    Args:
        world: the time in which it happens.
        mailbox: takes the events.
        direction: the way that the reader stands for.
        plugged: whether it is there at the start.
    """

    def __init__(
        self,
        *,
        world: World,
        mailbox: SimulatedMailbox,
        direction: Direction = Direction.ENTRY,
        plugged: bool = True,
    ) -> None:
        self._kernel = KeyRecords()
        super().__init__(
            "keyboard",
            partial(self._opened_decoder, direction),
            buffered=_BUFFERED,
            world=world,
            mailbox=mailbox,
            direction=direction,
            plugged=plugged,
        )

    def scan(self, credential: str) -> None:
        """Type one pass, after what is being typed."""
        self.press(reports_of(credential))

    def press(self, reports: list[frozenset[int]]) -> None:
        """Send these reports, one every `REPORT_S`."""
        self._play([partial(self._report, down) for down in reports], REPORT_S, 0.0)

    def hold(self, usage: int, times: int) -> None:
        """Let the kernel repeat a key so many times, now."""
        for _ in range(times):
            self._send(self._kernel.repeat(usage, self._world.now_s()))

    def _report(self, down: frozenset[int]) -> None:
        self._send(self._kernel.report(down, self._world.now_s()))

    def _opened_decoder(self, direction: Direction) -> KeyboardDecoder:
        self._kernel = KeyRecords()  # of a scanner that has just started: no key is down
        return KeyboardDecoder(direction)

    def _overflow(self, records: list[bytes]) -> list[bytes]:
        """Keep the newest record alone, behind the note that there were others."""
        return [self._kernel.dropped(self._world.now_s()), records[-1]]
