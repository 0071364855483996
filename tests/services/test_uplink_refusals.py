"""Events and topics that a broker refuses: nothing is skipped, nothing waits for another stream."""

import json
import logging
from random import Random

import pytest

from gatepost_services.contract.events import decode
from gatepost_services.journal import Entry
from gatepost_services.uplink.backoff import Backoff
from gatepost_services.uplink.refusals import Form, Refusals

ALARM = "tamper.raised"
WITHHELD = "gatepost.journal.withheld"


def is_number(payload: bytes, seq: int) -> bool:
    event = json.loads(payload)
    return int(event.get("sequence", 0)) == seq and event["type"] != WITHHELD


def events(broker):
    return [decode(payload) for payload in broker.accepted]


def first_receipts(broker) -> list[int]:
    return list(dict.fromkeys(event.seq for event in events(broker)))


def withheld(broker) -> list[tuple[int, str]]:
    return [(event.seq, event.data["why"]) for event in events(broker) if event.type == WITHHELD]


@pytest.mark.parametrize("reason", [0x80, 0x83, 0x87, 0x99])
def test_an_event_that_is_refused_every_time_is_set_apart_and_the_queue_goes_on(
    station, make_fake_broker, caplog, reason
):
    broker = make_fake_broker()
    broker.judge = lambda _topic, payload: reason if is_number(payload, 7) else None
    station.append(20)
    with station.link(broker.port):
        assert broker.wait_for(lambda: {7, 20} <= set(first_receipts(broker)))
    # What was on its way behind it had been taken by then, and came again in order.
    assert sorted(first_receipts(broker)) == list(range(1, 21))
    assert [event.seq for event in events(broker)][-14:] == list(range(7, 21))
    assert withheld(broker) == [(7, "refused")]
    with station.store() as store:
        assert [(each.seq, each.why) for each in store.set_apart.values()] == [(7, "refused")]
        assert store.progress.acknowledged == 20
    # As one of many; behind a probe; and its stand-in.
    assert broker.connects == 3
    assert sum("is set apart" in record.getMessage() for record in caplog.records) == 1


def test_an_event_that_is_refused_once_is_taken_whole(station, make_fake_broker):
    broker = make_fake_broker()
    refused = []

    def judge(_topic, payload):
        if is_number(payload, 7) and not refused:
            refused.append(7)
            return 0x80
        return None

    broker.judge = judge
    station.append(20)
    with station.link(broker.port):
        assert broker.wait_for(lambda: len(set(first_receipts(broker))) == 20)
    assert withheld(broker) == []
    assert sorted(first_receipts(broker)) == list(range(1, 21))


def test_neighbours_that_are_all_refused_are_all_set_apart(station, make_fake_broker):
    broker = make_fake_broker()
    broker.judge = lambda _topic, payload: (
        0x99 if any(is_number(payload, seq) for seq in (5, 6, 7)) else None
    )
    station.append(10)
    with station.link(broker.port):
        assert broker.wait_for(lambda: len(set(first_receipts(broker))) == 10)
    assert sorted(set(withheld(broker))) == [(5, "refused"), (6, "refused"), (7, "refused")]


def test_a_closed_topic_stops_its_stream_alone_and_its_events_arrive_whole_in_the_end(
    station, make_fake_broker, caplog
):
    broker = make_fake_broker()
    closed = ["backlog"]
    broker.judge = lambda topic, _payload: (
        0x87 if any(topic.endswith(stream) for stream in closed) else None
    )
    station.append(10)
    station.append(3, ALARM)
    with station.link(broker.port) as link:
        assert broker.wait_for(lambda: len(broker.accepted) == 3 and broker.connects >= 4)
        station.append(3, ALARM)
        link.ring()
        assert broker.wait_for(lambda: len(broker.accepted) == 6)
        with broker.changed:
            closed.clear()
        assert broker.wait_for(lambda: len(broker.accepted) == 16)
    assert [event.seq for event in events(broker)] == [11, 12, 13, 14, 15, 16, *range(1, 11)]
    assert withheld(broker) == []
    told = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert ["keeps no event" in record.getMessage() for record in told] == [True, False]


def test_a_broker_that_cuts_at_the_second_denial_is_given_only_one(
    station, make_fake_broker, caplog
):
    broker = make_fake_broker()
    denied: list[int] = []

    def judge(topic, _payload):
        if topic.endswith(("/live", "/status")):
            return None
        denied.append(broker.connects)
        return "drop" if denied.count(broker.connects) > 1 else 0x87

    broker.judge = judge
    station.append(10)
    station.append(3, ALARM)
    with station.link(broker.port) as link:
        assert broker.wait_for(lambda: broker.connects >= 6)
        link.wait_until(lambda: "of stream backlog" in caplog.text)
    assert "of stream alarm" in caplog.text
    assert "connection lost" not in caplog.text
    assert len(denied) == len(set(denied))


def test_nobody_has_subscribed_is_never_an_events_own_fault(station, make_fake_broker):
    broker = make_fake_broker()
    broker.reason_of = lambda n: 0x10 if n < 12 else 0
    station.append(10)
    with station.link(broker.port):
        assert broker.wait_for(lambda: len(set(first_receipts(broker))) == 10)
    kept = [event.seq for event in events(broker)][11:]
    assert kept == list(range(1, 11))
    assert withheld(broker) == []


def test_an_event_that_is_too_large_for_the_broker_is_never_sent(station, make_fake_broker, caplog):
    broker = make_fake_broker(maximum_packet_bytes=1200)
    station.append(3)
    station.append(1, pad=2000)
    station.append(3)
    with station.link(broker.port):
        assert broker.wait_for(lambda: len(broker.accepted) == 7)
    assert first_receipts(broker) == list(range(1, 8))
    assert withheld(broker) == [(4, "too_large")]
    assert broker.connects == 1
    assert "event 4 has" in caplog.text
    with station.store() as store:
        assert [each.why for each in store.set_apart.values()] == ["too_large"]


def test_the_packet_that_just_fits_is_sent(station, make_fake_broker):
    broker = make_fake_broker()
    station.append(1)
    with station.link(broker.port):
        assert broker.wait_for(lambda: len(broker.accepted) == 1)
    # 1 + 2 bytes of fixed header, topic, identifier, content type.
    size = 3 + 2 + len("gatepost/north/gate-1/event/backlog") + 2 + 32 + len(broker.accepted[0])
    station.append(1)
    tight = make_fake_broker(maximum_packet_bytes=size + 2)
    with station.link(tight.port):
        assert tight.wait_for(lambda: len(tight.accepted) == 1)
    assert withheld(tight) == []


def test_an_event_that_kills_each_connection_is_set_apart(station, make_fake_broker):
    broker = make_fake_broker()
    broker.judge = lambda _topic, payload: "drop" if is_number(payload, 7) else None
    station.append(20)
    with station.link(broker.port):
        assert broker.wait_for(lambda: len(set(first_receipts(broker))) == 20)
    assert first_receipts(broker) == list(range(1, 21))
    assert withheld(broker) == [(7, "refused")]


def test_a_broker_that_is_only_slow_to_come_back_costs_no_event(station, make_fake_broker):
    broker = make_fake_broker()
    broker.reason_of = lambda n: 0 if n <= 10 or n > 30 else "drop"
    station.append(20)
    with station.link(broker.port):
        assert broker.wait_for(lambda: len(set(first_receipts(broker))) == 20)
    assert first_receipts(broker) == list(range(1, 21))
    assert withheld(broker) == []


def test_where_not_even_the_stand_in_is_taken_the_stream_waits(station, make_fake_broker):
    broker = make_fake_broker()
    closed = [True]
    broker.judge = lambda _topic, payload: (
        0x99 if closed and int(json.loads(payload).get("sequence", 0)) == 1 else None
    )
    station.journal.append([Entry(ALARM, 0.0, 1e9, {})])
    station.append(5)
    with station.link(broker.port):
        assert broker.wait_for(lambda: len(broker.accepted) == 5 and broker.connects > 5)
        assert 1 not in first_receipts(broker)
        with broker.changed:
            closed.clear()
        assert broker.wait_for(lambda: 1 in first_receipts(broker))


# ------------------------------------------------------------------------ the rules alone


@pytest.fixture
def refusals() -> Refusals:
    return Refusals(Backoff(1.0, 60.0, Random(1)))


def refuse(refusals: Refusals, form: Form = Form.WHOLE, *, reason=0x80, is_proven=True) -> None:
    refusals.refused("live", 7, form, reason, now_s=100.0, is_proven=is_proven)


def test_a_refusal_behind_a_proof_is_the_events(refusals):
    refuse(refusals)
    assert refusals.suspects == {7: Form.WHOLE}
    assert refusals.paused(100.0) == []
    refuse(refusals)
    assert refusals.suspects == {7: Form.STAND_IN}
    refusals.taken("live", 7, Form.STAND_IN)
    assert refusals.suspects == {}


def test_while_nobody_has_subscribed_the_connection_stands_and_all_else_goes_on(
    station, make_fake_broker
):
    broker = make_fake_broker()
    has_subscriber = False
    broker.judge = lambda topic, _payload: (
        0x10 if "/event/" in topic and not has_subscriber else None
    )
    station.append(5, ALARM)
    station.append(10)
    with station.link(broker.port, status_s=0.05):
        assert broker.wait_for(lambda: len(broker.statuses) >= 5)
        assert broker.connects == 1
        has_subscriber = True
        assert broker.wait_for(lambda: len(set(first_receipts(broker))) == 15)
    assert broker.connects == 1


@pytest.mark.parametrize("reason", [0x10, 0x91, 0x97])
def test_some_reasons_are_never_the_events(refusals, reason):
    for _ in range(5):
        refuse(refusals, reason=reason)
    assert refusals.suspects == {}
    assert refusals.paused(100.0) == ["live"]


@pytest.mark.parametrize(("reason", "form"), [(0x87, Form.WHOLE), (0x99, Form.STAND_IN)])
def test_without_a_proof_the_reason_decides(refusals, reason, form):
    for _ in range(5):
        refuse(refusals, reason=reason, is_proven=False)
    assert refusals.suspects == {7: form}
    assert refusals.paused(100.0) == ["live"]
    refusals.taken("live", 7, Form.WHOLE)
    assert refusals.paused(100.0) == []


def test_three_deaths_make_a_suspect_and_the_next_one_decides(refusals):
    for _ in range(2):
        refusals.died("live", 7, Form.WHOLE, now_s=100.0)
    assert refusals.suspects == {}
    refusals.died("live", 8, Form.WHOLE, now_s=100.0)  # another one: not in a row
    for _ in range(2):
        refusals.died("live", 7, Form.WHOLE, now_s=100.0)
    assert refusals.suspects == {}
    refusals.died("live", 7, Form.WHOLE, now_s=100.0)
    assert refusals.suspects == {7: Form.WHOLE}
    refusals.died("live", 7, Form.WHOLE, now_s=100.0)
    assert refusals.suspects == {7: Form.STAND_IN}
    for _ in range(3):
        assert refusals.paused(100.0) == []
        refusals.died("live", 7, Form.STAND_IN, now_s=100.0)
    assert refusals.suspects == {7: Form.WHOLE}
    assert refusals.paused(100.0) == ["live"]


def test_the_death_of_a_probe_says_nothing(refusals):
    for _ in range(9):
        refusals.died("live", 6, Form.PROBE, now_s=100.0)
    assert refusals.suspects == {}
    assert refusals.paused(100.0) == []


def test_suspects_are_bounded(refusals):
    for seq in range(1000):
        refusals.refused("live", seq, Form.WHOLE, 0x80, now_s=0.0, is_proven=True)
    assert list(refusals.suspects) == list(range(900, 1000))
