"""A story: one site, some people, and everything that can happen to them and to the gate."""

import random
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from gatepost.core.states import State
from gatepost.gate import Asked
from gatepost_hal.ports import Direction, InputName
from gatepost_hal.simulated.people.crowd import people
from gatepost_hal.simulated.scenes import Forehead
from gatepost_hal.simulated.turnstile import Mechanics, Mechanism, PassageOutput

from .books import Books
from .fate import BugError, Fate, unleash
from .life import KilledError
from .stage import REAL_SENSOR, REAL_SUPPLY_V, Stage
from .unruly import AtTheEntry, Script, follow, inside

# How to play one again.
AGAIN = "python tests/bench/crowd.py --people {people} --seed {seed} --story {number}"

_CALM_S = 150.0  # after which nothing of what went wrong is left
_LONGEST_S = 90.0  # a person, on the average
_LAST_DEEDS_S = 45.0


class Site(NamedTuple):
    """What differs from site to site."""

    mechanism: Mechanism
    passage: PassageOutput
    order: str
    latches: bool
    relay_active: str
    exit_in_lockdown: bool

    @property
    def mechanics(self) -> Mechanics:
        return Mechanics(self.mechanism, self.passage, latching=self.latches)

    @property
    def sections(self) -> dict[str, dict[str, object]]:
        return {
            "lane": {"order": self.order, "exit_in_lockdown": self.exit_in_lockdown},
            "turnstile": {
                "passage": self.passage.value,
                "release": "pulse" if self.latches else "hold",
                "relay_active": self.relay_active,
            },
        }


def any_site(chance: random.Random) -> Site:
    """Return one of the sites that there are."""
    return Site(
        mechanism=chance.choice(list(Mechanism)),
        passage=chance.choice(list(PassageOutput)),
        order=chance.choice(("pass_first", "measure_first")),
        latches=chance.random() < 0.3,
        relay_active=chance.choice(("high", "low")),
        exit_in_lockdown=chance.random() < 0.7,
    )


@dataclass
class Told:
    """What became of a story."""

    site: Site
    wrong: list[str]
    counts: Counter[str]
    lasted_s: float


def play(seed: str, count: int) -> Told:
    """Play one story to its end; the same seed plays the same one."""
    return _Story(seed, count).play()


class _Story:
    def __init__(self, seed: str, count: int) -> None:
        chance = random.Random(seed)
        self._site = any_site(chance)

        def set_up(lane) -> None:
            lane.chip.supply_v = REAL_SUPPLY_V
            lane.chip.settle(24.0)

        self._stage = stage = Stage(
            seed=chance.getrandbits(32),
            sensor=REAL_SENSOR,
            screening={"offset_c": 2.55},
            sections=self._site.sections,
            mechanics=self._site.mechanics,
            prepare=set_up,
        )
        self._fate = Fate(stage, random.Random(chance.random()))
        self._books = Books(stage, self._fate, self._site.mechanism, self._site.passage)
        queue = people(count, seed=chance.getrandbits(32))
        stage.know(queue)
        self._entry = AtTheEntry(
            stage.lane,
            queue,
            push=self._books.push,
            chance=random.Random(chance.random()),
            is_wing=self._site.mechanism is Mechanism.SWING_GATE,
        )
        self._is_told = False
        self._unleash(chance)

    def _unleash(self, chance: random.Random) -> None:
        """Begin everything; how rough it gets differs from story to story."""

        def pause_s(typical_s: float) -> float:
            return typical_s * chance.choice((0.5, 1, 3, 1e6))

        stage, fate = self._stage, self._fate
        follow(stage.world, self._entry.come())
        scripts = [
            inside(
                stage.lane,
                push=self._books.push,
                chance=random.Random(chance.random()),
                pause_s=pause_s(20),
                is_over=lambda: fate.is_quiet,
            ),
            fate.staff(pause_s(40)),
            fate.alarms(pause_s(90)),
            fate.damage(pause_s(60)),
            fate.deaths(pause_s(120)),
        ]
        unleash(stage, scripts)

    def play(self) -> Told:
        stage, people_ = self._stage, len(self._entry.manners)
        self._live_until(lambda: self._entry.done == people_, 60.0 + _LONGEST_S * people_)
        self._fate.is_quiet = True
        follow(stage.world, self._finale())
        self._live_until(lambda: self._is_told, 2 * _CALM_S)
        stage.close()
        return Told(self._site, self._books.wrong, self._books.counts, stage.world.now_s())

    def _finale(self) -> Script:
        """Mend everything, wait until nothing is left of it, and let somebody well come last."""
        stage, books = self._stage, self._books
        yield _LAST_DEEDS_S
        for verb in self._fate.calm():
            stage.asked.append(Asked(verb, None, f"calm-{verb.value}", "uid 0", lambda _said: None))
        yield _CALM_S
        lane = stage.gate.lane
        if lane.state is not State.IDLE or lane.standing:
            books.complain(f"left in {lane.state.name} with {lane.standing}")
        books.close()
        stage.lane.chip.scene = Forehead(skin_c=34.2, room_c=24.0).scene(stage.lane.chip.part)
        stage.touch(InputName.PRESENCE, active=True)
        yield 0.5
        for tenth in range(300):
            if tenth % 80 == 0:
                stage.lane.reader.scan("KNOWN")
            yield 0.1
            if stage.lane.push(Direction.ENTRY):
                break
        else:
            books.complain(f"nobody is let in any more: {stage.state.name}")
        yield 1.0
        self._is_told = True

    def _live_until(self, condition, limit_s: float) -> None:
        """Let life follow upon life."""
        until_s = self._stage.world.now_s() + limit_s
        self._is_over = lambda: condition() or self._stage.world.now_s() >= until_s
        while not self._is_over():
            self._live()
        if not condition():
            self._books.complain("it does not end")

    def _live(self) -> None:
        """Live one life of the controller, and what comes between it and the next one."""
        stage, fate, counts = self._stage, self._fate, self._books.counts
        stage.restart()
        self._books.begin()
        fate.is_stopping = False
        is_orderly = False
        try:
            stage.gate.run(lambda: fate.is_stopping or self._is_over(), about={})
            counts["ends in good order"] += 1
            is_orderly = True
        except KilledError:
            counts["kills"] += 1
        except BugError:
            counts["crashes"] += 1
        if stage.life.times and not stage.life.turns:
            stage.world.advance(fate.hangs_s)
            counts["hangs"] += 1
        stage.life.end()
        self._books.end(orderly=is_orderly)
        stage.world.advance(fate.down_s)
        fate.down_s = 0.0
