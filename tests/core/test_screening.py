"""What one attempt says: the zones around the limit, and what no bare forehead can show."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.core.correction import Correction
from gatepost.core.screening import GUIDANCE, Instrument, Limits, Reason, Verdict, Zone, judge
from gatepost_hal.ports import Reading

# All of these are exact in binary, so that the edges can be hit exactly.
LIMITS = Limits(limit_c=37.25, guard_c=0.25, samples=5)
INSTRUMENT = Instrument(offset_c=2.5)
WOBBLE_C = (-0.25, 0.25, 0.0, -0.125, 0.125)  # around the median; exact in binary too
fast = settings(max_examples=200, deadline=None)


def above(number):
    return math.nextafter(number, math.inf)


def below(number):
    return math.nextafter(number, -math.inf)


@pytest.fixture(scope="session")
def around(samples):
    """Return what makes five samples of this median, without a trend."""
    return lambda c, *ambient, **fields: samples([c + w for w in WOBBLE_C], *ambient, **fields)


def test_every_reason_says_what_follows_and_only_one_lets_pass():
    assert set(GUIDANCE) == set(Reason)
    zones = {reason: each.zone for reason, each in GUIDANCE.items()}
    sure = {
        Reason.BELOW_LIMIT: Zone.PASS,
        Reason.NEAR_LIMIT: Zone.RECHECK,
        Reason.ABOVE_LIMIT: Zone.REFER,
    }
    assert zones == dict.fromkeys(Reason, Zone.NO_INFORMATION) | sure
    assert len({reason.value for reason in Reason}) == len(Reason)  # else one is an alias


def test_what_one_is_told_can_be_done_and_staff_is_told_of_where_nothing_can():
    assert all(1 <= each.attempts <= 3 and len(each.say) >= 8 for each in GUIDANCE.values())
    staff = {reason for reason, each in GUIDANCE.items() if "staff" in each.say}
    once = {reason for reason, each in GUIDANCE.items() if each.attempts == 1}
    assert once - staff == {Reason.BELOW_LIMIT}
    assert staff <= once
    # Near the limit one attempt more than the first is needed before anybody is admitted.
    assert GUIDANCE[Reason.NEAR_LIMIT].attempts > 1


def test_nobody_is_told_of_an_illness():
    words = " ".join(each.say for each in GUIDANCE.values()).lower()
    assert not {"fever", "ill", "sick", "temperature", "diagnos"} & set(words.split())


def test_a_verdict_tells_all_that_it_was_made_from(samples):
    readings = samples((34.25, 34.75, 34.5, 34.375, 34.625))
    ambients_c = (23.0, 23.0, 22.875, 23.0, 23.125)
    readings = [r._replace(ambient_c=c) for r, c in zip(readings, ambients_c, strict=True)]
    assert judge(readings, LIMITS, replace(INSTRUMENT, doubt_c=0.125)) == Verdict(
        zone=Zone.RECHECK,
        reason=Reason.NEAR_LIMIT,
        index_c=34.5 + 0.18 + 2.5,
        object_c=34.5,
        skin_c=34.5,
        max_c=34.75,
        spread_c=0.5,
        ambient_c=(23.0, 23.125),
        guard_c=0.375,
        offset_c=2.5,
    )


def test_what_is_compared_is_corrected_and_what_was_measured_is_told_beside_it(samples):
    instrument = replace(INSTRUMENT, correction=Correction(supply_v=3.3))
    verdict = judge(samples([34.5, 34.25, 34.75, 34.75, 34.5], 24.0), LIMITS, instrument)
    assert verdict.object_c == 34.5
    corrected_c = (verdict.skin_c, verdict.max_c, *verdict.ambient_c)
    assert corrected_c == pytest.approx((34.32, 34.57, 23.82, 23.82))
    assert verdict.spread_c == pytest.approx(0.5)
    assert verdict.index_c == pytest.approx(34.32 + 0.18 * 0.18 + 2.5, abs=0.0005)


def test_the_median_counts_and_the_ambient_is_the_mean(samples):
    readings = samples((34.0, 34.5, 34.25, 34.875, 34.125))
    ambients_c = (24.0, 24.5, 26.0, 23.5, 24.25)
    readings = [r._replace(ambient_c=c) for r, c in zip(readings, ambients_c, strict=True)]
    verdict = judge(readings, LIMITS, INSTRUMENT)
    assert (verdict.skin_c, verdict.max_c, verdict.spread_c) == (34.25, 34.875, 0.875)
    assert verdict.index_c == pytest.approx(34.25 - 0.18 * 0.45 + 2.5, abs=1e-9)


@pytest.mark.parametrize(
    ("object_c", "reason"),
    [
        (33.25, Reason.BELOW_LIMIT),
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
def test_the_edges_of_the_guard_band(object_c, reason, around):
    assert judge(around(object_c), LIMITS, INSTRUMENT).reason is reason


@pytest.mark.parametrize(
    ("object_c", "reason"),
    [
        (34.375, Reason.BELOW_LIMIT),
        (34.376, Reason.NEAR_LIMIT),
        (35.125, Reason.NEAR_LIMIT),
        (35.126, Reason.ABOVE_LIMIT),
    ],
)
def test_a_doubt_about_the_offset_widens_the_guard_band_on_both_sides(object_c, reason, around):
    doubtful = replace(INSTRUMENT, doubt_c=0.125)
    assert judge(around(object_c), LIMITS, doubtful).reason is reason


@pytest.mark.parametrize(
    ("index", "is_within"),
    [
        (37.29, True),
        (37.3, True),
        (above(37.3), False),
        (37.31, False),
        (math.inf, False),
        (math.nan, False),
        (None, False),
    ],
)
def test_the_limit_itself_is_within_it_and_what_is_no_number_is_not(index, is_within):
    assert Verdict(Zone.RECHECK, Reason.NEAR_LIMIT, index).is_within(37.3) is is_within


@pytest.mark.parametrize("reason", [r for r, g in GUIDANCE.items() if g.zone.value[0] == "n"])
def test_a_distrusted_verdict_keeps_its_numbers_and_says_nothing(reason, around):
    verdict = judge(around(34.0), LIMITS, INSTRUMENT)
    assert verdict.distrusted(reason) == replace(verdict, zone=Zone.NO_INFORMATION, reason=reason)
    assert verdict.zone is Zone.PASS


def test_a_verdict_that_nothing_speaks_against_or_that_says_nothing_stays_as_it_is(around):
    verdict = judge(around(34.0), LIMITS, INSTRUMENT)
    assert verdict.distrusted(None) is verdict
    cold = judge(around(32.75), LIMITS, INSTRUMENT)
    assert cold.distrusted(Reason.DRIFTED) is cold
    assert cold.reason is Reason.COLD


@pytest.mark.parametrize("count", range(1, 5))
@pytest.mark.parametrize("object_c", [34.0, 36.5, 22.0])
def test_fewer_samples_than_asked_for_are_no_information_and_are_told(count, object_c, around):
    verdict = judge(around(object_c)[:count], LIMITS, INSTRUMENT)
    assert (verdict.zone, verdict.reason) == (Zone.NO_INFORMATION, Reason.TOO_FEW_SAMPLES)
    assert verdict.index_c == pytest.approx(verdict.skin_c + 2.5, abs=0.001)


def test_no_samples_at_all_are_no_information():
    assert judge([], LIMITS, INSTRUMENT) == Verdict(Zone.NO_INFORMATION, Reason.TOO_FEW_SAMPLES)


# The skin, the ambient, the device's offset, the reason: every edge of what a forehead can show.
SCENES = [
    (22.5, 24.0, 2.5, Reason.NO_FOREHEAD),  # a wall
    (below(32.0), 24.0, 5.0, Reason.NO_FOREHEAD),
    (32.0, 24.0, 5.0, Reason.BELOW_LIMIT),
    (33.0, 29.0, 4.0, Reason.BELOW_LIMIT),  # exactly 4 C over the die
    (below(33.0), 29.0, 4.0, Reason.NO_FOREHEAD),
    (34.0, 34.0, 5.0, Reason.AMBIENT),  # before the contrast that nobody has in such a room
    (34.0, 40.0, 5.0, Reason.AMBIENT),
    (32.999, 24.0, 2.5, Reason.COLD),  # 35.499
    (32.9996, 24.0, 2.5, Reason.BELOW_LIMIT),  # 35.5: the index counts in thousandths
    (33.0, 24.0, 2.5, Reason.BELOW_LIMIT),
    (32.0, 24.0, 2.5, Reason.COLD),
    (39.5, 24.0, 2.5, Reason.ABOVE_LIMIT),  # 42.0
    (39.501, 24.0, 2.5, Reason.TOO_HOT),
    (43.0, 24.0, -2.5, Reason.ABOVE_LIMIT),
    (above(43.0), 24.0, -2.5, Reason.TOO_HOT),  # the sun, or a cup of tea
    (60.0, 24.0, 2.5, Reason.TOO_HOT),
    (33.5, 20.0, 2.5, Reason.BELOW_LIMIT),
    (33.5, below(20.0), 2.5, Reason.AMBIENT),
    (34.0, 29.0, 2.5, Reason.BELOW_LIMIT),
    (34.0, above(29.0), 2.5, Reason.AMBIENT),
    (30.0, 19.9, 2.5, Reason.AMBIENT),  # before the cold skin that everybody has there
    (45.0, 29.5, 2.5, Reason.AMBIENT),
    (38.5, 29.5, 2.5, Reason.AMBIENT),  # a feverish number too: nothing was learnt
]


@pytest.mark.parametrize(("skin_c", "ambient_c", "offset_c", "reason"), SCENES)
def test_the_edges_of_what_a_forehead_can_show(skin_c, ambient_c, offset_c, reason, samples):
    # Around the median by what every skin here can take without being rounded.
    readings = samples([skin_c, skin_c - 0.25, skin_c + 0.25, skin_c - 0.125, skin_c], ambient_c)
    verdict = judge(readings, LIMITS, Instrument(offset_c))
    assert (verdict.reason, verdict.skin_c) == (reason, skin_c)
    assert verdict.index_c is not None  # told, whatever it is worth


@pytest.mark.parametrize(
    ("ambient_c", "guard_c"),
    [
        (20.0, 0.25),
        (29.0, 0.25),
        (19.0, 0.35),
        (18.0, 0.45),
        (29.5, 0.3),
        (31.0, 0.45),
        (-10.0, 3.25),
    ],
)
def test_outside_its_ambients_the_guard_band_widens_by_a_tenth_a_degree(ambient_c, guard_c, around):
    wide = replace(LIMITS, widens_outside=True)
    verdict = judge(around(35.25, ambient_c), wide, INSTRUMENT)
    assert verdict.guard_c == pytest.approx(guard_c, abs=1e-9)
    # An index that lies on the lower edge passes, and a thousandth more does not.
    edge_c = 37.25 - guard_c - 2.5 + 0.18 * (ambient_c - 24)
    if edge_c > 33:  # else it is too cold for anybody
        reasons = [judge(around(edge_c + c, ambient_c), wide, INSTRUMENT).reason for c in (0, 1e-3)]
        assert reasons == [Reason.BELOW_LIMIT, Reason.NEAR_LIMIT]


def test_a_site_may_say_where_the_ambient_term_holds(around):
    limits = replace(LIMITS, ambient_c=(22.0, 26.0))
    reasons = [judge(around(34.0, c), limits, INSTRUMENT).reason for c in (21.9, 22.0, 26.0, 26.1)]
    passes = Reason.BELOW_LIMIT
    assert reasons == [Reason.AMBIENT, passes, passes, Reason.AMBIENT]


@pytest.mark.parametrize(
    ("last_c", "reason"),
    [
        (24.28, Reason.BELOW_LIMIT),
        (23.72, Reason.BELOW_LIMIT),
        (24.32, Reason.UNSTABLE),  # a hand on the sensor
        (23.68, Reason.UNSTABLE),  # wind
    ],
)
def test_an_ambient_that_moves_within_an_attempt_is_no_information(last_c, reason, around):
    readings = [*around(34.0)[:4], around(34.0, last_c)[4]]
    assert judge(readings, LIMITS, INSTRUMENT).reason is reason


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["object_c", "ambient_c"])
@pytest.mark.parametrize("emissivity", [1.0, 0.98])
def test_one_bad_number_among_good_samples_is_no_information(number, field, emissivity, around):
    instrument = replace(INSTRUMENT, correction=Correction(emissivity=emissivity))
    for n in range(5):
        readings = around(34.0)
        readings[n] = readings[n]._replace(**{field: number})
        verdict = judge(readings, LIMITS, instrument)
        assert verdict == Verdict(Zone.NO_INFORMATION, Reason.NO_NUMBER)


def test_samples_below_absolute_zero_are_no_warm_forehead(around):
    instrument = replace(INSTRUMENT, correction=Correction(emissivity=0.98))
    # Each is as far below absolute zero as a forehead is above it.
    readings = [r._replace(object_c=-546.3 - r.object_c) for r in around(34.0)]
    assert judge(readings, LIMITS, instrument).reason is Reason.NO_NUMBER


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_samples_that_all_are_no_numbers_are_no_information_and_no_crash(number, samples):
    for readings in (samples([number] * 5), samples([34.0] * 5, number)):
        assert judge(readings, LIMITS, INSTRUMENT).reason is Reason.NO_NUMBER


def test_infinite_ambients_of_both_signs_are_no_information_and_no_crash(around):
    readings = [*around(34.0, math.inf)[:3], *around(34.0, -math.inf)[3:]]
    assert judge(readings, LIMITS, INSTRUMENT).reason is Reason.NO_NUMBER


# Whatever a driver gone wrong may say.
NO_NUMBERS = st.sampled_from([math.inf, -math.inf, math.nan])
skins = st.floats(31.5, 43.5) | st.floats(33.5, 34.5) | st.floats(-800, 1100) | NO_NUMBERS
dies = st.just(24.0) | st.floats(15, 40) | st.floats(-800, 1100) | NO_NUMBERS


@fast
@given(st.lists(skins, min_size=5, max_size=7), st.lists(dies, min_size=1, max_size=7))
def test_a_pass_is_always_a_plausible_still_person_under_the_guard_band(objects_c, ambients_c):
    ambients_c = (ambients_c * 7)[: len(objects_c)]
    pairs = zip(objects_c, ambients_c, strict=True)
    verdict = judge([Reading(0.0, o, a) for o, a in pairs], LIMITS, INSTRUMENT)
    if verdict.zone is Zone.NO_INFORMATION:
        return
    assert all(map(math.isfinite, (*objects_c, *ambients_c)))
    assert 32.0 <= verdict.skin_c <= 43.0
    mean_c = sum(ambients_c) / len(ambients_c)
    assert 20.0 - 1e-9 <= mean_c <= 29.0 + 1e-9
    assert verdict.skin_c - mean_c >= 4.0 - 1e-9
    assert 0 < verdict.spread_c <= 1.01
    assert abs(ambients_c[-1] - ambients_c[0]) <= 0.3
    assert 35.5 <= verdict.index_c <= 42.0
    assert verdict.zone is not Zone.PASS or verdict.index_c <= 37.25 - 0.25


@fast
@given(st.floats(33, 36), st.floats(10, 40), st.floats(0, 1), st.floats(0, 0.5), st.booleans())
def test_a_pass_is_always_below_the_limit_less_the_guard_band(
    skin_c, ambient_c, guard, doubt, wide
):
    limits = Limits(37.3, guard, samples=3, widens_outside=wide)
    instrument = Instrument(2.5, doubt_c=doubt)
    readings = [Reading(0.0, skin_c + wobble_c, ambient_c) for wobble_c in (-0.1, 0.0, 0.1)]
    verdict = judge(readings, limits, instrument)
    assert verdict.guard_c >= round(guard + doubt, 3)
    assert verdict.zone is not Zone.PASS or verdict.index_c <= 37.3 - verdict.guard_c + 1e-9
