"""The gate process of the canaries: that of `gatepost run`, on a simulated lane with people in it.

    python canary_gate.py SETTINGS STEPS BEHIND_S

STEPS is JSON: what people do, one after another. The lane begins BEHIND_S ago, and time runs as
fast as it can until it is now. Logs everything there is to log. STEPS.done is there afterwards.
"""

import base64
import json
import logging
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gatepost.cli.process import Stopper, log_to_stderr
from gatepost.core.faults import Fault
from gatepost.core.states import State
from gatepost.demo.hardware import simulated_hardware
from gatepost.gate import Gate
from gatepost.wiring.lane import gate
from gatepost.wiring.last_good import settings_in_force
from gatepost_hal.ports import Direction, InputName
from gatepost_hal.simulated.lane import SimulatedLane
from gatepost_hal.simulated.mlx90614 import ChipFault
from gatepost_hal.simulated.world import World
from gatepost_hal.system import SystemClock
from gatepost_services.sd_notify import notify

_DECIDED = (State.RELEASED, State.REFUSED, State.REFERRED, State.CLEARING, State.IDLE)


class People:
    """What happens at the lane, a step a time; each is a generator that yields while it lasts."""

    def __init__(self, lane: SimulatedLane, controller: Gate) -> None:
        self._lane, self._gate = lane, controller

    def steps(self, wanted: list[dict[str, Any]], done: Path) -> Iterator[None]:
        """Do one after another; then say so."""
        yield from self._until(lambda: False, 2.0)
        for step in wanted:
            yield from getattr(self, step["do"])(step)
        done.touch()

    def visit(self, step: dict[str, Any]) -> Iterator[None]:
        """Somebody comes, shows codes, is measured, goes through or away."""
        lane = self._lane
        lane.chip.scene = lambda _at_s: step["object_c"]
        lane.contacts[InputName.PRESENCE].set(active=True)
        yield from self._until(lambda: False, 0.5)
        for code in step["codes"]:
            lane.reader.send(base64.b64decode(code) + b"\r\n")
            yield from self._until(lambda: False, 1.0)
        yield from self._until(lambda: self._gate.lane.state in _DECIDED, 40.0)
        if lane.is_released(Direction.ENTRY):
            lane.push(Direction.ENTRY)
            yield from self._until(lambda: False, 2.0)
        lane.chip.scene = lambda _at_s: lane.chip.room_c
        lane.contacts[InputName.PRESENCE].set(active=False)
        yield from self._until(lambda: self._gate.lane.state is State.IDLE, 60.0)

    def exit(self, _step: dict[str, Any]) -> Iterator[None]:
        """Somebody leaves."""
        self._lane.contacts[InputName.EXIT_BUTTON].set(active=True)
        yield from self._until(lambda: False, 0.3)
        self._lane.contacts[InputName.EXIT_BUTTON].set(active=False)
        self._lane.push(Direction.EXIT)
        yield from self._until(lambda: self._gate.lane.state is State.IDLE, 60.0)

    def fault(self, _step: dict[str, Any]) -> Iterator[None]:
        """The thermometer is unplugged for a while."""
        self._lane.chip.fault = ChipFault.NACK
        yield from self._until(lambda: False, 20.0)
        self._lane.chip.fault = None
        yield from self._until(lambda: False, 5.0)

    def fire(self, _step: dict[str, Any]) -> Iterator[None]:
        """The fire contact opens, and closes."""
        for is_open in (True, False):
            self._lane.contacts[InputName.FIRE].set(active=is_open)
            yield from self._until(lambda: False, 2.0)

    def crash(self, _step: dict[str, Any]) -> Iterator[None]:
        """A fault of ours, while somebody's code is being looked at."""
        yield
        raise RuntimeError("a fault of ours")

    def _until(self, condition: Callable[[], bool], limit_s: float) -> Iterator[None]:
        until_s = self._lane.world.now_s() + limit_s
        while self._lane.world.now_s() < until_s and not condition():
            yield


def main(config: Path, steps: Path, behind_s: float) -> None:
    """Control the lane until SIGTERM."""
    logging.basicConfig(stream=sys.stderr, level=logging.DEBUG, format="%(levelname)s %(message)s")
    log_to_stderr()  # as `gatepost run` does; what is set stays
    (settings, problem), clock = settings_in_force(config), SystemClock()
    faults = {} if problem is None else {Fault.SETTINGS: problem}
    began_s = clock.now_s() - behind_s

    def pace(at_s: float) -> None:
        threading.Event().wait(max(0.0, began_s + at_s - clock.now_s()))

    world = World(start_utc_s=clock.utc_s() - behind_s, pace=pace)
    lane = SimulatedLane(world, seed=1)
    hardware = simulated_hardware(lane, settings)
    stop = Stopper()
    with gate(
        settings, hardware, boot_id=str(uuid.uuid4()), notify=notify, known_faults=faults
    ) as controller:
        people = People(lane, controller).steps(
            json.loads(steps.read_text()), steps.with_suffix(".done")
        )

        def is_over() -> bool:
            next(people, None)
            return stop()

        controller.run(is_over, about={"version": "test", "simulated": True})
    lane.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
