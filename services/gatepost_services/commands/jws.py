"""Signed texts on the wire: JWS in compact form (RFC 7515, 7.1) with Ed25519 (RFC 8037, 3.1).

Three parts, base64url without padding, with dots between: header, payload, signature. The header
has exactly three members, and `typ` says what is signed (RFC 8725, 3.11), so that no signed thing
is ever taken for another. Any library for JWT makes and reads them.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gatepost_services.commands.members import are_unique

MOST_BYTES = 12 * 1024
_SIGNATURE_BYTES = 64
_MOST_KID_DIGITS = 128


class Kind(StrEnum):
    """What is signed: the `typ` of the header."""

    COMMAND = "gatepost-command+jwt"
    DESIRED = "gatepost-desired+jwt"
    HEAD = "gatepost-head+jwt"


class JwsError(ValueError):
    """No signed text of ours. The text says why, and quotes nothing of it."""


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alg: str
    kid: str
    typ: str


class Signed(NamedTuple):
    """A signed text, in its parts. Nothing in it is to be believed before `is_signed_by`."""

    kind: Kind
    kid: bytes
    payload: bytes
    signature: bytes
    signed: bytes


def parse(data: bytes) -> Signed:
    """Return the parts of a signed text.

    Raises:
        JwsError: it is none: too long, of another form, or of another algorithm.
    """
    if len(data) > MOST_BYTES:
        raise JwsError(f"{len(data)} bytes; at most {MOST_BYTES}")
    parts = data.split(b".")
    if len(parts) != 3:  # noqa: PLR2004 - as the module says
        raise JwsError("not three parts with dots between")
    try:
        text = _decoded(parts[0])
        header = msgspec.json.decode(text, type=_Header)
        kind = Kind(header.typ)
    except (ValueError, RecursionError) as error:  # msgspec's own, and of bytes that are no text
        raise JwsError(f"its header is none of ours ({type(error).__name__})") from None
    if not are_unique(text):
        raise JwsError("its header names a member twice")
    if header.alg != "EdDSA":
        raise JwsError('its algorithm is not "EdDSA"')
    signature = _decoded(parts[2])
    if len(signature) != _SIGNATURE_BYTES:
        raise JwsError(f"a signature of {len(signature)} bytes; Ed25519 has {_SIGNATURE_BYTES}")
    payload = _decoded(parts[1])
    return Signed(kind, _kid(header.kid), payload, signature, data[: len(data) - len(parts[2]) - 1])


def is_signed_by(signed: Signed, keys: Iterable[object]) -> bool:
    """Return whether one of the keys made the signature; keys of other kinds make none here."""
    for key in keys:
        if not isinstance(key, Ed25519PublicKey):
            continue
        try:
            key.verify(signed.signature, signed.signed)
        except InvalidSignature:
            continue
        return True
    return False


def sign(kind: Kind, payload: bytes, key: Ed25519PrivateKey, kid: bytes) -> bytes:
    """Return a signed text.

    Raises:
        JwsError: it would be too long.
    """
    header = _Header("EdDSA", kid.hex(), kind.value)
    signed = b".".join((_encoded(msgspec.json.encode(header)), _encoded(payload)))
    text = b".".join((signed, _encoded(key.sign(signed))))
    if len(text) > MOST_BYTES:
        raise JwsError(f"{len(text)} bytes; at most {MOST_BYTES}")
    return text


def _kid(text: str) -> bytes:
    try:
        kid = bytes.fromhex(text) if len(text) <= _MOST_KID_DIGITS else b""
    except ValueError:
        kid = b""
    if not kid or kid.hex() != text:
        raise JwsError("its kid is not hexadecimal, in small letters")
    return kid


def _encoded(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _decoded(text: bytes) -> bytes:
    """Return what base64url without padding says; only the one way to write it counts."""
    try:
        data = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        data = b""
    if not data or _encoded(data) != text:
        raise JwsError("not base64url without padding (RFC 7515, 2)")
    return data
