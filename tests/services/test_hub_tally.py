from hypothesis import given
from hypothesis import strategies as st

from gatepost_services.contract.events import WireEvent
from gatepost_services.hub.tally import Tally


def event(seq: int, source: str = "/gatepost/n/g", event_type: str = "gatepost.a") -> WireEvent:
    return WireEvent(source, f"n/g/{seq}", seq, event_type, "b", 0.0, 0.0, {})


def test_counts_what_came_twice_late_or_not_at_all():
    tally = Tally()
    assert [tally.add(event(seq)) for seq in (1, 2, 5, 2, 4, 5)] == [True] * 3 + [
        False,
        True,
        False,
    ]
    tally.add(event(1, "/gatepost/n/other", "gatepost.b"))
    tally.add_malformed()
    snapshot = tally.snapshot()
    assert (snapshot.received, snapshot.duplicates, snapshot.out_of_order) == (5, 2, 1)
    assert snapshot.malformed == 1
    assert snapshot.by_type == {"gatepost.a": 4, "gatepost.b": 1}
    assert snapshot.highest_seq == {"/gatepost/n/g": 5, "/gatepost/n/other": 1}
    assert tally.missing("/gatepost/n/g", 7) == (3, 6, 7)
    assert tally.missing("/gatepost/n/unknown", 2) == (1, 2)


def test_a_snapshot_does_not_change():
    tally = Tally()
    before = tally.snapshot()
    tally.add(event(1))
    assert (before.received, before.by_type) == (0, {})


@given(st.lists(st.integers(1, 30)))
def test_the_counts_agree_with_the_plain_history(seqs):
    tally = Tally()
    for seq in seqs:
        tally.add(event(seq))
    first = list(dict.fromkeys(seqs))
    snapshot = tally.snapshot()
    assert snapshot.received == len(first)
    assert snapshot.duplicates == len(seqs) - len(first)
    assert snapshot.out_of_order == sum(
        seq < max(first[:n], default=0) for n, seq in enumerate(first)
    )
    assert tally.missing("/gatepost/n/g", 30) == tuple(sorted(set(range(1, 31)) - set(seqs)))
