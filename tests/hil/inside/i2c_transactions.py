"""Run by pytest in the guest (see tests/hil/test_i2c_faults.py): the two MLX90614 that are played.

One is `gatepost_hal.simulated`, for everybody; the other a kernel module, below i2c-dev. The same
transactions must have the same outcome on both, but for what `DIFFERENT` names.
"""

import struct

import pytest
from smbus2 import i2c_msg

from gatepost_hal.mlx90614 import open_linux_bus
from gatepost_hal.parts import PARTS
from gatepost_hal.pec import write_word_pec
from gatepost_hal.simulated.mlx90614 import ChipFault, SimulatedI2cBus, SimulatedMlx90614
from gatepost_hal.simulated.world import World

from . import lane
from .i2c_faults import ADDRESS, BUS, NOTHING_WRONG, put

ID_CELLS = range(0x3C, 0x40)
FAULTS = {
    ChipFault.NACK: {"error": 121},
    ChipFault.STUCK_BUS: {"error": 110, "error_ms": 1000},
    ChipFault.ALL_ONES: {"stuck": 2},
    ChipFault.ALL_ZEROS: {"stuck": 1},
    ChipFault.ERROR_FLAG: {"flag": 1},
}
EREMOTEIO, EOPNOTSUPP = 121, 95


def written(cell, word, flip=0):
    pec = write_word_pec(ADDRESS, cell, word) ^ flip
    return i2c_msg.write(ADDRESS, [cell, word & 0xFF, word >> 8, pec])


def word(command, length=3, address=ADDRESS):
    return (i2c_msg.write(address, [command]), i2c_msg.read(address, length))


# Each is a list of transactions, which are tuples of messages.
SAME = {
    **{f"word 0x{command:02X}": [word(command)] for command in (0x06, 0x07, 0x1F)},
    **{f"cell 0x{cell:02X}": [word(cell)] for cell in range(0x20, 0x40)},
    **{f"{length} bytes": [word(0x07, length)] for length in (1, 2, 4, 8)},
    "another address": [word(0x07, address=0x29)],
    "a cell erased": [(written(0x24, 0),), word(0x24)],
    "a cell erased and written": [(written(0x24, 0),), (written(0x24, 0xF333),), word(0x24)],
    "a cell written over": [(written(0x24, 0xF333),), word(0x24)],
    "a cell of the identity erased": [(written(0x3C, 0),), word(0x3C)],
    "a cell that no customer may write": [(written(0x2F, 0),), (written(0x2F, 7),), word(0x2F)],
}
# Outside of what the driver does, and of what the datasheet says beyond doubt. Of the two
# outcomes, the first is the simulated part's.
DIFFERENT = {
    # Page 18: the part knows no Quick command; an address alone is acknowledged by many parts.
    "no byte at all": ([(i2c_msg.write(ADDRESS, []),)], [EREMOTEIO], [()]),
    # The module plays no i2c-bcm2835, which reads one message a transaction, the last.
    "two words at once": ([word(0x24) + word(0x24)], [EOPNOTSUPP], None),
    # Page 18: the part knows no Receive byte. The module answers with the last command's word.
    "a read without a command": ([(i2c_msg.read(ADDRESS, 3),)], [EREMOTEIO], None),
    # A part may refuse to acknowledge a byte after which the PEC cannot fit; the module never does.
    "a wrong PEC": ([(written(0x24, 0, flip=1),)], [EREMOTEIO], [()]),
    "half a word": ([(i2c_msg.write(ADDRESS, [0x24, 0]),)], [EREMOTEIO], [()]),
}


def outcomes(bus, transactions):
    """Return what each transaction reads, or the errno that it ends with."""
    seen = []
    for messages in transactions:
        try:
            bus.i2c_rdwr(*messages)
        except OSError as error:
            seen.append(error.errno)
        else:
            seen.append(tuple(bytes(message) for message in messages if message.flags & 1))
    return seen


@pytest.fixture
def world():
    return World()


@pytest.fixture
def simulated(world):
    part = SimulatedMlx90614(world, part=PARTS["DCC"]._replace(noise_c=0.0))
    part.scene = lambda _at_s: 34.5
    world.advance(1.0)
    return part


@pytest.fixture
def on_both(world, simulated):
    """Run transactions on the simulated part and on the module; both are as delivered."""
    lane.unload_sensor()
    lane.load_sensor()
    put(**NOTHING_WRONG)
    for register, command in (("object", 0x07), ("ambient", 0x06)):
        (lane.SENSOR / register).write_bytes(struct.pack("=H", simulated.word(command)))
    cells = struct.unpack("=32H", (lane.SENSOR / "eeprom").read_bytes())
    simulated.eeprom |= {cell: cells[cell & 0x1F] for cell in ID_CELLS}
    kernel_bus = open_linux_bus(BUS)
    bus = SimulatedI2cBus(simulated, world=world).open()
    yield lambda transactions: (outcomes(bus, transactions), outcomes(kernel_bus, transactions))
    kernel_bus.close()
    put(**NOTHING_WRONG)


@pytest.mark.parametrize("name", SAME)
def test_a_transaction_has_the_same_outcome_on_both(on_both, name):
    simulated, kernel = on_both(SAME[name])
    assert simulated == kernel


@pytest.mark.parametrize("command", [0x06, 0x07, 0x24], ids=hex)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.value)
def test_a_fault_has_the_same_bytes_or_errno_on_both(on_both, simulated, fault, command):
    simulated.fault = fault
    put(**FAULTS[fault])
    in_simulation, in_kernel = on_both([word(command), word(command, 5)])
    assert in_simulation == in_kernel


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_known_difference_is_still_one(on_both, name):
    transactions, in_simulation, in_kernel = DIFFERENT[name]
    simulated, kernel = on_both(transactions)
    assert simulated == in_simulation
    assert kernel != simulated
    assert in_kernel in (None, kernel)
