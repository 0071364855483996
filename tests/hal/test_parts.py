import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost_hal.parts import LEAST_SHARE, PARTS

CODES = st.sampled_from(sorted(PARTS))


def test_every_part_stands_under_its_own_code():
    assert [part.code for part in PARTS.values()] == list(PARTS)


@pytest.mark.parametrize(
    ("code", "period_s"), [("BAA", 0.19), ("DCC", 0.28), ("DCH", 0.79), ("BCK", 3.37)]
)
def test_a_sample_waits_for_refresh_and_settling(code, period_s):
    assert PARTS[code].sample_period_s == pytest.approx(period_s)


@pytest.mark.parametrize("part", PARTS.values(), ids=lambda part: part.code)
def test_no_part_is_sampled_before_it_has_settled(part):
    assert 0 <= part.sample_period_s - (part.update_s + part.settling_s) < 0.01


@pytest.mark.parametrize(
    ("code", "least_m", "most_m"),
    [
        ("BAA", 0.0, 0.01),
        ("BBA", 0.01, 0.03),
        ("DCC", 0.055, 0.07),
        ("DCH", 0.18, 0.22),
        ("BCF", 0.22, 0.27),
        ("DCI", 0.40, 0.60),
    ],
)
def test_a_narrow_view_reaches_farther(code, least_m, most_m):  # facts: sensor, 2.4
    assert least_m < PARTS[code].farthest_m < most_m


@pytest.mark.parametrize("part", PARTS.values(), ids=lambda part: part.code)
def test_at_the_farthest_distance_the_share_is_the_least_allowed(part):
    assert part.view_share(part.farthest_m) == pytest.approx(LEAST_SHARE)


def test_a_view_that_no_distance_narrows_enough_has_no_farthest_distance():
    assert PARTS["BAA"]._replace(field_of_view_deg=120.0).farthest_m == 0.0


@given(CODES, st.floats(0.0, 5.0), st.floats(0.0, 5.0))
def test_nearer_is_never_less_forehead(code, one_m, other_m):
    near_m, far_m = sorted((one_m, other_m))
    shares = PARTS[code].view_share(near_m), PARTS[code].view_share(far_m)
    assert 1.0 >= shares[0] >= shares[1] > 0.0


@given(st.floats(0.001, 5.0))
def test_a_narrower_view_is_never_less_forehead(distance_m):
    by_view = sorted(PARTS.values(), key=lambda part: part.field_of_view_deg)
    shares = [part.view_share(distance_m) for part in by_view]
    assert shares == sorted(shares, reverse=True)
