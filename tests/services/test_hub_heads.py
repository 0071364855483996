"""The signed head: what a link or a broker keeps back or changes shows."""

import json

import pytest

from gatepost_services.commands.jws import Kind
from gatepost_services.hub.heads import Head, HeadError
from gatepost_services.hub.watch import SETTLE_S, Malformed, SiteWatch

from .watch_kit import SpeakingGate

SOURCE = "/gatepost/north/gate-1"


@pytest.fixture
def gate():
    made = SpeakingGate()
    for n in range(3):
        made.event(n=n)
    return made


@pytest.fixture
def site():
    return SiteWatch()


def take(site, *messages, now_s=0.0):
    for message in messages:
        site.take(message, now_s)
    (row,) = site.rows
    return row


def test_without_a_key_nothing_is_judged(site, gate):
    row = take(site, gate.head())
    assert row.head == "no key"
    assert row.is_well


def test_signed_by_the_gates_key_whichever_came_first(site, gate):
    assert take(site, gate.head(), gate.reported()).head == "signed"
    assert take(SiteWatch(), gate.reported(), gate.head()).head == "signed"


def test_verified_once_the_event_itself_has_come_whichever_came_first(site, gate):
    row = take(site, gate.reported(), gate.head())
    assert row.head == "signed"
    assert take(site, gate.again(3)).head == "verified"
    other = SiteWatch()
    assert take(other, gate.again(3), gate.reported(), gate.head()).head == "verified"


def test_another_event_in_its_place_shows(site, gate):
    forged = gate.bodies[2].replace(b'"n":2', b'"n":8')
    row = take(site, gate.reported(), gate.head(), gate.again(3, body=forged))
    assert row.head == "another event"
    assert not row.is_well


def test_events_that_are_kept_back_show_as_missing(site, gate):
    row = take(site, gate.reported(), gate.status(0), gate.again(1), gate.head())
    assert row.sequence == "complete"  # as far as one event tells
    site.settle(1.0)
    assert row.sequence == "2 to come"
    site.settle(1.0 + SETTLE_S)
    assert row.sequence == "2 missing"
    take(site, gate.again(2), gate.again(3), now_s=10.0)
    assert row.sequence == "complete"


def test_a_head_that_the_gate_did_not_sign_promises_nothing(site, gate):
    forger = SpeakingGate()
    forger.bodies = [b"x"] * 1000
    row = take(site, gate.reported(), gate.again(1), forger.head())
    site.settle(1.0)
    site.settle(100.0)
    assert row.head == "not signed by the gate"
    assert row.sequence == "complete"
    assert not row.is_well


def test_another_key_than_at_first_shows_whatever_it_signs(site, gate):
    row = take(site, gate.reported(), gate.head())
    gate.key = SpeakingGate().key
    take(site, gate.reported(), gate.head())
    assert row.head == "another key"
    assert not row.is_well


def test_a_device_key_that_is_none_is_no_key(gate):
    said = json.loads(gate.reported().payload)
    for key in ("zz", "00", ""):
        payload = json.dumps({**said, "device_key": key}).encode()
        assert take(SiteWatch(), gate.says("reported", payload), gate.head()).head == "no key"


def test_heads_that_are_none_are_refused(gate):
    cases = {
        "another gate": gate.head(source="/gatepost/north/gate-2").payload,
        "no head": gate.signed(
            json.dumps({"source": SOURCE, "seq": 3, "hash": "00" * 32}).encode(), Kind.COMMAND
        ),
        "no signed head": b"a.b.c",
    }
    for words, payload in cases.items():
        with pytest.raises(HeadError, match=words):
            Head.parse(payload, SOURCE)
    for claims in ({"seq": 0}, {"seq": "3"}, {"hash": "zz"}, {"hash": "00"}, {"source": 5}):
        with pytest.raises(HeadError):
            Head.parse(gate.head(**claims).payload, SOURCE)


def test_a_malformed_head_is_told_and_shown_until_a_good_one_comes(site, gate):
    row = take(site, gate.reported(), gate.head())
    told = site.take(gate.says("head", b"nonsense"), 0.0)
    assert isinstance(told[0], Malformed)
    assert row.head == "malformed"
    assert not row.is_well
    assert take(site, gate.head()).head == "signed"
    assert take(site, gate.says("head", b"")).head is None
