from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost_services.uplink.backoff import Backoff


class Highest(Random):
    """Always draws the upper bound."""

    def uniform(self, a, b):
        assert a == 0.0
        return b


def test_the_bound_doubles_up_to_the_cap_and_starts_again_after_a_success():
    backoff = Backoff(0.5, 5.0, Highest())
    assert [backoff.next_s() for _ in range(6)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    backoff.reset()
    assert backoff.next_s() == 0.5


def test_it_never_gives_up():
    backoff = Backoff(1.0, 60.0, Highest())
    assert {backoff.next_s() for _ in range(5000)} == {1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0}


@given(st.integers(), st.floats(0.001, 10), st.floats(10, 1e300))
def test_every_delay_lies_between_nothing_and_its_bound(seed, base_s, cap_s):
    backoff = Backoff(base_s, cap_s, Random(seed))
    for n in range(70):
        assert 0.0 <= backoff.next_s() <= min(cap_s, base_s * 2.0**n)


@pytest.mark.parametrize(("base_s", "cap_s"), [(0.0, 1.0), (-1.0, 1.0), (2.0, 1.0)])
def test_nonsense_is_refused(base_s, cap_s):
    with pytest.raises(ValueError, match="base_s"):
        Backoff(base_s, cap_s, Random())
