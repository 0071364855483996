"""An independent look at the thermometer itself, apart from any visit: can it be believed at all?

What one attempt shows is judged in `gatepost.core.screening`. This watch sees every reading, also
those between visits, and remembers: a value that stands still, an ambient that moves as no die can,
a disturbed bus, a die that is not in thermal balance, a chip that is not the calibrated one. While
it finds anything, every measurement is no information (S4).
"""

from collections import deque
from collections.abc import Sequence
from math import ceil, log, pi, sqrt
from statistics import linear_regression
from typing import TYPE_CHECKING, NamedTuple

from gatepost.core.faults import Fault
from gatepost.core.screening import Reason
from gatepost_hal.ports import Chip, Reading, SensorFault, SensorFaultKind

if TYPE_CHECKING:
    from gatepost.core.correction import Calibration

_STEP_C = 0.02  # of the words on the wire (datasheet page 30)
# So rarely may noise alone repeat a value that long: once in a hundred years of a busy gate.
_FROZEN_CHANCE = 1e-9
_MOST_REPEATS_BY_CHANCE = 0.5  # of two readings in a row, for a part with less noise than a step

# A can in free air cannot follow its room faster (time constant of minutes, facts: sensor 4).
_JUMP_C, _JUMP_C_PER_S = 0.5, 0.05
_POSSIBLE_AMBIENT_C = (-30.0, 60.0)  # around a gate on which the sun stands
_ERRATIC_S = 60.0  # so long is one such reading remembered

_TRANSFERS = 40  # how many readings back a disturbed bus is looked for
_LEAST_TRANSFERS = 20
_STORM_SHARE, _STORM_OVER_SHARE = 0.25, 0.1

# A part without supply for less than this has not cooled down by anything that can be measured.
_COOLING_S = 10.0

# Thermal balance (facts: sensor 3.4): the die may not drift faster than the site says.
_BALANCE_S = 120.0
_BALANCE_STEP_S = 5.0  # readings closer together than this add nothing
_LEAST_BALANCE_S = 20.0
_DRIFT_OVER = 0.8  # of that limit, before it is over


class Expected(NamedTuple):
    """What this gate's thermometer is expected to be.

    `is_calibrated`: a chip without a calibration of this gate's is not trusted.
    """

    noise_c: float = 0.18
    warm_up_s: float = 120.0
    drift_c_per_s: float = 0.1 / 60  # of the die, in thermal balance
    is_calibrated: bool = False


class Finding(NamedTuple):
    """Something wrong with the thermometer: what a measurement is called, and a sentence."""

    reason: Reason
    detail: str


class Watch:
    """Sees every reading and every failure; `findings` says what is wrong now.

    Args:
        expected: what the thermometer should be.
        started_at_s: when it was powered, or when this process began to look.
    """

    def __init__(self, expected: Expected, started_at_s: float) -> None:
        self._expected = expected
        self.calibration: Calibration | None = None  # of the chip that answers, if there is one
        self._frozen_run = _frozen_run(expected.noise_c)
        self._warm_at_s = started_at_s + expected.warm_up_s
        self._last: Reading | None = None
        self._equal = 0
        self._absent_since_s: float | None = None
        self._failed = False  # since the last reading
        self._erratic: tuple[float, str] | None = None
        self._disturbed: deque[bool] = deque(maxlen=_TRANSFERS)
        self._in_storm = False
        self._ambients: deque[tuple[float, float]] = deque()
        self._unbalanced = False

    def take(self, reading: Reading) -> None:
        """Note a reading."""
        failed, self._failed = self._failed, False
        absent_since_s, self._absent_since_s = self._absent_since_s, None
        was_off = absent_since_s is not None and reading.at_s - absent_since_s >= _COOLING_S
        if was_off or (self._last is not None and self._last.chip != reading.chip):
            self._begin_anew(reading.at_s)
        elif failed and self._ambients and reading.at_s - self._ambients[-1][0] > _BALANCE_S:
            # Nobody saw what the die did meanwhile: no balance before it is seen again.
            self._warm_at_s = max(self._warm_at_s, reading.at_s + _LEAST_BALANCE_S)
        last = self._last
        if last is not None:
            self._look_at_change(last, reading)
        low_c, high_c = _POSSIBLE_AMBIENT_C
        if not low_c <= reading.ambient_c <= high_c:
            detail = f"ambient {reading.ambient_c:.2f} C: no gate stands in that"
            self._erratic = (reading.at_s, detail)
        self._equal = self._equal + 1 if last and last.object_c == reading.object_c else 1
        self._disturbed.append(reading.repeats > 0)
        self._note_ambient(reading)
        self._last = reading

    def fail(self, fault: SensorFault) -> None:
        """Note a measurement that failed."""
        self._failed = True
        if fault.kind is SensorFaultKind.BAD_PEC:
            self._disturbed.append(True)
        elif fault.kind is SensorFaultKind.ABSENT and self._absent_since_s is None:
            self._absent_since_s = fault.at_s

    def findings(self, now_s: float) -> dict[Fault, Finding]:
        """Return what is wrong now, the worst first. Without a reading there is nothing to say."""
        if self._last is None:
            return {}
        found = {
            Fault.SENSOR_UNTRUSTED: self._untrusted(self._last.chip),
            Fault.SENSOR_FROZEN: self._frozen(),
            Fault.SENSOR_ERRATIC: self._is_erratic(now_s),
            Fault.SENSOR_DISTURBED: self._storm(),
            Fault.SENSOR_UNBALANCED: self._imbalance(now_s),
        }
        return {fault: finding for fault, finding in found.items() if finding is not None}

    def _begin_anew(self, at_s: float) -> None:
        self._warm_at_s = at_s + self._expected.warm_up_s
        self._ambients.clear()
        self._equal = 0
        self._last = None

    # -------------------------------------------------------------------------------- the checks

    def _untrusted(self, chip: Chip | None) -> Finding | None:
        name = "without an identity" if chip is None else chip.sensor_id
        if self.calibration is not None and self.calibration.chip != chip:
            detail = (
                f"sensor {name}: its emissivity or filters are not those it was calibrated with"
            )
            return Finding(Reason.UNTRUSTED, detail)
        if self.calibration is None and self._expected.is_calibrated:
            return Finding(Reason.UNTRUSTED, f"sensor {name}: there is no calibration of it here")
        return None

    def _frozen(self) -> Finding | None:
        if self._equal < self._frozen_run or self._last is None:
            return None
        return Finding(
            Reason.FROZEN,
            f"{self._frozen_run} readings or more of exactly {self._last.object_c:.2f} C",
        )

    def _look_at_change(self, last: Reading, reading: Reading) -> None:
        change_c = reading.ambient_c - last.ambient_c
        lapse_s = max(0.0, reading.at_s - last.at_s)
        if not abs(change_c) <= _JUMP_C + _JUMP_C_PER_S * lapse_s:
            detail = f"ambient moved by {change_c:+.2f} C in {lapse_s:.1f} s"
            self._erratic = (reading.at_s, detail)

    def _is_erratic(self, now_s: float) -> Finding | None:
        if self._erratic is None or now_s > self._erratic[0] + _ERRATIC_S:
            return None
        return Finding(Reason.ERRATIC, self._erratic[1])

    def _storm(self) -> Finding | None:
        if len(self._disturbed) >= _LEAST_TRANSFERS:
            share = sum(self._disturbed) / len(self._disturbed)
            self._in_storm = share > (_STORM_OVER_SHARE if self._in_storm else _STORM_SHARE)
        if not self._in_storm:
            return None
        return Finding(
            Reason.DISTURBED, f"more than {_STORM_SHARE:.0%} of the readings had to be repeated"
        )

    def _note_ambient(self, reading: Reading) -> None:
        low_c, high_c = _POSSIBLE_AMBIENT_C
        if not low_c <= reading.ambient_c <= high_c:
            return  # it is erratic already; no line goes through it
        if self._ambients and reading.at_s < self._ambients[-1][0] + _BALANCE_STEP_S:
            return
        self._ambients.append((reading.at_s, reading.ambient_c))
        while self._ambients[0][0] < reading.at_s - _BALANCE_S:
            self._ambients.popleft()

    def _imbalance(self, now_s: float) -> Finding | None:
        if now_s < self._warm_at_s:
            return Finding(
                Reason.WARMING_UP, "the sensor was switched on, or came back, a short time ago"
            )
        slope = _slope(self._ambients)
        limit = self._expected.drift_c_per_s * (_DRIFT_OVER if self._unbalanced else 1)
        self._unbalanced = slope is not None and abs(slope) > limit
        if slope is None or not self._unbalanced:
            return None
        return Finding(Reason.UNSTABLE, f"the sensor's can drifts by {slope * 60:+.2f} C a minute")


def _slope(points: Sequence[tuple[float, float]]) -> float | None:
    """Return the slope of the line through the points in C a second; None for too short a time."""
    if not points or points[-1][0] - points[0][0] < _LEAST_BALANCE_S:
        return None
    times_s, ambients_c = zip(*points, strict=True)
    return linear_regression(times_s, ambients_c).slope


def _frozen_run(noise_c: float) -> int:
    """Return how many equal readings in a row are more than noise of `noise_c` makes by chance."""
    chance = min(_STEP_C / (2 * noise_c * sqrt(pi)), _MOST_REPEATS_BY_CHANCE)
    return 1 + ceil(log(_FROZEN_CHANCE) / log(chance))
