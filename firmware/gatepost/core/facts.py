"""What is known about a person who wants to go through, and about the moment. Unknown is a value.

The words are those of the regime files and of `gatepost decide`: an enum's value is its word.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from gatepost.core.screening import Zone
from gatepost_hal.ports import Direction


class Category(Enum):
    """Whom the documents speak of (section 3 of the rules), as far as a gate can tell them."""

    RESIDENT = "resident"
    TENANT = "tenant"
    RETURNED_RESIDENT = "returned_resident"  # from a risk area, or from abroad
    VISITOR = "visitor"
    COURIER = "courier"
    VEHICLE = "vehicle"  # driver and occupants
    PROPERTY_STAFF = "property_staff"
    SANITATION = "sanitation"
    MEDICAL = "medical"
    EPIDEMIC_CONTROL = "epidemic_control"
    SUPPLY = "supply"
    EMERGENCY = "emergency"  # somebody who needs a doctor now, and whoever brings them
    WORKS = "works"
    RELEASED = "released"  # from observation
    CLOSE_CONTACT = "close_contact"
    SEALED_BUILDING = "sealed_building"
    GUARDIAN = "guardian"  # with a child, whose code they show
    UNKNOWN = "unknown"


# Who does not live here: nobody of these is let in with a red code, whatever a regime says.
OUTSIDERS = frozenset(
    {Category.VISITOR, Category.COURIER, Category.VEHICLE, Category.WORKS, Category.UNKNOWN}
)


class Code(Enum):
    """A health code, or a trip card."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"
    UNKNOWN = "unknown"


class Mask(Enum):
    """Whether a mask is worn, where somebody or something can see it."""

    WORN = "worn"
    NOT_WORN = "not_worn"
    UNKNOWN = "unknown"


class Refusal(Enum):
    """What somebody refuses, after having been reminded (R027, R036, R119)."""

    MEASURING = "measuring"
    PROOF = "proof"  # a code, a card, or a test
    OBSERVATION = "observation"  # to stay at home, by order


class ProofKind(Enum):
    """What a test proof says."""

    NEGATIVE = "negative"
    SAMPLED = "sampled"  # taken, without a result yet


class Proof(NamedTuple):
    """A nucleic acid test. `taken` is when the sample was, with a time zone."""

    kind: ProofKind
    taken: datetime


class Pass(NamedTuple):
    """A pass that was shown. `valid` None: nobody could verify it."""

    id: str
    household: str | None = None
    valid: bool | None = None


class Stay(NamedTuple):
    """A stay in an area, and when it ended. What an area is called, the regime says."""

    area: str
    ended: datetime


class DatedCode(NamedTuple):
    """A code, and when it was said to be so; None is: just now, by whoever verified it."""

    code: Code = Code.UNKNOWN
    seen: datetime | None = None


_UNKNOWN_CODE = DatedCode()


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a decision may depend on. Datetimes have a time zone.

    `now` None: no clock here can be trusted. `index_c` None: there is no index. `attempts_left`:
    how often the person may still be measured in this visit.
    """

    direction: Direction
    category: Category
    zone: Zone = Zone.NO_INFORMATION
    index_c: float | None = None
    attempts_left: int = 1
    health_code: DatedCode = _UNKNOWN_CODE
    trip_card: DatedCode = _UNKNOWN_CODE
    test: Proof | None = None
    shown: Pass | None = None
    household_last_exit: datetime | None = None  # None: none that anybody knows of
    vouchers: int = 0  # outings that the household was given beyond its turn
    isolated: bool = False  # on the list of those who must stay at home
    isolated_since: datetime | None = None  # None: nobody has said since when
    registered: bool | None = None
    escort: str | None = None  # the pass id of whoever brings the person in
    # The pass lets nobody in who is not brought in; a text is the subject of who must bring them.
    needs_escort: bool | str = False
    risk_area_days: int | None = None  # since they were last in a risk area
    stays: tuple[Stay, ...] = ()  # where they are known to have been
    mask: Mask = Mask.UNKNOWN
    works_inside: int | None = None  # workers inside, without this one
    people_inside: int | None = None
    refused: frozenset[Refusal] = frozenset()
    now: datetime | None = None
