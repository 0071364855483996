"""Shows the demo: live in a terminal (rich), as plain lines elsewhere, or not at all."""

import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from gatepost.demo.show import Progress
from gatepost_services.contract.events import WireEvent

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_EVENTS_SHOWN = 10
_BAR_FROM_C, _BAR_TO_C = 30.0, 38.0
_BAR_WIDTH = 32

# What an event is about, for a reader: the keys of its data worth a place on one line.
_TOLD = ("subject", "outcome", "zone", "reason", "index_c", "rules", "fault", "detail")


class View(Protocol):
    """Something that the demo can be watched on. Events come from another thread."""

    def add_event(self, event: WireEvent, is_new: bool) -> None:
        """Show an event that arrived at the subscriber."""

    def show(self, progress: Progress) -> None:
        """Show how things stand."""

    def close(self) -> None:
        """Leave the screen as it is."""


@contextmanager
def open_view(count: int, *, quiet: bool) -> Iterator[View]:
    """Yield the view that fits: silent, live on a terminal with rich, else plain lines."""
    view: View
    if quiet:
        view = _Silent()
    elif not sys.stdout.isatty():
        view = _Lines()
    else:
        try:
            view = LiveView(count)
        except ImportError:
            view = _Lines()
    try:
        yield view
    finally:
        view.close()


def describe(event: WireEvent) -> str:
    """Return one line about an event."""
    told = [f"{key}={_short(event.data[key])}" for key in _TOLD if event.data.get(key) is not None]
    return f"{event.seq:>5}  {event.type.removeprefix('gatepost.'):<20} {' '.join(told)}"


def _short(value: object) -> str:
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)


class _Silent:
    def add_event(self, event: WireEvent, is_new: bool) -> None:
        pass

    def show(self, progress: Progress) -> None:
        pass

    def close(self) -> None:
        pass


class _Lines:
    """One line for each event at the subscriber, and for what changes around it."""

    def __init__(self) -> None:
        self._broker = "running"
        self._restarts: dict[str, int] = {}

    def add_event(self, event: WireEvent, is_new: bool) -> None:
        print(describe(event) + ("" if is_new else "  (again)"), flush=True)

    def show(self, progress: Progress) -> None:
        if progress.broker != self._broker:
            self._broker = progress.broker
            print(f"       the broker is {progress.broker}", flush=True)
        for name, restarts in progress.restarts.items():
            if restarts != self._restarts.get(name, 0):
                self._restarts[name] = restarts
                print(f"       the {name} died and was started again", flush=True)

    def close(self) -> None:
        pass


class LiveView:
    """The lane on a terminal: the person, the reading, lamps, relay, queue, events arriving.

    Raises:
        ImportError: rich is not installed.
    """

    def __init__(self, count: int) -> None:
        from rich.live import Live  # noqa: PLC0415 - an extra, and only for a terminal

        self._count = count
        self._events: deque[str] = deque(maxlen=_EVENTS_SHOWN)
        self._lock = threading.Lock()
        self._live = Live(refresh_per_second=15)
        self._live.start()

    def add_event(self, event: WireEvent, is_new: bool) -> None:
        """Show an event that arrived at the subscriber."""
        with self._lock:
            self._events.append(describe(event) + ("" if is_new else "  (again)"))

    def show(self, progress: Progress) -> None:
        """Show how things stand."""
        with self._lock:
            events = list(self._events)
        self._live.update(render(progress, events, self._count))

    def close(self) -> None:
        """Leave the screen as it is."""
        self._live.stop()


def render(progress: Progress, events: list[str], count: int) -> "RenderableType":
    """Return the picture of one moment. Needs rich."""
    from rich.console import Group  # noqa: PLC0415 - an extra
    from rich.panel import Panel  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    lane = progress.lane
    title = f"Gatepost  lane-1  {lane.get('done', 0)} of {count} people  {lane.get('at_s', 0)} s"
    arrived = Text("\n".join(events + [""] * (_EVENTS_SHOWN - len(events))), no_wrap=True)
    return Group(
        Panel(_lane_table(lane), title=title, title_align="left"),
        Panel(_queue_text(progress), title="journal to central server", title_align="left"),
        Panel(arrived, title="events at the subscriber", title_align="left"),
    )


def _lane_table(lane: dict[str, object]) -> "Table":
    from rich.table import Table  # noqa: PLC0415 - an extra

    table = Table.grid(padding=(0, 2))
    person = lane.get("person")
    who = "nobody" if person is None else f"person {person}, who {_manner(lane)}"
    table.add_row("in the lane", who)
    table.add_row("lane", str(lane.get("state", "starting")).replace("_", " "))
    table.add_row("forehead", _reading(lane))
    table.add_row("lamps", _lamps(lane))
    released = lane.get("released") or []
    free = "[bold green]released[/]" if released else "[dim]locked[/]"
    table.add_row("turnstile", free)
    return table


def _manner(lane: dict[str, object]) -> str:
    return str(lane.get("behaviour", "")).replace("_", " ")


def _reading(lane: dict[str, object]) -> str:
    samples = lane.get("samples_c")
    if not isinstance(samples, list) or not samples:
        return "[dim]no sample[/]"
    share = (samples[-1] - _BAR_FROM_C) / (_BAR_TO_C - _BAR_FROM_C)
    filled = round(min(max(share, 0.0), 1.0) * _BAR_WIDTH)
    bar = "━" * filled + "[dim]" + "─" * (_BAR_WIDTH - filled) + "[/]"
    index = lane.get("index_c")
    said = f"   index {index:.2f}" if isinstance(index, float) else ""
    return f"{bar} {samples[-1]:.2f} C, sample {len(samples)}{said}"


def _lamps(lane: dict[str, object]) -> str:
    lit = lane.get("lamps") or []
    assert isinstance(lit, list)  # noqa: S101 - our own trace
    colours = {"green": "bold green", "amber": "bold yellow", "red": "bold red"}
    return "  ".join(
        f"[{colour}]● {name}[/]" if name in lit else f"[dim]○ {name}[/]"
        for name, colour in colours.items()
    )


def _queue_text(progress: Progress) -> str:
    waiting = max(0, progress.written - progress.tally.received)
    restarts = sum(progress.restarts.values())
    return (
        f"written {progress.written}   waiting {waiting}   received {progress.tally.received}   "
        f"repeated {progress.tally.duplicates}   broker {progress.broker}"
        + (f"   restarts {restarts}" if restarts else "")
    )
