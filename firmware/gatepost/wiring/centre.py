"""Builds what the gate has to do with the central server: commands, documents, notices."""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

from gatepost import __version__
from gatepost.core.events import Json, Record
from gatepost.core.faults import Fault
from gatepost.gate import Asked, Hardware
from gatepost.wiring.documents import Documents
from gatepost.wiring.erasing import Erasing
from gatepost.wiring.notices import Notices
from gatepost.wiring.remote import Errands, Remote
from gatepost_config.settings import Settings
from gatepost_services.commands.memory import CommandMemory, CommandMemoryError
from gatepost_services.contract.events import event_source
from gatepost_services.credentials.keys import KeysById, by_id
from gatepost_services.credentials.signing import key_of_hex
from gatepost_services.credentials.trust import TrustFile
from gatepost_services.inbox import InboxReader

# Three long tones: heard across a street, and like no other signal of the lane.
_IDENTIFY_S = (1.0, 0.5, 1.0, 0.5, 1.0)


class Centre(NamedTuple):
    """The loop's dealings with the central server, each a plain function; see `Surroundings`."""

    asked: Callable[[], Sequence[Asked]]
    news: Callable[[], Sequence[Record]]
    faults: Callable[[], Mapping[Fault, str | None]]
    report: Callable[[Mapping[str, Json]], None]


def centre(
    settings: Settings, hardware: Hardware, documents: Documents, closing: ExitStack
) -> Centre:
    """Return them; `closing` closes their files. What cannot be had is a fault, and told."""
    source = event_source(settings.gate.site, settings.gate.name)
    memory: CommandMemory | None = None
    problem: str | None = None
    try:
        memory = CommandMemory.open(settings.paths.commands)
    except CommandMemoryError as error:
        problem = str(error)
    erasing = Erasing(settings.paths, hardware.clock)
    closing.callback(erasing.close)
    remote = Remote(
        source,
        hardware.clock,
        keys=_keys(settings),
        memory=memory,
        inbox=InboxReader(settings.paths.inbox),
        errands=Errands(partial(_identify, hardware), _restart, erasing.begin),
        documents=documents,
        problem=problem,
    )
    closing.callback(remote.close)
    notices = Notices(
        settings.paths,
        hardware.clock,
        source=source,
        about={"version": __version__},
        documents=documents.reported,
    )
    closing.callback(notices.close)
    return Centre(
        remote.asked,
        lambda: [*remote.news(), *documents.poll(), *erasing.news()],
        lambda: {**remote.faults(), **documents.faults()},
        notices.report,
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


def _restart() -> None:
    # As the service manager stops it: in good order. The unit starts it again.
    os.kill(os.getpid(), signal.SIGTERM)
