"""What is told of the words of others: commands, and the documents that say what is wanted."""

from typing import Annotated

from msgspec import UNSET, Meta, field

from gatepost_services.contract.schemas import Data, event
from gatepost_services.contract.words import (
    By,
    Count,
    Document,
    Reason,
    Sha256,
    Tested,
    Unset,
    Version,
)

CommandId = Annotated[str, Meta(description="The id of the command; it acts once.")]
Verb = Annotated[str, Meta(pattern="^[a-z][a-z_]*$", description="What was to be done.")]
Detail = Annotated[str, Meta(description="The reason in words, for people.")]


@event("command.obeyed")
class CommandObeyed(Data, frozen=True, kw_only=True):
    """A command was obeyed, once."""

    command: CommandId
    verb: Verb
    by: By
    tested: Tested | Unset = UNSET


@event("command.refused")
class CommandRefused(Data, frozen=True, kw_only=True):
    """A command was not obeyed, and why; some are only counted, in one event a minute."""

    why: Reason
    command: CommandId | Unset = UNSET
    verb: Verb | Unset = UNSET
    by: By | Unset = UNSET
    tested: Tested | Unset = UNSET
    detail: Detail | Unset = UNSET
    count: Count | Unset = UNSET


@event("regime.changed")
class RegimeChanged(Data, frozen=True, kw_only=True):
    """Another order is in force."""

    regime: Annotated[str | None, Meta(description="The order; null: the lane's own rules.")]
    before: Annotated[str | None, Meta(description="The one before; null: the lane's own rules.")]


class Documented(Data, frozen=True, kw_only=True):
    """A desired document."""

    document: Document
    version: Version
    digest: Sha256


@event("document.applied")
class DocumentApplied(Documented, frozen=True, kw_only=True):
    """A desired document was verified, and is what counts from now on."""

    size_bytes: Count = field(name="bytes")


@event("document.refused")
class DocumentRefused(Documented, frozen=True, kw_only=True):
    """A desired document does not count; the last good one goes on to."""

    why: Reason
