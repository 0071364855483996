"""What `gatepost measure` says of one attempt, of a sensor, of a fault, in the user's language."""

import datetime as dt

from gatepost.cli.bench_sensor import tell
from gatepost.cli.measure_session import Attempt, Session
from gatepost.cli.words import mark, say
from gatepost.core.faults import FAULTS, Fault
from gatepost.core.offset import SETTLING_PEOPLE
from gatepost.core.screening import GUIDANCE, Verdict
from gatepost.core.words import Text
from gatepost.doctor.columns import padded, right
from gatepost_hal.ports import Chip

NO_DIAGNOSIS = mark("This is a screening of one spot of skin, no diagnosis.")

_LABEL_COLUMNS, _NUMBER_COLUMNS = 8, 6
_HEADING = (mark("sample"), mark("raw"), mark("skin"), mark("amb"))


def worded(name: str) -> str:
    """Return the name of a zone, a reason or a fault in words.

    The English ones are its own; firmware/words/translate.py knows of them all.
    """
    return say(name.replace("_", " "))


def print_attempt(session: Session, attempt: Attempt) -> None:
    """Print an attempt that has samples: the sensor, each sample, what follows from them."""
    verdict = attempt.verdict
    print_sensor(session, attempt.samples[-1].chip)
    print()
    print("  ".join(right(say(word), _NUMBER_COLUMNS) for word in _HEADING) + "   (C)")
    for number, sample in enumerate(attempt.samples, 1):
        skin = session.skin(sample)
        numbers = (sample.object_c, skin.object_c, skin.ambient_c)
        columns = "  ".join(f"{each:{_NUMBER_COLUMNS}.2f}" for each in numbers)
        again = f"   {say('read again')}" if sample.repeats else ""
        print(f"{number:{_NUMBER_COLUMNS}}  {columns}{again}")
    if verdict.index_c is not None:
        _print_numbers(session, verdict)
    zone, reason = worded(verdict.zone.value), worded(verdict.reason.value)
    _print(say("zone"), say("{zone}, because: {reason}", zone=zone, reason=reason))
    _print(say("told"), f'"{say(GUIDANCE[verdict.reason].say)}"')
    for fault, detail in session.faults.items():
        print_fault(fault, detail)
    tell(NO_DIAGNOSIS)


def print_sensor(session: Session, chip: Chip | None) -> None:
    """Print which sensor answers, how it is calibrated, and what was learnt about it."""
    _print(say("sensor"), say("without an identity") if chip is None else chip.sensor_id)
    calibration = chip and session.setup.calibrations.get(chip.sensor_id)
    if calibration:
        # Its end rounds up into the next day, which the last day of all does not have.
        due = dt.datetime.fromtimestamp(calibration.due_utc_s - 1, dt.UTC).date()
        _print(say("calibr."), calibration.name)
        _print("", say("due {date}", date=due))
    else:
        _print(say("calibr."), say("none here: the factory's counts"))
    offset = session.sensing.offset
    if not session.setup.learns:
        learnt = say("set by hand")
    elif offset.settled_c is None:
        counts = {"people": offset.people, "settling": SETTLING_PEOPLE}
        learnt = say("being learnt, {people} of {settling} people", **counts)
    else:
        learnt = say("learnt from {people} people", people=offset.people)
    told = mark("{offset} C, {learnt}")
    _print(say("offset"), say(told, offset=f"{offset.offset_c:.2f}", learnt=learnt))


def print_fault(fault: Fault, detail: str) -> None:
    """Print a fault with its remedy; the detail is that of the gate's records."""
    told = Text(
        "{fault}: {detail}. Remedy: {remedy}.",
        {
            "fault": Text(fault.value.replace("_", " ")),
            "detail": detail,
            "remedy": Text(FAULTS[fault].remedy),
        },
    )
    tell(told, indent="! ")


def _print_numbers(session: Session, verdict: Verdict) -> None:
    before_c, after_c = verdict.ambient_c or (0.0, 0.0)
    limits = session.limits
    room = " " * (_NUMBER_COLUMNS + 2)
    _row(say("median"), f"{verdict.object_c:6.2f}  {verdict.skin_c:6.2f}")
    _row(say("max"), f"{room}{verdict.max_c:6.2f}")
    _row(say("spread"), f"{room}{verdict.spread_c:6.2f}")
    print()
    ambient = mark("{before} before, {after} after")
    _print(say("ambient"), say(ambient, before=f"{before_c:.2f}", after=f"{after_c:.2f}"))
    _print(say("index"), f"{verdict.index_c:.2f}")
    limit = mark("{limit}; within {guard} of it: measured again")
    _print(say("limit"), say(limit, limit=limits.limit_c, guard=f"{verdict.guard_c:.2f}"))


def _print(label: str, text: str) -> None:
    print(f"{padded(label, _LABEL_COLUMNS)} {text}")


def _row(label: str, numbers: str) -> None:
    print(f"{padded(label, _LABEL_COLUMNS)}{numbers}")
