"""What justifies an admission on the sites of the walk: computed anew, without `screening`."""

from collections.abc import Sequence
from math import isfinite
from statistics import fmean, median

from gatepost_hal.ports import Reading

_SAMPLES = 3
_SPREAD_C = 1.008  # 5.6 sigmas of 0.18 C
_AMBIENT_CHANGE_C = 0.3
_AMBIENT_C = (20.0, 29.0)
_SKIN_C = (32.0, 43.0)
_CONTRAST_C = 4.0
_INDEX_C = (35.5, 42.0)
LIMIT_C = 37.3
_GUARD_C = 0.2
DIGITS = 3


def index_of(samples: Sequence[Reading]) -> float:
    """Return the index of an attempt, in degrees Celsius."""
    ambient_c = fmean(sample.ambient_c for sample in samples)
    skin_c = median(sample.object_c for sample in samples)
    return round(skin_c - 0.18 * (ambient_c - 24) + 2.43, DIGITS)


def is_measured(samples: Sequence[Reading]) -> bool:
    """Return whether samples are those of a bare forehead, held still, and of a part that lives."""
    objects_c = [sample.object_c for sample in samples]
    ambients_c = [sample.ambient_c for sample in samples]
    if len(samples) < _SAMPLES or not all(isfinite(c) for c in (*objects_c, *ambients_c)):
        return False
    skin_c, ambient_c = median(objects_c), fmean(ambients_c)
    repeated = any(
        one == two == three
        for one, two, three in zip(objects_c, objects_c[1:], objects_c[2:], strict=False)
    )
    return (
        not repeated
        and objects_c[-1] != objects_c[-2]
        and max(objects_c) - min(objects_c) <= _SPREAD_C
        and max(ambients_c) - min(ambients_c) <= _AMBIENT_CHANGE_C
        and _AMBIENT_C[0] <= ambient_c <= _AMBIENT_C[1]
        and _SKIN_C[0] <= skin_c <= _SKIN_C[1]
        and skin_c - ambient_c >= _CONTRAST_C
        and _INDEX_C[0] <= index_of(samples) <= _INDEX_C[1]
    )


def is_passing(samples: Sequence[Reading], *, near_before: bool) -> bool:
    """Return whether they justify an admission: well below the limit, or twice not above it."""
    limit_c = LIMIT_C if near_before else round(LIMIT_C - _GUARD_C, DIGITS)
    return is_measured(samples) and index_of(samples) <= limit_c


def is_near(samples: Sequence[Reading]) -> bool:
    """Return whether they are an index so near to the limit that it has to be measured again."""
    return is_measured(samples) and abs(round(index_of(samples) - LIMIT_C, DIGITS)) <= _GUARD_C


def is_feverish(samples: Sequence[Reading]) -> bool:
    """Return whether they are an index that is above the limit, whatever the noise."""
    return is_measured(samples) and index_of(samples) > LIMIT_C + _GUARD_C
