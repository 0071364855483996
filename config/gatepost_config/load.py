"""Read one TOML file into `Settings`, or say exactly what is wrong with it and what to do.

Every problem of the file is reported at once: a technician at the gate should not have to find
them one start after another.
"""

import tomllib
from pathlib import Path

import msgspec

from gatepost_config.settings import Settings, decode_path

DEFAULT_PATH = Path("/etc/gatepost/gatepost.toml")


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
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        remedy = "Copy config/gatepost.example.toml there, or name another file with --config."
        raise ConfigError([f"{path}: there is no such file. {remedy}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: not UTF-8 text (byte {error.start})."]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}."]) from None
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: not TOML: {error}."]) from None
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

        raise ConfigError(problems.find(raw, path=path, text=text)) from None
    if joint := _joint_problems(settings):
        raise ConfigError([f"{path}: {problem}" for problem in joint])
    return settings


def _joint_problems(settings: Settings) -> list[str]:
    """Return what no single value shows: settings that contradict one another."""
    problems = []
    pins: dict[int, str] = {}
    for key in settings.pins.__struct_fields__:
        pin = getattr(settings.pins, key)
        if isinstance(pin, int):
            if pin in pins:
                problems.append(
                    f"[pins] {key} = {pin}: already used by {pins[pin]}; give each its own line."
                )
            pins.setdefault(pin, key)
    needed_s = settings.screening.samples * settings.sensor.sample_period_s
    if needed_s > settings.lane.measure_timeout_s:
        problems.append(
            f"[lane] measure_timeout_s = {settings.lane.measure_timeout_s}: "
            f"{settings.screening.samples} samples every {settings.sensor.sample_period_s} s take "
            f"{needed_s:.2f} s; allow at least that."
        )
    if settings.sensor.deadline_s >= settings.sensor.sample_period_s:
        problems.append(
            f"[sensor] deadline_s = {settings.sensor.deadline_s}: must be shorter than "
            f"sample_period_s = {settings.sensor.sample_period_s}."
        )
    return problems
