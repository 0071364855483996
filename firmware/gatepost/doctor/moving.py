"""The relays and the passage contact, tried with somebody beside the turnstile.

Through the gate while it runs, which decides, records and ends each test itself; else through the
same drivers as it uses, whose releases end by themselves.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from gatepost.core.events import Tested, Verb
from gatepost.core.states import State
from gatepost.core.words import Text
from gatepost.doctor.kernel import gpio_strict
from gatepost.doctor.model import Finding, Fine, Skipped, Wrong
from gatepost.doctor.site import Site
from gatepost_hal.ports import Direction, InputChanged, InputName
from gatepost_services.control import ControlError, ask

_ANSWER_S = 5.0
_TURN_S = 15.0  # to turn the arm once
_LOOK_S = 0.2
_TESTING = State.TESTING.name.lower()
_RELAYS = {Direction.ENTRY: Tested.ENTRY_RELAY, Direction.EXIT: Tested.EXIT_RELAY}
_SEEN = {
    "entry": Text("the entry"),
    "exit": Text("the exit"),
    "both": Text("both"),
    "none": Text("nothing"),
}
_FREE = {
    Direction.ENTRY: Text("free the entry for {hold_s} s; nobody may stand in the arm"),
    Direction.EXIT: Text("free the exit for {hold_s} s; nobody may stand in the arm"),
}
_WHAT = {
    Direction.ENTRY: Text("What clicked and became free? (entry)"),
    Direction.EXIT: Text("What clicked and became free? (exit)"),
}
_BECAME_FREE = {
    Direction.ENTRY: Text("the entry became free"),
    Direction.EXIT: Text("the exit became free"),
}
_TURN = Text(
    "free the entry: turn the arm inwards once, within {turn_s} s", {"turn_s": f"{_TURN_S:.0f}"}
)
_PASSAGES = (InputName.PASSAGE, InputName.PASSAGE_EXIT)
_MAINTENANCE = "maintenance"
# In `Site.memory`: why the lane may still be in maintenance after a test.
_LEFT = "moving.left"
_STILL = Text(
    "The lane may still be in maintenance: {why}. sudo gatepost lane end-maintenance ends it."
)


class _RefusedError(ControlError):
    """The gate answered, and does not do it."""


def entry_relay(site: Site) -> Finding:
    """Free the entry for a moment and ask what became free."""
    return _with_the_lane(site, _relay(site, Direction.ENTRY))


def exit_relay(site: Site) -> Finding:
    """Free the exit for a moment and ask what became free."""
    return _with_the_lane(site, _relay(site, Direction.EXIT))


def _with_the_lane(site: Site, finding: Finding) -> Finding:
    """Return a finding and, where the test left the lane in maintenance, that; it hides none."""
    why = site.memory.pop(_LEFT, None)
    if why is None:
        return finding
    match finding:
        case Wrong():
            return finding._replace(also=Text(_STILL, {"why": why}))
        case Fine(said, values) | Skipped(said, values):
            return Wrong("left", {"found": Text(said, values), "why": why})


def _unsafe(site: Site) -> Skipped | None:
    """Return why nothing is moved without the gate; None where it may be.

    Nobody would drop a line that stays as it is when this process is killed.
    """
    if site.gate.is_running or not isinstance(gpio_strict(site), Wrong):
        return None
    return Skipped(
        "killed now, this command would leave the turnstile free (gpio.strict): start the gate, "
        "which moves it then, or dtparam=strict_gpiod first"
    )


def _relay(site: Site, way: Direction) -> Finding:
    if unsafe := _unsafe(site):
        return unsafe
    hold_s = site.settings.turnstile.test_s
    if not site.operator.may(Text(_FREE[way], {"hold_s": f"{hold_s:g}"})):
        return Skipped("nobody allowed it")
    try:
        with _released(site, way, hold_s):
            seen = site.operator.which(Text(_WHAT[way]), _SEEN)
    except (OSError, ValueError) as error:
        return Skipped(str(error))
    pins = site.settings.pins
    values = {"way": way.value, "pins": f"{pins.entry_relay} and {pins.exit_relay}"}
    match seen:
        case None:
            return Fine(
                "energised for {hold_s} s; nobody was asked what moved", {"hold_s": f"{hold_s:g}"}
            )
        case "none":
            return Wrong("dead", values)
        case way.value:
            return Fine(_BECAME_FREE[way])
        case "both":
            return Wrong("both", values)
        case _:
            return Wrong("swapped", values)


@contextmanager
def _released(
    site: Site, way: Direction, hold_s: float
) -> Iterator[Callable[[float], set[InputName]]]:
    """Free a way; yield what waits so long for passage contacts and returns those that closed.

    The gate itself ends a test after `test_s`, and is asked again while somebody waits.
    """
    if site.gate.is_running:
        with _maintenance(site):
            _asked(site, Verb.TEST.value, _RELAYS[way])
            yield lambda within_s: _closed_by_the_gates_word(site, way, within_s)
        return
    with site.open_lane() as lane:
        lane.gpio.turnstile.release(way, hold_s)

        def closed(within_s: float) -> set[InputName]:
            until_s, found = lane.clock.now_s() + within_s, set[InputName]()
            while not found and lane.clock.now_s() < until_s:
                lane.gpio.inputs.refresh()
                step_s = min(lane.clock.now_s() + _LOOK_S, until_s)
                for event in lane.mailbox.wait(step_s):
                    if isinstance(event, InputChanged) and event.active:
                        found |= {event.name} & set(_PASSAGES)
            return found

        yield closed
        lane.gpio.turnstile.drop()


@contextmanager
def _maintenance(site: Site) -> Iterator[None]:
    """Put the lane into maintenance, unless it is; leave it as it was.

    What cannot be ended is left for `_with_the_lane` to tell.
    """
    # Asked anew: since the doctor began somebody else may have begun one, and work in the arm.
    began_here = _MAINTENANCE not in _asked(site, "status")["standing"]
    try:
        # In here: whoever is told to end while the gate begins it ends it, too.
        if began_here:
            try:
                _asked(site, Verb.BEGIN_MAINTENANCE.value)
            except _RefusedError:
                began_here = False
                raise
        yield
    finally:
        if began_here:
            try:
                _end(site)
            except BaseException:  # told to end just now: nothing cuts the second one short
                _end(site)
                raise


def _end(site: Site) -> None:
    request = {"verb": Verb.END_MAINTENANCE.value}
    try:
        answer: Mapping[str, Any] = ask(site.settings.paths.control, request, _ANSWER_S)
    except ControlError as error:
        site.memory[_LEFT] = str(error)
        return
    if not answer.get("done") and _MAINTENANCE in answer["standing"]:
        site.memory[_LEFT] = str(answer.get("why"))


def _asked(site: Site, verb: str, output: Tested | None = None) -> Mapping[str, Any]:
    request = {"verb": verb} if output is None else {"verb": verb, "output": output.value}
    answer: Mapping[str, Any] = ask(site.settings.paths.control, request, _ANSWER_S)
    if verb != "status" and not answer.get("done"):
        raise _RefusedError(f"the gate refuses it: {answer.get('why')}; gatepost lane status")
    return answer


def _closed_by_the_gates_word(site: Site, way: Direction, within_s: float) -> set[InputName]:
    until_s = site.clock.now_s() + within_s
    while site.clock.now_s() < until_s:
        status = _asked(site, "status")
        if found := {name for name in _PASSAGES if status["inputs"].get(name.value)}:
            return found
        if status["state"] != _TESTING:
            _asked(site, Verb.TEST.value, _RELAYS[way])
        site.pause(_LOOK_S)
    return set()


def passage(site: Site) -> Finding:
    """Let the arm be turned inwards once, and see which contact tells of it."""
    return _with_the_lane(site, _passage(site))


def _passage(site: Site) -> Finding:
    mode = site.settings.turnstile.passage
    if mode == "none":
        return Skipped('[turnstile] passage = "none": the turnstile tells of no passage')
    if not site.operator.may(_TURN):
        return Skipped("nobody allowed it")
    try:
        with _released(site, Direction.ENTRY, _TURN_S) as closed:
            found = closed(_TURN_S)
    except (OSError, ValueError) as error:
        return Skipped(str(error))
    pins = site.settings.pins
    values = {"line": pins.passage, "line2": pins.passage_exit}
    if InputName.PASSAGE in found:
        return Fine("seen")
    return Wrong("swapped", values) if found else Wrong("silent", values)
