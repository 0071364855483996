"""What a server may command: one table, and the form of a command.

A command is a signed text (`jws`) whose payload has the names of RFC 7519, so that any library
for JWT makes it: {"jti", "aud", "iat", "nbf", "exp", "counter", "verb", "by", "args"}.
"""

import re
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Struct

from gatepost_services.commands.members import are_unique

# The longest window of a command that opens or shuts something: it is meant for now.
MAX_WINDOW_S = 600
# Of any other.
MAX_LONG_WINDOW_S = 7 * 86_400
MOST_REPLAYED = 10_000
ID_FORM = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LAST_S = 253_402_300_799
_MOST_QUOTED = 160
_MAX_COUNTER = 2**53 - 1  # what every JSON reads exactly

_Instant = Annotated[int, Meta(ge=0, le=_LAST_S)]
_Seq = Annotated[int, Meta(ge=1, le=2**63 - 1)]


class Role(StrEnum):
    """What a key of the trust list may command: a word of its `use`."""

    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"  # and whatever an operator may
    AUDITOR = "auditor"


class ServerVerb(StrEnum):
    """What a server may command."""

    RELEASE_ENTRY = "release_entry"  # once
    RELEASE_EXIT = "release_exit"  # once
    LOCK = "lock"
    UNLOCK = "unlock"
    CLOSE = "close"
    OPEN = "open"
    ACKNOWLEDGE = "acknowledge"  # the escalations that wait
    IDENTIFY = "identify"  # lamps and buzzer: which gate is it?
    RESTART = "restart"
    ERASE = "erase"  # a person, from what the gate keeps
    REPLAY = "replay"  # events of a range, once more


class NoArguments(Struct, frozen=True, forbid_unknown_fields=True):
    """Of a command that needs none."""


class EraseArguments(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom: as the roster and the events name them."""

    subject: Annotated[str, Meta(min_length=1, max_length=128)]


class ReplayArguments(Struct, frozen=True, forbid_unknown_fields=True):
    """Which events, both ends included."""

    first: _Seq
    last: _Seq


Arguments = NoArguments | EraseArguments | ReplayArguments


class Law(NamedTuple):
    """Who may command it, and whether it is meant for a moment, and so needs a clock."""

    roles: frozenset[Role]
    is_timely: bool
    arguments: type[Struct] = NoArguments


_STAFF = frozenset({Role.OPERATOR, Role.ADMINISTRATOR})
_ADMIN = frozenset({Role.ADMINISTRATOR})
LAWS = MappingProxyType(
    {
        ServerVerb.RELEASE_ENTRY: Law(_STAFF, is_timely=True),
        ServerVerb.RELEASE_EXIT: Law(_STAFF, is_timely=True),
        ServerVerb.LOCK: Law(_STAFF, is_timely=True),
        ServerVerb.UNLOCK: Law(_STAFF, is_timely=True),
        ServerVerb.CLOSE: Law(_STAFF, is_timely=True),
        ServerVerb.OPEN: Law(_STAFF, is_timely=True),
        ServerVerb.ACKNOWLEDGE: Law(_STAFF, is_timely=False),
        ServerVerb.IDENTIFY: Law(_STAFF, is_timely=True),
        ServerVerb.RESTART: Law(_ADMIN, is_timely=True),
        ServerVerb.ERASE: Law(_ADMIN, is_timely=True, arguments=EraseArguments),
        ServerVerb.REPLAY: Law(
            frozenset({Role.AUDITOR, Role.ADMINISTRATOR}),
            is_timely=False,
            arguments=ReplayArguments,
        ),
    }
)
# Who may say what the gate's documents are to be.
DOCUMENT_ROLES = _ADMIN


class ServerCommand(Struct, frozen=True, forbid_unknown_fields=True):
    """The payload of a command.

    Attributes:
        jti: names it for ever; a second one of the same name is not obeyed.
        aud: the gate that is meant, as the `source` of its events.
        iat: when it was signed, POSIX seconds, as `nbf` and `exp`.
        nbf: not before.
        exp: not at, nor after.
        counter: higher than every one before that was signed with the same key.
        verb: what is to be done.
        by: who wants it, for the record.
        args: what the verb needs.
    """

    jti: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]
    aud: Annotated[str, Meta(min_length=1, max_length=200)]
    iat: _Instant
    nbf: _Instant
    exp: _Instant
    counter: Annotated[int, Meta(ge=1, le=_MAX_COUNTER)]
    verb: ServerVerb
    by: Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]{1,64}\Z")]
    args: msgspec.Raw = msgspec.Raw(b"{}")

    def arguments(self) -> Arguments:
        """Return what the verb needs.

        Raises:
            CommandFormError: it is something else.
        """
        try:
            found = msgspec.json.decode(self.args, type=LAWS[self.verb].arguments)
        except (
            ValueError,
            RecursionError,
        ) as error:  # msgspec's own, and of bytes that are no text
            raise CommandFormError(f"args of {self.verb}: {_plain(error)}") from None
        if isinstance(found, ReplayArguments) and not 0 <= found.last - found.first < MOST_REPLAYED:
            raise CommandFormError(f"args of replay: 1 to {MOST_REPLAYED} events at a time")
        assert isinstance(found, Arguments)  # noqa: S101 - for mypy
        return found


class CommandFormError(ValueError):
    """The payload is no command."""


def _plain(error: Exception) -> str:
    """Return an error's text, for logs and answers: it may quote what anybody sent."""
    return str(error).encode("unicode_escape").decode("ascii")[:_MOST_QUOTED]


def parse_command(payload: bytes) -> ServerCommand:
    """Return the command in a payload.

    Raises:
        CommandFormError: it is none.
    """
    try:
        command = msgspec.json.decode(payload, type=ServerCommand)
    except (ValueError, RecursionError) as error:  # msgspec's own, and of bytes that are no text
        raise CommandFormError(f"no command: {_plain(error)}") from None
    if not are_unique(payload):
        raise CommandFormError("no command: a member is named twice")
    command.arguments()
    if command.exp <= command.nbf:
        raise CommandFormError("no command: exp is not after nbf")
    return command
