"""A sensor in a technician's hands: how it is reached, and what to do when it does not answer.

Shared by `gatepost measure` and `gatepost calibrate`. Both print for a phone: short lines.
"""

import shutil
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from gatepost.cli.main import fail
from gatepost.cli.words import is_english, mark, say
from gatepost.core.words import Text
from gatepost.demo import SIMULATED_ERROR_C
from gatepost.doctor.columns import wrapped
from gatepost.wiring.thermometer import driver
from gatepost_config.settings import Settings
from gatepost_hal.mlx90614 import Mlx90614
from gatepost_hal.parts import PARTS
from gatepost_hal.ports import Clock, Reading, SensorFault, SensorFaultKind, Thermometer
from gatepost_hal.system import SystemClock

SIMULATED = Text(
    "SIMULATED: no real sensor is read. This one reads {error} C too high until it is calibrated.",
    {"error": SIMULATED_ERROR_C},
)

_LEAST_COLUMNS, _MOST_COLUMNS = 40, 72
_REMEDIES = {
    SensorFaultKind.ABSENT: mark(
        "Check the sensor's plug and supply, and [sensor] i2c_bus and address in the settings; "
        "a bus that does not exist must be enabled in config.txt."
    ),
    SensorFaultKind.BUS_ERROR: mark(
        "If the gate runs, stop it first: sudo systemctl stop gatepost-gate. Where permission is "
        "denied, begin the command with sudo. Else check the sensor's wiring."
    ),
    SensorFaultKind.TIMEOUT: mark(
        "Look for a short circuit of SDA or SCL, and switch the sensor's supply off and on."
    ),
    SensorFaultKind.BAD_PEC: mark(
        "The line is disturbed: shorten or shield the sensor's cable, keep other devices off it."
    ),
    SensorFaultKind.FLAGGED: mark(
        "The sensor itself says that it cannot measure: switch its supply off and on; if that does "
        "not help, replace it."
    ),
    SensorFaultKind.IMPOSSIBLE_WORD: mark(
        "Check the sensor's wiring, and that it is an MLX90614; if both are right, replace it."
    ),
}


def _look_at_what_is_there(_celsius: float) -> None:
    """Do nothing: only a simulated sensor can be shown something by a number."""


class Bench(NamedTuple):
    """One sensor, and how time passes while it is read.

    `look_at` puts a black surface of so many degrees in front of a simulated sensor.
    """

    thermometer: Thermometer
    clock: Clock
    pause: Callable[[float], None]
    period_s: float
    look_at: Callable[[float], None] = _look_at_what_is_there
    is_simulated: bool = False

    def sample(self) -> Reading | SensorFault:
        """Leave the bus quiet for the part's period, then take one sample."""
        self.pause(self.period_s)
        return self.thermometer.measure()


@contextmanager
def real_bench(settings: Settings) -> Iterator[Bench]:
    """Yield the sensor on this machine's bus."""
    clock = SystemClock()
    thermometer = driver(settings, clock)
    try:
        yield Bench(thermometer, clock, time.sleep, PARTS[settings.sensor.part].sample_period_s)
    finally:
        thermometer.close()


@contextmanager
def simulated_bench(settings: Settings, *, in_real_time: bool = False) -> Iterator[Bench]:
    """Yield the simulated sensor, of the settings' part and that of `gatepost simulate`, at 24 C.

    Its time passes at once, unless it is to be watched.
    """
    # Imported here: nothing that runs without the flag may reach the simulation.
    from gatepost.demo.sensor import simulated_sensor  # noqa: PLC0415
    from gatepost_hal.simulated.mlx90614 import SimulatedI2cBus  # noqa: PLC0415
    from gatepost_hal.simulated.world import World  # noqa: PLC0415

    sensor = settings.sensor
    world = World(start_utc_s=time.time())
    try:
        chip = simulated_sensor(world, sensor)
    except ValueError as error:
        told = mark('set [sensor] part = "DCC" and distance_cm = 5.0 in a copy of the settings')
        fail(f"--simulated: {error}; {say(told)}", status=2)
    bus = SimulatedI2cBus(chip, world=world, address=sensor.address)

    def look_at(celsius: float) -> None:
        chip.scene = lambda _at_s: celsius

    def pause(duration_s: float) -> None:
        if in_real_time:
            time.sleep(duration_s)
        world.advance(duration_s)

    thermometer = Mlx90614(
        bus.open,
        clock=world,
        pause=world.spend,
        address=sensor.address,
        deadline_s=sensor.deadline_s,
    )
    world.advance(1.0)  # the part is on
    yield Bench(thermometer, world, pause, chip.part.sample_period_s, look_at, is_simulated=True)


def complaint(fault: SensorFault) -> str:
    """Return what went wrong with a sensor that did not answer, and what to do."""
    return say(complaint_of(fault))


def complaint_of(fault: SensorFault) -> Text:
    """Return the same for programs, which get it in English."""
    return Text(
        "The sensor does not answer: {kind}: {detail}. {remedy}",
        {"kind": fault.kind.value, "detail": fault.detail, "remedy": _remedy(fault)},
    )


def remedy(fault: SensorFault) -> str:
    """Return what to do about a failed measurement."""
    return say(_remedy(fault))


def _remedy(fault: SensorFault) -> Text:
    if "systemctl" in fault.detail:  # the driver met another process, and says so
        return Text("Start it again when you are done.")
    return Text(_REMEDIES[fault.kind])


def tell(text: str, *, indent: str = "") -> None:
    """Print a paragraph, wrapped for the terminal at hand; a phone's is narrow."""
    text = say(text)
    columns = shutil.get_terminal_size((_MOST_COLUMNS, 24)).columns
    width = min(max(columns, _LEAST_COLUMNS), _MOST_COLUMNS)
    if is_english():
        lines = textwrap.wrap(
            text, width - len(indent), break_long_words=False, break_on_hyphens=False
        )
    else:
        lines = wrapped(text, width - len(indent))
    room = " " * len(indent)
    print("\n".join(f"{room if at else indent}{line}" for at, line in enumerate(lines)), flush=True)
