import pytest
from paho.mqtt import publish

from gatepost_services.hub.subscriber import Subscriber

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
