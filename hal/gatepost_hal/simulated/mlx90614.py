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

from gatepost_hal.parts import PARTS, Part
from gatepost_hal.pec import read_word_pec, write_word_pec
from gatepost_hal.simulated.scenes import celsius_of, radiance
from gatepost_hal.simulated.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatepost_hal.simulated.scenes import Scene

DCC, BAA = PARTS["DCC"], PARTS["BAA"]

_AMBIENT, _OBJECT = 0x06, 0x07
_EEPROM = 0x20  # opcode of cell 0, page 17
_EMISSIVITY = _EEPROM | 0x04
_CONFIG = _EEPROM | 0x05
# Configuration 1: FIR 1024 in bits 10 to 8, IIR 100 % in bits 2 to 0.
_CONFIG_FACTORY = 0x9FB4
# As delivered, the identity apart: what a customer may write, and nothing else (page 16).
_DELIVERED = {
    _EEPROM | 0x00: 0x9993,
    _EEPROM | 0x01: 0x62E3,
    _EEPROM | 0x02: 0x0201,
    _EEPROM | 0x03: 0xF71C,
    _EMISSIVITY: 0xFFFF,
    _CONFIG: _CONFIG_FACTORY,
    _EEPROM | 0x0E: 0xBE5A,
}
_ERROR_FLAG = 0x8000
# What the registers can hold, flag aside (page 30).
_LEAST_AND_MOST = {_AMBIENT: (0x2DE4, 0x4DC4), _OBJECT: (0x27AD, 0x7FFF)}

_IIR_GAIN = {4: 1.0, 5: 0.8, 6: 2 / 3, 7: 4 / 7, 0: 0.5, 1: 0.25, 2: 1 / 6, 3: 0.125}  # page 15
_FIR_LENGTH = {code: 8 << code for code in range(8)}
# Seconds between two results with a shorter FIR than the factory's 1024, by the letter of the code
# that names the kind: single zone, dual zone, gradient compensated.
_XA_S, _XC_S = {128: 0.029, 256: 0.037, 512: 0.054}, {128: 0.047, 256: 0.058, 512: 0.084}
_SHORT_UPDATE_S = {"A": _XA_S, "B": _XC_S, "C": _XC_S}
# What a die that warms by 1 C a minute adds to the object temperature. There is no public figure:
# the datasheet only says that the C kind measures and compensates gradients, and not totally.
_GRADIENT_MIN = {"A": 0.3, "B": 0.3, "C": 0.03}
# After this many updates even the slowest filter has forgotten what was before.
_MEMORY_UPDATES = 100

_POWER_ON_S = 0.25  # page 11: nothing valid before
_SELF_HEATING_C = 0.4
_DIE_TIME_CONSTANT_S = 420.0  # no public figure; between 5 and 10 minutes

_BIT_S = 1 / 80_000  # one bit on the wire
_KERNEL_TIMEOUT_S = 1.0  # what a stuck bus costs: the adapter's default time-out
_STORM_SHARE = 0.5  # of the answers that a storm hits
_ANSWER_BITS = 24

_M_READ = 0x0001  # I2C_M_RD of linux/i2c.h


class ChipFault(Enum):
    """What a part or its wiring can do wrong, as seen in the field (facts: sensor, 2.6)."""

    NACK = "nack"  # unplugged or unpowered
    STUCK_BUS = "stuck_bus"  # SDA or SCL held low: the kernel waits, then gives up
    BAD_PEC = "bad_pec"  # every transfer is disturbed
    PEC_STORM = "pec_storm"  # every other transfer is disturbed, by chance
    ALL_ONES = "all_ones"  # nothing drives SDA; read without PEC this is 1037.55 C
    ALL_ZEROS = "all_zeros"  # SDA shorted while SCL works
    ERROR_FLAG = "error_flag"  # the part reports that it cannot measure
    FROZEN = "frozen"  # the last result before the fault for ever, with a good PEC


@dataclass(frozen=True, slots=True)
class _Die:
    """A die that goes from `start_c` to `end_c` with a first-order lag."""

    start_c: float
    end_c: float
    since_s: float

    def celsius(self, at_s: float) -> float:
        passed = (at_s - self.since_s) / _DIE_TIME_CONSTANT_S
        return self.end_c + (self.start_c - self.end_c) * math.exp(-passed)

    def rate_c_per_min(self, at_s: float) -> float:
        return (self.end_c - self.celsius(at_s)) / _DIE_TIME_CONSTANT_S * 60


class SimulatedMlx90614:
    """The part: measures `scene` and its own die, filters, and answers register reads.

    Args:
        world: the clock.
        seed: of the noise, and of the part's identity unless `identity` is given.
        part: which ordering code; one whose factory filters are FIR 1024 and IIR 100 %.
        room_c: temperature around the die, which has been powered there for long.
        supply_v: 0.6 C/V beside 3.0 V shifts both temperatures (page 36).
        identity: a seed of its own: the same part, whatever its noise.

    `drift_c` is how far off an aged part reads the object, `eeprom` its cells by opcode.

    Raises:
        ValueError: the part filters at the factory already; how is not published for each.
    """

    def __init__(
        self,
        world: World,
        *,
        seed: int = 0,
        part: Part = DCC,
        room_c: float = 24.0,
        supply_v: float = 3.0,
        identity: int | None = None,
    ) -> None:
        if part.settling_s > 2 * part.update_s:
            raise ValueError(f"{part.code}: its factory filters are not known")
        self._world = world
        self._random = random.Random(seed)  # noqa: S311 - noise, not a secret
        self.part = part
        self._powered_at_s = world.now_s()
        self._next_update_s = self._powered_at_s
        self._filtered_c: float | None = None
        self._fault: ChipFault | None = None
        self._frozen: dict[int, int] = {}
        cells = [self._random.getrandbits(16) for _ in range(4)]
        if identity is not None:
            named = random.Random(identity)  # noqa: S311 - a name
            cells = [named.getrandbits(16) for _ in range(4)]
        self.eeprom = _DELIVERED | {_EEPROM | 0x1C | i: cell for i, cell in enumerate(cells)}
        self._room_c = room_c
        self._die = _Die(room_c + _SELF_HEATING_C, room_c + _SELF_HEATING_C, world.now_s())
        self.supply_v = supply_v
        self.drift_c = 0.0
        self._scene: Scene = lambda _at_s: self._room_c

    # Scene, room and fault are properties because a change of one of them must not reach back: what
    # fell due before it is converted as things were then.

    @property
    def scene(self) -> "Scene":
        """What the lens sees: the apparent temperature in C (emissivity 1) at an instant."""
        return self._scene

    @scene.setter
    def scene(self, scene: "Scene") -> None:
        self._update()
        self._scene = scene

    @property
    def room_c(self) -> float:
        """The temperature around the die, which follows it slowly."""
        return self._room_c

    @room_c.setter
    def room_c(self, room_c: float) -> None:
        self._update()
        now_s = self._world.now_s()
        self._room_c = room_c
        self._die = _Die(self._die.celsius(now_s), room_c + _SELF_HEATING_C, now_s)

    @property
    def fault(self) -> ChipFault | None:
        """What is wrong with the part or its wiring; None is nothing."""
        return self._fault

    @fault.setter
    def fault(self, fault: ChipFault | None) -> None:
        if fault is ChipFault.FROZEN and self._fault is not fault:
            self._frozen = {command: self._ram_word(command) for command in (_AMBIENT, _OBJECT)}
        self._fault = fault

    def settle(self, room_c: float) -> None:
        """Let the part stand in a room of `room_c` until its die follows."""
        self.room_c = room_c
        end_c = room_c + _SELF_HEATING_C
        self._die = _Die(end_c, end_c, self._world.now_s())

    def power_cycle(self) -> None:
        """Switch the part on after it was off for long: 0.25 s of nothing valid, a cold die."""
        self._powered_at_s = self._next_update_s = self._world.now_s()
        self._filtered_c = None
        self._die = _Die(self._room_c, self._room_c + _SELF_HEATING_C, self._powered_at_s)

    def write(self, command: int, word: int) -> None:
        """Take a word with a good PEC for a cell: a writable one, erased (written 0) before."""
        if command in _DELIVERED and not (word and self.eeprom[command]):
            self.eeprom[command] = word

    def word(self, command: int) -> int:
        """Return the 16-bit word that the part would send for a register, flag included."""
        if self._world.now_s() < self._powered_at_s + _POWER_ON_S:
            return 0
        if command in self.eeprom:
            return self.eeprom[command]
        if self._fault is ChipFault.FROZEN:
            return self._frozen.get(command, 0)
        word = self._ram_word(command)
        return word | _ERROR_FLAG if self._fault is ChipFault.ERROR_FLAG else word

    def _ram_word(self, command: int) -> int:
        self._update()
        if command == _AMBIENT:
            celsius = self._die.celsius(self._world.now_s())
        elif command == _OBJECT and self._filtered_c is not None:
            celsius = self._filtered_c + self.drift_c
        else:
            return 0
        shift_c = 0.6 * (self.supply_v - 3.0)
        least, most = _LEAST_AND_MOST[command]
        return min(max(round((celsius + shift_c + 273.15) / 0.02), least), most)

    def _update(self) -> None:
        """Run every update of the filter that fell due since the last one."""
        now_s = self._world.now_s()
        config = self.eeprom[_CONFIG]
        gain = _IIR_GAIN[config & 0b111]
        length = _FIR_LENGTH[config >> 8 & 0b111]
        noise_c = self.part.noise_c * math.sqrt(1024 / length)
        period_s = _SHORT_UPDATE_S[self.part.code[1]].get(length, self.part.update_s)
        missed = math.floor((now_s - self._next_update_s) / period_s) + 1
        if missed > _MEMORY_UPDATES:
            self._next_update_s += (missed - _MEMORY_UPDATES) * period_s
        while self._next_update_s <= now_s:
            result_c = self._converted_c(self._next_update_s, noise_c)
            last_c = result_c if self._filtered_c is None else self._filtered_c
            self._filtered_c = gain * result_c + (1 - gain) * last_c
            self._next_update_s += period_s

    def _converted_c(self, at_s: float, noise_c: float) -> float:
        """Return one result, before the filter.

        The thermopile's signal is that of lens and die; the part divides it by the emissivity that
        its cell holds, and knows nothing of what a real surface reflects.
        """
        signal_c = self._scene(at_s) + self._random.gauss(0, noise_c)
        emissivity = max(self.eeprom[_EMISSIVITY], 1) / 0xFFFF
        die = radiance(self._die.celsius(at_s))
        object_c = celsius_of((radiance(signal_c) - die) / emissivity + die)
        gradient_min = _GRADIENT_MIN[self.part.code[1]]
        return object_c + gradient_min * self._die.rate_c_per_min(at_s)


class Message(Protocol):
    """The fields of `smbus2.i2c_msg` that a bus looks at."""

    addr: int
    flags: int
    len: int
    buf: list[bytes]


class SimulatedI2cBus:
    """What `smbus2.SMBus` is to the driver: one part on a bus of its own.

    `flip` is asked at every answer, with the number of the transfer (from 1), which of the 24
    bits on the wire a disturbance flips; None is none. `seed` is that of `ChipFault.PEC_STORM`.
    """

    def __init__(
        self, chip: SimulatedMlx90614, *, world: World, address: int = 0x5A, seed: int = 0
    ) -> None:
        self._chip = chip
        # Of its own, so that a storm leaves the part's noise as it is.
        self._storm = random.Random(seed)  # noqa: S311 - a disturbance, not a secret
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
                if pec == write_word_pec(self._address, command, word):
                    self._chip.write(command, word)
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
            case ChipFault.PEC_STORM if self._storm.random() < _STORM_SHARE:
                _flip(answer, self._storm.randrange(_ANSWER_BITS))
            case ChipFault.ALL_ONES:
                answer[:] = b"\xff\xff\xff"
            case ChipFault.ALL_ZEROS:
                answer[:] = b"\x00\x00\x00"
            case _:
                pass
        bit = self.flip(self.transfers)
        if bit is not None:
            _flip(answer, bit)
        beyond = b"\x00" if self._chip.fault is ChipFault.ALL_ZEROS else b"\xff"
        for index in range(message.len):
            # Past its last byte nobody drives the line: ones, but for a short.
            message.buf[index] = bytes(answer[index : index + 1]) or beyond


def _flip(answer: bytearray, bit: int) -> None:
    answer[bit // 8] ^= 0x80 >> bit % 8
