"""A queue of simulated people: who they are, how they behave, what they do at the lane.

They know only what a person there sees and feels: lamps, and whether the arm gives way. The skin
and room temperatures are those of real people (PROVENANCE.md).
"""

import csv
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from importlib.resources import files

from gatepost_hal.ports import Direction, InputName, Lamp
from gatepost_hal.simulated.lane import SimulatedLane
from gatepost_hal.simulated.scenes import ADAPTED_ROOM_C, ROOM_SLOPE, Forehead

Script = Iterator[float]  # what a person does: yields how long they wait, in seconds

# Most people walk through; the rest is what makes a gate hard.
_SHARES = {
    "walks": 0.70,
    "hesitates": 0.10,
    "walks_off": 0.07,
    "has_no_pass": 0.05,
    "pushes": 0.05,
    "forces": 0.03,
}

_LOOK_S = 0.1  # how often a person looks at the lamps
_PATIENCE_S = 40.0
_ROUND_S = 4.0  # a forehead moves on to its next measured round after this long


class Behaviour(Enum):
    """How a person treats a gate."""

    WALKS = "walks"
    HESITATES = "hesitates"  # stands there for a while before showing the pass
    WALKS_OFF = "walks_off"  # leaves in the middle of the measurement
    HAS_NO_PASS = "has_no_pass"  # shows one that nobody knows
    PUSHES = "pushes"  # leans on the arm before it is free
    FORCES = "forces"  # breaks through without any pass


@dataclass(frozen=True, slots=True)
class Person:
    """One person: real temperatures, an invented name for the roster, a behaviour.

    `forehead_c` is the skin as the study measured it, in its room of `room_c`.
    """

    number: int
    forehead_c: tuple[float, ...]
    room_c: float
    behaviour: Behaviour

    @property
    def subject(self) -> str:
        """Return the opaque name that the roster has for this person."""
        return f"person-{self.number:04d}"

    @property
    def credential(self) -> str:
        """Return the text of this person's pass."""
        return f"DEMO-PASS-{self.number:04d}"


def people(count: int, *, seed: int) -> list[Person]:
    """Return `count` people; the same seed gives the same ones. Readings repeat after 128."""
    chance = random.Random(seed)  # noqa: S311 - a scenario, not a secret
    readings = _readings()
    chance.shuffle(readings)
    behaviours = chance.choices(
        [Behaviour(name) for name in _SHARES], weights=list(_SHARES.values()), k=count
    )
    return [
        Person(number, *readings[number % len(readings)], behaviour)
        for number, behaviour in enumerate(behaviours)
    ]


def _readings() -> list[tuple[tuple[float, ...], float]]:
    source = files(__package__) / "readings.csv"
    with source.open(encoding="utf-8") as lines:
        return [
            (tuple(float(row[f"forehead{n}_c"]) for n in (1, 2, 3, 4)), float(row["room_c"]))
            for row in csv.DictReader(lines)
        ]


class Crowd:
    """Sends people to a lane, one after the other, in the lane's virtual time.

    Args:
        lane: where they go.
        queue: who comes.
        seed: of the pauses between and within visits.
        first: the index of the first one who still has to come.
        on_done: told the number of people who are through, each time it grows.
        start_at_s: the monotonic instant before which nobody comes; None is 1 s from now. A
            thermometer that warms up needs it.
    """

    def __init__(
        self,
        lane: SimulatedLane,
        queue: list[Person],
        *,
        seed: int,
        first: int = 0,
        on_done: Callable[[int], None] = lambda _done: None,
        start_at_s: float | None = None,
    ) -> None:
        self._lane = lane
        self._queue = queue
        self._chance = random.Random(seed)  # noqa: S311 - a scenario, not a secret
        self._on_done = on_done
        self.done = first
        self.present: Person | None = None
        first_at_s = lane.world.now_s() + 1.0 if start_at_s is None else start_at_s
        lane.world.call_at(first_at_s, self._next)

    @property
    def is_finished(self) -> bool:
        """Return whether everybody has been here and left."""
        return self.done == len(self._queue)

    def _next(self) -> None:
        if self.is_finished:
            return
        self.present = self._queue[self.done]
        self._resume(self._visit(self.present))

    def _resume(self, script: Script) -> None:
        world = self._lane.world
        pause_s = next(script, None)
        if pause_s is not None:
            world.call_at(world.now_s() + pause_s, lambda: self._resume(script))
            return
        self.present = None
        self.done += 1
        self._on_done(self.done)
        world.call_at(world.now_s() + self._chance.uniform(0.5, 1.5), self._next)

    def _visit(self, person: Person) -> Script:
        lane = self._lane
        yield from self._step_up(person)
        match person.behaviour:
            case Behaviour.FORCES:
                lane.push(Direction.ENTRY, force=True)
                yield 0.8
            case Behaviour.PUSHES:
                lane.push(Direction.ENTRY)
                yield from self._show_pass(person.credential)
                yield from self._follow_lamps()
            case Behaviour.WALKS_OFF:
                yield from self._show_pass(person.credential)
                yield self._chance.uniform(0.2, 1.0)
            case Behaviour.HAS_NO_PASS:
                yield from self._show_pass("NOBODY-KNOWS-THIS")
                yield from self._follow_lamps()
            case Behaviour.HESITATES:
                yield self._chance.uniform(2.0, 6.0)
                yield from self._show_pass(person.credential)
                yield from self._follow_lamps()
            case Behaviour.WALKS:
                yield from self._show_pass(person.credential)
                yield from self._follow_lamps()
        yield from self._leave()

    def _step_up(self, person: Person) -> Script:
        chip = self._lane.chip
        arrived_s = self._lane.world.now_s()
        rounds = [
            Forehead(
                # In a room of its own each; all come to the lane's (PROVENANCE.md).
                skin_c=measured_c - ROOM_SLOPE * (person.room_c - ADAPTED_ROOM_C),
                room_c=chip.room_c,
            ).scene(chip.part)
            for measured_c in person.forehead_c
        ]

        def scene(at_s: float) -> float:
            elapsed = int((at_s - arrived_s) / _ROUND_S)
            return rounds[min(elapsed, len(rounds) - 1)](at_s)

        chip.scene = scene
        self._lane.contacts[InputName.PRESENCE].set(active=True)
        yield self._chance.uniform(0.3, 0.8)

    def _show_pass(self, credential: str) -> Script:
        self._lane.reader.scan(credential)
        yield 0.3

    def _follow_lamps(self) -> Script:
        """Wait for green and walk through, or for red and turn away; give up some time."""
        lane = self._lane
        waited_s = 0.0
        while waited_s < _PATIENCE_S:
            lit = lane.lit()
            if Lamp.RED in lit:
                yield 1.5
                return
            if Lamp.GREEN in lit:
                yield self._chance.uniform(0.3, 0.7)
                if lane.push(Direction.ENTRY):
                    yield 0.8
                    return
            yield _LOOK_S
            waited_s += _LOOK_S

    def _leave(self) -> Script:
        self._lane.contacts[InputName.PRESENCE].set(active=False)
        self._lane.chip.scene = lambda _at_s: self._lane.chip.room_c
        yield 0.3
