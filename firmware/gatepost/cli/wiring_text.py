"""A gate's wiring as text for a terminal, as Markdown, and as JSON."""

import json
import textwrap
from collections.abc import Iterable, Iterator

from gatepost.cli.wiring_table import Line, Wiring
from gatepost_config.settings import Settings

_WIDTH = 100
_INDENT = "  "
_HEAD = ("line", "BCM", "pin", "direction", "active", "power-on", "what it is")
_MARKDOWN_HEAD = (
    "line", "what it is", "BCM", "pin", "direction", "active", "pull", "power-on", "connect",
    "without the Pi's power", "mind",
)  # fmt: skip


def as_text(wiring: Wiring, settings: Settings) -> str:
    """Return it for a terminal of 100 columns: the table, then what to do at each line."""
    gate = settings.gate
    return "\n".join(
        (
            f"Wiring of gate {gate.name} of site {gate.site}: 40-pin header, BCM numbers.",
            "",
            *_columns([_HEAD, *map(_row, wiring.lines)]),
            *(text for line in wiring.lines for text in _details(line)),
            *_not_wired(wiring),
            "",
            "/boot/firmware/config.txt",
            *(f"{_INDENT}{setting}" for setting in wiring.boot_settings),
            "",
            "For the whole lane",
            *(text for note in wiring.notes for text in _wrapped("- ", note)),
            "",
        )
    )


def as_markdown(wiring: Wiring) -> str:
    """Return it as a table and lists."""
    rows = [
        (
            f"`{line.name}`", line.function.what, str(line.bcm), str(line.pin), line.direction,
            line.active, line.pull, line.power_on, line.function.connect, line.function.unpowered,
            "; ".join(line.warnings),
        )
        for line in wiring.lines
    ]  # fmt: skip
    return "\n".join(
        (
            *(f"| {' | '.join(row)} |" for row in (_MARKDOWN_HEAD, _rule(_MARKDOWN_HEAD), *rows)),
            "",
            *(f"- Not wired: `{name}`; {each.missing}." for name, each in wiring.not_wired.items()),
            *(f"- `{setting}` in `/boot/firmware/config.txt`." for setting in wiring.boot_settings),
            *(f"- {note}" for note in wiring.notes),
            "",
        )
    )


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


def _row(line: Line) -> tuple[str, ...]:
    return (
        line.name,
        str(line.bcm),
        str(line.pin),
        line.direction,
        line.active,
        line.power_on,
        line.function.what,
    )


def _columns(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        yield "  ".join(
            f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)
        ).rstrip()


def _details(line: Line) -> Iterator[str]:
    yield ""
    yield f"{line.name}, pin {line.pin}"
    yield from _wrapped("connect: ", line.function.connect)
    yield from _wrapped("pull: ", line.pull)
    yield from _wrapped("without the Pi's power: ", line.function.unpowered)
    for warning in line.warnings:
        yield from _wrapped("MIND: ", warning)


def _not_wired(wiring: Wiring) -> Iterator[str]:
    if wiring.not_wired:
        yield ""
        yield "Not wired"
        for name, function in wiring.not_wired.items():
            yield from _wrapped(f"{name}: ", function.missing)


def _wrapped(label: str, text: str) -> list[str]:
    return textwrap.wrap(
        f"{_INDENT}{label}{text}", _WIDTH, subsequent_indent=_INDENT * 2, break_on_hyphens=False
    )


def _rule(head: tuple[str, ...]) -> tuple[str, ...]:
    return ("---",) * len(head)
