"""`gatepost measure --watch`: a line a sample, and every change told once."""

import datetime as dt
import json
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from gatepost.cli.bench_sensor import remedy, tell
from gatepost.cli.measure_session import (
    Session,
    faults_as_json,
    identity,
    number,
    sample_as_json,
)
from gatepost.cli.measure_text import NO_DIAGNOSIS, print_fault, print_sensor, worded
from gatepost.cli.words import mark, say, space
from gatepost.core.events import Json
from gatepost.core.faults import Fault
from gatepost.core.screening import index_c
from gatepost.doctor.columns import padded, right
from gatepost_hal.ports import Reading, SensorFault

_LINES_PER_HEADING = 20  # about a screen of a phone
_TIME_COLUMNS, _NUMBER_COLUMNS = 8, 6
_HEADING = (mark("raw"), mark("skin"), mark("amb"), mark("index"), mark("spread"))


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
            **sample_as_json(self._session, line.raw),
            "index_c": number(line.index_c),
            "spread_c": number(line.spread_c),
        }
        self._print({**numbers, "failure": None})

    def failed(self, fault: SensorFault) -> None:
        self._print({"failure": f"{fault.kind.value}: {fault.detail}"})

    def _print(self, content: dict[str, Json]) -> None:
        session = self._session
        at = {"utc_s": number(session.bench.clock.utc_s()), **identity(session)}
        print(json.dumps({**at, **content, "faults": faults_as_json(session.faults)}), flush=True)


class _TextLines:
    """Lines below 80 columns. What begins or ends is told once, below its line."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lines = 0
        self._failures = 0
        self._told: SensorFault | None = None
        self._standing: frozenset[Fault] = frozenset()
        tell(f"{say(NO_DIAGNOSIS)}{space()}{say('The end: Ctrl-C.')}")
        legend = mark(
            "amb: ambient; index: of this sample; spread: of the skin, last {samples} samples."
        )
        tell(say(legend, samples=session.limits.samples))

    def took(self, line: Line, *, is_new: bool) -> None:
        if self._failures:
            told = say("ANSWERS AGAIN after {count} without", count=self._failures)
            print(f"{self._time()}  {told}")
        self._failures, self._told = 0, None
        if is_new:
            print_sensor(self._session, line.raw.chip)
            self._lines = 0
        if self._lines % _LINES_PER_HEADING == 0:
            print(_heading())
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
        told = say("NO ANSWER: {kind}", kind=fault.kind.value)
        print(f"{self._time()}  {told}", flush=True)
        if self._told is None or self._told.kind is not fault.kind:
            told = say("{why}. {remedy}", why=fault.detail, remedy=remedy(fault))
            tell(told, indent="! ")
            self._told = fault
        self._tell_changes()

    def _time(self) -> str:
        utc_s = self._session.bench.clock.utc_s()
        return dt.datetime.fromtimestamp(utc_s, dt.UTC).astimezone().strftime("%H:%M:%S")

    def _flags(self) -> str:
        names = [worded(fault.value.removeprefix("sensor_")) for fault in self._session.faults]
        return f"{names[0]} +{len(names) - 1}" if len(names) > 1 else "".join(names)

    def _tell_changes(self) -> None:
        # That it does not answer is on the line itself.
        faults = {f: detail for f, detail in self._session.faults.items() if f is not Fault.SENSOR}
        for fault in sorted(self._standing - faults.keys(), key=lambda fault: fault.value):
            told = say("over: {fault}", fault=worded(fault.value))
            print(f"  {told}")
        for fault, detail in faults.items():
            if fault not in self._standing:
                print_fault(fault, detail)
        self._standing = frozenset(faults)


def _heading() -> str:
    words = " ".join(right(say(word), _NUMBER_COLUMNS) for word in _HEADING)
    return f"{padded(say('time'), _TIME_COLUMNS)}  {words}"
