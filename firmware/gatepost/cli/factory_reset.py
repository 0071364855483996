"""`gatepost factory-reset`: erase what this gate knows of people, its keys, and its settings.

Exit status: 0 all of it is erased; 1 something is left, and is told; 2 refused, nothing was done.
"""

import argparse
import fcntl
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from gatepost.cli import going_over
from gatepost.cli.main import fail
from gatepost.cli.process import add_config_argument
from gatepost.cli.progress import Bar
from gatepost.cli.words import mark, say, yes_or_no
from gatepost.gate.clerk import AT_REST
from gatepost.wiring.last_good import settings_in_force
from gatepost.wiring.resetting import SETTINGS, Erased, Group, ResetError, erase, groups, remains_of
from gatepost_config.load import ConfigError
from gatepost_config.settings import Settings
from gatepost_services.control import ControlError, ask
from gatepost_services.journal import JournalReader, JournalUnavailable
from gatepost_services.journal.witness import witness_path
from gatepost_services.uplink.position import read_acknowledged

_BOOT = Path("/boot/firmware")
_UNITS = (
    *("gatepost-renew.timer", "gatepost-renew.service", "gatepost-first-enrol.service"),
    *("gatepost-first-boot.service", going_over.LINK_UNIT, going_over.GATE_UNIT),
)
_NAME_COLUMNS = 37
_GATE, _LINK = mark("gate"), mark("link")
_MEGABYTE = 1_000_000
_ANSWER_S = 5.0
_WARNING = mark("""\
The gate stops, and is shut until it is set up again: see that whoever is inside gets out by another
way. The fire loop in the relay's supply works without it.""")
_LIMITS = mark("""\
What this cannot reach: a flash card writes elsewhere than it is told to (wear levelling), so copies
of blocks that were written over, or deleted in earlier years, may stand in its spare area, out of
reach of every program on this computer. Against somebody who reads the chips, destroy the card. For
a new owner, erase it whole and write a new image: a card reader that knows the card's own erase
(blkdiscard --secure, or the maker's program) does more than this, and still promises nothing.
Nor does this touch what is the operating system's: the Wi-Fi's password, users, SSH keys, files of
cloud-init on the boot partition, and its logs (journalctl). The server has its own events and
lists: take this gate's certificate back there (gatepost pki revoke), if it is not to return.""")
_NEXT = mark("""\
Next: to set it up again, put a card from gatepost provision in and start it; or write a new
{config} (gatepost config example), import the roster, enrol, calibrate, and then:
systemctl start gatepost-gate gatepost-uplink""")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Erases what this gate knows of people, its keys and certificates, its counters, its "
        "calibration and its settings: each file is written over, then removed. The services are "
        "stopped first. It asks for the gate's name. Cut off at any instant, say it again: it does "
        "what is left. Status: 0 all of it is erased, 1 something is left and is told, 2 refused, "
        "and nothing was done."
    )
    add_config_argument(parser)
    parser.add_argument(
        "--keep-calibration",
        action="store_true",
        help="of the sensor: it names nobody, and the same gate goes on with it",
    )
    parser.add_argument(
        "--boot",
        type=Path,
        default=_BOOT,
        metavar="FOLDER",
        help="the boot partition, with what the first boot left (default: %(default)s)",
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would go, and stop")
    parser.add_argument(
        "--yes", metavar="GATE_NAME", help="do not ask: this gate is meant, by its name"
    )


def run(args: argparse.Namespace) -> int:
    """Do it, and say what is gone and what is not."""
    try:
        settings = settings_in_force(args.config).settings
    except ConfigError:
        if args.config.exists() or not remains_of(args.config).exists():
            raise
        return _finish(args)
    wanted = _groups(settings, args)
    _show(settings, wanted)
    if args.dry_run:
        return 0
    print(say(_WARNING), flush=True)
    _ask(settings.gate.name, args.yes)
    _refuse_to_drop(settings)
    _stop(settings)
    # Anew: the last turns of the two processes have left more.
    progress = _Progress(wanted := _groups(settings, args))
    try:
        erased = erase(wanted, progress, last=args.config.resolve())
    finally:
        progress.end()
    return _tell(erased, args.config)


def _finish(args: argparse.Namespace) -> int:
    """Erase the settings that a reset left when it was cut off: all else is gone, its name too."""
    path = remains_of(args.config)
    print(say("{path}: the last file of a reset that was cut off; it goes too", path=path))
    if args.dry_run:
        return 0
    if args.yes is None:
        if not sys.stdin.isatty():
            told = mark("nobody is there to be asked whether it is meant; say --yes {name}")
            fail(say(told, name="GATE_NAME"), status=2)
        if yes_or_no(input(say("Is it meant? (yes or no) "))) is not True:
            fail(say("nothing was erased"), status=2)
    return _tell(erase([Group(SETTINGS, (path,))]), args.config)


def _groups(settings: Settings, args: argparse.Namespace) -> Sequence[Group]:
    try:
        return groups(settings, args.config, args.boot, keeps_calibration=args.keep_calibration)
    except ResetError as error:
        fail(say(error.args[0]), status=2)
    except OSError as error:
        told = mark("{path}: {why}; run it with sudo")
        fail(say(told, path=error.filename, why=error.strerror), status=2)


def _show(settings: Settings, wanted: Sequence[Group]) -> None:
    told = mark("Of gate {gate} of site {site} this is erased for good:")
    print(say(told, gate=settings.gate.name, site=settings.gate.site))
    for group in wanted:
        if group.files:
            count, size = len(group.files), group.size_bytes()
            told = mark("{group}: {files}, {size}")
            said = say(told, group=say(group.name), files=_files(count), size=_size(size))
            print(f"  {said}")
    undelivered = _undelivered(settings)
    if undelivered:
        told = mark("{count} events of the journal are not known to be at the server: lost then")
        print(f"  {say(told, count=undelivered)}")


def _size(number: int) -> str:
    return f"{number / 1e6:.1f} MB" if number >= _MEGABYTE else f"{-(-number // 1000)} kB"


def _files(count: int) -> str:
    told = mark("{count} file") if count == 1 else mark("{count} files")
    return say(told, count=count)


def _undelivered(settings: Settings) -> int:
    """Return how many events only this gate has, as far as it knows."""
    try:
        with JournalReader(settings.paths.journal) as reader:
            last = reader.head()[0]
        return max(0, last - read_acknowledged(settings.paths.acknowledged))
    except (JournalUnavailable, OSError):
        return 0


def _ask(name: str, said: str | None) -> None:
    if said is None:
        if not sys.stdin.isatty():
            told = mark("nobody is there to be asked whether it is meant; say --yes {name}")
            fail(say(told, name=name), status=2)
        said = input(say("Type the gate's name to erase it, anything else to stop: ")).strip()
    if said != name:
        told = mark("{said!r} is not the name of this gate; nothing was erased")
        fail(say(told, said=said), status=2)


# ------------------------------------------------------------------------------------- the services


def _refuse_to_drop(settings: Settings) -> None:
    """End the command while the gate deals with somebody, or with a fire."""
    with suppress(ControlError):  # it does not run, or it hangs: systemd can stop it
        state = ask(settings.paths.control, {"verb": "status"}, _ANSWER_S).get("state")
        if state not in {*AT_REST, "maintenance"}:
            told = mark("{who}: say it again later; nothing was erased")
            fail(say(told, who=going_over.who(str(state))), status=2)


def _stop(settings: Settings) -> None:
    """Stop both processes; end the command where they still run."""
    is_told = going_over.systemctl(["stop", *_UNITS])
    running = [name for name, runs in _processes(settings).items() if runs]
    if running:
        how = mark("although systemd was told to stop it")
        if not is_told:
            how = mark("and systemd cannot stop it")
        told = say(
            "the {names} still runs, {how}; stop it (as root: systemctl stop gatepost-uplink "
            "gatepost-gate), then say this again. Nothing was erased",
            names=say(" and the ").join(map(say, running)),
            how=say(how),
        )
        fail(told, status=2)


def _processes(settings: Settings) -> dict[str, bool]:
    paths = settings.paths
    return {
        _GATE: _is_bound(paths.control, socket.SOCK_SEQPACKET)
        or _is_locked(witness_path(paths.journal)),
        _LINK: _is_bound(paths.doorbell, socket.SOCK_DGRAM),
    }


def _is_bound(path: Path, kind: socket.SocketKind) -> bool:
    """Return whether some process listens there. A socket's file outlives its process."""
    with socket.socket(socket.AF_UNIX, kind) as probe:
        probe.settimeout(0.0)
        try:
            probe.connect(str(path))
        except BlockingIOError:
            return True
        except OSError as error:
            return isinstance(error, PermissionError)
        return True


def _is_locked(path: Path) -> bool:
    """Return whether a gate writes this journal."""
    with suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
    return False


# ------------------------------------------------------------------------------------------ telling


class _Progress:
    """A bar for each group, one after the other."""

    def __init__(self, wanted: Sequence[Group]) -> None:
        self._bars = {
            group.name: Bar(say(group.name), group.size_bytes(), _NAME_COLUMNS) for group in wanted
        }
        self._current: Bar | None = None

    def __call__(self, name: str, done: int) -> None:
        """Show how far it is."""
        bar = self._bars[name]
        if bar is not self._current:
            self.end()
        self._current = bar
        bar.show(done)

    def end(self) -> None:
        """End the last one's line."""
        if self._current is not None:
            self._current.end()


def _tell(erased: Erased, config: Path) -> int:
    count = erased.files
    told = mark("erased: {files}, {size} written over")
    print(say(told, files=_files(count), size=_size(erased.size_bytes)))
    for problem in erased.problems:
        print(f"gatepost: {say(problem)}", file=sys.stderr)
    if erased.problems:
        told = mark("not all of it is erased; {config} is kept, so that this can be said again")
        print(f"gatepost: {say(told, config=config)}", file=sys.stderr)
        return 1
    print(say(_LIMITS))
    print(say(_NEXT, config=config))
    return 0
