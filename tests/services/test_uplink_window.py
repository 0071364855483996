import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost_services.uplink.window import Window


def test_the_low_water_waits_for_the_oldest():
    window = Window(4, settled=10)
    for seq in (11, 12, 15):  # numbers may have holes, where records were dropped
        window.send(seq)
    window.acknowledge(12)
    window.acknowledge(15)
    assert (window.low_water, window.in_flight, window.room, window.due) == (10, 1, 1, False)
    window.acknowledge(11)
    assert (window.low_water, window.in_flight, window.room, window.due) == (15, 0, 1, True)
    window.settle()
    assert (window.low_water, window.in_flight, window.room, window.due) == (15, 0, 4, False)


def test_under_load_half_a_window_is_stored_at_once():
    window = Window(4, settled=0)
    for seq in (1, 2, 3, 4):
        window.send(seq)
    window.acknowledge(1)
    assert not window.due
    window.acknowledge(2)
    assert window.due


def test_what_is_unknown_or_repeated_changes_nothing():
    window = Window(2, settled=0)
    window.send(1)
    for seq in (1, 1, 0, 99):
        window.acknowledge(seq)
    assert (window.low_water, window.in_flight, window.room) == (1, 0, 1)


def test_misuse_is_an_error():
    with pytest.raises(ValueError, match="at least 1"):
        Window(0, settled=0)
    window = Window(1, settled=5)
    with pytest.raises(ValueError, match="after 5"):
        window.send(5)
    window.send(6)
    with pytest.raises(ValueError, match="without room"):
        window.send(7)


@given(limit=st.integers(1, 8), choices=st.lists(st.integers(0, 7), max_size=200))
def test_no_history_of_acknowledgements_breaks_the_window(limit, choices):
    window, sent, acked, stored = Window(limit, settled=0), [], set(), 0
    for choice in choices:
        while window.room:
            sent.append(len(sent) * 2 + 1)
            window.send(sent[-1])
        # What a crash now would repeat.
        assert len([seq for seq in sent if seq > stored]) <= limit
        assert window.in_flight == len(set(sent) - acked)
        assert window.last_sent == sent[-1]
        flying = sorted(set(sent) - acked)
        if flying:
            acked.add(flying[choice % len(flying)])
            window.acknowledge(flying[choice % len(flying)])
        arrived = [seq for seq in sent if all(s in acked for s in sent if s <= seq)]
        assert window.low_water == max(arrived, default=0)
        if window.due:
            stored = window.low_water
            window.settle()
        assert window.room or window.in_flight  # never stuck
