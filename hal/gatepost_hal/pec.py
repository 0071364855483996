"""The SMBus packet error code: CRC-8, x^8 + x^2 + x + 1, initial value 0, MSB first.

SMBus 3.1 section 6.4.1.1; MLX90614 datasheet 3901090614 rev 13, pages 19 and 20.
"""

_POLYNOMIAL = 0x07


def _crc8_of_byte(byte: int) -> int:
    for _ in range(8):
        byte = ((byte << 1) ^ _POLYNOMIAL) & 0xFF if byte & 0x80 else byte << 1
    return byte


_TABLE = bytes(_crc8_of_byte(byte) for byte in range(256))


def crc8(data: bytes) -> int:
    """Return the CRC-8 of `data`, 0 to 255."""
    crc = 0
    for byte in data:
        crc = _TABLE[crc ^ byte]
    return crc


def read_word_pec(address: int, command: int, word: int) -> int:
    """Return the PEC that a device at 7-bit `address` sends after `word` (read-word protocol).

    It covers every byte between START and PEC: address + write, command, address + read, low
    byte, high byte (datasheet page 19).
    """
    low, high = word & 0xFF, word >> 8
    return crc8(bytes((address << 1, command, address << 1 | 1, low, high)))


def write_word_pec(address: int, command: int, word: int) -> int:
    """Return the PEC that the host appends to a write-word of `word` (datasheet page 20)."""
    return crc8(bytes((address << 1, command, word & 0xFF, word >> 8)))
