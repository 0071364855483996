"""`gatepost simulate`: the gate process on a simulated lane with people in it.

The controller, its loop, journal and roster are those of `gatepost run`; only the bytes on the
bus and the levels on the pins are simulated. The sensor is the one that `gatepost calibrate
--simulated` calibrates, and reads as much too high until then.
"""

import argparse
import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from gatepost import __version__
from gatepost.cli.main import fail
from gatepost.cli.process import Stopper, add_config_argument, log_to_stderr
from gatepost.core.faults import Fault
from gatepost.demo.hardware import simulated_hardware
from gatepost.demo.sensor import simulated_sensor
from gatepost.gate import Gate
from gatepost.wiring.lane import gate
from gatepost.wiring.last_good import settings_in_force
from gatepost.wiring.thermometer import check_part
from gatepost_hal.ports import Direction
from gatepost_hal.simulated.lane import SimulatedLane
from gatepost_hal.simulated.people.crowd import Crowd, people
from gatepost_hal.simulated.world import World
from gatepost_services.sd_notify import notify

_SETTLING_S = 11.0  # until the sensor, asked every 10 s while it warms up, is found warm
_VIEW_PERIOD_S = 0.1  # of virtual time, between two lines of --trace
_MOST_PEOPLE = 1_000_000
_SLOWEST, _FASTEST = 0.1, 1000.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_config_argument(parser)
    add_people_arguments(parser)
    parser.add_argument(
        "--progress", type=Path, metavar="FILE", help="remembers over a crash who has been here"
    )
    parser.add_argument(
        "--trace", action="store_true", help="print what happens at the lane as JSON lines"
    )


def add_people_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that describe the people, shared with `gatepost demo`."""
    parser.add_argument("--people", type=_count, default=20, metavar="N", help="default: 20")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="default: 1")
    parser.add_argument(
        "--speed",
        type=_speed,
        default=10.0,
        metavar="X",
        help="times faster than life (default: 10)",
    )


def run(args: argparse.Namespace) -> int:
    """Control a simulated turnstile until everybody has been there, or SIGTERM."""
    log_to_stderr()
    settings, problem = settings_in_force(args.config, check=check_part)
    stop = Stopper()
    # The thermometer warms up before anybody comes; nobody wants to watch that.
    opens_at_s = settings.sensor.warm_up_s + _SETTLING_S
    world = World(start_utc_s=time.time(), pace=_pacer(args.speed, opens_at_s))
    try:
        chip = simulated_sensor(world, settings.sensor, seed=args.seed)
    except ValueError as error:
        fail(f'{error}; set [sensor] part = "DCC" in a copy of the settings', status=2)
    lane = SimulatedLane(world, seed=args.seed, chip=chip)
    done = _read_progress(args.progress)
    crowd = Crowd(
        lane,
        people(args.people, seed=args.seed),
        seed=args.seed + done,
        first=done,
        on_done=lambda count: _write_progress(args.progress, count),
        start_at_s=opens_at_s,
    )
    hardware = simulated_hardware(lane, settings)
    faults = {} if problem is None else {Fault.SETTINGS: problem}
    with gate(
        settings, hardware, boot_id=str(uuid.uuid4()), notify=notify, known_faults=faults
    ) as controller:
        observe = _observer(controller, lane, crowd) if args.trace else lambda: None

        def finished() -> bool:
            observe()
            return stop() or crowd.is_finished

        controller.run(finished, about={"version": __version__, "simulated": True})
    lane.close()
    return 1 if stop.crashed else 0


def _count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= _MOST_PEOPLE:
        raise argparse.ArgumentTypeError(f"{text}: must be from 1 to {_MOST_PEOPLE} people")
    return count


def _speed(text: str) -> float:
    speed = float(text)
    if not _SLOWEST <= speed <= _FASTEST:
        raise argparse.ArgumentTypeError(f"{text}: must be from {_SLOWEST} to {_FASTEST} times")
    return speed


def _pacer(speed: float, from_s: float) -> Callable[[float], None]:
    """Return what holds virtual time back to `speed` times real time, once it has come so far."""
    started_s: float | None = None

    def pace(at_s: float) -> None:
        nonlocal started_s
        if at_s < from_s:
            return
        if started_s is None:
            started_s = time.monotonic()
        left_s = started_s + (at_s - from_s) / speed - time.monotonic()
        if left_s > 0:
            time.sleep(left_s)

    return pace


def _read_progress(path: Path | None) -> int:
    if path is None or not path.exists():
        return 0
    return int(path.read_text(encoding="ascii"))


def _write_progress(path: Path | None, done: int) -> None:
    if path is not None:
        # Replaced whole: a kill in between leaves the old count, and that person comes again.
        fresh = path.with_suffix(".new")
        fresh.write_text(str(done), encoding="ascii")
        fresh.replace(path)


def _observer(controller: Gate, lane: SimulatedLane, crowd: Crowd) -> Callable[[], None]:
    """Return what prints the lane as it stands, at most every `_VIEW_PERIOD_S`."""
    next_s = 0.0

    def observe() -> None:
        nonlocal next_s
        now_s = lane.world.now_s()
        if now_s < next_s and not crowd.is_finished:
            return
        next_s = now_s + _VIEW_PERIOD_S
        person = crowd.present
        visit = controller.lane.visit
        view = {
            "at_s": round(now_s, 2),
            "done": crowd.done,
            "person": None if person is None else person.number,
            "behaviour": None if person is None else person.behaviour.value,
            "state": controller.lane.state.name.lower(),
            "samples_c": [round(sample.object_c, 2) for sample in visit.samples],
            "index_c": None if visit.verdict is None else visit.verdict.index_c,
            "lamps": sorted(lamp.value for lamp in lane.lit()),
            "released": [way.value for way in Direction if lane.is_released(way)],
        }
        print(json.dumps(view), flush=True)

    return observe
