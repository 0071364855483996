"""The MLX90614 on a Linux I2C bus: smbus2 below, the Adafruit driver above, our checks between.

The Adafruit driver reads two bytes and believes them; one flipped bit can make or hide a fever.
`CheckedBus` stands where it expects a CircuitPython bus, reads the third byte, and lets a word
through only when its PEC fits, its error flag is clear, and the part could have sent it.

Page numbers are those of the Melexis datasheet 3901090614 rev 13. EEPROM is never written.
"""

import errno
import fcntl
import threading
from collections.abc import Callable
from typing import Protocol, cast

import adafruit_mlx90614
from smbus2 import SMBus, i2c_msg

from gatepost_hal.pec import read_word_pec
from gatepost_hal.ports import Chip, Clock, Reading, SensorFault, SensorFaultKind

DEFAULT_ADDRESS = 0x5A  # page 18

RAM_AMBIENT = 0x06  # page 17
RAM_OBJECT = 0x07
EEPROM_EMISSIVITY = 0x24  # 65535 is 1.0
EEPROM_CONFIG = 0x25  # page 15: filters, gain
EEPROM_ID = (0x3C, 0x3D, 0x3E, 0x3F)

_ERROR_FLAG = 0x8000  # page 20
# What each register can hold, flag aside (page 30). Every driver's 0xFFFF "1037.55 C" of a
# floating bus and 0x0000 "-273.15 C" of a shorted one lie outside.
_POSSIBLE_WORDS = {
    RAM_AMBIENT: range(0x2DE4, 0x4DC4 + 1),  # -38.2 to 125 C
    RAM_OBJECT: range(0x27AD, 0x7FFF + 1),  # -70.0 to 382.2 C
}

# The identity is read again, after the temperatures, when nobody looked for half a second (and so
# with the first sample of every attempt), and in any case this often: a part that somebody
# exchanged must not be taken for the one that was calibrated.
_UNSEEN_S = 0.5
_IDENTITY_S = 10.0
_REPEATS = 2  # a disturbed transfer is repeated this often, within the deadline
_REPEAT_PAUSE_S = 0.002

_KIND_OF_ERRNO = {
    errno.ENODEV: SensorFaultKind.ABSENT,
    errno.ENOENT: SensorFaultKind.ABSENT,
    errno.ENXIO: SensorFaultKind.ABSENT,  # most adapters' NACK
    errno.EREMOTEIO: SensorFaultKind.ABSENT,  # i2c-bcm2835's NACK
    errno.ETIMEDOUT: SensorFaultKind.TIMEOUT,
    errno.EBADMSG: SensorFaultKind.BAD_PEC,
}


class BusError(OSError):
    """A word could not be read. `kind` says why, in the terms of the port."""

    def __init__(self, kind: SensorFaultKind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class I2cBus(Protocol):
    """The part of `smbus2.SMBus` that is used: one method, and no state between calls."""

    def i2c_rdwr(self, *messages: i2c_msg) -> None:
        """Run the messages as one transaction with repeated starts. Raises OSError."""

    def close(self) -> None:
        """Release the bus device."""


class CheckedBus:
    """What the Adafruit driver takes for a CircuitPython I2C bus; every word it yields was checked.

    Args:
        bus: an open bus.
        clock: for the deadline.
        pause: sleeps for the given seconds between two attempts.
        deadline_s: no attempt begins later than this after a read began. One transfer that the
            kernel is already waiting for cannot be interrupted (adapter time-out: about 1 s).

    `repeats` counts the transfers that were disturbed and done again.
    """

    def __init__(
        self, bus: I2cBus, *, clock: Clock, pause: Callable[[float], None], deadline_s: float
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._pause = pause
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self.repeats = 0

    def try_lock(self) -> bool:
        """Take the bus. Never False: the driver would spin on that for ever, without a pause.

        Raises:
            BusError: another thread held the bus for longer than the deadline.
        """
        if not self._lock.acquire(timeout=self._deadline_s):
            raise BusError(SensorFaultKind.TIMEOUT, "the bus is held by another thread")
        return True

    def unlock(self) -> None:
        """Give the bus back."""
        self._lock.release()

    def writeto(self, address: int, buffer: bytes, **_: object) -> None:
        """Swallow the driver's probe: an SMBus Quick write, which the part forbids (page 18).

        Raises:
            BusError: it is no probe. Nothing may write to this sensor.
        """
        if len(buffer):
            raise BusError(SensorFaultKind.BUS_ERROR, f"refused to write to 0x{address:02X}")

    def writeto_then_readfrom(
        self, address: int, out_buffer: bytes, in_buffer: bytearray, **_: object
    ) -> None:
        """Read one checked word, low byte first, into the first two bytes of `in_buffer`.

        Raises:
            BusError: no attempt before the deadline yielded a word that can be believed.
        """
        word = self.read_word(address, out_buffer[0])
        in_buffer[0:2] = word.to_bytes(2, "little")

    def read_word(self, address: int, command: int) -> int:
        """Return the word of a register, its PEC, flag and range checked; repeat if disturbed.

        Raises:
            BusError: as `writeto_then_readfrom`.
        """
        until_s = self._clock.now_s() + self._deadline_s
        for attempt in range(_REPEATS + 1):
            try:
                return self._read_word_once(address, command)
            except BusError as fault:
                # The flag is the part's own verdict, not a disturbance: asking again at once
                # would only disturb the measurement (page 23: keep the bus quiet).
                last = attempt == _REPEATS or fault.kind is SensorFaultKind.FLAGGED
                if last or self._clock.now_s() + _REPEAT_PAUSE_S >= until_s:
                    raise
            self.repeats += 1
            self._pause(_REPEAT_PAUSE_S)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _read_word_once(self, address: int, command: int) -> int:
        read = i2c_msg.read(address, 3)
        try:
            self._bus.i2c_rdwr(i2c_msg.write(address, [command]), read)
        except OSError as error:
            kind = _KIND_OF_ERRNO.get(error.errno or 0, SensorFaultKind.BUS_ERROR)
            raise BusError(kind, f"register 0x{command:02X}: {error}") from error
        low, high, pec = bytes(read)
        word = high << 8 | low
        if pec != read_word_pec(address, command, word):
            detail = f"register 0x{command:02X}: word 0x{word:04X} with PEC 0x{pec:02X}"
            raise BusError(SensorFaultKind.BAD_PEC, detail)
        # An EEPROM word has no flag; its PEC is all there is to check.
        if command in _POSSIBLE_WORDS and word & _ERROR_FLAG:
            detail = f"register 0x{command:02X}: error flag set in 0x{word:04X}"
            raise BusError(SensorFaultKind.FLAGGED, detail)
        if command in _POSSIBLE_WORDS and word not in _POSSIBLE_WORDS[command]:
            detail = f"register 0x{command:02X}: 0x{word:04X} is no temperature this part has"
            raise BusError(SensorFaultKind.IMPOSSIBLE_WORD, detail)
        return word


class Mlx90614:
    """A `Thermometer`: one MLX90614, opened when first read and opened anew after it vanished.

    Not thread-safe; one thread owns it. A sensor that is missing at start is a fault of the
    first measurement, not of the construction: fire and exit must work without it.
    """

    def __init__(
        self,
        open_bus: Callable[[], I2cBus],
        *,
        clock: Clock,
        pause: Callable[[float], None],
        address: int = DEFAULT_ADDRESS,
        deadline_s: float = 0.1,
    ) -> None:
        self._open_bus = open_bus
        self._clock = clock
        self._pause = pause
        self._address = address
        self._deadline_s = deadline_s
        self._bus: I2cBus | None = None
        self._checked: CheckedBus | None = None
        self._driver: adafruit_mlx90614.MLX90614 | None = None
        self._chip: Chip | None = None
        self._identified_at_s = 0.0
        self._seen_at_s = 0.0

    def measure(self) -> Reading | SensorFault:
        """Read ambient, then object, and now and then who the part is.

        The first word that fails ends it. Blocks for one deadline a word at most (two words, eight
        with the identity), plus one time-out of the kernel.
        """
        try:
            checked, driver = self._opened()
            before = checked.repeats
            ambient_c = driver.ambient_temperature
            object_c = driver.object_temperature
            at_s = self._clock.now_s()
            chip = self._identity(checked, at_s)
        except BusError as fault:
            self._chip = None  # whatever answers after this may be another part
            if fault.kind in (SensorFaultKind.ABSENT, SensorFaultKind.BUS_ERROR):
                self.close()  # a replugged adapter is a new device behind the same name
            return SensorFault(self._clock.now_s(), fault.kind, str(fault))
        repeats = checked.repeats - before
        return Reading(at_s, object_c=object_c, ambient_c=ambient_c, chip=chip, repeats=repeats)

    def close(self) -> None:
        """Release the bus. The next measurement opens it again."""
        if self._bus is not None:
            self._bus.close()
        self._bus = self._checked = self._driver = self._chip = None

    def _identity(self, checked: CheckedBus, now_s: float) -> Chip:
        good_until_s = min(self._seen_at_s + _UNSEEN_S, self._identified_at_s + _IDENTITY_S)
        self._seen_at_s = now_s
        if self._chip is not None and now_s < good_until_s:
            return self._chip
        self._identified_at_s = now_s
        words = [checked.read_word(self._address, cell) for cell in EEPROM_ID]
        emissivity = checked.read_word(self._address, EEPROM_EMISSIVITY) / 0xFFFF
        config = checked.read_word(self._address, EEPROM_CONFIG)
        self._chip = Chip("".join(f"{word:04x}" for word in words), emissivity, config)
        return self._chip

    def _opened(self) -> tuple[CheckedBus, adafruit_mlx90614.MLX90614]:
        if self._checked is not None and self._driver is not None:
            return self._checked, self._driver
        try:
            self._bus = self._open_bus()
        except OSError as error:
            kind = _KIND_OF_ERRNO.get(error.errno or 0, SensorFaultKind.BUS_ERROR)
            raise BusError(kind, f"the I2C bus cannot be opened: {error}") from error
        checked = CheckedBus(
            self._bus, clock=self._clock, pause=self._pause, deadline_s=self._deadline_s
        )
        self._driver = adafruit_mlx90614.MLX90614(checked, self._address)
        self._checked = checked
        return checked, self._driver


def open_linux_bus(number: int) -> I2cBus:
    """Return /dev/i2c-`number`, open and locked against other processes of ours.

    Two that read in turns would break the silence that the part needs before each read (page 23).

    Raises:
        OSError: it does not exist (is the overlay loaded?), may not be opened (group i2c), or
            another process has it (BlockingIOError).
    """
    bus = SMBus(number)
    try:
        fcntl.flock(cast("int", bus.fd), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        bus.close()
        detail = f"/dev/i2c-{number} is in use; stop the gate first: systemctl stop gatepost-gate"
        raise BlockingIOError(error.errno, detail) from None
    return cast("I2cBus", bus)
