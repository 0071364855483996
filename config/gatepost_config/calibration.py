"""The calibration files: one a sensor, named by its id, written by `gatepost calibrate`.

A technician may read one, keep it with the sensor, and put it on another gate; nobody has to write
one by hand. What is in it is as strict as the settings.
"""

import datetime as dt
import hashlib
import tomllib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from gatepost_config.load import ConfigError

SensorId = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}\Z")]
# What a blackbody must have to say something about skin; a sound part sees it within 1.5 C.
_Reference = Annotated[float, Meta(ge=28, le=45)]
_Measured = Annotated[float, Meta(ge=25, le=48)]
_Text = Annotated[str, Meta(min_length=1, max_length=80, pattern=r'^[^"\\\x00-\x1f\x7f]*\Z')]


_NAME_DIGITS = 6


class PointRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """One temperature of the reference and what the part made of it, supply corrected."""

    reference_c: _Reference
    measured_c: _Measured


class CalibrationRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """Who calibrated which sensor when, with what, how, and until when it counts."""

    sensor_id: SensorId
    # What the chip said of itself: a change of either is another instrument.
    chip_emissivity: Annotated[float, Meta(gt=0, le=1)]
    chip_config: Annotated[int, Meta(ge=0, le=0xFFFF)]
    by: _Text
    reference: _Text  # maker, type, number of the blackbody, its own certificate
    on: dt.date
    due: dt.date
    low: PointRecord
    high: PointRecord

    @property
    def name(self) -> str:
        """What events cite: the sensor, the day, and a digest that tells two of one day apart."""
        digest = hashlib.sha256(as_toml(self).encode()).hexdigest()[:_NAME_DIGITS]
        return f"{self.sensor_id}/{self.on.isoformat()}-{digest}"

    @property
    def due_utc_s(self) -> float:
        """The end of the due day, POSIX seconds."""
        end = dt.datetime.combine(self.due, dt.time.max, dt.UTC)
        return end.timestamp()


def load_calibrations(folder: Path) -> tuple[dict[str, CalibrationRecord], tuple[str, ...]]:
    """Return the calibrations in a folder by sensor id, and a sentence for each file that is none.

    A bad file must not keep a gate from starting; its sensor counts as not calibrated.
    """
    found: dict[str, CalibrationRecord] = {}
    problems: list[str] = []
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".toml")
    except FileNotFoundError:
        return {}, ()
    except OSError as error:
        return {}, (f"{folder}: cannot be read: {error.strerror}.",)
    for path in paths:
        try:
            record = load_calibration(path)
        except ConfigError as error:
            problems += error.problems
            continue
        if path.stem != record.sensor_id:
            problems.append(
                f"{path}: it is that of sensor {record.sensor_id}; name it {record.sensor_id}.toml."
            )
            continue
        found[record.sensor_id] = record
    return found, tuple(problems)


def load_calibration(path: Path) -> CalibrationRecord:
    """Return the record in `path`.

    Raises:
        ConfigError: it cannot be read, or is no calibration.
    """
    try:
        record = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), CalibrationRecord)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}."]) from None
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, not a calibration
        remedy = "Run gatepost calibrate again, or put the file back from a copy."
        raise ConfigError([f"{path}: no calibration: {error}. {remedy}"]) from None
    if record.due <= record.on:
        raise ConfigError([f"{path}: due = {record.due}: must be later than on = {record.on}."])
    return record


def as_toml(record: CalibrationRecord) -> str:
    """Return a record as the text of its file."""
    return (
        "# Written by gatepost calibrate. The sensor's readings are made to fit these two points.\n"
        f'sensor_id = "{record.sensor_id}"\n'
        f"chip_emissivity = {record.chip_emissivity!r}\n"
        f"chip_config = 0x{record.chip_config:04x}\n"
        f'by = "{record.by}"\n'
        f'reference = "{record.reference}"\n'
        f"on = {record.on.isoformat()}\n"
        f"due = {record.due.isoformat()}\n"
        f"low = {{ reference_c = {record.low.reference_c!r}, "
        f"measured_c = {record.low.measured_c!r} }}\n"
        f"high = {{ reference_c = {record.high.reference_c!r}, "
        f"measured_c = {record.high.measured_c!r} }}\n"
    )
