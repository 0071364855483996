"""`gatepost watch`: the gates of a site as they are now, and what happens, for a technician.

It looks on: it confirms no events, commands nothing, and leaves nothing at the broker.
"""

import argparse
import fnmatch
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from typing import NamedTuple, NoReturn, Protocol

from gatepost.cli.broker import add_broker_arguments, broker_of
from gatepost.cli.main import fail
from gatepost_config.load import load
from gatepost_services.contract.events import event_source
from gatepost_services.hub.messages import Broker, Incoming
from gatepost_services.hub.mqtt import HubClient
from gatepost_services.hub.watch import Change, Event, Happening, SiteWatch, topics
from gatepost_services.hub.watch_text import as_json, line
from gatepost_services.record import EventClass

_CONNECT_S = 10.0
_TURN_S = 0.25
_SETTLE_EACH_S = 1.0
# Retained texts come at once. A broker may grant a subscription and hand nothing on.
_SILENT_S = 10.0
_SILENCE = (
    "nothing comes: no such gate has spoken yet, or our certificate may not read there; that of a "
    "gate may not (services/acl: the user watch)"
)
_TRUSTED = ("rtc", "ntp")
_OLD_STREAMS = ("backlog", "replay")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_broker_arguments(parser, key_name="--key")
    parser.add_argument("--site", metavar="NAME", help="default: that of --config; --host: all")
    parser.add_argument(
        "--gate", action="append", metavar="NAME", help="only this one, or such as 'north-*'"
    )
    parser.add_argument(
        "--type", action="append", metavar="TYPE", help="only such events: passage.forced, 'fire.*'"
    )
    parser.add_argument(
        "--class",
        dest="classes",
        action="append",
        choices=[each.label for each in EventClass],
        help="only events as urgent as that",
    )
    parser.add_argument(
        "--since-start", action="store_true", help="not what happened before: backlog, replays"
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON for all that happens")
    parser.add_argument(
        "--personal", action="store_true", help="show temperatures and names of passes as well"
    )


class View(Protocol):
    """Where a watch is shown. One thread."""

    def tell(self, happening: Happening) -> None:
        """Show what happened."""
        ...

    def show(self, site: SiteWatch, trouble: str | None) -> None:
        """Show how things stand; `trouble` is the broker's."""
        ...


def run(args: argparse.Namespace) -> int:
    """Watch until Ctrl-C."""
    signal.signal(signal.SIGTERM, _end)
    broker = broker_of(args, gate_may=True)
    site = args.site or ("+" if args.host else load(args.config).gate.site)
    wanted = Wanted.of(args, time.time())
    subscriptions = topics(site, _one_gate(args.gate))
    with _opened_view(broker, personal=args.personal, as_lines_of_json=args.json) as view:
        try:
            watch(broker, subscriptions, wanted, view)
        except KeyboardInterrupt:  # the only end there is, and so a good one
            return 0
    return 0


def _end(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


def _one_gate(gates: list[str] | None) -> str:
    """Return the one gate to subscribe to, "+" where it may be several.

    A gate's own certificate may let it see no other, and a broker may refuse to be asked for more.
    """
    if gates is None or len(gates) != 1:
        return "+"
    name = gates[0].rpartition("/")[2]
    try:
        event_source("any", name)
    except ValueError:
        return "+"
    return name


class Wanted(NamedTuple):
    """What is to be told. Empty is everything; the gates hold for the table as well."""

    gates: tuple[str, ...]
    types: tuple[str, ...]
    classes: tuple[str, ...]
    since_utc_s: float | None

    @classmethod
    def of(cls, args: argparse.Namespace, utc_s: float) -> "Wanted":
        """Return what the arguments want, beginning now."""
        return cls(
            tuple(args.gate or ()),
            tuple(args.type or ()),
            tuple(args.classes or ()),
            utc_s if args.since_start else None,
        )

    def gate(self, gate: str) -> bool:
        """Whether a gate, "<site>/<gate>", is looked at."""
        name = gate.partition("/")[2]
        return not self.gates or any(
            fnmatch.fnmatchcase(gate if "/" in each else name, each) for each in self.gates
        )

    def happening(self, happening: Happening) -> bool:
        """Whether something that happened is told."""
        if not isinstance(happening, Event):
            # Who asks for some events asks for no news of the gates; a bad message is told always.
            return not (isinstance(happening, Change) and (self.types or self.classes))
        event = happening.event
        if self.classes and event.event_class.label not in self.classes:
            return False
        name = event.type.removeprefix("gatepost.")
        if self.types and not any(
            fnmatch.fnmatchcase(name, each.removeprefix("gatepost.")) for each in self.types
        ):
            return False
        if self.since_utc_s is None:
            return True
        is_old = event.time_quality in _TRUSTED and event.utc_s < self.since_utc_s
        return happening.stream not in _OLD_STREAMS and not is_old


def watch(
    broker: Broker,
    subscriptions: tuple[str, ...],
    wanted: Wanted,
    view: View,
    goes_on: Callable[[], bool] = lambda: True,
) -> None:
    """Show what comes, for as long as it `goes_on`. Ends the command where no broker is."""
    arrived: Queue[Incoming | None] = Queue()
    site = SiteWatch(wanted.gate)
    client = HubClient(
        broker,
        topics=subscriptions,
        on_message=arrived.put,
        on_connected=lambda: arrived.put(None),  # in its place among the messages
        retry_s=1.0,
    )
    with client:
        trouble = client.wait_trouble(_CONNECT_S)
        if trouble is not None:
            fail(f"broker {broker}: {trouble}")
        settle_at_s = 0.0
        silent_at_s = time.monotonic() + _SILENT_S
        while goes_on():
            for happening in _arrived(site, arrived):
                if wanted.happening(happening):
                    view.tell(happening)
            now_s = time.monotonic()
            if now_s >= settle_at_s:
                settle_at_s = now_s + _SETTLE_EACH_S
                for happening in site.settle(now_s):
                    if wanted.happening(happening):
                        view.tell(happening)
            is_silent = now_s >= silent_at_s and not site.rows
            view.show(site, client.trouble or (_SILENCE if is_silent else None))


def _arrived(site: SiteWatch, arrived: "Queue[Incoming | None]") -> Iterator[Happening]:
    """Yield what comes in one turn: it ends also while more comes, for somebody looks."""
    until_s = time.monotonic() + _TURN_S
    while (now_s := time.monotonic()) < until_s:
        try:
            message = arrived.get(timeout=until_s - now_s)
        except Empty:
            return
        if message is None:
            site.begin_anew()
        else:
            yield from site.take(message, now_s)


# ----------------------------------------------------------------------------------------- views


@contextmanager
def _opened_view(broker: Broker, *, personal: bool, as_lines_of_json: bool) -> Iterator[View]:
    """Yield the view that fits: JSON, a live table in a terminal with rich, else plain lines."""
    if as_lines_of_json:
        yield JsonLines(personal=personal)
        return
    if not sys.stdout.isatty():
        yield TextLines(personal=personal)
        return
    try:
        from gatepost.cli.watch_table import opened_table  # noqa: PLC0415 - rich is an extra
    except ImportError:
        yield TextLines(personal=personal)
        return
    with opened_table(str(broker), personal=personal) as table:
        yield table


class JsonLines:
    """One line of JSON for all that happens."""

    def __init__(self, *, personal: bool) -> None:
        self._personal = personal

    def tell(self, happening: Happening) -> None:
        """Print it."""
        print(as_json(happening, time.time(), personal=self._personal), flush=True)

    def show(self, site: SiteWatch, trouble: str | None) -> None:
        """Print nothing: a change was told when it came."""


class TextLines:
    """One line of text for all that happens, and for the broker's coming and going."""

    def __init__(self, *, personal: bool) -> None:
        self._personal = personal
        self._trouble: str | None = None

    def tell(self, happening: Happening) -> None:
        """Print it."""
        print(line(happening, personal=self._personal), flush=True)

    def show(self, site: SiteWatch, trouble: str | None) -> None:
        """Print the broker's trouble when it begins and when it ends."""
        del site
        if trouble != self._trouble:
            self._trouble = trouble
            print(f"{'':8}  broker: {trouble or 'all is well again'}", flush=True)
