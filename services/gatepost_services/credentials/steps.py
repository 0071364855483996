"""Passes against photographs: a code that is only good for a moment, and once in it.

The phone holds a signed pass and a key of its own for it, and shows `GPT:` + base45(zlib(CBOR
[message, step, tag])): the pass's COSE message, the number of the step it is now, and a tag that
only who has the key can make. The gate derives that key from a secret of the site, which it shares
with the server that issues; nothing is stored for each pass.

    step = floor(POSIX time / step_s)
    key  = HKDF-SHA256(secret, no salt, info = "gatepost step " + id, 32 bytes)     (RFC 5869)
    tag  = first 8 bytes of HMAC-SHA256(key, id + step as 8 bytes, big-endian)      (RFC 2104)
"""

import hmac
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gatepost_services.credentials import cbor, signed_pass, wrapping
from gatepost_services.credentials.claims import SignedPass, of_cwt
from gatepost_services.credentials.cose import Sign1
from gatepost_services.credentials.errors import CredentialError, Refusal

PREFIX = "GPT:"
_EPOCH = datetime.fromtimestamp(0, UTC)
# A step before and one after: a phone may be wrong by one step_s, and a person slow by as much.
DRIFT_STEPS = 1
# 2**64 guesses, at a gate that reads one code in a second.
_TAG_BYTES = 8
_KEY_BYTES = 32
_INFO = b"gatepost step "
_STEP_BYTES = 8
_PARTS = 3


class Stepped(NamedTuple):
    """A shown code as it was read: the message of its pass, the step, and the tag for it."""

    message: Sign1
    step: int
    tag: bytes


def step_at(now_utc: datetime, step_s: int) -> int:
    """Return the number of the step that an instant lies in."""
    return (now_utc - _EPOCH) // timedelta(seconds=step_s)


def begin_of(step: int, step_s: int) -> datetime:
    """Return when a step begins."""
    return datetime.fromtimestamp(step * step_s, UTC)


def pass_key(secret: bytes, pass_id: bytes) -> bytes:
    """Return the key of one pass, for the phone that shows it. `secret`: the site's."""
    return HKDF(SHA256(), _KEY_BYTES, None, _INFO + pass_id).derive(secret)


def show(text: str, key: bytes, step: int) -> str:
    """Return the code that a phone shows in this step; `text` is the pass, `key` its `pass_key`.

    Raises:
        CredentialError: the text is no pass.
    """
    data = signed_pass.unwrapped(text, signed_pass.PREFIX)
    claims = of_cwt(signed_pass.parsed(data).payload)
    return wrapping.wrap(cbor.encode([data, step, _tag(key, claims.id, step)]), PREFIX)


def stepped_in(text: str) -> Stepped:
    """Return what is in a shown code, unverified.

    Raises:
        CredentialError: FORMAT, SIZE, ALGORITHM.
    """
    data = signed_pass.unwrapped(text, PREFIX)
    parts = cbor.decode(data)
    if not isinstance(parts, list) or len(parts) != _PARTS or data != cbor.encode(parts):
        raise CredentialError(Refusal.FORMAT, "not a pass with its step")
    message, step, tag = parts
    if not (isinstance(message, bytes) and isinstance(tag, bytes) and type(step) is int):
        raise CredentialError(Refusal.FORMAT, "not a pass with its step")
    if step < 0:
        raise CredentialError(Refusal.FORMAT, "a step before all time")
    return Stepped(signed_pass.parsed(message), step, tag)


def check(
    shown: Stepped, claims: SignedPass, secret: bytes | None, now_utc: datetime | None
) -> None:
    """Return if the step of an authentic pass is the present one, or a neighbour of it.

    Raises:
        CredentialError: STEP; NO_CLOCK: no clock is trusted, and no step can be judged;
            UNKNOWN_KEY: this gate has no secret.
    """
    if claims.step_s is None:
        raise CredentialError(Refusal.STEP, "a step on a pass that has none")
    if secret is None:
        raise CredentialError(Refusal.UNKNOWN_KEY, "this gate has no secret to judge steps by")
    expected = _tag(pass_key(secret, claims.id), claims.id, shown.step)
    if not hmac.compare_digest(shown.tag, expected):
        raise CredentialError(Refusal.STEP, "a step that was not made with the pass's key")
    if now_utc is None:
        raise CredentialError(Refusal.NO_CLOCK, "it has a step, and no clock here is trusted")
    if abs(shown.step - step_at(now_utc, claims.step_s)) > DRIFT_STEPS:
        raise CredentialError(Refusal.STEP, "a step of another moment")


def _tag(key: bytes, pass_id: bytes, step: int) -> bytes:
    return hmac.digest(key, pass_id + step.to_bytes(_STEP_BYTES), "sha256")[:_TAG_BYTES]
