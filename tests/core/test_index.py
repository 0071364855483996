"""The index follows the skin: slope 1 through all corrections, no clamp, nothing pulled anywhere.

What a part would say of a forehead is computed here the way light and silicon do it, and the core
has to find the forehead again.
"""

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.core.correction import Calibration, Correction, Point, calibration_problems
from gatepost.core.screening import Instrument, Limits, Reason, Zone, index_c, judge
from gatepost_hal.ports import Chip, Reading

LIMITS = Limits(limit_c=37.3, guard_c=0.25, samples=3)
FIVE = replace(LIMITS, samples=5)
INSTRUMENT = Instrument(offset_c=2.5)
ROUNDING_C = 0.0011  # the index is told, and compared, in thousandths
fast = settings(max_examples=200, deadline=None)


class World(NamedTuple):
    """A place, a part with its errors, and what is known of both."""

    room_c: float
    self_heat_c: float  # of the die, over the room
    supply_v: float
    skin_emissivity: float
    calibration: Calibration
    offset_c: float

    @property
    def instrument(self):
        correction = Correction(self.supply_v, self.skin_emissivity, self.calibration)
        return Instrument(self.offset_c, correction=correction)

    def reading(self, skin_c):
        """Return what the part says of a forehead."""
        seen_c = mixed_c(self.skin_emissivity, skin_c, self.room_c)
        low, high = self.calibration.low, self.calibration.high
        part_span_c = high.measured_c - low.measured_c
        gain = part_span_c / (high.reference_c - low.reference_c)
        part_c = low.measured_c + gain * (seen_c - low.reference_c)
        die_c = self.room_c + self.self_heat_c
        chip = self.calibration.chip
        # The chip takes itself to look at a body of the emissivity in its cell, and divides.
        kelvin4 = (part_c + 273.15) ** 4 - (1 - chip.emissivity) * (die_c + 273.15) ** 4
        object_c = (kelvin4 / chip.emissivity) ** 0.25 - 273.15
        shift_c = 0.6 * (self.supply_v - 3.0)
        return Reading(0.0, object_c + shift_c, die_c + shift_c, chip)

    def verdict(self, skin_c):
        said = self.reading(skin_c)
        around = [said._replace(object_c=said.object_c + each) for each in (-0.02, 0.0, 0.02)]
        return judge(around, LIMITS, self.instrument)


def mixed_c(emissivity, body_c, room_c):
    kelvin4 = emissivity * (body_c + 273.15) ** 4 + (1 - emissivity) * (room_c + 273.15) ** 4
    return kelvin4**0.25 - 273.15


@st.composite
def calibrations(draw):
    """Return any calibration that is not refused."""
    low_c, span_c = draw(st.floats(20, 36)), draw(st.floats(3.01, 12))
    gain, error_c = draw(st.floats(0.951, 1.049)), draw(st.floats(-0.85, 0.85))
    low = Point(low_c, low_c + error_c)
    high = Point(low_c + span_c, low_c + error_c + span_c / gain)
    assert calibration_problems(low, high) == []
    chip = Chip("00a1b2c3d4e5f607", draw(st.floats(0.9, 1.0)), 0x9F74)
    return Calibration("a calibration", chip, low, high, due_utc_s=0.0)


worlds = st.builds(
    World,
    room_c=st.floats(20, 29),
    self_heat_c=st.floats(0, 0.5),
    supply_v=st.floats(2.6, 3.6),
    skin_emissivity=st.floats(0.95, 1.0) | st.just(0.98),
    calibration=calibrations(),
    offset_c=st.floats(0.5, 4.5),
)


@fast
@given(worlds, st.floats(31, 38))
def test_one_degree_of_fever_is_one_degree_of_index_whatever_is_corrected(world, skin_c):
    before, after = world.verdict(skin_c), world.verdict(skin_c + 1.0)
    assert after.index_c - before.index_c == pytest.approx(1.0, abs=0.05)


@fast
@given(worlds, st.floats(25, 45), st.floats(0.01, 5))
def test_any_fever_moves_the_index_by_all_of_itself_however_hot_or_cold_one_was(
    world, skin_c, fever_c
):
    before, after = world.verdict(skin_c), world.verdict(skin_c + fever_c)
    assert after.index_c - before.index_c == pytest.approx(fever_c, rel=0.01, abs=ROUNDING_C)
    assert after.index_c >= before.index_c


@fast
@given(worlds, st.floats(31, 38))
def test_the_skin_is_found_again_through_all_that_was_in_its_way(world, skin_c):
    verdict = world.verdict(skin_c)
    # What is left is that skin mirrors the room, and only the die's temperature is known.
    assert verdict.skin_c == pytest.approx(skin_c, abs=0.03)
    assert verdict.ambient_c[0] == pytest.approx(world.room_c + world.self_heat_c)
    ideal = verdict.skin_c - 0.18 * (verdict.ambient_c[0] - 24) + world.offset_c
    assert verdict.index_c == pytest.approx(ideal, abs=ROUNDING_C)


# 0.171 and 0.181 were found with two cameras.
@fast
@given(worlds, st.floats(33, 37), st.floats(0.171, 0.181))
def test_the_same_person_has_the_same_index_at_every_ambient(world, skin_c, slope):
    world = world._replace(skin_emissivity=0.98)
    indices = [
        world._replace(room_c=room_c).verdict(skin_c + slope * (room_c - 24)).index_c
        for room_c in (20.0, 22.0, 24.0, 26.5, 29.0)
    ]
    assert max(indices) - min(indices) < 0.1 + ROUNDING_C


@fast
@given(st.floats(30, 40), st.floats(10, 35), st.floats(0, 6), st.floats(0, 3))
def test_the_slope_of_the_index_in_the_skin_is_one(skin_c, ambient_c, offset_c, fever_c):
    before, after = (index_c(each_c, ambient_c, offset_c) for each_c in (skin_c, skin_c + fever_c))
    assert after - before == pytest.approx(fever_c, abs=1e-9)


def test_the_ambient_moves_the_index_by_its_slope_around_24():
    assert index_c(34.5, 24.0, 2.43) == 36.93
    assert index_c(34.5, 29.0, 2.43) == pytest.approx(36.93 - 0.9)
    assert index_c(34.5, 19.0, 2.43) == pytest.approx(36.93 + 0.9)


def never_thrice(words):
    return all(len(set(words[n : n + 3])) > 1 for n in range(3))


# A still person as the part can show it: words of 0.02 C that spread by less than 1 C.
people = st.tuples(
    st.lists(st.integers(0, 49), min_size=5, max_size=5).filter(never_thrice),
    st.integers(15000, 15900),  # 26.85 to 44.85 C
    st.integers(14658, 15107),  # 20.01 to 28.99 C
)


def seen(person, warmer_words=0):
    """Return five samples without times, so that their order is no trend."""
    wobble, object_word, ambient_word = person
    ambient_c = ambient_word * 0.02 - 273.15
    words = [object_word + warmer_words + extra for extra in wobble]
    return [Reading(0.0, word * 0.02 - 273.15, ambient_c) for word in words]


@fast
@given(people, st.integers(1, 150))
def test_the_index_moves_with_the_words_on_the_wire(person, words):
    before = judge(seen(person), FIVE, INSTRUMENT)
    after = judge(seen(person, words), FIVE, INSTRUMENT)
    assert after.index_c - before.index_c == pytest.approx(words * 0.02, abs=ROUNDING_C)


def heat(verdict):
    """Return how hot a verdict calls a person; no information is below a pass or above all."""
    cooler = [Reason.NO_FOREHEAD, Reason.COLD]
    by_reason = dict.fromkeys(cooler, 0) | {Reason.TOO_HOT: 4}
    by_zone = {Zone.PASS: 1, Zone.RECHECK: 2, Zone.REFER: 3}
    return by_reason[verdict.reason] if verdict.reason in by_reason else by_zone[verdict.zone]


@fast
@given(people, st.lists(st.integers(0, 600), min_size=2, max_size=8).map(sorted))
def test_a_hotter_person_is_never_better_off(person, warmer_words):
    verdicts = [judge(seen(person, words), FIVE, INSTRUMENT) for words in warmer_words]
    assert all(heat(cooler) <= heat(hotter) for cooler, hotter in pairwise(verdicts))


@fast
@given(people, st.permutations(range(5)))
def test_the_order_of_the_samples_does_not_move_the_index(person, order):
    readings = seen(person)
    verdict = judge(readings, FIVE, INSTRUMENT)
    other = judge([readings[n] for n in order], FIVE, INSTRUMENT)
    # The order may only make it frozen, and then it is no information.
    assert replace(other, zone=verdict.zone, reason=verdict.reason) == verdict
    assert other.zone in {verdict.zone, Zone.NO_INFORMATION}


@fast
@given(people, st.floats(0, 6))
def test_the_offset_of_the_device_is_added_as_it_is(person, offset_c):
    bare = judge(seen(person), FIVE, Instrument(0.0)).index_c
    with_offset = judge(seen(person), FIVE, Instrument(offset_c)).index_c
    assert with_offset == pytest.approx(bare + offset_c, abs=ROUNDING_C)
