"""The control loop: wait, read, decide, record, act, and tell the watchdog. One turn at a time.

This is the only place that waits. It knows ports, never drivers; what it does with an event
stands in the core. The order inside a turn is the safety argument: a record is on disk before the
relay that it explains moves (S5; fire and emergency alone do not wait for it, S3), and the
watchdogs are told last, by a turn that came to its end.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from types import MappingProxyType

from gatepost.core.events import (
    Json,
    LaneEvent,
    PassShown,
    Record,
    SensorTrust,
    Tick,
    Written,
)
from gatepost.core.faults import SENSOR_FAULTS, Fault
from gatepost.core.lane import advance, freed_at, output_of
from gatepost.core.sensing import Sensing
from gatepost.core.states import Standing, State
from gatepost.core.visit import Lane, Policy, Visit, under
from gatepost.gate.clerk import Clerk
from gatepost.gate.learning import LESSONS, learn
from gatepost.gate.parts import EventLog, Hardware, Surroundings
from gatepost.gate.phases import Phases
from gatepost.gate.recorder import Recorder
from gatepost.gate.stage import Stage
from gatepost_hal.ports import (
    Direction,
    HardwareEvent,
    InputChanged,
    InputName,
    PassRead,
    ReaderBack,
    ReaderFault,
    ReaderFaultKind,
    Reading,
    SensorFault,
)

# The longest that the loop sleeps: a lost edge of the fire input is seen this late at the worst.
HEARTBEAT_S = 0.05
_HOUSEKEEPING_S = 5.0
_WATCHDOG_S = 1.0
# What is pressed when the gate starts was pressed before: a staff button that is stuck must not let
# somebody in at every restart.
_FOUND_S = 0.5
_FREE_WAYS = (State.FIRE, State.EMERGENCY)
# Urgent inputs go before whatever else came, for that may have to wait for the disk.
_URGENT = (InputName.FIRE, InputName.EMERGENCY)
# Of the status, what the server is told at each housekeeping. Not what changes with each person.
_REPORTED = ("state", "standing", "faults")
# Of a clock that knows the date.
_TRUSTED = ("ntp", "rtc")
# Who went through, and which way: what anti-passback is about. Where the turnstile tells nothing,
# the release counts.
_WALKED = ("passage.entered", "passage.left", "passage.unconfirmed")
_EVACUATED = ("fire.cleared", "emergency.cleared")
# What is kept over a restart. Not maintenance: a power cut in its middle must end it.
_KEPT = frozenset({Standing.LOCKDOWN, Standing.CLOSURE})
_READER_FAULTS = {Direction.ENTRY: Fault.READER, Direction.EXIT: Fault.EXIT_READER}
# Nobody is held in by a roster that cannot be read, nor by a reader inside that is gone.
_ASK_NOBODY = frozenset({Fault.ROSTER, Fault.EXIT_READER})


def _is_less_urgent(event: HardwareEvent) -> bool:
    return not (isinstance(event, InputChanged) and event.name in _URGENT)


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
        standing: frozenset[Standing] = frozenset(),
        known_faults: Mapping[Fault, str] = MappingProxyType({}),
    ) -> None:
        self._hardware = hardware
        self._policy = policy
        self._sensing = sensing
        self._around = surroundings
        self._recorder = Recorder(log, hardware.clock, surroundings.ring, self._is_urgent)
        self._stage = Stage(hardware, surroundings.is_quiet)
        self._known_faults = known_faults
        self._asks_leavers = policy.exits_by_pass
        self._ask_leavers(known_faults)
        now_s = hardware.clock.now_s()
        self._phases = Phases(now_s)
        self._found_until_s: float | None = None
        self._next_housekeeping_at_s = now_s
        self._next_watchdog_at_s = now_s
        self._inputs: dict[str, Json] = {}
        self._passes_read = 0
        self.lane = Lane(entered_at_s=now_s, standing=standing)
        self._clerk = Clerk(
            hardware.clock,
            self._recorder,
            surroundings,
            feed=self._feed,
            status=self._status,
            remind=self._remind,
        )

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
            self._stage.show(self.lane, self._policy)
            about = {**about, "standing": [each.name.lower() for each in self.lane.standing]}
            self._recorder.write([Record("controller.started", self._now_s(), about)])
            for fault, detail in self._known_faults.items():
                self._recorder.raised(fault, self._now_s(), detail)
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
        wake_at_s = self._wake_at_s()
        events = self._hardware.mailbox.wait(wake_at_s)
        # From the instant at which it should have woken: a machine that is too busy shows here.
        self._phases.begin(min(wake_at_s, self._now_s()))
        self._phases.end("wake", self._now_s())
        for event in sorted(events, key=_is_less_urgent):
            self._take(event)
            self._phases.end(type(event).__name__, self._now_s())
        self._hardware.inputs.refresh()
        now_s = self._now_s()
        if self._found_until_s is None:  # now the levels have been read for the first time
            self._found_until_s = now_s + _FOUND_S
        self._feed(Tick(now_s))
        self._stage.renew(self.lane, now_s)
        self._phases.end("tick", self._now_s())
        self._ask_for_sample(now_s)
        for asked in self._around.asked():
            self._clerk.answer(asked)
        self._keep_house(now_s)
        self._phases.end("housekeeping", self._now_s())
        self._recorder.write(self._phases.told(now_s))
        if now_s >= self._next_watchdog_at_s:
            self._next_watchdog_at_s = now_s + _WATCHDOG_S
            self._around.notify("WATCHDOG=1")
            self._hardware.watchdog.pet()

    def _is_urgent(self) -> bool:
        """Return whether there is an alarm that the lane does not know of yet."""
        return self.lane.state not in _FREE_WAYS and any(
            self._hardware.inputs.is_active(name) for name in _URGENT
        )

    def _now_s(self) -> float:
        return self._hardware.clock.now_s()

    def _wake_at_s(self) -> float:
        at_s = min(self._now_s() + HEARTBEAT_S, self._sensing.next_at_s)
        return at_s if self.lane.deadline_at_s is None else min(at_s, self.lane.deadline_at_s)

    # ------------------------------------------------------------------------------------ events

    def _take(self, event: HardwareEvent) -> None:
        match event:
            case PassRead(at_s=at_s, credential=credential, direction=direction):
                self._recorder.cleared(_READER_FAULTS[direction], at_s)
                self._ask_leavers(self._recorder.standing)
                self._passes_read += 1
                if direction is Direction.ENTRY or self._is_wish(at_s):
                    self._feed(self._around.codes.shown(credential, direction, at_s))
            case ReaderFault(at_s=at_s, kind=ReaderFaultKind.GONE, detail=detail):
                self._recorder.raised(_READER_FAULTS[event.direction], at_s, detail)
                self._ask_leavers(self._recorder.standing)
            case ReaderBack(at_s=at_s, direction=direction):
                self._recorder.cleared(_READER_FAULTS[direction], at_s)
                self._ask_leavers(self._recorder.standing)
            case ReaderFault(at_s=at_s, direction=direction):
                # Not a pass of anybody: the person is told as for any unknown one.
                self._feed(PassShown(at_s, None, direction))
            case SensorFault() | Reading():
                self._sensing.took(event)
                self._adopt_sensor(event.at_s)
                self._check_sensor(event.at_s)
                self._feed(event)
            case InputChanged(name=name, active=active):
                self._inputs[name.value] = active
                if self._counts(event):
                    self._feed(event)

    def _ask_leavers(self, standing: Iterable[Fault]) -> None:
        """Ask who leaves for a pass, where the site says so and somebody could show one."""
        asks = self._asks_leavers and _ASK_NOBODY.isdisjoint(standing)
        if asks is not self._policy.exits_by_pass:
            self._policy = replace(self._policy, exits_by_pass=asks)

    def _counts(self, change: InputChanged) -> bool:
        match change.name:
            case InputName.STAFF_RELEASE:
                return self._found_until_s is not None and change.at_s >= self._found_until_s
            case InputName.EXIT_BUTTON:
                return self._is_wish(change.at_s) or self._hardware.inputs.is_active(change.name)
            case _:
                return True

    def _is_wish(self, at_s: float) -> bool:
        """Return whether who asked to leave then, perhaps while this started, still waits."""
        return self._now_s() - at_s < self._policy.exit_wish_s

    def _feed(self, event: LaneEvent) -> tuple[Record, ...]:
        """Advance the lane: decide, record, act, in this order; but see `_cannot_wait`."""
        was = shown = self.lane
        self.lane, records = advance(was, event, self._policy)
        if _cannot_wait(was, self.lane):
            self._stage.show(self.lane, self._policy)
            shown = self.lane
        written = self._recorder.write(records)
        if self.lane.state is State.DECIDING:
            is_durable = written and self._is_used(self.lane.visit)
            self.lane, more = advance(self.lane, Written(event.at_s, is_durable), self._policy)
            self._recorder.write(more)
            records += more
        elif self.lane.state is State.TESTING and was.state is not State.TESTING and not written:
            # No relay without its record (S5), and not later either (S7).
            self.lane, records = replace(was, served=self.lane.served), ()
        if _is_elsewhere(shown, self.lane):
            self._stage.show(self.lane, self._policy)
            self.lane = freed_at(self.lane, self._now_s(), self._policy)
        if self.lane.state is State.MEASURING and _is_elsewhere(was, self.lane):
            self._sensing.begin_attempt(self._now_s())
        self._follow_up(records, was)  # last: nobody waits for it
        if self.lane.standing & _KEPT != was.standing & _KEPT:
            self._told_of(Fault.STANDING, self._around.keep_standing(self.lane.standing & _KEPT))
        return records

    def _is_used(self, visit: Visit) -> bool:
        """Count the use of a signed pass before the relay moves; nobody goes in without that."""
        holder = visit.holder
        if holder is None or holder.pass_id is None or visit.released_by is not None:
            return True
        why_not = self._around.codes.use(holder)
        if why_not is not None:
            data = {"subject": holder.subject, "why": why_not}
            self._recorder.write([Record("pass.not_used", self._now_s(), data)])
        return why_not is None

    def _follow_up(self, records: Iterable[Record], was: Lane) -> None:
        """Learn from whoever was measured, and note who went through."""
        for record in records:
            if record.type in LESSONS:
                visit, keep = self.lane.visit, self._around.keep_offset
                self._recorder.write(learn(self._sensing, visit, record, keep))
            holder = was.visit.holder
            if record.type == "passage.not_entered" and holder and holder.pass_id:
                self._around.codes.give_back(holder)
            subject = record.data.get("subject")
            if record.type in _WALKED and isinstance(subject, str):
                way = Direction(record.data["direction"])
                self._told_of(Fault.WHEREABOUTS, self._around.note_passage(subject, way))
            if record.type in _EVACUATED:
                self._told_of(Fault.WHEREABOUTS, self._around.forgive())
            self._recorder.write(self._around.ledger.follow(record))

    def _told_of(self, fault: Fault, detail: str | None) -> None:
        if detail is None:
            self._recorder.cleared(fault, self._now_s())
        else:
            self._recorder.raised(fault, self._now_s(), detail)

    def _status(self) -> dict[str, Json]:
        """Return how things stand, without anybody's temperature or name."""
        return {
            "state": self.lane.state.name.lower(),
            "standing": [each.name.lower() for each in Standing if each in self.lane.standing],
            "inputs": dict(self._inputs),
            "passes_read": self._passes_read,
            "faults": [fault.value for fault in self._recorder.standing],
        }

    def _to_safety(self, record: Record) -> None:
        with ExitStack() as steps:  # each of them, also when another fails; the last one first
            steps.callback(self._stage.clear)
            if self._sensing.offset.people:  # what nobody taught is a setting, not worth keeping
                steps.callback(self._around.keep_offset, self._sensing.offset)
            steps.callback(self._recorder.write, [record])
            steps.callback(self._around.notify, "STOPPING=1")
            steps.callback(self._hardware.turnstile.drop)

    # -------------------------------------------------------------------------------- thermometer

    def _ask_for_sample(self, now_s: float) -> None:
        if self._sensing.is_due(now_s, measuring=self.lane.state is State.MEASURING):
            self._hardware.sampler.request()
            self._check_sensor(now_s)  # it may not have answered the last time

    def _check_sensor(self, now_s: float) -> None:
        """Tell what is wrong with the thermometer, and what no longer is; the lane must know."""
        standing = self._sensing.standing(now_s, self._trusted_utc_s())
        for fault in SENSOR_FAULTS:
            self._told_of(fault, standing.get(fault))
        if self._sensing.distrust is not self.lane.distrust:
            self._feed(SensorTrust(now_s, self._sensing.distrust))

    def _trusted_utc_s(self) -> float | None:
        clock = self._hardware.clock
        return clock.utc_s() if clock.utc_quality() in _TRUSTED else None

    def _adopt_sensor(self, now_s: float) -> None:
        """Tell which thermometer answers, when that is another one than before."""
        if self._sensing.instrument is not self._policy.instrument:
            self._policy = replace(self._policy, instrument=self._sensing.instrument)
        if self._sensing.is_new:
            self._sensing.is_new = False
            self._recorder.write([Record("thermometer.found", now_s, self._sensing.identity())])

    def _keep_house(self, now_s: float) -> None:
        if now_s >= self._next_housekeeping_at_s:
            self._next_housekeeping_at_s = now_s + _HOUSEKEEPING_S
            self._recorder.keep_house(self._around.acknowledged_seq)
            self._follow_regime(now_s)
            self._follow_credentials()
            self._remind()
            self._recorder.write(self._around.ledger.due())
            self._told_of(Fault.LEDGER, self._around.ledger.why_not)
            self._recorder.write(self._around.news())
            for fault, detail in self._around.faults().items():
                self._told_of(fault, detail)
            status = self._status()
            self._around.report({name: status[name] for name in _REPORTED})

    def _remind(self) -> None:
        regime = self._policy.regime
        a_day = 0 if regime is None else regime.limits.disinfections_a_day
        self._told_of(Fault.DISINFECTION, self._around.disinfection_due(a_day))

    def _follow_credentials(self) -> None:
        for fault, detail in self._around.codes.faults().items():
            self._told_of(fault, detail)
        self._ask_leavers(self._recorder.standing)

    def _follow_regime(self, now_s: float) -> None:
        """Take over the order that is in force by now, and its limit with it."""
        regime, why_not = self._around.regime()
        self._told_of(Fault.REGIME, why_not)
        was = self._policy.regime
        if regime is was:
            return
        self._policy = under(self._policy, regime)
        names: dict[str, Json] = {
            "regime": None if regime is None else regime.name,
            "before": None if was is None else was.name,
        }
        self._recorder.write([Record("regime.changed", now_s, names)])


def _cannot_wait(was: Lane, now: Lane) -> bool:
    """Return whether to act before recording, for a disk may block.

    It must not hold a way out shut, nor keep one free behind the person who went through.
    """
    is_freed = now.state in _FREE_WAYS and was.state not in _FREE_WAYS
    return is_freed or bool(output_of(was).releases and not output_of(now).releases)


def _is_elsewhere(was: Lane, now: Lane) -> bool:
    # Not the state alone: an exit may follow right upon another.
    return (now.state, now.entered_at_s) != (was.state, was.entered_at_s)
