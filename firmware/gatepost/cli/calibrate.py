"""`gatepost calibrate`: two points on a blackbody, step by step, for a technician at the gate.

Nothing is written before the whole is good and somebody has said yes.
"""

import argparse
import calendar
import datetime as dt
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, get_type_hints

import msgspec

from gatepost.cli.bench_sensor import (
    SIMULATED,
    Bench,
    complaint,
    real_bench,
    simulated_bench,
    tell,
)
from gatepost.cli.calibration_file import former, write
from gatepost.cli.calibration_point import (
    RefusedError,
    StoppedError,
    instructions,
    measure_point,
)
from gatepost.cli.main import fail
from gatepost.cli.process import add_config_argument
from gatepost.cli.words import mark, say, yes_or_no
from gatepost.core.correction import MIN_SPAN_C, Point, calibration_problems
from gatepost.core.offset import SETTLING_PEOPLE
from gatepost.doctor.columns import padded
from gatepost.wiring.thermometer import calibration_of, check_part
from gatepost_config.calibration import CalibrationRecord, PointRecord
from gatepost_config.load import load
from gatepost_config.settings import Settings
from gatepost_hal.parts import PARTS
from gatepost_hal.ports import Chip, SensorFault

TRIES = 3  # at each point
_TITLE_COLUMNS = 14

_REFERENCE_C = (28.0, 45.0)
_LOW_C, _HIGH_C = 33.0, 38.0  # what is asked for
_EARLIEST = dt.date(2026, 1, 1)  # a clock that shows less was never set
_LEAST_MONTHS, _MOST_MONTHS = 1, 24
_NOTHING_WRITTEN = mark("Nothing was written.")


class Signature(NamedTuple):
    """Who calibrates with what, and for how many months it counts."""

    by: str
    reference: str
    months: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_config_argument(parser)
    parser.add_argument(
        "--by", type=_text, required=True, metavar="NAME", help="who calibrates: your name"
    )
    parser.add_argument(
        "--reference",
        type=_text,
        required=True,
        metavar="TEXT",
        help="the blackbody: maker, type, number, its own certificate",
    )
    parser.add_argument(
        "--months",
        type=_months,
        default=12,
        metavar="N",
        help="the next calibration is due after so many (default: %(default)s)",
    )
    parser.add_argument("--yes", action="store_true", help="write without asking")
    parser.add_argument(
        "--simulated",
        action="store_true",
        help="no sensor: a simulated one, which sees the temperature that you type",
    )


def run(args: argparse.Namespace) -> int:
    """Guide through a calibration and write it; 1 when there is none at the end."""
    settings = load(args.config)
    check_part(settings, args.config)
    signature = Signature(args.by, args.reference, args.months)
    opened = simulated_bench(settings) if args.simulated else real_bench(settings)
    try:
        with opened as bench:
            if bench.is_simulated:
                tell(SIMULATED)
            record = Guide(settings, bench, ask=input).calibrate(signature)
        path = _path(settings, record.sensor_id)
        show_result(record, path)
        if not args.yes:
            confirm(input)
    except StoppedError as error:
        fail(f"{error} {say(_NOTHING_WRITTEN)}")
    except KeyboardInterrupt:
        print(f"\n{say(_NOTHING_WRITTEN)}")
        raise
    write(record, path)
    say_what_follows(settings)
    if args.simulated:
        tell(
            mark("SIMULATED: it counts for the simulated sensor alone, that of gatepost simulate.")
        )
    return 0


def _path(settings: Settings, sensor_id: str) -> Path:
    return settings.paths.calibration_dir / f"{sensor_id}.toml"


# -------------------------------------------------------------------------------- the guidance


class Guide:
    """Leads through both points. `ask` shows a question and returns the line that was typed."""

    def __init__(self, settings: Settings, bench: Bench, *, ask: Callable[[str], str]) -> None:
        self._settings = settings
        self._bench = bench
        self._ask = ask

    def calibrate(self, signature: Signature) -> CalibrationRecord:
        """Return the calibration of the sensor that answers.

        Raises:
            StoppedError: there is none.
        """
        # What would keep it from being written is told before the work, not after.
        self._today()
        check_writable(self._settings.paths.calibration_dir)
        chip = self._identify()
        low = self._point(chip, None)
        high = self._point(chip, low)
        on = self._today()
        return CalibrationRecord(
            sensor_id=chip.sensor_id,
            chip_emissivity=chip.emissivity,
            chip_config=chip.config,
            by=signature.by,
            reference=signature.reference,
            on=on,
            due=months_later(on, signature.months),
            low=PointRecord(low.reference_c, low.measured_c),
            high=PointRecord(high.reference_c, high.measured_c),
        )

    def _today(self) -> dt.date:
        today = dt.datetime.fromtimestamp(self._bench.clock.utc_s(), dt.UTC).date()
        if today < _EARLIEST:
            told = say(
                "The clock of this computer says {today}; a calibration needs the true date. Look "
                "with timedatectl, set it with: sudo timedatectl set-ntp false; "
                "sudo timedatectl set-time 'YYYY-MM-DD HH:MM'; sudo timedatectl set-ntp true",
                today=today,
            )
            raise StoppedError(told)
        return today

    def _identify(self) -> Chip:
        event = self._bench.sample()
        for _ in range(TRIES - 1):
            if isinstance(event, SensorFault):
                event = self._bench.sample()
        if isinstance(event, SensorFault):
            raise StoppedError(complaint(event))
        if event.chip is None:
            raise StoppedError(say("The sensor has no identity, so nothing can be kept for it."))
        sensor = self._settings.sensor
        print(say("Sensor {id}", id=event.chip.sensor_id))
        print(
            say("Part   {part}, supplied with {volts} V", part=sensor.part, volts=sensor.supply_v)
        )
        told = former(_path(self._settings, event.chip.sensor_id))
        tell(say("Before: {told}", told=told))
        minutes = math.ceil(sensor.warm_up_s / 60)
        told = say(
            "The sensor must have been on for {minutes} minutes, out of sun and wind. Take a "
            "blackbody with a cavity: a flat plate shines less than its display says.",
            minutes=minutes,
        )
        tell(told)
        return event.chip

    def _point(self, chip: Chip, low: Point | None) -> Point:
        """Return one point; `low` is the one before, if there was one."""
        number, about_c = (1, _LOW_C) if low is None else (2, _HIGH_C)
        told = say("Point {number} of 2: about {about} C", number=number, about=f"{about_c:g}")
        print(f"\n--- {told} ---")
        sensor = self._settings.sensor
        for step, text in enumerate(instructions(PARTS[sensor.part], about_c), 1):
            tell(text, indent=f"{step}. ")
        for attempt in range(1, TRIES + 1):
            reference_c = self._reference_c(low)
            self._bench.look_at(reference_c)
            try:
                measured = measure_point(self._bench, sensor, chip)
                point = Point(reference_c, measured.measured_c)
                _check(point, low)
            except RefusedError as error:
                told = mark("Not good, try {attempt} of {tries}: {why}")
                tell(say(told, attempt=attempt, tries=TRIES, why=error), indent="! ")
                continue
            told = say(
                "Good: the blackbody has {reference} C, the sensor says {measured} C. Spread "
                "{spread} C in {samples} samples.",
                reference=f"{reference_c:.2f}",
                measured=f"{point.measured_c:.2f}",
                spread=f"{measured.spread_c:.2f}",
                samples=measured.samples,
            )
            tell(told)
            return point
        told = say(
            "{tries} tries at point {number} were not good. Mend what was said, then begin again.",
            tries=TRIES,
            number=number,
        )
        raise StoppedError(told)

    def _reference_c(self, low: Point | None) -> float:
        """Ask for the blackbody's temperature until there is one that can be used."""
        least_c, most_c = _REFERENCE_C
        if low is None:
            most_c -= MIN_SPAN_C  # room for the second point
        else:
            least_c = low.reference_c + MIN_SPAN_C
        while True:
            try:
                typed = self._ask(say("Steady? Type its temperature in C: ")).strip()
            except (EOFError, RuntimeError):  # RuntimeError: there never was an input
                print()
                raise StoppedError(say("The input ended.")) from None
            except UnicodeDecodeError:
                typed = ""
            try:
                celsius = float(typed.rstrip("Cc° ").replace(",", "."))
            except ValueError:
                like = f"{least_c + 4.1:.1f}"
                tell(
                    say(
                        "'{typed}' is no number. Type it like this: {like}",
                        typed=typed[:20],
                        like=like,
                    )
                )
                continue
            if least_c <= celsius <= most_c:
                return celsius
            told = say(
                "{celsius} C cannot be used here: from {least} to {most} C, please.",
                celsius=f"{celsius:g}",
                least=f"{least_c:g}",
                most=f"{most_c:g}",
            )
            tell(told)


def _check(point: Point, low: Point | None) -> None:
    """Raise RefusedError where the points cannot become a calibration."""
    if low is not None:
        problems = calibration_problems(low, point)
    else:
        # As if the second came out with the same error: that of this one is all there is to ask.
        second = Point(point.reference_c + MIN_SPAN_C, point.measured_c + MIN_SPAN_C)
        problems = calibration_problems(point, second)[:1]
    if problems:
        raise RefusedError(" ".join(map(say, problems)))


def show_result(record: CalibrationRecord, path: Path) -> None:
    """Print what would be written."""
    low, high = record.low, record.high
    low_error_c = low.measured_c - low.reference_c
    high_error_c = high.measured_c - high.reference_c
    print(f"\n--- {say('Result')} ---")
    for title, text in (
        ("", say("   low    high")),
        (say("blackbody C"), f"{low.reference_c:6.2f}  {high.reference_c:6.2f}"),
        (say("sensor C"), f"{low.measured_c:6.2f}  {high.measured_c:6.2f}"),
        (say("error C"), f"{low_error_c:+6.2f}  {high_error_c:+6.2f}"),
        (say("gain"), f"{calibration_of(record).gain:6.3f}"),
        (say("due"), record.due),
    ):
        print(f"{padded(title, _TITLE_COLUMNS)}{text}")
    tell(say("File: {path}", path=path))


def confirm(ask: Callable[[str], str]) -> None:
    """Raise StoppedError unless somebody says yes."""
    try:
        answer = ask(say("Write? [y/N] "))
    except (EOFError, RuntimeError, UnicodeDecodeError):
        answer = ""
        print()
    if yes_or_no(answer) is not True:
        raise StoppedError(say("You did not say yes."))


def check_writable(folder: Path) -> None:
    """Raise StoppedError where this user may not make a file in `folder`, or make the folder."""
    try:
        existing = next(place for place in (folder, *folder.parents) if place.exists())
        may = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
    except PermissionError:
        may = False
    if not may:
        told = say(
            "{folder}: this user cannot write there. Begin the command with sudo, or correct "
            "[paths] calibration_dir in the settings.",
            folder=folder,
        )
        raise StoppedError(told)


def say_what_follows(settings: Settings) -> None:
    """Say what the technician has to do now, and what the gate will do."""
    tell(mark("The gate takes it up when it starts: sudo systemctl restart gatepost-gate"))
    if not settings.screening.learns:
        told = say(
            "[screening] learns = false: the offset of the settings was found with the former "
            "calibration; check it."
        )
    else:
        told = say(
            "It then learns its offset anew, from {people} people. Until then more of them are "
            "measured twice.",
            people=SETTLING_PEOPLE,
        )
    tell(told)


def months_later(day: dt.date, months: int) -> dt.date:
    """Return the same day `months` later, or the last of that month."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return dt.date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def _text(text: str) -> str:
    """Return what a calibration file can hold."""
    text = text.strip()
    allowed = get_type_hints(CalibrationRecord, include_extras=True)["by"]
    try:
        text.encode()  # an argument may hold bytes that are no text
        msgspec.convert(text, allowed)
    except ValueError:
        told = say("must be 1 to 80 characters, without double quotes, backslashes and line ends")
        raise argparse.ArgumentTypeError(told) from None
    return text


def _months(text: str) -> int:
    months = int(text)
    if not _LEAST_MONTHS <= months <= _MOST_MONTHS:
        told = mark("{text}: from {least} to {most} months")
        told = say(told, text=text, least=_LEAST_MONTHS, most=_MOST_MONTHS)
        raise argparse.ArgumentTypeError(told)
    return months
