"""`gatepost lane`: asks the running gate how things stand, commands it, tests its parts.

It talks to the gate over its local socket; the gate decides, and records who asked.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from gatepost.cli.main import fail
from gatepost.cli.process import add_config_argument
from gatepost.core.events import Tested, Verb
from gatepost.wiring.orders import ACKNOWLEDGED, DISINFECTED
from gatepost_config.load import load
from gatepost_config.settings import Settings
from gatepost_services.control import ControlError, ask

_ANSWER_S = 5.0
_INPUT_S = 15.0  # to press a button, or turn a key
_LOOK_S = 0.2
_WHY = {
    "not_now": "not in this state; gatepost lane status shows it",
    "no_record": "the gate cannot write it down; gatepost lane status shows the fault",
    "late": "the gate was too slow to take it; try again",
}
_SEEN = {
    Tested.ENTRY_RELAY: "does the relay of the entry click, and is the entry free?",
    Tested.EXIT_RELAY: "does the relay of the exit click, and is the exit free?",
    Tested.GREEN_LAMP: "is the green lamp lit, alone?",
    Tested.AMBER_LAMP: "is the amber lamp lit, alone?",
    Tested.RED_LAMP: "is the red lamp lit, alone?",
    Tested.BUZZER: "does it sound twice?",
}
# What to do so that an input becomes active. Fire and emergency free the way while they are.
_DO = {
    "presence": "stand in front of the sensor",
    "passage": "turn the arm (while the technician's key is turned nobody is counted)",
    "passage_exit": "turn the arm outwards",
    "exit_button": "press the exit button",
    "staff_release": "press the staff's release",
    "tamper": "open the housing's contact",
    "emergency": "open the emergency contact: both ways become free",
    "fire": "open the fire contact: both ways become free",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_config_argument(parser)
    what = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    status = what.add_parser("status", help="how things stand")
    status.add_argument("--json", action="store_true", help="one line of JSON")
    for verb, help_text in {
        Verb.RELEASE_ENTRY: "let one person in",
        Verb.RELEASE_EXIT: "let one person out",
        Verb.LOCK: "let nobody in by a pass, until unlocked",
        Verb.UNLOCK: "end the lock-down",
        Verb.CLOSE: "take the lane out of service; the exit stays as it is",
        Verb.OPEN: "put it into service again",
        Verb.BEGIN_MAINTENANCE: "as the technician's key",
        Verb.END_MAINTENANCE: "leave the lane as it was before",
    }.items():
        what.add_parser(_word(verb), help=help_text)
    what.add_parser(DISINFECTED, help="what people touch here was disinfected; the reminder ends")
    what.add_parser(ACKNOWLEDGED, help="you know of the escalations; they are not raised again")
    test = what.add_parser("test", help="try every output and input, one by one")
    test.add_argument(
        "outputs",
        nargs="*",
        metavar="OUTPUT",
        help=f"only these: {', '.join(_word(tested) for tested in Tested)}",
    )


def run(args: argparse.Namespace) -> int:
    """Ask or command; return 1 when the gate refused, or a test failed."""
    settings = load(args.config)
    if args.what == "status":
        status = _asked(settings, "status")
        print(json.dumps(status) if args.json else _told(status))
        return 0
    if args.what == "test":
        return _test(settings, _outputs(args.outputs))
    if args.what in (DISINFECTED, ACKNOWLEDGED):
        return _command(settings, args.what)
    return _command(settings, Verb(args.what.replace("-", "_")).value)


def _word(named: Verb | Tested) -> str:
    value: str = named.value
    return value.replace("_", "-")


def _outputs(words: list[str]) -> list[Tested]:
    known = {_word(tested): tested for tested in Tested}
    unknown = [word for word in words if word not in known]
    if unknown:
        fail(f"no output {unknown[0]!r}; there are: {', '.join(known)}", status=2)
    return [known[word] for word in words]


def _asked(settings: Settings, verb: str, output: Tested | None = None) -> Mapping[str, Any]:
    request = {"verb": verb} if output is None else {"verb": verb, "output": output.value}
    try:
        return ask(settings.paths.control, request, _ANSWER_S)
    except ControlError as error:
        fail(str(error))


def _command(settings: Settings, verb: str) -> int:
    answer = _asked(settings, verb)
    word = verb.replace("_", "-")
    if answer.get("done"):
        print(f"{word}: done. {_told(answer)}")
        return 0
    why = str(answer.get("why", "no_record"))
    print(f"{word}: refused, {_WHY.get(why, why)}. {_told(answer)}")
    return 1


def _told(status: Mapping[str, Any]) -> str:
    standing = ", ".join(status["standing"]) or "nothing"
    active = ", ".join(name for name, level in status["inputs"].items() if level) or "none"
    faults = ", ".join(status["faults"]) or "none"
    return (
        f"state: {status['state']}; ordered or raised: {standing}; active inputs: {active}; "
        f"faults: {faults}"
    )


# ---------------------------------------------------------------------------------------- testing


def _test(settings: Settings, outputs: list[Tested]) -> int:
    """Try outputs and, where none was named, inputs; leave the lane as it was."""
    before = _asked(settings, "status")
    began_here = "maintenance" not in before["standing"]
    if began_here and _command(settings, Verb.BEGIN_MAINTENANCE.value):
        return 1
    try:
        tried = {tested: _test_output(settings, tested) for tested in outputs or Tested}
        failed = [_word(tested) for tested, is_right in tried.items() if not is_right]
        if not outputs:
            failed += _test_inputs(settings)
    finally:
        if began_here:
            _command(settings, Verb.END_MAINTENANCE.value)
    print(f"failed: {', '.join(failed)}" if failed else "all of it works")
    return 1 if failed else 0


def _test_output(settings: Settings, tested: Tested) -> bool:
    answer = _asked(settings, Verb.TEST.value, tested)
    if not answer.get("done"):
        print(f"{_word(tested)}: refused, {answer.get('why')}; {_told(answer)}")
        return False
    question = f"{_word(tested)}: {_SEEN[tested]} [y/n] "
    while (said := input(question).strip().lower()) not in ("y", "n"):
        pass
    # The next test begins when this one has ended by itself.
    _wait_until(settings, lambda status: status["state"] != "testing")
    return said == "y"


def _test_inputs(settings: Settings) -> list[str]:
    failed = []
    for name in _wired(settings):
        print(f"{name}: {_DO[name]} (within {_INPUT_S:.0f} s)")
        if _wait_until(settings, partial(_is_level, name, wanted=True)):
            print(f"{name}: seen; let go of it")
            _wait_until(settings, partial(_is_level, name, wanted=False))
        else:
            print(f"{name}: not seen; check its wire and its line in [pins]")
            failed.append(name)
    return failed


def _is_level(name: str, status: Mapping[str, Any], *, wanted: bool) -> bool:
    return bool(status["inputs"].get(name)) == wanted


def _wired(settings: Settings) -> list[str]:
    has_passage = settings.turnstile.passage != "none"
    return [
        name for name in _DO if getattr(settings.pins, name) and (has_passage or name != "passage")
    ]


def _wait_until(settings: Settings, holds: Callable[[Mapping[str, Any]], bool]) -> bool:
    until_s = time.monotonic() + _INPUT_S
    while time.monotonic() < until_s:
        if holds(_asked(settings, "status")):
            return True
        time.sleep(_LOOK_S)
    return False
