"""Read one TOML file into `Settings`, or say exactly what is wrong with it and what to do.

Every problem of the file is reported at once: a technician at the gate should not have to find
them one start after another.
"""

import os
import tomllib
from pathlib import Path

import msgspec

from gatepost_config.lines import WIEGAND, line_problems
from gatepost_config.paths import Paths
from gatepost_config.settings import (
    NOTHING,
    Journal,
    Passback,
    Pins,
    Reader,
    Regime,
    Screening,
    Sensor,
    Settings,
    Turnstile,
    decode_path,
)

# sun_path has 108 bytes on Linux including the closing NUL: unix(7).
_MAX_SOCKET_PATH_BYTES = 107
# The middle of healthy adults' body temperatures, which the index is made to have.
_HEALTHY_MIDDLE_C = 36.8
# BCM lines 0 to 8 are pulled up at power-on, the others down (BCM2835 datasheet, table 6-31).
_LAST_PULLED_UP = 8
DEFAULT_PATH = Path("/etc/gatepost/gatepost.toml")


_HOW_TO_WRITE = (
    "Numbers have a point and no unit (37.3), texts stand in quotes, each section stands once."
)


class ConfigError(ValueError):
    """The configuration cannot be used. `problems` holds one complete sentence for each error."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def load(path: Path) -> Settings:
    """Return the settings in `path`.

    Raises:
        ConfigError: the file is missing, unreadable, not TOML, or holds anything that
            `Settings` does not allow. Nothing of it is used then.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        remedy = "Write one (gatepost config example --write FILE), or name another with --config."
        raise ConfigError([f"{path}: there is no such file. {remedy}"]) from None
    except OSError as error:
        remedy = "Run it with sudo, or as a user of the group gatepost."
        remedy = f" {remedy}" if isinstance(error, PermissionError) else ""
        raise ConfigError([f"{path}: cannot be read: {error.strerror}.{remedy}"]) from None
    return decode(content, path=path)


def decode(content: bytes, *, path: Path) -> Settings:
    """Return the settings in the content of a file; `path` is for messages.

    Raises:
        ConfigError: as `load`.
    """
    try:
        # Line ends, and a mark before the first line, as editors may have written them.
        text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        raw = tomllib.loads(text)
    except UnicodeDecodeError as error:
        remedy = "Save the file as UTF-8."
        raise ConfigError([f"{path}: not UTF-8 text (byte {error.start}). {remedy}"]) from None
    except (ValueError, RecursionError) as error:  # also numbers or nesting beyond reason
        raise ConfigError([f"{path}: not TOML: {error}. {_HOW_TO_WRITE}"]) from None
    return parse(raw, path=path, text=text)


def parse(raw: dict[str, object], *, path: Path, text: str = "") -> Settings:
    """Return the settings in an already parsed document; `path` and `text` are for messages.

    Raises:
        ConfigError: as `load`.
    """
    try:
        settings = msgspec.convert(raw, Settings, dec_hook=decode_path)
    except msgspec.ValidationError:
        # Imported here because a gate whose file is right need not pay for it at every start.
        from gatepost_config import problems  # noqa: PLC0415

        single = problems.find(raw, path=path, text=text)
        # A check that needs a section that is wrong would speak of values that nobody wrote.
        joint = _joint_problems(**problems.good_sections(raw))
        raise ConfigError(single + [f"{path}: {problem}" for problem in joint]) from None
    if joint := _joint_problems(**msgspec.structs.asdict(settings)):
        raise ConfigError([f"{path}: {problem}" for problem in joint])
    return settings


def _joint_problems(
    *,
    screening: Screening | None = None,
    sensor: Sensor | None = None,
    pins: Pins | None = None,
    paths: Paths | None = None,
    turnstile: Turnstile | None = None,
    passback: Passback | None = None,
    reader: Reader | None = None,
    journal: Journal | None = None,
    regime: Regime | None = None,
    **_rest: object,
) -> list[str]:
    """Return what no single value shows: settings that contradict one another."""
    problems = line_problems(pins, reader, sensor) if pins else []
    if reader:
        problems += _reader_problems(reader)
    if turnstile:
        problems += _turnstile_problems(turnstile, pins)
    if passback and reader and passback.mode == "hard" and reader.exit_device == NOTHING:
        problems.append(
            '[passback] mode = "hard": without [reader] exit_device nobody who has left could '
            'enter again; wire an exit reader, or choose "timed" or "soft".'
        )
    if regime and regime.exits == "by_pass":
        problems += _exit_problems(regime, reader)
    if journal and journal.keep_delivered_days > journal.max_age_days:
        problems.append(
            f"[journal] keep_delivered_days = {journal.keep_delivered_days}: longer than "
            f"max_age_days = {journal.max_age_days}, at which everything goes; make it shorter."
        )
    if paths and (length := len(os.fsencode(paths.doorbell))) > _MAX_SOCKET_PATH_BYTES:
        problems.append(
            f'[paths] run_dir = "{paths.run_dir}": a socket below it has a path of {length} bytes; '
            f"choose one that is {length - _MAX_SOCKET_PATH_BYTES} bytes shorter."
        )
    if screening and screening.limit_c - screening.guard_c < _HEALTHY_MIDDLE_C:
        problems.append(
            f"[screening] guard_c = {screening.guard_c}: more than half of the healthy would be "
            f"within it; with limit_c = {screening.limit_c}, at most "
            f"{screening.limit_c - _HEALTHY_MIDDLE_C:.2f}."
        )
    return problems


def _exit_problems(regime: Regime, reader: Reader | None) -> list[str]:
    problems = []
    if not regime.name:
        problems.append(
            '[regime] exits = "by_pass": there is no order that could let anybody out; '
            'name one, or write "free".'
        )
    if reader and reader.exit_device == NOTHING:
        problems.append(
            '[regime] exits = "by_pass": without [reader] exit_device nobody could show a pass '
            'inside, and all would be held in; wire an exit reader, or write "free".'
        )
    return problems


def _reader_problems(reader: Reader) -> list[str]:
    return [
        *_connection_problems("", reader.kind, reader.device, reader.d0, reader.d1),
        *_connection_problems(
            "exit_", reader.exit_kind, reader.exit_device, reader.exit_d0, reader.exit_d1
        ),
    ]


def _connection_problems(way: str, kind: str, device: Path, d0: int, d1: int) -> list[str]:
    """Return what is wrong with one reader; `way` is what its keys begin with."""
    where = f'[reader] {way}kind = "{kind}"'
    if kind.startswith(WIEGAND):
        if d0 and d1 and device.name.startswith("gpiochip"):
            return []
        return [
            f"{where}: needs the GPIO chip and both data lines; it has {way}device = "
            f'"{device}", {way}d0 = {d0} and {way}d1 = {d1}. Write {way}device = '
            f'"/dev/gpiochip0" and two lines from 2 to 27.'
        ]
    if d0 or d1:
        return [
            f"{where}: has no data lines, and {way}d0 = {d0}, {way}d1 = {d1}; write 0 for both, "
            f'or "wiegand26" or "wiegand34".'
        ]
    if kind == "keyboard" and device == Reader().device:
        return [
            f'{where}: {way}device = "{device}" is no keyboard that could be had alone; name one '
            "of /dev/input/by-id."
        ]
    return []


def _turnstile_problems(turnstile: Turnstile, pins: Pins | None) -> list[str]:
    problems = []
    if turnstile.release == "pulse" and turnstile.pulse_s > turnstile.release_hold_s:
        problems.append(
            f"[turnstile] pulse_s = {turnstile.pulse_s}: longer than release_hold_s = "
            f"{turnstile.release_hold_s}, within which somebody must walk; make it shorter."
        )
    if pins is None:
        return problems
    if (turnstile.passage == "per_direction") != bool(pins.passage_exit):
        problems.append(
            f'[turnstile] passage = "{turnstile.passage}" and [pins] passage_exit = '
            f'{pins.passage_exit}: "per_direction" needs that line, and nothing else uses it.'
        )
    if turnstile.relay_active == "low":
        problems += [
            f"[pins] {key} = {pin}: pulled down at power-on, so an active-low relay would be "
            f"energised until the gate runs; use a line from 4 to {_LAST_PULLED_UP}."
            for key, pin in (("entry_relay", pins.entry_relay), ("exit_relay", pins.exit_relay))
            if pin > _LAST_PULLED_UP
        ]
    return problems
