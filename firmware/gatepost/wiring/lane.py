"""Builds the gate process: journal, roster, orders, loop."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from gatepost.core.faults import Fault
from gatepost.core.regime import Regime
from gatepost.core.sensing import Sensing
from gatepost.core.signals import is_within
from gatepost.core.states import Span
from gatepost.core.visit import Order, PassageSignal, Policy, under
from gatepost.gate import Gate, Hardware, Surroundings
from gatepost.gate.parts import LedgerBook
from gatepost.wiring import thermometer
from gatepost.wiring.credentials import brings, credentials
from gatepost.wiring.disinfection import Disinfection
from gatepost.wiring.news import settings_digest
from gatepost.wiring.no_ledgers import NoLedgers
from gatepost.wiring.orders import Orders, StandingStore
from gatepost.wiring.passes import Passes
from gatepost.wiring.records import event_log
from gatepost_config.settings import NOTHING, Settings
from gatepost_hal.ports import Clock
from gatepost_services.doorbell import Doorbell
from gatepost_services.uplink.position import read_acknowledged

if TYPE_CHECKING:
    from gatepost.wiring.order_in_force import OrderInForce


def policy(settings: Settings) -> Policy:
    """Return what the site decides, in the terms of the core."""
    lane, turnstile = settings.lane, settings.turnstile
    return Policy(
        spans_s={
            Span.PASS_TIMEOUT: lane.pass_timeout_s,
            Span.PROOF_TIMEOUT: lane.proof_timeout_s,
            Span.MEASURE_TIMEOUT: lane.measure_timeout_s,
            Span.RECHECK_PAUSE: lane.recheck_pause_s,
            Span.RELEASE_HOLD: turnstile.release_hold_s,
            Span.TURN: turnstile.turn_s,
            Span.HELD: turnstile.held_s,
            Span.ALARM_SHOW: turnstile.alarm_s,
            Span.TEST: turnstile.test_s,
            Span.REFUSED_SHOW: lane.refused_show_s,
            Span.REFERRED_SHOW: lane.referred_show_s,
        },
        limits=thermometer.limits(settings),
        instrument=thermometer.instrument(settings),
        measure_attempts=lane.measure_attempts,
        order=Order(lane.order),
        passage=PassageSignal(turnstile.passage),
        pulse_s=turnstile.pulse_s if turnstile.release == "pulse" else None,
        tailgate_s=turnstile.tailgate_s,
        exit_wish_s=lane.exit_wish_s,
        exit_in_lockdown=lane.exit_in_lockdown,
        exits_by_pass=settings.regime.exits == "by_pass",
        brings=brings(settings),
    )


@contextmanager
def gate(
    settings: Settings,
    hardware: Hardware,
    *,
    boot_id: str,
    notify: Callable[[str], None],
    known_faults: Mapping[Fault, str] = MappingProxyType({}),
) -> Iterator[Gate]:
    """Yield the control loop of one lane on `hardware`, with its journal, roster and orders.

    What of these cannot be used is a fault that is told: whoever is inside must get out.
    """
    # Loaded when a gate starts, not by whatever else is built from here: what signs and verifies.
    from gatepost.wiring.centre import centre  # noqa: PLC0415
    from gatepost.wiring.clock_watch import gate_clock  # noqa: PLC0415

    with ExitStack() as closing:
        # Before the journal is opened: it is held against the newest event.
        clock = gate_clock(settings, hardware.clock, boot_id)
        hardware = hardware._replace(clock=clock)
        log = event_log(settings, clock, boot_id, closing)
        passes = Passes(settings, clock, boot_id, closing)
        orders = _orders(settings, clock, known_faults.get(Fault.SETTINGS), closing)
        store = StandingStore(settings.paths.standing)
        offsets = thermometer.OffsetStore(settings.paths.offset)
        order = _order(settings, clock)
        server = centre(
            settings, hardware, clock, order=order, outings=passes.take_outings, closing=closing
        )
        around = Surroundings(
            regime=order.current if order else _no_order,
            keep_offset=offsets.keep,
            keep_standing=store.keep,
            notify=notify,
            asked=lambda: [*orders.asked(), *server.asked()],
            news=server.news,
            faults=server.faults,
            report=server.report,
            **_parts(settings, clock, passes, boot_id, closing),
        )
        yield Gate(
            hardware,
            policy=under(policy(settings), around.regime()[0]),
            sensing=Sensing(thermometer.setup(settings, offsets.load()), clock.now_s()),
            log=log,
            surroundings=around,
            standing=store.load(),
            known_faults={**known_faults, **passes.faults, **orders.faults, **store.faults},
        )


def _orders(settings: Settings, clock: Clock, problem: str | None, closing: ExitStack) -> Orders:
    """Return the technician's socket; `problem`: why the settings are not those of the file."""
    digest = settings_digest(settings)
    orders = Orders(settings.paths.control, clock, settings=digest, problem=problem)
    closing.callback(orders.close)
    return orders


def _parts(
    settings: Settings, clock: Clock, passes: Passes, boot_id: str, closing: ExitStack
) -> dict[str, Any]:
    """Return the surroundings that need nothing but the settings and the passes."""
    doorbell = Doorbell(settings.paths.doorbell)
    closing.callback(doorbell.close)
    disinfection = Disinfection(settings.paths.disinfection, clock, boot_id)
    return {
        "codes": credentials(settings, passes, clock, closing),
        "ledger": ledgers(settings, clock, boot_id),
        "disinfection_due": disinfection.due,
        "disinfected": disinfection.done,
        "note_passage": passes.note,
        "forgive": passes.forgive,
        "acknowledged_seq": partial(read_acknowledged, settings.paths.acknowledged),
        "ring": doorbell.ring,
        "is_quiet": _quiet(settings.signals.quiet_hours, clock),
    }


def ledgers(settings: Settings, clock: Clock, boot_id: str) -> LedgerBook:
    """Return the books of an order, none without one; of stays where people are seen to leave."""
    if not settings.regime.name:
        return NoLedgers()
    # As below: a gate without an order need not pay for its books.
    from gatepost.wiring.ledgers import Ledgers  # noqa: PLC0415

    is_seen = settings.reader.exit_device != NOTHING
    return Ledgers(
        settings.paths.ledger,
        clock,
        boot_id,
        escort_s=settings.regime.escort_hours * 3600 if is_seen else None,
        again_s=settings.regime.repeat_minutes * 60,
    )


def _order(settings: Settings, clock: Clock) -> "OrderInForce | None":
    """Return what says which order is in force; None: none is set, and none is obeyed."""
    if not settings.regime.name:
        return None
    # Imported here because a gate without an order need not pay for reading one at every start.
    from gatepost.wiring.order_in_force import OrderInForce  # noqa: PLC0415

    return OrderInForce(settings, clock)


def _no_order() -> tuple[Regime | None, str | None]:
    return None, None


def _quiet(hours: str, clock: Clock) -> Callable[[], bool]:
    """Return what says whether it is the time of day for ticks, by the wall clock here."""
    if not hours:
        return lambda: False
    begin, end = (int(text[:2]) * 60 + int(text[3:]) for text in hours.split("-"))

    def is_quiet() -> bool:
        if clock.utc_quality() == "none":
            return False  # nobody knows what time of day it is
        local = time.localtime(clock.utc_s())
        return is_within(local.tm_hour * 60 + local.tm_min, begin, end)

    return is_quiet


def system_boot_id() -> str:
    """Return the kernel's id of this boot: monotonic times compare only within one."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
