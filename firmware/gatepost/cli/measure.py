"""`gatepost measure`: what the sensor sees now, through the same core as at the gate.

A screening of one spot of skin, never a diagnosis.
"""

import argparse
import datetime as dt
import json
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import NamedTuple

from gatepost.cli.bench_sensor import (
    SIMULATED,
    Bench,
    complaint,
    real_bench,
    remedy,
    simulated_bench,
    tell,
)
from gatepost.cli.main import fail
from gatepost.cli.process import add_config_argument
from gatepost.core.correction import corrected
from gatepost.core.events import Json
from gatepost.core.faults import FAULTS, Fault
from gatepost.core.offset import SETTLING_PEOPLE, Offset
from gatepost.core.screening import GUIDANCE, Verdict, index_c, is_complete, judge
from gatepost.core.sensing import Sensing
from gatepost.wiring.thermometer import OffsetStore, check_part, setup
from gatepost_config.load import load
from gatepost_config.settings import Settings
from gatepost_hal.ports import Chip, Reading, SensorFault
from gatepost_services.state_file import StateFileError, read_state

NO_DIAGNOSIS = "This is a screening of one spot of skin, no diagnosis."

_COLDEST_C, _HOTTEST_C = 0.0, 60.0  # of what a simulated sensor looks at
_FAILURES = 3  # in a row, before an attempt is given up
_LINES_PER_HEADING = 20  # about a screen of a phone
_HEADING = "time         raw   skin    amb  index spread"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_config_argument(parser)
    parser.add_argument(
        "--watch", action="store_true", help="one line a sample, until Ctrl-C, faults included"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, one object a line")
    parser.add_argument(
        "--simulated",
        type=_celsius,
        metavar="C",
        help="no sensor: a simulated one that looks at a black surface of so many degrees",
    )


def run(args: argparse.Namespace) -> int:
    """Measure once, or for ever; 0 when a number came out."""
    settings = load(args.config)
    check_part(settings, args.config)
    offsets = _offsets(settings)
    if args.simulated is None:
        opened = real_bench(settings)
    else:
        opened = simulated_bench(settings, in_real_time=args.watch)
    with opened as bench:
        if args.simulated is not None:
            bench.look_at(args.simulated)
            if not args.json:
                tell(SIMULATED)
        session = Session(settings, bench, offsets)
        if not args.watch:
            return once(session, as_json=args.json)
        try:
            watch(session, as_json=args.json)
        except KeyboardInterrupt:  # the only end there is, and so a good one
            return 0
    return 0


def _offsets(settings: Settings) -> dict[str, Offset]:
    """Return what the gate has learnt; what cannot be read is told, and counts as nothing."""
    path = settings.paths.offset
    try:
        read_state(path)
    except StateFileError as error:
        told = f"{error}; so the offset is that of a new gate. Begin the command with sudo."
        print(f"gatepost: {told}", file=sys.stderr)
        return {}
    return OffsetStore(path).load()


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


# --------------------------------------------------------------------------------- one attempt


def once(session: Session, *, as_json: bool) -> int:
    """Print one attempt; return the exit status."""
    attempt = session.attempt()
    if as_json:
        print(json.dumps(_as_json(session, attempt)))
    elif attempt.samples:
        _print_attempt(session, attempt)
    if attempt.verdict.index_c is None:
        slow = "The sensor is too slow for [lane] measure_timeout_s: allow more time there."
        fail(slow if attempt.fault is None else complaint(attempt.fault))
    return 0


def _print_attempt(session: Session, attempt: Attempt) -> None:
    verdict = attempt.verdict
    _print_sensor(session, attempt.samples[-1].chip)
    print("\nsample     raw    skin     amb   (C)")
    for number, sample in enumerate(attempt.samples, 1):
        skin = session.skin(sample)
        print(
            f"{number:6}  {sample.object_c:6.2f}  {skin.object_c:6.2f}  {skin.ambient_c:6.2f}"
            + ("   read again" if sample.repeats else "")
        )
    if verdict.index_c is not None:
        _print_numbers(session, verdict)
    guidance = GUIDANCE[verdict.reason]
    print(f"zone     {_words(verdict.zone.value)}, because: {_words(verdict.reason.value)}")
    print(f'told     "{guidance.say}"')
    for fault, detail in session.faults.items():
        _print_fault(fault, detail)
    tell(NO_DIAGNOSIS)


def _print_numbers(session: Session, verdict: Verdict) -> None:
    before_c, after_c = verdict.ambient_c or (0.0, 0.0)
    limits = session.limits
    print(f"median  {verdict.object_c:6.2f}  {verdict.skin_c:6.2f}")
    print(f"max             {verdict.max_c:6.2f}")
    print(f"spread          {verdict.spread_c:6.2f}")
    print(f"\nambient  {before_c:.2f} before, {after_c:.2f} after")
    print(f"index    {verdict.index_c:.2f}")
    print(f"limit    {limits.limit_c}; within {verdict.guard_c:.2f} of it: measured again")


def _print_sensor(session: Session, chip: Chip | None) -> None:
    """Print which sensor answers, how it is calibrated, and what was learnt about it."""
    print(f"sensor   {'without an identity' if chip is None else chip.sensor_id}")
    calibration = chip and session.setup.calibrations.get(chip.sensor_id)
    if calibration:
        # Its end rounds up into the next day, which the last day of all does not have.
        due = dt.datetime.fromtimestamp(calibration.due_utc_s - 1, dt.UTC).date()
        print(f"calibr.  {calibration.name}\n         due {due}")
    else:
        print("calibr.  none here: the factory's counts")
    offset = session.sensing.offset
    if not session.setup.learns:
        learnt = "set by hand"
    elif offset.settled_c is None:
        learnt = f"being learnt, {offset.people} of {SETTLING_PEOPLE} people"
    else:
        learnt = f"learnt from {offset.people} people"
    print(f"offset   {offset.offset_c:.2f} C, {learnt}")


def _print_fault(fault: Fault, detail: str) -> None:
    consequence = FAULTS[fault]
    tell(f"{_words(fault.value)}: {detail}. Remedy: {consequence.remedy}.", indent="! ")


def _as_json(session: Session, attempt: Attempt) -> dict[str, Json]:
    verdict = attempt.verdict
    samples: list[Json] = [_sample_as_json(session, sample) for sample in attempt.samples]
    return {
        **_identity(session),
        "samples": samples,
        "object_c": _number(verdict.object_c),
        "skin_c": _number(verdict.skin_c),
        "max_c": _number(verdict.max_c),
        "spread_c": _number(verdict.spread_c),
        "ambient_c": [_number(ambient_c) for ambient_c in verdict.ambient_c or ()],
        "index_c": _number(verdict.index_c),
        "limit_c": session.limits.limit_c,
        "guard_c": _number(verdict.guard_c),
        "zone": verdict.zone.value,
        "reason": verdict.reason.value,
        "told": GUIDANCE[verdict.reason].say,
        "faults": _faults_as_json(session.faults),
        "failure": None if attempt.fault is None else complaint(attempt.fault),
    }


# ------------------------------------------------------------------------------------ for ever


def watch(session: Session, *, as_json: bool, goes_on: Callable[[], bool] = lambda: True) -> None:
    """Print a line a sample for as long as it `goes_on`. Nothing that the sensor does ends it."""
    view: _JsonLines | _TextLines = _JsonLines(session) if as_json else _TextLines(session)
    skins_c: deque[float] = deque(maxlen=session.limits.samples)
    while goes_on():
        event = session.sample()
        is_new, session.sensing.is_new = session.sensing.is_new, False
        if isinstance(event, SensorFault) or is_new:
            skins_c.clear()  # a spread over a gap, or over two sensors, says nothing
        if isinstance(event, SensorFault):
            view.failed(event)
            continue
        skin = session.skin(event)
        skins_c.append(skin.object_c)
        index = index_c(skin.object_c, skin.ambient_c, session.sensing.instrument.offset_c)
        spread_c = max(skins_c) - min(skins_c)
        view.took(Line(event, skin, index, spread_c), is_new=is_new)


class Line(NamedTuple):
    """One sample of `--watch`: as the part gave it, corrected, and what follows."""

    raw: Reading
    skin: Reading
    index_c: float
    spread_c: float


class _JsonLines:
    def __init__(self, session: Session) -> None:
        self._session = session

    def took(self, line: Line, *, is_new: bool) -> None:
        del is_new  # every line names the sensor
        numbers = {
            **_sample_as_json(self._session, line.raw),
            "index_c": _number(line.index_c),
            "spread_c": _number(line.spread_c),
        }
        self._print({**numbers, "failure": None})

    def failed(self, fault: SensorFault) -> None:
        self._print({"failure": f"{fault.kind.value}: {fault.detail}"})

    def _print(self, content: dict[str, Json]) -> None:
        session = self._session
        at = {"utc_s": _number(session.bench.clock.utc_s()), **_identity(session)}
        print(json.dumps({**at, **content, "faults": _faults_as_json(session.faults)}), flush=True)


class _TextLines:
    """Lines below 80 columns. What begins or ends is told once, below its line."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lines = 0
        self._failures = 0
        self._told: SensorFault | None = None
        self._standing: frozenset[Fault] = frozenset()
        tell(f"{NO_DIAGNOSIS} The end: Ctrl-C.")
        samples = session.limits.samples
        tell(f"amb: ambient; index: of this sample; spread: of the skin, last {samples} samples.")

    def took(self, line: Line, *, is_new: bool) -> None:
        if self._failures:
            print(f"{self._time()}  ANSWERS AGAIN after {self._failures} without")
        self._failures, self._told = 0, None
        if is_new:
            _print_sensor(self._session, line.raw.chip)
            self._lines = 0
        if self._lines % _LINES_PER_HEADING == 0:
            print(_HEADING)
        self._lines += 1
        numbers = (
            line.raw.object_c,
            line.skin.object_c,
            line.skin.ambient_c,
            line.index_c,
            line.spread_c,
        )
        columns = " ".join(f"{number:6.2f}" for number in numbers)
        print(f"{self._time()}  {columns}  {self._flags()}".rstrip(), flush=True)
        self._tell_changes()

    def failed(self, fault: SensorFault) -> None:
        self._failures += 1
        print(f"{self._time()}  NO ANSWER: {fault.kind.value}", flush=True)
        if self._told is None or self._told.kind is not fault.kind:
            tell(f"{fault.detail}. {remedy(fault)}", indent="! ")
            self._told = fault
        self._tell_changes()

    def _time(self) -> str:
        utc_s = self._session.bench.clock.utc_s()
        return dt.datetime.fromtimestamp(utc_s, dt.UTC).astimezone().strftime("%H:%M:%S")

    def _flags(self) -> str:
        names = [fault.value.removeprefix("sensor_") for fault in self._session.faults]
        return f"{names[0]} +{len(names) - 1}" if len(names) > 1 else "".join(names)

    def _tell_changes(self) -> None:
        # That it does not answer is on the line itself.
        faults = {f: detail for f, detail in self._session.faults.items() if f is not Fault.SENSOR}
        for fault in sorted(self._standing - faults.keys(), key=lambda fault: fault.value):
            print(f"  over: {_words(fault.value)}")
        for fault, detail in faults.items():
            if fault not in self._standing:
                _print_fault(fault, detail)
        self._standing = frozenset(faults)


# --------------------------------------------------------------------------------------- common


def _identity(session: Session) -> dict[str, Json]:
    identity = session.sensing.identity()
    told = {key: identity[key] for key in ("sensor_id", "calibration", "offset_c")}
    return {**told, "simulated": session.bench.is_simulated}


def _sample_as_json(session: Session, sample: Reading) -> dict[str, Json]:
    skin = session.skin(sample)
    return {
        "object_c": _number(sample.object_c),
        "skin_c": _number(skin.object_c),
        "ambient_c": _number(skin.ambient_c),
        "repeats": sample.repeats,
    }


def _faults_as_json(faults: Mapping[Fault, str]) -> dict[str, Json]:
    return {fault.value: detail for fault, detail in faults.items()}


def _number(value: float | None) -> float | None:
    """Return a number as JSON can hold it."""
    return None if value is None or not isfinite(value) else round(value, 3)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _celsius(text: str) -> float:
    celsius = float(text)
    if not _COLDEST_C <= celsius <= _HOTTEST_C:
        raise argparse.ArgumentTypeError(f"{text}: must be from {_COLDEST_C} to {_HOTTEST_C} C")
    return celsius
