"""The link against a real broker: what is lost, what comes twice, what comes late."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest

from gatepost_services.contract.events import WireEvent, event_source
from gatepost_services.hub.subscriber import Subscriber

pytestmark = pytest.mark.processes

DEADLINE_S = 30.0
ALARM = "tamper.raised"
SOURCE = event_source("north", "gate-1")
EVENTS = 5000
# The hub shares the interpreter with the test, and must not be the bottleneck that is measured.
BACKLOG, HUB_RATE = 6000, 2000.0
# Slow enough for any machine's hub, so that nothing queues in the broker.
SLOW_BACKLOG, SLOW_RATE = 2000, 500.0
# What is to be stopped in the middle must not be over before a slow machine's hub comes there.
MIDDLE_RATE = 1500.0
LINK = """
from pathlib import Path
from random import Random
from gatepost_services.doorbell import DoorbellListener
from gatepost_services.journal import JournalReader
from gatepost_services.uplink.backoff import Backoff
from gatepost_services.uplink.link import Link
from gatepost_services.uplink.session import MqttSession
from gatepost_services.uplink.store import ProgressStore
folder, progress = Path({folder!r}), None
link = Link(
    site="north", gate="gate-1",
    journal=JournalReader(folder / "journal.db"),
    store=ProgressStore.open(folder / "uplink.db", folder / "acknowledged", "puback"),
    doorbell=DoorbellListener(folder / "bell"),
    new_session=lambda: MqttSession(host="127.0.0.1", port={port}, client_id="killed"),
    backoff=Backoff(0.02, 0.2, Random(1)),
    window={window},
    backlog_rate={rate},
)
link.run(lambda: link._store.progress.acknowledged >= {through})
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0], flush=True)
"""
NEVER = 10**15


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


def subscriber(
    port: int,
    on_event: Callable[[WireEvent, bool], None] | None = None,
    protocol: str = "5",
    **settings: object,
) -> Subscriber:
    return Subscriber(
        host="127.0.0.1",
        port=port,
        client_id="hub",
        protocol=protocol,
        retry_s=0.02,
        on_event=on_event,
        **settings,
    )


def assert_all_there(hub: Subscriber, count: int, *, duplicates: int) -> None:
    assert hub.wait_received(count, DEADLINE_S), hub.snapshot()
    assert hub.wait_until(lambda tally: tally.complete_through == {SOURCE: count}, DEADLINE_S)
    snapshot = hub.snapshot()
    assert hub.missing(SOURCE, count) == ()
    assert snapshot.received == count
    assert snapshot.out_of_order == 0
    assert (snapshot.malformed, snapshot.breaks, snapshot.withheld) == (0, 0, 0)
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
        with station.link(broker.port, backlog_rate=MIDDLE_RATE):
            trigger.wait()
            broker.stop()
            assert station.acknowledged() < EVENTS
            broker.start()
            # How much the broker repeats to the hub after its own restart is not ours to bound.
            assert_all_there(hub, EVENTS, duplicates=EVENTS)


@pytest.mark.parametrize("window", [20, 500])
def test_a_link_that_is_killed_in_the_middle_of_a_drain_repeats_at_most_a_window(
    station, make_mosquitto, run_python: Callable[[str], object], tmp_path: Path, window: int
):
    broker = make_mosquitto("max_inflight_messages 0")
    broker.start()
    station.append(EVENTS)
    station.append(50, ALARM)
    station.append(EVENTS)
    count = 2 * EVENTS + 50
    triggers = [Trigger(200), Trigger(1000), Trigger(3000)]

    def on_event(event: WireEvent, is_new: bool) -> None:
        for trigger in triggers:
            trigger(event, is_new)

    with subscriber(broker.port, on_event) as hub:
        assert hub.wait_subscribed(DEADLINE_S)
        for trigger in triggers:
            code = LINK.format(
                folder=str(tmp_path),
                port=broker.port,
                window=window,
                rate=MIDDLE_RATE,
                through=NEVER,
            )
            killed = run_python(code)
            trigger.wait()
            killed.kill()
            killed.wait()
        assert station.acknowledged() < count
        with station.link(broker.port, window=window):
            assert_all_there(hub, count, duplicates=3 * window)


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


def test_a_topic_that_the_access_list_closes_stops_its_own_stream_alone(
    station, make_mosquitto, told, tmp_path: Path
):
    rules = tmp_path / "acl"
    rules.write_text(
        "topic read #\ntopic write gatepost/+/+/event/alarm\ntopic write gatepost/+/+/event/live\n"
        "topic write gatepost/+/+/watermark\ntopic write gatepost/+/+/status\n"
    )
    broker = make_mosquitto(f"acl_file {rules}")
    broker.start()
    station.append(100)
    station.append(20, ALARM)
    refused = told("of stream backlog")
    with subscriber(broker.port) as hub:
        assert hub.wait_subscribed(DEADLINE_S)
        with station.link(broker.port) as link:
            assert refused.wait(DEADLINE_S)
            for n in range(1, 6):
                station.append(1, ALARM)
                link.ring()
                assert hub.wait_received(20 + n, DEADLINE_S)
            assert hub.snapshot().by_type == {f"gatepost.{ALARM}": 25}
            rules.write_text("topic readwrite #\n")
            broker.reload()
            assert_all_there(hub, 125, duplicates=0)


def test_an_event_larger_than_the_brokers_packets_is_stood_in_for(station, make_mosquitto):
    broker = make_mosquitto("max_packet_size 2000")
    broker.start()
    station.append(5)
    station.append(1, pad=3000)
    station.append(5)
    with subscriber(broker.port) as hub:
        assert hub.wait_subscribed(DEADLINE_S)
        with station.link(broker.port):
            assert hub.wait_received(11, DEADLINE_S)
        snapshot = hub.snapshot()
    assert (snapshot.withheld, snapshot.breaks, snapshot.out_of_order) == (1, 0, 0)


def test_an_event_larger_than_the_brokers_secret_limit_is_stood_in_for(station, make_mosquitto):
    broker = make_mosquitto("message_size_limit 2000")  # of which CONNACK says nothing
    broker.start()
    station.append(5)
    station.append(1, pad=3000)
    station.append(5)
    with subscriber(broker.port) as hub:
        assert hub.wait_subscribed(DEADLINE_S)
        with station.link(broker.port):
            assert hub.wait_received(11, DEADLINE_S)
            assert hub.wait_until(lambda tally: tally.complete_through == {SOURCE: 11}, DEADLINE_S)
        snapshot = hub.snapshot()
    assert (snapshot.withheld, snapshot.breaks) == (1, 0)


def test_the_gate_may_forget_what_the_server_has(station, make_mosquitto):
    broker = make_mosquitto()
    broker.start()
    station.append(300)
    with (
        subscriber(broker.port) as hub,
        station.link(broker.port, keep_until="watermark") as link,
    ):
        assert_all_there(hub, 300, duplicates=0)
        link.wait_until(lambda: station.acknowledged() == 300)


def test_what_a_broker_acknowledges_and_drops_arrives_in_the_end(station, make_mosquitto):
    broker = make_mosquitto(queue="max_queued_messages 20")
    broker.start()
    with subscriber(broker.port, confirms=False) as hub:  # makes the durable session, and goes
        assert hub.wait_subscribed(DEADLINE_S)
    station.append(500)
    with station.link(
        broker.port, keep_until="watermark", confirm_timeout_s=0.5, backlog_rate=500.0
    ) as link:
        link.wait_until(lambda: link.acknowledged == 500)
        assert station.acknowledged() == 0
        with subscriber(broker.port) as hub:
            assert hub.wait_until(
                lambda tally: tally.complete_through == {SOURCE: 500}, DEADLINE_S
            ), hub.snapshot()
            link.wait_until(lambda: station.acknowledged() == 500)
    assert hub.snapshot().duplicates > 0


def test_a_new_alarm_overtakes_a_long_backlog_at_once(station, make_mosquitto):
    broker = make_mosquitto("max_inflight_messages 0")
    broker.start()
    station.append(BACKLOG)
    station.append(1, ALARM)
    types: list[str] = []
    alarmed = threading.Event()

    def on_event(event: WireEvent, _is_new: bool) -> None:
        types.append(event.type)
        if event.type == f"gatepost.{ALARM}":
            alarmed.set()

    with subscriber(broker.port, on_event) as hub:
        assert hub.wait_subscribed(DEADLINE_S)
        with station.link(broker.port, backlog_rate=HUB_RATE) as link:
            assert alarmed.wait(DEADLINE_S)
            assert types[0] == f"gatepost.{ALARM}"
            alarmed.clear()
            assert hub.wait_received(500, DEADLINE_S)
            station.append(1, ALARM)
            link.ring()
            began_s = time.monotonic()
            assert alarmed.wait(DEADLINE_S)
            assert time.monotonic() - began_s < 1.0
            assert hub.snapshot().received < BACKLOG
            assert_all_there(hub, BACKLOG + 2, duplicates=0)


def test_live_events_do_not_wait_for_the_backlog(station, make_mosquitto):
    """Counted in what comes before them, not in seconds, which are the machine's.

    The seconds are in tests/bench/journal_rates.py.
    """
    broker = make_mosquitto("max_inflight_messages 0")
    broker.start()
    station.append(SLOW_BACKLOG)
    seen = threading.Semaphore(0)

    def on_event(event: WireEvent, _is_new: bool) -> None:
        if event.seq > SLOW_BACKLOG:
            seen.release()

    overtaken_by: list[int] = []
    with subscriber(broker.port, on_event) as hub:
        assert hub.wait_subscribed(DEADLINE_S)
        with station.link(broker.port, backlog_rate=SLOW_RATE) as link:
            assert hub.wait_received(100, DEADLINE_S)
            while (before := hub.snapshot().received) < SLOW_BACKLOG - 500:
                station.append(1)
                link.ring()
                assert seen.acquire(timeout=DEADLINE_S)
                overtaken_by.append(hub.snapshot().received - before - 1)
            assert_all_there(hub, SLOW_BACKLOG + len(overtaken_by), duplicates=0)
    assert len(overtaken_by) >= 5
    assert median(overtaken_by) < SLOW_RATE / 4


def test_the_link_stays_small_while_it_drains(station, make_mosquitto, run_python, tmp_path):
    broker = make_mosquitto("max_inflight_messages 0")
    broker.start()
    for _ in range(15):
        station.append(2000)
    station.append(300, pad=40_000)
    with subscriber(broker.port) as hub:
        assert hub.wait_subscribed(DEADLINE_S)
        code = LINK.format(
            folder=str(tmp_path), port=broker.port, window=500, rate=0.0, through=30_300
        )
        drained = run_python(code)
        size_kib = int(drained.stdout.readline())
        assert_all_there(hub, 30_300, duplicates=0)
    assert size_kib < 45 * 1000
