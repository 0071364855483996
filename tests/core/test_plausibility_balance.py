"""Whether the thermometer is in thermal balance: warming up, drifting with the sun, or at rest."""

import math

import pytest

from gatepost.core.faults import Fault
from gatepost.core.plausibility import Expected, Watch
from gatepost.core.screening import Reason
from gatepost_hal.ports import Chip, Reading, SensorFault, SensorFaultKind

CHIP = Chip("00a1b2c3d4e5f607", 1.0, 0x9F74)
OTHER = CHIP._replace(sensor_id="00a1b2c3d4e5f608")
WARM_UP_S = 120.0
STARTED_AT_S = 1000.0


class Die:
    """A watch, and a die whose temperature is told."""

    def __init__(self, warm_up_s=0.0, chip=CHIP):
        self.watch = Watch(Expected(warm_up_s=warm_up_s), STARTED_AT_S)
        self.chip = chip
        self.count = 0

    def read(self, at_s, ambient_c=24.0):
        self.count += 1
        reading = Reading(STARTED_AT_S + at_s, 22 + self.count % 2 / 50, ambient_c, self.chip)
        self.watch.take(reading)
        return self.reason(at_s)

    def absent(self, at_s, kind=SensorFaultKind.ABSENT):
        self.watch.fail(SensorFault(STARTED_AT_S + at_s, kind, ""))

    def reason(self, at_s):
        found = self.watch.findings(STARTED_AT_S + at_s)
        assert set(found) <= {Fault.SENSOR_UNBALANCED}
        return found[Fault.SENSOR_UNBALANCED].reason if found else None

    def drift(self, c_per_min, start_s, end_s, *, every_s=5.0, from_c=24.0):
        """Let it drift with time; return the reasons that were found."""
        found, at_s = [], start_s
        while at_s <= end_s:
            found.append(self.read(at_s, from_c + c_per_min * (at_s - start_s) / 60))
            at_s += every_s
        return found


@pytest.fixture
def die():
    return Die()


def test_after_the_start_nothing_counts_until_the_sensor_is_warm():
    die = Die(WARM_UP_S)
    times_s = (0.5, 60.0, 119.99, 120.0, 300.0)
    reasons = [die.read(at_s) for at_s in times_s]
    assert reasons == [Reason.WARMING_UP] * 3 + [None] * 2


def test_the_end_of_the_warm_up_needs_no_reading():
    die = Die(WARM_UP_S)
    die.read(1.0)
    assert [die.reason(at_s) for at_s in (119.9, 120.0)] == [Reason.WARMING_UP, None]


def test_another_chip_has_to_warm_up_from_its_first_reading_on():
    die = Die(WARM_UP_S)
    die.read(500.0)
    die.chip = OTHER
    assert die.read(530.0) is Reason.WARMING_UP
    assert die.read(649.9) is Reason.WARMING_UP
    assert die.read(650.0) is None


@pytest.mark.parametrize(
    ("changed", "is_found"), [({"config": 1}, True), ({"emissivity": 0.98}, True), ({}, False)]
)
def test_a_chip_whose_settings_change_counts_as_another_one(changed, is_found):
    die = Die(WARM_UP_S)
    die.read(500.0)
    die.chip = CHIP._replace(**changed)
    assert die.read(530.0) is (Reason.WARMING_UP if is_found else None)


@pytest.mark.parametrize(
    ("absent_s", "reason"),
    [(9.99, None), (10.0, Reason.WARMING_UP), (3600.0, Reason.WARMING_UP), (0.5, None)],
)
def test_a_sensor_that_was_away_for_long_has_to_warm_up_again(absent_s, reason):
    die = Die(WARM_UP_S)
    die.read(500.0)
    die.absent(510.0)
    die.absent(510.0 + absent_s / 2)  # the first one counts
    assert die.read(510.0 + absent_s) is reason
    # That absence is over: a short one later is a short one.
    die.read(510.0 + absent_s + 130.0)
    die.absent(510.0 + absent_s + 140.0)
    assert die.read(510.0 + absent_s + 145.0) is None


def test_failures_that_are_no_absence_need_no_warm_up():
    for kind in SensorFaultKind:
        die = Die(WARM_UP_S)
        die.read(500.0)
        die.absent(510.0, kind)
        is_away = kind is SensorFaultKind.ABSENT
        assert die.read(560.0) is (Reason.WARMING_UP if is_away else None)


def test_one_that_was_away_since_the_start_has_to_warm_up_when_it_comes():
    die = Die(WARM_UP_S)
    die.absent(1.0)
    assert die.read(500.0) is Reason.WARMING_UP
    assert die.read(620.0) is None


@pytest.mark.parametrize("back_s", [80.0, 1800.0])
def test_what_the_die_was_before_it_was_away_is_no_drift_and_no_jump(back_s, die):
    die.drift(0.0, 0.0, 60.0)
    die.absent(65.0)
    # Without supply a die loses the warmth of its own: that says nothing about the sensor.
    assert die.drift(0.0, back_s, back_s + 30.0, from_c=22.0) == [None] * 7


def test_what_another_chip_was_is_no_drift_and_no_jump(die):
    die.drift(0.0, 0.0, 60.0)
    die.chip = OTHER
    assert die.drift(0.0, 65.0, 95.0, from_c=22.0) == [None] * 7


@pytest.mark.parametrize("every_s", [0.28, 5.0, 30.0])
@pytest.mark.parametrize(
    ("c_per_min", "reason"),
    [
        (0.09, None),
        (-0.09, None),
        (0.0, None),
        (0.11, Reason.UNSTABLE),
        (-0.11, Reason.UNSTABLE),
        (2.0, Reason.UNSTABLE),
    ],
)
def test_a_die_that_drifts_by_more_than_a_tenth_a_minute_is_not_in_balance(
    c_per_min, reason, every_s, die
):
    found = die.drift(c_per_min, 0.0, 300.0, every_s=every_s)
    later = found[math.ceil(30 / every_s) :]
    assert set(later) == {reason}


def test_a_drift_is_over_at_eight_hundredths_and_not_before(die):
    die.drift(0.11, 0.0, 150.0)
    still = die.drift(0.09, 155.0, 400.0, from_c=24.275)
    assert set(still) == {Reason.UNSTABLE}  # less would not have begun it
    over = die.drift(0.07, 405.0, 650.0, from_c=24.64)
    assert over[-1] is None
    assert over[0] is Reason.UNSTABLE
    again = die.drift(0.09, 655.0, 900.0, from_c=24.93)
    assert set(again) == {None}


def test_a_drift_needs_twenty_seconds_to_show_itself(die):
    found = die.drift(0.5, 0.0, 25.0)
    assert found == [None] * 4 + [Reason.UNSTABLE] * 2


def test_two_minutes_count(die):
    die.drift(0.5, 0.0, 120.0)
    # At rest from now on; what came before is forgotten after two minutes.
    rest = die.drift(0.0, 125.0, 300.0, from_c=25.0)
    assert rest[4] is Reason.UNSTABLE
    assert set(rest[24:]) == {None}
    done = rest.index(None)
    assert 12 <= done <= 24


def test_readings_close_together_weigh_no_more_than_others():
    # A visit of two seconds, on top of a slow drift that is within bounds: a step of the die's
    # word, read eight times, must not tilt the line.
    one, other = Die(), Die()
    for die, extra in ((one, 0), (other, 8)):
        die.drift(0.095, 0.0, 95.0)
        for n in range(extra):
            die.read(95.5 + n / 4, 24.19)
    slopes = [die.watch.findings(STARTED_AT_S + 98.0) for die in (one, other)]
    assert slopes == [{}, {}]


def test_a_drift_is_told_in_degrees_a_minute(die):
    die.drift(-0.5, 0.0, 60.0)
    found = die.watch.findings(STARTED_AT_S + 60.0)
    assert "-0.50 C a minute" in found[Fault.SENSOR_UNBALANCED].detail


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_an_ambient_that_is_no_number_hides_no_drift_and_is_no_crash(number):
    watch = Watch(Expected(warm_up_s=0.0), STARTED_AT_S)
    for n in range(40):
        ambient_c = number if n == 20 else 24.0 + 0.1 * n
        at_s = STARTED_AT_S + 5.0 * n
        watch.take(Reading(at_s, 22.0 + n % 2 / 50, ambient_c, CHIP))
        assert (Fault.SENSOR_UNBALANCED in watch.findings(at_s)) is (n >= 4)


def test_warming_up_is_told_before_a_drift():
    die = Die(WARM_UP_S)
    assert set(die.drift(1.0, 0.0, 115.0)) == {Reason.WARMING_UP}
    assert die.drift(1.0, 120.0, 120.0, from_c=26.0) == [Reason.UNSTABLE]
