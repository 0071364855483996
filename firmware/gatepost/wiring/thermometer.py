"""Builds the thermometer: part, driver, calibrations, and what was learnt about it."""

import logging
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gatepost.core.correction import Calibration, Correction, Point, calibration_problems
from gatepost.core.offset import Offset
from gatepost.core.plausibility import Expected
from gatepost.core.screening import Instrument, Limits
from gatepost.core.sensing import Setup
from gatepost_config.calibration import CalibrationRecord, load_calibrations
from gatepost_config.load import ConfigError
from gatepost_config.settings import Settings
from gatepost_hal.parts import PARTS
from gatepost_hal.ports import Chip, Clock
from gatepost_services.edge_log import EdgeLog
from gatepost_services.state_file import StateFileError, read_state, write_state

if TYPE_CHECKING:
    from gatepost_hal.mlx90614 import Mlx90614

_LEAST_DISTANCE_M = 0.02  # nobody brings a forehead nearer than this
_MOST_DEVICES = 8  # that a gate remembers an offset of

_log = logging.getLogger(__name__)


def part_problems(settings: Settings) -> list[str]:
    """Return what of the settings the chosen part cannot do, one sentence with a remedy each."""
    sensor, screening, lane = settings.sensor, settings.screening, settings.lane
    part = PARTS[sensor.part]
    problems = []
    distance_m = sensor.distance_cm / 100
    if distance_m > part.farthest_m:
        share = part.view_share(distance_m)
        fitting = [other.code for other in PARTS.values() if distance_m <= other.farthest_m]
        remedies = []
        if part.farthest_m >= _LEAST_DISTANCE_M:
            remedies.append(f"come to {part.farthest_m * 100:.1f} cm or nearer")
        if fitting:
            remedies.append(f"take one of {', '.join(fitting)}")
        problems.append(
            f'[sensor] part = "{part.code}" with distance_cm = {sensor.distance_cm}: it sees '
            f"{part.field_of_view_deg:.0f} degrees wide, and only {share:.0%} of that is forehead; "
            f"{', or '.join(remedies) or 'no part sees that far'}."
        )
    needed_s = screening.samples * (part.sample_period_s + sensor.deadline_s)
    if needed_s > lane.measure_timeout_s:
        problems.append(
            f"[lane] measure_timeout_s = {lane.measure_timeout_s}: {screening.samples} samples of "
            f"a {part.code}, every {part.sample_period_s} s, take up to {needed_s:.2f} s; allow at "
            "least that."
        )
    if sensor.deadline_s >= part.sample_period_s:
        problems.append(
            f"[sensor] deadline_s = {sensor.deadline_s}: must be shorter than the "
            f"{part.sample_period_s} s between two samples of a {part.code}."
        )
    return problems


def check_part(settings: Settings, path: Path) -> None:
    """Raise ConfigError where the chosen part cannot do what the settings ask."""
    if problems := part_problems(settings):
        raise ConfigError([f"{path}: {problem}" for problem in problems])


def limits(settings: Settings) -> Limits:
    """Return what the site asks of a screening, in the terms of the core."""
    screening = settings.screening
    return Limits(
        limit_c=screening.limit_c,
        guard_c=screening.guard_c,
        samples=screening.samples,
        ambient_c=(screening.ambient_low_c, screening.ambient_high_c),
        widens_outside=screening.outside_ambient == "widen",
    )


def instrument(settings: Settings) -> Instrument:
    """Return the thermometer before anything is known of the chip that answers."""
    sensor, part = settings.sensor, PARTS[settings.sensor.part]
    return Instrument(
        offset_c=settings.screening.offset_c,
        noise_c=part.noise_c,
        distance_m=(_LEAST_DISTANCE_M, part.farthest_m),
        correction=Correction(supply_v=sensor.supply_v, emissivity=sensor.emissivity),
    )


def setup(settings: Settings, offsets: dict[str, Offset]) -> Setup:
    """Return what the loop has to know of its thermometer; bad files are told and left out."""
    return Setup(
        sample_period_s=PARTS[settings.sensor.part].sample_period_s,
        limits=limits(settings),
        instrument=instrument(settings),
        expected=Expected(
            noise_c=PARTS[settings.sensor.part].noise_c,
            warm_up_s=settings.sensor.warm_up_s,
            drift_c_per_s=settings.sensor.max_drift_c_per_min / 60,
            is_calibrated=settings.sensor.calibration == "required",
        ),
        calibrations=_calibrations(settings.paths.calibration_dir),
        offsets=offsets,
        learns=settings.screening.learns,
    )


def driver(settings: Settings, clock: Clock) -> "Mlx90614":
    """Return the driver of the sensor on this machine's bus. It is opened by its first use."""
    # Here: Adafruit's asks at import which board this is, of files that the units of the first boot
    # are not shown. Whoever only checks settings must not fail by that.
    from gatepost_hal.mlx90614 import Mlx90614, open_linux_bus  # noqa: PLC0415

    return Mlx90614(
        partial(open_linux_bus, settings.sensor.i2c_bus),
        clock=clock,
        pause=time.sleep,
        address=settings.sensor.address,
        deadline_s=settings.sensor.deadline_s,
    )


def calibration_of(record: CalibrationRecord) -> Calibration:
    """Return a calibration file in the terms of the core."""
    return Calibration(
        name=record.name,
        chip=Chip(record.sensor_id, record.chip_emissivity, record.chip_config),
        low=Point(record.low.reference_c, record.low.measured_c),
        high=Point(record.high.reference_c, record.high.measured_c),
        due_utc_s=record.due_utc_s,
    )


def _calibrations(folder: Path) -> dict[str, Calibration]:
    records, problems = load_calibrations(folder)
    for problem in problems:
        _log.error("%s", problem)
    good: dict[str, Calibration] = {}
    for sensor_id, record in records.items():
        calibration = calibration_of(record)
        wrong = calibration_problems(calibration.low, calibration.high)
        for problem in wrong:
            _log.error("%s/%s.toml: %s", folder, sensor_id, problem)
        if not wrong:
            good[sensor_id] = calibration
    return good


class OffsetStore:
    """The file of what was learnt, by device. Losing it costs a new start of the learning."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offsets: dict[str, Offset] = {}
        self._edge_log = EdgeLog(_log, logging.ERROR)

    def load(self) -> dict[str, Offset]:
        """Return what is known; a file that is none is told and begun anew."""
        try:
            content = read_state(self._path)
            offsets = msgspec.json.decode(content, type=list[Offset]) if content else []
        except (StateFileError, ValueError) as error:
            _log.error("%s: no offsets, learning begins anew: %s", self._path, error)
            offsets = []
        self._offsets = {offset.device: offset for offset in offsets if offset.is_sound()}
        return dict(self._offsets)

    def keep(self, offset: Offset) -> None:
        """Write what was learnt; told once when that fails and once when it works again."""
        self._offsets.pop(offset.device, None)
        self._offsets[offset.device] = offset
        newest = list(self._offsets.values())[-_MOST_DEVICES:]
        try:
            write_state(self._path, msgspec.json.encode(newest))
        except StateFileError as error:
            self._edge_log.failed("%s; what is learnt is lost at a restart", error)
        else:
            self._edge_log.recovered("what is learnt is kept again")
