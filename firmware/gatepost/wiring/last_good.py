"""The settings of the last start that went well: what a gate starts with when its file is broken.

A file that somebody's editor, or a disk, has broken must not keep people out, or in. Both processes
start with the last good settings then, and the gate tells it as a fault until the file is mended.
These hold no secret: secrets stand in files of their own, and the settings have their paths.
"""

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias

import msgspec

from gatepost_config.load import DEFAULT_PATH, ConfigError, load, parse
from gatepost_config.paths import LAST_GOOD, Paths
from gatepost_config.settings import Settings
from gatepost_services.state_file import StateFileError, read_state

Check: TypeAlias = Callable[[Settings, Path], None]

_log = logging.getLogger(__name__)
_MOST_PROBLEMS = 3
_GATE_DIR = re.compile(r'^\s*gate_dir\s*=\s*["\'](/[^"\'\n]+)["\']', re.MULTILINE)
# The value of a key that nobody should see, should it stand in the file by mistake.
_SECRET_VALUE = re.compile(
    r"(?i)(\S*(?:secret|password|passwd|token|key|pin_code)\S* = )('[^']*'|\"[^\"]*\"|[^\s:]+)"
)
# A wrong value with a text in it, in any other: nobody knows what somebody wrote there.
_WRONG_TEXT = re.compile(r"(\] \w+ = )['\"\[{].*(: must be )")


class Kept(NamedTuple):
    """The last good settings, and since when they are."""

    settings: Settings
    since: str


class InForce(NamedTuple):
    """What a process starts with. `problem`: why it is not what the file says, None if it is."""

    settings: Settings
    problem: str | None = None


def settings_in_force(path: Path, *, check: Check | None = None) -> InForce:
    """Return the settings of a file or, where it cannot be used, the last good ones.

    `check` raises ConfigError for settings that are right and cannot be used all the same.

    Raises:
        ConfigError: there are none of these either.
    """
    try:
        settings = load(path)
        if check is not None:
            check(settings, path)
    except ConfigError as error:
        kept = last_good_beside(path)
        if kept is None:
            raise
        problem = (
            f"{told(error)} The gate goes on with its last good settings, in use since "
            f"{kept.since}."
        )
        _log.error("%s", problem)
        return InForce(kept.settings, problem)
    return InForce(settings)


def last_good_beside(path: Path) -> Kept | None:
    """Return the last good settings of the gate whose file this is, however broken that is."""
    folder = _gate_dir(path)
    return None if folder is None else last_good(folder)


def last_good(folder: Path) -> Kept | None:
    """Return the last good settings in the gate's folder; None where it has none that can be."""
    path = folder / LAST_GOOD
    try:
        content = read_state(path)
        if content is None:
            return None
        said = msgspec.json.decode(content)
        return Kept(parse(said["settings"], path=path), str(said["since"]))
    except (StateFileError, ValueError, KeyError, TypeError, AttributeError) as error:
        _log.error("%s: cannot be used, there are no last good settings: %s", path, error)
        return None


def without_secrets(problem: str) -> str:
    """Return a sentence about a file without what somebody may have written there by mistake."""
    return _SECRET_VALUE.sub(r"\1(not shown)", _WRONG_TEXT.sub(r"\1(not shown)\2", problem))


def told(error: ConfigError) -> str:
    """Return what is wrong with a file, for an event: without values that may be secret."""
    problems = [without_secrets(problem) for problem in error.problems]
    more = len(problems) - _MOST_PROBLEMS
    shown = " ".join(problems[:_MOST_PROBLEMS])
    return f"{shown} And {more} more." if more > 0 else shown


def _gate_dir(path: Path) -> Path | None:
    """Return the gate's folder by a file that may be any text; None where nothing says it.

    That a file named by hand does not name one must not start another gate's settings.
    """
    try:
        found = _GATE_DIR.search(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        found = None
    if found:
        return Path(found[1])
    return Paths().gate_dir if path == DEFAULT_PATH else None
