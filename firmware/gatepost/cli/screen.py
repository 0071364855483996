"""`gatepost screen`: a file of readings through the gate's own screening, one JSON line a person.

The same core as at the gate, without its hardware: for judging it on people whose temperature is
known. The file's object temperatures count as skin temperatures (a camera's, or `skin_c` of a
gate's record), its samples as they are; the gate itself wants more of them.
"""

import argparse
import csv
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from gatepost.cli.main import fail
from gatepost.core.offset import SETTLING_DOUBT_C, START_OFFSET_C, Offset, learn, teaches
from gatepost.core.screening import Instrument, Limits, Verdict, judge
from gatepost_config.settings import Screening
from gatepost_hal.ports import Reading

_COLUMNS = ("person", "object_c", "ambient_c")
# One sample shows neither movement nor a sensor that stands still.
_LEAST_SAMPLES = 2
# The median of fewer people than this is no better than where learning starts.
_LEAST_PEOPLE = 20
_MOST_PEOPLE = 10_000


class Person(NamedTuple):
    """One person's samples, in the order of the file."""

    name: str
    samples: tuple[Reading, ...]


class FileError(ValueError):
    """The file is not one of readings; the message names file, line and remedy."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    site = Screening()  # the defaults of a gate's settings
    parser.add_argument(
        "file", type=Path, metavar="FILE", help=f"CSV with a header: {','.join(_COLUMNS)}"
    )
    parser.add_argument(
        "--limit",
        type=_celsius,
        default=site.limit_c,
        metavar="C",
        help="strictly more is referred (default: %(default)s)",
    )
    parser.add_argument(
        "--guard-c",
        type=_celsius,
        default=site.guard_c,
        metavar="G",
        help="this near to the limit is measured once more (default: %(default)s)",
    )
    parser.add_argument(
        "--k",
        type=_celsius,
        default=START_OFFSET_C,
        metavar="K",
        help="skin temperature to index, at 24 C ambient (default: %(default)s)",
    )
    parser.add_argument(
        "--learn",
        type=_people,
        default=0,
        metavar="N",
        help="learn K from the first N people of the file; it then counts for all (default: no)",
    )


def run(args: argparse.Namespace) -> int:
    """Print a line for each person of the file."""
    try:
        people = read_people(args.file)
    except (FileError, OSError) as error:
        fail(str(error))
    limits = Limits(args.limit, args.guard_c, _LEAST_SAMPLES)
    instrument = Instrument(args.k)
    if args.learn > 0:
        instrument = learnt(people[: args.learn], limits, instrument)
    for person in people:
        verdict = verdict_of(person, limits, instrument)
        line = {
            "person": person.name,
            "index_c": verdict.index_c,
            "zone": verdict.zone.value,
            "reason": verdict.reason.value,
            "samples": len(person.samples),
            "k": instrument.offset_c,
        }
        print(json.dumps(line))
    return 0


def verdict_of(person: Person, limits: Limits, instrument: Instrument) -> Verdict:
    """Return what a person's samples say, however many there are."""
    return judge(person.samples, limits, instrument)


def learnt(people: Sequence[Person], limits: Limits, instrument: Instrument) -> Instrument:
    """Return the instrument with the offset that these people set, as a new gate's first do."""
    verdicts = [verdict_of(person, limits, instrument) for person in people]
    offset = Offset("file", instrument.offset_c, instrument.offset_c)
    verdicts = [verdict for verdict in verdicts if teaches(offset, verdict, limits)]
    if len(verdicts) < _LEAST_PEOPLE:
        print(
            f"gatepost: {len(verdicts)} people to learn from, and {_LEAST_PEOPLE} are needed: k "
            f"stays {instrument.offset_c}, and the guard band is {SETTLING_DOUBT_C} C wider",
            file=sys.stderr,
        )
        return replace(instrument, doubt_c=SETTLING_DOUBT_C)
    for verdict in verdicts:
        offset = learn(offset, verdict, limits, admitted=True, people=len(verdicts))
    return replace(instrument, offset_c=offset.offset_c)


def read_people(path: Path) -> list[Person]:
    """Return the people of a file: CSV, one row a sample, the rows of one person together.

    Raises:
        FileError: a column, a number or the order is not as it must be; nothing is used then.
        OSError: it cannot be read.
    """
    people: dict[str, list[Reading]] = {}
    last = None
    for where, name, reading in _rows(path):
        if name != last and name in people:
            raise FileError(f"{where}: {name!r} was here before; put a person's rows together")
        people.setdefault(name, []).append(reading)
        last = name
    return [Person(name, tuple(samples)) for name, samples in people.items()]


def _rows(path: Path) -> Iterator[tuple[str, str, Reading]]:
    """Yield where it stands, the person, and the reading of each row."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
            if missing:
                raise FileError(f"{path}:1: no column {', '.join(missing)}; name it in the header")
            for row in rows:
                where = f"{path}:{rows.line_num}"
                object_c, ambient_c = (_number(where, key, row[key]) for key in _COLUMNS[1:])
                if not row["person"]:
                    raise FileError(f"{where}: person is empty; each row needs one")
                yield where, row["person"], Reading(0.0, object_c, ambient_c)
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except csv.Error as error:
        raise FileError(f"{path}: not CSV: {error}") from None


def _number(where: str, key: str, text: str | None) -> float:
    try:
        number = float(text or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise FileError(
            f"{where}: {key} = {text!r}: must be a number of degrees Celsius; leave out the row of "
            "a sample that does not exist"
        )
    return number


def _people(text: str) -> int:
    people = int(text)
    if not 0 <= people <= _MOST_PEOPLE:
        raise argparse.ArgumentTypeError(f"{text}: must be from 0 to {_MOST_PEOPLE} people")
    return people


def _celsius(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text}: must be a number of degrees Celsius")
    return number
