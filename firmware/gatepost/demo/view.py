"""Shows the demo: live in a terminal (rich), as plain lines elsewhere, or not at all."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Protocol

from gatepost.demo.show import Progress
from gatepost_services.contract.events import WireEvent

# What an event is about, for a reader: the keys of its data worth a place on one line.
_TOLD = ("subject", "outcome", "zone", "reason", "index_c", "rules", "fault", "detail", "error")


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
    """One line for each event at the subscriber, and for what changes around it.

    Only `show` and `close` print, so that a reader that went away (`| head`) ends the demo and not
    the subscriber's thread.
    """

    def __init__(self) -> None:
        self._arrived: SimpleQueue[str] = SimpleQueue()
        self._broker = "running"
        self._restarts: dict[str, int] = {}

    def add_event(self, event: WireEvent, is_new: bool) -> None:
        self._arrived.put(describe(event) + ("" if is_new else "  (again)"))

    def show(self, progress: Progress) -> None:
        self._print_arrived()
        if progress.broker != self._broker:
            self._broker = progress.broker
            print(f"       the broker is {progress.broker}", flush=True)
        for name, restarts in progress.restarts.items():
            if restarts != self._restarts.get(name, 0):
                self._restarts[name] = restarts
                print(f"       the {name} died and was started again", flush=True)

    def close(self) -> None:
        self._print_arrived()

    def _print_arrived(self) -> None:
        while not self._arrived.empty():
            print(self._arrived.get(), flush=True)


class LiveView:
    """The scene on a terminal, redrawn in place.

    Raises:
        ImportError: rich is not installed.
    """

    def __init__(self, count: int) -> None:
        # rich is an extra, and only for a terminal.
        from rich.live import Live  # noqa: PLC0415

        from gatepost.demo.scene import Scene  # noqa: PLC0415

        self._scene = Scene(count)
        self._live = Live(refresh_per_second=15)
        self._live.start()

    def add_event(self, event: WireEvent, is_new: bool) -> None:
        """Show an event that arrived at the subscriber."""
        self._scene.add_event(event, is_new)

    def show(self, progress: Progress) -> None:
        """Show how things stand."""
        self._live.update(self._scene.render(progress))

    def close(self) -> None:
        """Leave the screen as it is."""
        self._live.stop()
