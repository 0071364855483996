"""The access list that we hand out (services/acl/mosquitto.acl), on a real mosquitto with TLS."""

import pytest
from tests.services.tls_rig import Rig, TlsBroker

from gatepost_services.contract.channels import CHANNELS
from gatepost_services.uplink.discovery import discovery_topic

from .wire_rig import ACL, BASE, ROOT, Server

pytestmark = [pytest.mark.packaging, pytest.mark.processes]
OTHER = "gatepost/north/gate-2"
SENT = ["event/live", "status", "presence", "head", "reported", "reply", "reply/x/y", "fetch"]
RECEIVED = ["watermark", "command", "desired/roster", "chunk/abc/0"]
REFUSED = 0x87


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path / "site")


@pytest.fixture
def broker(rig):
    with TlsBroker(rig, acl=ACL) as running:
        yield running


def reason_of(broker, files, topic: str) -> int | None:
    """Return what the broker says to one post, on a connection of its own.

    mosquitto 2.0.11 resets a connection at the second post that it refuses.
    """
    with Server(broker, files) as client:
        return client.publish(topic, b"{}").reason


def test_a_gate_writes_its_own_topics(rig, broker):
    with Server(broker, rig.gate()) as gate:
        for topic in (*SENT, discovery_topic("homeassistant", "north", "gate-1")):
            assert gate.publish(topic, b"{}").reason in (0, 0x10), topic


@pytest.mark.parametrize("topic", [f"{BASE}/{each}" for each in RECEIVED])
def test_a_gate_does_not_say_what_a_server_has_to_say(rig, broker, topic):
    assert reason_of(broker, rig.gate(), topic) == REFUSED


def test_a_gate_writes_nothing_of_another_gate(rig, broker):
    files = rig.gate()
    for topic in (*SENT, *RECEIVED):
        assert reason_of(broker, files, f"{OTHER}/{topic}") == REFUSED, topic
    discovery = discovery_topic("homeassistant", "north", "gate-2")
    assert reason_of(broker, files, discovery) == REFUSED


def test_a_gate_reads_what_is_for_it_and_nothing_of_another(rig, broker):
    with (
        Server(broker, rig.client("centre"), "gatepost/#") as centre,
        Server(broker, rig.gate(), "gatepost/#") as gate,
        Server(broker, rig.gate("gate-2"), "gatepost/#") as other,
    ):
        for topic in RECEIVED:
            assert centre.publish(topic, b"{}").reason in (0, 0x10), topic
        other.publish(f"{OTHER}/status", b"{}")
        other.publish(f"{OTHER}/event/live", b"{}")
        centre.publish(f"{OTHER}/command", b"last")
        centre.publish("command", b"last")
        gate.wait_for(2, "command")
        assert [each.topic for each in gate.came] == [
            f"{BASE}/{topic}" for topic in (*RECEIVED, "command")
        ]
        assert {each.topic for each in other.came} <= {f"{OTHER}/command"}
        assert len(centre.came) == len(RECEIVED) + 4


def test_a_server_commands_every_gate_and_makes_no_events(rig, broker):
    files = rig.client("centre")
    with Server(broker, files) as centre:
        for gate in (BASE, OTHER):
            for topic in RECEIVED:
                assert centre.publish(f"{gate}/{topic}", b"{}").reason in (0, 0x10)
    for topic in SENT:
        assert reason_of(broker, files, topic) == REFUSED, topic


def test_who_watches_sees_no_commands_and_sends_none(rig, broker):
    files = rig.client("watch")
    with (
        Server(broker, files, "gatepost/#") as watch,
        Server(broker, rig.client("centre")) as centre,
        Server(broker, rig.gate()) as gate,
    ):
        centre.publish("command", b"{}")
        gate.publish("reply", b"{}")
        gate.publish("status", b"{}")
        watch.wait_for(1, "status")
        assert len(watch.came) == 1
    assert reason_of(broker, files, f"{BASE}/command") == REFUSED
    assert reason_of(broker, rig.client("stranger"), f"{BASE}/command") == REFUSED


def test_both_lists_name_every_topic_of_the_contract_and_for_whom():
    emqx = (ROOT / "services/acl/emqx.conf").read_text(encoding="utf-8")
    for channel in CHANNELS:
        address = channel.address.replace("{document}", "+").replace("{digest}/{offset}", "+/+")
        address = "event/+" if address.startswith("event/") else address
        verb = "write" if channel.action == "send" else "read"
        assert f"pattern {verb} gatepost/%u/{address}\n" in ACL, channel.name
        assert f'"gatepost/${{username}}/{address}"' in emqx, channel.name
