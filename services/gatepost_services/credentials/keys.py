"""Keys that are believed: whose signature counts, for what, and when."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from gatepost_services.credentials.cose import CURVES, PublicKey


class Use(StrEnum):
    """What a key may sign."""

    PASS = "pass"  # GP1
    LIST = "list"  # trust lists
    TEST = "test"  # HC1, this and the two below
    VACCINATION = "vaccination"
    RECOVERY = "recovery"
    OPERATOR = "operator"  # commands of staff, this and the two below: commands/command.py
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"


HCERT_USES = frozenset({Use.TEST, Use.VACCINATION, Use.RECOVERY})


class KeyUnusableError(ValueError):
    """What should be a public key is none, or of a kind that signs no credential."""


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A key, and what it is believed to say.

    Attributes:
        kid: the id that messages name it by; several keys may share one.
        key: the public key.
        uses: what it may sign.
        not_before_utc: from when on it counts, with a time zone.
        not_after_utc: until when, this instant included (RFC 5280, 4.1.2.5).
    """

    kid: bytes
    key: PublicKey
    uses: frozenset[Use]
    not_before_utc: datetime
    not_after_utc: datetime

    def is_valid_at(self, now_utc: datetime) -> bool:
        """Return whether it counts at this instant."""
        return self.not_before_utc <= now_utc <= self.not_after_utc


# What a trust list hands over: all keys that share an id, in the list's order.
KeysById: TypeAlias = Mapping[bytes, Sequence[TrustedKey]]


def by_id(keys: Iterable[TrustedKey]) -> KeysById:
    """Return the keys by their ids."""
    found: dict[bytes, list[TrustedKey]] = {}
    for key in keys:
        found.setdefault(key.kid, []).append(key)
    return MappingProxyType({kid: tuple(same) for kid, same in found.items()})


def candidates(keys: KeysById, kid: bytes) -> Sequence[TrustedKey]:
    """Return all keys that a message with this id may be signed by; without an id, all keys.

    An id is eight bytes of a digest, and no promise that there is one key of it alone (hcert-spec,
    3.3.2): every one has to be tried.
    """
    if kid:
        return keys.get(kid, ())
    return tuple(key for same in keys.values() for key in same)


def public_key(spki: bytes) -> PublicKey:
    """Return the key in a SubjectPublicKeyInfo (RFC 5280, 4.1.2.7), DER.

    Raises:
        KeyUnusableError: it is none, or neither Ed25519, RSA nor on a curve of `cose.CURVES`.
    """
    try:
        key = load_der_public_key(spki)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnusableError(
            f"a public key cannot be read: {type(error).__name__}; SubjectPublicKeyInfo in DER"
            " is expected"
        ) from error
    return usable(key)


def usable(key: object) -> PublicKey:
    """Return a key of a kind that credentials are signed with.

    Raises:
        KeyUnusableError: it is of another kind.
    """
    match key:
        case ec.EllipticCurvePublicKey() if key.curve.name in CURVES:
            return key
        case rsa.RSAPublicKey() | Ed25519PublicKey():
            return key
        case _:
            raise KeyUnusableError(
                f"a {type(key).__name__} signs no credential; Ed25519, RSA and the curves"
                f" {', '.join(CURVES)} are accepted"
            )
