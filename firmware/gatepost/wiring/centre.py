"""Builds what the gate has to do with the central server: commands, documents, notices."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from gatepost import __version__
from gatepost.core.events import Json, Record
from gatepost.core.faults import Fault
from gatepost.core.regime import Regime
from gatepost.gate import Asked, Hardware
from gatepost.wiring.documents import Documents
from gatepost.wiring.erasing import Erasing
from gatepost.wiring.news import News
from gatepost.wiring.notices import Notices
from gatepost.wiring.orders import restart
from gatepost.wiring.outings import Outing
from gatepost.wiring.remote import Errands, Remote
from gatepost.wiring.trusted_clock import JudgedClock
from gatepost_config.settings import Settings
from gatepost_hal.ports import Clock
from gatepost_services.commands.memory import CommandMemory, CommandMemoryError
from gatepost_services.contract.events import event_source
from gatepost_services.credentials.keys import KeysById, by_id
from gatepost_services.credentials.signing import key_of_hex
from gatepost_services.credentials.trust import TrustFile
from gatepost_services.inbox import InboxReader

if TYPE_CHECKING:  # a gate without an order need not pay for reading one
    from gatepost.wiring.order_in_force import OrderInForce

# Three long tones: heard across a street, and like no other signal of the lane.
_IDENTIFY_S = (1.0, 0.5, 1.0, 0.5, 1.0)


class Centre(NamedTuple):
    """The loop's dealings with the central server, each a plain function; see `Surroundings`."""

    asked: Callable[[], Sequence[Asked]]
    news: Callable[[], Sequence[Record]]
    faults: Callable[[], Mapping[Fault, str | None]]
    report: Callable[[Mapping[str, Json]], None]


def centre(
    settings: Settings,
    hardware: Hardware,
    clock: JudgedClock,
    *,
    order: "OrderInForce | None",
    outings: Callable[[], Sequence[Outing]],
    closing: ExitStack,
) -> Centre:
    """Return them; `closing` closes their files. What cannot be had is a fault, and told.

    Args:
        settings: of this gate.
        hardware: what `identify` sounds on.
        clock: of the gate.
        order: what says which order is in force; None: none is obeyed.
        outings: those that counted since the last call.
        closing: ends when the gate does.
    """
    documents = Documents(settings, clock, order)
    closing.callback(documents.close)
    in_force = _no_order if order is None else order.current
    news = News(settings, clock, regime=in_force, outings=outings)
    source = event_source(settings.gate.site, settings.gate.name)
    erasing = Erasing(settings.paths, clock)
    closing.callback(erasing.close)
    errands = Errands(partial(_identify, hardware), restart, erasing.begin)
    remote = _remote(settings, clock, errands, documents)
    closing.callback(remote.close)
    notices = Notices(
        settings.paths,
        clock,
        source=source,
        about={"version": __version__},
        documents=documents.reported,
    )
    closing.callback(notices.close)
    return Centre(
        remote.asked,
        lambda: [*news.due(), *remote.news(), *documents.poll(), *erasing.news()],
        lambda: {**remote.faults(), **documents.faults()},
        notices.report,
    )


def _no_order() -> tuple[Regime | None, str | None]:
    return None, None


def _remote(settings: Settings, clock: Clock, errands: Errands, documents: Documents) -> Remote:
    memory: CommandMemory | None = None
    problem: str | None = None
    try:
        memory = CommandMemory.open(settings.paths.commands)
    except CommandMemoryError as error:
        problem = str(error)
    return Remote(
        event_source(settings.gate.site, settings.gate.name),
        clock,
        keys=_keys(settings),
        memory=memory,
        inbox=InboxReader(settings.paths.inbox),
        errands=errands,
        documents=documents,
        problem=problem,
    )


def _keys(settings: Settings) -> Callable[[], KeysById]:
    """Return what returns the keys that count: of the trust list, as it is by now."""
    if not settings.passes.root_key:
        nobody = by_id(())
        return lambda: nobody
    roots = [key_of_hex(each) for each in settings.passes.root_key.split()]
    trust = TrustFile(settings.paths.trust_list, roots, settings.gate.site)

    def keys() -> KeysById:
        trust.refresh()
        return trust.keys

    return keys


def _identify(hardware: Hardware) -> None:
    hardware.buzzer.play(_IDENTIFY_S)
