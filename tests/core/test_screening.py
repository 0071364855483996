import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.core.screening import ZONES, Limits, Reason, Verdict, Zone, index_c, judge
from gatepost_hal.ports import Reading

LIMITS = Limits(limit_c=37.3, guard_c=0.2, offset_c=2.43, samples=5)
# All of these are exact in binary, so that the edges can be hit exactly.
EXACT = Limits(limit_c=37.25, guard_c=0.25, offset_c=2.5, samples=5)
fast = settings(max_examples=200, deadline=None)
WOBBLE_C = (-0.25, 0.25, 0.0, -0.125, 0.125)  # around the median; exact in binary too


def samples(objects_c, ambient_c=24.0):
    return [Reading(float(n), object_c, ambient_c) for n, object_c in enumerate(objects_c)]


def around(object_c, ambient_c=24.0):
    return samples([object_c + wobble_c for wobble_c in WOBBLE_C], ambient_c)


def word_c(word):
    return word * 0.02 - 273.15


def worse(outcome):
    return [Zone.PASS, Zone.RECHECK, Zone.REFER].index(outcome)


def test_each_reason_has_its_zone():
    assert ZONES == {
        Reason.BELOW_LIMIT: Zone.PASS,
        Reason.NEAR_LIMIT: Zone.RECHECK,
        Reason.ABOVE_LIMIT: Zone.REFER,
        Reason.TOO_FEW_SAMPLES: Zone.NO_INFORMATION,
        Reason.FROZEN: Zone.NO_INFORMATION,
        Reason.MOVING: Zone.NO_INFORMATION,
        Reason.IMPLAUSIBLE: Zone.NO_INFORMATION,
    }


def test_a_verdict_tells_all_that_it_was_made_from():
    verdict = judge(around(34.5, ambient_c=23.0), EXACT)
    assert verdict == Verdict(
        zone=Zone.RECHECK,
        reason=Reason.NEAR_LIMIT,
        index_c=34.5 + 0.18 + 2.5,
        object_c=34.5,
        ambient_c=23.0,
        spread_c=0.5,
    )


@pytest.mark.parametrize(
    ("object_c", "reason"),
    [
        (33.0, Reason.BELOW_LIMIT),
        (34.5, Reason.BELOW_LIMIT),  # 37.00: the lower edge of the guard band itself passes
        (34.5004, Reason.BELOW_LIMIT),  # the index counts in thousandths
        (34.501, Reason.NEAR_LIMIT),
        (34.75, Reason.NEAR_LIMIT),  # 37.25: the limit
        (35.0, Reason.NEAR_LIMIT),  # 37.50: the upper edge
        (35.0004, Reason.NEAR_LIMIT),
        (35.001, Reason.ABOVE_LIMIT),
        (37.0, Reason.ABOVE_LIMIT),
    ],
)
def test_the_edges_of_the_guard_band(object_c, reason):
    assert judge(around(object_c), EXACT).reason is reason


@pytest.mark.parametrize(
    ("index", "is_within"),
    [
        (37.29, True),
        (37.3, True),
        (math.nextafter(37.3, 99), False),
        (37.31, False),
        (math.inf, False),
        (math.nan, False),
        (None, False),
    ],
)
def test_the_limit_itself_is_within_it_and_what_is_no_number_is_not(index, is_within):
    assert Verdict(Zone.RECHECK, Reason.NEAR_LIMIT, index).is_within(37.3) is is_within


@pytest.mark.parametrize("count", range(5))
def test_fewer_samples_than_asked_for_are_no_information(count):
    assert judge(around(34.0)[:count], LIMITS) == Verdict(
        Zone.NO_INFORMATION, Reason.TOO_FEW_SAMPLES
    )


@pytest.mark.parametrize(
    ("readings", "reason"),
    [
        (samples([34.0] * 5), Reason.FROZEN),
        (samples([36.5] * 5), Reason.FROZEN),  # a feverish number too: nothing was learnt
        (samples([34.0, 34.0, 34.0, 34.1, 34.2]), Reason.FROZEN),
        (samples([34.1, 34.2, 34.0, 34.0, 34.0]), Reason.FROZEN),
        (samples([34.0, 34.0, 34.1, 34.0, 34.0]), Reason.BELOW_LIMIT),  # two equal are chance
        (samples([33.5, 34.5, 34.0, 34.0, 34.1]), Reason.BELOW_LIMIT),  # a spread of exactly 1.0
        (samples([33.5, math.nextafter(34.5, 99), 34.0, 34.0, 34.1]), Reason.MOVING),
        (samples([34.0, 34.1, 34.0, 34.1, 22.0]), Reason.MOVING),  # gone for one sample
        (samples([20.0, 20.1, 20.2, 20.3, 20.4], 10.0), Reason.IMPLAUSIBLE),  # a wall
        (samples([31.5, 31.75, 31.875, 32.0, 32.0]), Reason.IMPLAUSIBLE),  # cold
        (samples([31.5, 31.75, 32.0, 32.0, 32.25]), Reason.BELOW_LIMIT),
        (samples([42.75, 43.0, 43.0, 43.25, 43.25]), Reason.ABOVE_LIMIT),
        (samples([42.75, 43.0, 43.125, 43.25, 43.25]), Reason.IMPLAUSIBLE),  # a cup of tea
        (around(34.0, ambient_c=30.0), Reason.BELOW_LIMIT),  # exactly 4 C over the die
        (around(34.0, ambient_c=math.nextafter(30.0, 99)), Reason.IMPLAUSIBLE),
        (around(34.0, ambient_c=34.0), Reason.IMPLAUSIBLE),  # a sensor as warm as the person
    ],
)
def test_what_no_forehead_can_show_is_no_information(readings, reason):
    assert judge(readings, LIMITS).reason is reason


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_samples_that_are_no_numbers_are_no_information(number):
    assert judge(samples([number] * 5), LIMITS).zone is Zone.NO_INFORMATION


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_an_ambient_that_is_no_number_is_no_information(number):
    assert judge(around(34.0, ambient_c=number), LIMITS).zone is Zone.NO_INFORMATION


def test_one_bad_number_among_good_samples_is_no_pass():
    good_c = [34.1, 34.2, 34.0, 34.15]
    for n in range(5):
        for number in (math.nan, math.inf, -math.inf):
            mixed = samples([*good_c[:n], number, *good_c[n:]])
            assert judge(mixed, LIMITS).reason is Reason.IMPLAUSIBLE


def test_infinite_ambients_are_no_information_and_no_crash():
    readings = [*around(34.0, math.inf)[:3], *around(34.0, -math.inf)[3:]]
    assert judge(readings, LIMITS).zone is Zone.NO_INFORMATION


@fast
@given(st.floats(30, 40), st.floats(10, 35), st.floats(0, 6), st.floats(0, 3))
def test_the_slope_of_the_index_in_the_skin_is_one(object_c, ambient_c, offset_c, fever_c):
    before, after = (
        index_c(each_c, ambient_c, offset_c) for each_c in (object_c, object_c + fever_c)
    )
    assert after - before == pytest.approx(fever_c, abs=1e-9)


def test_the_ambient_moves_the_index_by_its_slope_around_24():
    assert index_c(34.5, 24.0, 2.43) == 36.93
    assert index_c(34.5, 29.0, 2.43) == pytest.approx(36.93 - 0.9)
    assert index_c(34.5, 19.0, 2.43) == pytest.approx(36.93 + 0.9)


def test_the_median_counts_and_the_ambient_is_the_mean():
    objects_c = (34.0, 34.5, 34.25, 34.875, 34.125)
    ambients_c = (22.0, 22.5, 23.0, 23.5, 26.5)
    readings = [Reading(0.0, o, a) for o, a in zip(objects_c, ambients_c, strict=True)]
    verdict = judge(readings, EXACT)
    assert (verdict.object_c, verdict.ambient_c, verdict.spread_c) == (34.25, 23.5, 0.875)


def never_thrice(words):
    return all(len(set(words[n : n + 3])) > 1 for n in range(3))


# A still person as the part can show it: words of 0.02 C that spread by less than 1 C.
people = st.tuples(
    st.lists(st.integers(0, 49), min_size=5, max_size=5).filter(never_thrice),
    st.integers(15258, 15750),  # 32.01 to 41.85 C
    st.integers(14400, 15000),  # 14.85 to 26.85 C: at least 4 C under the coldest skin
)
# The index is told, and compared, in thousandths.
ROUNDING_C = 0.0011


def seen(person, warmer_words=0):
    wobble, object_word, ambient_word = person
    objects_c = [word_c(object_word + warmer_words + extra) for extra in wobble]
    return samples(objects_c, word_c(ambient_word))


@fast
@given(people, st.integers(1, 150))
def test_a_fever_moves_the_index_by_all_of_itself(person, words):
    before, after = judge(seen(person), LIMITS), judge(seen(person, words), LIMITS)
    assert after.index_c - before.index_c == pytest.approx(words * 0.02, abs=ROUNDING_C)


@fast
@given(people)
def test_one_degree_of_fever_is_one_degree_of_index(person):
    before, after = judge(seen(person), LIMITS), judge(seen(person, 50), LIMITS)
    assert after.index_c - before.index_c == pytest.approx(1.0, abs=ROUNDING_C)


@fast
@given(people, st.lists(st.integers(0, 58), min_size=2, max_size=5).map(sorted))
def test_a_hotter_person_is_never_better_off(person, warmer_words):
    # Up to 43 C; what is hotter than that is no forehead, and no pass (see above).
    person = (person[0], min(person[1], 15695), person[2])
    zones = [judge(seen(person, words), LIMITS).zone for words in warmer_words]
    assert all(worse(cooler) <= worse(hotter) for cooler, hotter in pairwise(zones))


@fast
@given(people, st.permutations(range(5)))
def test_the_order_of_the_samples_does_not_move_the_index(person, order):
    readings = seen(person)
    verdict, other = (judge(each, LIMITS) for each in (readings, [readings[n] for n in order]))
    # The order may only make it frozen, and then it is no information.
    assert replace(other, zone=verdict.zone, reason=verdict.reason) == verdict
    assert other.zone in {verdict.zone, Zone.NO_INFORMATION}


@fast
@given(people, st.floats(0, 6))
def test_the_offset_of_the_device_is_added_as_it_is(person, offset_c):
    bare = judge(seen(person), replace(LIMITS, offset_c=0.0)).index_c
    assert judge(seen(person), replace(LIMITS, offset_c=offset_c)).index_c == pytest.approx(
        bare + offset_c, abs=ROUNDING_C
    )


# Whatever a driver gone wrong may say.
NO_NUMBERS = st.sampled_from([math.inf, -math.inf, math.nan])
skins = st.floats(31.5, 43.5) | st.floats(-300, 1100) | NO_NUMBERS
dies = st.floats(15, 40) | st.floats(-300, 1100) | NO_NUMBERS


@fast
@given(st.lists(st.tuples(skins, dies), min_size=5, max_size=5))
def test_a_pass_is_always_a_plausible_still_person_under_the_guard_band(pairs):
    verdict = judge([Reading(0.0, object_c, ambient_c) for object_c, ambient_c in pairs], LIMITS)
    is_plausible = (
        verdict.object_c is not None
        and 32.0 <= verdict.object_c <= 43.0
        and verdict.object_c - verdict.ambient_c >= 4.0
        and 0 < verdict.spread_c <= 1.0
    )
    assert verdict.zone is Zone.NO_INFORMATION or is_plausible
    assert verdict.zone is not Zone.PASS or verdict.index_c <= 37.3 - 0.2
