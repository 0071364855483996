"""The live table of `gatepost watch`, for a terminal of any size. Needs rich, an extra."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gatepost_services.hub.watch import Event, Happening, Malformed, Row, SiteWatch
from gatepost_services.hub.watch_text import HEADINGS, cells, line, plain

# What a narrow terminal does without, in this order.
_DROPPED = ("clock", "head", "age", "last event", "waiting", "lane")
_MOST_TAIL = 12
_LEAST_ROWS = 3
_GAP = 2
# The line above, the headings, "and N more", the empty line, and one for the cursor.
_OTHER_LINES = 5


@contextmanager
def opened_table(broker: str, *, personal: bool) -> Iterator["LiveTable"]:
    """Yield the table; it stays on the screen at the end."""
    console = Console()
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        yield LiveTable(live, broker, personal=personal)


class LiveTable:
    """Redraws in place."""

    def __init__(self, live: Live, broker: str, *, personal: bool) -> None:
        self._live = live
        self._picture = Picture(broker, personal=personal)

    def tell(self, happening: Happening) -> None:
        """Add a line to the tail; changes are seen in the table."""
        self._picture.add(happening)

    def show(self, site: SiteWatch, trouble: str | None) -> None:
        """Draw how things stand."""
        size = self._live.console.size
        picture = self._picture.render(site, trouble, size.width, size.height, time.time())
        self._live.update(picture, refresh=True)


class Picture:
    """One moment of a site: never wider or higher than the terminal."""

    def __init__(self, broker: str, *, personal: bool) -> None:
        self._broker = broker
        self._personal = personal
        self._tail: deque[tuple[str, str]] = deque(maxlen=_MOST_TAIL)

    def add(self, happening: Happening) -> None:
        """Take what happened."""
        if isinstance(happening, Event | Malformed):
            self._tail.append((line(happening, personal=self._personal), _colour_of(happening)))

    def render(
        self, site: SiteWatch, trouble: str | None, width: int, height: int, utc_s: float
    ) -> RenderableType:
        """Return the picture of a moment for a terminal of that size."""
        rows = site.rows
        room = max(_LEAST_ROWS, height - _OTHER_LINES)
        tail = min(len(self._tail), _MOST_TAIL, max(0, room - min(len(rows), room // 2)))
        shown = rows[: max(1, room - tail)]
        more = rows[len(shown) :]
        lines = list(self._tail)[len(self._tail) - tail :]
        return Group(
            self._title(site, rows, trouble),
            _table(shown, width, utc_s),
            Text(_of_the_others(more), style="dim", no_wrap=True, overflow="ellipsis"),
            *(
                Text(told, style=colour, no_wrap=True, overflow="ellipsis")
                for told, colour in lines
            ),
        )

    def _title(self, site: SiteWatch, rows: Sequence[Row], trouble: str | None) -> Text:
        unwell = sum(not row.is_well for row in rows)
        title = Text(no_wrap=True, overflow="ellipsis")
        title.append(f"{len(rows)} gates", style="bold")
        title.append(f", {unwell} need somebody" if unwell else "", style="bold red")
        title.append(f"   {site.events} events")
        title.append(f", {site.malformed} malformed" if site.malformed else "", style="bold red")
        title.append(
            f"   {self._broker}" if trouble is None else f"   broker: {plain(trouble)}",
            style="dim" if trouble is None else "bold red",
        )
        return title


def _of_the_others(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    unwell = sum(not row.is_well for row in rows)
    return f"and {len(rows)} more, " + (f"{unwell} of them not well" if unwell else "all well")


def _table(rows: Sequence[Row], width: int, utc_s: float) -> Table:
    headings = (*HEADINGS, "head")
    texts = [cells(row, utc_s) for row in rows]
    widths = [
        max(len(heading), *(len(each[at]) for each in texts)) if texts else len(heading)
        for at, heading in enumerate(headings)
    ]
    kept = list(range(len(headings)))
    for name in _DROPPED:
        if sum(widths[at] + _GAP for at in kept) - _GAP <= width:
            break
        kept.remove(headings.index(name))
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="dim")
    for at in kept:
        table.add_column(headings[at], no_wrap=True, overflow="ellipsis")
    for row, each in zip(rows, texts, strict=True):
        table.add_row(*(Text(each[at], _style(row, headings[at])) for at in kept))
    return table


def _style(row: Row, heading: str) -> str:
    """Red needs somebody, yellow is on its way or a mode, the rest is as it should be."""
    match heading:
        case "gate":
            return "" if row.is_well else "bold"
        case "link":
            return {"online": "green", "lost": "bold red"}.get(row.presence or "", "yellow")
        case "lane":
            return (
                "bold red"
                if {"fire", "emergency", "tamper"} & {*row.standing}
                else ("yellow" if row.standing else "")
            )
        case "faults":
            return "bold red" if row.faults else ""
        case "events":
            is_missing = (row.sequence or "").endswith("missing")
            is_bad = row.altered or row.broken or is_missing or row.is_head_bad
            return "bold red" if is_bad else "green" if row.sequence == "complete" else "yellow"
        case "head":
            return "bold red" if row.is_head_bad else "green" if row.head == "verified" else ""
        case _:
            return ""


def _colour_of(happening: Event | Malformed) -> str:
    if isinstance(happening, Malformed) or set(happening.marks) - {"again"}:
        return "bold red"
    return {"alarm": "red", "telemetry": "dim"}.get(happening.event.event_class.label, "")
