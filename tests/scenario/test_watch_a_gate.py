"""A real gate and link before a real broker: what the watch and Home Assistant make of it."""

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import datetime

import pytest
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gatepost.demo.broker import LocalBroker
from gatepost_services.hub.messages import Broker
from gatepost_services.hub.mqtt import HubClient
from gatepost_services.hub.watch import Event, Malformed, SiteWatch, topics

LIMIT_S = 90.0
DISCOVERY = "homeassistant/device/north/gate-1/config"
pytestmark = pytest.mark.processes


class Looker:
    """Looks at one gate as the watch does, and keeps the last text of each topic."""

    def __init__(self, address):
        self.site, self.happened, self.last = SiteWatch(), [], {}
        self._changed = threading.Condition()
        self._client = HubClient(
            Broker(address.host, address.port, address.protocol),
            topics=(*topics("north", "gate-1"), "homeassistant/#"),
            on_message=self._take,
        )

    def __enter__(self):
        self._client.start()
        assert self._client.wait_trouble(LIMIT_S) is None
        return self

    def __exit__(self, *exc_info):
        self._client.stop()

    @property
    def row(self):
        return self.site.rows[0] if self.site.rows else None

    def wait(self, condition):
        with self._changed:
            assert self._changed.wait_for(condition, LIMIT_S), (self.last, self.row)

    def said(self, kind):
        return json.loads(self.last[f"gatepost/north/gate-1/{kind}"])

    def _take(self, message):
        with self._changed:
            self.last[message.topic] = message.payload
            if message.topic.startswith("gatepost/"):
                self.happened += self.site.take(message, 0.0)
            self._changed.notify_all()


@pytest.fixture
def address(tmp_path):
    broker = LocalBroker(tmp_path)
    broker.start()
    yield broker.address
    broker.stop()


@pytest.fixture
def run(tmp_path, address):
    """Start a `gatepost` command on one gate's settings; killed at the end."""
    for name in ("gate", "link", "run/gate", "run/link"):
        (tmp_path / name).mkdir(parents=True)
    config, started = tmp_path / "gatepost.toml", []

    def start(*arguments, enabled=True):
        config.write_text(
            '[gate]\nsite = "north"\nname = "gate-1"\n'
            "[screening]\noffset_c = 2.4\nlearns = false\n"
            '[sensor]\ncalibration = "factory"\nsupply_v = 3.0\n'
            f'[link]\nbroker_host = "{address.host}"\nbroker_port = {address.port}\n'
            f'transport = "plain"\nmqtt_version = "{address.protocol}"\n'
            "reconnect_max_s = 1.0\nstatus_s = 5\n"
            f"[home_assistant]\nenabled = {str(enabled).lower()}\n"
            f'[paths]\ngate_dir = "{tmp_path}/gate"\nlink_dir = "{tmp_path}/link"\n'
            f'run_dir = "{tmp_path}/run"\nroster = "{tmp_path}/roster.db"\n'
            f'roster_key = "{tmp_path}/roster.key"\n'
        )
        with (tmp_path / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "gatepost", *arguments, "--config", str(config)],
                stdin=subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(LIMIT_S)


def ended(process):
    process.send_signal(signal.SIGTERM)
    assert process.wait(LIMIT_S) == 0


def shown_by_home_assistant(looker):
    """Return what each entity shows, rendered from the texts that its topics hold."""
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    components = json.loads(looker.last[DISCOVERY])["components"]
    return {
        key: environment.from_string(each["value_template"])
        .render(value_json=json.loads(looker.last[each["state_topic"]]))
        .strip()
        for key, each in components.items()
    }


def test_a_gate_is_seen_whole_and_taken_back_when_home_assistant_is_turned_off(address, run):
    with Looker(address) as looker:
        uplink = run("uplink")
        gate = run("simulate", "--people", "2", "--speed", "50")
        assert gate.wait(LIMIT_S) == 0
        looker.wait(lambda: any(_is_end(each) for each in looker.happened))
        looker.wait(lambda: looker.row.head == "verified" and looker.row.waiting == 0)
        row = looker.row
        assert (row.presence, row.sequence) == ("online", "complete")
        assert row.faults == ("roster",)  # there is none
        assert row.clock is not None
        assert (row.broken, row.altered, looker.site.malformed) == (0, 0, 0)
        assert not [each for each in looker.happened if isinstance(each, Malformed)]

        looker.wait(lambda: DISCOVERY in looker.last)
        shown = shown_by_home_assistant(looker)
        assert (shown["connection"], shown["lock"], shown["problem"]) == ("ON", "OFF", "ON")
        assert (shown["faults"], shown["backlog"], shown["oldest"]) == ("1", "0", "None")
        assert shown["lane"] == looker.said("reported")["lane"]["state"]
        assert shown["certificate"] == "None"  # the link is in the clear
        assert datetime.fromisoformat(shown["last_event"]).tzinfo is not None
        assert shown["clock"] in ("none", "restored", "rtc", "ntp")

        ended(uplink)
        looker.wait(lambda: looker.row.presence == "stopped")
        assert shown_by_home_assistant(looker)["connection"] == "OFF"
        run("uplink", enabled=False)
        looker.wait(lambda: looker.last[DISCOVERY] == b"")


def _is_end(happening):
    return isinstance(happening, Event) and happening.event.type == "gatepost.controller.stopped"
