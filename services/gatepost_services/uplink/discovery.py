"""Shows the gate to a Home Assistant on the same broker, which sees it and cannot command it.

One retained message names one device and all that is to be seen of it ("device discovery", Home
Assistant 2024.12 or later). It only points at what the gate publishes anyway: `reported`, `status`
and `presence`, each read by a template. services/HOME-ASSISTANT.md says what is shown, and why no
entity is a `lock`.
"""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from gatepost_services.contract.events import event_source
from gatepost_services.edge_log import EdgeLog
from gatepost_services.record import TIME_QUALITIES, JsonValue
from gatepost_services.state_file import StateFileError, read_state, write_state
from gatepost_services.uplink.desk import Message, Post

_LOG = logging.getLogger(__name__)
# In these states of the lane a way is free, or may be (`OUTPUTS` of the core; a test compares).
FREE_STATES = ("released", "leaving", "fire", "emergency", "testing")
_REFUSED = 0x80
_MOST_REMEMBERED = 20

_Component = dict[str, JsonValue]


def discovery_topic(prefix: str, site: str, gate: str) -> str:
    """Return where Home Assistant looks for a gate.

    Site and gate stand apart, so that an access list can let each gate write its own and no other:
    `pattern write homeassistant/device/%u/config`.

    Raises:
        ValueError: a name of another form than `event_source` demands.
    """
    _, _, site, gate = event_source(site, gate).split("/")
    return f"{prefix}/device/{site}/{gate}/config"


def discovery_body(site: str, gate: str, version: str) -> bytes:
    """Return what Home Assistant is told of a gate, as JSON. Always the same for the same gate.

    Raises:
        ValueError: a name of another form than `event_source` demands.
    """
    base = event_source(site, gate)[1:]
    # A name has no underscore, so no two gates share an identity.
    identity = f"gatepost_{site}_{gate}"
    components: dict[str, JsonValue] = {
        key: {**component, "unique_id": f"{identity}_{key}"}
        for key, component in _components(base).items()
    }
    said: dict[str, JsonValue] = {
        "device": {
            "identifiers": [identity],
            "name": f"Gate {site}/{gate}",
            "manufacturer": "Gatepost",
            "model": "Turnstile gate",
            "sw_version": version,
        },
        "origin": {"name": "gatepost", "sw_version": version},
        "components": components,
    }
    return json.dumps(said, separators=(",", ":")).encode()


def _components(base: str) -> dict[str, _Component]:
    return {**_of_the_lane(base), **_of_the_link(base)}


def _of_the_lane(base: str) -> dict[str, _Component]:
    reported = f"{base}/reported"
    return {
        "lock": {
            **_seen(base, "binary_sensor", "Lock", reported, _one_of("lane.state", FREE_STATES)),
            "device_class": "lock",  # ON is unlocked
        },
        "lane": _seen(base, "sensor", "Lane", reported, "{{ value_json.lane.state }}"),
        "problem": {
            **_seen(base, "binary_sensor", "Problem", reported, _on("value_json.lane.faults")),
            "device_class": "problem",
        },
        "faults": {
            **_seen(base, "sensor", "Faults", reported, "{{ value_json.lane.faults | count }}"),
            "state_class": "measurement",
            "json_attributes_topic": reported,
            "json_attributes_template": "{{ {'faults': value_json.lane.faults} | tojson }}",
        },
    }


def _of_the_link(base: str) -> dict[str, _Component]:
    reported, status = f"{base}/reported", f"{base}/status"
    return {
        # Not with the others' availability: that it is away is what this one says.
        "connection": {
            "platform": "binary_sensor",
            "name": "Connection",
            "state_topic": f"{base}/presence",
            "value_template": _on("value_json.state == 'online'"),
            "device_class": "connectivity",
            "entity_category": "diagnostic",
        },
        "backlog": {
            **_told(base, "Backlog", status, "{{ value_json.depth }}"),
            "state_class": "measurement",
        },
        "oldest": {
            **_told(base, "Oldest event waiting", status, "{{ value_json.oldest_utc }}"),
            "device_class": "timestamp",
        },
        "last_event": {
            **_told(base, "Last event", status, _optional("last_utc")),
            "device_class": "timestamp",
        },
        "certificate": {
            **_told(base, "Certificate", status, _optional("certificate.days_left")),
            "device_class": "duration",
            "unit_of_measurement": "d",
            "state_class": "measurement",
        },
        "clock": {
            **_told(base, "Clock", reported, "{{ value_json.time_quality }}"),
            "device_class": "enum",
            "options": list(TIME_QUALITIES),
        },
    }


def _seen(base: str, platform: str, name: str, topic: str, template: str) -> _Component:
    """Return an entity that is unavailable while the link is away: nobody knows how it is then."""
    return {
        "platform": platform,
        "name": name,
        "state_topic": topic,
        "value_template": template,
        "availability": [
            {
                "topic": f"{base}/presence",
                "value_template": ("{{ 'online' if value_json.state == 'online' else 'offline' }}"),
            }
        ],
    }


def _told(base: str, name: str, topic: str, template: str) -> _Component:
    return {**_seen(base, "sensor", name, topic, template), "entity_category": "diagnostic"}


def _on(condition: str) -> str:
    return f"{{{{ 'ON' if {condition} else 'OFF' }}}}"


def _one_of(key: str, values: Sequence[str]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return _on(f"value_json.{key} in ({listed},)")


def _optional(path: str) -> str:
    """Return a template of what may be missing or null: Home Assistant takes None for unknown."""
    outer, _, last = path.rpartition(".")
    holder = f"(value_json.{outer} | default({{}}, true))" if outer else "value_json"
    return f"{{{{ {holder}.{last} | default(None) }}}}"


class DiscoveryDesk:
    """Publishes the message at each connection, and takes it back once the site wants it no more.

    Belongs among the link's desks also when it is not `enabled`: what was published once stays at
    the broker, and Home Assistant would show a dead gate for ever. `memory` is a file in the
    link's folder: on which topics something of ours may stand. Never raises.

    Raises:
        ValueError: a site or gate of another form than `event_source` demands.
    """

    topics: Sequence[str] = ()

    def __init__(
        self, *, site: str, gate: str, version: str, enabled: bool, prefix: str, memory: Path
    ) -> None:
        self._topic = discovery_topic(prefix, site, gate) if enabled else None
        self._body = discovery_body(site, gate, version) if enabled else b""
        self._path = memory
        self._memory_log = EdgeLog(_LOG)
        self._refusal_log = EdgeLog(_LOG)
        self._standing = self._remembered()
        self._due: list[Post] = []

    def connected(self, now_s: float) -> None:
        """Begin with a new connection: a broker may have forgotten what it was told."""
        del now_s
        self._due = [
            Post(topic, b"", is_retained=True) for topic in self._standing if topic != self._topic
        ]
        if self._topic is None:
            return
        if self._topic not in self._standing:
            # Before it is published: a kill between the two must not make it a stranger's.
            self._remember([*self._standing, self._topic])
        self._due.append(Post(self._topic, self._body, is_retained=True))

    def take(self, message: Message, now_s: float) -> None:
        """Nothing comes here: it has no topics."""

    def next_post(self, now_s: float) -> Post | None:
        """Return what to publish next, None for nothing."""
        del now_s
        return self._due[0] if self._due else None

    def posted(self, post: Post, reason: int, now_s: float) -> None:
        """Note what became of a post; what was refused is tried with the next connection."""
        del now_s
        self._due = [each for each in self._due if each != post]
        if reason >= _REFUSED:
            self._refusal_log.failed(
                "%s: the broker refuses it; let the gate write there, or set "
                "[home_assistant] enabled = false",
                post.topic,
            )
            return
        self._refusal_log.recovered("%s: the broker takes it again", post.topic)
        if not post.payload:
            _LOG.info("%s: taken back from Home Assistant", post.topic)
            self._remember([topic for topic in self._standing if topic != post.topic])

    def _remembered(self) -> list[str]:
        try:
            content = read_state(self._path)
        except StateFileError as error:
            self._memory_log.failed("%s", error)
            return []
        lines = (content or b"").decode("utf-8", "replace").splitlines()
        return [line for line in lines if _is_ours(line)][:_MOST_REMEMBERED]

    def _remember(self, topics: Sequence[str]) -> None:
        self._standing = list(topics)
        try:
            write_state(self._path, "".join(f"{topic}\n" for topic in topics).encode())
        except StateFileError as error:
            self._memory_log.failed(
                "%s; Home Assistant keeps the gate when it is turned off", error
            )
            return
        self._memory_log.recovered("%s can be written again", self._path)


def _is_ours(topic: str) -> bool:
    """Whether a line of the file is a topic that may be emptied: never another one."""
    parts = topic.split("/")
    try:
        prefix, _, site, gate, _ = parts
        return topic == discovery_topic(prefix, site, gate) and prefix.isprintable()
    except ValueError:
        return False
