import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smbus2 import i2c_msg

from gatepost_hal.mlx90614 import BusError, CheckedBus, Mlx90614
from gatepost_hal.pec import read_word_pec
from gatepost_hal.ports import Reading, SensorFault, SensorFaultKind
from gatepost_hal.simulated.mlx90614 import ChipFault, SimulatedI2cBus, SimulatedMlx90614
from gatepost_hal.simulated.world import World

ADDRESS = 0x5A
READS = 2  # ambient and object, one transfer each


class WordBus:
    """A bus that answers every read with the same three bytes."""

    def __init__(self, answer):
        self.answer = answer
        self.written = []

    def i2c_rdwr(self, write, read):
        self.written.append(bytes(write))
        for index, byte in enumerate(self.answer):
            read.buf[index] = bytes((byte,))

    def close(self):
        pass


def checked(bus, world=None, deadline_s=0.1):
    world = world or World()
    return CheckedBus(bus, clock=world, pause=world.spend, deadline_s=deadline_s)


def answer_of(word, command=0x07):
    return word & 0xFF, word >> 8, read_word_pec(ADDRESS, command, word)


@pytest.fixture
def world():
    return World()


@pytest.fixture
def chip(world):
    chip = SimulatedMlx90614(world, seed=3)
    chip.scene = lambda _at_s: 34.5
    world.advance(1.0)
    return chip


@pytest.fixture
def bus(chip, world):
    return SimulatedI2cBus(chip, world=world)


@pytest.fixture
def thermometer(bus, world):
    return Mlx90614(bus.open, clock=world, pause=world.spend)


def test_the_datasheets_word_is_its_temperature():
    bus = WordBus((0xD2, 0x3A, 0x30))  # page 20
    assert checked(bus).read_word(ADDRESS, 0x07) == 0x3AD2
    assert bus.written == [b"\x07"]


@pytest.mark.parametrize(
    ("command", "word"),
    [(0x07, 0x27AC), (0x07, 0x0000), (0x06, 0x2DE3), (0x06, 0x4DC5), (0x06, 0x0000)],
)
def test_a_word_that_the_part_cannot_send_is_refused(command, word):
    with pytest.raises(BusError) as failure:
        checked(WordBus(answer_of(word, command))).read_word(ADDRESS, command)
    assert failure.value.kind is SensorFaultKind.IMPOSSIBLE_WORD


@pytest.mark.parametrize(
    ("command", "word"),
    [(0x07, 0x27AD), (0x07, 0x7FFF), (0x06, 0x2DE4), (0x06, 0x4DC4)],
)
def test_the_ends_of_the_range_are_possible(command, word):
    assert checked(WordBus(answer_of(word, command))).read_word(ADDRESS, command) == word


@given(st.integers(0x8000, 0xFFFF))
def test_a_flagged_word_is_refused_and_not_asked_for_again(word):
    bus = WordBus(answer_of(word))
    with pytest.raises(BusError) as failure:
        checked(bus).read_word(ADDRESS, 0x07)
    assert failure.value.kind is SensorFaultKind.FLAGGED
    assert len(bus.written) == 1


@given(st.binary(min_size=3, max_size=3))
def test_whatever_the_bytes_only_a_good_pec_yields_a_word(answer):
    low, high, pec = answer
    word = high << 8 | low
    good = pec == read_word_pec(ADDRESS, 0x07, word) and 0x27AD <= word <= 0x7FFF
    try:
        result = checked(WordBus(answer)).read_word(ADDRESS, 0x07)
    except BusError:
        result = None
    assert result == (word if good else None)


def test_no_single_flipped_bit_becomes_a_temperature(thermometer, bus):
    true = thermometer.measure()
    assert isinstance(true, Reading)
    bus_transfers = bus.transfers
    for bit in range(24):
        bus.flip = lambda _transfer, bit=bit: bit
        sample = thermometer.measure()
        assert isinstance(sample, SensorFault)
        assert sample.kind is SensorFaultKind.BAD_PEC
    assert bus.transfers == bus_transfers + 24 * 3  # each word was asked for three times


@pytest.mark.parametrize("read", range(1, READS + 1))
@pytest.mark.parametrize("bit", range(24))
def test_one_disturbed_transfer_is_repeated_and_changes_nothing(thermometer, bus, chip, read, bit):
    thermometer.measure()
    first = bus.transfers
    chip.fault = ChipFault.FROZEN  # so that a repeat must give the very same words
    true = thermometer.measure()
    first = bus.transfers
    bus.flip = lambda transfer: bit if transfer == first + read else None
    sample = thermometer.measure()
    assert (sample.object_c, sample.ambient_c) == (true.object_c, true.ambient_c)
    assert bus.transfers == first + READS + 1


def test_no_attempt_begins_after_the_deadline(chip, bus, world):
    chip.fault = ChipFault.STUCK_BUS
    with pytest.raises(BusError) as failure:
        checked(bus.open(), world, deadline_s=0.1).read_word(ADDRESS, 0x07)
    assert failure.value.kind is SensorFaultKind.TIMEOUT
    assert bus.transfers == 1  # the kernel's one second is over the deadline already


def test_a_bus_that_another_thread_holds_is_a_timeout_not_a_hang():
    bus = checked(WordBus((0, 0, 0)), deadline_s=0.01)
    held = threading.Thread(target=bus.try_lock)
    held.start()
    held.join()
    with pytest.raises(BusError) as failure:
        bus.try_lock()
    assert failure.value.kind is SensorFaultKind.TIMEOUT


def test_the_driver_never_writes_to_the_sensor(thermometer, bus, monkeypatch):
    written = []
    transfer = bus.i2c_rdwr

    def spy(*messages):
        written.extend(bytes(message) for message in messages if not message.flags)
        transfer(*messages)

    monkeypatch.setattr(bus, "i2c_rdwr", spy)
    thermometer.measure()
    assert written == [b"\x06", b"\x07"]  # commands alone: no probe, no data


def test_writing_anything_is_refused():
    with pytest.raises(BusError, match="refused to write"):
        checked(WordBus((0, 0, 0))).writeto(ADDRESS, b"\x24\x00\x00\x00")


def test_a_bus_that_cannot_be_opened_is_a_fault_and_is_tried_again(world, bus):
    attempts = []

    def open_bus():
        attempts.append(world.now_s())
        if len(attempts) < 3:
            raise FileNotFoundError(2, "No such file or directory", "/dev/i2c-3")
        return bus.open()

    thermometer = Mlx90614(open_bus, clock=world, pause=world.spend)
    kinds = [thermometer.measure() for _ in range(2)]
    assert [fault.kind for fault in kinds] == [SensorFaultKind.ABSENT] * 2
    assert "/dev/i2c-3" in kinds[0].detail
    assert isinstance(thermometer.measure(), Reading)


def test_a_bus_without_permission_is_a_fault(world):
    def open_bus():
        raise PermissionError(13, "Permission denied", "/dev/i2c-3")

    fault = Mlx90614(open_bus, clock=world, pause=world.spend).measure()
    assert fault.kind is SensorFaultKind.BUS_ERROR
    assert "Permission denied" in fault.detail


def test_a_replugged_adapter_is_opened_anew(thermometer, bus, chip):
    thermometer.measure()
    chip.fault = ChipFault.NACK
    thermometer.measure()
    with pytest.raises(OSError, match="Bad file descriptor"):
        bus.i2c_rdwr(i2c_msg.write(ADDRESS, [0x07]), i2c_msg.read(ADDRESS, 3))
    chip.fault = None
    assert isinstance(thermometer.measure(), Reading)


def test_board_is_never_imported():
    # On a Pi, Blinka's `board` asks on the terminal whether it may run pip, and blocks.
    code = "import sys, gatepost_hal.mlx90614; sys.exit('board' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
