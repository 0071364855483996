"""What a watch makes of what comes: rows, changes, and events that are not what they should be."""

import json
import random

import pytest

from gatepost_services.hub.messages import Incoming
from gatepost_services.hub.watch import SETTLE_S, Change, Event, Malformed, SiteWatch, topics

from .watch_kit import SpeakingGate


@pytest.fixture
def gate():
    return SpeakingGate()


@pytest.fixture
def site():
    return SiteWatch()


def take(site, *messages, now_s=0.0):
    return [happening for message in messages for happening in site.take(message, now_s)]


def row(site):
    (only,) = site.rows
    return only


def marks(happened):
    return [each.marks for each in happened if isinstance(each, Event)]


def test_the_topics_are_those_of_a_site_or_a_gate():
    assert topics("north")[0] == "gatepost/north/+/event/+"
    assert "gatepost/north/gate-1/head" in topics("north", "gate-1")
    assert not any("command" in topic or "watermark" in topic for topic in topics("+"))


def test_a_gate_that_is_well(site, gate):
    take(site, gate.presence("online"), gate.status(0), gate.reported(), gate.event())
    assert row(site).is_well
    assert row(site).shown() == {
        "presence": "online",
        "lane": "idle",
        "standing": [],
        "faults": [],
        "waiting": 0,
        "clock": "ntp",
        "version": "1.2.3",
        "sequence": "complete",
        "broken": 0,
        "altered": 0,
        "head": None,
    }


def test_what_changes_is_told_once(site, gate):
    assert take(site, gate.presence("online")) == [Change("north/gate-1", {"presence": "online"})]
    assert take(site, gate.presence("online")) == []
    told = take(site, gate.reported(state="locked", standing=["lockdown"], faults=["journal"]))
    assert told == [
        Change(
            "north/gate-1",
            {
                "lane": "locked",
                "standing": ["lockdown"],
                "faults": ["journal"],
                "clock": "ntp",
                "version": "1.2.3",
            },
        )
    ]
    assert not row(site).is_well


@pytest.mark.parametrize("state", ["lost", "stopped"])
def test_a_gate_that_is_away_is_not_well(site, gate, state):
    take(site, gate.presence(state))
    assert not row(site).is_well


def test_who_needs_somebody_stands_first(site):
    gates = [SpeakingGate(f"gate-{n}") for n in range(4)]
    take(site, *(each.presence("online") for each in gates), gates[2].presence("lost"))
    assert [each.gate for each in site.rows] == [
        "north/gate-2",
        "north/gate-0",
        "north/gate-1",
        "north/gate-3",
    ]


def test_an_emptied_topic_takes_back_what_was_said(site, gate):
    take(site, gate.presence("lost"), gate.status(7), gate.reported(faults=["sensor"]))
    take(site, *(gate.says(kind, b"") for kind in ("presence", "status", "reported", "head")))
    shown = row(site).shown()
    assert (shown["presence"], shown["waiting"], shown["lane"]) == (None, None, None)
    assert shown["faults"] == []


# ----------------------------------------------------------------------- removed, altered, repeated


def test_events_in_order_are_complete_from_the_first_that_came(site, gate):
    for _ in range(100):
        gate.event()
    happened = take(site, *(gate.again(seq) for seq in range(50, 101)))
    assert set(marks(happened)) == {()}
    assert row(site).sequence == "complete"


def test_a_removed_event_is_missing_once_it_had_time_to_come(site, gate):
    for _ in range(5):
        gate.event()
    take(site, gate.again(1), gate.again(2), gate.again(5), now_s=10.0)
    assert row(site).sequence == "2 to come"
    assert site.settle(10.0 + SETTLE_S - 0.1) == []
    assert site.settle(10.0 + SETTLE_S) == [Change("north/gate-1", {"sequence": "2 missing"})]
    assert not row(site).is_well
    take(site, gate.again(4, "backlog"), now_s=20.0)
    assert row(site).sequence == "1 to come"  # they are coming
    take(site, gate.again(3, "backlog"), now_s=21.0)
    assert row(site).sequence == "complete"


def test_a_backlog_that_counts_down_is_told_at_its_begin_and_its_end(site, gate):
    for _ in range(5):
        gate.event()
    happened = take(site, gate.again(5), *(gate.again(seq, "backlog") for seq in range(1, 5)))
    told = [each.changed["sequence"] for each in happened if isinstance(each, Change)]
    assert told == ["complete", "3 to come", "complete"]


def test_while_a_backlog_waits_nothing_is_missing(site, gate):
    for _ in range(5):
        gate.event()
    take(site, gate.status(3), gate.again(1), gate.again(5))
    site.settle(1000.0)
    assert row(site).sequence == "3 to come"
    take(site, gate.status(0), now_s=1001.0)
    site.settle(1002.0)
    assert row(site).sequence == "3 missing"


def test_events_that_a_gap_names_are_not_missing(site, gate):
    for _ in range(4):
        gate.event()
    lost = {"cause": "disk", "class": "live", "count": 3, "from": 2, "through": 4}
    gate.event("journal.gap", **lost, ranges=[[2, 4]])
    take(site, gate.again(1), gate.again(5, "alarm"))
    assert row(site).sequence == "complete"
    assert row(site).broken == 0


def test_an_altered_event_breaks_the_chain_where_the_next_one_names_it(site, gate):
    gate.event(n=1)
    gate.event(n=2)
    gate.event(n=3)
    forged = gate.bodies[1].replace(b'"n":2', b'"n":9')
    happened = take(site, gate.again(1), gate.again(2, body=forged), gate.again(3))
    assert marks(happened) == [(), (), ("broken",)]
    assert row(site).broken == 1
    assert not row(site).is_well


def test_a_repeated_event_is_told_from_one_with_other_content(site, gate):
    gate.event(n=1)
    gate.event(n=2)
    forged = gate.bodies[0].replace(b'"n":1', b'"n":7')
    happened = take(site, gate.again(1), gate.again(2), gate.again(1), gate.again(1, body=forged))
    assert marks(happened) == [(), (), ("again",), ("altered",)]
    assert (row(site).again, row(site).altered) == (1, 1)
    assert not row(site).is_well


def test_a_repeat_alone_is_no_cause_for_alarm(site, gate):
    take(site, gate.event(), gate.again(1))
    assert row(site).is_well


def test_a_withheld_event_that_comes_after_all_is_no_forgery(site, gate):
    gate.event(n=1)
    gate.event(n=2)
    stand_in = json.loads(gate.bodies[0]) | {
        "type": "gatepost.journal.withheld",
        "data": {
            "why": "too_large",
            "hash": json.loads(gate.bodies[1])["previoushash"],
            "bytes": 1,
        },
    }
    happened = take(
        site,
        gate.again(1, body=json.dumps(stand_in).encode()),
        gate.again(2),
        gate.again(1, "replay"),
    )
    assert marks(happened) == [(), (), ("again",)]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_order_everything_that_came_is_complete(seed, site, gate):
    for _ in range(30):
        gate.event()
    order = list(range(1, 31))
    random.Random(seed).shuffle(order)
    happened = take(site, *(gate.again(seq) for seq in order))
    assert set(marks(happened)) == {()}
    assert row(site).sequence == "complete"


def test_after_a_new_connection_what_came_to_nobody_is_not_missed(site, gate):
    for _ in range(9):
        gate.event()
    take(site, gate.presence("online"), gate.again(1), gate.again(2))
    site.begin_anew()
    happened = take(site, gate.again(8), gate.again(9))
    site.settle(100.0)
    assert marks(happened) == [(), ()]
    assert (row(site).sequence, row(site).presence) == ("complete", "online")


# ------------------------------------------------------------------------------------------ others


def test_a_gate_cannot_speak_for_another(site, gate):
    other = SpeakingGate("gate-2")
    (told,) = take(site, gate.says("event/live", other.event().payload))
    assert told == Malformed("north/gate-1", "event/live", "an event of another gate")
    assert row(site).sequence is None


@pytest.mark.parametrize("kind", ["event/live", "status", "presence", "reported", "head"])
@pytest.mark.parametrize(
    "payload",
    [
        b"nonsense",
        b"\xff\xfe",
        b"[]",
        b'{"depth":"x","state":7,"lane":1}',
        b"[" * 5000,
        b"x" * 70_000,
        b'{"state":"\\ud800","depth":"","lane":""}',
    ],
)
def test_what_is_malformed_is_counted_and_told_and_changes_nothing_else(site, gate, kind, payload):
    take(site, gate.presence("online"), gate.status(1), gate.reported())
    before = row(site).shown()
    told = take(site, gate.says(kind, payload))
    assert isinstance(told[0], Malformed)
    assert site.malformed == 1
    assert {**row(site).shown(), "head": None} == before


def test_topics_of_no_gate_make_no_row(site):
    for topic in ("gatepost/north/Gate 1/status", "gatepost/x", "", "gatepost/../../status"):
        site.take(Incoming(topic, b"{}", is_retained=False), 0.0)
    assert site.rows == []


def test_other_topics_of_a_gate_are_not_looked_at(site, gate):
    assert take(site, gate.says("watermark", b"nonsense"), gate.says("eventful", b"no")) == []


def test_only_wanted_gates_have_a_row():
    site = SiteWatch(lambda gate: gate == "north/gate-2")
    take(site, SpeakingGate("gate-1").presence("online"), SpeakingGate("gate-2").event())
    assert [each.gate for each in site.rows] == ["north/gate-2"]


def test_the_last_event_is_the_newest_not_the_one_that_came_last(site, gate):
    gate.event()
    take(site, gate.event("fire.raised", "alarm"), gate.again(1, "backlog"))
    assert row(site).last.type == "gatepost.fire.raised"
