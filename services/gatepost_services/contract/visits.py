"""What is told of a person at the entry: measured, decided, told to others."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta

from gatepost_services.contract.schemas import Data, event
from gatepost_services.contract.words import (
    By,
    Category,
    CelsiusOrNull,
    Count,
    Direction,
    Escort,
    Finding,
    Need,
    Outcome,
    Reason,
    Regime,
    Rules,
    State,
    Subject,
    SubjectOrNull,
    Unset,
    Visit,
    Zone,
)

Attempt = Annotated[int, Meta(ge=0, description="How many attempts to measure were begun.")]
Say = Annotated[str, Meta(description="What the person is told; made from what was decided.")]
Prompts = Annotated[list[str], Meta(description="Keys of what is said in the person's language.")]
Calibration = Annotated[
    str | None, Meta(description="The calibration of the sensor; null: as the part comes.")
]
Samples = Annotated[
    list[float | None], Meta(description="Each reading of the skin in degrees Celsius, as it came.")
]
Ambients = Annotated[
    list[float | None], Meta(description="The sensor's own degrees Celsius: the first, the last.")
]
Spread = Annotated[
    float | None, Meta(description="Largest less smallest sample, in degrees Celsius.")
]


class Tell(Data, frozen=True, kw_only=True):
    """Whom the order in force wants to be told."""

    who: Annotated[str, Meta(description="A recipient of the rules, section 2.8.")]
    within_s: Annotated[int, Meta(ge=0, description="Within so many seconds; 0 is at once.")]


class AtEntry(Data, frozen=True, kw_only=True):
    """Somebody at the entry."""

    visit: Visit
    direction: Literal["entry"]
    subject: SubjectOrNull
    category: Category
    escort: Escort | Unset = UNSET


class Visited(AtEntry, frozen=True, kw_only=True):
    """What was decided of a visit, as far as there was a decision and a measurement.

    `index_c` is what is compared with the limit; the readings it was made from stand beside it.
    """

    outcome: Outcome | Unset = UNSET
    rules: Rules | Unset = UNSET
    attempt: Attempt | Unset = UNSET
    regime: Regime | Unset = UNSET
    finding: Finding | Unset = UNSET
    tell: list[Tell] | Unset = UNSET
    prompts: Prompts | Unset = UNSET
    brought: list[Need] | Unset = UNSET
    wanted: list[Need] | Unset = UNSET
    objection: Reason | Unset = UNSET
    zone: Zone | Unset = UNSET
    reason: Reason | Unset = UNSET
    say: Say | Unset = UNSET
    index_c: CelsiusOrNull | Unset = UNSET
    guard_c: CelsiusOrNull | Unset = UNSET
    offset_c: CelsiusOrNull | Unset = UNSET
    object_c: CelsiusOrNull | Unset = UNSET
    skin_c: CelsiusOrNull | Unset = UNSET
    skin_max_c: CelsiusOrNull | Unset = UNSET
    spread_c: Spread | Unset = UNSET
    ambient_c: Ambients | Unset = UNSET
    samples_c: Samples | Unset = UNSET
    calibration: Calibration | Unset = UNSET


class Measured(Visited, frozen=True, kw_only=True):
    """A visit that was measured, and decided."""

    rules: Rules
    attempt: Attempt
    zone: Zone
    reason: Reason
    say: Say
    index_c: CelsiusOrNull
    guard_c: CelsiusOrNull
    offset_c: CelsiusOrNull
    object_c: CelsiusOrNull
    skin_c: CelsiusOrNull
    skin_max_c: CelsiusOrNull
    spread_c: Spread
    ambient_c: Ambients
    samples_c: Samples
    calibration: Calibration


@event("visit.admitted")
class VisitAdmitted(Measured, frozen=True, kw_only=True):
    """Somebody was measured and may go in; whether they did, a passage event tells."""

    outcome: Literal["admit", "admit_and_report"]


@event("visit.rechecked")
class VisitRechecked(Measured, frozen=True, kw_only=True):
    """A measurement was too near the limit, or none at all, and is made once more."""

    outcome: Literal["recheck"]


@event("visit.referred")
class VisitReferred(Measured, frozen=True, kw_only=True):
    """Somebody was above the limit, or could not be measured, and waits for staff."""

    outcome: Literal["refer"]


@event("visit.denied")
class VisitDenied(Visited, frozen=True, kw_only=True):
    """Somebody was not let in: the pass, the order in force, or a lane that is shut."""

    outcome: Literal["redirect", "deny"]
    rules: Rules
    attempt: Attempt
    state: State | Unset = UNSET


@event("visit.abandoned")
class VisitAbandoned(Visited, frozen=True, kw_only=True):
    """A visit ended without a decision: the person left, or something went before it."""


@event("entry.commanded")
class EntryCommanded(AtEntry, frozen=True, kw_only=True):
    """Somebody is let in once, by the word of staff or of the central server."""

    by: By


@event("escalation.raised")
class EscalationRaised(Data, frozen=True, kw_only=True):
    """Somebody named by the order in force has to be told of a decision."""

    who: Annotated[str, Meta(description="A recipient of the rules, section 2.8.")]
    within_s: Annotated[int, Meta(ge=0, description="From this event on; 0 is at once.")]
    direction: Direction
    visit: Visit | Unset = UNSET
    subject: Subject | Unset = UNSET
    category: Category | Unset = UNSET
    finding: Reason
    regime: Regime
    rules: Rules
    again: (
        Annotated[int, Meta(ge=1, description="How often it was raised before, unanswered.")]
        | Unset
    ) = UNSET


@event("escalation.acknowledged")
class EscalationAcknowledged(Data, frozen=True, kw_only=True):
    """Somebody knows of every escalation that waited; none is raised again."""

    by: By
    count: Count
    who: Annotated[list[str], Meta(description="The recipients of those that waited.")]
