"""`gatepost measure`: what the sensor sees now, through the same core as at the gate.

A screening of one spot of skin, never a diagnosis.
"""

import argparse
import json
import sys

from gatepost.cli.bench_sensor import (
    SIMULATED,
    complaint,
    complaint_of,
    real_bench,
    simulated_bench,
    tell,
)
from gatepost.cli.main import fail
from gatepost.cli.measure_session import (
    Attempt,
    Session,
    faults_as_json,
    identity,
    number,
    sample_as_json,
)
from gatepost.cli.measure_text import print_attempt
from gatepost.cli.measure_watch import watch
from gatepost.cli.process import add_config_argument
from gatepost.cli.words import mark, say
from gatepost.core.events import Json
from gatepost.core.offset import Offset
from gatepost.core.screening import GUIDANCE
from gatepost.wiring.thermometer import OffsetStore, check_part
from gatepost_config.load import load
from gatepost_config.settings import Settings
from gatepost_services.state_file import StateFileError, read_state

_COLDEST_C, _HOTTEST_C = 0.0, 60.0  # of what a simulated sensor looks at
_TOO_SLOW = mark("The sensor is too slow for [lane] measure_timeout_s: allow more time there.")


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
        told = mark("{why}; so the offset is that of a new gate. Begin the command with sudo.")
        print(f"gatepost: {say(told, why=error)}", file=sys.stderr)
        return {}
    return OffsetStore(path).load()


def once(session: Session, *, as_json: bool) -> int:
    """Print one attempt; return the exit status."""
    attempt = session.attempt()
    if as_json:
        print(json.dumps(_as_json(session, attempt)))
    elif attempt.samples:
        print_attempt(session, attempt)
    if attempt.verdict.index_c is None:
        fail(say(_TOO_SLOW) if attempt.fault is None else complaint(attempt.fault))
    return 0


def _as_json(session: Session, attempt: Attempt) -> dict[str, Json]:
    verdict = attempt.verdict
    samples: list[Json] = [sample_as_json(session, sample) for sample in attempt.samples]
    return {
        **identity(session),
        "samples": samples,
        "object_c": number(verdict.object_c),
        "skin_c": number(verdict.skin_c),
        "max_c": number(verdict.max_c),
        "spread_c": number(verdict.spread_c),
        "ambient_c": [number(ambient_c) for ambient_c in verdict.ambient_c or ()],
        "index_c": number(verdict.index_c),
        "limit_c": session.limits.limit_c,
        "guard_c": number(verdict.guard_c),
        "zone": verdict.zone.value,
        "reason": verdict.reason.value,
        "told": GUIDANCE[verdict.reason].say,
        "faults": faults_as_json(session.faults),
        "failure": None if attempt.fault is None else complaint_of(attempt.fault),
    }


def _celsius(text: str) -> float:
    celsius = float(text)
    if not _COLDEST_C <= celsius <= _HOTTEST_C:
        limits = {"least": _COLDEST_C, "most": _HOTTEST_C}
        raise argparse.ArgumentTypeError(
            say("{text}: must be from {least} to {most} C", text=text, **limits)
        )
    return celsius
