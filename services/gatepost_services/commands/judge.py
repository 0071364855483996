"""Whether a command counts: signature, role, counter, time. Pure but for what it is handed.

What stands in no table is refused; each refusal is a word of `Why`. The order matters: nothing of
a text is read before its signature is checked, and a repeated command is known as one before its
time or its counter is looked at, so that it is answered as it was.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from gatepost_services.commands.command import (
    LAWS,
    MAX_LONG_WINDOW_S,
    MAX_WINDOW_S,
    CommandFormError,
    Role,
    ServerCommand,
    parse_command,
)
from gatepost_services.commands.jws import JwsError, Kind, Signed, is_signed_by, parse
from gatepost_services.credentials.keys import TrustedKey

# A server's clock may be so far ahead of the gate's.
SKEW_S = 5
EXP_HAS_PASSED = "exp has passed"


class Why(StrEnum):
    """Why a command is not obeyed."""

    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown_key"
    BAD_SIGNATURE = "bad_signature"
    WRONG_GATE = "wrong_gate"
    ID_REUSED = "id_reused"
    INTERRUPTED = "interrupted"
    NOT_AUTHORISED = "not_authorised"
    REPLAYED = "replayed"
    CLOCK_UNTRUSTED = "clock_untrusted"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    WINDOW_TOO_LONG = "window_too_long"
    NO_MEMORY = "no_memory"
    NO_RECORD = "no_record"
    NOT_NOW = "not_now"
    FAILED = "failed"


class Refused(NamedTuple):
    """A text that does not count. `is_authentic`: a key of the site signed it all the same."""

    why: Why
    detail: str
    command: ServerCommand | None = None
    kid: bytes = b""
    is_authentic: bool = False


class Authentic(NamedTuple):
    """A text that a key of the site signed, and what that key may."""

    signed: Signed
    digest: bytes
    roles: frozenset[Role]


def authenticate(
    data: bytes, kind: Kind, keys: Mapping[bytes, Sequence[TrustedKey]], now_utc: datetime | None
) -> Authentic | Refused:
    """Return whose text this is.

    Args:
        data: a signed text.
        kind: what it must be.
        keys: of the trust list, those that are not revoked.
        now_utc: the time of day, None where no clock can be trusted: then no key has ended.
    """
    try:
        signed = parse(data)
    except JwsError as error:
        return Refused(Why.MALFORMED, str(error))
    if signed.kind is not kind:
        return Refused(Why.MALFORMED, f"a {signed.kind}, and no {kind}")
    known = [key for key in keys.get(signed.kid, ()) if now_utc is None or key.is_valid_at(now_utc)]
    roles = {role for key in known for role in Role if role.value in key.uses}
    if not roles:
        return Refused(Why.UNKNOWN_KEY, "no key of the trust list that may command", None)
    makers = [key for key in known if is_signed_by(signed, [key.key])]
    if not makers:
        return Refused(Why.BAD_SIGNATURE, "not signed by the key that it names")
    roles = {role for key in makers for role in Role if role.value in key.uses}
    return Authentic(signed, sha256(data).digest(), frozenset(roles))


def read_command(authentic: Authentic, source: str) -> ServerCommand | Refused:
    """Return the command for this gate, whose events have this `source`."""
    kid = authentic.signed.kid
    try:
        command = parse_command(authentic.signed.payload)
    except CommandFormError as error:
        return Refused(Why.MALFORMED, str(error), kid=kid, is_authentic=True)
    if command.aud != source:
        detail = f"for {command.aud}; this gate is {source}"
        return Refused(Why.WRONG_GATE, detail, command, kid, is_authentic=True)
    return command


def objection(
    command: ServerCommand,
    roles: frozenset[Role],
    *,
    highest: int,
    now_utc: datetime | None,
    known_since_s: float | None,
) -> tuple[Why, str] | None:
    """Return what speaks against a command that is new; None when it is to be obeyed.

    Args:
        command: whose signature is good.
        roles: of the key.
        highest: the highest counter that the key has used.
        now_utc: the time of day, None where no clock can be trusted.
        known_since_s: since when the gate knows what it obeyed; None: it does not know yet.
    """
    law = LAWS[command.verb]
    if not roles & law.roles:
        return Why.NOT_AUTHORISED, f"{command.verb} is for {' or '.join(sorted(law.roles))}"
    if command.counter <= highest:
        return Why.REPLAYED, f"counter {command.counter}; this key has used {highest}"
    longest_s = MAX_WINDOW_S if law.is_timely else MAX_LONG_WINDOW_S
    if command.exp - command.nbf > longest_s:
        return Why.WINDOW_TOO_LONG, f"exp - nbf is over {longest_s} s"
    if now_utc is None and law.is_timely:
        return Why.CLOCK_UNTRUSTED, "the gate does not know the time; see its time server"
    if now_utc is not None and command.nbf > now_utc.timestamp() + SKEW_S:
        return Why.NOT_YET_VALID, "nbf is ahead of the gate's clock"
    if now_utc is not None and is_over(command, now_utc):
        return Why.EXPIRED, EXP_HAS_PASSED
    # Also of those that need no clock: what was obeyed before the memory was lost may come again.
    if known_since_s is None or command.nbf < known_since_s:
        return Why.NO_MEMORY, "from before this gate began to remember what it obeyed"
    return None


def is_over(command: ServerCommand, now_utc: datetime) -> bool:
    """Return whether the time of a command has passed: at `exp` it has."""
    return command.exp <= now_utc.timestamp()
