"""What a gate's file says, and whether the gate runs with it."""

import json
import tomllib
from pathlib import Path

from gatepost.cli.config_words import tongue
from gatepost.cli.words import mark, say, space
from gatepost.wiring.news import settings_digest
from gatepost_config.commented import commented, is_changed, lines_of
from gatepost_config.load import load
from gatepost_config.reference import UNITS, entries, values
from gatepost_config.settings import Settings
from gatepost_services.state_file import StateFileError, read_state

_RUNS = {
    True: mark("The gate started last with these settings."),
    False: mark(
        "The gate started last with OTHER settings: these count after gatepost config apply, or "
        "when it next starts."
    ),
    None: mark("Whether the gate started with these settings is not known here."),
}
_WHOSE = mark("Settings of gate {gate} of site {site}, from {file}.")
_SECRETS = mark("Secrets stand in files of their own: here are only their paths.")


def show(path: Path, *, only_changed: bool, is_json: bool) -> int:
    """Print the settings of a file; return the exit status.

    Raises:
        ConfigError: the file cannot be used.
    """
    settings = load(path)
    text = path.read_text(encoding="utf-8")
    lines = lines_of(tomllib.loads(text), text)
    if is_json:
        print(_as_json(path, settings, lines, only_changed=only_changed))
        return 0
    gate = settings.gate
    whose = say(_WHOSE, gate=gate.name, site=gate.site, file=_printable(path))
    heading = (f"{whose}{space()}{say(_RUNS[_runs_with(settings)])}", say(_SECRETS))
    text = commented(settings, lines, heading=heading, only_changed=only_changed, tongue=tongue())
    print(text, end="")
    return 0


def _as_json(
    path: Path, settings: Settings, lines: dict[str, int | None], *, only_changed: bool
) -> str:
    found = values(settings)
    return json.dumps(
        {
            "file": str(path),
            "gate_runs_with_it": _runs_with(settings),
            "settings": [
                {
                    "section": entry.section,
                    "key": entry.key,
                    "value": plain(found[name]),
                    "unit": entry.unit or None,
                    "is_set": name in lines,
                    "line": lines.get(name),
                    "is_changed": is_changed(entry, found[name]),
                    "matters": entry.matters or None,
                    "restart": [UNITS[process] for process in entry.restart],
                }
                for name, entry in entries().items()
                if not only_changed or is_changed(entry, found[name])
            ],
        },
        ensure_ascii=False,
    )


def plain(value: object) -> object:
    """Return a value as JSON has it."""
    return str(value) if isinstance(value, Path) else value


def _runs_with(settings: Settings) -> bool | None:
    """Return whether the gate's last start was with these settings; None where it left no word."""
    try:
        noted = read_state(settings.paths.settings_digest)
    except StateFileError:
        return None
    return None if noted is None else noted.decode("ascii", "replace") == settings_digest(settings)


def _printable(path: Path) -> str:
    """Return a path for a comment, which ends at the end of its line."""
    return str(path) if str(path).isprintable() else ascii(str(path))
