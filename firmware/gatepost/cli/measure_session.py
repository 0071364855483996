"""A technician's look through the thermometer: the same core as at the gate, sample by sample."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import NamedTuple

from gatepost.cli.bench_sensor import Bench
from gatepost.core.correction import corrected
from gatepost.core.events import Json
from gatepost.core.faults import Fault
from gatepost.core.offset import Offset
from gatepost.core.screening import Verdict, is_complete, judge
from gatepost.core.sensing import Sensing
from gatepost.wiring.thermometer import setup
from gatepost_config.settings import Settings
from gatepost_hal.ports import Reading, SensorFault

_FAILURES = 3  # in a row, before an attempt is given up


class Session:
    """The thermometer as the gate's loop would see it; `faults` are those of the last sample.

    It counts as warm: a technician's sensor is on already. One that was away warms up again.
    """

    def __init__(self, settings: Settings, bench: Bench, offsets: dict[str, Offset]) -> None:
        self.settings = settings
        self.bench = bench
        self.setup = setup(settings, offsets)
        self.limits = self.setup.limits
        self.sensing = Sensing(self.setup, bench.clock.now_s() - settings.sensor.warm_up_s)
        self.faults: dict[Fault, str] = {}

    def sample(self) -> Reading | SensorFault:
        """Take one sample and note it."""
        event = self.bench.sample()
        self.sensing.took(event)
        clock = self.bench.clock
        self.faults = self.sensing.standing(clock.now_s(), clock.utc_s())
        return event

    def attempt(self) -> "Attempt":
        """Take the samples of one attempt, as the gate does."""
        until_s = self.bench.clock.now_s() + self.settings.lane.measure_timeout_s
        samples: list[Reading] = []
        failed: list[SensorFault] = []  # since the last sample
        fault = None
        while not is_complete(samples, self.limits) and self.bench.clock.now_s() < until_s:
            event = self.sample()
            if isinstance(event, Reading):
                samples.append(event)
                failed.clear()
                continue
            fault = event
            failed.append(event)
            if len(failed) == _FAILURES:
                break
        verdict = judge(samples, self.limits, self.sensing.instrument)
        verdict = verdict.distrusted(self.sensing.distrust)
        return Attempt(samples, verdict, fault)

    def skin(self, reading: Reading) -> Reading:
        """Return a reading corrected: the skin's temperature and the ambient's."""
        return corrected(reading, self.sensing.instrument.correction)


class Attempt(NamedTuple):
    """One attempt: `fault` is the last failed sample, if one failed."""

    samples: Sequence[Reading]
    verdict: Verdict
    fault: SensorFault | None


# ------------------------------------------------------------------------------------ for programs


def identity(session: Session) -> dict[str, Json]:
    """Return which sensor it is, and what counts for it."""
    found = session.sensing.identity()
    told = {key: found[key] for key in ("sensor_id", "calibration", "offset_c")}
    return {**told, "simulated": session.bench.is_simulated}


def sample_as_json(session: Session, sample: Reading) -> dict[str, Json]:
    """Return one sample, as the part gave it and corrected."""
    skin = session.skin(sample)
    return {
        "object_c": number(sample.object_c),
        "skin_c": number(skin.object_c),
        "ambient_c": number(skin.ambient_c),
        "repeats": sample.repeats,
    }


def faults_as_json(faults: Mapping[Fault, str]) -> dict[str, Json]:
    """Return faults by their names."""
    return {fault.value: detail for fault, detail in faults.items()}


def number(value: float | None) -> float | None:
    """Return a number as JSON can hold it."""
    return None if value is None or not isfinite(value) else round(value, 3)
