"""The thermometer in the loop: when to ask it, whether to believe it, what it has learnt."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from gatepost.core.correction import Calibration
from gatepost.core.events import Json
from gatepost.core.faults import Fault
from gatepost.core.offset import BOUND_C, Offset, learn
from gatepost.core.plausibility import Expected, Finding, Watch
from gatepost.core.screening import Instrument, Limits, Reason, Verdict
from gatepost_hal.ports import Chip, Reading, SensorFault

# Between visits the sensor is asked now and then, so that its fault is known before a person is,
# and so often that the noise of the die does not look like a drift of it.
_IDLE_SAMPLE_S = 10.0
# Sooner than a part cools down (`gatepost.core.plausibility`): one failure is no loss of supply.
_FAILED_SAMPLE_S = 5.0
_FAILURES = 3  # in a row, before it is a fault of the gate
_RECOVERED = 6  # readings in a row, before that is over: a loose wire is one fault, not fifty
_SILENT_S = 3.0
# One person has one vote: once among the first people, later once in half a day.
_VOTE_AGAIN_S = 12 * 3600.0
_UNKNOWN_DEVICE = "unknown"


class Setup(NamedTuple):
    """What the site says about its thermometer.

    `calibrations` by sensor id; `offsets`, learnt before, by the name of a device (a sensor with a
    calibration). `learns`: whether the offset follows the people, or stays at the instrument's.
    """

    sample_period_s: float
    limits: Limits
    instrument: Instrument
    expected: Expected
    calibrations: Mapping[str, Calibration] = MappingProxyType({})
    offsets: Mapping[str, Offset] = MappingProxyType({})
    learns: bool = True


class Sensing:
    """One thermometer as the loop sees it. Time comes in with every call."""

    def __init__(self, setup: Setup, now_s: float) -> None:
        self._setup = setup
        self._offsets = dict(setup.offsets)
        self._chip: Chip | None = None
        self._calibration: Calibration | None = None
        self._watch = Watch(setup.expected, now_s)
        self._failures = self._successes = 0
        self._fails = False
        self._failure = ""
        self._asked_at_s: float | None = None
        self._standing: dict[Fault, Finding] = {}
        self._taught_at_s: dict[str, float] = {}  # by subject; in memory only
        self.next_at_s = now_s + setup.sample_period_s
        self.is_new = False  # whether another thermometer answers; whoever tells it, clears it
        self._begin_with(self._offset_of(_UNKNOWN_DEVICE))

    @property
    def distrust(self) -> Reason | None:
        """Why no measurement counts at present; None when it does. As of the last `standing`."""
        return next((found.reason for found in self._standing.values()), None)

    def begin_attempt(self, now_s: float) -> None:
        """Let a full period pass first: a sample must show this person, not the air before them."""
        self.next_at_s = now_s + self._setup.sample_period_s

    def is_due(self, now_s: float, *, measuring: bool) -> bool:
        """Return whether a sample is to be asked for now; the next one is due a period later."""
        if now_s < self.next_at_s:
            return False
        idle_s = _FAILED_SAMPLE_S if self._failures or self._fails else _IDLE_SAMPLE_S
        self.next_at_s = now_s + (self._setup.sample_period_s if measuring else idle_s)
        if self._asked_at_s is None:
            self._asked_at_s = now_s
        return True

    def _offset_of(self, device: str) -> Offset:
        start_c = self._setup.instrument.offset_c
        if not self._setup.learns:
            return Offset(device, start_c, start_c, settled_c=start_c)
        known = self._offsets.get(device)
        # Another start in the settings is the technician's word to begin anew.
        if known is not None and known.start_c == start_c:
            return known
        return Offset(device, start_c, start_c)

    def _begin_with(self, offset: Offset) -> None:
        """Let this offset, and the calibration at hand, count from now on."""
        self.offset = self._offsets[offset.device] = offset
        self.instrument = replace(
            self._setup.instrument,
            offset_c=offset.offset_c,
            doubt_c=offset.doubt_c,
            correction=replace(self._setup.instrument.correction, calibration=self._calibration),
        )

    def _adopt(self, chip: Chip | None) -> None:
        """Take up the calibration and the offset of the thermometer that answers now."""
        self._chip = chip
        self._taught_at_s.clear()
        self._calibration = chip and self._setup.calibrations.get(chip.sensor_id)
        self._watch.calibration = self._calibration
        factory = f"{chip.sensor_id}/factory" if chip else _UNKNOWN_DEVICE
        self._begin_with(self._offset_of(self._calibration.name if self._calibration else factory))
        self.is_new = True

    def took(self, event: Reading | SensorFault) -> None:
        """Note what the sampler brought."""
        self._asked_at_s = None
        if isinstance(event, Reading):
            self._failures = 0
            self._successes += 1
            self._fails = self._fails and self._successes < _RECOVERED
            if event.chip != self._chip:
                self._adopt(event.chip)
            self._watch.take(event)
        else:
            self._failures += 1
            self._successes = 0
            self._fails = self._fails or self._failures >= _FAILURES
            self._failure = event.detail
            self.next_at_s = min(self.next_at_s, event.at_s + _FAILED_SAMPLE_S)
            self._watch.fail(event)

    def standing(self, now_s: float, utc_s: float | None) -> dict[Fault, str]:
        """Return every fault of the thermometer that stands now, with its detail.

        `utc_s` is None where no clock can be trusted: then no calibration is past its date.
        """
        self._standing = self._watch.findings(now_s)
        if self.offset.drifted:
            middle_c, settled_c = self.offset.middle_c, self.offset.settled_c or 0.0
            detail = (
                f"the middle of the people is at {middle_c:.2f} C, and the offset moved by "
                f"{self.offset.offset_c - settled_c:+.2f} C"
            )
            self._standing[Fault.SENSOR_DRIFTED] = Finding(Reason.DRIFTED, detail)
        faults = {fault: found.detail for fault, found in self._standing.items()}
        if self._fails:
            faults[Fault.SENSOR] = self._failure
        elif self._asked_at_s is not None and now_s - self._asked_at_s > _SILENT_S:
            faults[Fault.SENSOR] = f"no answer for {_SILENT_S} s"
        calibration = self._calibration
        if calibration and utc_s is not None and utc_s >= calibration.due_utc_s:
            faults[Fault.CALIBRATION_DUE] = f"calibration {calibration.name} is past its date"
        elif self.offset.is_at_bound:
            faults[Fault.CALIBRATION_DUE] = f"the offset has moved by its bound of {BOUND_C} C"
        return faults

    def learn(self, verdict: Verdict, *, subject: str, admitted: bool, now_s: float) -> bool:
        """Learn from a person who was measured; return whether there was something to learn.

        Who walks in again and again has one vote, or one person would set the offset of all.
        """
        if not self._setup.learns:
            return False
        taught_at_s = self._taught_at_s.get(subject)
        is_settled = self.offset.settled_c is not None
        if taught_at_s is not None and not (is_settled and now_s >= taught_at_s + _VOTE_AGAIN_S):
            return False
        offset = learn(self.offset, verdict, self._setup.limits, admitted=admitted)
        if offset is self.offset:
            return False
        self._taught_at_s[subject] = now_s
        self._begin_with(offset)
        return True

    def identity(self) -> dict[str, Json]:
        """Return which thermometer answers, for a record."""
        chip, calibration = self._chip, self._calibration
        return {
            "sensor_id": None if chip is None else chip.sensor_id,
            "emissivity": None if chip is None else round(chip.emissivity, 4),
            "config": None if chip is None else chip.config,
            "calibration": None if calibration is None else calibration.name,
            **self.told(),
        }

    def told(self) -> dict[str, Json]:
        """Return what was learnt, for a record."""
        offset = self.offset
        return {
            "device": offset.device,
            "offset_c": round(offset.offset_c, 3),
            "settled_c": offset.settled_c,
            "middle_c": round(offset.middle_c, 2),
            "people": offset.people,
            "drifted": offset.drifted,
        }
