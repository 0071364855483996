"""The subscriber of CONTRACT.md, written from the AsyncAPI document, on a real broker."""

import ast
import json
import os
import queue
import subprocess
import sys
import threading
from hashlib import sha256
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from gatepost_services.contract.events import Envelope, event_topic, withheld_body
from gatepost_services.record import NO_HASH, Entry, EventClass, Record

from .conftest import DEADLINE_S, GATE, SITE

pytestmark = [pytest.mark.packaging, pytest.mark.processes]
SCRIPT = Path(__file__).parents[2] / "services/examples/follow.py"


def chain(count, *, gap=None):
    """Return events of a gate that follow one another; `gap`: (number of the event, ranges)."""
    envelope, bodies, previous = Envelope(SITE, GATE, "boot-1"), {}, NO_HASH
    absent = set()
    if gap is not None:
        absent = {seq for first, last in gap[1] for seq in range(first, last + 1)}
    for seq in range(1, count + 1):
        if seq in absent:
            continue
        entry = Entry("passage.forced", float(seq), 1e9 + seq, {"state": "idle"}, "ntp")
        if gap is not None and seq == gap[0]:
            data = {
                "cause": "disk",
                "class": "live",
                "count": len(absent),
                "from": min(absent),
                "through": max(absent),
                "ranges": [list(each) for each in gap[1]],
            }
            entry = Entry("journal.gap", float(seq), 1e9 + seq, data, "ntp")
        bodies[seq] = envelope.seal(entry, seq, previous)
        previous = sha256(bodies[seq]).digest()
    return bodies


class Following:
    """The script as a process of its own, and the gate's side of the broker."""

    def __init__(self, port, *arguments):
        self._lines = queue.Queue()
        self._process = subprocess.Popen(
            [
                *(sys.executable, str(SCRIPT), "--port", str(port)),
                *("--site", SITE, "--gate", GATE, *arguments),
            ],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": ""},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self.next() == {"following": f"gatepost/{SITE}/{GATE}"}
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _read(self):
        for line in self._process.stdout:
            self._lines.put(json.loads(line))

    def next(self):
        return self._lines.get(timeout=DEADLINE_S)

    def until(self, finding):
        """Return the findings up to this one, without those of what is whole."""
        found = []
        while (said := self.next()) != finding:
            if "whole" not in said:
                found.append(said)
        return found

    def publish(self, *bodies, stream="live"):
        for body in bodies:
            sent = self._client.publish(event_topic(SITE, GATE, stream), body, qos=1)
            sent.wait_for_publish(DEADLINE_S)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()
        self._process.kill()
        self._process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        self._process.stdout.close()


@pytest.fixture
def broker(make_mosquitto):
    broker = make_mosquitto()
    broker.start()
    return broker


@pytest.fixture
def follow(broker):
    made = []

    def start(*arguments):
        made.append(Following(broker.port, *arguments))
        return made[-1]

    yield start
    for following in made:
        following.close()


def test_the_script_knows_nothing_of_gatepost():
    names = set()
    for node in ast.walk(ast.parse(SCRIPT.read_text())):
        if isinstance(node, ast.Import):
            names |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
    assert names - set(sys.stdlib_module_names) == {"paho.mqtt.client"}


def test_what_is_whole_is_told_whatever_the_order_across_topics(follow):
    bodies, following = chain(6), follow()
    following.publish(bodies[3], bodies[6], stream="alarm")
    following.publish(bodies[1], bodies[2], bodies[4], stream="backlog")
    following.publish(bodies[5])
    assert following.until({"whole": 6}) == []


def test_a_repeated_event_is_told_and_changes_nothing(follow):
    bodies, following = chain(4), follow()
    following.publish(bodies[1], bodies[2], bodies[1])
    assert following.until({"repeated": 1}) == []
    following.publish(bodies[2], stream="replay")
    assert following.until({"repeated": 2}) == []
    following.publish(bodies[3], bodies[4])
    assert following.until({"whole": 4}) == []


def test_a_removed_event_is_told_and_may_still_come(follow):
    bodies, following = chain(6), follow("--grace", "0.5")
    following.publish(bodies[1], bodies[2], bodies[5], bodies[6])
    assert following.until({"missing": [3, 4]}) == []
    following.publish(bodies[3], bodies[4], stream="replay")
    assert following.until({"whole": 6}) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b'"idle"', b'"held"', [[2, 3]]),
        (b'"timequality":"ntp"', b'"timequality":"rtc"', [[2, 3]]),
        (b'"data"', b' "data"', [[2, 3]]),  # the same to JSON
        (b'"previoushash":"', b'"previoushash":"x', [[1, 2], [2, 3]]),
    ],
)
def test_an_altered_event_is_told(follow, old, new, told):
    bodies, following = chain(4), follow()
    altered = bodies[2].replace(old, new)
    assert altered != bodies[2]
    following.publish(bodies[1], altered, bodies[3], bodies[4])
    assert following.until({"whole": 4}) == [{"altered": pair} for pair in told]
    following.publish(bodies[2], stream="replay")  # the true one: it was the second
    assert following.until({"altered": [2, 2]}) == []


def test_what_the_gate_cannot_send_or_gave_up_is_no_loss(follow):
    bodies = chain(8, gap=(6, [(2, 3)]))
    withheld = withheld_body(
        SITE, GATE, Record(5, EventClass.LIVE, sha256(bodies[5]).digest(), bodies[5]), "too_large"
    )
    following = follow("--grace", "0.5")
    following.publish(bodies[1], bodies[4], withheld, bodies[6], bodies[7], bodies[8])
    assert following.until({"whole": 8}) == []


def test_a_message_that_is_no_event_stops_nothing(follow):
    bodies, following = chain(2), follow()
    following.publish(b"\xff", b"[]", b'{"id":1}', b"{}", bodies[1], bodies[2])
    topic = event_topic(SITE, GATE, "live")
    assert following.until({"whole": 2}) == [{"unreadable": topic}] * 3


def test_a_real_link_is_followed_and_believes_the_watermark(broker, follow, station):
    following = follow("--confirm")
    station.append(40)
    with station.link(broker.port, keep_until="watermark") as link:
        assert following.until({"whole": 40}) == []
        link.wait_until(lambda: link._link._store.progress.watermark == 40)
        station.append(2, "tamper.raised")
        link.ring()
        assert following.until({"whole": 42}) == []
