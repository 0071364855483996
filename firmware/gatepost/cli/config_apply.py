"""`gatepost config apply` and `rollback`: other settings in force, and nobody dropped for it.

The file is replaced first; then the gate starts anew when nobody is in the lane. Who must start is
worked out from what runs, not from what the file was. A gate that does not come back with them gets
those before again. Exit status: 0 in force; 1 not in force yet, or taken back; 2 they cannot be
used, and nothing was changed.
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

_TAKEN_BACK = -1


class _Step(NamedTuple):
    """From which settings to which.

    `old`: None where nothing is known of them. `is_broken`: they are not those of the file. `kept`:
    the last good ones, which the gate may run with. `is_written`: the file is another one since.
    """

    path: Path
    old: Settings | None
    new: Settings
    kept: Settings | None = None
    is_broken: bool = False
    is_written: bool = False


def apply(args: argparse.Namespace) -> int:
    """Put the settings of a file in force."""
    path = _real(args.config)
    try:
        content = settings_file.read(args.new)
        if content is None:
            fail(say("{path}: there is no such file", path=args.new), status=2)
        new = _checked(content, args.new)
        if _real(args.new) == path:
            return _take_it(path, new, args)
        step = _step(path, new)
        _refuse_another(step, is_again=args.again)
        if settings_file.read(path) == content:
            print(say("{path}: is the same file already", path=path))
            return _take_it(path, new, args)
        _show(step, args.new)
        _ask(say("Put them in force?"), step, args)
        settings_file.put_in_force(path, content)
    except settings_file.SettingsFileError as error:
        fail(str(error))
    before = settings_file.before_of(path).name
    told = mark("{path}: written. Those before are in {before}: gatepost config rollback")
    print(say(told, path=path, before=before))
    return _go_over(step._replace(is_written=True), args)


def rollback(args: argparse.Namespace) -> int:
    """Put the settings in force that were before; once more undoes it."""
    path = _real(args.config)
    before = settings_file.before_of(path)
    try:
        settings_file.finish_exchange(path)
        content = settings_file.read(before)
        if content is None:
            told = mark("{path}: there are no settings before; gatepost config apply keeps them")
            fail(say(told, path=before))
        step = _step(path, _checked(content, before))
        _refuse_another(step, is_again=args.again)
        if settings_file.read(path) == content:
            print(say("{path}: is the same as {before} already", path=path, before=before.name))
            return _take_it(path, step.new, args)
        _show(step, before)
        _ask(say("Go back to them?"), step, args)
        settings_file.exchange(path)
    except settings_file.SettingsFileError as error:
        fail(str(error))
    told = mark("{path}: written. Those that were there are in {before}")
    print(say(told, path=path, before=before.name))
    return _go_over(step._replace(is_written=True), args)


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
    kept = _kept(path)
    try:
        return _Step(path, load(path), new, kept)
    except ConfigError:
        return _Step(path, kept, new, kept, is_broken=True)


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


def _take_it(path: Path, new: Settings, args: argparse.Namespace) -> int:
    """Have both take the file that is there already: what they run with may be another one."""
    kept = _kept(path)
    step = _Step(path, kept, new, kept, is_broken=True)
    if going_over.runs_with(new.paths.control) == settings_digest(new):
        print(say("{path}: the gate runs with these settings already", path=path))
        return _link()
    _show(step, path)
    _ask(say("Have the gate take them?"), step, args)
    return _go_over(step, args)


def _go_over(step: _Step, args: argparse.Namespace) -> int:
    """Have those start anew that do not run with the new settings; return the exit status."""
    running = None
    try:
        running = _running(step)
        if running is None:
            going_over.wait_while_it_starts(_controls(step))
            running = _running(step)
        status = _gate(step, running, args)
    except KeyboardInterrupt as stopped:
        was_asked = isinstance(stopped, going_over.AskedAlreadyError)
        told = say("Stopped waiting: the gate was asked nothing.")
        if was_asked:
            told = say("Stopped waiting: the gate was asked to start anew, and is not back yet.")
        print(f"\n{told}{space()}{_later(step)}", file=sys.stderr)
        status = 128 + signal.SIGINT
    if status == _TAKEN_BACK:
        return 1  # the link runs with them still
    return max(status, _link()) if _concerns_link(step, running) else status


def _controls(step: _Step) -> tuple[Path, ...]:
    """Return where the gate may be asked: its socket may be a change too."""
    known = (step.old, step.kept, step.new)
    return tuple(dict.fromkeys(each.paths.control for each in known if each is not None))


def _running(step: _Step) -> tuple[Path, str] | None:
    """Return the socket of the gate that runs, and the digest of what it runs with."""
    for control in _controls(step):
        digest = going_over.runs_with(control)
        if digest is not None:
            return control, digest
    return None


def _known(step: _Step, running: tuple[Path, str] | None) -> Settings | None:
    """Return the settings that the gate runs with; None where nobody knows them."""
    digest = "" if running is None else running[1]
    known = (each for each in (step.old, step.kept) if each is not None)
    return next((each for each in known if settings_digest(each) == digest), None)


def _needed(step: _Step) -> frozenset[str]:
    """Return who must start anew: both, where nothing is known of the settings before."""
    if step.old is None:
        return frozenset(UNITS)
    changed = frozenset(restarts(differences(step.old, step.new)))
    return changed | {"gate"} if step.is_broken else changed


def _concerns_link(step: _Step, running: tuple[Path, str] | None) -> bool:
    """Return whether the link may run with others: it tells nobody, and loses nothing by it."""
    known = _known(step, running)
    if known is None or known is not step.old or step.is_broken:
        return True
    return "link" in _needed(step)


def _link() -> int:
    is_done = going_over.restart_link()
    by_hand = say("link: start it anew by hand, as root: systemctl restart gatepost-uplink")
    print(say("link: started anew, if it ran") if is_done else by_hand)
    return 0 if is_done else 1


def _gate(step: _Step, running: tuple[Path, str] | None, args: argparse.Namespace) -> int:
    if running is None:
        return _mute_gate(step)
    control, digest = running
    known = _known(step, running)
    if digest == settings_digest(step.new):
        print(say("gate: runs with them"))
        return 0
    if known is not None and "gate" not in restarts(differences(known, step.new)):
        print(say("gate: needs no new start for this"))
        return 0
    waiting = going_over.start_anew(control, wait_s=args.wait, later=step.new.paths.control)
    if waiting is None:
        print(say("gate: runs with them"))
        return 0
    # One that nobody starts again has not failed with them.
    if waiting.is_gone and step.is_written and not _is_off():
        return _take_back(step, control, waiting.why)
    _complain(waiting.why, step)
    return 1


def _mute_gate(step: _Step) -> int:
    """Tell a gate that does not run from one that should."""
    if _is_off():
        print(say("gate: does not run; it takes them when it starts"))
        return 0
    state = going_over.active_state(going_over.GATE_UNIT)
    told = mark(
        "the gate does not answer, and systemd says that it is {state}; see systemctl status "
        "gatepost-gate, and gatepost doctor"
    )
    _complain(say(told, state=state), step)
    return 1


def _is_off() -> bool:
    """Return whether systemd neither runs nor starts a gate, or does not know one."""
    return going_over.active_state(going_over.GATE_UNIT) in ("", "inactive")


def _take_back(step: _Step, control: Path, why: str) -> int:
    """Put the settings before in force again: with the new ones the gate has not come back."""
    try:
        settings_file.exchange(step.path)
    except settings_file.SettingsFileError as error:
        _complain(f"{why}. {error}", step)
        return 1
    print(f"gatepost: {why}", file=sys.stderr)
    before = settings_file.before_of(step.path).name
    told = mark("{path}: written. Those before are back, those that failed are in {before}")
    print(say(told, path=step.path, before=before), flush=True)
    waiting = going_over.wait_for_it(control)
    if waiting is not None:
        print(f"gatepost: {waiting.why}", file=sys.stderr)
    elif going_over.runs_with(control) == settings_digest(step.new):
        told = mark("it was slow, and runs with those in {before}: gatepost config rollback")
        print(f"gatepost: {say(told, before=before)}", file=sys.stderr)
    else:
        print(say("gate: runs with those before"))
    return _TAKEN_BACK


def _complain(why: str, step: _Step) -> None:
    told = say("{why}. {remedy}", why=why, remedy=_later(step))
    print(f"gatepost: {told}", file=sys.stderr)


def _later(step: _Step) -> str:
    return say(
        "The settings are in {path} and count from the gate's next start on (gatepost lane "
        "restart); gatepost config rollback takes them back",
        path=step.path,
    )
