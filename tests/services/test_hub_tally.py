import tracemalloc
from hashlib import sha256
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_services.contract.events import GAP, Envelope, WireEvent, decode, withheld_body
from gatepost_services.hub.tally import Tally
from gatepost_services.record import NO_HASH, Entry, EventClass, Record

SOURCE = "/gatepost/n/g"


def event(seq: int, source: str = SOURCE, event_type: str = "gatepost.a", data=None) -> WireEvent:
    return WireEvent(
        source=source,
        id=f"n/g/{seq}",
        seq=seq,
        type=event_type,
        event_class=EventClass.LIVE,
        boot_id="b",
        uptime_s=0.0,
        utc_s=0.0,
        time_quality="none",
        previous_hash=NO_HASH,
        data=data or {},
    )


def chain(count: int) -> list[bytes]:
    envelope, previous, bodies = Envelope("n", "g", "b"), NO_HASH, []
    for seq in range(1, count + 1):
        bodies.append(envelope.seal(Entry("a.b", 0.0, 1e9, {"n": seq}), seq, previous))
        previous = sha256(bodies[-1]).digest()
    return bodies


def tallied(bodies) -> Tally:
    tally = Tally()
    for body in bodies:
        tally.add(decode(body), body)
    return tally


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
    assert snapshot.complete_through == {"/gatepost/n/g": 2, "/gatepost/n/other": 1}
    assert tally.missing("/gatepost/n/g", 7) == (3, 6, 7)
    assert tally.missing("/gatepost/n/unknown", 2) == (1, 2)


def test_a_snapshot_does_not_change():
    tally = Tally()
    before = tally.snapshot()
    tally.add(event(1))
    assert (before.received, before.by_type) == (0, {})


def test_order_is_that_of_a_stream():
    tally = Tally()
    for seq, stream in [(9, "alarm"), (1, "backlog"), (20, "live"), (2, "backlog"), (21, "live")]:
        tally.add(event(seq), stream=stream)
    assert tally.snapshot().out_of_order == 0
    tally.add(event(19), stream="live")
    assert tally.snapshot().out_of_order == 1


def test_a_gap_accounts_for_its_numbers_and_no_others():
    tally = Tally()
    tally.add(event(1))
    tally.add(event(9, event_type=GAP, data={"ranges": [[2, 3], [5, 7]]}))
    assert tally.missing(SOURCE, 9) == (4, 8)
    assert tally.complete_through(SOURCE) == 3
    assert tally.snapshot().gone == 5
    tally.add(event(4))
    tally.add(event(8))
    assert tally.complete_through(SOURCE) == 9
    tally.add(event(10, event_type=GAP, data={"ranges": [[2, 7]]}))
    assert tally.snapshot().gone == 5


def test_a_gap_that_makes_no_sense_accounts_for_nothing():
    tally = Tally()
    for n, ranges in enumerate(
        (None, "x", [[3, 2]], [[0, 5]], [[1]], [["1", 2]], [[1, 2**63]], [[True, True]], [7]), 100
    ):
        tally.add(event(n, event_type=GAP, data={"ranges": ranges}))
    assert tally.snapshot().gone == 0


def test_the_chain_of_what_was_written_holds_in_any_order_of_receipt():
    bodies = chain(30)
    for seed in range(20):
        shuffled = bodies[:]
        Random(seed).shuffle(shuffled)
        assert tallied(shuffled).snapshot().breaks == 0


def test_a_changed_payload_breaks_the_chain():
    bodies = chain(10)
    bodies[4] = bodies[4].replace(b'"n":5', b'"n":6')
    for order in (bodies, bodies[::-1]):
        assert tallied(order).snapshot().breaks == 1


def test_a_first_event_that_names_another_before_it_breaks_the_chain():
    bodies = chain(2)
    forged = bodies[0].replace(NO_HASH.hex().encode(), b"ab" * 32)
    assert tallied([forged]).snapshot().breaks == 1


def test_a_stand_in_keeps_the_chain_whole():
    bodies = chain(10)
    record = Record(5, EventClass.LIVE, sha256(bodies[4]).digest(), bodies[4])
    for why in ("refused", "too_large"):
        bodies[4] = withheld_body("n", "g", record, why)
        snapshot = tallied(bodies).snapshot()
        assert (snapshot.breaks, snapshot.withheld) == (0, 1)
    damaged = record._replace(body=b"x" + record.body[1:])
    bodies[4] = withheld_body("n", "g", damaged, "damaged")
    for order in (bodies, bodies[::-1]):
        snapshot = tallied(order).snapshot()
        assert (snapshot.breaks, snapshot.withheld) == (0, 1)


@settings(deadline=None)
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
    missing = sorted(set(range(1, 31)) - set(seqs))
    assert tally.missing("/gatepost/n/g", 30) == tuple(missing)
    assert tally.complete_through("/gatepost/n/g") == min(missing, default=31) - 1


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 40) | st.tuples(st.integers(1, 30), st.integers(0, 10)), max_size=40)
)
def test_events_and_gaps_together_agree_with_the_plain_history(history):
    tally, known, gone = Tally(), set(), 0
    for number, step in enumerate(history, 1000):
        if isinstance(step, int):
            tally.add(event(step))
            known.add(step)
        else:
            begin, end = step[0], step[0] + step[1]
            tally.add(event(number, event_type=GAP, data={"ranges": [[begin, end]]}))
            gone += len(set(range(begin, end + 1)) - known)
            known |= set(range(begin, end + 1))
    assert tally.snapshot().gone == gone
    assert tally.missing(SOURCE, 40) == tuple(sorted(set(range(1, 41)) - known))


def test_a_hundred_thousand_events_in_order_take_no_memory():
    tally = Tally()
    tracemalloc.start()
    for seq in range(1, 100_001):
        tally.add(event(seq))
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 50_000


@given(st.sets(st.integers(1, 60), min_size=1), st.randoms())
def test_holes_are_what_is_open_between_the_lowest_and_the_highest(came, chance):
    tally, order = Tally(), sorted(came)
    chance.shuffle(order)
    for seq in order:
        tally.add(event(seq))
    assert tally.holes(SOURCE) == len(set(range(min(came), max(came))) - came)
    assert tally.highest(SOURCE) == max(came)
    assert (tally.holes("/gatepost/n/other"), tally.highest("/gatepost/n/other")) == (0, 0)


def test_numbers_that_a_gap_names_are_no_holes_and_not_where_the_looking_begins():
    tally = Tally()
    tally.add(event(50))
    tally.add(event(55, event_type=GAP, data={"ranges": [[1, 10], [52, 53]]}))
    assert tally.holes(SOURCE) == 2  # 51 and 54
