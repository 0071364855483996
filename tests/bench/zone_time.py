"""How long a person waits for the zone: from the first valid sample to the verdict in the journal.

The part sets the pace (a DCC gives a fresh, settled value every 0.28 s); what the software adds is
the question. The whole gate runs on a simulated lane in real time; beside it, in turns, a bare loop
reads the same number of samples at the same pace through the Adafruit driver alone. `make bench`.
"""

import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

import adafruit_mlx90614
from bench_gate import bench_gate

from gatepost.core.states import State
from gatepost_config.load import parse
from gatepost_config.settings import Settings
from gatepost_hal.mlx90614 import CheckedBus
from gatepost_hal.parts import PARTS
from gatepost_hal.ports import HardwareEvent, InputName, Reading
from gatepost_hal.simulated.lane import SimulatedLane
from gatepost_hal.simulated.scenes import Forehead
from gatepost_hal.simulated.world import World
from gatepost_services.contract.events import Envelope
from gatepost_services.journal import Entry, Journal

VISITS = 7
LIMIT = 0.01
_WARM_S = 135.0
_BETWEEN_S = 3.0


class Timed:
    """A gate on a simulated lane that notes when the first sample came and when the zone was out.

    The journal is a real one on a real disk. Virtual time runs unpaced but during measurements.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._journal = Journal(folder / "journal.db", Envelope("bench", "lane", "boot"))
        self._anchor: tuple[float, float] | None = None
        self._first: tuple[float, float] | None = None
        self.waits: list[tuple[float, float]] = []  # (virtual, real) seconds
        self._world = World(pace=self._pace)
        self._lane = SimulatedLane(self._world, seed=1)
        self._lane.chip.supply_v = settings.sensor.supply_v
        post = self._lane.mailbox.post
        self._lane.mailbox.post = lambda event: self._see(event) or post(event)  # type: ignore[method-assign, func-returns-value]
        self._gate = bench_gate(settings, self._lane, self)

    def visit(self) -> None:
        """Let one healthy person through."""
        self._play(lambda: False, _BETWEEN_S if self.waits else _WARM_S)
        forehead = Forehead(skin_c=34.2)
        self._lane.chip.scene = forehead.scene(PARTS[self._settings.sensor.part])
        self._lane.contacts[InputName.PRESENCE].set(active=True)
        self._play(lambda: False, 0.2)
        self._first = None
        self._anchor = self._world.now_s(), time.perf_counter()
        self._lane.reader.scan("PASS")
        before = len(self.waits)
        self._play(lambda: len(self.waits) > before, 10.0)
        self._anchor = None
        self._lane.contacts[InputName.PRESENCE].set(active=False)
        self._play(lambda: self._gate.lane.state is State.IDLE, 30.0)

    def append(self, entries: Iterable[Entry], _give_up: Callable[[], bool]) -> None:
        """Write as the gate does; a verdict ends the wait."""
        entries = list(entries)
        self._journal.append(entries)
        if self._first and any(entry.type == "visit.admitted" for entry in entries):
            virtual_s, real_s = self._first
            wait = self._world.now_s() - virtual_s, time.perf_counter() - real_s
            self.waits.append(wait)

    def keep_house(self, delivered_seq: int) -> None:
        """Do nothing: it is all new."""

    def take_lost(self) -> tuple[Entry, ...]:
        """Return that nothing was."""
        return ()

    def _see(self, event: HardwareEvent) -> None:
        measuring = self._gate.lane.state is State.MEASURING
        if isinstance(event, Reading) and measuring and self._first is None and self._anchor:
            # When the part had it, not when we came to look: our own delay is in question.
            virtual_s, real_s = self._anchor
            self._first = event.at_s, real_s + event.at_s - virtual_s

    def _pace(self, at_s: float) -> None:
        if self._anchor is not None:
            virtual_s, real_s = self._anchor
            time.sleep(max(0.0, real_s + at_s - virtual_s - time.perf_counter()))

    def _play(self, condition: object, limit_s: float) -> None:
        until_s = self._world.now_s() + limit_s
        assert callable(condition)
        while self._world.now_s() < until_s and not condition():
            self._gate.turn()


def bare_loop_s(samples: int, period_s: float) -> float:
    """Return what the same number of samples takes a loop that does nothing else."""
    world = World()
    lane = SimulatedLane(world, seed=1)
    world.advance(1.0)
    bus = CheckedBus(lane.bus.open(), clock=world, pause=world.spend, deadline_s=0.1)
    driver = adafruit_mlx90614.MLX90614(bus)
    began_s = time.perf_counter()
    for number in range(samples):
        left_s = began_s + number * period_s - time.perf_counter()
        time.sleep(max(0.0, left_s))
        assert driver.ambient_temperature < driver.object_temperature + 50
        world.advance(period_s)
    lane.close()
    return time.perf_counter() - began_s


def main() -> None:
    settings = parse(
        {
            "gate": {"site": "s", "name": "g"},
            "sensor": {"calibration": "factory"},
            "screening": {"learns": False, "offset_c": 2.4},
            "link": {"broker_host": "127.0.0.1"},
        },
        path=Path("bench"),
    )
    part, samples = PARTS[settings.sensor.part], settings.screening.samples
    with tempfile.TemporaryDirectory() as folder:
        timed, bare = Timed(settings, Path(folder)), []
        for _ in range(VISITS):
            timed.visit()
            bare.append(bare_loop_s(samples, part.sample_period_s))
    physics_s = median(virtual_s for virtual_s, _ in timed.waits)
    real_s = median(real_s for _, real_s in timed.waits)
    added = median(real / virtual - 1 for virtual, real in timed.waits)
    print(
        f"first valid sample to the zone in the journal, {part.code}, {samples} samples, "
        f"median of {len(timed.waits)} visits"
    )
    print(f"  the part's pace                  {physics_s:7.4f} s")
    print(
        f"  the gate                         {real_s:7.4f} s   adds {added:.2%} (limit {LIMIT:.0%})"
    )
    print(
        f"  a bare loop of the driver        {median(bare):7.4f} s   "
        f"ratio {median(real / b for (_, real), b in zip(timed.waits, bare, strict=True)):.3f}"
    )


if __name__ == "__main__":
    main()
