"""How many people a minute one lane lets in, beside what people and physics alone would allow.

A lane with 5 samples of a DCC and well-behaved people one after another, in virtual time. What
physics allows is added up from the part and from each person's own times, and from nothing of the
controller. Exit status 1 when the lane does less than 95 % of it. Run with `make bench`.
"""

import random
import sys
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from statistics import fmean
from typing import Any

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
    """A queue of people who know what to do, and what each of them takes for themselves."""

    def __init__(self, stage: Any, order: str, seed: int) -> None:
        self._stage = stage
        self._is_measured_first = order == "measure_first"
        self._chance = random.Random(seed)
        self.is_over = False
        self.took_s = 0.0
        self.allowed_s: list[float] = []  # by the person and the part, for each
        self.lost_s: dict[str, list[float]] = {"until the green lamp": [], "after the turn": []}

    def come(self) -> Iterator[float]:
        """Let them all come."""
        world = self._stage.world
        began_s = world.now_s()
        for _ in range(PEOPLE):
            yield from self._visit()
        self.took_s = world.now_s() - began_s
        self.is_over = True

    def _visit(self) -> Iterator[float]:
        world, lane, chance = self._stage.world, self._stage.lane, self._chance
        show_s, react_s = chance.uniform(0.3, 0.8), chance.uniform(0.3, 0.7)
        gap_s = chance.uniform(0.5, 1.0)
        measure_s = SAMPLES * PART.sample_period_s
        # What is measured first is measured while the pass is looked for.
        green_s = max(show_s, measure_s) if self._is_measured_first else show_s + measure_s
        self.allowed_s.append(green_s + react_s + TURN_S + gap_s)
        came_s = world.now_s()
        lane.chip.scene = lambda _at_s: stage_of.WELL_C
        lane.contacts[InputName.PRESENCE].set(active=True)
        yield show_s
        lane.reader.scan("KNOWN")
        while Lamp.GREEN not in lane.lit():
            yield _GLANCE_S
        self.lost_s["until the green lamp"].append(world.now_s() - came_s - green_s)
        yield react_s
        if not lane.push(Direction.ENTRY):
            raise RuntimeError("the green lamp was no release")
        yield TURN_S
        lane.contacts[InputName.PRESENCE].set(active=False)
        lane.chip.scene = lambda _at_s: lane.chip.room_c
        yield gap_s
        over_s = world.now_s() - came_s - sum((green_s, react_s, TURN_S, gap_s))
        self.lost_s["after the turn"].append(over_s - self.lost_s["until the green lamp"][-1])


def measure(order: str) -> float:
    """Print what a lane does with this order; return its share of what is possible."""
    stage = stage_of.Stage(screening={"samples": SAMPLES}, sections={"lane": {"order": order}})
    walk = Walk(stage, order, seed=1)
    unruly.follow(stage.world, walk.come())
    if not stage.play_until(lambda: walk.is_over, PEOPLE * 60.0):
        raise SystemExit(f"{order}: the queue does not move")
    stage.close()
    told = Counter(stage.types)
    if told["passage.entered"] != PEOPLE:
        raise SystemExit(f"{order}: {told}")
    done, possible = (60 * PEOPLE / took_s for took_s in (walk.took_s, sum(walk.allowed_s)))
    print(
        f"{order:<14} {done:6.2f} people a minute, possible {possible:6.2f}: "
        f"{done / possible:.1%}; measured again {told['visit.rechecked']}"
    )
    for where, lost_s in walk.lost_s.items():
        print(
            f"  {fmean(lost_s) * 1000:5.0f} ms a person lost {where}, at most {max(lost_s):.2f} s"
        )
    return done / possible


def main() -> int:
    """Return 1 when an order of checks does less than it should."""
    print(f"{PEOPLE} people, {SAMPLES} samples of a {PART.code} every {PART.sample_period_s} s")
    return 0 if min(map(measure, ("pass_first", "measure_first"))) >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
