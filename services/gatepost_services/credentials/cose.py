"""COSE_Sign1 (RFC 9052, 4.2): claims, and a signature that says whose they are."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from gatepost_services.credentials import cbor
from gatepost_services.credentials.errors import CredentialError, Refusal

_ALG, _CRIT, _KID = 1, 2, 4  # RFC 9052, table 3
_SIGN1_TAG = b"\xd2"  # 18
_CWT_TAG = b"\xd8\x3d"  # 61, RFC 8392, 6
_PARTS = 4
_MAX_KID = 64
# RFC 9053, 2.1 suggests P-256 for ES256 and requires none: there are signers with P-384 keys.
CURVES = ("secp256r1", "secp384r1", "secp521r1")
_MIN_RSA_BITS = 2048

PublicKey: TypeAlias = Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class Algorithm(IntEnum):
    """How it may be signed (RFC 9053, 2; RFC 8812 has none that is needed here)."""

    ES256 = -7
    EDDSA = -8
    PS256 = -37


@dataclass(frozen=True, slots=True)
class Sign1:
    """A message as it was read; nothing of it is to be believed before `verify`.

    Attributes:
        protected: the protected header, the bytes that were signed.
        algorithm: how it says that it is signed.
        kid: the id of the key, b"" where none is given.
        payload: what was signed.
        signature: raw, as RFC 9053 has it (ES256: r and s, 32 bytes each on P-256).
    """

    protected: bytes
    algorithm: Algorithm
    kid: bytes
    payload: bytes
    signature: bytes

    @property
    def signed_bytes(self) -> bytes:
        """Return the Sig_structure (RFC 9052, 4.4)."""
        return cbor.encode(["Signature1", self.protected, b"", self.payload])


def parse(data: bytes) -> Sign1:
    """Return the message in the bytes; its tags, 18 and around it 61, may be missing.

    Raises:
        CredentialError: FORMAT, SIZE, or ALGORITHM for one that is not in `Algorithm`.
    """
    parts = cbor.decode(data.removeprefix(_CWT_TAG).removeprefix(_SIGN1_TAG))
    if not isinstance(parts, list) or len(parts) != _PARTS:
        raise CredentialError(Refusal.FORMAT, "not a COSE_Sign1 message")
    protected, unprotected, payload, signature = parts
    if not (
        isinstance(protected, bytes)
        and isinstance(unprotected, dict)
        and isinstance(payload, bytes)
        and isinstance(signature, bytes)
    ):
        raise CredentialError(Refusal.FORMAT, "not a COSE_Sign1 message")
    header = cbor.decode(protected) if protected else {}
    if not isinstance(header, dict):
        raise CredentialError(Refusal.FORMAT, "the protected header is no map")
    if _CRIT in header:
        # RFC 9052, 3.1: whoever does not know what is critical must not believe the message.
        raise CredentialError(Refusal.FORMAT, "a critical header, and none is known")
    try:
        # What is signed counts before what is not.
        algorithm = Algorithm(header.get(_ALG) or unprotected.get(_ALG) or 0)
    except ValueError:
        raise CredentialError(
            Refusal.ALGORITHM, "signed by another algorithm than ES256, PS256 or EdDSA"
        ) from None
    kid = header.get(_KID, unprotected.get(_KID, b""))
    if not isinstance(kid, bytes) or len(kid) > _MAX_KID:
        raise CredentialError(Refusal.FORMAT, "the key id is not a few bytes")
    # RFC 9052, 4.4: nothing protected is signed as no bytes, also where it came as an empty map.
    return Sign1(protected if header else b"", algorithm, kid, payload, signature)


def is_signed_by(message: Sign1, key: PublicKey) -> bool:
    """Return whether this key signed it. A key of another kind than the algorithm's did not."""
    try:
        _VERIFIERS[message.algorithm](message, key)
    except InvalidSignature:
        return False
    return True


def sign(payload: bytes, key: Ed25519PrivateKey, kid: bytes) -> bytes:
    """Return a tagged message, signed by EdDSA with Ed25519."""
    protected = cbor.encode({_ALG: int(Algorithm.EDDSA), _KID: kid})
    message = Sign1(protected, Algorithm.EDDSA, kid, payload, b"")
    signature = key.sign(message.signed_bytes)
    return _SIGN1_TAG + cbor.encode([protected, {}, payload, signature])


def _verify_es256(message: Sign1, key: PublicKey) -> None:
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in CURVES:
        raise InvalidSignature
    half = (key.curve.key_size + 7) // 8  # RFC 9053, 2.1: r and s, each as long as the curve's
    if len(message.signature) != 2 * half:
        raise InvalidSignature
    r = int.from_bytes(message.signature[:half])
    s = int.from_bytes(message.signature[half:])
    key.verify(encode_dss_signature(r, s), message.signed_bytes, ec.ECDSA(SHA256()))


def _verify_ps256(message: Sign1, key: PublicKey) -> None:
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _MIN_RSA_BITS:
        raise InvalidSignature
    salted = padding.PSS(padding.MGF1(SHA256()), SHA256.digest_size)  # RFC 8230, 2
    key.verify(message.signature, message.signed_bytes, salted, SHA256())


def _verify_eddsa(message: Sign1, key: PublicKey) -> None:
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidSignature
    key.verify(message.signature, message.signed_bytes)


_VERIFIERS: dict[Algorithm, Callable[[Sign1, PublicKey], None]] = {
    Algorithm.ES256: _verify_es256,
    Algorithm.PS256: _verify_ps256,
    Algorithm.EDDSA: _verify_eddsa,
}
