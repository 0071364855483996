"""Passes, keys and lists of keys for tests: the same in every run."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from gatepost_services.credentials import signed_pass, signing, steps, trust
from gatepost_services.credentials.claims import SignedPass
from gatepost_services.credentials.keys import TrustedKey, Use, by_id

SITE, GATE = "north", "gate-1"
NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY, OTHER, ROOT = (signing.key_of_seed(bytes([n]) * 32) for n in (1, 2, 3))
ROOT_HEX = signing.hex_of(ROOT.public_key())
SECRET = bytes(range(32))
ID = bytes.fromhex("00112233445566778899aabbccddeeff")


def claims(**changed: Any) -> SignedPass:
    return SignedPass(
        **{
            "id": ID,
            "subject": "s-17",
            "site": SITE,
            "issued_utc": NOW - HOUR,
            "category": "visitor",
            "expires_utc": NOW + HOUR,
            **changed,
        }
    )


def code(key: signing.PrivateKey = KEY, **changed: Any) -> str:
    return signed_pass.issue(claims(**changed), key)


def stepped(step: int, secret: bytes = SECRET, **changed: Any) -> str:
    changed = {"step_s": 30, **changed}
    key = steps.pass_key(secret, claims(**changed).id)
    return steps.show(code(**changed), key, step)


def trusted(signer: signing.PrivateKey = KEY, **changed: Any) -> TrustedKey:
    public = signer.public_key()
    return TrustedKey(
        **{
            "kid": signing.kid_of(public),
            "key": public,
            "uses": frozenset({Use.PASS}),
            "not_before_utc": NOW - 24 * HOUR,
            "not_after_utc": NOW + 24 * HOUR,
            **changed,
        }
    )


def verified(text: str, keys: Iterable[TrustedKey] = (), **changed: Any) -> SignedPass:
    return signed_pass.verify(
        text,
        **{
            "keys": by_id(list(keys) or [trusted()]),
            "now_utc": NOW,
            "gate": GATE,
            "site": SITE,
            "direction": "entry",
            **changed,
        },
    )


def trust_list(version: int = 1, **changed: Any) -> bytes:
    root = changed.pop("root", ROOT)
    return trust.issue(
        trust.TrustList(
            **{
                "site": SITE,
                "version": version,
                "issued_utc": NOW - HOUR,
                "keys": (trusted(),),
                **changed,
            }
        ),
        root,
    )
