"""The thermometer in the loop: when it is asked, what it adopts, which of its faults stand."""

from dataclasses import replace

import pytest

from gatepost.core.correction import Calibration, Correction, Point
from gatepost.core.faults import SENSOR_FAULTS, Fault
from gatepost.core.offset import Offset
from gatepost.core.plausibility import Expected
from gatepost.core.screening import Instrument, Limits, Reason, Verdict, Zone
from gatepost.core.sensing import Sensing, Setup
from gatepost_hal.ports import Chip, Reading, SensorFault, SensorFaultKind

CHIP = Chip("00a1b2c3d4e5f607", 1.0, 0x9F74)  # that of the calibration in conftest.py
OTHER = CHIP._replace(sensor_id="00a1b2c3d4e5f608")
PERIOD_S = 0.28
START_S = 100.0
UTC_S = 1.7e9
LIMITS = Limits(limit_c=37.3, guard_c=0.25, samples=7)
BARE = Setup(
    PERIOD_S,
    LIMITS,
    Instrument(2.4, noise_c=0.18, correction=Correction(supply_v=3.3, emissivity=0.98)),
    Expected(warm_up_s=0.0),
)


class Loop:
    """What the loop does with its thermometer; each answer comes a second after the one before."""

    def __init__(self, setup=BARE):
        self.sensing = Sensing(setup, START_S)
        self.now_s = START_S
        self.count = 0
        self.people = 0

    def reads(self, chip=CHIP, ambient_c=24.0, object_c=None):
        self.now_s += 1.0
        self.count += 1
        said_c = 22.0 + self.count % 2 / 50 if object_c is None else object_c
        self.sensing.took(Reading(self.now_s, said_c, ambient_c, chip))
        return self.standing()

    def fails(self, detail="bad PEC", kind=SensorFaultKind.BUS_ERROR):
        self.now_s += 1.0
        self.sensing.took(SensorFault(self.now_s, kind, detail))
        return self.standing()

    def standing(self, utc_s=UTC_S):
        return self.sensing.standing(self.now_s, utc_s)

    def learns(self, index_c, *, admitted=True, subject=None):
        verdict = Verdict(Zone.PASS, Reason.BELOW_LIMIT, index_c, ambient_c=(24.0, 24.0))
        self.people += 1  # somebody else each time, unless it is said who
        who = subject or f"subject-{self.people}"
        return self.sensing.learn(verdict, subject=who, admitted=admitted, now_s=self.now_s)


@pytest.fixture
def loop():
    return Loop()


@pytest.fixture(scope="session")
def calibrated(calibration):
    """A gate with calibrations of two sensors, and offsets that were learnt before."""
    other = Calibration("other", OTHER, Point(33.0, 33.3), Point(38.0, 38.3), due_utc_s=UTC_S + 5)
    offsets = [
        Offset(calibration.name, 2.4, 2.7, settled_c=2.6, people=90),
        Offset("other", 2.4, 2.9, settled_c=2.8, people=70),
        Offset(f"{CHIP.sensor_id}/factory", 2.4, 1.5, settled_c=1.5, people=60),
    ]
    return BARE._replace(
        expected=Expected(warm_up_s=0.0, is_calibrated=True),
        calibrations={CHIP.sensor_id: calibration, OTHER.sensor_id: other},
        offsets={offset.device: offset for offset in offsets},
    )


# ---------------------------------------------------------------------------------------- the pace


def due_times(sensing, *, measuring, until_s):
    """Return when a sample is asked for, by a loop that looks every 0.01 s."""
    ticks = range(round((until_s - START_S) * 100) + 1)
    times_s = (START_S + tick / 100 for tick in ticks)
    return [round(now_s, 2) for now_s in times_s if sensing.is_due(now_s, measuring=measuring)]


def test_the_first_sample_is_due_after_a_period(loop):
    assert loop.sensing.next_at_s == START_S + PERIOD_S
    assert not loop.sensing.is_due(START_S + 0.279, measuring=False)
    assert loop.sensing.is_due(START_S + 0.28, measuring=False)


def test_between_visits_one_sample_in_ten_seconds_is_enough(loop):
    assert due_times(loop.sensing, measuring=False, until_s=125.0) == [100.28, 110.28, 120.28]


def test_during_a_measurement_every_period_brings_a_sample(loop):
    found = due_times(loop.sensing, measuring=True, until_s=101.2)
    assert found == [100.28, 100.56, 100.84, 101.12]


def test_after_a_failure_it_is_asked_again_before_a_part_could_have_cooled_down(loop):
    assert loop.sensing.is_due(100.28, measuring=False)
    loop.fails()  # at 101.0
    assert loop.sensing.next_at_s == 106.0
    assert due_times(loop.sensing, measuring=False, until_s=120.0) == [106.0, 111.0, 116.0]
    loop.reads()
    assert loop.sensing.is_due(130.0, measuring=False)
    assert loop.sensing.next_at_s == 140.0


def test_a_failure_does_not_put_off_what_is_due_before(loop):
    assert loop.sensing.is_due(100.8, measuring=True)
    loop.fails()
    assert loop.sensing.next_at_s == pytest.approx(101.08)


def test_a_sample_of_an_attempt_is_never_older_than_a_full_period_of_it(loop):
    sensing = loop.sensing
    assert sensing.is_due(100.28, measuring=False)
    sensing.begin_attempt(105.0)
    assert not sensing.is_due(105.27, measuring=True)
    assert sensing.is_due(105.28, measuring=True)
    # Also where a sample had been due at once.
    sensing.begin_attempt(107.0)
    assert not sensing.is_due(107.27, measuring=True)


def test_a_late_loop_does_not_ask_twice_for_what_it_missed(loop):
    assert loop.sensing.is_due(150.0, measuring=True)
    assert not loop.sensing.is_due(150.27, measuring=True)


# -------------------------------------------------------------------------------------- its faults


def test_a_sound_thermometer_has_no_faults(loop):
    assert [loop.reads() for _ in range(50)] == [{}] * 50
    assert loop.sensing.distrust is None


def test_three_failures_in_a_row_are_a_fault_and_six_readings_end_it(loop):
    assert [loop.fails() for _ in range(3)] == [{}, {}, {Fault.SENSOR: "bad PEC"}]
    assert loop.fails("no answer") == {Fault.SENSOR: "no answer"}
    assert [set(loop.reads()) for _ in range(6)] == [{Fault.SENSOR}] * 5 + [set()]
    assert [loop.fails() for _ in range(2)] == [{}, {}]


def test_failures_between_readings_are_no_fault(loop):
    found = [each for _ in range(9) for each in (loop.fails(), loop.fails(), loop.reads())]
    assert found == [{}] * 27


@pytest.mark.parametrize("answer", ["reads", "fails"])
def test_an_answer_that_does_not_come_for_three_seconds_is_a_fault(answer, loop):
    assert loop.sensing.is_due(101.0, measuring=False)
    loop.now_s = 104.0
    assert loop.standing() == {}
    loop.now_s = 104.01
    assert loop.standing() == {Fault.SENSOR: "no answer for 3.0 s"}
    # That it is asked again does not begin the time anew.
    assert loop.sensing.is_due(150.0, measuring=False)
    assert set(loop.standing()) == {Fault.SENSOR}
    getattr(loop, answer)()
    assert loop.standing() == {}


def test_who_was_not_asked_is_not_silent(loop):
    loop.now_s = 5000.0
    assert loop.standing() == {}


def test_what_the_watch_finds_stands_and_the_worst_is_the_reason(loop):
    loop.reads(ambient_c=24.0)
    for _ in range(6):
        loop.reads(object_c=22.0)
    assert loop.sensing.distrust is None
    loop.reads(object_c=22.0, ambient_c=99.0)
    assert list(loop.standing()) == [Fault.SENSOR_FROZEN, Fault.SENSOR_ERRATIC]
    assert loop.sensing.distrust is Reason.FROZEN
    loop.reads(ambient_c=99.0)
    assert loop.sensing.distrust is Reason.ERRATIC


def test_the_site_says_whether_a_calibration_is_required_and_how_long_the_warm_up_is():
    loop = Loop(BARE._replace(expected=Expected(warm_up_s=10.0, is_calibrated=True)))
    assert set(loop.reads()) == {Fault.SENSOR_UNTRUSTED, Fault.SENSOR_UNBALANCED}
    loop.now_s = START_S + 10.0
    assert set(loop.standing()) == {Fault.SENSOR_UNTRUSTED}


def test_every_fault_that_is_found_here_is_listed_as_one_of_the_sensors(calibrated):
    found = set()
    loop = Loop(calibrated._replace(expected=Expected(warm_up_s=5.0, is_calibrated=True)))
    for _ in range(4):
        found |= set(loop.fails(kind=SensorFaultKind.BAD_PEC))
    for n in range(30):
        found |= set(loop.reads(chip=CHIP._replace(config=1), object_c=22.0, ambient_c=60.0 + n))
        found |= set(loop.fails(kind=SensorFaultKind.BAD_PEC))
    for _ in range(80):
        loop.learns(40.0, admitted=False)
    found |= set(loop.reads(chip=CHIP, object_c=22.0))
    for _ in range(80):
        loop.learns(40.0, admitted=False)
    found |= set(loop.standing(utc_s=9e9))
    assert found == set(SENSOR_FAULTS)


def test_a_drifted_offset_is_told_with_its_figures(calibrated, calibration):
    far = calibrated.offsets[calibration.name]._replace(middle_c=36.35, drifted=True)
    loop = Loop(calibrated._replace(offsets={calibration.name: far}))
    faults = loop.reads()
    assert faults == {
        Fault.SENSOR_DRIFTED: "the middle of the people is at 36.35 C, and the offset moved by "
        "+0.10 C"
    }
    assert loop.sensing.distrust is Reason.DRIFTED
    # What else is wrong is the reason before it.
    loop.reads(ambient_c=99.0)
    assert loop.sensing.distrust is Reason.ERRATIC


def test_a_calibration_is_due_by_the_wall_clock_and_counts_on(calibrated, calibration):
    loop = Loop(calibrated)
    loop.reads()
    due_s = calibration.due_utc_s
    assert loop.standing(due_s - 1) == {}
    assert loop.standing(due_s) == {
        Fault.CALIBRATION_DUE: f"calibration {calibration.name} is past its date"
    }
    assert loop.sensing.distrust is None
    assert loop.sensing.instrument.correction.calibration is calibration


# ---------------------------------------------------------------------------------- what it adopts


def test_before_any_answer_the_sites_own_numbers_count_and_the_offset_is_in_doubt(loop):
    sensing = loop.sensing
    assert sensing.instrument == replace(BARE.instrument, doubt_c=0.25)
    assert sensing.offset == Offset("unknown", 2.4, 2.4)
    assert not sensing.is_new


def test_the_chip_that_answers_brings_its_calibration_and_its_offset(calibrated, calibration):
    loop = Loop(calibrated)
    assert loop.reads() == {}
    sensing = loop.sensing
    assert sensing.is_new
    assert sensing.offset is calibrated.offsets[calibration.name]
    assert sensing.instrument == replace(
        BARE.instrument,
        offset_c=2.7,
        correction=Correction(supply_v=3.3, emissivity=0.98, calibration=calibration),
    )


def test_a_chip_without_a_calibration_has_an_offset_of_its_own(calibrated):
    loop = Loop(calibrated._replace(calibrations={}))
    loop.reads()
    assert loop.sensing.offset.device == "00a1b2c3d4e5f607/factory"
    assert loop.sensing.instrument.offset_c == 1.5
    assert loop.sensing.instrument.correction.calibration is None
    loop.reads(chip=OTHER)
    assert loop.sensing.offset == Offset("00a1b2c3d4e5f608/factory", 2.4, 2.4)
    assert loop.sensing.instrument.doubt_c == 0.25


def test_that_a_chip_answers_is_new_once(calibrated):
    loop = Loop(calibrated)
    loop.reads()
    loop.sensing.is_new = False  # by whoever told it
    loop.reads()
    loop.fails()
    loop.reads()
    assert not loop.sensing.is_new
    loop.reads(chip=OTHER)
    assert loop.sensing.is_new


def test_a_swapped_chip_takes_its_own_calibration_and_offset(calibrated, calibration):
    loop = Loop(calibrated)
    loop.reads()
    loop.learns(36.5)
    loop.reads(chip=OTHER)
    sensing = loop.sensing
    assert sensing.offset is calibrated.offsets["other"]
    assert sensing.instrument.correction.calibration.name == "other"
    assert sensing.identity()["calibration"] == "other"
    assert loop.standing(UTC_S + 5).keys() == {Fault.CALIBRATION_DUE}  # that of this one
    loop.reads()
    assert sensing.instrument.correction.calibration is calibration
    assert sensing.offset.people == 91  # what it learnt here before is not forgotten


def test_a_chip_that_changed_its_settings_is_told_anew_and_not_trusted(calibrated, calibration):
    loop = Loop(calibrated)
    loop.reads()
    loop.sensing.is_new = False
    assert set(loop.reads(chip=CHIP._replace(emissivity=0.98))) == {Fault.SENSOR_UNTRUSTED}
    assert loop.sensing.is_new
    assert loop.sensing.instrument.correction.calibration is calibration
    assert loop.sensing.distrust is Reason.UNTRUSTED


def test_a_thermometer_without_an_identity_is_the_unknown_device(loop):
    loop.reads(chip=None)
    assert loop.sensing.offset.device == "unknown"
    loop.reads(chip=CHIP)
    loop.reads(chip=None)  # it comes back: also that is another one
    assert loop.sensing.offset.device == "unknown"
    assert loop.sensing.instrument.correction.calibration is None


# ----------------------------------------------------------------------------------- what it learns


def test_each_person_who_teaches_moves_the_instrument(calibrated):
    loop = Loop(calibrated)
    loop.reads()
    before = loop.sensing.instrument
    assert loop.learns(36.6)
    assert loop.sensing.instrument == replace(before, offset_c=2.7 + 0.2 / 200)
    assert loop.sensing.offset.people == 91
    loop.learns(36.6, admitted=False)
    assert loop.sensing.instrument.offset_c == 2.7 + 0.2 / 200


def test_who_teaches_nothing_leaves_the_very_same_instrument(loop):
    before = loop.sensing.instrument
    hat = Verdict(Zone.NO_INFORMATION, Reason.NO_FOREHEAD, 35.0, ambient_c=(24.0, 24.0))
    assert not loop.sensing.learn(hat, subject="a", admitted=False, now_s=1.0)
    far = Verdict(Zone.PASS, Reason.BELOW_LIMIT, 36.0, ambient_c=(19.0, 19.0))
    assert not loop.sensing.learn(far, subject="b", admitted=True, now_s=1.0)
    assert loop.sensing.instrument is before


def test_who_comes_again_has_one_vote_at_first_and_later_one_in_half_a_day(loop, calibrated):
    loop.reads()
    assert loop.learns(36.6, subject="a")
    loop.now_s += 24 * 3600.0
    assert not loop.learns(36.6, subject="a")
    assert loop.learns(36.6, subject="b")
    settled = Loop(calibrated)
    settled.reads()
    assert settled.learns(36.6, subject="a")
    settled.now_s += 12 * 3600.0 - 1.0
    assert not settled.learns(36.6, subject="a")
    settled.now_s += 1.0
    assert settled.learns(36.6, subject="a")


def test_the_first_fifty_people_end_the_doubt(loop):
    loop.reads()
    for _ in range(49):
        loop.learns(36.6)
    assert (loop.sensing.instrument.offset_c, loop.sensing.instrument.doubt_c) == (2.4, 0.25)
    loop.learns(36.6)
    assert (loop.sensing.instrument.offset_c, loop.sensing.instrument.doubt_c) == (2.6, 0.0)


def test_where_nothing_is_learnt_the_sites_offset_stays_and_is_not_in_doubt(calibrated):
    loop = Loop(calibrated._replace(learns=False))
    assert loop.reads() == {}
    lessons = [loop.learns(index_c) for index_c in (40.0, 36.4) * 200]
    assert not any(lessons)
    assert loop.sensing.offset.offset_c == 2.4
    assert (loop.sensing.instrument.offset_c, loop.sensing.instrument.doubt_c) == (2.4, 0.0)
    assert loop.standing() == {}


def test_the_record_of_a_thermometer_says_which_it_is_and_what_it_has_learnt(calibrated):
    loop = Loop(calibrated)
    nothing = {"sensor_id": None, "emissivity": None, "config": None, "calibration": None}
    learnt = {"settled_c": None, "middle_c": 36.8, "people": 0, "drifted": False}
    unknown = {"device": "unknown", "offset_c": 2.4, **learnt}
    assert loop.sensing.identity() == {**nothing, **unknown}
    loop.reads()
    loop.learns(36.533)
    told = {
        "device": "00a1b2c3d4e5f607/2026-01-02",
        "offset_c": 2.701,
        "settled_c": 2.6,
        "middle_c": 36.79,
        "people": 91,
        "drifted": False,
    }
    assert loop.sensing.told() == told
    assert loop.sensing.identity() == {
        "sensor_id": "00a1b2c3d4e5f607",
        "emissivity": 1.0,
        "config": 0x9F74,
        "calibration": "00a1b2c3d4e5f607/2026-01-02",
        **told,
    }
