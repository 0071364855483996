"""Signed commands for tests: the same in every run."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from gatepost_services.commands.command import Role
from gatepost_services.commands.judge import Authentic, Refused, authenticate
from gatepost_services.commands.jws import Kind, sign
from gatepost_services.credentials.keys import TrustedKey, Use, by_id
from gatepost_services.credentials.signing import PrivateKey, key_of_seed, kid_of

SOURCE = "/gatepost/north/gate-1"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
DAY = timedelta(days=1)
OPERATOR, ADMINISTRATOR, AUDITOR, PASSES, STRANGER = (
    key_of_seed(bytes([n]) * 32) for n in range(11, 16)
)
ROLE_KEYS = {Role.OPERATOR: OPERATOR, Role.ADMINISTRATOR: ADMINISTRATOR, Role.AUDITOR: AUDITOR}


def trusted(key: PrivateKey, *uses: str, **changed: Any) -> TrustedKey:
    public = key.public_key()
    return TrustedKey(
        **{
            "kid": kid_of(public),
            "key": public,
            "uses": frozenset(Use(use) for use in uses),
            "not_before_utc": NOW - DAY,
            "not_after_utc": NOW + DAY,
            **changed,
        }
    )


KEYS = by_id([*(trusted(key, role) for role, key in ROLE_KEYS.items()), trusted(PASSES, "pass")])


def claims(**changed: Any) -> dict[str, Any]:
    made = {
        "jti": "c-1",
        "aud": SOURCE,
        "iat": NOW_S,
        "nbf": NOW_S,
        "exp": NOW_S + 30,
        "counter": 1,
        "verb": "release_entry",
        "by": "anna",
        "args": {},
        **changed,
    }
    return {name: value for name, value in made.items() if value is not None}


def signed_text(key: PrivateKey = OPERATOR, kind: Kind = Kind.COMMAND, **changed: Any) -> bytes:
    return raw_text(msgspec.json.encode(claims(**changed)), key, kind)


def raw_text(payload: bytes, key: PrivateKey = OPERATOR, kind: Kind = Kind.COMMAND) -> bytes:
    return sign(kind, payload, key, kid_of(key.public_key()))


def judged(text: bytes, **changed: Any) -> Authentic | Refused:
    return authenticate(
        text,
        changed.get("kind", Kind.COMMAND),
        changed.get("keys", KEYS),
        changed.get("now_utc", NOW),
    )
