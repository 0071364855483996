"""A card reader on two data lines, at the level of the kernel's records of their edges."""

from collections.abc import Sequence
from functools import partial

from gatepost_hal.ports import Direction
from gatepost_hal.readers.wiegand import LINE_EVENT, Bits, WiegandDecoder
from gatepost_hal.simulated.plugged import PluggedDevice
from gatepost_hal.simulated.world import SimulatedMailbox, World

D0, D1 = 20, 21
# What readers send; SIA AC-01 lets them send 20 to 100 us, every 200 us to 20 ms.
PULSE_S = 0.000_05
PERIOD_S = 0.001
# Two frames are further apart than any two pulses of one.
PAUSE_S = 0.05
_BUFFERED = 256
_FALLING = 2
_NS_PER_S = 1_000_000_000


def frame(bits: Bits, facility: int, card: int) -> list[int]:
    """Return the bits of a card as they are sent: even parity, facility, card, odd parity.

    Args:
        bits: 26 or 34.
        facility: of 8 bits, or of 16.
        card: of 16 bits.
    """
    data = [int(digit) for digit in f"{facility:0{bits - 18}b}{card:016b}"]
    half = len(data) // 2
    return [sum(data[:half]) % 2, *data, 1 - sum(data[half:]) % 2]


class EdgeRecords:
    """What the kernel's GPIO device says of falling edges on two lines of one request."""

    def __init__(self) -> None:
        self._number = 0
        self._numbers = {D0: 0, D1: 0}

    def fall(self, bit: int, at_s: float) -> bytes:
        """Return the record of the start of a pulse."""
        line = D1 if bit else D0
        self._number += 1
        self._numbers[line] += 1
        return LINE_EVENT.pack(
            round(at_s * _NS_PER_S), _FALLING, line, self._number, self._numbers[line]
        )


class SimulatedWiegand(PluggedDevice):
    """A card reader and its two wires. Unplugged, for the kernel, is a chip that is not there.

    Args:
        bits: of its frames.
        world: the time in which it happens.
        mailbox: takes the events.
        direction: the way that the reader stands for.
        plugged: whether the chip is there at the start.
    """

    def __init__(
        self,
        *,
        world: World,
        mailbox: SimulatedMailbox,
        bits: Bits = 26,
        direction: Direction = Direction.ENTRY,
        plugged: bool = True,
    ) -> None:
        self._bits: Bits = bits
        self._kernel = EdgeRecords()
        super().__init__(
            f"lines {D0} and {D1}",
            partial(self._opened_decoder, direction),
            buffered=_BUFFERED,
            world=world,
            mailbox=mailbox,
            direction=direction,
            plugged=plugged,
        )

    def scan(self, facility: int, card: int) -> None:
        """Send one card, after what is being sent."""
        self.send(frame(self._bits, facility, card))

    def send(self, bits: Sequence[int], *, period_s: float = PERIOD_S) -> None:
        """Send these pulses, and pause."""
        self._play([partial(self._fall, bit) for bit in bits], period_s, PAUSE_S)

    def _fall(self, bit: int) -> None:
        self._send([self._kernel.fall(bit, self._world.now_s())])

    def _overflow(self, records: list[bytes]) -> list[bytes]:
        """Drop the oldest record, as the GPIO device does."""
        return records[1:]

    def _opened_decoder(self, direction: Direction) -> WiegandDecoder:
        self._kernel = EdgeRecords()  # each request counts its edges from 1
        return WiegandDecoder(self._bits, d1=D1, direction=direction)
