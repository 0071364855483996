"""What a gate with people has to tell: the events of its days, with the data that they carry."""

from collections.abc import Iterator, Mapping
from random import Random

from gatepost_services.record import Entry, JsonValue

# One in so many is an alarm, and one in so many a figure of the thermometer.
ALARM_EACH, TELEMETRY_EACH = 1000, 200
_BEGAN_UTC_S = 1_790_000_000.0


def entries(count: int, seed: int = 1, apart_s: float = 1.0) -> Iterator[Entry]:
    """Yield `count` events: people come in and go out again, now and then something else.

    `apart_s` seconds lie between two of them.
    """
    chance = Random(seed)
    for number in range(count):
        at_s = number * apart_s
        utc_s = _BEGAN_UTC_S + at_s
        if number % ALARM_EACH == ALARM_EACH - 1:
            yield alarm(at_s, utc_s)
        elif number % TELEMETRY_EACH == TELEMETRY_EACH - 1:
            learnt = {"offset_c": 2.431, "spread_c": 0.31, "people": number}
            yield Entry("thermometer.learnt", at_s, utc_s, learnt, "ntp")
        else:
            type_, data = _of_a_person(number, chance)
            yield Entry(type_, at_s, utc_s, data, "ntp")


def alarm(at_s: float, utc_s: float) -> Entry:
    """Return an event that somebody must look at."""
    return Entry("passage.forced", at_s, utc_s, {"state": "idle", "direction": "entry"}, "ntp")


def decision(number: int, at_s: float, utc_s: float) -> Entry:
    """Return the longest of the usual events: somebody is let in."""
    return Entry("visit.admitted", at_s, utc_s, _admitted(number, Random(number)), "ntp")


def _of_a_person(number: int, chance: Random) -> tuple[str, Mapping[str, JsonValue]]:
    visit, step = divmod(number, 4)
    who: dict[str, JsonValue] = {"subject": f"subject-{visit % 2000}", "category": "resident"}
    match step:
        case 0:
            return "visit.admitted", _admitted(visit, chance)
        case 1:
            return "passage.entered", {"visit": visit, "direction": "entry", **who}
        case 2:
            return "exit.released", {"direction": "exit", **who}
        case _:
            return "passage.left", {"direction": "exit", **who}


def _admitted(visit: int, chance: Random) -> dict[str, JsonValue]:
    skin_c = round(chance.gauss(34.1, 0.4), 2)
    samples_c = [round(skin_c + chance.gauss(0.0, 0.12), 2) for _ in range(7)]
    return {
        "visit": visit,
        "direction": "entry",
        "subject": f"subject-{visit % 2000}",
        "category": "resident",
        "outcome": "admit",
        "rules": ["R001", "R006", "R067"],
        "attempt": 1,
        "zone": "pass",
        "reason": "below_limit",
        "say": "please go",
        "index_c": round(skin_c + 2.36, 2),
        "guard_c": 0.25,
        "offset_c": 2.431,
        "object_c": skin_c,
        "skin_c": skin_c,
        "skin_max_c": max(samples_c),
        "spread_c": round(max(samples_c) - min(samples_c), 2),
        "ambient_c": [24.39, 24.41],
        "samples_c": list(samples_c),
        "calibration": "2026-11-factory",
    }
