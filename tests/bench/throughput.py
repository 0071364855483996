"""How many people a minute one lane lets in, beside what people and physics alone would allow.

A lane with 5 samples of a DCC and well-behaved people one after another, in virtual time. What
physics allows is added up from the part and from each person's own times, and from nothing of the
controller. Exit status 1 when the lane does less than 95 % of it. Run with `make bench`.
"""

import random
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from statistics import fmean

from gatepost.core.states import State
from gatepost_hal.gpio import PRESENCE_REST_S
from gatepost_hal.parts import PARTS
from gatepost_hal.ports import Direction, InputName, Lamp
from gatepost_hal.simulated.turnstile import TURN_S

sys.path.insert(0, str(Path(__file__).parents[2]))
stage_of = import_module("tests.scenario.stage")  # of the tests: no package of the product
unruly = import_module("tests.scenario.unruly")

PEOPLE, SAMPLES = 300, 5
PART = PARTS["DCC"]
LEAST = 0.95
_GLANCE_S = 0.02  # whoever waits for a lamp does not look away


class Walk:
    """A queue of people who know what to do. `phases_s` are the durations of what each did."""

    def __init__(self, stage, order: str, seed: int) -> None:
        self._stage = stage
        self._order = order
        self._chance = random.Random(seed)
        self.is_over = False
        self.began_s = self.ended_s = 0.0
        self.own_s: list[float] = []  # what a person takes for themselves
        self.waits_s: list[float] = []  # from the shown pass, or the stepping up, to the green lamp

    def come(self) -> Iterator[float]:
        """Let them all come."""
        world, lane = self._stage.world, self._stage.lane
        self.began_s = world.now_s()
        for _ in range(PEOPLE):
            lane.chip.scene = lambda _at_s: stage_of.WELL_C
            lane.contacts[InputName.PRESENCE].set(active=True)
            show_s, react_s = self._chance.uniform(0.3, 0.8), self._chance.uniform(0.3, 0.7)
            stepped_up_s = world.now_s()
            yield show_s
            lane.reader.scan("KNOWN")
            shown_s = world.now_s()
            while Lamp.GREEN not in lane.lit():
                yield _GLANCE_S
            self.waits_s.append(world.now_s() - (stepped_up_s if self._is_first else shown_s))
            yield react_s
            if not lane.push(Direction.ENTRY):
                raise RuntimeError("the green lamp was no release")
            yield TURN_S
            lane.contacts[InputName.PRESENCE].set(active=False)
            lane.chip.scene = lambda _at_s: lane.chip.room_c
            gap_s = self._chance.uniform(0.5, 1.0)
            yield gap_s
            self.own_s.append(show_s + react_s + TURN_S + gap_s)
        self.ended_s = world.now_s()
        self.is_over = True

    @property
    def _is_first(self) -> bool:
        return self._order == "measure_first"
