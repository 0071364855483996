"""Draws one moment of the demo, for a terminal of any colour. Needs rich, an extra."""

import threading
from collections import deque

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gatepost.core.states import OUTPUTS, State
from gatepost.demo.show import Progress
from gatepost_services.contract.events import WireEvent

# With these, the view and the summary below it fit a terminal of 24 lines and 80 columns.
_EVENTS_SHOWN = 8
_SAMPLES_SHOWN = 5
_BAR_FROM_C, _BAR_TO_C = 30.0, 38.0
_BAR_WIDTH = 16
_QUEUE_WIDTH = 40
_LABEL_WIDTH = 9

# Green went well, yellow needs somebody, red is what nobody wants.
_BROKER_COLOURS = {"running": "green", "back": "green", "down": "bold red"}
_LAMP_COLOURS = {"green": "bold green", "amber": "bold yellow", "red": "bold red"}
_EVENT_COLOURS = {
    "visit.admitted": "green",
    "passage.entered": "green",
    "visit.rechecked": "yellow",
    "visit.referred": "yellow",
    "visit.denied": "red",
    "passage.forced": "bold red",
    "passage.tailgated": "bold red",
    "passage.wrong_way": "bold red",
    "passage.held": "bold red",
    "controller.failed": "bold red",
}


class Scene:
    """The lane as a picture: the person, the reading, lamps, turnstile, queue, events arriving.

    `count` is how many people come. Events may be added by another thread.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._arrived: deque[tuple[WireEvent, bool]] = deque(maxlen=_EVENTS_SHOWN)
        self._lock = threading.Lock()

    def add_event(self, event: WireEvent, is_new: bool) -> None:
        """Take an event that arrived at the subscriber."""
        with self._lock:
            self._arrived.append((event, is_new))

    def render(self, progress: Progress) -> RenderableType:
        """Return the picture of one moment."""
        with self._lock:
            arrived = list(self._arrived)
        lane = progress.lane
        title = f"Gatepost  lane-1  {lane.get('done', 0)} of {self._count} people"
        clock = f"{_number(lane.get('at_s')):.1f} s"
        return Group(
            _panel(f"{title}  {clock}", _lane_table(lane)),
            _panel("journal to central server", _queue_table(progress)),
            _panel("events at the subscriber", _event_table(arrived)),
        )


def _panel(title: str, content: Table) -> Panel:
    return Panel(content, title=f"[not dim bold]{title}[/]", title_align="left", border_style="dim")


def _grid() -> Table:
    """Return a table without lines whose rows never wrap: the view must not change its height."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", min_width=_LABEL_WIDTH, no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    return table


def _lane_table(lane: dict[str, object]) -> Table:
    table = _grid()
    person = lane.get("person")
    manner = _words(lane.get("behaviour", ""))
    table.add_row("person", "[dim]nobody[/]" if person is None else f"{person}, who {manner}")
    table.add_row("lane", _state(lane))
    table.add_row("forehead", _reading(lane))
    table.add_row("lamps", _lamps(lane))
    released = lane.get("released")
    free = " and ".join(map(str, released)) if isinstance(released, list) else ""
    table.add_row("turnstile", f"[bold green]▶ {free} released[/]" if free else "■ locked")
    return table


def _state(lane: dict[str, object]) -> str:
    name = str(lane.get("state", "starting"))
    if name.upper() not in State.__members__:
        return name
    told = OUTPUTS[State[name.upper()]].signal.name
    return f"{_words(name):<14} [dim]says[/] {_words(told.lower())}"


def _reading(lane: dict[str, object]) -> str:
    samples = lane.get("samples_c")
    # An idle lane still remembers the last visit; nobody stands there whom it would be of.
    if not isinstance(samples, list) or not samples or lane.get("state") == "idle":
        return f"[dim]{'─' * _BAR_WIDTH}[/]"
    share = (samples[-1] - _BAR_FROM_C) / (_BAR_TO_C - _BAR_FROM_C)
    filled = min(max(round(share * _BAR_WIDTH), 0), _BAR_WIDTH)
    bar = f"[cyan]{'━' * filled}[/][dim]{'─' * (_BAR_WIDTH - filled)}[/]"
    shown = [f"{sample:.2f}" for sample in samples[-_SAMPLES_SHOWN:]]
    settling = f"[dim]{' '.join(shown[:-1])}[/] {shown[-1]}".strip()
    index = lane.get("index_c")
    judged = f"  [bold]index {index:.2f}[/]" if isinstance(index, float) else ""
    return f"{bar}  {settling} °C{judged}"


def _lamps(lane: dict[str, object]) -> str:
    lit = lane.get("lamps")
    names = lit if isinstance(lit, list) else []
    return "  ".join(
        f"[{colour}]● {name}[/]" if name in names else f"[dim]○ {name}[/]"
        for name, colour in _LAMP_COLOURS.items()
    )


def _queue_table(progress: Progress) -> Table:
    tally, written = progress.tally, progress.written
    waiting = max(0, written - tally.received)
    restarts = sum(progress.restarts.values())
    colour = _BROKER_COLOURS.get(progress.broker, "")
    bar = "■" * min(waiting, _QUEUE_WIDTH) + ("…" if waiting > _QUEUE_WIDTH else "")
    table = _grid()
    table.add_row("waiting", f"{waiting:<4} [yellow]{bar}[/]")
    table.add_row(
        "broker",
        f"[{colour}]● {progress.broker:<7}[/]  {written} written  {tally.received} received  "
        f"{tally.duplicates} repeated" + (f"  restarted {restarts}" if restarts else ""),
    )
    return table


def _event_table(arrived: list[tuple[WireEvent, bool]]) -> Table:
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(style="dim", width=4, justify="right", no_wrap=True)
    table.add_column(width=18, no_wrap=True, overflow="ellipsis")
    table.add_column(width=11, no_wrap=True, overflow="ellipsis")
    table.add_column(width=5, no_wrap=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for event, is_new in arrived:
        name = event.type.removeprefix("gatepost.")
        # Text, not markup: what came over the wire is shown, never obeyed.
        subject = Text(_words(event.data.get("subject") or ""))
        index = event.data.get("index_c")
        table.add_row(
            str(event.seq),
            Text(name, _EVENT_COLOURS.get(name, "")),
            subject,
            f"{index:.2f}" if isinstance(index, float) else "",
            Text(_why(event)) if is_new else Text("again", style="yellow"),
        )
    for _ in range(_EVENTS_SHOWN - len(arrived)):
        table.add_row()
    return table


def _why(event: WireEvent) -> str:
    keys = ("reason", "fault", "detail", "error", "state", "rules")
    parts = [_words(event.data[key]) for key in keys if event.data.get(key) is not None]
    return "  ".join(parts)


def _words(value: object) -> str:
    return "+".join(map(str, value)) if isinstance(value, list) else str(value).replace("_", " ")


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
