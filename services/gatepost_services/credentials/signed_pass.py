"""Signed passes: `GP1:` + base45(zlib(COSE_Sign1(CWT))), by Ed25519. See services/CREDENTIALS.md.

`issue` is for the server, `verify` for the gate. Whether a pass is used up is asked elsewhere
(`gatepost_services.credentials.replay`): that takes a disk, this none.
"""

import zlib
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime

from gatepost_services.credentials import cbor, cose, wrapping
from gatepost_services.credentials.claims import (
    Direction,
    SignedPass,
    of_cwt,
    to_cwt,
)
from gatepost_services.credentials.cose import Algorithm, Sign1
from gatepost_services.credentials.errors import CredentialError, Refusal
from gatepost_services.credentials.keys import KeysById, TrustedKey, Use
from gatepost_services.credentials.signing import PrivateKey, kid_of

PREFIX = "GP1:"
_SIGN1_TAG = b"\xd2"  # 18 (RFC 9052, 2)
_ZLIB_DEFLATE_32K = 0x78  # RFC 1950, 2.2: CMF
_STORED, _STORED_MASK = 0b000, 0b110  # RFC 1951, 3.2.3: BTYPE
_LAST_STORED = 0b001
_FIRST_BLOCK = 2  # after CMF and FLG
_ADLER_BYTES = 4


def issue(claims: SignedPass, key: PrivateKey, kid: bytes | None = None) -> str:
    """Return the code of a pass.

    Args:
        claims: what it says; its `id` must be new.
        key: signs it.
        kid: the id that the trust list has for the key; None is `kid_of` it.

    Raises:
        ValueError: the category is "unknown", which no gate lets in.
    """
    if claims.category == "unknown":
        raise ValueError('category = "unknown": is what a gate calls what it does not know')
    named = kid_of(key.public_key()) if kid is None else kid
    return wrapping.wrap(cose.sign(to_cwt(claims), key, named), PREFIX)


def verify(
    text: str,
    *,
    keys: KeysById,
    now_utc: datetime | None,
    gate: str,
    site: str,
    direction: Direction,
    revoked: Collection[bytes] = (),
    needs_clock: bool = True,
) -> SignedPass:
    """Return what a shown code says, if it is a pass that is good here, now and this way.

    Args:
        text: the code, as it was scanned.
        keys: whom to believe.
        now_utc: the time of day; None where no clock is trusted.
        gate: this gate's name.
        site: its site.
        direction: the way that the holder wants to go.
        revoked: the ids of passes that no longer count.
        needs_clock: whether a pass with times is refused where no clock is trusted. What is False
            then admits for ever; an order may want it so.

    Raises:
        CredentialError: any kind but USED and NO_MEMORY.
    """
    claims = authentic(message_in(text), keys, now_utc)
    if claims.step_s is not None:
        raise CredentialError(Refusal.STEP, "a pass with steps, shown without one")
    check(
        claims,
        now_utc=now_utc,
        gate=gate,
        site=site,
        direction=direction,
        revoked=revoked,
        needs_clock=needs_clock,
    )
    return claims


def message_in(text: str) -> Sign1:
    """Return the message in a code, unverified.

    Raises:
        CredentialError: FORMAT, SIZE, ALGORITHM.
    """
    return parsed(unwrapped(text, PREFIX))


def unwrapped(text: str, prefix: str) -> bytes:
    """Return the bytes in a code that was packed as encoders do, and not touched up since.

    Raises:
        CredentialError: FORMAT, SIZE.
    """
    packed = wrapping.decode(wrapping.strip(text, prefix))
    data = wrapping.inflate(packed)
    if not _has_one_form(packed, data):
        raise CredentialError(Refusal.FORMAT, "zlib with bits that mean nothing")
    return data


def parsed(data: bytes) -> Sign1:
    """Return the COSE message in these bytes, if it is in the one form that a pass has.

    Tag 18, an empty unprotected header, nothing longer than it must be: no byte of a code can be
    changed and mean the same, so that what was photographed and touched up is no second code.

    Raises:
        CredentialError: FORMAT, SIZE, ALGORITHM.
    """
    message = cose.parse(data)
    if message.algorithm is not Algorithm.EDDSA:
        raise CredentialError(Refusal.ALGORITHM, "a pass is signed by EdDSA, with Ed25519")
    parts = [message.protected, {}, message.payload, message.signature]
    if data != _SIGN1_TAG + cbor.encode(parts):
        raise CredentialError(
            Refusal.FORMAT, "not COSE_Sign1 of tag 18, kid in the protected header, shortest form"
        )
    return message


def authentic(message: Sign1, keys: KeysById, now_utc: datetime | None) -> SignedPass:
    """Return what a message says, if somebody signed it whose passes are believed now.

    Without a clock a key counts as long as it is on the list.

    Raises:
        CredentialError: UNKNOWN_KEY, SIGNATURE, KEY_USE, NOT_YET, EXPIRED, FORMAT, SIZE.
    """
    named = keys.get(message.kid, ())
    if not named:
        raise CredentialError(Refusal.UNKNOWN_KEY, "no key of the trust list has its kid")
    signers = [key for key in named if cose.is_signed_by(message, key.key)]
    if not signers:
        raise CredentialError(Refusal.SIGNATURE, "not signed by the key that it names")
    signers = [key for key in signers if Use.PASS in key.uses]
    if not signers:
        raise CredentialError(Refusal.KEY_USE, "its key is not for passes")
    if now_utc is not None:
        _check_key_times(signers, now_utc)
    return of_cwt(message.payload)


def check(
    claims: SignedPass,
    *,
    now_utc: datetime | None,
    gate: str,
    site: str,
    direction: Direction,
    revoked: Collection[bytes] = (),
    needs_clock: bool = True,
) -> None:
    """Return if a pass that is authentic is also good here, now and this way.

    Raises:
        CredentialError: REVOKED, ELSEWHERE, NO_CLOCK, NOT_YET, EXPIRED.
    """
    if claims.id in revoked:
        raise CredentialError(Refusal.REVOKED, "the trust list revokes this pass")
    if claims.site != site:
        raise CredentialError(Refusal.ELSEWHERE, "for another site")
    if claims.gates and gate not in claims.gates:
        raise CredentialError(Refusal.ELSEWHERE, "for other gates")
    if claims.direction not in (None, direction):
        raise CredentialError(Refusal.ELSEWHERE, f"not for {direction}")
    if now_utc is None:
        if claims.has_times and needs_clock:
            raise CredentialError(Refusal.NO_CLOCK, "it has times, and no clock here is trusted")
        return
    if claims.not_before_utc is not None and now_utc < claims.not_before_utc:
        raise CredentialError(Refusal.NOT_YET, "it begins later")
    if claims.expires_utc is not None and now_utc >= claims.expires_utc:
        raise CredentialError(Refusal.EXPIRED, "it has ended")


def _check_key_times(signers: list[TrustedKey], now_utc: datetime) -> None:
    if any(key.is_valid_at(now_utc) for key in signers):
        return
    if any(now_utc < key.not_before_utc for key in signers):
        raise CredentialError(Refusal.NOT_YET, "its key begins later")
    raise CredentialError(Refusal.EXPIRED, "its key has ended")


def _has_one_form(packed: bytes, data: bytes) -> bool:
    """Return whether no bit of a zlib stream is one that unpacking does not look at.

    Deflate fills its last byte, and the first one of a stored block, with bits of no meaning
    (RFC 1951, 3.2.3). Encoders write 0; a 1 there is a mark of somebody else's.
    """
    if packed[0] != _ZLIB_DEFLATE_32K:
        return False
    first = packed[_FIRST_BLOCK]
    if first & _STORED_MASK == _STORED:
        return first == _LAST_STORED
    end = len(packed) - _ADLER_BYTES - 1
    last = packed[end]
    if last == 0:
        return True
    # The highest 1 in it means something exactly if it cannot be left out.
    without = last ^ (1 << (last.bit_length() - 1))
    with suppress(zlib.error):
        unpacking = zlib.decompressobj()
        changed = packed[:end] + bytes([without]) + packed[end + 1 :]
        return unpacking.decompress(changed, len(data) + 1) != data or not unpacking.eof
    return True
