"""What is told of people besides their visits: escorts, duty, codes, duress, outings."""

from typing import Annotated

from msgspec import Meta

from gatepost_services.contract.schemas import Data, event
from gatepost_services.contract.words import (
    Direction,
    Escort,
    Reason,
    Regime,
    Rules,
    Seconds,
    SecondsOrNull,
    Subject,
)


@event("duress.shown")
class DuressShown(Data, frozen=True, kw_only=True):
    """A pass was shown that its holder shows under threat; at the lane nothing differs."""

    subject: Subject
    direction: Direction


@event("proof.refused")
class ProofRefused(Data, frozen=True, kw_only=True):
    """A certificate or a code was shown at the entry that does not count here and now."""

    why: Reason


@event("pass.not_used")
class PassNotUsed(Data, frozen=True, kw_only=True):
    """The use of a signed pass could not be counted, so its holder was not let in."""

    subject: Subject
    why: Annotated[str, Meta(description="In words; a code of the reason table first, if any.")]


@event("escort.opened")
class EscortOpened(Data, frozen=True, kw_only=True):
    """A visitor was brought in, and is inside on somebody's word."""

    subject: Subject
    escort: Escort
    rules: Rules


@event("escort.closed")
class EscortClosed(Data, frozen=True, kw_only=True):
    """A visitor who was brought in is inside no longer, as far as is known."""

    subject: Subject
    escort: Escort
    why: Reason
    lasted_s: SecondsOrNull
    rules: Rules


@event("escort.overdue")
class EscortOverdue(Data, frozen=True, kw_only=True):
    """A visitor who was brought in is inside for longer than the site allows; told once."""

    subject: Subject
    escort: Escort
    allowed_s: Seconds
    rules: Rules


@event("duty.begun")
class DutyBegun(Data, frozen=True, kw_only=True):
    """Somebody of the property's staff came in, measured as everybody, and is on duty."""

    subject: Subject
    rules: Rules


@event("duty.ended")
class DutyEnded(Data, frozen=True, kw_only=True):
    """Somebody is on duty no longer, as far as is known."""

    subject: Subject
    why: Reason
    lasted_s: SecondsOrNull
    rules: Rules


@event("quota.used")
class QuotaUsed(Data, frozen=True, kw_only=True):
    """Somebody left by the outing that the household has for now, or by the last of several."""

    subject: Subject
    left: Annotated[int, Meta(ge=0, description="How many outings are left.")]
    free_on: Annotated[
        str,
        Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="The site's day of the next one."),
    ]
    regime: Regime
    rules: Rules
