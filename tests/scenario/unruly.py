"""People as they are: at the entry, inside, and those who run the place; and what goes wrong.

Each is a script that yields how long it waits. They know what a person there sees: the lamps, the
display, and whether the arm gives way.
"""

import random
from collections.abc import Callable, Iterator
from enum import Enum, auto

from gatepost_hal.ports import Direction, InputName, Lamp
from gatepost_hal.simulated.lane import SimulatedLane
from gatepost_hal.simulated.people.crowd import Person
from gatepost_hal.simulated.scenes import ADAPTED_ROOM_C, ROOM_SLOPE, Forehead
from gatepost_hal.simulated.turnstile import TURN_S
from gatepost_hal.simulated.world import World

Script = Iterator[float]
Push = Callable[..., bool]  # way, force=, people=

_LOOK_S = 0.1
_PATIENCE_S = 25.0
_FEVER_C, _NEAR_C = 3.0, 0.9  # over what somebody well has


class Manner(Enum):
    """How somebody treats the gate."""

    WELL_BEHAVED = auto()
    WALKS_OFF = auto()  # at any moment
    WRONG_PASS = auto()
    FEVERISH = auto()
    NEAR_LIMIT = auto()
    MOVES = auto()
    TAILGATED = auto()  # somebody slips in behind
    FORCES = auto()
    WRONG_WAY = auto()
    LOITERS = auto()
    SHOWS_TWICE = auto()
    FLICKERS = auto()  # stands at the edge of the zone
    GARBLES = auto()  # the reader makes nothing of the pass
    WALKS_BY = auto()  # shows a pass to a free arm, without ever stepping up


_SHARES = dict.fromkeys(Manner, 4) | {Manner.WELL_BEHAVED: 48}


def follow(world: World, script: Script, then: Callable[[], None] = lambda: None) -> None:
    """Let a script take its course in the world's time."""

    def step() -> None:
        pause_s = next(script, None)
        if pause_s is None:
            then()
        else:
            world.call_at(world.now_s() + pause_s, step)

    step()


def cut(script: Script, left_s: float) -> Script:
    """Yield from a script, and give it up in the middle."""
    for pause_s in script:
        if pause_s >= left_s:
            yield left_s
            return
        left_s -= pause_s
        yield pause_s


class AtTheEntry:
    """A queue of people, one after the other; some tread on the heels of the one before."""

    def __init__(
        self,
        lane: SimulatedLane,
        queue: list[Person],
        *,
        push: Push,
        chance: random.Random,
        is_wing: bool,
    ) -> None:
        self._lane = lane
        self._queue = queue
        self._push = push
        self._chance = chance
        self._is_wing = is_wing
        self._shown_at_s = 0.0
        self.done = 0
        self.manners = chance.choices(list(_SHARES), list(_SHARES.values()), k=len(queue))

    def come(self) -> Script:
        """Let them all come."""
        chance = self._chance
        for person, manner in zip(self._queue, self.manners, strict=True):
            visit = self._visit(person, manner)
            yield from cut(visit, chance.uniform(0, 8)) if manner is Manner.WALKS_OFF else visit
            if chance.random() < 0.9:  # else somebody stands right behind
                self._leave()
                yield chance.uniform(0.2, 2.0)
            self.done += 1
        self._leave()

    def _visit(self, person: Person, manner: Manner) -> Script:
        chance = self._chance
        if manner is not Manner.WALKS_BY:
            self._step_up(person, manner)
            yield chance.uniform(0.3, 0.8)
        if manner is Manner.FORCES:
            self._push(Direction.ENTRY, force=True)
            yield TURN_S
            return
        if manner is Manner.LOITERS:
            yield chance.uniform(5, 40)
        if manner is Manner.WRONG_WAY:
            self._push(Direction.EXIT)
            yield TURN_S
        if manner is Manner.GARBLES:
            self._lane.reader.send(chance.randbytes(chance.randint(1, 40)) + b"\n")
            yield chance.uniform(0.2, 3)
        credential = "NOBODY" if manner is Manner.WRONG_PASS else person.credential
        walk = self._get_in(credential, manner)
        yield from self._flickering(walk) if manner is Manner.FLICKERS else walk

    def _step_up(self, person: Person, manner: Manner) -> None:
        chip, chance = self._lane.chip, self._chance
        over_c = {Manner.FEVERISH: _FEVER_C, Manner.NEAR_LIMIT: _NEAR_C}.get(manner, 0.0)
        skin_c = person.forehead_c[0] - ROOM_SLOPE * (person.room_c - ADAPTED_ROOM_C) + over_c
        still = Forehead(skin_c=skin_c, room_c=chip.room_c).scene(chip.part)

        def restless(at_s: float) -> float:
            return still(at_s) - (chance.uniform(0, 4) if int(at_s * 2) % 2 else 0.0)

        chip.scene = restless if manner is Manner.MOVES else still
        self._lane.contacts[InputName.PRESENCE].set(active=True)

    def _leave(self) -> None:
        self._lane.contacts[InputName.PRESENCE].set(active=False)
        self._lane.chip.scene = lambda _at_s: self._lane.chip.room_c

    def _show(self, credential: str) -> None:
        self._shown_at_s = self._lane.world.now_s()
        self._lane.reader.scan(credential)

    def _is_asked(self) -> bool:
        """Return whether the display has asked for a pass since the last one was shown."""
        told = self._lane.announcer.told
        return bool(told) and told[-1][0] > self._shown_at_s and told[-1][1].key == "show_pass"

    def _get_in(self, credential: str, manner: Manner) -> Script:
        """Show a pass, do as the lamps say, and give up some time."""
        self._show(credential)
        if manner is Manner.SHOWS_TWICE:
            yield self._chance.uniform(0.05, 2)
            self._show(credential)
        waited_s = 0.0
        while waited_s < _PATIENCE_S:
            yield _LOOK_S
            waited_s += _LOOK_S
            lit = self._lane.lit()
            if Lamp.GREEN in lit and Lamp.RED not in lit:
                yield self._chance.uniform(0.2, 1.0)
                if self._walk(manner):
                    yield TURN_S
                    yield from self._squeeze_in(manner)
                    return
            elif Lamp.RED in lit and self._chance.random() < 0.05:
                return
            elif self._is_asked():
                self._show(credential)

    def _walk(self, manner: Manner) -> bool:
        is_two = manner is Manner.TAILGATED and self._is_wing
        return self._push(Direction.ENTRY, people=2 if is_two else 1)

    def _squeeze_in(self, manner: Manner) -> Script:
        if manner is Manner.TAILGATED:
            yield self._chance.uniform(0, 1.5)
            self._push(Direction.ENTRY, force=self._chance.random() < 0.5)
            yield TURN_S

    def _flickering(self, script: Script) -> Script:
        presence, world = self._lane.contacts[InputName.PRESENCE], self._lane.world
        turn_at_s, active = world.now_s(), True
        for pause_s in script:
            if world.now_s() >= turn_at_s:
                turn_at_s = world.now_s() + self._chance.choice((0.05, 0.2, 0.4, 1.0))
                active = not active
                presence.set(active=active)
            yield pause_s


def inside(
    lane: SimulatedLane,
    *,
    push: Push,
    chance: random.Random,
    pause_s: float,
    is_over: Callable[[], bool],
) -> Script:
    """Let people leave now and then, and others press the button for fun."""
    while True:
        yield chance.expovariate(1 / pause_s)
        if is_over():
            return
        deed = chance.random()
        if deed < 0.3:
            lane.exit_reader.scan(f"DEMO-PASS-{chance.randrange(30):04d}")
        elif deed < 0.9:
            lane.contacts[InputName.EXIT_BUTTON].set(active=True)
            yield chance.choice((0.05, 0.3, 3.0))
            lane.contacts[InputName.EXIT_BUTTON].set(active=False)
        way = Direction.EXIT if chance.random() < 0.9 else Direction.ENTRY
        for _ in range(chance.randrange(40)):
            yield _LOOK_S
            if push(way, force=chance.random() < 0.001):
                yield TURN_S
                break
