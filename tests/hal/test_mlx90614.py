import os
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smbus2 import i2c_msg

from gatepost_hal.mlx90614 import BusError, CheckedBus, Mlx90614, open_linux_bus
from gatepost_hal.pec import read_word_pec
from gatepost_hal.ports import Chip, Reading, SensorFault, SensorFaultKind
from gatepost_hal.simulated.mlx90614 import ChipFault, SimulatedI2cBus, SimulatedMlx90614
from gatepost_hal.simulated.world import World

ADDRESS = 0x5A
READS = 2  # ambient and object, one transfer each
IDENTITY = (0x3C, 0x3D, 0x3E, 0x3F, 0x24, 0x25)  # number, emissivity, configuration
UNSEEN_S = 0.5


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


@pytest.fixture
def commands(bus, monkeypatch):
    """Whatever is written on the bus, as it is written."""
    written = []
    transfer = bus.i2c_rdwr

    def spy(*messages):
        written.extend(bytes(message) for message in messages if not message.flags)
        transfer(*messages)

    monkeypatch.setattr(bus, "i2c_rdwr", spy)
    return written


def test_the_driver_never_writes_to_the_sensor(thermometer, commands):
    thermometer.measure()
    # Commands alone: no probe, no data.
    assert commands == [bytes([command]) for command in (0x06, 0x07, *IDENTITY)]


def test_the_identity_is_asked_for_when_nobody_looked_for_half_a_second(
    thermometer, commands, world
):
    thermometer.measure()
    commands.clear()
    for _ in range(35):
        world.advance(0.28)
        thermometer.measure()
    assert commands == [b"\x06", b"\x07"] * 35
    commands.clear()
    world.advance(0.5)
    thermometer.measure()
    assert commands == [bytes([command]) for command in (0x06, 0x07, *IDENTITY)]


def test_the_identity_is_asked_for_every_10_seconds_of_continuous_reading(
    thermometer, commands, world
):
    for _ in range(72):  # 20 s
        thermometer.measure()
        world.advance(0.28)
    assert commands.count(b"\x3c") == 2


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


# --------------------------------------------------------------------------------------- identity


def identify(chip, words):
    """Give the chip another number."""
    for cell, word in zip(IDENTITY, words, strict=False):
        chip.eeprom[cell] = word


def test_a_reading_says_which_chip_it_is_from(thermometer, chip):
    identify(chip, (0x0123, 0x4567, 0x89AB, 0xCDEF))
    assert thermometer.measure().chip == Chip("0123456789abcdef", 1.0, 0x9FB4)


def test_a_reading_says_what_the_emissivity_and_configuration_cells_hold(thermometer, chip):
    chip.eeprom[0x24], chip.eeprom[0x25] = 0xF999, 0x9FB1
    seen = thermometer.measure().chip
    assert (round(seen.emissivity, 3), seen.config) == (0.975, 0x9FB1)


@pytest.mark.parametrize(
    ("cell", "word"), [(0x3C, 0x1111), (0x3F, 0x1111), (0x24, 0xE666), (0x25, 0x9FB1)]
)
def test_a_chip_that_became_another_is_seen_after_half_a_second(
    thermometer, chip, world, cell, word
):
    first = thermometer.measure().chip
    chip.eeprom[cell] = word
    world.advance(0.4)
    assert thermometer.measure().chip == first
    world.advance(0.6)
    assert thermometer.measure().chip != first


def test_a_chip_that_was_swapped_while_unplugged_is_seen_at_once(thermometer, chip, world):
    first = thermometer.measure().chip
    chip.fault = ChipFault.NACK
    world.advance(0.28)
    thermometer.measure()
    chip.fault = None
    identify(chip, (1, 2, 3, 4))
    world.advance(0.28)
    seen = thermometer.measure().chip
    assert seen != first
    assert seen.sensor_id == "0001000200030004"


def test_an_eeprom_word_with_bit_15_set_is_not_flagged(thermometer, chip):
    identify(chip, (0x8000, 0xFFFF, 0xFFFE, 0x8001))
    assert thermometer.measure().chip.sensor_id == "8000fffffffe8001"


def test_a_flag_of_the_part_is_not_one_of_its_cells(thermometer, chip):
    chip.fault = ChipFault.ERROR_FLAG
    assert thermometer.measure().kind is SensorFaultKind.FLAGGED


@pytest.mark.parametrize("word", range(len(IDENTITY)))
def test_an_identity_that_stays_disturbed_is_a_fault_and_no_reading(thermometer, bus, word):
    bus.flip = lambda transfer: 5 if transfer > READS + word else None
    fault = thermometer.measure()
    assert isinstance(fault, SensorFault)
    assert fault.kind is SensorFaultKind.BAD_PEC


def test_an_old_identity_does_not_stand_in_for_a_disturbed_one(thermometer, bus, world):
    thermometer.measure()
    world.advance(UNSEEN_S)
    first = bus.transfers
    bus.flip = lambda transfer: 5 if transfer > first + READS else None
    assert isinstance(thermometer.measure(), SensorFault)
    bus.flip = lambda _transfer: None
    assert isinstance(thermometer.measure(), Reading)


def test_every_transfer_that_was_repeated_is_counted_in_its_own_reading(thermometer, bus):
    assert thermometer.measure().repeats == 0
    first = bus.transfers
    # The first word is hit twice, the second once.
    bus.flip = lambda transfer: 7 if transfer - first in (1, 2, 4) else None
    assert thermometer.measure().repeats == 3
    assert thermometer.measure().repeats == 0


def test_a_repeat_within_the_identity_is_counted(thermometer, bus):
    bus.flip = lambda transfer: 7 if transfer == READS + 1 else None
    assert thermometer.measure().repeats == 1


def test_board_is_never_imported():
    # On a Pi, Blinka's `board` asks on the terminal whether it may run pip, and blocks.
    code = "import sys, gatepost_hal.mlx90614; sys.exit('board' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_bus_that_another_process_reads_is_refused_with_the_remedy(monkeypatch, tmp_path):
    device = tmp_path / "i2c-3"
    device.touch()

    class Bus:
        def __init__(self, number):
            self.number = number
            self.fd = os.open(device, os.O_RDWR)

        def close(self):
            os.close(self.fd)

    monkeypatch.setattr("gatepost_hal.mlx90614.SMBus", Bus)
    # A second description of the same file is to flock() what a second process is.
    first = open_linux_bus(3)
    with pytest.raises(BlockingIOError, match="systemctl stop gatepost-gate"):
        open_linux_bus(3)
    first.close()
    open_linux_bus(3).close()
