"""A running gate starts anew when nobody is in the lane; the link, whenever it is told to.

Nothing stands at the gate while this waits: the command looks every half second, and asks once
nobody is there. Who ends the command has asked nothing of the gate.
"""

import argparse
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gatepost.cli.main import fail
from gatepost.cli.words import mark, say
from gatepost.gate.clerk import AT_REST
from gatepost.wiring.orders import RESTART, SETTINGS
from gatepost_services.control import ControlError, ask

GATE_UNIT, LINK_UNIT = "gatepost-gate.service", "gatepost-uplink.service"
_WAIT_S, _MOST_WAIT_S = 300.0, 86400.0
_ANSWER_S = 5.0
_LOOK_S = 0.5
_BACK_S = 60.0
_SYSTEMCTL_S = 60.0
_PROGRAMS = "/usr/sbin:/usr/bin:/sbin:/bin"
_WHO = {
    "fire": mark("the fire contact is open: both ways are free"),
    "emergency": mark("the emergency contact is open: both ways are free"),
    "maintenance": mark(
        "a technician works at the lane; turn the key back, or: gatepost lane end-maintenance"
    ),
    "testing": mark("a part is being tested"),
    "tamper": mark("the housing is open; close it"),
    "held": mark("the arm does not come back to rest"),
    "forced": mark("the arm was forced"),
}
_SOMEBODY = mark("somebody is in the lane")


_STARTING = frozenset({"activating", "deactivating", "reloading"})


class Waiting(NamedTuple):
    """What ended the waiting when the gate did not start anew: why.

    `is_gone`: it was asked to, and nothing has answered since.
    """

    why: str
    is_gone: bool = False


class AskedAlreadyError(KeyboardInterrupt):
    """Who ended the command had the gate asked already to start anew."""


def add_wait_argument(parser: argparse.ArgumentParser) -> None:
    """Add --wait."""
    parser.add_argument(
        "--wait",
        type=_seconds,
        default=_WAIT_S,
        metavar="S",
        help="wait at most so many seconds until nobody is in the lane (default: %(default)g)",
    )


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= _MOST_WAIT_S:
        told = say("{text}: must be from 0 to {most} seconds", text=text, most=f"{_MOST_WAIT_S:g}")
        raise argparse.ArgumentTypeError(told)
    return seconds


def who(state: str) -> str:
    """Return in words why a gate in this state cannot be stopped now."""
    return say(_WHO.get(state, _SOMEBODY))


def asked(control: Path, verb: str) -> Mapping[str, Any] | None:
    """Return what the gate answers, None where no gate runs; end the command if it is mute."""
    try:
        return ask(control, {"verb": verb}, _ANSWER_S)
    except ControlError as error:
        if isinstance(error.__cause__, FileNotFoundError | ConnectionRefusedError):
            return None
        fail(str(error))


def runs_with(control: Path) -> str | None:
    """Return the digest of the settings that a gate runs with, None where none runs.

    Of one that runs with its last good ones "": it tells a fault until it starts anew.
    """
    answer = asked(control, SETTINGS)
    if answer is None:
        return None
    return "" if answer.get("problem") else str(answer.get(SETTINGS, ""))


def start_anew(control: Path, *, wait_s: float, later: Path | None = None) -> Waiting | None:
    """Have the running gate start anew when nobody is in the lane, and wait until it is back.

    Args:
        control: its socket.
        wait_s: how long to wait for whoever is in the lane.
        later: its socket after the start, where that is another one.

    Returns:
        Why it did not, or is not back; None when all is well.
    """
    was = asked(control, SETTINGS)
    if was is None:
        return Waiting(say("no gate runs here: nothing had to start anew"))
    why = _when_at_rest(control, wait_s)
    if why is not None:
        return Waiting(why)
    print(say("gate: nobody is in the lane; it starts anew"), flush=True)
    try:
        return wait_for_it(later or control, was.get("run"))
    except KeyboardInterrupt:
        raise AskedAlreadyError from None


def _when_at_rest(control: Path, wait_s: float) -> str | None:
    """Ask it once nobody is there; return why it did not come to that."""
    until_s, told = time.monotonic() + wait_s, ""
    while True:
        answer = asked(control, "status")
        if answer is None:
            return say("the gate has stopped by itself: see journalctl -u gatepost-gate")
        if answer.get("state") in AT_REST:
            answer = asked(control, RESTART) or {}
            if answer.get("done"):
                return None
            if answer.get("why") != "not_now":  # somebody stepped up in between
                why = answer.get("why")
                return say("the gate refused ({why}); see gatepost lane status", why=why)
        state = str(answer.get("state"))
        if time.monotonic() >= until_s:
            return say(
                "{who} ({state}), for {seconds} s by now; it was not asked to",
                who=who(state),
                state=state,
                seconds=f"{wait_s:g}",
            )
        if who(state) != told:
            told = who(state)
            line = mark("gate: {who}; waiting, at most {seconds} s")
            print(say(line, who=told, seconds=f"{wait_s:g}"), flush=True)
        time.sleep(_LOOK_S)


def wait_for_it(control: Path, run: object = None) -> Waiting | None:
    """Wait until another start than `run` answers, and see what it runs with."""
    until_s = time.monotonic() + _BACK_S
    while time.monotonic() < until_s:
        try:
            answer = ask(control, {"verb": SETTINGS}, _ANSWER_S)
        except ControlError:
            answer = {}
        if answer.get("run") not in (None, run):
            problem = answer.get("problem")
            return None if problem is None else Waiting(str(problem))
        time.sleep(_LOOK_S)
    told = say(
        "the gate is not back after {seconds} s; see systemctl status gatepost-gate, and "
        "gatepost doctor",
        seconds=f"{_BACK_S:g}",
    )
    return Waiting(told, is_gone=True)


def wait_while_it_starts(controls: Iterable[Path]) -> None:
    """Wait for a gate that systemd is starting, until it answers at one of its sockets."""
    until_s, is_told = time.monotonic() + _BACK_S, False
    while active_state(GATE_UNIT) in _STARTING and time.monotonic() < until_s:
        if not is_told:
            is_told = True
            print(say("gate: it is starting; waiting for it"), flush=True)
        if any(asked(control, SETTINGS) is not None for control in controls):
            return
        time.sleep(_LOOK_S)


def active_state(unit: str) -> str:
    """Return what systemd says of a unit, as "active" or "failed"; "" where nobody knows."""
    done = _systemctl(["show", "--property=ActiveState", "--value", unit])
    return "" if done is None or done.returncode else done.stdout.strip()


def systemctl(words: Sequence[str]) -> bool:
    """Run systemctl; return whether it did what it was told. False where there is none."""
    done = _systemctl(["--quiet", *words])
    return done is not None and done.returncode == 0


def _systemctl(words: Sequence[str]) -> subprocess.CompletedProcess[str] | None:
    program = shutil.which("systemctl", path=_PROGRAMS)
    if program is None:
        return None
    try:
        return subprocess.run(  # noqa: S603 - fixed words, a program of the system
            [program, "--no-ask-password", *words],
            capture_output=True,
            text=True,
            timeout=_SYSTEMCTL_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


def restart_link() -> bool:
    """Have systemd start the link anew where it runs: at any time, it loses nothing by it."""
    return systemctl(["try-restart", LINK_UNIT])
