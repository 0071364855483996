"""Every topic that the contract gives a gate: does the broker let it write there, and read?

Nothing untrue is said there. On `event/...`, `reply` and `fetch` goes what the contract calls a
probe; on topics that tell how things are, what the gate and its link say there themselves, and it
is not retained: what the broker holds stays the link's.
"""

import re
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Literal, NamedTuple

from gatepost import __version__
from gatepost.doctor.broker import open_session, wait_until
from gatepost.doctor.model import Finding, Fine, Skipped, Wrong
from gatepost.doctor.site import Site
from gatepost.wiring.link import about_the_link
from gatepost_services.board import HEAD, REPORTED, BoardReader
from gatepost_services.contract.channels import CHANNELS, JSON, PLAIN, Channel
from gatepost_services.contract.events import PROBE, event_source
from gatepost_services.journal import JournalReader
from gatepost_services.uplink.desk import Post
from gatepost_services.uplink.discovery import discovery_body, discovery_topic
from gatepost_services.uplink.line import SessionError
from gatepost_services.uplink.presence import PresenceDesk
from gatepost_services.uplink.session import MqttSession
from gatepost_services.uplink.status import Counts, status_body
from gatepost_services.uplink.store import ProgressReader, StoreError

_REFUSED = 0x80
# A broker that has forgotten it by then hands it on to nobody who comes later.
_EXPIRY_S = 1
# Below `reply` a gate may always say something; nobody waits for an answer of this name.
_OWN_REPLY = "reply/doctor"
_FORMS = {each.name: each.content_type for each in PLAIN}


class Said(NamedTuple):
    """What is tried: its name below the gate's topics, its line of an access list, and the post."""

    name: str
    line: str
    post: Post


def topics(site: Site) -> Finding:
    """Subscribe to all that a gate reads, and publish on all that it writes."""
    gate = f"{site.settings.gate.site}/{site.settings.gate.name}"
    if site.settings.link.mqtt_version != "5":
        return Skipped("MQTT 3.1.1 tells nobody that a topic is refused")
    tried = list(_said(site))
    try:
        unread = _unread(site)
        refused = _refused(site, tried)
    except SessionError as error:
        return Skipped(str(error))
    if len(refused) == len(tried):
        return Wrong("refused", {"user": gate})
    missing = {
        **{each.name: each.line for each in refused},
        **{name: f"pattern read gatepost/%u/{name}" for name in unread},
    }
    if missing:
        lines = "; ".join(missing.values())
        return Wrong("partly", {"topics": ", ".join(missing), "lines": lines})
    known = {each.name for each in tried}
    if silent := [name for name in addresses("send") if name not in known]:
        return Fine(
            "subscribed and published; nothing to say yet on {topics}",
            {"topics": ", ".join(silent)},
        )
    return Fine("subscribed and published")


# --------------------------------------------------------------------------------- what is written


def _said(site: Site) -> Iterator[Said]:
    """Yield each topic that the gate writes, and what is published there to try it."""
    base = _base(site)
    for channel in CHANNELS:
        if channel.action == "send":
            body = _truth(site, channel) if channel.is_retained else PROBE
            if body is not None:
                form = _FORMS[channel.messages[0]] if channel.is_retained else JSON
                yield _tried(base, channel.address, body, form)
    yield _tried(base, _OWN_REPLY, PROBE)._replace(line="pattern write gatepost/%u/reply/#")
    wanted = site.settings.home_assistant
    if wanted.enabled:
        gate = site.settings.gate
        topic = discovery_topic(wanted.prefix, gate.site, gate.name)
        post = Post(topic, discovery_body(gate.site, gate.name, __version__), expiry_s=_EXPIRY_S)
        yield Said(topic, f"pattern write {wanted.prefix}/device/%u/config", post)


def _tried(base: str, name: str, body: bytes, form: str = JSON) -> Said:
    post = Post(f"{base}/{name}", body, content_type=form, expiry_s=_EXPIRY_S)
    return Said(name, f"pattern write gatepost/%u/{name}", post)


def _truth(site: Site, channel: Channel) -> bytes | None:
    """Return what is so at this moment, as the gate or its link would tell it. None: not known."""
    paths, gate = site.settings.paths, site.settings.gate
    match channel.name:
        case "reported":
            return BoardReader(paths.board).read(REPORTED)
        case "head":
            return BoardReader(paths.board).read(HEAD)
        case "presence":
            presence = PresenceDesk(gate.site, gate.name, about_the_link())
            return (presence.birth if _is_link_there(site) else presence.end).payload
        case "status":
            return _status(site)
        case _:  # a topic of which this check knows nothing yet: it says so
            return None


def _status(site: Site) -> bytes | None:
    paths = site.settings.paths
    try:
        with ProgressReader(paths.acknowledged.with_name("uplink.db")) as store:
            progress, set_apart = store.progress()
    except StoreError:
        return None
    with JournalReader(paths.journal) as journal:
        return status_body(journal, progress, Counts(set_apart, 0, (), 0.0))


def _is_link_there(site: Site) -> bool:
    """Whether somebody listens for the gate's rings: the link alone does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ring:
        try:
            ring.connect(str(site.settings.paths.doorbell))
        except PermissionError:
            return True
        except OSError:
            return False
        return True


def _refused(site: Site, tried: Sequence[Said]) -> list[Said]:
    """Publish one after the other; return what the broker does not take.

    On one connection as long as nothing is refused: mosquitto 2.0.11 ends it at the second refusal,
    and others at the first.

    Raises:
        SessionError: the broker does not let the gate in.
    """
    left, refused = deque(tried), []
    while left:
        with closing(open_session(site)) as session:
            wait_until(session, lambda: session.connected)
            while left:
                said = left.popleft()
                if not _is_taken(session, said.post):
                    refused.append(said)
                    break
    return refused


def _is_taken(session: MqttSession, post: Post) -> bool:
    acked: dict[int, int] = {}

    def is_answered() -> bool:
        acked.update(session.take_acked())
        return mid in acked

    try:
        mid = session.post(post)
        session.flush()
        wait_until(session, is_answered)
    except SessionError:
        return False  # it ended the connection over it, or says nothing
    return acked[mid] < _REFUSED


# ------------------------------------------------------------------------------------ what is read


def _unread(site: Site) -> list[str]:
    """Subscribe to what the gate reads; return what is refused.

    A mosquitto with an `acl_file` grants every subscription and then hands nothing on: there this
    shows nothing, and only a command of the server does.

    Raises:
        SessionError: the broker does not let the gate in, or ended the connection.
    """
    base = _base(site)
    names = addresses("receive")
    with closing(open_session(site)) as session:
        wait_until(session, lambda: session.connected)
        for name in names:
            session.subscribe(f"{base}/{name}")
        session.flush()
        wait_until(session, lambda: not session.unanswered_topics)
        return [name for name in names if f"{base}/{name}" in session.refused_topics]


def addresses(action: Literal["send", "receive"]) -> list[str]:
    """Return what the gate sends or receives, below its topic: "+" for what is not fixed."""
    return [re.sub(r"\{\w+\}", "+", each.address) for each in CHANNELS if each.action == action]


def _base(site: Site) -> str:
    return event_source(site.settings.gate.site, site.settings.gate.name)[1:]
