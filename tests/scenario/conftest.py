"""The whole gate process on a simulated lane, in virtual time: nothing is patched, nobody waits."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from gatepost.core.lane import Holder
from gatepost.core.table import Span, State
from gatepost.gate import Gate, Hardware, Surroundings
from gatepost.wiring.lane import policy
from gatepost_config.load import parse
from gatepost_hal.ports import Direction, InputName, Lamp
from gatepost_hal.simulated.lane import SimulatedLane
from gatepost_hal.simulated.people.crowd import Person
from gatepost_hal.simulated.world import World
from gatepost_services.journal import Entry, JournalError

# The defaults, with the offset of the camera that the people's readings come from.
POLICY = policy(
    parse(
        {
            "gate": {"site": "s", "name": "g"},
            "screening": {"offset_c": 2.43},
            "link": {"broker_host": "127.0.0.1"},
        },
        path=Path("scenario"),
    )
)
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


class Stage:
    """One lane with its controller, and what a person or a test can do there."""

    def __init__(self, *, seed: int = 1, log: MemoryLog | None = None) -> None:
        self.world = World()
        self.lane = SimulatedLane(self.world, seed=seed)
        self.log = log or MemoryLog()
        self.roster = {"KNOWN": RESIDENT}
        self.notified: list[str] = []
        self.rings = 0
        self.acknowledged = 0
        self.gate = Gate(
            Hardware(
                clock=self.world,
                mailbox=self.lane.mailbox,
                sampler=self.lane.sampler,
                turnstile=self.lane.gpio.turnstile,
                lamps=self.lane.gpio.lamps,
                buzzer=self.lane.gpio.buzzer,
                inputs=self.lane.gpio.inputs,
            ),
            policy=POLICY,
            sample_period_s=0.28,
            log=self.log,
            surroundings=Surroundings(
                look_up=self.roster.get,
                acknowledged_seq=lambda: self.acknowledged,
                ring=self._ring,
                notify=self.notified.append,
            ),
        )
        self.lane.chip.settle(24.0)
        self.play(1.0)

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

    def step_up(self, forehead_c: float) -> None:
        self.lane.chip.scene = lambda _at_s: forehead_c
        self.lane.contacts[InputName.PRESENCE].set(active=True)
        self.play(0.1)

    def walk_off(self) -> None:
        self.lane.contacts[InputName.PRESENCE].set(active=False)
        self.play(0.1)

    def scan(self, credential: str = "KNOWN") -> None:
        self.lane.reader.scan(credential)
        self.play(0.1)

    def touch(self, name: InputName, *, active: bool) -> None:
        self.lane.contacts[name].set(active=active)

    def reach(self, state: State) -> None:
        """Bring the lane into a state, as a person would.

        Not into DECIDING: it lasts no time, and is left in the turn in which it is entered.
        """
        if state in (State.ENTRY_ENDING, State.EXIT_ENDING):
            self.reach(State.RELEASED if state is State.ENTRY_ENDING else State.LEAVING)
            self.play(POLICY.spans_s[Span.RELEASE_HOLD])
        elif state is State.FIRE:
            self.touch(InputName.FIRE, active=True)
        elif state is State.LEAVING:
            self.touch(InputName.EXIT_BUTTON, active=True)
        elif state is not State.IDLE:
            self.step_up(_FOREHEAD_C.get(state, WELL_C))
        if state is State.CLEARING:
            self.play(POLICY.spans_s[Span.PASS_TIMEOUT])
        elif state in _PASS:
            self.scan(_PASS[state])
        assert self.play_until(lambda: self.state is state, 30.0), f"{self.state} for {state}"

    @property
    def state(self) -> State:
        return self.gate.lane.state

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
def config(tmp_path):
    """A settings file of a gate whose folders are there, and its roster and broker are not."""
    for name in ("gate", "link", "run/gate", "run/link"):
        (tmp_path / name).mkdir(parents=True)
    path = tmp_path / "gatepost.toml"
    path.write_text(
        '[gate]\nsite = "s"\nname = "g"\n[screening]\noffset_c = 2.43\n'
        '[link]\nbroker_host = "127.0.0.1"\nbroker_port = 1\n'
        f'[paths]\ngate_dir = "{tmp_path}/gate"\nlink_dir = "{tmp_path}/link"\n'
        f'run_dir = "{tmp_path}/run"\nroster = "{tmp_path}/roster.csv"\n'
    )
    return path
