"""What happens to a lane, and what it tells: the values that go into `advance` and come out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, TypeAlias

from gatepost.core.facts import Facts
from gatepost.core.passback import Objection
from gatepost.core.screening import Reason
from gatepost.core.session import NOTHING, Brought
from gatepost_hal.ports import Direction, InputChanged, Reading, SensorFault

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"


class Holder(NamedTuple):
    """Who a known pass belongs to: an opaque subject of the roster, and its category.

    `duress`: the pass that its holder shows under threat. It opens as any other, and tells.
    `pass_id`: of a signed pass whose uses are counted.
    """

    subject: str
    category: str
    duress: bool = False
    pass_id: str | None = None


class PassShown(NamedTuple):
    """A pass was shown at the reader of one direction. `holder` is None when nobody knows it.

    `objection` is what speaks against this pass just now (anti-passback). `known` is what is known
    of its holder and of the moment, for the regime; what was measured comes later. `refusal`: why
    a code that says that it is a pass is none here and now.
    """

    at_s: float
    holder: Holder | None
    direction: Direction = Direction.ENTRY
    objection: Objection | None = None
    known: Facts | None = None
    refusal: str | None = None


class ProofShown(NamedTuple):
    """Something was shown that is no pass: a certificate, a code. `refusal`: why it does not count.

    Whoever reads it verified it; the lane asks for what it may lack (`gatepost.core.session`).
    """

    at_s: float
    direction: Direction = Direction.ENTRY
    brought: Brought = NOTHING
    refusal: str | None = None


class Written(NamedTuple):
    """The records of the last step are on disk, or could not be written."""

    at_s: float
    ok: bool


class SensorTrust(NamedTuple):
    """Whether the thermometer can be believed has changed; `distrust` says why not, None is yes."""

    at_s: float
    distrust: Reason | None


class Tick(NamedTuple):
    """Time has come so far."""

    at_s: float


class Verb(Enum):
    """What a person or a server with the right to do so may command."""

    RELEASE_ENTRY = "release_entry"  # once
    RELEASE_EXIT = "release_exit"  # once
    LOCK = "lock"
    UNLOCK = "unlock"
    CLOSE = "close"  # out of service
    OPEN = "open"  # and in again
    BEGIN_MAINTENANCE = "begin_maintenance"
    END_MAINTENANCE = "end_maintenance"
    TEST = "test"  # one output, in maintenance


class Tested(Enum):
    """The outputs that maintenance tests one by one."""

    ENTRY_RELAY = "entry_relay"
    EXIT_RELAY = "exit_relay"
    GREEN_LAMP = "green_lamp"
    AMBER_LAMP = "amber_lamp"
    RED_LAMP = "red_lamp"
    BUZZER = "buzzer"


class Command(NamedTuple):
    """A command whose sender was authenticated, by whoever brought it here.

    It acts once, before `expires_at_s`, or not at all (S7). `id` names it for ever; `by` says who
    sent it, for the record.
    """

    at_s: float
    id: str
    verb: Verb
    by: str
    expires_at_s: float
    tested: Tested | None = None


LaneEvent = (
    Reading
    | SensorFault
    | InputChanged
    | PassShown
    | ProofShown
    | Written
    | SensorTrust
    | Command
    | Tick
)


@dataclass(frozen=True, slots=True)
class Record:
    """Something that happened and must be told: an event type and its data, ready for JSON."""

    type: str
    at_s: float
    data: Mapping[str, Json]
