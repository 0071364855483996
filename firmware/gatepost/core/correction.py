"""From what the part says to the skin's own temperature: physics, each step with its source.

Every step is a change of scale near 1 or a shift; none pulls a reading towards anything.
"""

from dataclasses import dataclass
from math import nan
from typing import NamedTuple

from gatepost.core.words import Text
from gatepost_hal.ports import Chip, Reading

_KELVIN = 273.15
_HOTTEST_K = 1e4  # whatever claims more may have no fourth power that a float can hold
# Datasheet page 36: both temperatures move by this with the supply, around 3.0 V.
_SUPPLY_C_PER_V = 0.6
_NOMINAL_SUPPLY_V = 3.0

# What a calibration may say. A sound part errs by some tenths (page 34); more is a wrong reference,
# a wrong distance, or a part to replace.
MIN_SPAN_C = 3.0
_GAINS = (0.95, 1.05)
_MAX_ERROR_C = 1.5


class Point(NamedTuple):
    """One temperature of a blackbody, and what the part made of it (supply corrected)."""

    reference_c: float
    measured_c: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Two points on a blackbody, made on one chip. `name` is what records cite."""

    name: str
    chip: Chip
    low: Point
    high: Point
    due_utc_s: float

    @property
    def gain(self) -> float:
        """Degrees of the reference per degree of the part."""
        span_c = self.high.reference_c - self.low.reference_c
        return span_c / (self.high.measured_c - self.low.measured_c)

    def corrected_c(self, measured_c: float) -> float:
        """Return what the reference would have been, for a value that the part gives."""
        return self.low.reference_c + self.gain * (measured_c - self.low.measured_c)


@dataclass(frozen=True, slots=True)
class Correction:
    """How one device's readings become skin temperatures.

    `supply_v` is measured at the sensor; `emissivity` is that of skin (0.98), and 1.0 corrects
    nothing. Without a calibration the part's own factory calibration counts.
    """

    supply_v: float = _NOMINAL_SUPPLY_V
    emissivity: float = 1.0
    calibration: Calibration | None = None


def at_nominal_supply(reading: Reading, supply_v: float) -> Reading:
    """Return the reading as it would be at 3.0 V, with the chip's own emissivity undone.

    This is what a calibration compares with its reference.
    """
    shift_c = _SUPPLY_C_PER_V * (supply_v - _NOMINAL_SUPPLY_V)
    object_c, ambient_c = reading.object_c - shift_c, reading.ambient_c - shift_c
    if reading.chip is not None and reading.chip.emissivity != 1.0:
        # The part divided by its cell 0x24: take back what it added.
        ratio = reading.chip.emissivity
        object_c = _mixed_c(ratio, object_c, 1 - ratio, ambient_c)
    return reading._replace(object_c=object_c, ambient_c=ambient_c)


def corrected(reading: Reading, correction: Correction) -> Reading:
    """Return the reading as the skin's temperature and the ambient's.

    Supply first, then the blackbody calibration, then the skin's emissivity: skin mirrors the
    room by what it does not emit, T_skin^4 = (T_seen^4 - (1 - e) T_room^4) / e (facts: sensor 2.5).
    """
    reading = at_nominal_supply(reading, correction.supply_v)
    object_c = reading.object_c
    if correction.calibration is not None:
        object_c = correction.calibration.corrected_c(object_c)
    if (emissivity := correction.emissivity) != 1.0:
        object_c = _mixed_c(1 / emissivity, object_c, 1 - 1 / emissivity, reading.ambient_c)
    return reading._replace(object_c=object_c)


def calibration_problems(low: Point, high: Point) -> list[Text]:
    """Return what is wrong with two points, one sentence with its remedy each; [] is good."""
    problems: list[Text] = []
    span_c = high.reference_c - low.reference_c
    # "not ... >=" and the like, so that what is no number fails as well.
    if not span_c >= MIN_SPAN_C:
        told = Text(
            "the references are {span} C apart: take two that differ by at least {least} C, the "
            "lower one first, such as 33 and 38 C.",
            {"span": f"{span_c:.2f}", "least": MIN_SPAN_C},
        )
        problems.append(told)
    for name, point in ((Text("low"), low), (Text("high"), high)):
        error_c = point.measured_c - point.reference_c
        if not abs(error_c) <= _MAX_ERROR_C:
            told = Text(
                "the part is {error} C off at the {point} point: more than {most} C is a wrong "
                "reference or distance, or a part to replace.",
                {"error": f"{error_c:+.2f}", "point": name, "most": _MAX_ERROR_C},
            )
            problems.append(told)
    lowest, highest = _GAINS
    measured_span_c = high.measured_c - low.measured_c
    if not problems and not lowest * measured_span_c <= span_c <= highest * measured_span_c:
        told = Text(
            "{measured} C of the part for {span} C of the reference: the gain must be from "
            "{lowest} to {highest}; let the reference settle and measure again.",
            {
                "measured": f"{measured_span_c:.2f}",
                "span": f"{span_c:.2f}",
                "lowest": lowest,
                "highest": highest,
            },
        )
        problems.append(told)
    return problems


def _mixed_c(share: float, first_c: float, other_share: float, other_c: float) -> float:
    """Return the temperature that radiates as the sum of the shares of two others' radiances."""
    first_k, other_k = first_c + _KELVIN, other_c + _KELVIN
    if not (0 <= first_k <= _HOTTEST_K and 0 <= other_k <= _HOTTEST_K):
        return nan  # below absolute zero the fourth power would make a warm body of it
    radiance = share * first_k**4 + other_share * other_k**4
    # No body radiates less than nothing; such numbers are no measurement.
    return radiance**0.25 - _KELVIN if radiance > 0 else nan
