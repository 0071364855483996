"""`gatepost lane`: asks the running gate how things stand, commands it, tests its parts.

It talks to the gate over its local socket; the gate decides, and records who asked.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from gatepost.cli.ending import ended_in_order
from gatepost.cli.going_over import add_wait_argument, start_anew, who
from gatepost.cli.main import fail
from gatepost.cli.process import add_config_argument
from gatepost.cli.words import mark, say, yes_or_no
from gatepost.core.events import Tested, Verb
from gatepost.wiring.last_good import settings_in_force
from gatepost.wiring.orders import ACKNOWLEDGED, DISINFECTED, RESTART
from gatepost_config.settings import Settings
from gatepost_services.control import ControlError, ask

_ANSWER_S = 5.0
_INPUT_S = 15.0  # to press a button, or turn a key
_GONE_S = 60.0  # for whoever is in the lane to be through it
_LOOK_S = 0.2
_WHY = {
    "not_now": mark("not in this state; gatepost lane status shows it"),
    "no_record": mark("the gate cannot write it down; gatepost lane status shows the fault"),
    "late": mark("the gate was too slow to take it; try again"),
}
_SEEN = {
    Tested.ENTRY_RELAY: mark("does the relay of the entry click, and is the entry free?"),
    Tested.EXIT_RELAY: mark("does the relay of the exit click, and is the exit free?"),
    Tested.GREEN_LAMP: mark("is the green lamp lit, alone?"),
    Tested.AMBER_LAMP: mark("is the amber lamp lit, alone?"),
    Tested.RED_LAMP: mark("is the red lamp lit, alone?"),
    Tested.BUZZER: mark("does it sound twice?"),
}
# What to do so that an input becomes active. Fire and emergency free the way while they are.
_DO = {
    "presence": mark("stand in front of the sensor"),
    "passage": mark("turn the arm (while the technician's key is turned nobody is counted)"),
    "passage_exit": mark("turn the arm outwards"),
    "exit_button": mark("press the exit button"),
    "staff_release": mark("press the staff's release"),
    "tamper": mark("open the housing's contact"),
    "emergency": mark("open the emergency contact: both ways become free"),
    "fire": mark("open the fire contact: both ways become free"),
}


# What each does, in a line, and what else there is to know before one does it.
_COMMANDS = {
    Verb.RELEASE_ENTRY: (
        "let one person in",
        "The entry becomes free for one person, without a pass and without a measurement: you "
        "answer for them. It locks again after they walked, or when the time is over.",
    ),
    Verb.RELEASE_EXIT: ("let one person out", "The exit becomes free for one person."),
    Verb.LOCK: (
        "let nobody in by a pass, until unlocked",
        "A lock-down. Staff can still let people in; who leaves may, unless the settings say "
        "otherwise. It stands over a restart.",
    ),
    Verb.UNLOCK: ("end the lock-down", ""),
    Verb.CLOSE: (
        "take the lane out of service; the exit stays as it is",
        "Nobody is let in, and the lane says so. It stands over a restart; gatepost lane open "
        "ends it.",
    ),
    Verb.OPEN: ("put the lane into service again", ""),
    Verb.BEGIN_MAINTENANCE: (
        "put the lane in maintenance, as the technician's key does",
        "Nobody is let in, and nobody who turns the arm is counted, until end-maintenance or "
        "a restart.",
    ),
    Verb.END_MAINTENANCE: ("end the maintenance: the lane is as it was before it", ""),
}
# What moves the turnstile: the person at the keyboard is asked.
_MOVING = {
    Verb.RELEASE_ENTRY: mark("The entry becomes free for one person."),
    Verb.RELEASE_EXIT: mark("The exit becomes free for one person."),
}
_READY = "maintenance"  # the state in which parts are tested
_RELAYS = (Tested.ENTRY_RELAY, Tested.EXIT_RELAY)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Asks the running gate how things stand, commands it, and tests its parts. The gate "
        "decides, and its journal says who asked."
    )
    add_config_argument(parser)
    what = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    status = what.add_parser("status", help="how things stand")
    status.add_argument("--json", action="store_true", help="one line of JSON")
    for verb, (help_text, more) in _COMMANDS.items():
        first = f"{help_text[0].upper()}{help_text[1:]}."
        told = f"{first} {more}" if more else None
        command = what.add_parser(_word(verb), help=help_text, description=told)
        if verb in _MOVING:
            _add_yes(command)
    what.add_parser(DISINFECTED, help="what people touch here was disinfected; the reminder ends")
    what.add_parser(ACKNOWLEDGED, help="you know of the escalations; they are not raised again")
    restart = what.add_parser(
        RESTART,
        help="start the gate anew when nobody is in the lane",
        description="Waits until nobody is in the lane, and has the gate start anew, as after a "
        "change of its settings. It is shut for the seconds that this takes, and measures nobody "
        "until the thermometer is warm. Ctrl-C while it waits: the gate was asked nothing.",
    )
    add_wait_argument(restart)
    _add_yes(restart)
    _add_test(what)


def _add_test(what: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    test = what.add_parser(
        "test",
        help="try every output and input, one by one",
        description="Tries outputs and inputs, one by one, and asks what you see. The lane is in "
        "maintenance for as long: nobody is let in, and it is afterwards as it was before. Relays "
        "free the arm for a moment: nobody may stand in it.",
    )
    test.add_argument(
        "outputs",
        nargs="*",
        metavar="OUTPUT",
        help=f"only these: {', '.join(_word(tested) for tested in Tested)}",
    )
    _add_yes(test)


def _add_yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--yes",
        action="store_true",
        help="do not ask whether it is meant; without a terminal it is meant, and nobody is asked",
    )


def run(args: argparse.Namespace) -> int:
    """Ask or command; return 1 when the gate refused, or a test failed."""
    settings = settings_in_force(args.config).settings
    if args.what == "status":
        status = _asked(settings, "status")
        print(json.dumps(status) if args.json else _told(status))
        return 0
    if args.what == "test":
        with ended_in_order():
            return _test(settings, _outputs(args.outputs), is_asked=not args.yes)
    if args.what == RESTART:
        return _restart(settings, args)
    if args.what in (DISINFECTED, ACKNOWLEDGED):
        return _command(settings, args.what)
    verb = Verb(args.what.replace("-", "_"))
    if verb in _MOVING:
        _ask(say(_MOVING[verb]), args.yes)
    return _command(settings, verb.value)


def _ask(what: str, is_meant: object) -> None:
    """Ask whoever sits at a terminal; a program that commands has said what it means."""
    if is_meant or not sys.stdin.isatty():
        return
    if yes_or_no(input(f"{what} {say('Is it meant? (yes or no) ')}")) is not True:
        fail(say("nothing was done"))


def _restart(settings: Settings, args: argparse.Namespace) -> int:
    what = say("The gate is shut for some seconds, as soon as nobody is in the lane.")
    _ask(what, args.yes)
    waiting = start_anew(settings.paths.control, wait_s=args.wait)
    if waiting is not None:
        fail(waiting.why)
    print(say("restart: done"))
    return 0


def _word(named: Verb | Tested) -> str:
    value: str = named.value
    return value.replace("_", "-")


def _outputs(words: list[str]) -> list[Tested]:
    known = {_word(tested): tested for tested in Tested}
    unknown = [word for word in words if word not in known]
    if unknown:
        told = say(
            "no output {name!r}; there are: {known}", name=unknown[0], known=", ".join(known)
        )
        fail(told, status=2)
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
        print(say("{verb}: done. {told}", verb=word, told=_told(answer)))
        return 0
    print(_refused(word, answer))
    return 1


def _refused(word: str, answer: Mapping[str, Any]) -> str:
    why = str(answer.get("why", "no_record"))
    why = say(_WHY.get(why, why))
    return say("{verb}: refused, {why}. {told}", verb=word, why=why, told=_told(answer))


def _told(status: Mapping[str, Any]) -> str:
    active = ", ".join(name for name, level in status["inputs"].items() if level)
    return say(
        "state: {state}; ordered or raised: {standing}; active inputs: {active}; faults: {faults}",
        state=status["state"],
        standing=", ".join(status["standing"]) or say("nothing"),
        active=active or say("none"),
        faults=", ".join(status["faults"]) or say("none"),
    )


# ---------------------------------------------------------------------------------------- testing


def _test(settings: Settings, outputs: list[Tested], *, is_asked: bool) -> int:
    """Try outputs and, where none was named, inputs; leave the lane as it was."""
    if any(tested in _RELAYS for tested in outputs or Tested):
        what = say("The arm becomes free for a moment: nobody may stand in it.")
        _ask(what, not is_asked)
    before = _asked(settings, "status")
    began_here = _READY not in before["standing"]
    try:
        # In here: whoever is told to end while the gate begins it ends it, too.
        if began_here and _command(settings, Verb.BEGIN_MAINTENANCE.value):
            began_here = False
            return 1
        if not _comes_to_rest(settings):
            return 1
        tried = {_word(tested): _test_output(settings, tested) for tested in outputs or Tested}
        if not outputs:
            tried |= _test_inputs(settings)
    finally:
        if began_here:
            try:
                _command(settings, Verb.END_MAINTENANCE.value)
            except BaseException:  # told to end just now: nothing cuts the second one short
                _command(settings, Verb.END_MAINTENANCE.value)
                raise
    failed = ", ".join(part for part, is_right in tried.items() if is_right is False)
    untried = ", ".join(part for part, is_right in tried.items() if is_right is None)
    if failed:
        print(say("failed: {parts}", parts=failed))
    if untried:
        print(say("not tried: {parts}", parts=untried))
    if not failed and not untried:
        print(say("all of it works"))
    return 1 if failed or untried else 0


def _comes_to_rest(settings: Settings) -> bool:
    """Wait until the lane is in maintenance: the gate lets whoever is in it go through first."""
    state = _asked(settings, "status")["state"]
    if state == _READY:
        return True
    told = say("waiting at most {seconds} s: {why}", seconds=f"{_GONE_S:.0f}", why=who(state))
    print(told, flush=True)
    if _wait_until(settings, lambda status: status["state"] == _READY, within_s=_GONE_S):
        return True
    print(say("nothing was tried: {why}", why=who(_asked(settings, "status")["state"])))
    return False


def _test_output(settings: Settings, tested: Tested) -> bool | None:
    """Return whether it was seen, None where the gate did not try it."""
    answer = _asked(settings, Verb.TEST.value, tested)
    if not answer.get("done"):
        print(_refused(_word(tested), answer))
        return None
    question = f"{_word(tested)}: {say(_SEEN[tested])} [y/n] "
    while (said := yes_or_no(input(question))) is None:
        pass
    # The next test begins when this one has ended by itself.
    _wait_until(settings, lambda status: status["state"] != "testing")
    return said


def _test_inputs(settings: Settings) -> dict[str, bool]:
    seen = {}
    for name in _wired(settings):
        within = say("(within {seconds} s)", seconds=f"{_INPUT_S:.0f}")
        print(f"{name}: {say(_DO[name])} {within}")
        seen[name] = _wait_until(settings, partial(_is_level, name, wanted=True))
        if seen[name]:
            print(say("{name}: seen; let go of it", name=name))
            _wait_until(settings, partial(_is_level, name, wanted=False))
        else:
            print(say("{name}: not seen; check its wire and its line in [pins]", name=name))
    return seen


def _is_level(name: str, status: Mapping[str, Any], *, wanted: bool) -> bool:
    return bool(status["inputs"].get(name)) == wanted


def _wired(settings: Settings) -> list[str]:
    has_passage = settings.turnstile.passage != "none"
    return [
        name for name in _DO if getattr(settings.pins, name) and (has_passage or name != "passage")
    ]


def _wait_until(
    settings: Settings,
    holds: Callable[[Mapping[str, Any]], bool],
    *,
    within_s: float | None = None,
) -> bool:
    until_s = time.monotonic() + (_INPUT_S if within_s is None else within_s)
    while time.monotonic() < until_s:
        if holds(_asked(settings, "status")):
            return True
        time.sleep(_LOOK_S)
    return False
