from statistics import median, pstdev

import pytest

from gatepost_hal.ports import Reading, SensorFault, SensorFaultKind
from gatepost_hal.simulated.mlx90614 import ChipFault

# What a fault on the wire must be called by the driver. FROZEN is missing: its bytes are good,
# only the history shows it, so it is the screening's to find. PEC_STORM hits only some transfers
# and has a test of its own.
EXPECTED = {
    ChipFault.NACK: SensorFaultKind.ABSENT,
    ChipFault.STUCK_BUS: SensorFaultKind.TIMEOUT,
    ChipFault.BAD_PEC: SensorFaultKind.BAD_PEC,
    ChipFault.ALL_ONES: SensorFaultKind.BAD_PEC,
    ChipFault.ALL_ZEROS: SensorFaultKind.BAD_PEC,
    ChipFault.ERROR_FLAG: SensorFaultKind.FLAGGED,
}
# The first word that fails ends a measurement: one deadline of 0.1 s, one time-out of the kernel
# (`Thermometer.measure`), and some margin.
LONGEST_MEASUREMENT_S = 1.3


def samples(bench, count):
    taken = []
    for _ in range(count):
        bench.events_within(0.28)
        sample = bench.measure()
        assert isinstance(sample, Reading)
        taken.append(sample)
    return taken


@pytest.mark.parametrize("object_c", [22.0, 34.5, 36.5, 41.0, 45.0, 80.0])
def test_the_median_of_many_samples_is_what_the_lens_sees(bench, object_c):
    bench.show_scene(object_c, room_c=24.0)
    objects_c = [sample.object_c for sample in samples(bench, 25)]
    assert median(objects_c) == pytest.approx(object_c, abs=0.15)


def test_a_live_sensor_never_stands_still(bench):
    bench.show_scene(34.5, room_c=24.0)
    assert 0.05 < pstdev(sample.object_c for sample in samples(bench, 25)) < 0.4


def test_a_sample_shows_what_is_there_now_and_nothing_of_before(bench):
    for object_c, room_c in [(34.5, 24.0), (41.0, 30.0), (34.5, 18.0)]:
        bench.show_scene(object_c, room_c=room_c)
        (sample,) = samples(bench, 1)
        assert sample.object_c == pytest.approx(object_c, abs=1.0)
        assert sample.ambient_c == pytest.approx(room_c, abs=1.0)


@pytest.mark.parametrize("room_c", [5.0, 24.0, 38.0])
def test_ambient_is_the_die_near_the_room(bench, room_c):
    bench.show_scene(34.5, room_c=room_c)
    for sample in samples(bench, 3):
        assert sample.ambient_c == pytest.approx(room_c, abs=1.0)


def test_readings_carry_the_instant_at_which_they_were_taken(bench):
    bench.show_scene(34.5, room_c=24.0)
    before_s = bench.now_s()
    (sample,) = samples(bench, 1)
    assert before_s < sample.at_s <= bench.now_s()


def test_every_reading_carries_a_chip_that_stays_the_same(bench):
    bench.show_scene(34.5, room_c=24.0)
    taken = samples(bench, 80)  # more than 20 s: the identity is read again in between
    (chip,) = {sample.chip for sample in taken}
    assert len(bytes.fromhex(chip.sensor_id)) == 8
    assert 0.0 < chip.emissivity <= 1.0
    assert {sample.repeats for sample in taken} == {0}


def test_a_storm_yields_true_readings_with_repeats_or_a_fault(bench):
    bench.show_scene(34.5, room_c=24.0)
    bench.set_chip_fault(ChipFault.PEC_STORM)
    taken = []
    for _ in range(100):
        bench.events_within(0.28)
        began_s = bench.now_s()
        taken.append(bench.measure())
        assert bench.now_s() - began_s < LONGEST_MEASUREMENT_S
    readings = [sample for sample in taken if isinstance(sample, Reading)]
    assert {sample.kind for sample in taken if isinstance(sample, SensorFault)} == {
        SensorFaultKind.BAD_PEC
    }
    assert {0, 1, 2} <= {sample.repeats for sample in readings}
    for sample in readings:
        assert sample.object_c == pytest.approx(34.5, abs=1.0)
        assert sample.ambient_c == pytest.approx(24.0, abs=1.0)


@pytest.mark.parametrize("fault", EXPECTED, ids=lambda fault: fault.value)
def test_a_fault_on_the_wire_is_a_fault_and_never_a_number(bench, fault):
    bench.show_scene(34.5, room_c=24.0)
    samples(bench, 1)
    bench.set_chip_fault(fault)
    sample = bench.measure()
    assert isinstance(sample, SensorFault)
    assert sample.kind is EXPECTED[fault]
    assert sample.detail


@pytest.mark.parametrize("fault", EXPECTED, ids=lambda fault: fault.value)
def test_the_sensor_works_again_when_the_fault_is_gone(bench, fault):
    bench.show_scene(34.5, room_c=24.0)
    bench.set_chip_fault(fault)
    bench.measure()
    bench.set_chip_fault(None)
    assert samples(bench, 1)[0].object_c == pytest.approx(34.5, abs=1.0)


@pytest.mark.parametrize("fault", EXPECTED, ids=lambda fault: fault.value)
def test_a_measurement_ends_in_bounded_time(bench, fault):
    bench.set_chip_fault(fault)
    began_s = bench.now_s()
    bench.measure()
    assert bench.now_s() - began_s < LONGEST_MEASUREMENT_S
