"""The one simulated sensor: what `gatepost calibrate` calibrates, `gatepost simulate` reads with.

It is a part like others: it has an identity, and reads something beside the truth until it is
calibrated. Nothing that runs at a real gate may import this.
"""

import datetime as dt

from gatepost.demo import SIMULATED_ERROR_C
from gatepost_config.calibration import CalibrationRecord, PointRecord
from gatepost_config.settings import Sensor
from gatepost_hal.parts import PARTS
from gatepost_hal.simulated.mlx90614 import SimulatedMlx90614
from gatepost_hal.simulated.world import World

_IDENTITY = 0
_LOW_C, _HIGH_C = 33.0, 38.0


def simulated_sensor(world: World, sensor: Sensor, *, seed: int = 0) -> SimulatedMlx90614:
    """Return it, as the settings' part and at their supply.

    Args:
        world: its time.
        sensor: `[sensor]` of the settings.
        seed: of its noise alone: it is the same part with every seed.

    Raises:
        ValueError: such a part cannot be simulated.
    """
    made = SimulatedMlx90614(
        world, seed=seed, part=PARTS[sensor.part], supply_v=sensor.supply_v, identity=_IDENTITY
    )
    made.drift_c = SIMULATED_ERROR_C
    return made


def simulated_calibration(sensor: Sensor, on: dt.date) -> CalibrationRecord:
    """Return what a calibration of it finds, but for its noise: for a lane that needs no guide."""
    chip = simulated_sensor(World(), sensor).eeprom
    return CalibrationRecord(
        sensor_id="".join(f"{chip[cell]:04x}" for cell in range(0x3C, 0x40)),
        chip_emissivity=1.0,
        chip_config=chip[0x25],
        by="simulated",
        reference="simulated",
        on=on,
        due=on + dt.timedelta(days=365),
        low=PointRecord(_LOW_C, _LOW_C + SIMULATED_ERROR_C),
        high=PointRecord(_HIGH_C, _HIGH_C + SIMULATED_ERROR_C),
    )
