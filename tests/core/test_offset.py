"""What each person teaches about the device's offset, and what may never be learnt."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.core.offset import BOUND_C, Offset, learn
from gatepost.core.screening import GUIDANCE, Instrument, Limits, Reason, Verdict, Zone, judge
from gatepost_hal.ports import Reading

LIMITS = Limits(limit_c=37.3, guard_c=0.25, samples=3)
SETTLED = Offset("device", 2.5, 2.6, settled_c=2.6, people=50)
fast = settings(max_examples=200, deadline=None)


def verdict(index_c, zone=Zone.PASS, reason=Reason.BELOW_LIMIT, ambients_c=(24.0, 24.0)):
    return Verdict(zone, reason, index_c, ambient_c=ambients_c)


def taught(offset, *indices_c, admitted=True):
    for index_c in indices_c:
        offset = learn(offset, verdict(index_c), LIMITS, admitted=admitted)
    return offset


def test_a_device_that_nobody_has_met_begins_between_two_that_are_known():
    offset = Offset("device")
    assert (offset.offset_c, offset.settled_c, offset.people) == (2.5, None, 0)
    assert (offset.middle_c, offset.drifted, offset.is_sound()) == (36.8, False, True)


def test_the_first_fifty_people_set_the_offset_to_what_their_median_asks_for():
    # An index of 36.8 - x asks for x more. Ten are feverish and one has come in from the cold.
    indices_c = [38.5] * 10 + [36.4] * 15 + [36.5] * 24 + [35.5]
    offset = taught(Offset("device"), *indices_c[:49])
    assert (offset.offset_c, offset.settled_c, len(offset.first_c)) == (2.5, None, 49)
    offset = taught(offset, *indices_c[49:])
    assert offset == Offset("device", 2.5, 2.8, settled_c=2.8, people=50)


def test_the_order_of_the_first_people_does_not_matter():
    indices_c = [36.0 + n / 50 for n in range(50)]
    forth, back = (taught(Offset("d"), *each) for each in (indices_c, reversed(indices_c)))
    assert forth == back
    assert forth.settled_c == pytest.approx(2.5 + 36.8 - 36.49)


@pytest.mark.parametrize("people", [1, 2, 7, 50])
def test_as_many_people_as_asked_for_set_the_offset(people):
    offset = Offset("device")
    for n in range(people):
        assert offset.settled_c is None
        seen = verdict(36.0 + n / 100)
        offset = learn(offset, seen, LIMITS, admitted=False, people=people)
    assert offset.settled_c == pytest.approx(2.5 + 0.8 - (people - 1) / 200, abs=0.0006)
    assert offset.people == people


@pytest.mark.parametrize("admitted", [True, False])
def test_while_settling_everybody_counts_who_was_measured(admitted):
    offset = taught(Offset("device"), *[37.8] * 50, admitted=admitted)
    assert offset.settled_c == 1.5


@pytest.mark.parametrize(("index_c", "settled_c"), [(35.0, 4.0), (38.9, 1.0), (35.5, 3.8)])
def test_the_first_people_set_the_offset_within_a_bound(index_c, settled_c):
    assert taught(Offset("device"), *[index_c] * 50).settled_c == settled_c


def test_until_the_offset_is_set_it_is_in_doubt():
    offset = Offset("device")
    doubts_c = []
    for _ in range(51):
        doubts_c.append(offset.doubt_c)
        offset = taught(offset, 36.8)
    assert doubts_c == [0.25] * 50 + [0.0]


NOTHING = [reason for reason, each in GUIDANCE.items() if each.zone is Zone.NO_INFORMATION]


@pytest.mark.parametrize("offset", [Offset("device"), SETTLED])
@pytest.mark.parametrize("reason", NOTHING)
def test_no_information_teaches_only_where_the_measurement_itself_was_good(offset, reason):
    nothing = verdict(36.0, Zone.NO_INFORMATION, reason)
    after = learn(offset, nothing, LIMITS, admitted=False)
    # Before it is set who seems cold may be as warm as all; afterwards a drift must be seen to end.
    if reason is (Reason.COLD if offset.settled_c is None else Reason.DRIFTED):
        assert after.people == offset.people + 1
    else:
        assert after is offset


@pytest.mark.parametrize("offset", [Offset("device"), SETTLED])
@pytest.mark.parametrize(
    ("ambients_c", "teaches"),
    [
        ((20.0, 29.0), True),
        ((19.99, 20.01), False),
        ((20.01, 19.99), False),
        ((29.01, 28.99), False),
        ((28.99, 29.01), False),
        ((math.nan, 24.0), False),
        ((24.0, math.nan), False),
    ],
)
def test_an_ambient_beside_the_window_teaches_nothing(offset, ambients_c, teaches):
    seen = verdict(36.6, ambients_c=ambients_c)
    limits = replace(LIMITS, widens_outside=True)
    after = learn(offset, seen, limits, admitted=True)
    assert (after is not offset) is teaches


@pytest.mark.parametrize("offset", [Offset("device"), SETTLED])
def test_a_verdict_without_an_index_teaches_nothing(offset):
    assert learn(offset, verdict(None), LIMITS, admitted=True) is offset


@pytest.mark.parametrize("index_c", [36.3, 36.31, 36.6, 36.8, 37.0, 37.3])
def test_an_admitted_person_moves_the_offset_by_a_200th_towards_the_middle(index_c):
    crept_c = taught(SETTLED, index_c).offset_c - 2.6
    assert crept_c == pytest.approx((36.8 - index_c) / 200, abs=1e-12)
    assert abs(crept_c) <= 0.5 / 200 + 1e-12


@pytest.mark.parametrize("index_c", [35.5, 36.29, 37.31, 38.5])
def test_who_is_far_from_the_middle_has_no_vote(index_c):
    # Should a rule ever admit one over the limit, that one would not teach either.
    assert taught(SETTLED, index_c).offset_c == 2.6


@pytest.mark.parametrize("index_c", [36.3, 36.8, 37.2, 37.3])
def test_who_was_not_admitted_has_no_vote(index_c):
    after = taught(SETTLED, index_c, admitted=False)
    assert (after.offset_c, after.people) == (2.6, 51)


def test_the_window_is_as_wide_as_the_limit_is_above_the_middle():
    seen = verdict(37.4)
    offsets_c = [
        learn(SETTLED, seen, replace(LIMITS, limit_c=limit_c), admitted=True).offset_c
        for limit_c in (37.3, 37.5)
    ]
    assert offsets_c == [2.6, pytest.approx(2.6 - 0.6 / 200)]


@pytest.mark.parametrize(("index_c", "bound_c"), [(36.3, 3.1), (37.3, 2.1)])
def test_the_offset_stays_within_a_bound_of_where_it_was_set(index_c, bound_c):
    offset, crept_c = SETTLED, []
    for _ in range(260):
        offset = taught(offset, index_c)
        crept_c.append(abs(offset.offset_c - 2.6))
    assert max(crept_c) == pytest.approx(BOUND_C)
    assert offset.offset_c == pytest.approx(bound_c)
    assert BOUND_C == 0.5


def test_at_the_bound_it_is_time_to_calibrate_and_people_go_on():
    offset = Offset("device", 2.5, 2.9975, settled_c=2.5, people=99)
    offset = taught(offset, 36.7)
    assert not offset.is_at_bound
    offset = taught(offset, 36.3)
    assert (offset.offset_c, offset.is_at_bound, offset.drifted) == (3.0, True, False)


def test_what_is_not_set_yet_is_at_no_bound():
    assert not Offset("device", 2.5, 3.5).is_at_bound


@pytest.mark.parametrize("index_c", [36.4, 37.2])
def test_the_bound_of_any_device_is_found_and_counts_as_learnt_here(index_c):
    for thousandths in range(1000, 4001, 7):
        settled_c = thousandths / 1000
        offset = Offset("device", 2.5, settled_c, settled_c=settled_c, people=50)
        near_c = offset.offset_c + (0.4999 if index_c < 36.8 else -0.4999)
        offset = taught(offset._replace(offset_c=near_c), index_c)
        assert (offset.is_at_bound, offset.is_sound()) == (True, True)


def test_what_settled_at_its_bound_was_learnt_here():
    for hundredths in range(600):
        start_c = hundredths / 100
        for index_c in (35.1, 38.5):
            settled = taught(Offset("device", start_c, start_c), *[index_c] * 50)
            assert settled.settled_c == pytest.approx(start_c + (1.5 if index_c < 36 else -1.5))
            assert settled.is_sound()


@pytest.mark.parametrize("admitted", [True, False])
@pytest.mark.parametrize(("index_c", "step_c"), [(36.81, 0.01), (41.0, 0.01), (36.79, -0.01)])
def test_the_running_middle_of_all_who_are_measured_takes_small_steps(index_c, step_c, admitted):
    after = taught(SETTLED, index_c, admitted=admitted)
    assert after.middle_c - 36.8 == pytest.approx(step_c)


@pytest.mark.parametrize("side", [1, -1])
def test_a_middle_that_moved_away_is_a_drift_and_is_over_when_it_is_well_back(side):
    away, back = (41.0, 35.5) if side > 0 else (35.5, 41.0)
    offset, seen = SETTLED, []
    for index_c in [away] * 45 + [back] * 30:
        offset = taught(offset, index_c, admitted=False)
        seen.append((side * (offset.middle_c - 36.8), offset.drifted))
    # Up to 0.45 C away, and back to 0.15 C; hundredths that are sums of steps may be a bit more.
    drifted_c = [moved_c for moved_c, drifted in seen if drifted]
    assert drifted_c[0] == pytest.approx(0.405, abs=0.006)
    assert max(drifted_c) == pytest.approx(0.45)
    assert drifted_c[-1] == pytest.approx(0.305, abs=0.006)
    assert len(drifted_c) in range(18, 22)
    # Between the two nothing begins anew.
    assert not taught(offset, *[away] * 20, admitted=False).drifted


@pytest.mark.parametrize(
    ("changed", "is_sound"),
    [
        ({}, True),
        ({"offset_c": 3.09}, True),
        ({"offset_c": 2.11}, True),
        ({"offset_c": 3.11}, False),
        ({"offset_c": 2.09}, False),
        ({"offset_c": math.nan}, False),
        ({"offset_c": math.inf}, False),
        ({"settled_c": 4.09, "offset_c": 4.09, "start_c": 2.6}, True),
        ({"settled_c": 4.11, "offset_c": 4.11, "start_c": 2.6}, False),
        ({"settled_c": 1.09, "offset_c": 1.09, "start_c": 2.6}, False),
        ({"settled_c": math.nan}, False),
        ({"start_c": math.nan}, False),
        ({"start_c": math.inf, "offset_c": math.inf, "settled_c": math.inf}, False),
        ({"settled_c": None}, True),
        ({"settled_c": None, "offset_c": 4.1}, False),
        ({"settled_c": None, "offset_c": math.nan}, False),
        ({"middle_c": 30.9}, True),
        ({"middle_c": 42.7}, True),
        ({"middle_c": 30.7}, False),
        ({"middle_c": 42.9}, False),
        ({"middle_c": math.nan}, False),
        ({"settled_c": None, "first_c": (2.5,) * 49}, True),
        ({"settled_c": None, "first_c": (2.5,) * 50}, False),
        ({"settled_c": None, "first_c": (2.5, math.nan)}, False),
        ({"settled_c": None, "first_c": (2.5, math.inf)}, False),
        ({"settled_c": None, "first_c": (2.5,) * 9, "people": 9}, True),
        ({"settled_c": None, "first_c": (2.5,) * 9, "people": 8}, False),
        ({"people": -1}, False),
    ],
)
def test_what_cannot_have_been_learnt_is_not_sound(changed, is_sound):
    assert SETTLED._replace(**changed).is_sound() is is_sound


anybody = st.tuples(
    st.floats(35.0, 42.0) | st.floats(36.0, 37.5) | st.none(),
    st.sampled_from([Zone.PASS, Zone.RECHECK, Zone.REFER, Zone.NO_INFORMATION]),
    st.sampled_from([Reason.BELOW_LIMIT, Reason.DRIFTED, Reason.COLD]),
    st.sampled_from([(24.0, 24.0), (19.0, 24.0)]),
    st.booleans(),
    st.integers(1, 300),
)


def after_all(people, settle):
    offset = Offset("device")
    for index_c, zone, reason, ambients_c, admitted, times in people:
        seen = verdict(index_c, zone, reason, ambients_c)
        for _ in range(times):
            offset = learn(offset, seen, LIMITS, admitted=admitted, people=settle)
            yield offset


@fast
@given(st.lists(anybody, max_size=12), st.integers(1, 50))
def test_whatever_comes_the_offset_stays_within_its_bounds(people, settle):
    for offset in after_all(people, settle):
        settled_c = offset.offset_c if offset.settled_c is None else offset.settled_c
        assert abs(settled_c - 2.5) <= 1.5
        assert abs(offset.offset_c - settled_c) <= BOUND_C + 1e-9
        assert offset.offset_c == 2.5 or offset.settled_c is not None
        assert math.isfinite(offset.middle_c)


@fast
@given(st.lists(anybody, max_size=6), st.floats(33, 36), st.floats(0.1, 3))
def test_after_any_learning_a_fever_moves_the_index_by_all_of_itself(people, skin_c, fever_c):
    *_, offset = [Offset("device"), *after_all(people, 10)]
    instrument = Instrument(offset.offset_c, doubt_c=offset.doubt_c)
    indices_c = [
        judge([Reading(0.0, each_c, 24.0)] * 3, LIMITS, instrument).index_c
        for each_c in (skin_c, skin_c + fever_c)
    ]
    assert indices_c[1] - indices_c[0] == pytest.approx(fever_c, abs=0.0011)
    assert indices_c[0] == pytest.approx(skin_c + offset.offset_c, abs=0.0011)
