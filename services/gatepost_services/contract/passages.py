"""What is told of the arm: who walked, who did not, and turns that nobody was let through for."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta

from gatepost_services.contract.schemas import Data, event
from gatepost_services.contract.visits import AtEntry, Prompts, Tell
from gatepost_services.contract.words import (
    By,
    Category,
    Direction,
    Escort,
    Outcome,
    Reason,
    Regime,
    Rules,
    State,
    Subject,
    SubjectOrNull,
    Unset,
    Visit,
)


class Passed(AtEntry, frozen=True, kw_only=True):
    """Somebody who had been let in."""

    by: By | Unset = UNSET


@event("passage.entered")
class PassageEntered(Passed, frozen=True, kw_only=True):
    """Somebody who was let in walked in."""


@event("passage.not_entered")
class PassageNotEntered(Passed, frozen=True, kw_only=True):
    """Somebody was let in and did not walk, or nobody saw it before the lane was freed."""


class AtExit(Data, frozen=True, kw_only=True):
    """Somebody at the exit; no subject where only the button was pressed."""

    direction: Literal["exit"]
    subject: Subject | Unset = UNSET
    category: Category | Unset = UNSET
    by: By | Unset = UNSET


class ExitDecided(AtExit, frozen=True, kw_only=True):
    """What was decided at the exit; the order's words where it was asked."""

    outcome: Outcome | Unset = UNSET
    rules: Rules | Unset = UNSET
    regime: Regime | Unset = UNSET
    finding: Reason | Unset = UNSET
    tell: list[Tell] | Unset = UNSET
    prompts: Prompts | Unset = UNSET


@event("exit.released")
class ExitReleased(ExitDecided, frozen=True, kw_only=True):
    """The exit was freed for one person."""


@event("exit.refused")
class ExitRefused(ExitDecided, frozen=True, kw_only=True):
    """Somebody wanted to leave and may not: a lock-down that holds the exit, or the order."""


@event("passage.left")
class PassageLeft(AtExit, frozen=True, kw_only=True):
    """Somebody for whom the exit was freed walked out."""


@event("passage.not_left")
class PassageNotLeft(AtExit, frozen=True, kw_only=True):
    """The exit was freed and nobody walked."""


@event("passage.unconfirmed")
class PassageUnconfirmed(Data, frozen=True, kw_only=True):
    """A release ended at a turnstile that does not tell whether anybody walked."""

    direction: Direction
    visit: Visit | Unset = UNSET
    subject: SubjectOrNull | Unset = UNSET
    category: Category | Unset = UNSET
    escort: Escort | Unset = UNSET
    by: By | Unset = UNSET


class Turned(Data, frozen=True, kw_only=True):
    """A turn of the arm that nobody was let through for."""

    state: State
    direction: (
        Annotated[Direction, Meta(description="Only where the turnstile tells which way.")] | Unset
    ) = UNSET


@event("passage.forced")
class PassageForced(Turned, frozen=True, kw_only=True):
    """The arm turned although nothing was free."""


@event("passage.tailgated")
class PassageTailgated(Turned, frozen=True, kw_only=True):
    """The arm turned once more right after somebody's turn: a second person."""


@event("passage.wrong_way")
class PassageWrongWay(Turned, frozen=True, kw_only=True):
    """One way was free, and the arm turned the other way."""


@event("passage.free")
class PassageFree(Turned, frozen=True, kw_only=True):
    """The arm turned while everybody may walk (fire, emergency), or a technician turned it."""


@event("passage.held")
class PassageHeld(Data, frozen=True, kw_only=True):
    """The arm does not come back to rest."""


@event("passage.rested")
class PassageRested(Data, frozen=True, kw_only=True):
    """The arm that was held is at rest again."""
