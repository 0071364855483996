"""One point of a calibration: what the part makes of a blackbody, and whether that can be used."""

import math
from collections.abc import Sequence
from math import sqrt
from statistics import linear_regression, median, pstdev, stdev
from typing import NamedTuple

from gatepost.cli.bench_sensor import Bench, complaint
from gatepost.cli.words import say
from gatepost.core.correction import at_nominal_supply
from gatepost.core.faults import FAULTS, Fault
from gatepost.core.plausibility import Expected, Watch
from gatepost_config.settings import Sensor
from gatepost_hal.parts import PARTS, Part
from gatepost_hal.ports import Chip, Reading, SensorFault

LEAST_SAMPLES = 25
# The watch sees the drift of a die only over 20 s of readings that are 5 s and more apart.
LEAST_S = 22.0

_PROGRESS_S = 5.0
# Noise alone scatters 25 samples by half as much again once in thousands of points, and climbs by
# so many standard deviations once in ten thousand.
_MOST_SCATTER = 1.5
_TREND_SIGMAS = 4.0
# A radiator must fill this share of the view: at 38 C in a room of 22 C the rest costs 0.03 C.
_FILLED_SHARE = 0.998
_SEES_ALL_DEG = 90.0
_EXAMPLE_OPENING_CM = 5.0


class StoppedError(Exception):
    """There is no calibration; the message says why and what to do."""


class RefusedError(Exception):
    """One point cannot be used; the message says why and what to do before another try."""


class Measured(NamedTuple):
    """What the part made of one temperature: median and spread, supply corrected."""

    measured_c: float
    spread_c: float
    samples: int


def instructions(part: Part, about_c: float) -> tuple[str, ...]:
    """Return what to do before a point is measured."""
    edge_deg = part.field_of_view_deg / 2 * sqrt(-math.log2(1 - _FILLED_SHARE))
    if edge_deg < _SEES_ALL_DEG:
        near_cm = _EXAMPLE_OPENING_CM / 2 / math.tan(math.radians(edge_deg))
        place = say(
            "Hold it straight in front of the sensor, so that it fills the view: if its opening "
            "is {opening} cm wide, {near} cm away or nearer.",
            opening=f"{_EXAMPLE_OPENING_CM:g}",
            near=f"{near_cm:.1f}",
        )
    else:
        place = say("Put the sensor right into its opening: this part sees very wide.")
    return (
        say("Set the blackbody to about {about} C.", about=f"{about_c:g}"),
        place,
        say("Wait until it is steady, and some minutes more, so that the sensor is too."),
    )


def measure_point(bench: Bench, sensor: Sensor, chip: Chip) -> Measured:
    """Return what the part makes of what it sees now, and print the progress.

    Raises:
        RefusedError: it did not answer, or it or what it saw was not steady.
        StoppedError: another part answers than `chip`.
    """
    noise_c = PARTS[sensor.part].noise_c
    watch = Watch(Expected(noise_c, warm_up_s=0.0), bench.clock.now_s())
    readings: list[Reading] = []
    lasted_s = told_s = 0.0
    duration_s = max(LEAST_SAMPLES * bench.period_s, LEAST_S)
    seconds = f"{duration_s:.0f}"
    print(say("Measuring for {seconds} s. Hands off, please.", seconds=seconds), flush=True)
    while len(readings) < LEAST_SAMPLES or lasted_s < LEAST_S:
        event = bench.sample()
        if isinstance(event, SensorFault):
            raise RefusedError(complaint(event))
        if event.chip != chip:
            raise StoppedError(_exchanged(event.chip))
        watch.take(event)
        _refuse_finding(watch, event.at_s)
        readings.append(at_nominal_supply(event, sensor.supply_v))
        lasted_s = event.at_s - readings[0].at_s
        if lasted_s >= told_s + _PROGRESS_S:
            told_s += _PROGRESS_S
            now = _measured(readings)
            told = say(
                "{seconds} s  median {median}  spread {spread}",
                seconds=f"{lasted_s:4.0f}",
                median=f"{now.measured_c:.2f}",
                spread=f"{now.spread_c:.2f}",
            )
            print(told, flush=True)
    if problem := unsteadiness(readings, noise_c):
        raise RefusedError(problem)
    return _measured(readings)


def unsteadiness(readings: Sequence[Reading], noise_c: float) -> str | None:
    """Return what a part with noise of `noise_c` does not show by itself, with its remedy."""
    values_c = [reading.object_c for reading in readings]
    times_s = [reading.at_s for reading in readings]
    slope = linear_regression(times_s, values_c).slope
    if not abs(slope) <= _TREND_SIGMAS * noise_c / (pstdev(times_s) * sqrt(len(times_s))):
        return say(
            "what the sensor sees moves by {slope} C a minute. Wait until the blackbody is steady, "
            "and leave it in its place.",
            slope=f"{slope * 60:+.1f}",
        )
    scatter_c = stdev(values_c)
    if not scatter_c <= _MOST_SCATTER * noise_c:
        return say(
            "the samples scatter by {scatter} C, this part alone would by {noise} C. Keep hands "
            "and all else out of the view and the blackbody still; check that [sensor] part in "
            "the settings is what is printed on the can.",
            scatter=f"{scatter_c:.2f}",
            noise=f"{noise_c:.2f}",
        )
    return None


def _measured(readings: Sequence[Reading]) -> Measured:
    values_c = [reading.object_c for reading in readings]
    return Measured(round(median(values_c), 3), max(values_c) - min(values_c), len(values_c))


def _exchanged(chip: Chip | None) -> str:
    name = say("one without an identity") if chip is None else chip.sensor_id
    return say(
        "Another sensor answers now ({name}), or its emissivity or filters were changed. Begin "
        "again, with one and the same sensor for both points.",
        name=name,
    )


def _refuse_finding(watch: Watch, now_s: float) -> None:
    for fault, finding in watch.findings(now_s).items():
        if fault is Fault.SENSOR_UNBALANCED:
            remedy = say(
                "leave the blackbody in front of it for some minutes, until the sensor has got "
                "used to its warmth; keep sun, wind and hands away"
            )
        else:
            remedy = say(FAULTS[fault].remedy)
        raise RefusedError(
            say("{detail}. What to do: {remedy}.", detail=finding.detail, remedy=remedy)
        )
