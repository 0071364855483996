"""Builds the event log of the gate: the journal behind a thread of its own."""

from collections.abc import Mapping
from contextlib import ExitStack

from gatepost.core.events import Json
from gatepost.wiring.trusted_clock import is_trusted
from gatepost_config import settings as config
from gatepost_config.settings import Settings
from gatepost_hal.ports import Clock
from gatepost_services.contract.events import Envelope
from gatepost_services.journal import Entry, Journal, JournalDamaged
from gatepost_services.journal.bounds import Limits
from gatepost_services.journal.durable import DurableLog
from gatepost_services.journal.keeper import Keeper
from gatepost_services.journal.opening import open_journal
from gatepost_services.uplink.position import read_acknowledged

_DAY_S = 86_400.0
_MEGABYTE = 1_000_000


def limits(journal: config.Journal) -> Limits:
    """Return the journal's limits, in its own units."""
    return Limits(
        max_events=journal.max_events,
        max_bytes=journal.max_megabytes * _MEGABYTE,
        max_age_s=journal.max_age_days * _DAY_S,
        keep_delivered_s=journal.keep_delivered_days * _DAY_S,
        min_free_bytes=journal.min_free_megabytes * _MEGABYTE,
    )


def event_log(settings: Settings, clock: Clock, boot_id: str, closing: ExitStack) -> DurableLog:
    """Return the event log of one gate, which `closing` closes.

    It opens its file when first used: a gate must start without a working disk (S5).
    """
    sealer = Envelope(settings.gate.site, settings.gate.name, boot_id)

    def stamp(type_: str, data: Mapping[str, Json]) -> Entry:
        return Entry(type_, clock.now_s(), max(clock.utc_s(), 0.0), data, clock.utc_quality())

    def trusted_utc_s() -> float | None:
        # Nothing is called too old by a clock that nobody vouches for.
        return clock.utc_s() if is_trusted(clock) else None

    def open_(damage: JournalDamaged | None) -> tuple[Journal, Keeper]:
        opened = open_journal(
            settings.paths.journal,
            sealer,
            delivered_seq=read_acknowledged(settings.paths.acknowledged),
            stamp=stamp,
            damage=damage,
        )
        about: dict[str, Json] = {"why": opened.why, "saved": opened.saved} if opened.why else {}
        keeper = Keeper(opened.journal, limits(settings.journal), stamp, trusted_utc_s, about)
        return opened.journal, keeper

    log = DurableLog(open_, deadline_s=settings.journal.append_deadline_s)
    closing.callback(log.close)
    return log
