"""The 40-pin header: where each BCM line is, what it does at power-on, and who else wants it.

The same on every Pi that has 40 pins. A test compares it with gpiozero's own table.
"""

from collections.abc import Mapping
from types import MappingProxyType

# BCM line -> pin of the header.
PINS: Mapping[int, int] = MappingProxyType(
    {
        0: 27, 1: 28, 2: 3, 3: 5, 4: 7, 5: 29, 6: 31, 7: 26, 8: 24, 9: 21, 10: 19, 11: 23, 12: 32,
        13: 33, 14: 8, 15: 10, 16: 36, 17: 11, 18: 12, 19: 35, 20: 38, 21: 40, 22: 15, 23: 16,
        24: 18, 25: 22, 26: 37, 27: 13,
    }
)  # fmt: skip
GROUND = (6, 9, 14, 20, 25, 30, 34, 39)
SUPPLY_3V3 = (1, 17)
SUPPLY_5V = (2, 4)

# Lines 0 to 8 are pulled up from power-on until somebody claims them, the others down (BCM2835
# ARM Peripherals, table 6-31).
LAST_PULLED_UP = 8
# These have pull-ups to 3.3 V on the board, for ever.
FIXED_PULL_UPS = frozenset({2, 3})

# Buses that a common setting of config.txt gives these lines to, away from the gate.
_SHARED = {
    **dict.fromkeys((2, 3), "I2C 1 (dtparam=i2c_arm=on)"),
    **dict.fromkeys((4,), "1-wire (dtoverlay=w1-gpio)"),
    **dict.fromkeys((7, 8, 9, 10, 11), "SPI 0 (dtparam=spi=on)"),
    **dict.fromkeys((14, 15), "the UART (enable_uart=1, a serial console)"),
    **dict.fromkeys((18, 19, 20, 21), "I2S sound (dtparam=i2s=on, sound HATs)"),
}


def is_pulled_up(line: int) -> bool:
    """Return whether a line is pulled up from power-on until a program claims it."""
    return line <= LAST_PULLED_UP


def shared_with(line: int) -> str | None:
    """Return the bus that would take the line away, with what switches it on, or None."""
    return _SHARED.get(line)
