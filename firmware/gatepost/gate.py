"""The control loop: wait, read, decide, record, act, and tell the watchdog. One turn at a time.

This is the only place that waits. It knows ports, never drivers; what it does with an event
stands in the core. The order inside a turn is the safety argument: a record is on disk before the
relay that it explains moves (S5; fire alone does not wait for it, S3), and the watchdog is told
last.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple, Protocol

from gatepost.core.faults import SENSOR_FAULTS, Fault, FaultBook
from gatepost.core.lane import (
    Holder,
    Json,
    Lane,
    LaneEvent,
    PassShown,
    Policy,
    Record,
    SensorTrust,
    Tick,
    Written,
    advance,
)
from gatepost.core.offset import Offset
from gatepost.core.sensing import Sensing
from gatepost.core.table import OUTPUTS, SIGNALS, State
from gatepost_hal.ports import (
    Buzzer,
    Clock,
    HardwareEvent,
    InputChanged,
    InputName,
    Inputs,
    Lamps,
    Mailbox,
    PassRead,
    ReaderFault,
    ReaderFaultKind,
    Reading,
    Sampler,
    SensorFault,
    Turnstile,
)
from gatepost_services.journal import Entry, JournalError

# The longest that the loop sleeps: a lost edge of the fire input is seen this late at the worst.
HEARTBEAT_S = 0.05
# A fire release is renewed long before it expires. It outlasts a disk that blocks for as long as
# the watchdog lets it (WatchdogSec=10), and expires soon after a loop that hangs for longer.
FIRE_HOLD_S = 12.0
_FIRE_RENEW_S = 0.5
_HOUSEKEEPING_S = 5.0
_WATCHDOG_S = 1.0
# What the thermometer learns from, and whether the person was let in.
_LESSONS = {"visit.admitted": True, "visit.referred": False}
_KEEP_PEOPLE = 50  # what was learnt is written down after so many


class EventLog(Protocol):
    """What the loop needs of the journal."""

    def append(self, entries: Iterable[Entry]) -> int:
        """Write durably; return the last sequence number. Raises JournalError."""
        ...

    def prune(self, through_seq: int) -> int:
        """Delete what the server has; return how many rows. Raises JournalError."""
        ...


class Hardware(NamedTuple):
    """One lane's devices, real or simulated."""

    clock: Clock
    mailbox: Mailbox
    sampler: Sampler
    turnstile: Turnstile
    lamps: Lamps
    buzzer: Buzzer
    inputs: Inputs


class Surroundings(NamedTuple):
    """What the loop asks of the other parts of the program, each a plain function."""

    look_up: Callable[[str], Holder | None]  # a credential in the roster
    acknowledged_seq: Callable[[], int]  # what the link says that the server has
    ring: Callable[[], None]  # tells the link to look at the journal again
    keep_offset: Callable[[Offset], None]  # over a restart
    notify: Callable[[str], None]  # tells the service manager, e.g. "WATCHDOG=1"


def _is_no_fire(event: HardwareEvent) -> bool:
    return not (isinstance(event, InputChanged) and event.name is InputName.FIRE)


class Gate:
    """One lane under control. `turn` again and again, or `run` until told to stop."""

    def __init__(
        self,
        hardware: Hardware,
        *,
        policy: Policy,
        sensing: Sensing,
        log: EventLog,
        surroundings: Surroundings,
        known_faults: Mapping[Fault, str] = MappingProxyType({}),
    ) -> None:
        self._hardware = hardware
        self._policy = policy
        self._sensing = sensing
        self._log = log
        self._around = surroundings
        self._faults = FaultBook()
        self._known_faults = known_faults
        self._lost = 0
        self._untold: tuple[Record, ...] = ()
        now_s = hardware.clock.now_s()
        self._renew_at_s = now_s
        self._next_housekeeping_at_s = now_s
        self._next_watchdog_at_s = now_s
        self.lane = Lane()

    def run(self, stop: Callable[[], bool], *, about: Mapping[str, Json]) -> None:
        """Turn until `stop` says so, at most a heartbeat later. The relay is dropped at the end.

        Args:
            stop: asked between turns.
            about: goes into the start record (version, simulated or not).

        Raises:
            Exception: whatever a turn raised, after the relay was dropped and, where the disk
                still works, a record written. The service manager restarts the process (S8).
        """
        try:
            self._act(self.lane.state, self.lane.state)
            self._write([Record("controller.started", self._hardware.clock.now_s(), about)])
            for fault, detail in self._known_faults.items():
                self._write(self._faults.raised(fault, self._now_s(), detail))
            self._around.notify("READY=1")
            while not stop():
                self.turn()
        except BaseException as error:
            self._to_safety(
                Record("controller.failed", self._now_s(), {"error": type(error).__name__})
            )
            raise
        self._to_safety(Record("controller.stopped", self._now_s(), {}))

    def turn(self) -> None:
        """Wait for events or the next deadline, and deal with what there is."""
        # Fire first: what came before it may have to wait for the disk.
        for event in sorted(self._hardware.mailbox.wait(self._wake_at_s()), key=_is_no_fire):
            self._take(event)
        self._hardware.inputs.refresh()
        now_s = self._now_s()
        self._feed(Tick(now_s))
        self._ask_for_sample(now_s)
        self._renew_release(now_s)
        self._keep_house(now_s)
        if now_s >= self._next_watchdog_at_s:
            self._next_watchdog_at_s = now_s + _WATCHDOG_S
            self._around.notify("WATCHDOG=1")

    def _now_s(self) -> float:
        return self._hardware.clock.now_s()

    def _wake_at_s(self) -> float:
        at_s = min(self._now_s() + HEARTBEAT_S, self._sensing.next_at_s)
        return at_s if self.lane.deadline_at_s is None else min(at_s, self.lane.deadline_at_s)

    # ------------------------------------------------------------------------------------ events

    def _take(self, event: HardwareEvent) -> None:
        match event:
            case PassRead(at_s=at_s, credential=credential):
                self._write(self._faults.cleared(Fault.READER, at_s))
                self._feed(PassShown(at_s, self._around.look_up(credential)))
            case ReaderFault(at_s=at_s, kind=ReaderFaultKind.GONE, detail=detail):
                self._write(self._faults.raised(Fault.READER, at_s, detail))
            case ReaderFault(at_s=at_s):
                # Not a pass of anybody: the person is told as for any unknown one.
                self._feed(PassShown(at_s, None))
            case SensorFault() | Reading():
                self._sensing.took(event)
                self._adopt_sensor(event.at_s)
                self._check_sensor(event.at_s)
                self._feed(event)
            case _:
                self._feed(event)

    def _feed(self, event: LaneEvent) -> None:
        """Advance the lane: decide, record, act, in this order; in a fire, act before recording."""
        was = self.lane.state
        self.lane, records = advance(self.lane, event, self._policy)
        if self.lane.state is State.FIRE and was is not State.FIRE:
            self._act(was, State.FIRE)  # a disk that blocks must not hold a way out shut
            was = State.FIRE
        written = self._write(records)
        if self.lane.state is State.DECIDING:
            self.lane, more = advance(self.lane, Written(event.at_s, written), self._policy)
            self._write(more)
        if self.lane.state is not was:
            self._act(was, self.lane.state)
        self._learn(records, event.at_s)  # last: nobody waits for it

    # ------------------------------------------------------------------------------------ acting

    def _act(self, was: State, state: State) -> None:
        """Bring relay, lamps and sounder to what a newly entered state says."""
        output = OUTPUTS[state]
        if not output.releases or OUTPUTS[was].releases - output.releases:
            self._hardware.turnstile.drop()
        hold_s = FIRE_HOLD_S if output.until is None else self._policy.spans_s[output.until]
        for direction in output.releases:
            self._hardware.turnstile.release(direction, hold_s)
        self._renew_at_s = self._now_s() + _FIRE_RENEW_S
        pattern = SIGNALS[output.signal]
        self._hardware.lamps.show(pattern.lamps)
        self._hardware.buzzer.play(pattern.buzzer_s)
        if state is State.MEASURING:
            self._sensing.begin_attempt(self._now_s())

    def _renew_release(self, now_s: float) -> None:
        """Keep a release without a deadline (fire) from expiring while this loop lives."""
        output = OUTPUTS[self.lane.state]
        if output.releases and output.until is None and now_s >= self._renew_at_s:
            self._renew_at_s = now_s + _FIRE_RENEW_S
            for direction in output.releases:
                self._hardware.turnstile.release(direction, FIRE_HOLD_S)

    def _to_safety(self, record: Record) -> None:
        with ExitStack() as steps:  # each of them, also when another fails; the last one first
            steps.callback(self._hardware.buzzer.play, ())
            steps.callback(self._hardware.lamps.show, frozenset())
            if self._sensing.offset.people:  # what nobody taught is a setting, not worth keeping
                steps.callback(self._around.keep_offset, self._sensing.offset)
            steps.callback(self._write, [record])
            steps.callback(self._around.notify, "STOPPING=1")
            steps.callback(self._hardware.turnstile.drop)

    # -------------------------------------------------------------------------------- thermometer

    def _ask_for_sample(self, now_s: float) -> None:
        if self._sensing.is_due(now_s, measuring=self.lane.state is State.MEASURING):
            self._hardware.sampler.request()
            self._check_sensor(now_s)  # it may not have answered the last time

    def _check_sensor(self, now_s: float) -> None:
        """Tell what is wrong with the thermometer, and what no longer is; the lane must know."""
        standing = self._sensing.standing(now_s, self._hardware.clock.utc_s())
        for fault in SENSOR_FAULTS:
            if fault in standing:
                self._write(self._faults.raised(fault, now_s, standing[fault]))
            else:
                self._write(self._faults.cleared(fault, now_s))
        if self._sensing.distrust is not self.lane.distrust:
            self._feed(SensorTrust(now_s, self._sensing.distrust))

    def _adopt_sensor(self, now_s: float) -> None:
        """Tell which thermometer answers, when that is another one than before."""
        if self._sensing.instrument is not self._policy.instrument:
            self._policy = replace(self._policy, instrument=self._sensing.instrument)
        if self._sensing.is_new:
            self._sensing.is_new = False
            self._write([Record("thermometer.found", now_s, self._sensing.identity())])

    def _learn(self, records: Iterable[Record], at_s: float) -> None:
        """Learn from whoever was just admitted or referred, and now and then write down what."""
        verdict, holder = self.lane.visit.verdict, self.lane.visit.holder
        for record in records:
            if record.type not in _LESSONS or verdict is None or holder is None:
                continue
            admitted = _LESSONS[record.type]
            if not self._sensing.learn(
                verdict, subject=holder.subject, admitted=admitted, now_s=at_s
            ):
                continue
            offset = self._sensing.offset
            is_round = offset.people % _KEEP_PEOPLE == 0
            if is_round or offset.settled_c is None:
                # The first people one by one: a gate that loses its power every night settles too.
                self._around.keep_offset(offset)
            if is_round:
                self._write([Record("thermometer.learnt", at_s, self._sensing.told())])

    # --------------------------------------------------------------------------------- recording

    def _write(self, records: Iterable[Record]) -> bool:
        """Write records durably; return whether they are. What cannot be written is counted."""
        records = tuple(records)
        if not records or self._append(records):
            return True
        self._lost += len(records)
        return False

    def _append(self, records: tuple[Record, ...]) -> bool:
        at_s = self._now_s()
        told = self._untold
        if self._lost:
            told += (Record("journal.lost", at_s, {"count": self._lost}),)
        try:
            self._log.append([self._entry(record) for record in told + records])
        except JournalError as error:
            self._journal_failed(at_s, error)
            return False
        self._untold = ()
        self._lost = 0
        self._around.ring()
        self._write(self._faults.cleared(Fault.JOURNAL, at_s))
        return True

    def _journal_failed(self, at_s: float, error: JournalError) -> None:
        # It cannot be told now; it will be the first thing told when the disk works again.
        self._untold += self._faults.raised(Fault.JOURNAL, at_s, str(error))

    def _entry(self, record: Record) -> Entry:
        clock = self._hardware.clock
        utc_s = clock.utc_s() - (clock.now_s() - record.at_s)
        return Entry(type=record.type, at_s=record.at_s, utc_s=utc_s, data=record.data)

    def _keep_house(self, now_s: float) -> None:
        """Make room for what the server has, and try a failing journal again."""
        if now_s < self._next_housekeeping_at_s:
            return
        self._next_housekeeping_at_s = now_s + _HOUSEKEEPING_S
        if Fault.JOURNAL in self._faults.standing():
            self._append(())
            return
        try:
            self._log.prune(self._around.acknowledged_seq())
        except JournalError as error:
            self._journal_failed(now_s, error)
