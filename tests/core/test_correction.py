"""From the part's word to the skin: supply, calibration, emissivity, each undone once, in order."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.core.correction import (
    Calibration,
    Correction,
    Point,
    at_nominal_supply,
    calibration_problems,
    corrected,
)
from gatepost_hal.ports import Chip, Reading

fast = settings(max_examples=200, deadline=None)
NUMBERS = st.floats(-273, 400) | st.sampled_from([math.nan, math.inf, -math.inf])


def reading(object_c, ambient_c=22.0, emissivity=1.0):
    return Reading(1.5, object_c, ambient_c, Chip("0" * 16, emissivity, 0x9F74), 0.05, 2)


def seen_c(emissivity, body_c, room_c):
    """Return what a black-body thermometer says of a body that mirrors its room."""
    kelvin4 = emissivity * (body_c + 273.15) ** 4 + (1 - emissivity) * (room_c + 273.15) ** 4
    return kelvin4**0.25 - 273.15


def skin_c(object_c, ambient_c=22.0, **correction):
    return corrected(reading(object_c, ambient_c), Correction(**correction)).object_c


def test_a_black_body_at_the_nominal_supply_is_left_as_it_is():
    assert corrected(reading(34.56), Correction()) == reading(34.56)
    assert at_nominal_supply(reading(34.56), 3.0) == reading(34.56)
    bare = Reading(1.5, 34.56, 22.0)  # of a thermometer without an identity
    assert corrected(bare, Correction()) == bare


# Datasheet page 36: at 3.3 V a part says 0.18 C too much of everything.
@pytest.mark.parametrize(
    ("supply_v", "shift_c"), [(3.3, 0.18), (3.0, 0.0), (2.6, -0.24), (3.6, 0.36)]
)
def test_the_supply_moves_both_temperatures_by_six_tenths_a_volt(supply_v, shift_c):
    for nominal in (
        at_nominal_supply(reading(34.56), supply_v),
        corrected(reading(34.56), Correction(supply_v=supply_v)),
    ):
        assert nominal.object_c == pytest.approx(34.56 - shift_c)
        assert nominal.ambient_c == pytest.approx(22.0 - shift_c)


@pytest.mark.parametrize(("room_c", "low_c"), [(16.0, 0.33), (22.0, 0.23), (28.0, 0.12)])
def test_skin_of_34_is_seen_low_by_what_it_mirrors_of_the_room_and_found_again(room_c, low_c):
    # The figures of the facts, and the physics they come from.
    assert skin_c(34.0 - low_c, room_c, emissivity=0.98) == pytest.approx(34.0, abs=0.01)
    seen = seen_c(0.98, 34.0, room_c)
    assert skin_c(seen, room_c, emissivity=0.98) == pytest.approx(34.0, abs=1e-9)


def test_skin_as_warm_as_its_room_needs_no_correction():
    assert skin_c(34.0, 34.0, emissivity=0.98) == pytest.approx(34.0, abs=1e-9)


@fast
@given(st.floats(20, 45), st.floats(5, 40), st.floats(0.9, 1.0), st.floats(2.6, 3.6))
def test_what_the_chips_own_emissivity_added_is_taken_back(body_c, die_c, cell, supply_v):
    # The chip solves for a body of that emissivity: what it computed, it can be asked to undo.
    kelvin4 = ((body_c + 273.15) ** 4 - (1 - cell) * (die_c + 273.15) ** 4) / cell
    said_c = kelvin4**0.25 - 273.15
    shift_c = 0.6 * (supply_v - 3.0)
    undone = at_nominal_supply(reading(said_c + shift_c, die_c + shift_c, cell), supply_v)
    assert undone.object_c == pytest.approx(body_c, abs=1e-6)
    assert undone.ambient_c == pytest.approx(die_c)


def test_a_chip_that_corrects_for_skin_itself_is_not_corrected_twice():
    seen = seen_c(0.98, 34.0, 22.0)
    for said_c, cell in ((seen, 1.0), (34.0, 0.98)):
        found = corrected(reading(said_c, 22.0, cell), Correction(emissivity=0.98))
        assert found.object_c == pytest.approx(34.0, abs=1e-6)


@pytest.mark.parametrize(("measured_c", "reference_c"), [(33.1, 33.0), (37.9, 38.0)])
def test_the_two_points_fall_onto_their_references(measured_c, reference_c, calibration):
    assert calibration.corrected_c(measured_c) == pytest.approx(reference_c, abs=1e-12)
    assert skin_c(measured_c, calibration=calibration) == pytest.approx(reference_c, abs=1e-12)


def test_between_and_beyond_the_two_points_a_straight_line_counts(calibration):
    assert calibration.gain == pytest.approx(5.0 / 4.8)
    assert calibration.corrected_c(35.5) == pytest.approx(35.5)
    assert calibration.corrected_c(42.7) == pytest.approx(43.0)
    assert calibration.corrected_c(28.3) == pytest.approx(28.0)


def test_a_calibration_leaves_the_ambient_as_it_is(calibration):
    assert corrected(reading(33.1), Correction(calibration=calibration)).ambient_c == 22.0


def test_supply_comes_first_then_the_black_body_then_the_skin(calibration):
    # A part that is calibrated at its references has to say 33.1 of 33 and 37.9 of 38, at 3.0 V;
    # the skin is 34 C and mirrors a room of 22 C.
    in_front_c = seen_c(0.98, 34.0, 22.0)
    said_c = 33.1 + (in_front_c - 33.0) * 4.8 / 5 + 0.18
    correction = Correction(supply_v=3.3, emissivity=0.98, calibration=calibration)
    found = corrected(reading(said_c, 22.18), correction)
    assert (found.object_c, found.ambient_c) == pytest.approx((34.0, 22.0), abs=1e-9)


def test_the_rest_of_a_reading_stays_as_it_was(calibration):
    correction = Correction(supply_v=3.3, emissivity=0.98, calibration=calibration)
    before = reading(34.5, emissivity=0.97)
    after = corrected(before, correction)
    assert after._replace(object_c=34.5, ambient_c=22.0) == before


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (Point(33.0, 33.0), Point(38.0, 38.0)),
        (Point(33.0, 32.5), Point(38.0, 37.5)),
        (Point(33.0, 31.5), Point(38.0, 36.5)),  # 1.5 C off
        (Point(33.0, 34.5), Point(38.0, 39.5)),
        (Point(35.0, 35.0), Point(38.0, 38.0)),  # 3 C apart
        (Point(30.0, 30.0), Point(40.5, 40.0)),  # a gain of exactly 1.05
        (Point(30.0, 30.0), Point(39.5, 40.0)),  # 0.95
    ],
)
def test_a_sound_calibration_has_no_problems(low, high):
    assert calibration_problems(low, high) == []


REFUSED = [
    (Point(35.0, 35.0), Point(37.99, 38.0), ["2.99 C apart"]),
    (Point(38.0, 38.0), Point(33.0, 33.0), ["-5.00 C apart"]),  # the other way round
    (Point(33.0, 33.0), Point(33.0, 33.0), ["0.00 C apart"]),
    (Point(33.0, 31.49), Point(38.0, 36.5), ["-1.51 C off at the low point"]),
    (Point(33.0, 34.51), Point(38.0, 39.5), ["+1.51 C off at the low point"]),
    (Point(33.0, 31.5), Point(38.0, 36.49), ["-1.51 C off at the high point"]),
    (Point(33.0, 34.5), Point(38.0, 39.51), ["+1.51 C off at the high point"]),
    (Point(33.0, 22.0), Point(38.0, 22.1), ["low point", "high point"]),  # looked at the wall
    (Point(35.0, 33.0), Point(36.0, 38.0), ["apart", "low point", "high point"]),
    (Point(30.0, 30.0), Point(40.51, 40.0), ["gain"]),
    (Point(30.0, 30.0), Point(39.49, 40.0), ["gain"]),
    (Point(35.0, 36.5), Point(38.0, 36.5), ["gain"]),  # 0 C of the part: no line at all
    (Point(35.0, 36.5), Point(38.0, 36.4), ["-1.60 C off"]),
    (Point(math.nan, 33.0), Point(38.0, 38.0), ["apart", "low point"]),
    (Point(33.0, math.nan), Point(38.0, 38.0), ["low point"]),
    (Point(33.0, 33.0), Point(math.nan, 38.0), ["apart", "high point"]),
    (Point(33.0, 33.0), Point(38.0, math.nan), ["high point"]),
    (Point(33.0, math.inf), Point(38.0, 38.0), ["low point"]),
    (Point(-math.inf, -math.inf), Point(math.inf, math.inf), ["low point", "high point"]),
]


@pytest.mark.parametrize(("low", "high", "words"), REFUSED)
def test_nonsense_is_refused_with_what_is_wrong_and_what_to_do(low, high, words):
    problems = calibration_problems(low, high)
    assert len(problems) == len(words)
    for problem, word in zip(problems, words, strict=True):
        assert word in problem
        assert problem.endswith(".")
        assert any(remedy in problem for remedy in ("take two", "replace", "measure again"))


@fast
@given(*[st.floats(0, 60) | NUMBERS] * 4)
def test_whatever_is_not_refused_is_near_the_part_and_maps_onto_its_references(a, b, c, d):
    low, high = Point(a, b), Point(c, d)
    if calibration_problems(low, high):
        return
    calibration = Calibration("", Chip("", 1.0, 0), low, high, 0.0)
    assert 0.95 - 1e-9 <= calibration.gain <= 1.05 + 1e-9
    for point in (low, high):
        assert calibration.corrected_c(point.measured_c) == pytest.approx(point.reference_c)
        assert abs(point.measured_c - point.reference_c) <= 1.5


@fast
@given(
    NUMBERS | st.floats(),
    NUMBERS | st.floats(),
    st.floats(0.5, 1.0),
    st.floats(0.5, 1.0),
    st.booleans(),
)
def test_any_number_becomes_a_number_or_none_never_a_complex_one(
    object_c, ambient_c, cell, emissivity, is_calibrated
):
    line = Calibration("", Chip("", 1.0, 0), Point(33.0, 33.1), Point(38.0, 37.9), 0.0)
    correction = Correction(3.3, emissivity, line if is_calibrated else None)
    found = corrected(reading(object_c, ambient_c, cell), correction)
    assert type(found.object_c) is type(found.ambient_c) is float


@pytest.mark.parametrize("impossible_c", [-273.16, -580.3, 1e80, math.inf, math.nan])
def test_what_no_body_can_have_is_no_number(impossible_c):
    # The fourth power of 307 K below nothing is that of 34 C.
    assert math.isnan(skin_c(impossible_c, 24.0, emissivity=0.98))
    assert math.isnan(skin_c(34.0, impossible_c, emissivity=0.98))


def test_a_skin_colder_than_what_it_mirrors_could_make_it_is_no_number():
    # A room of 60 C alone would make a body of emissivity 0.5 look warmer than 0 C.
    assert math.isnan(skin_c(0.0, 60.0, emissivity=0.5))
    assert math.isnan(corrected(reading(-273.0, 400.0, 1.0), Correction(emissivity=0.5)).object_c)
