"""The hal contract: one suite for every kind of device, run on each bench that is there.

A bench is a lane's devices together with the hand that works them from outside: it warms the
scene, closes contacts, breaks wires, looks at relay levels. The simulated one is everywhere; that
of real kernel devices joins it where they are, in the guest of tests/hil.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

import pytest

from gatepost_hal.gpio import GpioLane, LanePins
from gatepost_hal.ports import Direction, HardwareEvent, InputName, Lamp, Reading, SensorFault
from gatepost_hal.simulated.lane import PINS, SimulatedLane
from gatepost_hal.simulated.mlx90614 import ChipFault
from gatepost_hal.simulated.world import World

from .kernel_bench import LINES, KernelBench


class Bench(Protocol):
    gpio: GpioLane

    def measure(self) -> Reading | SensorFault: ...
    def now_s(self) -> float: ...
    def show_scene(self, object_c: float, room_c: float) -> None: ...
    def set_chip_fault(self, fault: ChipFault | None) -> None: ...
    def set_contact(self, name: InputName, *, active: bool) -> None: ...
    def bounce_contact(self, name: InputName, *, times: int, gap_s: float) -> None: ...
    def cut_wire(self, name: InputName) -> None: ...
    def lose_edges(self, name: InputName) -> None: ...
    def is_released(self, direction: Direction) -> bool: ...
    def pulses(self, direction: Direction) -> int: ...
    def lit(self) -> frozenset[Lamp]: ...
    def is_sounding(self) -> bool: ...
    def events_within(self, duration_s: float) -> list[HardwareEvent]: ...
    def close(self) -> None: ...


class SimulatedBench:
    def __init__(self, pins: LanePins) -> None:
        self._world = World()
        self._lane = SimulatedLane(self._world, seed=7, pins=pins)
        self.gpio = self._lane.gpio
        self.events_within(1.0)  # power-on

    def measure(self) -> Reading | SensorFault:
        self._lane.sampler.request()
        sample = next(iter(self._lane.mailbox.wait(self._world.now_s() + 10)))
        assert isinstance(sample, Reading | SensorFault)
        return sample

    def now_s(self) -> float:
        return self._world.now_s()

    def show_scene(self, object_c: float, room_c: float) -> None:
        self._lane.chip.settle(room_c)
        self._lane.chip.scene = lambda _at_s: object_c

    def set_chip_fault(self, fault: ChipFault | None) -> None:
        self._lane.chip.fault = fault

    def set_contact(self, name: InputName, *, active: bool) -> None:
        self._lane.contacts[name].set(active=active)

    def bounce_contact(self, name: InputName, *, times: int, gap_s: float) -> None:
        for number in range(times):
            self._lane.contacts[name].touch(for_s=gap_s / 2, after_s=number * gap_s)

    def cut_wire(self, name: InputName) -> None:
        self._lane.contacts[name].cut()

    def lose_edges(self, name: InputName) -> None:
        self._lane.contacts[name].lose_edges()

    def is_released(self, direction: Direction) -> bool:
        return self._lane.is_released(direction)

    def pulses(self, direction: Direction) -> int:
        return self._lane.relays[direction].pulses

    def lit(self) -> frozenset[Lamp]:
        return self._lane.lit()

    def is_sounding(self) -> bool:
        return self._lane.is_sounding()

    def events_within(self, duration_s: float) -> list[HardwareEvent]:
        until_s = self._world.now_s() + duration_s
        events: list[HardwareEvent] = []
        while self._world.now_s() < until_s:
            events += self._lane.mailbox.wait(until_s)
        return events

    def close(self) -> None:
        self._lane.close()


BENCHES: dict[str, Callable[[LanePins], Bench]] = {"simulated": SimulatedBench}
if LINES.exists():
    BENCHES["kernel"] = KernelBench
# One suite for both kinds of relay board.
BOARDS = {"high": PINS, "low": PINS._replace(relay_active_high=False)}


@pytest.fixture(params=sorted(BENCHES))
def make_bench(request: pytest.FixtureRequest) -> Iterator[Callable[[LanePins], Bench]]:
    made: list[Bench] = []

    def make(pins: LanePins) -> Bench:
        made.append(BENCHES[request.param](pins))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


@pytest.fixture(params=sorted(BOARDS))
def bench(request: pytest.FixtureRequest, make_bench: Callable[[LanePins], Bench]) -> Bench:
    return make_bench(BOARDS[request.param])
