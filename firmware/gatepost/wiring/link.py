"""Builds the link process: journal reader, the link's memory, MQTT session."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from random import SystemRandom

from gatepost_config.settings import Settings
from gatepost_services.doorbell import DoorbellListener
from gatepost_services.journal import JournalReader
from gatepost_services.uplink.backoff import Backoff
from gatepost_services.uplink.link import Link
from gatepost_services.uplink.session import MqttSession
from gatepost_services.uplink.store import ProgressStore

_RECONNECT_BASE_S = 0.5


@contextmanager
def link(settings: Settings) -> Iterator[Link]:
    """Yield the link of one gate.

    Raises:
        OSError: the folder of the link cannot be written (StoreError, PositionError,
            DoorbellError).
    """
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
        yield Link(
            site=settings.gate.site,
            gate=settings.gate.name,
            journal=journal,
            store=store,
            doorbell=doorbell,
            new_session=partial(
                MqttSession,
                host=settings.link.broker_host,
                port=settings.link.broker_port,
                client_id=f"gatepost-{settings.gate.site}-{settings.gate.name}",
                protocol=settings.link.mqtt_version,
                keepalive_s=settings.link.keepalive_s,
                hold_without_subscriber=settings.link.hold_without_subscriber,
            ),
            # The jitter keeps ten thousand gates apart after one power cut: not a seeded one.
            backoff=Backoff(_RECONNECT_BASE_S, settings.link.reconnect_max_s, SystemRandom()),
            window=settings.link.window,
            backlog_rate=settings.link.backlog_rate,
            confirm_timeout_s=settings.link.confirm_timeout_s,
            status_s=settings.link.status_s,
        )
