"""`gatepost config apply` and `rollback`: other settings in force, and nobody dropped for it.

The file is replaced first; then the gate starts anew when nobody is in the lane. Exit status: 0 in
force; 1 in the file, and not in force yet; 2 they cannot be used, and nothing was changed.
"""

import argparse
import signal
import sys
from pathlib import Path
from typing import NamedTuple

from gatepost.cli import config_text, going_over, settings_file
from gatepost.cli.main import fail
from gatepost.cli.words import mark, say, space, yes_or_no
from gatepost.wiring.last_good import last_good_beside
from gatepost.wiring.news import settings_digest
from gatepost.wiring.order_in_force import check_order
from gatepost.wiring.thermometer import check_part
from gatepost_config.difference import differences, restarts
from gatepost_config.load import ConfigError, decode, load
from gatepost_config.reference import UNITS
from gatepost_config.settings import Settings


class _Step(NamedTuple):
    """From which settings to which.

    `old`: None where nothing is known of them. `is_broken`: they are not those of the file.
    """

    path: Path
    old: Settings | None
    new: Settings
    is_broken: bool = False


def apply(args: argparse.Namespace) -> int:
    """Put the settings of a file in force."""
    path = _real(args.config)
    try:
        content = settings_file.read(args.new)
        if content is None:
            fail(say("{path}: there is no such file", path=args.new), status=2)
        new = _checked(content, args.new)
        if _real(args.new) == path:
            return _take_it(_Step(path, _kept(path), new, is_broken=True), args)
        step = _step(path, new)
        _refuse_another(step, is_again=args.again)
        if settings_file.read(path) == content:
            print(say("{path}: is the same file already", path=path))
            return _go_over(step, args)
        _show(step, args.new)
        _ask(say("Put them in force?"), step, args)
        settings_file.put_in_force(path, content)
    except settings_file.SettingsFileError as error:
        fail(str(error))
    before = settings_file.before_of(path).name
    told = mark("{path}: written. Those before are in {before}: gatepost config rollback")
    print(say(told, path=path, before=before))
    return _go_over(step, args)


def rollback(args: argparse.Namespace) -> int:
    """Put the settings in force that were before; once more undoes it."""
    path = _real(args.config)
    before = settings_file.before_of(path)
    try:
        content = settings_file.read(before)
        if content is None:
            told = mark("{path}: there are no settings before; gatepost config apply keeps them")
            fail(say(told, path=before))
        step = _step(path, _checked(content, before))
        _refuse_another(step, is_again=args.again)
        if settings_file.read(path) == content:
            print(say("{path}: is the same as {before} already", path=path, before=before.name))
            return _go_over(step, args)
        _show(step, before)
        _ask(say("Go back to them?"), step, args)
        settings_file.exchange(path)
    except settings_file.SettingsFileError as error:
        fail(str(error))
    told = mark("{path}: written. Those that were there are in {before}")
    print(say(told, path=path, before=before.name))
    return _go_over(step, args)


def good(path: Path, settings: Settings) -> str:
    """Return that a gate would start with a file, and which gate that is."""
    told = mark("{path}: good, for gate {gate} of site {site}")
    return say(told, path=path, gate=settings.gate.name, site=settings.gate.site)


def _real(path: Path) -> Path:
    """Return the file itself: a link to it is not to be replaced by a file."""
    return path.resolve()


def _checked(content: bytes, path: Path) -> Settings:
    """Return settings that a gate would start with, as `gatepost config check` says."""
    settings = decode(content, path=path)
    check_part(settings, path)
    check_order(settings)
    return settings


def _step(path: Path, new: Settings) -> _Step:
    """Return the step from the settings that count now: of the file, or the last good ones."""
    try:
        return _Step(path, load(path), new)
    except ConfigError:
        return _Step(path, _kept(path), new, is_broken=True)


def _kept(path: Path) -> Settings | None:
    kept = last_good_beside(path)
    return None if kept is None else kept.settings


def _refuse_another(step: _Step, *, is_again: bool) -> None:
    old, new = step.old, step.new
    if old is None or is_again or old.gate == new.gate:
        return
    told = say(
        "this is gate {gate} of site {site}, and the file is for gate {other} of site {elsewhere}: "
        "the server knows a gate by its name, its certificate too. Correct [gate], or say --again; "
        "nothing was changed",
        gate=old.gate.name,
        site=old.gate.site,
        other=new.gate.name,
        elsewhere=new.gate.site,
    )
    fail(told, status=2)


def _show(step: _Step, source: Path) -> None:
    print(good(source, step.new))
    if step.old is None:
        told = mark("{path}: nothing is known of the settings so far; nothing to compare with")
        print(say(told, path=step.path))
        return
    if step.is_broken:
        print(say("compared with the last good settings of the gate:"))
    changes = differences(step.old, step.new)
    same = say("the same settings, written otherwise")
    print(config_text.changes_text(changes) if changes else same)


def _ask(question: str, step: _Step, args: argparse.Namespace) -> None:
    if args.yes:
        return
    if not sys.stdin.isatty():
        fail(say("nobody is there to be asked whether it is meant; say --yes"), status=2)
    if "gate" in _needed(step):
        told = mark(
            "The gate starts anew when nobody is in the lane. It is shut for the seconds that this "
            "takes, and the thermometer warms up for {seconds} s: entries end with staff."
        )
        print(say(told, seconds=f"{step.new.sensor.warm_up_s:g}"))
    if yes_or_no(input(say("{question} (yes or no) ", question=question))) is not True:
        fail(say("nothing was changed"))


# -------------------------------------------------------------------------------------- in force


def _take_it(step: _Step, args: argparse.Namespace) -> int:
    """Have the gate take the file that it has: somebody changed it in its place."""
    if going_over.runs_with(step.new.paths.control) == settings_digest(step.new):
        print(say("{path}: the gate runs with these settings already", path=step.path))
        return 0
    _show(step, step.path)
    _ask(say("Have the gate take them?"), step, args)
    return _go_over(step, args)


def _go_over(step: _Step, args: argparse.Namespace) -> int:
    """Have those start anew that the changes concern; return the exit status."""
    old, needed = step.old or step.new, _needed(step)
    try:
        status = _gate(step, old, args, is_concerned="gate" in needed)
    except KeyboardInterrupt:
        told = say("Stopped waiting: the gate was asked nothing.")
        print(f"\n{told}{space()}{_later(step)}", file=sys.stderr)
        return 128 + signal.SIGINT
    if "link" in needed:
        is_done = going_over.restart_link()
        by_hand = say("link: start it anew by hand, as root: systemctl restart gatepost-uplink")
        print(say("link: started anew, if it ran") if is_done else by_hand)
        status = status if is_done else max(status, 1)
    return status


def _needed(step: _Step) -> frozenset[str]:
    """Return who must start anew: both, where nothing is known of the settings before."""
    if step.old is None:
        return frozenset(UNITS)
    changed = frozenset(restarts(differences(step.old, step.new)))
    return changed | {"gate"} if step.is_broken else changed


def _gate(step: _Step, old: Settings, args: argparse.Namespace, *, is_concerned: bool) -> int:
    control, digest = old.paths.control, settings_digest(step.new)
    running = going_over.runs_with(control)
    if running is None:
        print(say("gate: does not run; it takes them when it starts"))
        return 0
    if running == digest or not is_concerned:
        print(say("gate: needs no new start for this"))
        return 0
    waiting = going_over.start_anew(control, wait_s=args.wait, later=step.new.paths.control)
    if waiting is None:
        print(say("gate: runs with them"))
        return 0
    told = say("{why}. {remedy}", why=waiting.why, remedy=_later(step))
    print(f"gatepost: {told}", file=sys.stderr)
    return 1


def _later(step: _Step) -> str:
    return say(
        "The settings are in {path} and count from the gate's next start on (gatepost lane "
        "restart); gatepost config rollback takes them back",
        path=step.path,
    )
