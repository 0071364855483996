from hypothesis import given
from hypothesis import strategies as st

from gatepost_hal.pec import crc8, read_word_pec, write_word_pec


def bitwise_crc8(data):
    crc = 0
    for bit in (byte >> shift & 1 for byte in data for shift in range(7, -1, -1)):
        crc = (crc << 1 ^ (0x07 if (crc >> 7) ^ bit else 0)) & 0xFF
    return crc


def test_the_datasheets_read_example():  # page 20
    assert read_word_pec(0x5A, 0x07, 0x3AD2) == 0x30


def test_the_datasheets_write_example():  # page 20
    assert write_word_pec(0x5A, 0x22, 0xC807) == 0x48


def test_the_check_value_of_the_crc_catalogue():
    assert crc8(b"123456789") == 0xF4


@given(st.binary(max_size=64))
def test_the_table_agrees_with_the_definition(data):
    assert crc8(data) == bitwise_crc8(data)
