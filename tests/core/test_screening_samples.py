"""Whether the samples of one attempt can be believed: a still person, a live part, its own chip."""

import math
import random
from collections import Counter
from dataclasses import replace

import pytest

from gatepost.core.correction import Correction
from gatepost.core.screening import Instrument, Limits, Reason, is_complete, judge
from gatepost_hal.ports import Chip, Reading

LIMITS = Limits(limit_c=37.3, guard_c=0.25, samples=5)
INSTRUMENT = Instrument(offset_c=2.5)  # a DCC: 0.18 C of noise
QUIET = Instrument(offset_c=2.5, noise_c=0.05)
COOL_C = (34.1, 34.2, 34.0, 34.12, 34.08)
PASSES = Reason.BELOW_LIMIT
PERIOD_S = 0.28  # of a DCC


def word_c(celsius):
    """Return the temperature as the part's word has it, in steps of 0.02 C."""
    return round(celsius * 50) / 50


def visit(chance, *, skin_c=34.2, noise_c=0.18, climb_c_per_s=0.0, count=7):
    return [
        Reading(
            n * PERIOD_S,
            word_c(chance.gauss(skin_c + climb_c_per_s * PERIOD_S * (n - count // 2), noise_c)),
            24.0,
        )
        for n in range(count)
    ]


def reasons(visits, instrument=INSTRUMENT):
    return Counter(judge(readings, LIMITS, instrument).reason for readings in visits)


@pytest.mark.parametrize(
    ("objects_c", "instrument", "reason"),
    [
        # 5.6 times the noise of 0.18 C is 1.008 C.
        ((33.5, 34.5, 34.0, 34.12, 34.1), INSTRUMENT, PASSES),
        ((33.48, 34.5, 34.0, 34.12, 34.1), INSTRUMENT, Reason.MOVING),
        ((34.0, 34.1, 34.02, 34.1, 22.0), INSTRUMENT, Reason.MOVING),  # gone for one sample
        # A part with less noise sees a still person move by half a degree.
        ((33.75, 34.25, 34.0, 33.875, 34.125), QUIET, PASSES),
        ((33.75, math.nextafter(34.25, 99), 34.0, 33.875, 34.125), QUIET, Reason.MOVING),
        # A noisier one explains more: 1.68 C.
        ((33.2, 34.86, 34.0, 33.9, 34.1), Instrument(2.5, noise_c=0.3), PASSES),
        ((33.2, 34.9, 34.0, 33.9, 34.1), Instrument(2.5, noise_c=0.3), Reason.MOVING),
    ],
)
def test_a_spread_that_noise_does_not_explain_is_movement(objects_c, instrument, reason, samples):
    assert judge(samples(objects_c), LIMITS, instrument).reason is reason


# Five samples half a second apart have a slope with a standard deviation of noise / 1.581 s.
@pytest.mark.parametrize(
    ("slope_c_per_s", "instrument", "reason"),
    [
        (0.454, INSTRUMENT, PASSES),  # four of them are 0.4554 C a second
        (0.457, INSTRUMENT, Reason.MOVING),
        (-0.454, INSTRUMENT, PASSES),
        (-0.457, INSTRUMENT, Reason.MOVING),
        (0.126, QUIET, PASSES),
        (0.127, QUIET, Reason.MOVING),
    ],
)
def test_a_trend_that_noise_does_not_explain_is_movement(
    slope_c_per_s, instrument, reason, samples
):
    verdict = judge(samples([34.0 + slope_c_per_s * n / 2 for n in range(5)]), LIMITS, instrument)
    assert verdict.reason is reason
    assert verdict.spread_c < max(0.5, 5.6 * instrument.noise_c)  # the trend, not the spread


def test_more_time_shows_a_smaller_trend(samples):
    objects_c = [34.0 + 0.2 * n / 2 for n in range(10)]
    assert judge(samples(objects_c[:5]), LIMITS, INSTRUMENT).reason is PASSES
    assert judge(samples(objects_c), LIMITS, INSTRUMENT).reason is Reason.MOVING


def test_fewer_than_five_samples_show_no_trend(samples):
    ramp = samples([33.5, 33.8, 34.1, 34.4])
    assert judge(ramp, replace(LIMITS, samples=2), INSTRUMENT).reason is PASSES


@pytest.mark.parametrize("at_s", [0.0, 1e9])
def test_samples_without_times_show_no_trend_and_are_no_crash(at_s, samples):
    ramp = [sample._replace(at_s=at_s) for sample in samples([33.5, 33.75, 34.0, 34.25, 34.5])]
    assert judge(ramp, LIMITS, INSTRUMENT).reason is PASSES


def test_the_trend_does_not_depend_on_where_the_clock_begins(samples):
    for start_s in (0.0, 12.5, 1e8):
        for slope, expected in ((0.4, PASSES), (0.5, Reason.MOVING)):
            ramp = samples([34.0 + slope * n / 2 for n in range(5)])
            late = [sample._replace(at_s=sample.at_s + start_s) for sample in ramp]
            assert judge(late, LIMITS, INSTRUMENT).reason is expected


@pytest.mark.parametrize("count", [5, 7, 10])
def test_noise_alone_is_hardly_ever_taken_for_movement_or_a_frozen_part(count):
    chance = random.Random(count)
    seen = reasons(visit(chance, count=count) for _ in range(4000))
    assert seen[Reason.MOVING] + seen[Reason.FROZEN] < 4000 * 0.03
    assert seen[Reason.MOVING] < 4000 * 0.01
    assert seen[PASSES] > 4000 * 0.97


def test_a_quiet_part_is_hardly_ever_wrong_either():
    chance = random.Random(5)
    seen = reasons((visit(chance, noise_c=0.05) for _ in range(4000)), QUIET)
    # Three equal words in a row are likelier with less noise: 6 in 100, measured again.
    assert seen[Reason.MOVING] < 4000 * 0.001
    assert seen[PASSES] > 4000 * 0.92


@pytest.mark.parametrize("climb_c_per_s", [0.7, -0.7])
def test_a_slow_approach_is_nearly_always_found(climb_c_per_s):
    chance = random.Random(7)
    seen = reasons(visit(chance, climb_c_per_s=climb_c_per_s) for _ in range(1000))
    assert seen[Reason.MOVING] > 950


@pytest.mark.parametrize(
    ("objects_c", "reason"),
    [
        ([34.0] * 5, Reason.FROZEN),
        ([36.5] * 5, Reason.FROZEN),  # a feverish number too: nothing was learnt
        ([34.0, 34.0, 34.0, 34.1, 34.2], Reason.FROZEN),
        ([34.1, 34.2, 34.0, 34.0, 34.0], Reason.FROZEN),
        ([34.1, 34.0, 34.0, 34.0, 34.2], Reason.FROZEN),
        ([34.0, 34.0, 34.1, 34.0, 34.0], PASSES),  # two equal are chance
        ([34.0, 34.1, 34.0, 34.1, 34.0], PASSES),
    ],
)
def test_three_equal_samples_in_a_row_are_a_part_that_repeats_itself(objects_c, reason, samples):
    assert judge(samples(objects_c), LIMITS, INSTRUMENT).reason is reason


@pytest.mark.parametrize(
    ("repeats", "reason"),
    [
        ((0, 0, 0, 0, 5), PASSES),
        ((1, 1, 1, 1, 1), PASSES),
        ((0, 0, 0, 0, 6), Reason.DISTURBED),
        ((2, 1, 1, 1, 1), Reason.DISTURBED),
    ],
)
def test_more_repeats_than_samples_are_a_disturbed_bus(repeats, reason, samples):
    pairs = zip(samples(COOL_C), repeats, strict=True)
    readings = [sample._replace(repeats=each) for sample, each in pairs]
    assert judge(readings, LIMITS, INSTRUMENT).reason is reason


CALIBRATED_CHIP = Chip("00a1b2c3d4e5f607", 1.0, 0x9F74)  # that of the calibration in conftest.py


@pytest.mark.parametrize(
    "other",
    [
        None,
        CALIBRATED_CHIP._replace(sensor_id="00a1b2c3d4e5f608"),
        CALIBRATED_CHIP._replace(emissivity=0.98),
        CALIBRATED_CHIP._replace(config=0x9FF4),
    ],
)
@pytest.mark.parametrize("n", [0, 2, 4])
def test_one_sample_of_another_chip_than_the_calibrated_one_is_not_trusted(
    other, n, samples, calibration
):
    instrument = replace(INSTRUMENT, correction=Correction(calibration=calibration))
    readings = samples(COOL_C, chip=CALIBRATED_CHIP)
    assert judge(readings, LIMITS, instrument).reason is PASSES
    readings[n] = readings[n]._replace(chip=other)
    assert judge(readings, LIMITS, instrument).reason is Reason.UNTRUSTED


def test_without_a_calibration_any_chip_will_do_here(samples):
    for chip in (None, CALIBRATED_CHIP):
        readings = samples(COOL_C, chip=chip)
        assert judge(readings, LIMITS, INSTRUMENT).reason is PASSES
        # ... but not two of them within one attempt.
        readings[4] = readings[4]._replace(chip=CALIBRATED_CHIP._replace(config=1))
        assert judge(readings, LIMITS, INSTRUMENT).reason is Reason.UNTRUSTED


NEAR_M, FAR_M = 0.03, 0.06


@pytest.mark.parametrize(
    ("distances_m", "reason"),
    [
        ((0.05,) * 5, PASSES),
        ((NEAR_M, 0.05, 0.05, 0.05, FAR_M), PASSES),
        ((0.05, 0.05, math.nextafter(NEAR_M, 0), 0.05, 0.05), Reason.TOO_NEAR),
        ((0.05, 0.05, math.nextafter(FAR_M, 1), 0.05, 0.05), Reason.TOO_FAR),
        ((0.02, 0.05, 0.05, 0.05, 0.07), Reason.TOO_NEAR),
        ((math.inf, 0.05, 0.05, 0.05, 0.05), Reason.TOO_FAR),
        ((-math.inf, 0.05, 0.05, 0.05, 0.05), Reason.TOO_NEAR),
        ((None,) * 5, PASSES),  # nothing measures it
        ((None, None, 0.07, None, None), Reason.TOO_FAR),
        ((math.nan,) * 5, Reason.TOO_NEAR),
        ((0.05, 0.05, math.nan, 0.05, 0.05), Reason.TOO_NEAR),
        ((0.05, 0.05, 0.05, 0.05, math.nan), Reason.TOO_NEAR),
    ],
)
def test_who_stands_too_near_or_too_far_is_told_so(distances_m, reason, samples):
    instrument = replace(INSTRUMENT, distance_m=(NEAR_M, FAR_M))
    pairs = zip(samples(COOL_C), distances_m, strict=True)
    readings = [sample._replace(distance_m=each) for sample, each in pairs]
    assert judge(readings, LIMITS, instrument).reason is reason
    assert judge(readings, LIMITS, INSTRUMENT).reason is PASSES  # where the site does not care


def test_whose_distance_is_wrong_is_told_that_and_not_to_hold_still(samples):
    instrument = replace(INSTRUMENT, distance_m=(NEAR_M, FAR_M))
    moving = samples((33.0, 34.5, 34.0, 33.1, 34.2), distance_m=0.2)
    assert judge(moving, LIMITS, instrument).reason is Reason.TOO_FAR


@pytest.mark.parametrize(
    ("objects_c", "complete"),
    [
        ([], False),
        ([34.0, 34.1, 34.2], False),
        ([34.0, 34.1, 34.2, 34.3], False),
        ([34.0, 34.1, 34.2, 34.3, 34.4], True),
        ([34.0, 34.0, 34.0, 34.0, 34.1], True),  # to be judged: frozen
        ([34.0, 34.1, 34.2, 34.3, 34.3], False),
        ([34.0, 34.1, 34.2, 34.3, 34.3, 34.3], False),
        ([34.0, 34.1, 34.2, 34.3, 34.3, 34.2], True),
        ([34.0] * 9, False),
        ([math.nan] * 5, False),
        ([34.0, 34.1, 34.2, 34.3, math.nan], True),
    ],
)
def test_an_attempt_is_complete_when_its_last_sample_is_a_new_one(objects_c, complete, samples):
    assert is_complete(samples(objects_c), LIMITS) is complete


def test_one_sample_is_complete_where_one_is_asked_for(samples):
    assert is_complete(samples([34.0]), replace(LIMITS, samples=1))
    assert not is_complete([], replace(LIMITS, samples=1))
