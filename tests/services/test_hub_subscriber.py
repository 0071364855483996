import pytest
from paho.mqtt import publish

from gatepost_services.hub.subscriber import Subscriber
from gatepost_services.journal import JournalReader

DEADLINE_S = 30.0
pytestmark = pytest.mark.processes


def test_a_payload_that_is_no_event_is_counted_and_told_once(station, make_mosquitto, caplog):
    broker = make_mosquitto()
    broker.start()
    station.append(1)
    with Subscriber(host="127.0.0.1", port=broker.port, client_id="hub") as hub:
        assert hub.wait_subscribed(DEADLINE_S)
        publish.multiple(
            [
                ("gatepost/north/gate-1/event/live", text, 1, False)
                for text in (b"nonsense", b"\xff", b"")
            ],
            hostname="127.0.0.1",
            port=broker.port,
        )
        with station.link(broker.port):
            assert hub.wait_received(1, DEADLINE_S)
        assert hub.wait_until(lambda tally: tally.malformed == 3, DEADLINE_S)
    assert sum("malformed" in record.getMessage() for record in caplog.records) == 1


def test_it_waits_in_vain_where_nobody_is(make_mosquitto):
    broker = make_mosquitto()
    with Subscriber(host="127.0.0.1", port=broker.port, client_id="hub", retry_s=0.01) as hub:
        assert not hub.wait_subscribed(0.05)
        assert not hub.wait_received(1, 0.0)
        broker.start()
        assert hub.wait_subscribed(DEADLINE_S)


def test_an_event_of_another_gate_than_the_topics_counts_as_malformed(station, make_mosquitto):
    broker = make_mosquitto()
    broker.start()
    station.append(1)
    (record,) = read_all(station)
    with Subscriber(host="127.0.0.1", port=broker.port, client_id="hub") as hub:
        assert hub.wait_subscribed(DEADLINE_S)
        publish.single(
            "gatepost/north/gate-2/event/live",
            record.body,
            qos=1,
            hostname="127.0.0.1",
            port=broker.port,
        )
        assert hub.wait_until(lambda tally: tally.malformed == 1, DEADLINE_S)
        assert hub.snapshot().received == 0


def read_all(station):
    with JournalReader(station.journal_path) as journal:
        return journal.read(0, 10).records
