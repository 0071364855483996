"""The doctor and a real mosquitto's access list: each line that is missing is named, and no other.

And what a server hears of it: nothing untrue, and nothing that stays.
"""

import json
import threading

import pytest
from tests.services.fake_broker import FakeBroker
from tests.services.tls_rig import OWN_TOPICS, Rig, TlsBroker

from gatepost.doctor import broker as broker_checks
from gatepost.doctor import topics as topics_check
from gatepost.doctor.model import Level
from gatepost.wiring.link import link
from gatepost_config.load import load
from gatepost_services.contract.channels import CHANNELS
from gatepost_services.contract.events import PROBE
from gatepost_services.doorbell import DoorbellListener
from gatepost_services.hub.messages import Broker
from gatepost_services.hub.mqtt import HubClient
from gatepost_services.hub.subscriber import Subscriber
from gatepost_services.hub.watch import SiteWatch

from .doctor_bench import REPORTED_TEXT, Bench, wrong
from .doctor_faults import access

pytestmark = pytest.mark.processes
PATIENCE_S = 60.0
BASE = "gatepost/north/gate-1"
SENT = [each.address for each in CHANNELS if each.action == "send"]


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    monkeypatch.setattr(broker_checks, "_CONNECT_S", PATIENCE_S)
    monkeypatch.setattr(broker_checks, "_ANSWER_S", PATIENCE_S)


@pytest.fixture(scope="module")
def site_of_tls(tmp_path_factory):
    rig = Rig(tmp_path_factory.mktemp("topics") / "site")
    files = rig.gate()
    with TlsBroker(rig) as broker:
        yield rig, broker, files


@pytest.fixture
def bench(site_of_tls, tmp_path):
    rig, broker, files = site_of_tls
    broker.write_acl(OWN_TOPICS)
    broker.reload()
    return Bench(tmp_path, rig, broker, files)


def look(bench):
    return bench.examine("broker.topics")[-1]


# "reply/#" names `reply` as well (MQTT 5.0, 4.7.1.2).
@pytest.mark.parametrize("address", [each for each in SENT if each != "reply"])
def test_it_names_the_one_line_that_is_missing(bench, address):
    access(address)(bench)
    found = look(bench)
    assert (found.problem, found.says) == ("partly", f"refused: {address}")
    assert found.remedy.count("pattern ") == 1
    assert f" pattern write gatepost/%u/{address}. " in found.remedy


def test_it_names_all_that_are_missing_though_mosquitto_ends_a_connection_at_the_second(bench):
    missing = ("event/alarm", "status", "head", "fetch")
    access(*missing)(bench)
    found = look(bench)
    assert found.says == f"refused: {', '.join(missing)}"
    assert found.remedy.count("pattern write") == len(missing)


def test_it_names_the_line_of_home_assistant_where_that_is_wanted(bench):
    access()(bench)
    assert look(bench).level is Level.OK
    bench.settings["home_assistant"] = {"enabled": True, "prefix": "ha"}
    found = look(bench)
    assert found.says == "refused: ha/device/north/gate-1/config"
    assert "pattern write ha/device/%u/config" in found.remedy


def test_what_nobody_has_said_yet_is_not_made_up(bench):
    (bench.folder / "run/board/head").unlink()
    (bench.folder / "link/uplink.db").unlink()
    found = look(bench)
    assert found.level is Level.OK
    assert found.says.endswith("nothing to say yet on status, head")


@pytest.fixture
def strange_broker(bench):
    """A broker that does what no mosquitto does."""
    broker = FakeBroker()
    bench.settings["link"] |= {
        "broker_host": "127.0.0.1",
        "broker_port": broker.port,
        "transport": "plain",
    }
    yield broker
    broker.close()


def test_a_broker_that_does_not_let_the_gate_read_is_believed(bench, strange_broker):
    strange_broker.unreadable = {f"{BASE}/command"}
    found = look(bench)
    assert found.says == "refused: command"
    assert "pattern read gatepost/%u/command" in found.remedy


def test_a_broker_that_ends_the_connection_refuses_as_well(bench, strange_broker):
    silent = f"{BASE}/event/live"
    strange_broker.judge = lambda topic, _: "drop" if topic == silent else 0
    assert look(bench).says == "refused: event/live"


def test_it_tries_what_the_link_reads(bench):
    with link(load(bench.config)) as made:
        read = made._posting.topics
        made.close()
    assert {f"{BASE}/{each}" for each in topics_check.addresses("receive")} == read


# --------------------------------------------------------------------------- what a server hears


class Ear:
    """Everything that comes to a server."""

    def __init__(self):
        self.came, self.changed = [], threading.Condition()

    def __call__(self, message):
        with self.changed:
            self.came.append(message)
            self.changed.notify_all()

    def wait_for(self, topic):
        with self.changed:
            assert self.changed.wait_for(
                lambda: topic in [each.topic for each in self.came], PATIENCE_S
            )


def client(bench, **keywords):
    server = Broker("localhost", bench.broker.port, tls=bench.rig.client().context)
    return HubClient(server, topics=["gatepost/#", "homeassistant/#"], **keywords)


def heard(bench):
    """Return what came to a server by the doctor's look, by topic; nothing of it may stay."""
    ear = Ear()
    with client(bench, on_message=ear) as server:
        assert server.wait_trouble(PATIENCE_S) is None
        assert look(bench).level is Level.OK
        ear.wait_for(f"{BASE}/reply/doctor")
    later = Ear()
    with client(bench, on_message=later) as server:
        assert server.wait_trouble(PATIENCE_S) is None
        assert look(bench).level is Level.OK
        later.wait_for(f"{BASE}/reply/doctor")
    assert not [each for each in later.came if each.is_retained]
    return {each.topic.removeprefix(f"{BASE}/"): each.payload for each in ear.came}


def test_a_server_hears_probes_and_what_is_so(bench):
    said = heard(bench)
    assert said.keys() == {*SENT, "reply/doctor"}
    assert said.pop("reported") == REPORTED_TEXT
    assert said.pop("head") == b"eyJ.eyJ.c2ln"
    assert json.loads(said.pop("presence"))["state"] == "stopped"
    status = json.loads(said.pop("status"))
    assert (status["depth"], status["journal"]["last_seq"]) == (30, 30)
    assert set(said.values()) == {PROBE}


def test_a_link_that_is_there_is_not_told_as_gone(bench):
    bell = DoorbellListener(load(bench.config).paths.doorbell)
    try:
        assert json.loads(heard(bench)["presence"])["state"] == "online"
    finally:
        bell.close()


def test_our_own_servers_take_a_probe_for_nothing(bench):
    watch, ear = SiteWatch(), Ear()
    hub = Subscriber(
        host="localhost",
        port=bench.broker.port,
        client_id="hub",
        tls=bench.rig.client().context,
    )
    with hub, client(bench, on_message=ear) as server:
        assert hub.wait_subscribed(PATIENCE_S)
        assert server.wait_trouble(PATIENCE_S) is None
        look(bench)
        ear.wait_for(f"{BASE}/reply/doctor")
        snapshot = hub.snapshot()
    assert snapshot.malformed == 0
    for message in ear.came:
        if not message.topic.endswith("/head"):  # the bench's is none
            watch.take(message, 0.0)
    assert watch.malformed == 0
    (row,) = watch.rows
    assert (row.lane, row.presence, row.waiting, row.sequence) == ("idle", "stopped", 30, None)
    assert wrong([look(bench)]) == set()
