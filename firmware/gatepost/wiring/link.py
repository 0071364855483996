"""Builds the link process: journal reader, the link's memory, MQTT session, desks."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from random import SystemRandom

from gatepost import __version__
from gatepost.wiring.security import Security
from gatepost_config.settings import Settings
from gatepost_services.board import BoardReader
from gatepost_services.commands.memory import AnswerReader
from gatepost_services.doorbell import DoorbellListener
from gatepost_services.inbox import Inbox
from gatepost_services.journal import JournalReader
from gatepost_services.record import JsonValue
from gatepost_services.uplink.backoff import Backoff
from gatepost_services.uplink.board_desk import BoardDesk
from gatepost_services.uplink.command_desk import CommandDesk
from gatepost_services.uplink.desk import Desk, Post
from gatepost_services.uplink.discovery import DiscoveryDesk
from gatepost_services.uplink.link import Link
from gatepost_services.uplink.presence import PresenceDesk
from gatepost_services.uplink.replay_desk import ReplayDesk
from gatepost_services.uplink.session import MqttSession
from gatepost_services.uplink.store import ProgressStore
from gatepost_services.uplink.sync import SyncDesk

_log = logging.getLogger(__name__)
_RECONNECT_BASE_S = 0.5
_FETCH_BASE_S, _FETCH_MOST_S = 1.0, 300.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@contextmanager
def link(settings: Settings) -> Iterator[Link]:
    """Yield the link of one gate; say how it is secured.

    Raises:
        OSError: the folder of the link cannot be written (StoreError, PositionError,
            InboxError, DoorbellError).
    """
    site, gate = settings.gate.site, settings.gate.name
    with ExitStack() as closing:
        journal = JournalReader(settings.paths.journal)
        closing.callback(journal.close)
        store = ProgressStore.open(
            settings.paths.acknowledged.with_name("uplink.db"),
            settings.paths.acknowledged,
            settings.link.keep_until,
        )
        closing.callback(store.close)
        doorbell = DoorbellListener(settings.paths.doorbell)
        closing.callback(doorbell.close)
        presence = PresenceDesk(site, gate, about_the_link())
        replays = ReplayDesk(site, gate, journal)
        commands, sync, others = _desks(settings, replays.ask, closing)
        security = Security(settings)
        _log.info("%s", security.told())
        new_session = session_maker(
            settings, security, session_expiry_s=settings.link.session_expiry_s, presence=presence
        )

        yield Link(
            site=site,
            gate=gate,
            journal=journal,
            store=store,
            doorbell=doorbell,
            new_session=new_session,
            # The jitter keeps ten thousand gates apart after one power cut: not a seeded one.
            backoff=Backoff(_RECONNECT_BASE_S, settings.link.reconnect_max_s, SystemRandom()),
            window=settings.link.window,
            backlog_rate=settings.link.backlog_rate,
            confirm_timeout_s=settings.link.confirm_timeout_s,
            status_s=settings.link.status_s,
            presence=presence,
            desks=[commands, sync, *others, replays],
            status_more=lambda: {
                "commands": commands.figures(),
                "documents": dict(sync.progress),
                "certificate": security.certificate(),
            },
            is_renewed=security.is_renewed,
        )


def session_maker(
    settings: Settings,
    security: Security,
    *,
    purpose: str = "",
    session_expiry_s: int = 0,
    presence: PresenceDesk | None = None,
) -> Callable[[], MqttSession]:
    """Return what makes the session of one connection, secured as the settings say.

    `purpose`: of another client than the link; a broker ends the older one of two of one name.
    """
    will: Post | None = presence.will if presence is not None else None
    # Lines below: no name has one, so no two gates have one identifier. nats-server takes no dots.
    name = "_".join(filter(None, ("gatepost", settings.gate.site, settings.gate.name, purpose)))
    return partial(
        MqttSession,
        host=settings.link.broker_host,
        port=settings.link.broker_port,
        client_id=name,
        protocol=settings.link.mqtt_version,
        tls=security.context,
        session_expiry_s=session_expiry_s,
        will=will,
        will_delay_s=settings.link.will_delay_s,
        keepalive_s=settings.link.keepalive_s,
        hold_without_subscriber=settings.link.hold_without_subscriber,
    )


def _desks(
    settings: Settings, on_replay: Callable[[int, int], None], closing: ExitStack
) -> tuple[CommandDesk, SyncDesk, list[Desk]]:
    site, gate, paths = settings.gate.site, settings.gate.name, settings.paths
    inbox = Inbox.open(paths.inbox)
    closing.callback(inbox.close)
    answers = AnswerReader(paths.commands)
    closing.callback(answers.close)
    sync = SyncDesk(
        site=site,
        gate=gate,
        folder=paths.incoming,
        put=partial(inbox.put, "desired"),
        min_free_bytes=settings.journal.min_free_megabytes * 1_000_000,
        backoff=Backoff(_FETCH_BASE_S, _FETCH_MOST_S, SystemRandom()),
    )
    closing.callback(sync.close)
    discovery = DiscoveryDesk(
        site=site,
        gate=gate,
        version=__version__,
        enabled=settings.home_assistant.enabled,
        prefix=settings.home_assistant.prefix,
        memory=paths.inbox.with_name("home-assistant"),
    )
    commands = CommandDesk(site, gate, inbox, answers, on_replay)
    return commands, sync, [BoardDesk(site, gate, BoardReader(paths.board)), discovery]


def about_the_link() -> dict[str, JsonValue]:
    """Return what presence tells of the link; the unit shows it no /proc/sys."""
    about: dict[str, JsonValue] = {"version": __version__}
    try:
        about["boot_id"] = _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return about
    return about
