"""From samples of a forehead to a zone. A screening of one spot of skin, never a diagnosis.

The index is ``median(skin) - 0.18 * (ambient - 24) + offset``: slope 1 in the skin's temperature,
so that a fever moves it by all of itself; an ambient term found on 1,020 adults (facts: sensor
3.1); and an offset that belongs to the device, learnt on site (`gatepost.core.offset`). No
regression and no clamp: those hide fevers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import groupby
from math import sqrt
from statistics import fmean, linear_regression, median, pstdev
from typing import NamedTuple

from gatepost.core.correction import Correction, corrected
from gatepost_hal.ports import Reading

AMBIENT_SLOPE = 0.18  # C of forehead per C of ambient; 0.171 and 0.181 on two cameras
AMBIENT_REFERENCE_C = 24.0
INDEX_DIGITS = 3

# Noise alone spreads seven samples by 5.6 standard deviations once in a thousand visits; a still
# person adds a little, which is what the lowest limit is for. More is movement.
_SPREAD_SIGMAS = 5.6
_MIN_SPREAD_LIMIT_C = 0.5
# A slope that noise makes once in ten thousand visits: somebody comes closer, or turns away.
_TREND_SIGMAS = 4.0
_TREND_SAMPLES = 5  # fewer show no trend
# More equal samples in a row than this is a sensor that repeats itself: with 0.18 C of noise and
# 0.02 C a step, three in a row come in one visit of two hundred, which is then measured again.
MAX_EQUAL_RUN = 2
# The die has a time constant of minutes. More than this within an attempt is wind, or a hand.
_MAX_AMBIENT_CHANGE_C = 0.3
# Outside this it is no forehead in front of the lens: a hat, too far away, a cup of tea.
PLAUSIBLE_SKIN_C = (32.0, 43.0)
MIN_CONTRAST_C = 4.0  # skin over die; less is the room, or a sensor as warm as the person
# Nobody who walks is outside: below is skin from the cold, under a hat or fringe, or too far away;
# above is the sun. Two in a hundred healthy adults in a room are below (`make bench`).
PLAUSIBLE_INDEX_C = (35.5, 42.0)
_LARGEST_C = 1e4  # what claims more is no temperature, and its sums may overflow
# Outside the ambients of the study the slope is a guess that may be wrong by about half of itself.
_WIDENING_PER_C = 0.1


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
    # What the person can mend.
    MOVING = "moving"
    TOO_NEAR = "too_near"
    TOO_FAR = "too_far"
    NO_FOREHEAD = "no_forehead"
    COLD = "cold"
    TOO_HOT = "too_hot"
    # What the person cannot.
    TOO_FEW_SAMPLES = "too_few_samples"
    FROZEN = "frozen"
    NO_NUMBER = "no_number"
    DISTURBED = "disturbed"
    AMBIENT = "ambient"
    UNSTABLE = "unstable"
    WARMING_UP = "warming_up"
    ERRATIC = "erratic"
    DRIFTED = "drifted"
    UNTRUSTED = "untrusted"


class Guidance(NamedTuple):
    """What follows from a reason: a zone, how many attempts it may cost, what the person is told.

    `attempts`: when as many attempts as this are over and the last ended for this reason, staff
    takes over (the site's own number may be smaller). `say` is for a display or for staff.
    """

    zone: Zone
    attempts: int
    say: str


_NOTHING = Zone.NO_INFORMATION
_ASK_STAFF = "please wait for staff"
GUIDANCE = {
    Reason.BELOW_LIMIT: Guidance(Zone.PASS, 1, "please go"),
    Reason.NEAR_LIMIT: Guidance(Zone.RECHECK, 3, "hold still, once more"),
    Reason.ABOVE_LIMIT: Guidance(Zone.REFER, 1, _ASK_STAFF),
    Reason.MOVING: Guidance(_NOTHING, 3, "hold still in front of the sensor"),
    Reason.TOO_NEAR: Guidance(_NOTHING, 3, "step back a little"),
    Reason.TOO_FAR: Guidance(_NOTHING, 3, "come closer to the sensor"),
    Reason.NO_FOREHEAD: Guidance(_NOTHING, 3, "bare your forehead and come closer"),
    # Skin needs minutes to warm up: a second look tells a hat that came off, a third tells nothing.
    Reason.COLD: Guidance(_NOTHING, 2, "bare your forehead; warm up for five minutes"),
    Reason.TOO_HOT: Guidance(_NOTHING, 2, "shade the sensor from the sun"),
    Reason.TOO_FEW_SAMPLES: Guidance(_NOTHING, 3, "hold still, once more"),
    Reason.FROZEN: Guidance(_NOTHING, 3, "hold still, once more"),
    Reason.NO_NUMBER: Guidance(_NOTHING, 3, "hold still, once more"),
    Reason.DISTURBED: Guidance(_NOTHING, 3, "hold still, once more"),
    # Trying again would change nothing for this person.
    Reason.AMBIENT: Guidance(_NOTHING, 1, _ASK_STAFF),
    Reason.UNSTABLE: Guidance(_NOTHING, 1, _ASK_STAFF),
    Reason.WARMING_UP: Guidance(_NOTHING, 1, _ASK_STAFF),
    Reason.ERRATIC: Guidance(_NOTHING, 1, _ASK_STAFF),
    Reason.DRIFTED: Guidance(_NOTHING, 1, _ASK_STAFF),
    Reason.UNTRUSTED: Guidance(_NOTHING, 1, _ASK_STAFF),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What the site asks for. `limit_c` is passed by strictly more only (R004 to R006).

    `guard_c` is the instrument's guard band on both sides of the limit. `ambient_c` is where the
    ambient term holds; outside, the guard band widens, or nothing is known (`widens_outside`).
    """

    limit_c: float
    guard_c: float
    samples: int
    ambient_c: tuple[float, float] = (20.0, 29.0)
    widens_outside: bool = False


_FACTORY = Correction()  # as the part comes, on 3.0 V, looking at a black body


@dataclass(frozen=True, slots=True)
class Instrument:
    """The thermometer at hand: its noise, its correction, where a forehead must be.

    `offset_c` makes an index of a skin temperature; `doubt_c` widens the guard band while that
    offset is not learnt yet. `distance_m` is None where nothing measures the distance.
    """

    offset_c: float
    doubt_c: float = 0.0
    noise_c: float = 0.18
    correction: Correction = _FACTORY
    distance_m: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A zone with its reason. The numbers are None when there was nothing to compute from.

    `object_c` is the median as the part gave it, `skin_c` the same corrected, `max_c` the highest
    of the corrected samples; `ambient_c` holds the first and the last.
    """

    zone: Zone
    reason: Reason
    index_c: float | None = None
    object_c: float | None = None
    skin_c: float | None = None
    max_c: float | None = None
    spread_c: float | None = None
    ambient_c: tuple[float, float] | None = None
    guard_c: float | None = None
    offset_c: float | None = None

    def is_within(self, limit_c: float) -> bool:
        """Return whether there is an index, and it is not more than `limit_c`."""
        return self.index_c is not None and self.index_c <= limit_c

    def distrusted(self, reason: Reason | None) -> "Verdict":
        """Return the same numbers as no information, for a reason outside the samples, if any.

        What the samples themselves say against them goes before it.
        """
        if reason is None or self.zone is Zone.NO_INFORMATION:
            return self
        return replace(self, zone=GUIDANCE[reason].zone, reason=reason)


def index_c(skin_c: float, ambient_c: float, offset_c: float) -> float:
    """Return the index of a skin temperature, in degrees Celsius."""
    return skin_c - AMBIENT_SLOPE * (ambient_c - AMBIENT_REFERENCE_C) + offset_c


def is_complete(samples: Sequence[Reading], limits: Limits) -> bool:
    """Return whether an attempt has what it needs.

    Its last sample must differ from the one before: only that shows a part that is still alive.
    """
    return len(samples) >= limits.samples and (
        samples[-1].object_c not in [sample.object_c for sample in samples[-2:-1]]
    )


def judge(samples: Sequence[Reading], limits: Limits, instrument: Instrument) -> Verdict:
    """Return what the samples of one attempt, as the part gave them, say."""
    if not samples:
        return _nothing(Reason.TOO_FEW_SAMPLES)
    skin = [corrected(sample, instrument.correction) for sample in samples]
    numbers_c = [number for sample in skin for number in (sample.object_c, sample.ambient_c)]
    if not all(abs(number_c) <= _LARGEST_C for number_c in numbers_c):
        # No driver of ours makes such a number; min, max and median would not even notice a NaN.
        return _nothing(Reason.NO_NUMBER)
    numbers = _numbers(skin, limits, instrument)
    reason = (
        _wrong_samples(samples, limits, instrument)
        or _wrong_scene(skin, numbers, limits, instrument)
        or _against_the_limit(numbers, limits)
    )
    skins_c = [sample.object_c for sample in skin]
    return Verdict(
        GUIDANCE[reason].zone,
        reason,
        index_c=numbers.index_c,
        object_c=median(sample.object_c for sample in samples),
        skin_c=numbers.skin_c,
        max_c=max(skins_c),
        spread_c=max(skins_c) - min(skins_c),
        ambient_c=(skin[0].ambient_c, skin[-1].ambient_c),
        guard_c=numbers.guard_c,
        offset_c=instrument.offset_c,
    )


class _Numbers(NamedTuple):
    """What is compared; index and guard are rounded, so that the record shows what was seen."""

    skin_c: float
    ambient_c: float
    index_c: float
    guard_c: float


def _numbers(skin: Sequence[Reading], limits: Limits, instrument: Instrument) -> _Numbers:
    skin_c = median(sample.object_c for sample in skin)
    ambient_c = fmean(sample.ambient_c for sample in skin)
    low_c, high_c = limits.ambient_c
    outside_c = max(low_c - ambient_c, ambient_c - high_c, 0.0)
    guard_c = limits.guard_c + instrument.doubt_c + _WIDENING_PER_C * outside_c
    index = index_c(skin_c, ambient_c, instrument.offset_c)
    return _Numbers(skin_c, ambient_c, round(index, INDEX_DIGITS), round(guard_c, INDEX_DIGITS))


def _nothing(reason: Reason) -> Verdict:
    return Verdict(GUIDANCE[reason].zone, reason)


def _wrong_samples(
    samples: Sequence[Reading], limits: Limits, instrument: Instrument
) -> Reason | None:
    """Return what shows that the part, or the way to it, cannot be believed."""
    if len(samples) < limits.samples:
        return Reason.TOO_FEW_SAMPLES
    calibration = instrument.correction.calibration
    chip = samples[0].chip if calibration is None else calibration.chip
    if any(sample.chip != chip for sample in samples):
        return Reason.UNTRUSTED
    if max(len(list(run)) for _, run in groupby(s.object_c for s in samples)) > MAX_EQUAL_RUN:
        return Reason.FROZEN
    if sum(sample.repeats for sample in samples) > len(samples):
        return Reason.DISTURBED
    return None


def _wrong_scene(
    skin: Sequence[Reading], numbers: _Numbers, limits: Limits, instrument: Instrument
) -> Reason | None:
    """Return what shows that this is no bare forehead, held still, in a steady room."""
    reason = _wrong_place(skin, instrument)
    if reason is not None:
        return reason
    if abs(skin[-1].ambient_c - skin[0].ambient_c) > _MAX_AMBIENT_CHANGE_C:
        return Reason.UNSTABLE
    low_c, high_c = limits.ambient_c
    if not limits.widens_outside and not low_c <= numbers.ambient_c <= high_c:
        # Before what follows: skin is cold in a cold room, and has no contrast in a hot one.
        return Reason.AMBIENT
    coldest_c, hottest_c = PLAUSIBLE_SKIN_C
    contrast_c = numbers.skin_c - numbers.ambient_c
    if numbers.skin_c < coldest_c or not contrast_c >= MIN_CONTRAST_C:
        return Reason.NO_FOREHEAD
    lowest_c, highest_c = PLAUSIBLE_INDEX_C
    if numbers.skin_c > hottest_c or numbers.index_c > highest_c:
        return Reason.TOO_HOT
    if numbers.index_c < lowest_c:
        return Reason.COLD
    return None


def _wrong_place(skin: Sequence[Reading], instrument: Instrument) -> Reason | None:
    distances_m = [s.distance_m for s in skin if s.distance_m is not None]
    if distances_m and instrument.distance_m is not None:
        near_m, far_m = instrument.distance_m
        # Each of them: min and max would not even notice what is no number.
        if not all(distance_m >= near_m for distance_m in distances_m):
            return Reason.TOO_NEAR
        if not all(distance_m <= far_m for distance_m in distances_m):
            return Reason.TOO_FAR
    return Reason.MOVING if _moves(skin, instrument.noise_c) else None


def _moves(skin: Sequence[Reading], noise_c: float) -> bool:
    """Return whether the samples spread, or climb, by more than the part's noise explains."""
    skins_c = [sample.object_c for sample in skin]
    if max(skins_c) - min(skins_c) > max(_MIN_SPREAD_LIMIT_C, _SPREAD_SIGMAS * noise_c):
        return True
    times_s = [sample.at_s for sample in skin]
    spread_s = pstdev(times_s) * sqrt(len(times_s))
    if len(skin) < _TREND_SAMPLES or not spread_s:
        return False  # too few, or without times (a file of them)
    slope = linear_regression(times_s, skins_c).slope
    return abs(slope) > _TREND_SIGMAS * noise_c / spread_s


def _against_the_limit(numbers: _Numbers, limits: Limits) -> Reason:
    if numbers.index_c > round(limits.limit_c + numbers.guard_c, INDEX_DIGITS):
        return Reason.ABOVE_LIMIT
    if numbers.index_c > round(limits.limit_c - numbers.guard_c, INDEX_DIGITS):
        return Reason.NEAR_LIMIT
    return Reason.BELOW_LIMIT
