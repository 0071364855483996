"""A gate's wiring as text for a terminal, as Markdown, and as JSON."""

import json
from collections.abc import Iterable, Iterator

from gatepost.cli.config_words import tongue
from gatepost.cli.wiring_table import Line, Wiring
from gatepost.cli.words import mark, say
from gatepost.core.words import Text
from gatepost.doctor.columns import padded, width
from gatepost_config.settings import Settings

_WIDTH = 100
_INDENT = "  "
_HEAD = (
    *(mark("line"), mark("BCM"), mark("pin"), mark("direction"), mark("active")),
    *(mark("power-on"), mark("what it is")),
)
_MARKDOWN_HEAD = (
    *(mark("line"), mark("what it is"), mark("BCM"), mark("pin"), mark("direction")),
    *(mark("active"), mark("pull"), mark("power-on"), mark("connect")),
    *(mark("without the Pi's power"), mark("mind")),
)
_TITLE = mark("Wiring of gate {gate} of site {site}: 40-pin header, BCM numbers.")
# What a line can be.
_WORDS = (
    *(mark("output"), mark("input"), mark("bus")),
    *(mark("high"), mark("low"), mark("open"), mark("closed")),
)


def as_text(wiring: Wiring, settings: Settings) -> str:
    """Return it for a terminal of 100 columns: the table, then what to do at each line."""
    gate = settings.gate
    return "\n".join(
        (
            say(_TITLE, gate=gate.name, site=gate.site),
            "",
            *_columns([tuple(map(say, _HEAD)), *map(_row, wiring.lines)]),
            *(text for line in wiring.lines for text in _details(line)),
            *_not_wired(wiring),
            "",
            "/boot/firmware/config.txt",
            *(f"{_INDENT}{setting}" for setting in wiring.boot_settings),
            "",
            say("For the whole lane"),
            *(text for note in wiring.notes for text in _wrapped("- ", say(note))),
            "",
        )
    )


def as_markdown(wiring: Wiring) -> str:
    """Return it as a table and lists."""
    rows = [
        (
            f"`{_name(line)}`", say(line.function.what), str(line.bcm), str(line.pin),
            say(line.direction), say(line.active), say(line.pull), say(line.power_on),
            say(line.function.connect), say(line.function.unpowered),
            say("; ").join(map(say, line.warnings)),
        )
        for line in wiring.lines
    ]  # fmt: skip
    head = tuple(map(say, _MARKDOWN_HEAD))
    return "\n".join(
        (
            *(f"| {' | '.join(row)} |" for row in (head, _rule(head), *rows)),
            "",
            *(_missing(name, each.missing) for name, each in wiring.not_wired.items()),
            *(_in_config_txt(setting) for setting in wiring.boot_settings),
            *(f"- {say(note)}" for note in wiring.notes),
            "",
        )
    )


def _missing(name: str, what: str) -> str:
    return "- " + say("Not wired: {name}; {missing}.", name=f"`{name}`", missing=say(what))


def _in_config_txt(setting: str) -> str:
    path = "`/boot/firmware/config.txt`"
    return "- " + say("{setting} in {path}.", setting=f"`{setting}`", path=path)


def as_json(wiring: Wiring, settings: Settings) -> str:
    """Return it as one line of JSON."""
    return json.dumps(
        {
            "site": settings.gate.site,
            "gate": settings.gate.name,
            "lines": [_json_line(line) for line in wiring.lines],
            "not_wired": list(wiring.not_wired),
            "boot_settings": wiring.boot_settings,
            "notes": wiring.notes,
        },
        ensure_ascii=False,
    )


def _json_line(line: Line) -> dict[str, object]:
    return {
        "line": line.name,
        "what": line.function.what,
        "bcm": line.bcm,
        "pin": line.pin,
        "direction": line.direction,
        "active": line.active,
        "pull": line.pull,
        "power_on": line.power_on,
        "connect": line.function.connect,
        "unpowered": line.function.unpowered,
        "warnings": line.warnings,
    }


def _name(line: Line) -> str:
    """Return the name of a line; that of a setting is the same in every language."""
    return say(line.name) if isinstance(line.name, Text) else line.name


def _row(line: Line) -> tuple[str, ...]:
    return (
        _name(line),
        str(line.bcm),
        str(line.pin),
        say(line.direction),
        say(line.active),
        say(line.power_on),
        say(line.function.what),
    )


def _columns(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    table = list(rows)
    widths = [max(map(width, column)) for column in zip(*table, strict=True)]
    for row in table:
        yield "  ".join(map(padded, row, widths)).rstrip()


def _details(line: Line) -> Iterator[str]:
    yield ""
    yield say("{line}, pin {pin}", line=_name(line), pin=line.pin)
    yield from _wrapped(say("connect: "), say(line.function.connect))
    yield from _wrapped(say("pull: "), say(line.pull))
    yield from _wrapped(say("without the Pi's power: "), say(line.function.unpowered))
    for warning in line.warnings:
        yield from _wrapped(say("MIND: "), say(warning))


def _not_wired(wiring: Wiring) -> Iterator[str]:
    if wiring.not_wired:
        yield ""
        yield say("Not wired")
        for name, function in wiring.not_wired.items():
            yield from _wrapped(f"{name}{say(': ')}", say(function.missing))


def _wrapped(label: str, text: str) -> list[str]:
    lines = tongue().wrap(f"{label}{text}", _WIDTH - 2 * len(_INDENT))
    return [f"{_INDENT * (2 if at else 1)}{line}" for at, line in enumerate(lines)]


def _rule(head: tuple[str, ...]) -> tuple[str, ...]:
    return ("---",) * len(head)
