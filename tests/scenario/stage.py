"""The whole gate process on a simulated lane, in virtual time: nothing is patched, nobody waits."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from gatepost.core.correction import Calibration
from gatepost.core.events import Holder, Record, Tested, Verb
from gatepost.core.offset import Offset
from gatepost.core.sensing import Sensing
from gatepost.core.states import Span, Standing, State
from gatepost.gate import Asked, Gate, Hardware, Surroundings
from gatepost.wiring import thermometer
from gatepost.wiring.credentials import RosterOnly
from gatepost.wiring.hardware import lane_pins
from gatepost.wiring.lane import policy
from gatepost.wiring.no_ledgers import NoLedgers
from gatepost.wiring.passes import Passes
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
from gatepost_services.journal import Entry

from .life import Life, MemoryLog, NoDisinfection, Notebook, claim

if TYPE_CHECKING:
    from gatepost.core.faults import Fault

# A thermometer that reads what it sees: the scene is what the part says, and k is that of the
# camera that the people's readings come from. What a real one adds, a test asks for.
PLAIN_SENSOR = {"calibration": "factory", "supply_v": 3.0, "emissivity": 1.0, "warm_up_s": 0}
PLAIN_SCREENING = {"offset_c": 2.43, "learns": False}
# One that stands in the world of `gatepost_hal.simulated.scenes`: 3.3 V, skin, 5 cm.
REAL_SUPPLY_V = 3.3
REAL_SENSOR = {"supply_v": REAL_SUPPLY_V, "emissivity": 0.98}
NOTHING: Mapping[str, object] = MappingProxyType({})
WELL_C, FEVERISH_C, NEAR_LIMIT_C = 34.0, 36.2, 34.9
# The inputs that a gate may have or not.
_WIRED = {"staff_release": 26, "maintenance_key": 20, "emergency": 21, "tamper": 19}


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


def settings_of(
    sensor: Mapping[str, object],
    screening: Mapping[str, object],
    sections: Mapping[str, Mapping[str, object]],
) -> Settings:
    """Return the settings of a gate with everything wired; nothing of this machine is read."""
    turnstile = sections.get("turnstile", {})
    pins = dict(_WIRED)
    if turnstile.get("passage") == "per_direction":
        pins["passage_exit"] = 22
    if turnstile.get("relay_active") == "low":
        pins |= {"entry_relay": 4, "exit_relay": 7}
    return parse(
        {
            "gate": {"site": "s", "name": "g"},
            "screening": PLAIN_SCREENING | screening,
            "sensor": PLAIN_SENSOR | sensor,
            "link": {"broker_host": "127.0.0.1"},
            "paths": {"calibration_dir": "/nonexistent"},
            "pins": pins,
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

    Some other `passes` count from the next `restart` on.
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
        settings = settings_of(sensor, screening, sections)
        self.world = World()
        self.lane = SimulatedLane(
            self.world,
            seed=seed,
            mechanics=mechanics,
            pins=lane_pins(settings),
        )
        self.log = MemoryLog()
        self.passes: Any = Notebook()
        self.ledger: Any = NoLedgers()
        self.visitors = self.rings = self.acknowledged = 0
        self.notified: list[str] = []
        self.kept: list[Offset] = []
        self.measured: tuple[Reading, ...] = ()  # the last attempt of the last `screen`
        self.asked: list[Asked] = []
        self.news: list[Record] = []
        self.parts_faults: dict[Fault, str | None] = {}
        self.reports: list[Mapping[str, Any]] = []
        self.standing: list[frozenset[Standing]] = [standing]  # as kept over a restart
        self.quiet = False
        self.regime: Any = (None, None)  # as `Surroundings.regime` returns it
        self.disinfection: Any = NoDisinfection()
        self.policy = policy(settings)
        self.setup = thermometer.setup(settings, dict(offsets))._replace(calibrations=calibrations)
        self._keep_offset = keep_offset
        self.speaker = SimulatedAnnouncer(self.world)
        self.watchdog = SimulatedWatchdog(self.world, timeout_s=settings.watchdog.timeout_s)
        self.world._due.clear()  # what made the lane is not the process that controls it
        self.life = Life(self.world)
        self.gate = self.restart()
        prepare(self.lane)
        self.play(1.0)
        # The first sample tells which thermometer there is. What follows is the tests' own.
        self.found, self.log.entries = self.log.entries, []
        self.rings = 0

    def restart(self) -> Gate:
        """Kill the controller, and start another one, with what it finds on the disk."""
        self.life.end()
        self.life = Life(self.world)
        claim(self.lane, self.life)
        self.asked.clear()  # the socket hung up
        holds, lane = self.life.holds, self.lane
        self.hardware = Hardware(
            clock=self.world,
            mailbox=holds(lane.mailbox),
            sampler=holds(lane.sampler),
            turnstile=holds(lane.gpio.turnstile),
            lamps=holds(lane.gpio.lamps),
            buzzer=holds(lane.gpio.buzzer),
            inputs=holds(lane.gpio.inputs),
            display=holds(lane.announcer),
            speaker=holds(self.speaker),
            watchdog=holds(self.watchdog),
        )
        self.gate = Gate(
            self.hardware,
            policy=self.policy,
            sensing=Sensing(self.setup, self.world.now_s()),
            log=holds(self.log),
            surroundings=self._surroundings(),
            standing=self.standing[-1],
        )
        return self.gate

    def _surroundings(self) -> Surroundings:
        holds = self.life.holds

        def keep(offset: Offset) -> None:
            self.kept.append(offset)
            self._keep_offset(offset)

        def asked() -> list[Asked]:
            taken, self.asked = self.asked, []
            return taken

        def news() -> list[Record]:
            taken, self.news = self.news, []
            return taken

        def ring() -> None:
            self.rings += 1

        # What reads codes stands before what knows passes; the notebook is both.
        codes = RosterOnly(self.passes) if isinstance(self.passes, Passes) else self.passes
        return Surroundings(
            codes=holds(codes),
            ledger=self.ledger,
            disinfection_due=self.disinfection.due,
            disinfected=self.disinfection.done,
            regime=lambda: self.regime,
            note_passage=holds(self.passes.note),
            forgive=holds(self.passes.forgive),
            asked=asked,
            news=news,
            faults=lambda: self.parts_faults,
            report=self.reports.append,
            acknowledged_seq=lambda: self.acknowledged,
            ring=ring,
            keep_offset=holds(keep),
            keep_standing=holds(self.standing.append),
            is_quiet=lambda: self.quiet,
            notify=holds(self.notified.append),
        )

    def live(self, duration_s: float, look: Callable[[], object] = lambda: None) -> None:
        """Run the controller from its start to its orderly end; `look` on at each turn."""
        until_s = self.world.now_s() + duration_s

        def is_over() -> bool:
            look()
            return self.world.now_s() >= until_s

        self.gate.run(is_over, about={})

    def order(self, verb: Verb | None, tested: Tested | None = None) -> Mapping[str, Any]:
        """Ask or command on the control socket; return the answer."""
        answers: list[Mapping[str, Any]] = []
        number = f"order-{self.world.now_s()}"
        self.asked.append(Asked(verb, tested, number, "uid 0", answers.append))
        self.play_until(lambda: bool(answers), 1.0)
        return answers[0]

    @property
    def roster(self) -> dict[str, Holder]:
        return self.passes.roster

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

    def press(self, name: InputName) -> None:
        """Press a button, and let go."""
        self.touch(name, active=True)
        self.play(0.1)
        self.touch(name, active=False)
        self.play(0.1)

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

    def close(self) -> None:
        self.lane.close()
