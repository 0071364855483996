import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost_services.uplink.pacing import TokenBucket


def test_without_a_rate_everything_may_go():
    bucket = TokenBucket(0.0, 0.0)
    assert bucket.allowance(0.0) is None
    assert bucket.wait_s(0.0) == 0.0


def test_a_burst_is_a_tenth_of_a_second_and_then_the_rate_holds():
    bucket = TokenBucket(500.0, 0.0)
    assert bucket.allowance(0.0) == 50
    bucket.take(50)
    assert bucket.allowance(0.0) == 0
    assert bucket.wait_s(0.0) == pytest.approx(0.02, abs=1e-5)  # ten at a time
    assert bucket.allowance(bucket.wait_s(0.0)) == 10
    assert bucket.allowance(1000.0) == 50


def test_less_than_one_a_second_is_possible():
    bucket = TokenBucket(0.1, 0.0)
    assert bucket.allowance(0.0) == 1
    bucket.take(1)
    assert bucket.wait_s(0.0) == pytest.approx(10.0, abs=1e-5)
    assert bucket.allowance(bucket.wait_s(0.0)) == 1


def test_nonsense_is_refused():
    for rate in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="events/s"):
            TokenBucket(rate, 0.0)


@given(
    rate=st.floats(0.5, 100_000),
    waits_s=st.lists(st.floats(0, 2), min_size=1, max_size=50),
)
def test_never_more_than_the_rate_and_a_burst(rate, waits_s):
    bucket, now_s, gone = TokenBucket(rate, 0.0), 0.0, 0
    for wait_s in waits_s:
        now_s += wait_s
        allowed = bucket.allowance(now_s)
        bucket.take(allowed)
        gone += allowed
        assert gone <= rate * now_s + max(1.0, rate * 0.1) + 1e-6
        later_s = now_s + bucket.wait_s(now_s)
        assert bucket.allowance(later_s) >= 1
        now_s = later_s
