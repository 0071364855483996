"""The link against a real broker: what is lost, what comes twice, what comes late."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gatepost_services.contract.events import WireEvent, event_source
from gatepost_services.hub.subscriber import Subscriber

pytestmark = pytest.mark.processes

DEADLINE_S = 30.0
SOURCE = event_source("north", "gate-1")
EVENTS = 5000
KILLED_LINK = """
from pathlib import Path
from random import Random
from gatepost_services.doorbell import DoorbellListener
from gatepost_services.journal import JournalReader
from gatepost_services.uplink.backoff import Backoff
from gatepost_services.uplink.link import Link
from gatepost_services.uplink.position import PositionStore
from gatepost_services.uplink.session import MqttSession
folder = Path({folder!r})
Link(
    site="north", gate="gate-1",
    journal=JournalReader(folder / "journal.db"),
    position=PositionStore(folder / "acknowledged"),
    doorbell=DoorbellListener(folder / "bell"),
    new_session=lambda: MqttSession(host="127.0.0.1", port={port}, client_id="killed"),
    backoff=Backoff(0.02, 0.2, Random(1)),
).run(lambda: False)
"""


class Trigger:
    """Tells when the n-th event has come."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._event = threading.Event()

    def __call__(self, _event: WireEvent, _is_new: bool) -> None:
        self._left -= 1
        if self._left == 0:
            self._event.set()

    def wait(self) -> None:
        assert self._event.wait(DEADLINE_S)


def subscriber(port: int, on_event: Trigger | None = None, protocol: str = "5") -> Subscriber:
    return Subscriber(
        host="127.0.0.1",
        port=port,
        client_id="hub",
        protocol=protocol,
        retry_s=0.02,
        on_event=on_event,
    )


def assert_all_there(hub: Subscriber, count: int, *, duplicates: int) -> None:
    assert hub.wait_received(count, DEADLINE_S), hub.snapshot()
    snapshot = hub.snapshot()
    assert hub.missing(SOURCE, count) == ()
    assert snapshot.received == count
    assert snapshot.out_of_order == 0
    assert snapshot.malformed == 0
    assert snapshot.duplicates <= duplicates


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_everything_arrives_once_and_in_order(station, make_mosquitto, protocol):
    broker = make_mosquitto()
    broker.start()
    station.append(500)
    with subscriber(broker.port, protocol=protocol) as hub:
        assert hub.wait_subscribed(DEADLINE_S)
        with station.link(broker.port):
            assert_all_there(hub, 500, duplicates=0)


def test_a_broker_that_comes_later_gets_everything(station, make_mosquitto):
    broker = make_mosquitto()
    station.append(100)
    with station.link(broker.port), subscriber(broker.port) as hub:
        broker.start()
        assert_all_there(hub, 100, duplicates=0)


def test_events_wait_in_the_journal_while_nobody_has_subscribed(station, make_mosquitto, told):
    broker = make_mosquitto()
    broker.start()
    refused = told("nobody has subscribed")
    station.append(100)
    with station.link(broker.port):
        assert refused.wait(DEADLINE_S)
        assert station.acknowledged() == 0
        with subscriber(broker.port) as hub:
            assert_all_there(hub, 100, duplicates=0)


def test_a_broker_that_restarts_in_the_middle_of_a_drain_loses_nothing(station, make_mosquitto):
    broker = make_mosquitto()
    broker.start()
    station.append(EVENTS)
    trigger = Trigger(200)
    with subscriber(broker.port, trigger) as hub:
        assert hub.wait_subscribed(DEADLINE_S)
        with station.link(broker.port):
            trigger.wait()
            broker.stop()
            assert station.acknowledged() < EVENTS
            broker.start()
            # How much the broker repeats to the hub after its own restart is not ours to bound.
            assert_all_there(hub, EVENTS, duplicates=EVENTS)


def test_a_link_that_is_killed_in_the_middle_of_a_drain_repeats_at_most_a_window(
    station, make_mosquitto, run_python: Callable[[str], object], tmp_path: Path
):
    broker = make_mosquitto()
    broker.start()
    station.append(EVENTS)
    trigger = Trigger(200)
    with subscriber(broker.port, trigger) as hub:
        assert hub.wait_subscribed(DEADLINE_S)
        killed = run_python(KILLED_LINK.format(folder=str(tmp_path), port=broker.port))
        trigger.wait()
        killed.kill()
        killed.wait()
        assert station.acknowledged() < EVENTS
        with station.link(broker.port):
            assert_all_there(hub, EVENTS, duplicates=20)


def test_a_hub_that_was_away_gets_what_came_meanwhile(station, make_mosquitto):
    broker = make_mosquitto()
    broker.start()
    with subscriber(broker.port) as hub:
        assert hub.wait_subscribed(DEADLINE_S)
    station.append(50)
    with subscriber(broker.port) as second, station.link(broker.port):
        assert_all_there(second, 50, duplicates=0)


def test_a_broker_that_refuses_the_topic_gets_the_events_once_it_allows_it(
    station, make_mosquitto, told, tmp_path: Path
):
    rules = tmp_path / "acl"
    rules.write_text("topic read #\n")
    broker = make_mosquitto(f"acl_file {rules}")
    broker.start()
    station.append(30)
    refused = told("the broker keeps no event")
    with station.link(broker.port):
        assert refused.wait(DEADLINE_S)
    assert station.acknowledged() == 0
    broker.stop()
    rules.write_text("topic readwrite #\n")
    broker.start()
    # The hub first: with an access list, mosquitto 2.0 acknowledges and drops what comes for a
    # session that it restored from disk and that is not connected yet (seen in its log).
    with subscriber(broker.port) as hub:
        assert hub.wait_subscribed(DEADLINE_S)
        with station.link(broker.port):
            assert_all_there(hub, 30, duplicates=0)
