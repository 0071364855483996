"""The whole gate process on a simulated lane, in virtual time: nothing is patched, nobody waits."""

import errno
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from gatepost.core.correction import Calibration
from gatepost.core.events import Holder, Tested, Verb
from gatepost.core.offset import Offset
from gatepost.core.sensing import Sensing
from gatepost.core.states import Span, Standing, State
from gatepost.gate import Asked, Gate, Hardware, Surroundings
from gatepost.wiring import thermometer
from gatepost.wiring.lane import policy
from gatepost_config.load import parse
from gatepost_config.settings import Settings
from gatepost_hal.gpio import PRESENCE_REST_S
from gatepost_hal.ports import Direction, InputName, Lamp, Reading
from gatepost_hal.simulated.announcer import SimulatedAnnouncer
from gatepost_hal.simulated.lane import TRIPOD, Mechanics, SimulatedLane
from gatepost_hal.simulated.people.crowd import Person
from gatepost_hal.simulated.scenes import Forehead
from gatepost_hal.simulated.watchdog import SimulatedWatchdog
from gatepost_hal.simulated.world import World
from gatepost_services.journal import Entry, JournalError

# A thermometer that reads what it sees: the scene is what the part says, and k is that of the
# camera that the people's readings come from. What a real one adds, a test asks for.
PLAIN_SENSOR = {"calibration": "factory", "supply_v": 3.0, "emissivity": 1.0, "warm_up_s": 0}
PLAIN_SCREENING = {"offset_c": 2.43, "learns": False}
# One that stands in the world of `gatepost_hal.simulated.scenes`: 3.3 V, skin, 5 cm.
REAL_SUPPLY_V = 3.3
REAL_SENSOR = {"supply_v": REAL_SUPPLY_V, "emissivity": 0.98}
NOTHING: Mapping[str, object] = MappingProxyType({})
RESIDENT = Holder("subject-1", "resident")
WELL_C, FEVERISH_C, NEAR_LIMIT_C = 34.0, 36.2, 34.9


# What to bring along to reach a state.
_FOREHEAD_C = {State.PAUSING: NEAR_LIMIT_C, State.REFERRED: FEVERISH_C}
_PASS = {
    State.MEASURING: "KNOWN",
    State.PAUSING: "KNOWN",
    State.RELEASED: "KNOWN",
    State.REFERRED: "KNOWN",
    State.REFUSED: "UNKNOWN",
}
# What to do at the lane to reach a mode.
_CONTACT = {
    State.FIRE: InputName.FIRE,
    State.EMERGENCY: InputName.EMERGENCY,
    State.MAINTENANCE: InputName.MAINTENANCE_KEY,
    State.TAMPER: InputName.TAMPER,
    State.LEAVING: InputName.EXIT_BUTTON,
}
# What comes before, and then.
_AFTER: dict[State, tuple[State, Callable[["Stage"], object]]] = {
    State.ENTRY_ENDING: (State.RELEASED, lambda stage: stage.end_release()),
    State.EXIT_ENDING: (State.LEAVING, lambda stage: stage.end_release()),
    State.ENTERING: (State.RELEASED, lambda stage: stage.walk()),
    State.EXITING: (State.LEAVING, lambda stage: stage.walk()),
    State.FORCED: (State.IDLE, lambda stage: stage.lane.push(Direction.ENTRY, force=True)),
    State.HELD: (State.IDLE, lambda stage: stage.touch(InputName.PASSAGE, active=True)),
    State.TESTING: (
        State.MAINTENANCE,
        lambda stage: stage.order(Verb.TEST, Tested.ENTRY_RELAY),
    ),
}
_ORDER = {State.LOCKED: Verb.LOCK, State.CLOSED: Verb.CLOSE}


_DECISION = {State.RELEASED: "visit.admitted", State.REFERRED: "visit.referred"}


class MemoryLog:
    """An event log whose disk can fail, and which asks `spy` before each write."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.broken = False
        self.pruned_through = 0
        self.spy: Callable[[list[Entry]], None] = lambda _entries: None

    def append(self, entries):
        entries = list(entries)
        self.spy(entries)
        if self.broken:
            raise JournalError(errno.ENOSPC, "No space left on device")
        self.entries += entries
        return len(self.entries)

    def prune(self, through_seq):
        if self.broken:
            raise JournalError(errno.ENOSPC, "No space left on device")
        self.pruned_through = through_seq
        return 0


def settings_of(
    sensor: Mapping[str, object],
    screening: Mapping[str, object],
    sections: Mapping[str, Mapping[str, object]],
) -> Settings:
    """Return the settings of a gate; nothing of this machine is read for them."""
    return parse(
        {
            "gate": {"site": "s", "name": "g"},
            "screening": PLAIN_SCREENING | screening,
            "sensor": PLAIN_SENSOR | sensor,
            "link": {"broker_host": "127.0.0.1"},
            "paths": {"calibration_dir": "/nonexistent"},
            **sections,
        },
        path=Path("scenario"),
    )


class Stage:
    """One lane with its controller, and what a person or a test can do there.

    Args:
        seed: of the part: its noise, and its identity.
        sensor: settings that differ from `PLAIN_SENSOR`; `screening` likewise.
        calibrations: by sensor id; `offsets`, learnt before, by device.
        keep_offset: what to do with what was learnt, beside noting it in `kept`.
        prepare: called with the lane before the gate is switched on.
        sections: of the settings, whole (lane, turnstile, signals, pins).
        mechanics: of the turnstile.
        standing: what was ordered before the gate was switched on.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        sensor: Mapping[str, object] = NOTHING,
        screening: Mapping[str, object] = NOTHING,
        calibrations: Mapping[str, Calibration] = MappingProxyType({}),
        offsets: Mapping[str, Offset] = MappingProxyType({}),
        keep_offset: Callable[[Offset], None] = lambda _offset: None,
        prepare: Callable[[SimulatedLane], None] = lambda _lane: None,
        sections: Mapping[str, Mapping[str, object]] = MappingProxyType({}),
        mechanics: Mechanics = TRIPOD,
        standing: frozenset[Standing] = frozenset(),
    ) -> None:
        self.world = World()
        self.lane = SimulatedLane(self.world, seed=seed, mechanics=mechanics)
        prepare(self.lane)
        self.log = MemoryLog()
        self.roster = {"KNOWN": RESIDENT}
        self.visitors = 0
        self.notified: list[str] = []
        self.rings = 0
        self.acknowledged = 0
        self.kept: list[Offset] = []
        self.measured: tuple[Reading, ...] = ()  # the last attempt of the last `screen`
        self.objections: dict[str, Any] = {}  # by subject
        self.walked: list[tuple[str, Direction]] = []
        self.forgetful: str | None = None  # why who walked cannot be kept
        self.asked: list[Asked] = []
        self.standing: list[frozenset[Standing]] = []  # as kept over a restart
        self.quiet = False
        settings = settings_of(sensor, screening, sections)
        self.policy = policy(settings)
        setup = thermometer.setup(settings, dict(offsets))._replace(calibrations=calibrations)
        self.hardware = Hardware(
            clock=self.world,
            mailbox=self.lane.mailbox,
            sampler=self.lane.sampler,
            turnstile=self.lane.gpio.turnstile,
            lamps=self.lane.gpio.lamps,
            buzzer=self.lane.gpio.buzzer,
            inputs=self.lane.gpio.inputs,
            display=self.lane.announcer,
            speaker=SimulatedAnnouncer(self.world),
            watchdog=SimulatedWatchdog(self.world, timeout_s=settings.watchdog.timeout_s),
        )
        self.setup, self._keep_offset = setup, keep_offset
        self.gate = self.new_gate(standing)
        self.play(1.0)
        # The first sample tells which thermometer there is. What follows is the tests' own.
        self.found, self.log.entries = self.log.entries, []
        self.rings = 0

    def new_gate(self, standing: frozenset[Standing] = frozenset()) -> Gate:
        """Return a controller of this lane, as after a restart."""

        def keep(offset: Offset) -> None:
            self.kept.append(offset)
            self._keep_offset(offset)

        def note(subject: str, way: Direction) -> str | None:
            self.walked.append((subject, way))
            return self.forgetful

        def asked() -> list[Asked]:
            taken, self.asked = self.asked, []
            return taken

        return Gate(
            self.hardware,
            policy=self.policy,
            sensing=Sensing(self.setup, self.world.now_s()),
            log=self.log,
            surroundings=Surroundings(
                look_up=self.roster.get,
                object_to=lambda holder: self.objections.get(holder.subject),
                note_passage=note,
                asked=asked,
                acknowledged_seq=lambda: self.acknowledged,
                ring=self._ring,
                keep_offset=keep,
                keep_standing=self.standing.append,
                is_quiet=lambda: self.quiet,
                notify=self.notified.append,
            ),
            standing=standing,
        )

    def order(self, verb: Verb | None, tested: Tested | None = None) -> Mapping[str, Any]:
        """Ask or command on the control socket; return the answer."""
        answers: list[Mapping[str, Any]] = []
        number = f"order-{self.world.now_s()}"
        self.asked.append(Asked(verb, tested, number, "uid 0", answers.append))
        self.play_until(lambda: bool(answers), 1.0)
        return answers[0]

    def _ring(self) -> None:
        self.rings += 1

    def know(self, queue: list[Person]) -> None:
        """Put people into the roster."""
        for person in queue:
            self.roster[person.credential] = Holder(person.subject, "resident")

    def play(self, duration_s: float) -> None:
        """Let the controller turn for this long."""
        self.play_until(lambda: False, duration_s)

    def play_until(self, condition: Callable[[], bool], limit_s: float = 60.0) -> bool:
        """Let the controller turn until `condition`; return whether it came within `limit_s`."""
        until_s = self.world.now_s() + limit_s
        while self.world.now_s() < until_s and not condition():
            self.gate.turn()
        return condition()

    def step_up(self, forehead: float | Forehead) -> None:
        """Let somebody step up: a forehead, or what the part makes of one."""
        if isinstance(forehead, Forehead):
            self.lane.chip.scene = forehead.scene(self.lane.chip.part)
        else:
            self.lane.chip.scene = lambda _at_s: forehead
        self.lane.contacts[InputName.PRESENCE].set(active=True)
        self.play(0.1)

    def screen(
        self, forehead: float | Forehead, *, subject: str | None = None
    ) -> Mapping[str, Any]:
        """Let somebody come, be measured until it is decided, and leave; return the decision.

        Each is somebody else, unless `subject` says who.
        """
        self.visitors += 1
        self.roster["KNOWN"] = Holder(subject or f"subject-{self.visitors}", "resident")
        self.step_up(forehead)
        self.scan()
        ended = (State.RELEASED, State.REFERRED)
        assert self.play_until(lambda: self.state in ended, 60.0), self.state
        data = self.last(_DECISION[self.state]).data
        self.measured = self.gate.lane.visit.samples
        if self.state is State.RELEASED:
            assert self.lane.push(Direction.ENTRY)
            self.play(1.0)
        self.lane.chip.scene = lambda _at_s: self.lane.chip.room_c
        self.walk_off()
        assert self.state is State.IDLE
        return data

    def walk_off(self) -> None:
        self.lane.contacts[InputName.PRESENCE].set(active=False)
        self.play(PRESENCE_REST_S + 0.1)

    def scan(self, credential: str = "KNOWN") -> None:
        self.lane.reader.scan(credential)
        self.play(0.1)

    def touch(self, name: InputName, *, active: bool) -> None:
        self.lane.contacts[name].set(active=active)

    def reach(self, state: State) -> None:
        """Bring the lane into a state, as people would.

        Not into DECIDING: it lasts no time, and is left in the turn in which it is entered.
        """
        if state in _AFTER:
            before, then = _AFTER[state]
            self.reach(before)
            then(self)
        elif state in _CONTACT:
            self.touch(_CONTACT[state], active=True)
        elif state in _ORDER:
            self.order(_ORDER[state])
        elif state is not State.IDLE:
            self.step_up(_FOREHEAD_C.get(state, WELL_C))
        if state is State.CLEARING:
            self.play(self.policy.spans_s[Span.PASS_TIMEOUT])
        elif state in _PASS:
            self.scan(_PASS[state])
        assert self.play_until(lambda: self.state is state, 40.0), f"{self.state} for {state}"

    def end_release(self) -> None:
        self.play(self.policy.spans_s[Span.RELEASE_HOLD])

    def walk(self) -> None:
        """Walk through whatever is released."""
        (way,) = self.released()
        assert self.lane.push(way)

    @property
    def state(self) -> State:
        return self.gate.lane.state

    @property
    def faults(self) -> list[str]:
        """Return what was told of faults, as "raised sensor", in order."""
        told = [entry for entry in self.log.entries if entry.type.startswith("fault.")]
        return [f"{entry.type.removeprefix('fault.')} {entry.data['fault']}" for entry in told]

    @property
    def attempts(self) -> list[Mapping[str, Any]]:
        """Return what was told of each attempt to measure, in order."""
        return [entry.data for entry in self.log.entries if "zone" in entry.data]

    @property
    def verdicts(self) -> list[tuple[str, str]]:
        """Return what followed from each attempt to measure, and why."""
        return [(attempt["outcome"], attempt["reason"]) for attempt in self.attempts]

    @property
    def types(self) -> list[str]:
        return [entry.type for entry in self.log.entries]

    def released(self) -> set[Direction]:
        return {way for way in Direction if self.lane.is_released(way)}

    def lit(self) -> frozenset[Lamp]:
        return self.lane.lit()

    def last(self, type_: str) -> Entry:
        return next(entry for entry in reversed(self.log.entries) if entry.type == type_)


@pytest.fixture
def stage():
    made = Stage()
    yield made
    made.lane.close()


@pytest.fixture
def make_stage():
    made = []

    def make(**keywords):
        made.append(Stage(**keywords))
        return made[-1]

    yield make
    for stage in made:
        stage.lane.close()


@pytest.fixture
def make_real(make_stage):
    """Make stages whose sensor looks at real foreheads, in a room it has stood in for long."""

    def make(*, room_c=24.0, sensor=NOTHING, prepare=lambda _lane: None, **keywords):
        def set_up(lane):
            lane.chip.supply_v = REAL_SUPPLY_V
            lane.chip.settle(room_c)
            prepare(lane)

        return make_stage(sensor=REAL_SENSOR | sensor, prepare=set_up, **keywords)

    return make


@pytest.fixture
def config(tmp_path):
    """A settings file of a gate whose folders are there, and its roster and broker are not."""
    for name in ("gate", "link", "run/gate", "run/link", "calibration"):
        (tmp_path / name).mkdir(parents=True)
    path = tmp_path / "gatepost.toml"
    path.write_text(
        '[gate]\nsite = "s"\nname = "g"\n[screening]\noffset_c = 2.43\n'
        '[sensor]\ncalibration = "factory"\nsupply_v = 3.0\nwarm_up_s = 0\n'
        '[link]\nbroker_host = "127.0.0.1"\nbroker_port = 1\n'
        f'[paths]\ngate_dir = "{tmp_path}/gate"\nlink_dir = "{tmp_path}/link"\n'
        f'run_dir = "{tmp_path}/run"\nroster = "{tmp_path}/roster.csv"\n'
        f'calibration_dir = "{tmp_path}/calibration"\n'
    )
    return path
