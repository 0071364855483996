"""Read one TOML file into `Settings`, or say exactly what is wrong with it and what to do.

Every problem of the file is reported at once: a technician at the gate should not have to find
them one start after another.
"""

import difflib
import re
import tomllib
from pathlib import Path

import msgspec
from msgspec import inspect as mi
from msgspec.structs import FieldInfo
from msgspec.structs import fields as fields_of

from gatepost_config.settings import Settings

DEFAULT_PATH = Path("/etc/gatepost/gatepost.toml")

_UNITS = {
    "_s": "seconds",
    "_c": "degrees Celsius",
    "_hz": "hertz",
    "_pct": "percent",
}
# What people write in place of our units; only used to say which unit is meant.
_FOREIGN_UNIT = re.compile(r"_(ms|msec|us|min|minutes|sec|secs|seconds|h|hours|f|k|celsius)$")


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
    problems: list[str] = []
    sections = {section.name: section for section in fields_of(Settings)}
    for name, content in raw.items():
        where = f"{path}{_line(text, name, None)}: [{name}]"
        section = sections.get(name)
        if section is None:
            problems.append(f"{where}: no such section.{_nearest(name, sections)}")
        elif not isinstance(content, dict):
            problems.append(f"{where}: must be a section of settings, not {content!r}.")
        else:
            problems += _section_problems(name, content, section, path, text)
    problems += [
        f"{path}: [{name}] is missing; it must say: {', '.join(_required(section))}."
        for name, section in sections.items()
        if name not in raw and section.required
    ]
    if problems:
        raise ConfigError(problems)
    settings = msgspec.convert(raw, Settings, dec_hook=_path)
    problems = [f"{path}: {problem}" for problem in _joint_problems(settings)]
    if problems:
        raise ConfigError(problems)
    return settings


def _section_problems(
    name: str, content: dict[str, object], section: FieldInfo, path: Path, text: str
) -> list[str]:
    problems = []
    fields = {field.name: field for field in fields_of(section.type)}
    for key, value in content.items():
        where = f"{path}{_line(text, name, key)}: [{name}] {key} = {value!r}"
        field = fields.get(key)
        if field is None:
            problems.append(f"{where}: no such setting.{_nearest(key, fields)}")
            continue
        if not _accepts(field, value):
            remedy = "" if field.required else f" The default is {_toml(field.default)}."
            problems.append(f"{where}: must be {_allowed(field)}.{remedy}")
    problems += [
        f"{path}: [{name}] {key} is missing; it must be {_allowed(fields[key])}."
        for key in _required(section)
        if key not in content
    ]
    return problems


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


def _required(section: FieldInfo) -> list[str]:
    return [field.name for field in fields_of(section.type) if field.required]


def _accepts(field: FieldInfo, value: object) -> bool:
    try:
        msgspec.convert(value, field.type, dec_hook=_path)
    except msgspec.ValidationError:
        return False
    return True


def _path(kind: type, value: object) -> object:
    """Convert what msgspec has no conversion for: the only such type is `Path`."""
    if kind is Path and isinstance(value, str) and value.startswith("/") and "\0" not in value:
        return Path(value)
    raise ValueError(value)  # msgspec makes it a ValidationError


def _allowed(field: FieldInfo) -> str:
    """Return in words what a setting accepts: its type, unit and range."""
    kind = mi.type_info(field.type)
    unit = next((f" of {unit}" for end, unit in _UNITS.items() if field.name.endswith(end)), "")
    match kind:
        case mi.IntType() | mi.FloatType():
            noun = "a whole number" if isinstance(kind, mi.IntType) else "a number"
            return f"{noun}{unit} from {kind.ge} to {kind.le}, without quotes or a unit"
        case mi.StrType(pattern=str()):
            return "1 to 63 of a-z, 0-9 and '-', beginning with a letter or digit"
        case mi.LiteralType():
            return "one of " + ", ".join(f'"{value}"' for value in kind.values)
        case mi.CustomType():
            return "an absolute path in quotes"
        case _:
            return "a text in quotes"


def _toml(value: object) -> str:
    return str(value) if isinstance(value, int | float) else f'"{value}"'


def _nearest(name: str, known: dict[str, FieldInfo]) -> str:
    stem = _FOREIGN_UNIT.sub("", name)
    for key, field in known.items():
        if name != stem and any(key == stem + suffix for suffix in _UNITS):
            return f" Did you mean {key}, {_allowed(field)}?"
    close = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]}?" if close else f" There are: {', '.join(known)}."


def _line(text: str, section: str, key: str | None) -> str:
    """Return ":N" for the line of a section or key, or nothing where it is written otherwise."""
    inside = False
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            inside = stripped.strip("[] ") == section
            if inside and key is None:
                return f":{number}"
        elif inside and key is not None and re.match(rf"{re.escape(key)}\s*=", stripped):
            return f":{number}"
    return ""
