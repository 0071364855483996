"""What a factory reset erases, in which order, and how: as far as a program can.

Keys go first, then people, then the rest; the settings last, for they say where everything is: a
reset that was cut off is said again, and does what is left. A file is written over where it lies
and then removed, so that nothing of it stands in the free blocks that the file system shows. What
the card's own controller has kept elsewhere is beyond any program (`gatepost factory-reset` says
so).
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from gatepost.core.words import Text
from gatepost_config.settings import NOTHING, Settings
from gatepost_services.small_file import sync_folder

_CHUNK_BYTES = 1 << 20
# Folders of the system: a setting that names one as the gate's own is a mistake.
_LEAST_PARTS = 3
_SYSTEM = frozenset(
    map(
        Path,
        (
            *("/boot/firmware", "/etc/ssl", "/etc/systemd", "/run/systemd", "/usr/bin"),
            *("/usr/lib", "/usr/local", "/usr/share", "/var/cache", "/var/lib", "/var/log"),
        ),
    )
)
_HOMES = Path("/home")
# What enrolment leaves beside the files that the settings name, and in its folders with a number
# (services, pki/identity.py).
_ENROLLED = ("pending.key", "current", "first-boot.json")
_IN_A_SET = frozenset(
    f"{name}{end}"
    for name in ("ca.pem", "device.pem", "device.key", "crl.pem", "server")
    for end in ("", ".new")
)
_SET = re.compile(r"[1-9][0-9]{0,8}\Z")
_CARD = ("enrolment-token", "gatepost.used.toml", "gatepost-first-boot.txt")
_WAITING = "gatepost.toml"
_ERASING = ".erasing"
SETTINGS = Text("settings")


class ResetError(ValueError):
    """The settings name something as the gate's own that is not."""


class Group(NamedTuple):
    """Files that belong together, for whoever is told."""

    name: str
    files: tuple[Path, ...]

    def size_bytes(self) -> int:
        """Return how much it is."""
        return sum(_size(path) for path in self.files)


class Erased(NamedTuple):
    """How it went: what is gone, and what hindered the rest."""

    files: int
    size_bytes: int
    problems: tuple[str, ...]


def groups(
    settings: Settings, config: Path, card: Path, *, keeps_calibration: bool
) -> Sequence[Group]:
    """Return what there is to erase, in the order in which it goes; the settings come last.

    Args:
        settings: of the gate.
        config: their file.
        card: the boot partition.
        keeps_calibration: of the sensor: it names nobody.

    Raises:
        ResetError: a folder of the settings is one of the system.
        OSError: a folder cannot be read.
    """
    paths = settings.paths
    gate = _all_below(paths.gate_dir, config)
    # By these the next run finds the rest, should the file be broken and this one be cut off.
    last_good = _of(gate, paths.last_good.name)
    gate = [path for path in gate if path not in last_good]
    found: list[tuple[str, Iterable[Path]]] = [
        (
            Text("keys and certificates"),
            [*_keys(settings), *_of(gate, "device.key"), *_token(card)],
        ),
        (Text("roster"), [*_named(paths.roster), *_of(gate, "whereabouts.", "credentials.")]),
        (Text("journal"), _of(gate, "journal.")),
        (Text("what the server sent"), _all_below(paths.link_dir, config)),
        (Text("what the gate has learnt and counted"), gate),
        (
            Text("calibration"),
            [] if keeps_calibration else _all_below(paths.calibration_dir, config),
        ),
        (Text("what the two processes said"), _said(paths.run_dir)),
        (SETTINGS, [*last_good, *_settings(settings, config, card)]),
    ]
    taken: set[Path] = set()
    made = []
    for name, files in found:
        wanted = [path for path in dict.fromkeys(files) if path not in taken]
        taken.update(wanted)
        made.append(Group(name, tuple(wanted)))
    return made


def remains_of(config: Path) -> Path:
    """Return the name of the settings while they are erased: by it a reset knows its own work."""
    real = config.resolve()
    return real.with_name(real.name + _ERASING)


def erase(
    wanted: Sequence[Group],
    on_progress: Callable[[str, int], None] = lambda _name, _bytes: None,
    *,
    last: Path | None = None,
) -> Erased:
    """Erase all of it; the settings only when everything else is gone.

    Args:
        wanted: what there is, in its order.
        on_progress: is told the group, and how many bytes of it are written over by now.
        last: the file of settings, which gets another name before it is written over.
    """
    count = size = 0
    problems: list[str] = []
    for group in wanted:
        if group.name == SETTINGS and problems:
            break
        done = 0
        for named in group.files:
            path = named
            try:
                if named == last:
                    path = _renamed(named)
                for written in _overwritten(path):
                    done += written
                    on_progress(group.name, done)
            except OSError as error:
                why = {"path": path, "why": error.strerror}
                problems.append(Text("{path}: cannot be written over: {why}", why))
            try:
                path.unlink(missing_ok=True)
                count += 1
            except OSError as error:
                why = {"path": path, "why": error.strerror}
                problems.append(Text("{path}: cannot be removed: {why}", why))
        size += done
        problems += _settled({path.parent for path in group.files})
    return Erased(count, size, tuple(problems))


def _renamed(config: Path) -> Path:
    """Give the settings the name of what a cut leaves; return it."""
    remains = remains_of(config)
    with suppress(FileNotFoundError):  # lost before: the last good ones were taken
        config.replace(remains)
        sync_folder(config.parent)
    return remains


def _overwritten(path: Path) -> Iterator[int]:
    """Write zeros over a file where it lies; yield how many with each step."""
    if path.is_symlink() or not path.is_file():
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        left = os.fstat(descriptor).st_size
        while left:
            written = file.write(bytes(min(left, _CHUNK_BYTES)))
            left -= written
            yield written
        os.fsync(descriptor)


def _settled(folders: set[Path]) -> Iterator[str]:
    """Bring the removal to the disk; yield what hindered it."""
    for folder in folders:
        try:
            if not folder.exists():
                continue
            sync_folder(folder)
        except OSError as error:
            yield Text(
                "{folder}: a power cut now may bring names back: {why}",
                {"folder": folder, "why": error.strerror},
            )
        if _SET.match(folder.name):  # a set of certificates
            with suppress(OSError):
                folder.rmdir()


# ------------------------------------------------------------------------------------ what is there


def _all_below(folder: Path, config: Path) -> list[Path]:
    """Return every file below a folder that is the gate's own."""
    real = folder.resolve()
    if (
        len(real.parts) <= _LEAST_PARTS - 1
        or real in _SYSTEM
        or real.parent == _HOMES
        or config.resolve().is_relative_to(real)
    ):
        told = Text(
            "[paths] names {folder}: that is no folder of the gate's alone, and all in it would "
            "be erased; correct the settings, or erase by hand",
            {"folder": folder},
        )
        raise ResetError(told)
    return _walk(real)


def _walk(folder: Path) -> list[Path]:
    found: list[Path] = []

    def give_up(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    for root, folders, files in os.walk(folder, onerror=give_up):
        here = Path(root)
        links = [name for name in folders if (here / name).is_symlink()]
        found += [here / name for name in sorted((*files, *links))]
    return found


def _of(files: Sequence[Path], *beginnings: str) -> list[Path]:
    return [path for path in files if path.name.startswith(beginnings)]


def _named(path: Path) -> list[Path]:
    """Return a file that the settings name, what lies beside it under its name, and what it links.

    Beside it: `-wal` and `-shm` of a database, what was set aside, what a kill left half written.
    """
    if path == NOTHING:
        return []
    beside = [path.parent.glob(f"{_escaped(path.name)}{end}") for end in ("[.-]*", "")]
    found = sorted(
        {each for part in beside for each in part if each.is_symlink() or not each.is_dir()}
    )
    if path.is_symlink():
        target = path.resolve()
        found += [target] if target.is_file() else []
    return found


def _escaped(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)


def _keys(settings: Settings) -> Iterator[Path]:
    tls = settings.tls
    yield from _named(tls.key)
    yield from _named(tls.certificate)
    folder = tls.key.parent
    for path in (tls.ca, tls.revoked):
        if path.parent == folder:  # not the system's own
            yield from _named(path)
    for each in sorted(folder.iterdir()) if folder.is_dir() else ():
        if _SET.match(each.name) and each.is_dir() and not each.is_symlink():
            yield from (path for path in _walk(each) if path.name in _IN_A_SET)
        elif each.is_symlink() and each.readlink().parts[:1] == ("current",):
            yield each
    for name in _ENROLLED:
        yield from _named(folder / name)
    yield from _named(settings.paths.roster_key)
    yield from _named(settings.passes.step_secret)


def _token(card: Path) -> list[Path]:
    # Beside new settings that wait for the next start it is theirs.
    return [] if (card / _WAITING).exists() else _named(card / _CARD[0])


def _said(run_dir: Path) -> Iterator[Path]:
    for name in ("gate", "link", "board"):
        yield from _walk(run_dir / name)


def _settings(settings: Settings, config: Path, card: Path) -> Iterator[Path]:
    for name in _CARD[1:]:
        yield from _named(card / name)
    site = settings.regime.site
    if site.parent == config.parent:
        yield from _named(site)
    # The file itself last of all: without it nobody knows where the rest is.
    yield from (path for path in _named(config) if path not in (config, config.resolve()))
    yield config.resolve()
    if config.is_symlink():
        yield config


def _size(path: Path) -> int:
    with suppress(OSError):
        return 0 if path.is_symlink() else path.stat().st_size
    return 0
