"""The cells of the simulated MLX90614: what may be written, and how."""

import pytest
from smbus2 import i2c_msg

from gatepost_hal.pec import write_word_pec
from gatepost_hal.simulated.mlx90614 import SimulatedI2cBus, SimulatedMlx90614
from gatepost_hal.simulated.world import World

ADDRESS, CONFIG, OBJECT = 0x5A, 0x25, 0x07


@pytest.fixture
def bus():
    world = World()
    chip = SimulatedMlx90614(world, seed=1)
    world.advance(10.0)
    return SimulatedI2cBus(chip, world=world).open()


def read(bus, command):
    answer = i2c_msg.read(ADDRESS, 3)
    bus.i2c_rdwr(i2c_msg.write(ADDRESS, [command]), answer)
    low, high, _pec = bytes(answer)
    return high << 8 | low


def write(bus, cell, word, flip=0):
    pec = write_word_pec(ADDRESS, cell, word) ^ flip
    bus.i2c_rdwr(i2c_msg.write(ADDRESS, [cell, word & 0xFF, word >> 8, pec]))


def test_a_write_needs_its_pec(bus):
    with pytest.raises(OSError, match="Remote I/O"):
        write(bus, CONFIG, 0, flip=1)
    assert read(bus, CONFIG) == 0x9FB4
    write(bus, CONFIG, 0)
    assert read(bus, CONFIG) == 0


def test_a_cell_takes_a_word_only_after_it_was_erased(bus):  # page 17
    write(bus, CONFIG, 0x9FB1)
    assert read(bus, CONFIG) == 0x9FB4
    write(bus, CONFIG, 0)
    assert read(bus, OBJECT) > 0x27AD  # it measures on, with the shortest of its filters
    write(bus, CONFIG, 0x9FB1)
    assert read(bus, CONFIG) == 0x9FB1


@pytest.mark.parametrize("cell", [0x26, 0x2F, 0x3C, 0x3F], ids=hex)
def test_what_a_customer_may_not_write_stays_as_it_was(bus, cell):  # page 16
    before = read(bus, cell)
    write(bus, cell, 0)
    write(bus, cell, 0x1234)
    assert read(bus, cell) == before
