"""What the journal tells of itself: without these a server could not know what it has not got."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, field

from gatepost_services.contract.schemas import Data, event
from gatepost_services.contract.words import ClassLabel, Count, Position, Reason, Sha256, Unset

Range = Annotated[
    list[Position], Meta(min_length=2, max_length=2, description="From and through, both in it.")
]


@event("journal.gap")
class JournalGap(Data, frozen=True, kw_only=True):
    """These numbers will never come: the journal gave them up, or lost them, or left them out."""

    cause: Reason
    event_class: ClassLabel | None = field(name="class")
    count: Count
    from_seq: Position = field(name="from")
    through: Position
    ranges: Annotated[list[Range], Meta(min_length=1)]


@event("journal.late")
class JournalLate(Data, frozen=True, kw_only=True):
    """Events came to the disk later than their consequences could wait for."""

    count: Count


@event("journal.lost")
class JournalLost(Data, frozen=True, kw_only=True):
    """Events happened and could not be written; they had no number."""

    count: Count


@event("journal.withheld")
class JournalWithheld(Data, frozen=True, kw_only=True):
    """Stands in for the event with this number, which cannot be sent; its hash still counts."""

    why: Literal["damaged", "too_large", "refused"]
    hash: Sha256
    size_bytes: Count = field(name="bytes")


@event("store.corrupt")
class StoreCorrupt(Data, frozen=True, kw_only=True):
    """A file of the gate was found broken, and set aside; or single events in it (`events`)."""

    file: str
    why: Annotated[str, Meta(description="What was found, in words.")] | Unset = UNSET
    events: list[Position] | Unset = UNSET
    saved: Annotated[int, Meta(ge=0, description="How many events were taken out.")] | Unset = UNSET
    sha256: (
        Annotated[dict[str, str], Meta(description="By file; words where it cannot be read.")]
        | Unset
    ) = UNSET
