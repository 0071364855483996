"""Run by pytest in the guest (see tests/hil/test_i2c_faults.py): all that an I2C bus can do wrong.

Beneath smbus2 and the driver are the kernel's own i2c-dev and i2c-core, as on a Pi.
"""

import errno
import os
import struct
import subprocess
import time
from contextlib import closing
from functools import partial
from threading import Event

import pytest
from smbus2 import SMBus, i2c_msg

from gatepost_hal.mlx90614 import Mlx90614, open_linux_bus
from gatepost_hal.ports import Reading, SensorFault, SensorFaultKind
from gatepost_hal.system import SystemClock

from . import lane

BUS, ADDRESS, OBJECT = 3, 0x5A, 0x07
EMISSIVITY, ID = 0x24, 0x3C
NOTHING_WRONG = {"error": 0, "error_ms": 0, "bad_pec": 0, "stuck": 0, "flag": 0}


def put(**values):
    for name, value in values.items():
        (lane.SENSOR / name).write_text(str(value))


def count(name):
    return int((lane.SENSOR / name).read_text())


def cell(opcode):
    return struct.unpack("=32H", (lane.SENSOR / "eeprom").read_bytes())[opcode & 0x1F]


@pytest.fixture(autouse=True)
def _sound_part():
    lane.show(34.5)
    put(**NOTHING_WRONG)
    yield
    put(**NOTHING_WRONG)


@pytest.fixture
def make_thermometer():
    made = []

    def make(**keywords):
        bus = partial(open_linux_bus, BUS)
        made.append(Mlx90614(bus, clock=SystemClock(), pause=Event().wait, **keywords))
        return made[-1]

    yield make
    for thermometer in made:
        thermometer.close()


@pytest.fixture
def thermometer(make_thermometer):
    return make_thermometer()


@pytest.fixture
def bus():
    with closing(SMBus(BUS)) as bus:
        bus.pec = 1
        yield bus


def fault_of(thermometer):
    sample = thermometer.measure()
    assert isinstance(sample, SensorFault), sample
    return sample


def assert_reads(thermometer):
    sample = thermometer.measure()
    assert isinstance(sample, Reading), sample
    assert sample.object_c == pytest.approx(34.5, abs=0.5)
    assert sample.chip is not None


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EREMOTEIO, SensorFaultKind.ABSENT),  # i2c-bcm2835: nobody acknowledges
        (errno.ENXIO, SensorFaultKind.ABSENT),  # the same, of most other adapters
        (errno.ENODEV, SensorFaultKind.ABSENT),
        (errno.EAGAIN, SensorFaultKind.BUS_ERROR),  # lost to another master
        (errno.EIO, SensorFaultKind.BUS_ERROR),  # i2c-bcm2835: the clock is stretched too long
        (errno.EBADMSG, SensorFaultKind.BAD_PEC),
    ],
    ids=lambda value: errno.errorcode[value] if isinstance(value, int) else None,
)
def test_an_errno_of_the_adapter_is_the_fault_that_it_means(thermometer, bus, number, kind):
    assert_reads(thermometer)
    put(error=number)
    with pytest.raises(OSError, match=os.strerror(number)) as raised:
        bus.read_word_data(ADDRESS, OBJECT)
    assert raised.value.errno == number
    fault = fault_of(thermometer)
    assert fault.kind is kind
    assert os.strerror(number) in fault.detail
    put(error=0)
    assert_reads(thermometer)


def test_a_held_clock_is_a_timeout_after_one_second_and_not_after_three(thermometer):
    put(error=errno.ETIMEDOUT, error_ms=1000)
    began_s = time.monotonic()
    assert fault_of(thermometer).kind is SensorFaultKind.TIMEOUT
    assert 1.0 <= time.monotonic() - began_s < 1.1
    put(error=0)
    assert_reads(thermometer)


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"bad_pec": 100}, SensorFaultKind.BAD_PEC),
        ({"stuck": 1}, SensorFaultKind.BAD_PEC),
        ({"stuck": 2}, SensorFaultKind.BAD_PEC),
    ],
    ids=str,
)
def test_bytes_that_cannot_be_believed_are_asked_for_three_times(thermometer, wrong, kind):
    assert_reads(thermometer)
    put(**wrong)
    before = count("reads")
    assert fault_of(thermometer).kind is kind
    assert count("reads") == before + 3
    put(**NOTHING_WRONG)
    assert_reads(thermometer)


def test_a_flag_of_the_part_is_told_and_not_asked_for_again(thermometer):
    assert_reads(thermometer)
    put(flag=1)
    before = count("reads")
    assert fault_of(thermometer).kind is SensorFaultKind.FLAGGED
    assert count("reads") == before + 1


def test_the_kernel_itself_refuses_a_word_with_a_bad_pec(bus):
    assert bus.read_word_data(ADDRESS, OBJECT) == pytest.approx((34.5 + 273.15) / 0.02, abs=20)
    put(bad_pec=100)
    with pytest.raises(OSError, match="Bad message") as raised:
        bus.read_word_data(ADDRESS, OBJECT)
    assert raised.value.errno == errno.EBADMSG


@pytest.mark.parametrize("word", [0x0000, 0x27AC], ids=hex)
def test_a_word_that_no_part_sends_is_no_temperature(thermometer, word):
    (lane.SENSOR / "object").write_bytes(struct.pack("=H", word))
    assert fault_of(thermometer).kind is SensorFaultKind.IMPOSSIBLE_WORD


def test_nobody_answers_at_another_address(make_thermometer):
    fault = fault_of(make_thermometer(address=0x5B))
    assert fault.kind is SensorFaultKind.ABSENT
    assert os.strerror(errno.EREMOTEIO) in fault.detail


def test_the_driver_writes_nothing_to_the_part(thermometer):
    before = (lane.SENSOR / "eeprom").read_bytes(), count("writes"), count("refused")
    for _ in range(3):
        assert_reads(thermometer)
    assert ((lane.SENSOR / "eeprom").read_bytes(), count("writes"), count("refused")) == before


def test_a_cell_takes_a_word_after_it_was_erased(bus, thermometer):
    bus.write_word_data(ADDRESS, EMISSIVITY, 0)
    bus.write_word_data(ADDRESS, EMISSIVITY, 0xF333)
    try:
        assert bus.read_word_data(ADDRESS, EMISSIVITY) == 0xF333
        assert thermometer.measure().chip.emissivity == 0xF333 / 0xFFFF
    finally:
        bus.write_word_data(ADDRESS, EMISSIVITY, 0)
        bus.write_word_data(ADDRESS, EMISSIVITY, 0xFFFF)


def refused_write(bus, opcode, word, pec=None):
    """Write, and return whether the cell is as it was and the part counted a refusal."""
    before, refused = cell(opcode), count("refused")
    if pec is None:
        bus.write_word_data(ADDRESS, opcode, word)
    else:
        message = i2c_msg.write(ADDRESS, [opcode, word & 0xFF, word >> 8, pec])
        bus.i2c_rdwr(message)
    return cell(opcode) == before and count("refused") == refused + 1


def test_a_cell_that_was_not_erased_keeps_its_word(bus):
    assert refused_write(bus, EMISSIVITY, 0xF333)


def test_the_identity_cannot_be_written(bus):
    assert refused_write(bus, ID, 0)


def test_a_write_with_a_wrong_pec_changes_nothing(bus):
    assert refused_write(bus, EMISSIVITY, 0, pec=0x00)


def test_a_second_process_on_the_bus_is_told_who_has_it(thermometer):
    with closing(open_linux_bus(BUS)):
        fault = fault_of(thermometer)
        assert fault.kind is SensorFaultKind.BUS_ERROR
        assert "systemctl stop gatepost-gate" in fault.detail
    assert_reads(thermometer)


def test_the_kernel_keeps_a_bus_that_is_open(thermometer):
    assert_reads(thermometer)
    refused = subprocess.run(["rmmod", "mlx90614_sim"], capture_output=True, text=True, check=False)
    assert "in use" in refused.stderr
    assert_reads(thermometer)


@pytest.mark.parametrize("was_open", [False, True], ids=["never opened", "opened before"])
def test_a_bus_that_vanished_and_came_back_is_read_again(thermometer, was_open):
    if was_open:
        assert_reads(thermometer)
        # An adapter that is pulled out fails first; the driver lets go of it, and it can vanish.
        put(error=errno.ENODEV)
        assert fault_of(thermometer).kind is SensorFaultKind.ABSENT
    lane.unload_sensor()
    try:
        for _ in range(3):
            fault = fault_of(thermometer)
            assert fault.kind is SensorFaultKind.ABSENT
            assert "cannot be opened" in fault.detail
    finally:
        lane.load_sensor()
    lane.show(34.5)
    assert_reads(thermometer)
