"""Builds the gate process: real hardware, journal, roster, loop."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from gatepost.core.faults import Fault
from gatepost.core.lane import Holder, Policy
from gatepost.core.sensing import Sensing
from gatepost.core.table import Span
from gatepost.gate import Gate, Hardware, Surroundings
from gatepost.wiring import thermometer
from gatepost_config.settings import Pins, Settings
from gatepost_hal.gpio import GpioLane, LanePins, lgpio_factory
from gatepost_hal.ports import Direction, InputName, Lamp
from gatepost_hal.readers.line import LineReader
from gatepost_hal.system import SystemClock, ThreadMailbox, ThreadSampler, ThreadTimer
from gatepost_services.doorbell import Doorbell
from gatepost_services.edge_log import EdgeLog
from gatepost_services.journal import Entry, Journal, JournalError
from gatepost_services.roster import Roster, RosterError
from gatepost_services.uplink.position import read_acknowledged

# A journal that takes a lost one's place begins this far above what the server has.
_SEQ_LEAP = 1000
_LARGEST_LEAP_FROM = 2**53

_log = logging.getLogger(__name__)


def policy(settings: Settings) -> Policy:
    """Return what the site decides, in the terms of the core."""
    lane = settings.lane
    return Policy(
        spans_s={
            Span.PASS_TIMEOUT: lane.pass_timeout_s,
            Span.MEASURE_TIMEOUT: lane.measure_timeout_s,
            Span.RECHECK_PAUSE: lane.recheck_pause_s,
            Span.RELEASE_HOLD: lane.release_hold_s,
            Span.TURN: lane.turn_s,
            Span.REFUSED_SHOW: lane.refused_show_s,
            Span.REFERRED_SHOW: lane.referred_show_s,
        },
        limits=thermometer.limits(settings),
        instrument=thermometer.instrument(settings),
        measure_attempts=lane.measure_attempts,
    )


def lane_pins(pins: Pins) -> LanePins:
    """Return the line numbers in the terms of the drivers."""
    return LanePins(
        relays={Direction.ENTRY: pins.entry_relay, Direction.EXIT: pins.exit_relay},
        lamps={Lamp.GREEN: pins.green_lamp, Lamp.AMBER: pins.amber_lamp, Lamp.RED: pins.red_lamp},
        buzzer=pins.buzzer,
        inputs={
            InputName.PRESENCE: pins.presence,
            InputName.PASSAGE: pins.passage,
            InputName.EXIT_BUTTON: pins.exit_button,
            InputName.FIRE: pins.fire,
        },
        debounce_s=pins.debounce_s,
    )


@contextmanager
def real_hardware(settings: Settings) -> Iterator[Hardware]:
    """Yield the lane's devices on this machine; drop the relays and close everything at the end.

    Raises:
        GpioError: the GPIO lines cannot be used. (A missing sensor or reader is a fault that the
            gate reports: fire and exit work without them.)
    """
    with ExitStack() as closing:
        clock = SystemClock()
        mailbox = ThreadMailbox(clock)
        # One thread for all that has its instant: ends of releases, sounds, rest of contacts. It
        # waits for nothing but GPIO lines.
        timer = ThreadTimer(clock, name="timer")
        closing.callback(timer.close)
        gpio = GpioLane(
            lane_pins(settings.pins),
            factory=lgpio_factory(settings.paths.gpio_run_dir),
            clock=clock,
            timer=timer,
            mailbox=mailbox,
        )
        closing.callback(gpio.close)
        # Not closed here: its thread may be in the middle of a transfer, and the process ends.
        sampler = ThreadSampler(thermometer.driver(settings, clock), mailbox)
        closing.callback(sampler.close)
        reader = LineReader(settings.reader.device, clock=clock, mailbox=mailbox)
        closing.callback(reader.close)
        yield Hardware(
            clock, mailbox, sampler, gpio.turnstile, gpio.lamps, gpio.buzzer, gpio.inputs
        )


class OpeningLog:
    """A journal that is opened by its first use, and again after that failed.

    A gate must start without a working disk: entry refuses then, but exit and fire work (S5). The
    journal cannot tell that it fails; this log does, when it begins and when it ends.
    """

    def __init__(self, open_journal: Callable[[], Journal]) -> None:
        self._open_journal = open_journal
        self._journal: Journal | None = None
        self._edge_log = EdgeLog(_log, logging.ERROR)

    def append(self, entries: Iterable[Entry]) -> int:
        """Write durably; see `gatepost_services.journal.Journal.append`."""
        with self._told():
            return self._opened().append(entries)

    def prune(self, through_seq: int) -> int:
        """Delete what the server has; see `gatepost_services.journal.Journal.prune`."""
        with self._told():
            return self._opened().prune(through_seq)

    def close(self) -> None:
        """Close the journal, if it was ever opened."""
        if self._journal is not None:
            self._journal.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except JournalError as error:
            self._edge_log.failed("%s; entry is refused until it works", error)
            raise
        self._edge_log.recovered("the journal works again")

    def _opened(self) -> Journal:
        if self._journal is None:
            self._journal = self._open_journal()
        return self._journal


@contextmanager
def gate(
    settings: Settings,
    hardware: Hardware,
    *,
    boot_id: str,
    notify: Callable[[str], None],
) -> Iterator[Gate]:
    """Yield the control loop of one lane on `hardware`, with its journal and roster.

    A roster or journal that cannot be used is a fault that the gate reports, not a reason not to
    start: whoever is inside must get out.
    """
    roster: Roster | None = None
    known_faults: dict[Fault, str] = {}
    try:
        roster = Roster.load(settings.paths.roster)
    except RosterError as error:
        _log.error("%s", error)
        known_faults[Fault.ROSTER] = str(error)

    def look_up(credential: str) -> Holder | None:
        member = roster and roster.look_up(credential)
        return Holder(member.subject, member.category) if member else None

    with ExitStack() as closing:
        log = OpeningLog(partial(_open_journal, settings, boot_id))
        closing.callback(log.close)
        doorbell = Doorbell(settings.paths.doorbell)
        closing.callback(doorbell.close)
        offsets = thermometer.OffsetStore(settings.paths.offset)
        yield Gate(
            hardware,
            policy=policy(settings),
            sensing=Sensing(thermometer.setup(settings, offsets.load()), hardware.clock.now_s()),
            log=log,
            surroundings=Surroundings(
                look_up=look_up,
                acknowledged_seq=partial(read_acknowledged, settings.paths.acknowledged),
                ring=doorbell.ring,
                keep_offset=offsets.keep,
                notify=notify,
            ),
            known_faults=known_faults,
        )


def _open_journal(settings: Settings, boot_id: str) -> Journal:
    acknowledged = read_acknowledged(settings.paths.acknowledged)
    # More than can be under way unacknowledged. A number beyond reason is a broken or hostile one.
    above_seq = acknowledged + _SEQ_LEAP if 0 < acknowledged < _LARGEST_LEAP_FROM else 0
    return Journal(settings.paths.journal, boot_id, above_seq=above_seq)


def system_boot_id() -> str:
    """Return the kernel's id of this boot: monotonic times compare only within one."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
