"""The watch over the thermometer: what it finds, when, and when that is over."""

import math
import random

import pytest

from gatepost.core.faults import SENSOR_FAULTS, Fault
from gatepost.core.plausibility import Expected, Watch
from gatepost.core.screening import GUIDANCE, Reason, Zone
from gatepost_hal.ports import Chip, Reading, SensorFault, SensorFaultKind

CHIP = Chip("00a1b2c3d4e5f607", 1.0, 0x9F74)  # that of the calibration in conftest.py
OTHER = CHIP._replace(sensor_id="00a1b2c3d4e5f608")
WARM = Expected(warm_up_s=0.0)


class Watched:
    """A watch and a thermometer that never says the same twice, unless it is told to."""

    def __init__(self, expected=WARM, chip=CHIP, calibration=None):
        self.watch = Watch(expected, 0.0)
        self.watch.calibration = calibration
        self.chip = chip
        self.now_s = 0.0
        self.count = 0

    def read(self, ambient_c=24.0, after_s=1.0, object_c=None, repeats=0):
        self.now_s += after_s
        self.count += 1
        said_c = 22.0 + self.count % 2 / 50 if object_c is None else object_c
        self.watch.take(Reading(self.now_s, said_c, ambient_c, self.chip, repeats=repeats))
        return self.faults()

    def fail(self, kind, after_s=1.0):
        self.now_s += after_s
        self.watch.fail(SensorFault(self.now_s, kind, ""))
        return self.faults()

    def faults(self, after_s=0.0):
        return set(self.watch.findings(self.now_s + after_s))


@pytest.fixture
def watched():
    return Watched()


def test_without_a_reading_there_is_nothing_to_say():
    watched = Watched(Expected(is_calibrated=True), chip=None)
    assert watched.faults() == set()
    assert watched.fail(SensorFaultKind.ABSENT) == set()


def test_a_sound_thermometer_is_believed_all_day(watched):
    chance = random.Random(3)
    found = set()
    for n in range(2880):
        # A room that warms up by 4 C until noon, a die that wobbles by a step.
        room_c = 20.0 + 4.0 * math.sin(math.pi * n / 2880) + chance.choice((-0.02, 0.0, 0.02))
        found |= watched.read(room_c, after_s=30.0, object_c=round(chance.gauss(22, 0.18) * 50))
    assert found == set()


def test_every_finding_is_a_fault_of_the_sensor_and_calls_every_measurement_no_information():
    watched = Watched(Expected(is_calibrated=True, warm_up_s=1e9))
    for _ in range(40):
        watched.read(ambient_c=99.0, object_c=22.0, repeats=1)
    found = watched.watch.findings(watched.now_s)
    assert {fault: finding.reason for fault, finding in found.items()} == {
        Fault.SENSOR_UNTRUSTED: Reason.UNTRUSTED,
        Fault.SENSOR_FROZEN: Reason.FROZEN,
        Fault.SENSOR_ERRATIC: Reason.ERRATIC,
        Fault.SENSOR_DISTURBED: Reason.DISTURBED,
        Fault.SENSOR_UNBALANCED: Reason.WARMING_UP,
    }
    assert set(found) <= set(SENSOR_FAULTS)
    assert {GUIDANCE[each.reason].zone for each in found.values()} == {Zone.NO_INFORMATION}
    assert len({each.detail for each in found.values()}) == len(found)


# ------------------------------------------------------------------------------------------ frozen


# Two readings of Gaussian noise s are the same word of w with a chance of w / (2 s sqrt(pi)):
# 0.0313 for 0.18 C, 0.1128 for 0.05 C. Six of the former and ten of the latter in a row are rarer
# than once in 1e9, five and nine are not; and the first reading has nothing before it.
@pytest.mark.parametrize(
    ("noise_c", "run"), [(0.18, 7), (0.05, 11), (0.30, 7), (0.10, 9), (0.07, 10), (0.001, 31)]
)
def test_a_value_that_stands_longer_than_noise_lets_it_is_frozen(noise_c, run):
    watched = Watched(Expected(noise_c=noise_c, warm_up_s=0.0))
    found = [watched.read(object_c=22.0) for _ in range(run + 3)]
    assert found == [set()] * (run - 1) + [{Fault.SENSOR_FROZEN}] * 4
    assert watched.read(object_c=22.02) == set()  # one other value ends it
    assert watched.read(object_c=22.02) == set()


def test_other_values_between_equal_ones_are_no_frozen_sensor(watched):
    found = [watched.read(object_c=c) for c in ([22.0] * 6 + [22.02]) * 5]
    assert set().union(*found) == set()


@pytest.mark.parametrize(("noise_c", "count"), [(0.18, 100_000), (0.05, 20_000)])
def test_noise_alone_never_looks_frozen(noise_c, count):
    chance = random.Random(11)
    watch = Watch(Expected(noise_c=noise_c, warm_up_s=0.0), 0.0)
    found = set()
    for n in range(count):
        object_c = round(chance.gauss(22.0, noise_c) * 50) / 50
        watch.take(Reading(float(n), object_c, 24.0, CHIP))
        found |= set(watch.findings(float(n)))
    assert found == set()


def test_a_frozen_sensor_is_told_with_its_value(watched):
    for _ in range(7):
        watched.read(object_c=34.56)
    detail = watched.watch.findings(watched.now_s)[Fault.SENSOR_FROZEN].detail
    assert "34.56 C" in detail
    assert "7" in detail


# ----------------------------------------------------------------------------------------- erratic


@pytest.mark.parametrize(
    ("change_c", "lapse_s", "is_found"),
    [
        (0.52, 0.28, True),  # a die follows its room in minutes
        (-0.52, 0.28, True),
        (0.50, 0.28, False),
        (-0.50, 0.28, False),
        (1.98, 30.0, False),  # 2 C in half a minute
        (2.02, 30.0, True),
        (-2.02, 30.0, True),
        (0.56, 1.0, True),
        (0.54, 1.0, False),
        (math.nan, 1.0, True),
        (0.52, -5.0, True),  # a clock that went back gives it no time
        (0.48, -5.0, False),
    ],
)
def test_an_ambient_that_moves_as_no_die_can_is_erratic(change_c, lapse_s, is_found, watched):
    watched.read(ambient_c=24.0)
    found = watched.read(ambient_c=24.0 + change_c, after_s=lapse_s)
    assert (Fault.SENSOR_ERRATIC in found) is is_found


@pytest.mark.parametrize(
    ("ambient_c", "is_found"),
    [
        (-30.0, False),
        (-30.02, True),
        (60.0, False),
        (60.02, True),
        (math.nan, True),
        (math.inf, True),
        (-math.inf, True),
        (1037.55, True),
    ],
)
def test_an_ambient_that_no_gate_stands_in_is_erratic(ambient_c, is_found, watched):
    assert watched.read(ambient_c) == ({Fault.SENSOR_ERRATIC} if is_found else set())


def test_an_erratic_ambient_is_remembered_for_a_minute(watched):
    watched.read(24.0)
    watched.read(30.0)
    assert watched.faults(after_s=60.0) == {Fault.SENSOR_ERRATIC}
    assert watched.faults(after_s=60.01) == set()
    watched.read(30.0, after_s=10.0)  # steady again: the minute runs on
    assert watched.faults(after_s=50.0) == {Fault.SENSOR_ERRATIC}
    assert watched.faults(after_s=50.01) == set()


def test_the_step_back_from_what_is_no_number_is_as_erratic(watched):
    watched.read(24.0)
    watched.read(math.nan)
    watched.read(24.0, after_s=30.0)
    assert Fault.SENSOR_ERRATIC in watched.faults(after_s=60.0)
    assert Fault.SENSOR_ERRATIC not in watched.faults(after_s=60.01)


def test_what_was_erratic_is_told(watched):
    watched.read(24.0)
    watched.read(30.0, after_s=2.0)
    detail = watched.watch.findings(watched.now_s)[Fault.SENSOR_ERRATIC].detail
    assert "+6.00 C in 2.0 s" in detail
    watched.read(99.0)
    assert "99.00" in watched.watch.findings(watched.now_s)[Fault.SENSOR_ERRATIC].detail


# --------------------------------------------------------------------------------------- disturbed


def test_a_storm_is_found_over_a_quarter_of_the_readings_and_over_at_a_tenth(watched):
    found = [watched.read(repeats=1) for _ in range(6)] + [watched.read() for _ in range(13)]
    assert found == [set()] * 19  # too few readings to speak of shares
    assert watched.read() == {Fault.SENSOR_DISTURBED}  # 6 of 20
    assert [watched.read() for _ in range(20)] == [{Fault.SENSOR_DISTURBED}] * 20  # 6 of 40
    # Now each that comes pushes one of the six out: 5 of 40 is more than a tenth, 4 is not.
    assert [watched.read() for _ in range(2)] == [{Fault.SENSOR_DISTURBED}, set()]
    assert watched.read(repeats=1) == set()


def test_a_quarter_itself_is_no_storm(watched):
    found = [watched.read(repeats=n % 4 == 3) for n in range(60)]
    assert set().union(*found) == set()
    found = [watched.read(repeats=n % 3 == 0) for n in range(60)]
    assert found[-1] == {Fault.SENSOR_DISTURBED}


def test_words_that_never_got_through_count_and_other_failures_do_not(watched):
    for kind in SensorFaultKind:
        watched = Watched()
        watched.read()
        for _ in range(30):
            watched.fail(kind, after_s=0.1)
        found = watched.faults()
        assert found == ({Fault.SENSOR_DISTURBED} if kind is SensorFaultKind.BAD_PEC else set())


# --------------------------------------------------------------------------------------- untrusted


@pytest.mark.parametrize(
    ("chip", "is_trusted"),
    [
        (CHIP, True),
        (CHIP._replace(emissivity=0.98), False),
        (CHIP._replace(config=0x9FF4), False),
        (OTHER, False),
        (None, False),
    ],
)
@pytest.mark.parametrize("is_calibrated", [True, False])
def test_a_chip_that_is_not_as_it_was_calibrated_is_not_trusted(
    chip, is_trusted, is_calibrated, calibration
):
    watched = Watched(Expected(warm_up_s=0.0, is_calibrated=is_calibrated), chip, calibration)
    assert watched.read() == (set() if is_trusted else {Fault.SENSOR_UNTRUSTED})


@pytest.mark.parametrize("chip", [CHIP, None])
def test_a_chip_without_a_calibration_is_trusted_only_where_none_is_required(chip):
    required = Watched(Expected(warm_up_s=0.0, is_calibrated=True), chip)
    assert required.read() == {Fault.SENSOR_UNTRUSTED}
    assert Watched(Expected(warm_up_s=0.0), chip).read() == set()


def test_an_untrusted_chip_is_told_by_its_id():
    for chip, word in ((CHIP, CHIP.sensor_id), (None, "without an identity")):
        watched = Watched(Expected(is_calibrated=True), chip)
        watched.read()
        assert word in watched.watch.findings(1.0)[Fault.SENSOR_UNTRUSTED].detail


def test_the_calibrated_chip_put_back_is_trusted_again(calibration):
    watched = Watched(calibration=calibration)
    watched.chip = OTHER
    assert watched.read() == {Fault.SENSOR_UNTRUSTED}
    watched.chip = CHIP
    assert watched.read() == set()
