"""What the loop is given: the lane's devices, and the other parts of the program as functions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from gatepost.core.events import Holder, Json, PassShown, ProofShown, Record, Tested, Verb
from gatepost.core.faults import Fault
from gatepost.core.offset import Offset
from gatepost.core.regime import Regime
from gatepost.core.states import Standing
from gatepost_hal.ports import (
    Announcer,
    Buzzer,
    Clock,
    Direction,
    Inputs,
    Lamps,
    Mailbox,
    Sampler,
    Turnstile,
    Watchdog,
)
from gatepost_services.journal import Entry


class EventLog(Protocol):
    """What the loop needs of the journal."""

    def append(self, entries: Iterable[Entry], give_up: Callable[[], bool]) -> None:
        """Write durably; wait no longer than it may, nor when `give_up` says so.

        Raises JournalLate (they may still get there) or JournalError (they will not).
        """
        ...

    def keep_house(self, delivered_seq: int) -> None:
        """Look after the journal; a server has everything through this number. Never blocks."""
        ...

    def take_lost(self) -> Sequence[Entry]:
        """Return the entries that were late and then failed, since the last call."""
        ...


class Hardware(NamedTuple):
    """One lane's devices, real or simulated."""

    clock: Clock
    mailbox: Mailbox
    sampler: Sampler
    turnstile: Turnstile
    lamps: Lamps
    buzzer: Buzzer
    inputs: Inputs
    display: Announcer
    speaker: Announcer
    watchdog: Watchdog


class Asked(NamedTuple):
    """Somebody on this machine asks how things stand (`verb` is None), or commands.

    `answer` takes the answer, ready for JSON; it never blocks or raises. `is_waiting`: whether
    they still wait for it. `disinfected`: they say that what people touch here was.
    `acknowledges`: they know of the escalations. `errand`: something beside the lane; the verb is
    then None.
    """

    verb: Verb | None
    tested: Tested | None
    id: str
    by: str
    answer: Callable[[Mapping[str, Json]], None]
    is_waiting: Callable[[], bool] = lambda: True
    disinfected: bool = False
    acknowledges: bool = False
    errand: "Errand | None" = None


class Errand(NamedTuple):
    """Something that is commanded and is none of the lane's: its name, and what does it.

    `run` returns why it could not be done, None when it was. It never blocks for long. One that is
    `at_rest` is refused while the lane deals with somebody, or with a fire.
    """

    verb: str
    run: Callable[[], str | None]
    at_rest: bool = False


class Codes(Protocol):
    """Reads what is shown at the readers: passes and proofs."""

    def shown(self, credential: str, direction: Direction, at_s: float) -> PassShown | ProofShown:
        """Return what was read at an instant: a pass, of somebody or of nobody, or a proof."""
        ...

    def use(self, holder: Holder) -> str | None:
        """Count a use of a signed pass, on the disk; return why it may not be used, if so."""
        ...

    def give_back(self, holder: Holder) -> None:
        """Take the use back: nobody walked."""
        ...

    def faults(self) -> Mapping[Fault, str | None]:
        """Return what is wrong with roster and trust list by now, None for what is over."""
        ...


class LedgerBook(Protocol):
    """Who was brought in by whom, who is on duty, and which escalations nobody has acknowledged."""

    why_not: str | None
    """Why it will not outlast a restart, if so."""

    def follow(self, record: Record) -> Sequence[Record]:
        """Take one record of the lane; return what is to be recorded of it."""
        ...

    def due(self) -> Sequence[Record]:
        """Return a record for each visit that lasts too long, and what is to be raised again."""
        ...

    def acknowledge(self, by: str) -> Sequence[Record]:
        """Note that somebody knows of all escalations that wait; return the record of it."""
        ...


class Surroundings(NamedTuple):
    """What the loop asks of the other parts of the program, each a plain function."""

    codes: Codes
    # The order in force by now, None where the lane's own rules are all; what comes second is why
    # it is not the one that is set, if so.
    regime: Callable[[], tuple[Regime | None, str | None]]
    disinfection_due: Callable[[int], str | None]  # with so many a day; None: it is not
    disinfected: Callable[[], str | None]  # note it; what comes back is why not, if so
    # Somebody went through; what comes back is why it could not be written down, if so.
    note_passage: Callable[[str, Direction], str | None]
    forgive: Callable[[], str | None]  # where everybody is, after an evacuation; likewise
    ledger: LedgerBook
    # What came in: on the control socket, and, signed, from the central server.
    asked: Callable[[], Sequence[Asked]]
    # What else is to be recorded by now (clock, health, documents), asked at each housekeeping;
    # and what is wrong with the parts beside the lane, None for what is over.
    news: Callable[[], Sequence[Record]]
    faults: Callable[[], Mapping[Fault, str | None]]
    report: Callable[[Mapping[str, Json]], None]  # tells the server how things stand
    acknowledged_seq: Callable[[], int]  # what the link says that the server has
    ring: Callable[[], None]  # tells the link to look at the journal again
    keep_offset: Callable[[Offset], None]  # over a restart
    # Over a restart; what comes back is why not, if so.
    keep_standing: Callable[[frozenset[Standing]], str | None]
    is_quiet: Callable[[], bool]  # whether it is the time of day for ticks
    notify: Callable[[str], None]  # tells the service manager, e.g. "WATCHDOG=1"
