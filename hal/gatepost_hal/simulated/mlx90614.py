"""An MLX90614 and its I2C bus at the level of bytes: words, PEC, noise, filters, faults.

`SimulatedI2cBus.i2c_rdwr` takes the same `smbus2.i2c_msg` objects as a kernel bus and answers
with the bytes that the part would send. Facts and pages: Melexis datasheet 3901090614 rev 13;
the update period is derived from its table 9 (settling = 99.9 % of a first-order filter).
"""

import errno
import math
import random
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from gatepost_hal.pec import read_word_pec, write_word_pec
from gatepost_hal.simulated.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

_AMBIENT, _OBJECT = 0x06, 0x07
_EEPROM = 0x20  # opcode of cell 0, page 17
_CONFIG = _EEPROM | 0x05
_ERROR_FLAG = 0x8000

_IIR_GAIN = {4: 1.0, 5: 0.8, 6: 2 / 3, 7: 4 / 7, 0: 0.5, 1: 0.25, 2: 1 / 6, 3: 0.125}  # page 15
_FIR_LENGTH = {4: 128, 5: 256, 6: 512, 7: 1024}
# After this many updates even the slowest filter has forgotten what was before.
_MEMORY_UPDATES = 100

_BIT_S = 1 / 80_000  # one bit on the wire
_KERNEL_TIMEOUT_S = 1.0  # what a stuck bus costs: the adapter's default time-out

_M_READ = 0x0001  # I2C_M_RD of linux/i2c.h


class ChipFault(Enum):
    """What a part or its wiring can do wrong, as seen in the field (facts: sensor, 2.6)."""

    NACK = "nack"  # unplugged or unpowered
    STUCK_BUS = "stuck_bus"  # SDA or SCL held low: the kernel waits, then gives up
    BAD_PEC = "bad_pec"  # a disturbed transfer
    ALL_ONES = "all_ones"  # nothing drives SDA; read without PEC this is 1037.55 C
    ALL_ZEROS = "all_zeros"  # SDA shorted while SCL works
    ERROR_FLAG = "error_flag"  # the part reports that it cannot measure
    FROZEN = "frozen"  # the same word for ever, with a good PEC


@dataclass(frozen=True, slots=True)
class Part:
    """One ordering code: noise at factory filters (page 16, table 8) and its update periods."""

    code: str
    noise_c: float  # rms, at FIR 1024 and IIR 100 %
    update_s: dict[int, float]  # FIR length -> seconds between two results
    config1: int


_UPDATE_XA_S = {128: 0.029, 256: 0.037, 512: 0.054, 1024: 0.087}
_UPDATE_XC_S = {128: 0.047, 256: 0.058, 512: 0.084, 1024: 0.135}
# Configuration 1: FIR 1024 in bits 10 to 8, IIR 100 % in bits 2 to 0.
_CONFIG_FACTORY = 0x9FB4

DCC = Part("DCC", 0.18, _UPDATE_XC_S, _CONFIG_FACTORY)
BAA = Part("BAA", 0.05, _UPDATE_XA_S, _CONFIG_FACTORY)

_POWER_ON_S = 0.25  # page 11: nothing valid before
_SELF_HEATING_C = 0.4
_DIE_TIME_CONSTANT_S = 420.0  # no public figure; between 5 and 10 minutes


class SimulatedMlx90614:
    """The part: measures `scene` and its own die, filters, and answers register reads.

    Args:
        world: the clock.
        seed: of the noise.
        part: which ordering code.
        room_c: temperature around the die.
        supply_v: 0.6 C/V beside 3.0 V shifts both temperatures (page 36).
    """

    def __init__(
        self,
        world: World,
        *,
        seed: int = 0,
        part: Part = DCC,
        room_c: float = 24.0,
        supply_v: float = 3.0,
    ) -> None:
        self._world = world
        self._random = random.Random(seed)  # noqa: S311 - noise, not a secret
        self._part = part
        self._powered_at_s = world.now_s()
        self._next_update_s = self._powered_at_s
        self._filtered_c: float | None = None
        self._die_c = room_c + _SELF_HEATING_C
        self._die_at_s = self._powered_at_s
        self._frozen: dict[int, int] = {}
        self.eeprom = {_CONFIG: part.config1, _EEPROM | 0x04: 0xFFFF, _EEPROM | 0x0E: 0xBE5A}
        self.eeprom |= {_EEPROM | 0x1C | i: self._random.getrandbits(16) for i in range(4)}
        self.room_c = room_c
        self.supply_v = supply_v
        self.scene: Callable[[float], float] = lambda _at_s: self.room_c
        self.fault: ChipFault | None = None

    def settle(self, room_c: float) -> None:
        """Let the part stand in a room of `room_c` until its die follows."""
        self.room_c = room_c
        self._die_c, self._die_at_s = room_c + _SELF_HEATING_C, self._world.now_s()

    def word(self, command: int) -> int:
        """Return the 16-bit word that the part would send for a register, flag included."""
        if self.fault is not ChipFault.FROZEN:
            self._frozen.clear()
        elif command in self._frozen:
            return self._frozen[command]
        word = self._live_word(command)
        if self.fault is ChipFault.FROZEN:
            self._frozen[command] = word
        return word

    def _live_word(self, command: int) -> int:
        if command in self.eeprom:
            return self.eeprom[command]
        if self._world.now_s() < self._powered_at_s + _POWER_ON_S:
            return 0
        self._update()
        celsius = {_AMBIENT: self._die_c, _OBJECT: self._filtered_c}.get(command)
        if celsius is None:
            return 0
        shift_c = 0.6 * (self.supply_v - 3.0)
        word = round((celsius + shift_c + 273.15) / 0.02)
        return word | _ERROR_FLAG if self.fault is ChipFault.ERROR_FLAG else word

    def _update(self) -> None:
        """Run every update of the filter that fell due since the last read."""
        now_s = self._world.now_s()
        lag = 1 - math.exp(-(now_s - self._die_at_s) / _DIE_TIME_CONSTANT_S)
        self._die_c += (self.room_c + _SELF_HEATING_C - self._die_c) * lag
        self._die_at_s = now_s
        config = self.eeprom[_CONFIG]
        gain = _IIR_GAIN[config & 0b111]
        length = _FIR_LENGTH[config >> 8 & 0b111]
        noise_c = self._part.noise_c * math.sqrt(1024 / length)
        period_s = self._part.update_s[length]
        missed = math.floor((now_s - self._next_update_s) / period_s) + 1
        if missed > _MEMORY_UPDATES:
            self._next_update_s += (missed - _MEMORY_UPDATES) * period_s
        while self._next_update_s <= now_s:
            seen_c = self.scene(self._next_update_s) + self._random.gauss(0, noise_c)
            last_c = seen_c if self._filtered_c is None else self._filtered_c
            self._filtered_c = gain * seen_c + (1 - gain) * last_c
            self._next_update_s += period_s


class Message(Protocol):
    """The fields of `smbus2.i2c_msg` that a bus looks at."""

    addr: int
    flags: int
    len: int
    buf: list[bytes]


class SimulatedI2cBus:
    """What `smbus2.SMBus` is to the driver: one part on a bus of its own.

    `flip` is asked at every answer, with the number of the transfer (from 1), which of the 24
    bits on the wire a disturbance flips; None is none.
    """

    def __init__(self, chip: SimulatedMlx90614, *, world: World, address: int = 0x5A) -> None:
        self._chip = chip
        self._world = world
        self._address = address
        self._is_open = False
        self.transfers = 0
        self.flip: Callable[[int], int | None] = lambda _transfer: None

    def open(self) -> "SimulatedI2cBus":
        """Open the bus device, as `open_linux_bus` does."""
        self._is_open = True
        return self

    def close(self) -> None:
        """Close the bus; a transfer afterwards is EBADF."""
        self._is_open = False

    def i2c_rdwr(self, *messages: Message) -> None:
        """Run one transaction, as the kernel does: all messages or an OSError."""
        if not self._is_open:
            raise OSError(errno.EBADF, "Bad file descriptor")
        if any(message.flags & _M_READ for message in messages[:-1]):
            # i2c-bcm2835: one read a transaction, and the last of its messages.
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        self.transfers += 1
        fault = self._chip.fault
        if fault is ChipFault.STUCK_BUS:
            self._world.spend(_KERNEL_TIMEOUT_S)
            raise OSError(errno.ETIMEDOUT, "Connection timed out")
        on_wire = sum(1 + message.len for message in messages)
        self._world.spend(on_wire * 9 * _BIT_S)
        command: int | None = None
        for message in messages:
            if message.addr != self._address or fault is ChipFault.NACK:
                raise OSError(errno.EREMOTEIO, "Remote I/O error")
            if message.flags & _M_READ:
                self._answer(message, command)
            else:
                command = self._take(bytes(message.buf[i][0] for i in range(message.len)))

    def _take(self, data: bytes) -> int | None:
        """Accept what the host writes: a command, or an EEPROM word with its PEC (page 17)."""
        match list(data):
            case [command]:
                return command
            case [command, low, high, pec]:  # write word
                word = high << 8 | low
                good = pec == write_word_pec(self._address, command, word)
                if good and command in self._chip.eeprom:
                    self._chip.eeprom[command] = word
                    return None
            case _:
                pass
        # A Quick command (no byte), a byte too many, a wrong PEC: not acknowledged.
        raise OSError(errno.EREMOTEIO, "Remote I/O error")

    def _answer(self, message: Message, command: int | None) -> None:
        if command is None:  # Receive Byte: not in the part's protocol (page 18)
            raise OSError(errno.EREMOTEIO, "Remote I/O error")
        word = self._chip.word(command)
        pec = read_word_pec(self._address, command, word)
        answer = bytearray((word & 0xFF, word >> 8, pec))
        match self._chip.fault:
            case ChipFault.BAD_PEC:
                answer[2] ^= 0x01
            case ChipFault.ALL_ONES:
                answer[:] = b"\xff\xff\xff"
            case ChipFault.ALL_ZEROS:
                answer[:] = b"\x00\x00\x00"
            case _:
                pass
        bit = self.flip(self.transfers)
        if bit is not None:
            answer[bit // 8] ^= 0x80 >> bit % 8
        for index in range(message.len):
            # Past its last byte nobody drives the line: ones.
            message.buf[index] = bytes(answer[index : index + 1]) or b"\xff"
