"""The device offset k: what makes an index of a skin temperature, learnt from those who walk in.

k belongs to the device and its place (2.43 and 2.68 on two cameras that saw the same 1,020 adults).
Nobody's body temperature is known at a gate; that the healthy middle of a site lies at 36.8 C is
all that is assumed (oral, adults: Mackowiak et al., JAMA 1992).

First the median of the first people sets k. From then on it only creeps: each admitted person whose
index lies as near to 36.8 as the limit does, on either side, moves it by a 200th of the
difference. The window is symmetric, so that leaving out the feverish does not pull k; and the
feverish are outside it, so that a wave of them has no vote. k stays within a bound of where it was
set. When the running middle of everybody measured moves away all the same, the thermometer counts
as drifted until it is back: either it has, or half the site is ill, and staff must look at both.
"""

from math import isfinite, nextafter
from statistics import median
from typing import NamedTuple

from gatepost.core.screening import Limits, Reason, Verdict, Zone

HEALTHY_MIDDLE_C = 36.8
START_OFFSET_C = 2.5  # between the two cameras', until this device's own is known
SETTLING_PEOPLE = 50  # the median of 50 people stands to 0.1 C
# While k is not this device's own yet, the guard band is wider by what two devices may differ.
SETTLING_DOUBT_C = 0.25

_GAIN = 1 / 200
BOUND_C = 0.5  # how far k may creep from where it was set
_SETTLING_BOUND_C = 1.5  # how far the first people may set it from the start value
# The running median of everybody takes steps of this, so that about 100 people move it by 0.4 C.
_MEDIAN_STEP_C = 0.01
_DRIFT_C = 0.4
_DRIFT_OVER_C = 0.3
_POSSIBLE_MIDDLE_C = 6.0
_MOST_START_C = 6.0  # what the settings allow
_ROUNDING_C = 1e-9  # bounds are hit exactly, and a difference of floats is not exact


class Offset(NamedTuple):
    """What was learnt. It belongs to one sensor with one calibration: `device` names them.

    `settled_c` is None until `SETTLING_PEOPLE` have been measured; `first_c` is the k that each of
    them alone would ask for. `middle_c` is the running median of the index of everybody measured.
    """

    device: str
    start_c: float = START_OFFSET_C
    offset_c: float = START_OFFSET_C
    settled_c: float | None = None
    first_c: tuple[float, ...] = ()
    people: int = 0
    middle_c: float = HEALTHY_MIDDLE_C
    drifted: bool = False

    @property
    def doubt_c(self) -> float:
        """What the guard band is wider by because of this offset."""
        return SETTLING_DOUBT_C if self.settled_c is None else 0.0

    @property
    def is_at_bound(self) -> bool:
        """Whether k has moved as far as it may: time to calibrate. What moves on is a drift."""
        moved_c = 0.0 if self.settled_c is None else self.offset_c - self.settled_c
        return abs(moved_c) >= BOUND_C - _ROUNDING_C

    def is_sound(self) -> bool:
        """Return whether this can have been learnt here: it may come from a damaged file."""
        settled_c = self.offset_c if self.settled_c is None else self.settled_c
        return (
            abs(settled_c - self.start_c) <= _SETTLING_BOUND_C + _ROUNDING_C
            and abs(self.offset_c - settled_c) <= BOUND_C + _ROUNDING_C
            and abs(self.middle_c - HEALTHY_MIDDLE_C) <= _POSSIBLE_MIDDLE_C
            and len(self.first_c) < SETTLING_PEOPLE
            and self.people >= len(self.first_c)
            and 0 <= self.start_c <= _MOST_START_C
            and all(isfinite(first_c) for first_c in self.first_c)
        )


def teaches(offset: Offset, verdict: Verdict, limits: Limits) -> bool:
    """Return whether `learn` learns from such a verdict."""
    # No information about a person, and yet a good measurement. To a device that reads low half of
    # its first people seem to come in from the cold; later they do come in from the cold.
    reasons = (Reason.COLD,) if offset.settled_c is None else (Reason.DRIFTED,)
    if verdict.zone is Zone.NO_INFORMATION and verdict.reason not in reasons:
        return False
    low_c, high_c = limits.ambient_c
    ambients_c = verdict.ambient_c
    return ambients_c is not None and all(low_c <= each_c <= high_c for each_c in ambients_c)


def learn(
    offset: Offset,
    verdict: Verdict,
    limits: Limits,
    *,
    admitted: bool,
    people: int = SETTLING_PEOPLE,
) -> Offset:
    """Return the offset after one more person was measured.

    Who yielded no information, or stood in an ambient outside that of `limits`, teaches nothing.

    Args:
        offset: what was learnt before; `verdict` was made with its `offset_c`.
        verdict: of the person's last attempt.
        limits: of the site.
        admitted: whether the person was let in.
        people: how many set the offset at first.
    """
    index = verdict.index_c
    if index is None or not teaches(offset, verdict, limits):
        return offset
    asked_c = HEALTHY_MIDDLE_C - index  # what this person alone would add to the offset
    settled_c = offset.settled_c
    if settled_c is None:
        return _settling(offset, asked_c, people)
    step_c = _MEDIAN_STEP_C if index > offset.middle_c else -_MEDIAN_STEP_C
    offset = offset._replace(people=offset.people + 1, middle_c=offset.middle_c + step_c)
    # While it counts as drifted nobody is admitted; but back to where it was set k may go, or a
    # lens that was dull and is clean again would stay drifted for ever.
    is_back = offset.drifted and asked_c * (settled_c - offset.offset_c) > 0
    if (admitted or is_back) and abs(asked_c) <= limits.limit_c - HEALTHY_MIDDLE_C:
        crept_c = offset.offset_c + _GAIN * asked_c
        offset = offset._replace(offset_c=_within(crept_c, settled_c, BOUND_C))
    allowed_c = _DRIFT_OVER_C if offset.drifted else _DRIFT_C
    return offset._replace(drifted=abs(offset.middle_c - HEALTHY_MIDDLE_C) > allowed_c)


def _settling(offset: Offset, asked_c: float, people: int) -> Offset:
    first_c = (*offset.first_c, offset.offset_c + asked_c)
    offset = offset._replace(people=offset.people + 1, first_c=first_c)
    if len(first_c) < people:
        return offset
    settled_c = round(_within(median(first_c), offset.start_c, _SETTLING_BOUND_C), 3)
    return offset._replace(offset_c=settled_c, settled_c=settled_c, first_c=())


def _within(value_c: float, middle_c: float, bound_c: float) -> float:
    low_c, high_c = middle_c - bound_c, middle_c + bound_c
    # Rounded inwards: a sum of floats may lie a last bit beyond its bound.
    if middle_c - low_c > bound_c:
        low_c = nextafter(low_c, middle_c)
    if high_c - middle_c > bound_c:
        high_c = nextafter(high_c, middle_c)
    return min(max(value_c, low_c), high_c)
