"""From samples of a forehead to a zone. A screening of one spot of skin, never a diagnosis.

The index is ``median(object) - 0.18 * (ambient - 24) + offset``: slope 1 in the skin reading, so
that a fever moves it by all of itself; an ambient term found on 1,020 adults (facts: sensor 3.1);
and an offset that belongs to the device. No regression and no clamp: those hide fevers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from math import isfinite
from statistics import fmean, median

from gatepost_hal.ports import Reading

AMBIENT_SLOPE = 0.18  # C of forehead per C of ambient; 0.171 and 0.181 on two cameras
AMBIENT_REFERENCE_C = 24.0
INDEX_DIGITS = 3

# Five samples of a still person spread by 0.42 C (noise 0.18 C rms); more than this is movement.
MAX_SPREAD_C = 1.0
# More equal samples in a row than this is a sensor that repeats itself: with 0.18 C of noise and
# 0.02 C a step, three in a row come in one visit of three hundred, which is then measured again.
MAX_EQUAL_RUN = 2
# Outside this it is no forehead in front of the lens: a hat, too far away, a cup of tea.
PLAUSIBLE_SKIN_C = (32.0, 43.0)
MIN_CONTRAST_C = 4.0  # skin over die; less is the room, or a sensor as warm as the person


class Zone(Enum):
    """What an attempt to measure says."""

    PASS = "pass"
    RECHECK = "recheck"  # too near the limit for this instrument: measure again
    REFER = "refer"  # above the limit: staff, with a clinical thermometer
    NO_INFORMATION = "no_information"  # nothing was learnt; never a pass


class Reason(Enum):
    """Why the zone is what it is."""

    BELOW_LIMIT = "below_limit"
    NEAR_LIMIT = "near_limit"
    ABOVE_LIMIT = "above_limit"
    TOO_FEW_SAMPLES = "too_few_samples"
    FROZEN = "frozen"
    MOVING = "moving"
    IMPLAUSIBLE = "implausible"


ZONES = {
    Reason.BELOW_LIMIT: Zone.PASS,
    Reason.NEAR_LIMIT: Zone.RECHECK,
    Reason.ABOVE_LIMIT: Zone.REFER,
    Reason.TOO_FEW_SAMPLES: Zone.NO_INFORMATION,
    Reason.FROZEN: Zone.NO_INFORMATION,
    Reason.MOVING: Zone.NO_INFORMATION,
    Reason.IMPLAUSIBLE: Zone.NO_INFORMATION,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What the site asks for. `limit_c` is passed by strictly more only (R004 to R006)."""

    limit_c: float
    guard_c: float
    offset_c: float
    samples: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """A zone with its reason. The numbers are None when there was nothing to compute from."""

    zone: Zone
    reason: Reason
    index_c: float | None = None
    object_c: float | None = None
    ambient_c: float | None = None
    spread_c: float | None = None

    def is_within(self, limit_c: float) -> bool:
        """Return whether there is an index, and it is not more than `limit_c`."""
        return self.index_c is not None and self.index_c <= limit_c


def index_c(object_c: float, ambient_c: float, offset_c: float) -> float:
    """Return the index of a forehead reading, in degrees Celsius."""
    return object_c - AMBIENT_SLOPE * (ambient_c - AMBIENT_REFERENCE_C) + offset_c


def judge(samples: Sequence[Reading], limits: Limits) -> Verdict:
    """Return what the samples of one attempt say."""
    if len(samples) < limits.samples:
        return Verdict(ZONES[Reason.TOO_FEW_SAMPLES], Reason.TOO_FEW_SAMPLES)
    if not all(isfinite(sample.object_c) and isfinite(sample.ambient_c) for sample in samples):
        # No driver of ours makes such a number; min, max and median would not even notice it.
        return Verdict(ZONES[Reason.IMPLAUSIBLE], Reason.IMPLAUSIBLE)
    objects_c = [sample.object_c for sample in samples]
    object_c = median(objects_c)
    ambient_c = fmean(sample.ambient_c for sample in samples)
    spread_c = max(objects_c) - min(objects_c)
    # Rounded before it is compared, so that the record shows what the decision saw.
    index = round(index_c(object_c, ambient_c, limits.offset_c), INDEX_DIGITS)
    if _longest_run(objects_c) > MAX_EQUAL_RUN:
        reason = Reason.FROZEN
    else:
        reason = _reason(object_c, ambient_c, spread_c, index, limits)
    return Verdict(ZONES[reason], reason, index, object_c, ambient_c, spread_c)


def _longest_run(values: Sequence[float]) -> int:
    return max(len(list(run)) for _, run in groupby(values))


def _reason(
    object_c: float, ambient_c: float, spread_c: float, index: float, limits: Limits
) -> Reason:
    if spread_c > MAX_SPREAD_C:
        return Reason.MOVING
    low_c, high_c = PLAUSIBLE_SKIN_C
    if not low_c <= object_c <= high_c or not object_c - ambient_c >= MIN_CONTRAST_C:
        return Reason.IMPLAUSIBLE
    if index > round(limits.limit_c + limits.guard_c, INDEX_DIGITS):
        return Reason.ABOVE_LIMIT
    if index > round(limits.limit_c - limits.guard_c, INDEX_DIGITS):
        return Reason.NEAR_LIMIT
    return Reason.BELOW_LIMIT
