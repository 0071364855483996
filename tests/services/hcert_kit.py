"""Issues health certificates for tests, right ones and every sort of wrong one."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, settings

from gatepost_services.credentials import cbor, hcert, wrapping
from gatepost_services.credentials.keys import HCERT_USES, TrustedKey

# For properties: how long an example takes is the machine's affair.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | Ed25519PrivateKey

NOW = datetime(2021, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ES256, EDDSA, PS256 = -7, -8, -37

TEST: dict[str, Any] = {
    "tg": "840539006",
    "tt": "LP6464-4",
    "nm": "Some PCR",
    "sc": "2021-05-31T09:30:00+02:00",
    "tr": "260415000",
    "tc": "Centre",
    "co": "AT",
    "is": "Ministry",
    "ci": "URN:UVCI:01:AT:1#A",
}
DOSE: dict[str, Any] = {
    "tg": "840539006",
    "vp": "1119349007",
    "mp": "EU/1/20/1528",
    "ma": "ORG-100030215",
    "dn": 1,
    "sd": 2,
    "dt": "2021-02-18",
    "co": "AT",
    "is": "Ministry",
    "ci": "URN:UVCI:01:AT:2#B",
}
RECOVERY: dict[str, Any] = {
    "tg": "840539006",
    "fr": "2021-02-20",
    "co": "AT",
    "is": "Ministry",
    "df": "2021-04-04",
    "du": "2021-10-04",
    "ci": "URN:UVCI:01:AT:3#C",
}


def certificate(**groups: Any) -> dict[str, Any]:
    """Return a certificate; `t`, `v` or `r` is its entry, as changes of the usual one."""
    whole: dict[str, Any] = {
        "ver": "1.3.0",
        "nam": {"fn": "Muster", "fnt": "MUSTER", "gn": "Eva", "gnt": "EVA"},
        "dob": "1998-02-26",
    }
    usual = {"t": TEST, "v": DOSE, "r": RECOVERY}
    for name, value in groups.items():
        changed = name in usual and isinstance(value, dict)
        whole[name] = [usual[name] | value] if changed else value
    return whole


@cache
def p256(number: int = 0) -> ec.EllipticCurvePrivateKey:
    """Return one of several keys, the same in each run."""
    return ec.derive_private_key(7 + number, ec.SECP256R1())


@cache
def p384() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(7, ec.SECP384R1())


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def trusted(key: PrivateKey, kid: bytes = b"", **changes: Any) -> TrustedKey:
    """Return the public half of a key, valid around `NOW`, with an id of its own."""
    usual = {
        "kid": kid or kid_of(key),
        "key": key.public_key(),
        "uses": HCERT_USES,
        "not_before_utc": NOW - 30 * DAY,
        "not_after_utc": NOW + 30 * DAY,
    }
    return TrustedKey(**(usual | changes))


def kid_of(key: PrivateKey) -> bytes:
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()[:8]


def signed(key: PrivateKey, protected: bytes, payload: bytes) -> bytes:
    """Return the raw signature of COSE over a header and a payload."""
    data = cbor.encode(["Signature1", protected, b"", payload])
    match key:
        case ec.EllipticCurvePrivateKey():
            half = (key.curve.key_size + 7) // 8
            r, s = decode_dss_signature(key.sign(data, ec.ECDSA(SHA256())))
            return r.to_bytes(half) + s.to_bytes(half)
        case rsa.RSAPrivateKey():
            return key.sign(data, padding.PSS(padding.MGF1(SHA256()), 32), SHA256())
        case Ed25519PrivateKey():
            return key.sign(data)


def message(
    payload: bytes,
    key: PrivateKey,
    *,
    protected: dict[int, Any] | bytes | None = None,
    unprotected: dict[int, Any] | None = None,
    tag: bytes = b"\xd2",
    sign: Callable[[PrivateKey, bytes, bytes], bytes] = signed,
) -> bytes:
    """Return a COSE_Sign1 message; its headers are ES256 and the key's id unless said otherwise."""
    if protected is None:
        algorithm = PS256 if isinstance(key, rsa.RSAPrivateKey) else ES256
        protected = {1: algorithm, 4: kid_of(key)}
    header = protected if isinstance(protected, bytes) else cbor.encode(protected)
    parts = [header, unprotected or {}, payload, sign(key, header, payload)]
    return tag + cbor.encode(parts)


def cwt(whole: object, **claims: Any) -> bytes:
    """Return the claims around a certificate, issued a day before `NOW`, for ten days."""
    numbered = {
        1: claims.get("iss", "AT"),
        4: claims.get("exp", int((NOW + 9 * DAY).timestamp())),
        6: claims.get("iat", int((NOW - DAY).timestamp())),
        -260: {1: whole},
    }
    return cbor.encode({name: value for name, value in numbered.items() if value is not None})


def issued(whole: object, key: PrivateKey | None = None, **claims: Any) -> str:
    """Return the code of a certificate."""
    return wrapping.wrap(message(cwt(whole, **claims), key or p256()), hcert.PREFIX)
