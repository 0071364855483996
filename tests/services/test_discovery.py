"""What Home Assistant is told of a gate, held against what Home Assistant documents."""

import json
import re
from datetime import datetime
from pathlib import Path

import pytest
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gatepost.core.states import OUTPUTS, TEST_OUTPUTS, State
from gatepost_services.record import TIME_QUALITIES
from gatepost_services.uplink.discovery import (
    FREE_STATES,
    DiscoveryDesk,
    discovery_body,
    discovery_topic,
)

# Source: https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload and the pages
# of sensor.mqtt and binary_sensor.mqtt; the same in homeassistant 2025.4.4 from PyPI,
# components/mqtt/{schemas,config,sensor,binary_sensor}.py. Of what they allow, what we use.
ROOT = {"device", "origin", "components"}
DEVICE = {"identifiers", "name", "manufacturer", "model", "sw_version"}
ORIGIN = {"name", "sw_version"}
COMMON = {
    *("platform", "name", "unique_id", "state_topic", "value_template"),
    *("availability", "device_class", "entity_category"),
    *("json_attributes_topic", "json_attributes_template"),
}
OF_PLATFORM = {
    "binary_sensor": COMMON,
    "sensor": COMMON | {"state_class", "unit_of_measurement", "options"},
}
# homeassistant/components/{binary_sensor/__init__,sensor/const}.py
DEVICE_CLASSES = {
    "binary_sensor": {"lock", "problem", "connectivity"},
    "sensor": {"timestamp", "duration", "enum"},
}
# sensor/const.py: DEVICE_CLASS_STATE_CLASSES and the check of `options` in mqtt/sensor.py
WITHOUT_STATE_CLASS = {"timestamp", "enum"}
# discovery.py: TOPIC_MATCHER
TOPIC = re.compile(r"(\w+)/([a-zA-Z0-9_-]+)/([a-zA-Z0-9_-]+)/config")
GUIDE = Path(__file__).parents[2] / "services/HOME-ASSISTANT.md"

BODY = json.loads(discovery_body("north", "gate-1", "1.2.3"))
COMPONENTS = BODY["components"]
REPORTED = {
    "source": "/gatepost/north/gate-1",
    "time_quality": "ntp",
    "documents": {},
    "lane": {"state": "idle", "standing": [], "faults": []},
}
STATUS = {"depth": 0, "oldest_utc": None, "journal": {"last_seq": 1, "head": "00"}}
SOON = {"certificate": {"days_left": 12.5}, "last_utc": "2026-11-22T05:14:25.250Z"}


def rendered(key, payload, template="value_template"):
    """Render as Home Assistant does: value_json, a sandbox, stripped."""
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    text = environment.from_string(COMPONENTS[key][template])
    return text.render(value_json=payload).strip()


def lane(**changed):
    return {**REPORTED, "lane": {**REPORTED["lane"], **changed}}


def test_the_message_has_only_documented_keys_and_all_that_are_required():
    assert set(BODY) == ROOT
    assert set(BODY["device"]) == DEVICE
    assert isinstance(BODY["device"]["identifiers"], list)
    assert set(BODY["origin"]) == ORIGIN
    for component in COMPONENTS.values():
        assert set(component) <= OF_PLATFORM[component["platform"]]
        assert {"platform", "name", "unique_id", "state_topic", "value_template"} <= set(component)
        assert component.get("entity_category", "diagnostic") == "diagnostic"


def test_classes_units_and_options_go_together_as_documented():
    for component in COMPONENTS.values():
        device_class = component.get("device_class")
        assert device_class in {None, *DEVICE_CLASSES[component["platform"]]}
        if device_class in WITHOUT_STATE_CLASS:
            assert "state_class" not in component
            assert "unit_of_measurement" not in component
        assert ("options" in component) == (device_class == "enum")
        assert component.get("state_class", "measurement") == "measurement"
    assert COMPONENTS["certificate"]["unit_of_measurement"] == "d"
    assert COMPONENTS["clock"]["options"] == list(TIME_QUALITIES)


def test_nothing_can_be_commanded():
    text = discovery_body("north", "gate-1", "1").decode()
    assert "command" not in text
    assert {each["platform"] for each in COMPONENTS.values()} == {"sensor", "binary_sensor"}


def test_only_what_the_gate_publishes_anyway_is_read():
    topics = {each["state_topic"] for each in COMPONENTS.values()}
    assert topics == {
        f"gatepost/north/gate-1/{each}" for each in ("reported", "status", "presence")
    }
    for word in ("object_c", "index_c", "subject", "passes_read"):
        assert word not in json.dumps(BODY)


def test_identities_are_stable_and_no_two_gates_share_one():
    assert discovery_body("north", "gate-1", "1") == discovery_body("north", "gate-1", "1")
    assert COMPONENTS["lock"]["unique_id"] == "gatepost_north_gate-1_lock"
    identities = {each["unique_id"] for each in COMPONENTS.values()}
    assert len(identities) == len(COMPONENTS)
    assert not identities & {
        each["unique_id"]
        for each in json.loads(discovery_body("north-gate", "1", "1"))["components"].values()
    }
    assert discovery_topic("ha", "a-b", "c") != discovery_topic("ha", "a", "b-c")


def test_the_topic_is_one_that_home_assistant_looks_at():
    assert discovery_topic("homeassistant", "north", "gate-1") == (
        "homeassistant/device/north/gate-1/config"
    )
    topic = discovery_topic("homeassistant", "a-1", "0").removeprefix("homeassistant/")
    assert TOPIC.fullmatch(topic).groups() == ("device", "a-1", "0")
    with pytest.raises(ValueError, match="gate"):
        discovery_topic("homeassistant", "north", "gate/1")


@pytest.mark.packaging
def test_the_guide_names_every_entity_and_where_it_comes_from():
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| `(\w+)` \|", GUIDE.read_text("utf-8"), re.MULTILINE)
    assert [key for key, _, _ in rows] == list(COMPONENTS)
    for key, entity, topic in rows:
        component = COMPONENTS[key]
        assert component["state_topic"].endswith(f"/{topic}")
        assert entity.startswith(component["platform"].replace("_", " "))
        assert ("diagnostic" in entity) == ("entity_category" in component and key != "connection")


# ------------------------------------------------------------------------------------- templates


def test_the_states_in_which_a_way_is_free_are_those_of_the_core():
    free = {state for state, output in OUTPUTS.items() if output.releases}
    if any(output.releases for output in TEST_OUTPUTS.values()):
        free.add(State.TESTING)
    assert set(FREE_STATES) == {state.name.lower() for state in free}


@pytest.mark.parametrize("state", list(State))
def test_the_lock_shows_unlocked_where_a_way_is_free(state):
    free = OUTPUTS[state].releases or state is State.TESTING
    assert rendered("lock", lane(state=state.name.lower())) == ("ON" if free else "OFF")
    assert rendered("lane", lane(state=state.name.lower())) == state.name.lower()


def test_faults_are_counted_named_and_a_problem():
    assert rendered("problem", lane()) == "OFF"
    assert rendered("faults", lane()) == "0"
    broken = lane(faults=["sensor", "journal"])
    assert rendered("problem", broken) == "ON"
    assert rendered("faults", broken) == "2"
    attributes = json.loads(rendered("faults", broken, "json_attributes_template"))
    assert attributes == {"faults": ["sensor", "journal"]}


def test_the_backlog_and_its_oldest_are_shown_and_none_is_unknown():
    assert rendered("backlog", STATUS) == "0"
    assert rendered("oldest", STATUS) == "None"  # PAYLOAD_NONE: unknown
    waiting = {**STATUS, "depth": 17, "oldest_utc": "2026-11-22T05:14:25.250Z"}
    assert rendered("backlog", waiting) == "17"
    assert datetime.fromisoformat(rendered("oldest", waiting)).tzinfo is not None


@pytest.mark.parametrize("status", [STATUS, {**STATUS, "certificate": None, "last_utc": None}])
def test_what_a_status_does_not_say_is_unknown(status):
    assert rendered("certificate", status) == "None"
    assert rendered("last_event", status) == "None"


def test_the_certificates_days_and_the_last_event_are_shown():
    assert rendered("certificate", STATUS | SOON) == "12.5"
    assert datetime.fromisoformat(rendered("last_event", STATUS | SOON)).tzinfo is not None


@pytest.mark.parametrize("quality", TIME_QUALITIES)
def test_the_clocks_quality_is_one_of_its_options(quality):
    assert rendered("clock", {**REPORTED, "time_quality": quality}) == quality


@pytest.mark.parametrize("state", ["online", "lost", "stopped"])
def test_while_the_link_is_away_only_the_connection_is_known(state):
    here = state == "online"
    assert rendered("connection", {"state": state}) == ("ON" if here else "OFF")
    assert "availability" not in COMPONENTS["connection"]
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    for key, component in COMPONENTS.items():
        if key != "connection":
            (one,) = component["availability"]
            assert one["topic"] == "gatepost/north/gate-1/presence"
            text = environment.from_string(one["value_template"])
            # payload_available and payload_not_available have these defaults.
            assert text.render(value_json={"state": state}) == ("online" if here else "offline")


# ------------------------------------------------------------------------------------------ desk

PUBLISHED_ON = "homeassistant/device/north/gate-1/config"


def desk(folder: Path, *, enabled=True, prefix="homeassistant", gate="gate-1") -> DiscoveryDesk:
    return DiscoveryDesk(
        site="north",
        gate=gate,
        version="1.2.3",
        enabled=enabled,
        prefix=prefix,
        memory=folder / "home-assistant",
    )


def posts(desk, reason=0):
    """Drive a desk through one connection; return what it posted."""
    desk.connected(0.0)
    found = []
    while (post := desk.next_post(0.0)) is not None:
        assert post.is_retained
        found.append((post.topic, post.payload))
        desk.posted(post, reason, 0.0)
    return found


def test_it_is_published_at_each_connection(tmp_path):
    one = desk(tmp_path)
    expected = [(PUBLISHED_ON, discovery_body("north", "gate-1", "1.2.3"))]
    assert posts(one) == posts(one) == expected
    assert tuple(one.topics) == ()


def test_off_it_says_nothing_and_leaves_no_file(tmp_path):
    assert posts(desk(tmp_path, enabled=False)) == []
    assert list(tmp_path.iterdir()) == []


def test_turned_off_it_is_taken_back_once(tmp_path):
    posts(desk(tmp_path))
    off = desk(tmp_path, enabled=False)
    assert posts(off) == [(PUBLISHED_ON, b"")]
    assert posts(off) == []
    assert posts(desk(tmp_path, enabled=False)) == []


def test_it_is_taken_back_also_when_a_kill_came_before_the_broker_answered(tmp_path):
    killed = desk(tmp_path)
    killed.connected(0.0)
    assert killed.next_post(0.0) is not None
    assert posts(desk(tmp_path, enabled=False)) == [(PUBLISHED_ON, b"")]


def test_a_refused_taking_back_is_tried_again(tmp_path, caplog):
    posts(desk(tmp_path))
    off = desk(tmp_path, enabled=False)
    assert posts(off, reason=0x87) == posts(off, reason=0x87) == [(PUBLISHED_ON, b"")]
    assert posts(off) == [(PUBLISHED_ON, b"")]
    assert posts(off) == []
    assert sum("the broker refuses it" in each.getMessage() for each in caplog.records) == 1


def test_another_prefix_or_name_takes_the_old_one_back(tmp_path):
    posts(desk(tmp_path))
    assert posts(desk(tmp_path, prefix="ha")) == [
        (PUBLISHED_ON, b""),
        ("ha/device/north/gate-1/config", discovery_body("north", "gate-1", "1.2.3")),
    ]
    renamed = posts(desk(tmp_path, prefix="ha", gate="gate-2"))
    assert [topic for topic, _ in renamed] == [
        "ha/device/north/gate-1/config",
        "ha/device/north/gate-2/config",
    ]


def test_a_file_that_somebody_wrote_empties_no_other_topic(tmp_path):
    lines = ["gatepost/north/gate-1/status", "#", "ha/device/north/gate/1/config", "", PUBLISHED_ON]
    (tmp_path / "home-assistant").write_bytes("\n".join(lines).encode() + b"\xff\n")
    assert posts(desk(tmp_path, enabled=False)) == []
    (tmp_path / "home-assistant").write_text("\n".join(lines))
    assert posts(desk(tmp_path, enabled=False)) == [(PUBLISHED_ON, b"")]


def test_a_folder_that_cannot_be_written_is_told_once_and_hinders_nothing(tmp_path, caplog):
    one = desk(tmp_path / "missing")
    assert posts(one) == posts(one)
    assert posts(one) != []
    assert sum("cannot be written" in each.getMessage() for each in caplog.records) == 1
