"""A site that signs passes, and a state whose test certificates its gates believe."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gatepost_services.credentials import cbor, cose, hcert, signed_pass, signing, trust, wrapping
from gatepost_services.credentials.claims import SignedPass
from gatepost_services.credentials.keys import TrustedKey, Use

SITE = "s"  # as the settings of `config` have it
NOW = datetime(2022, 3, 21, 4, 0, tzinfo=UTC)  # noon of a Monday in Shanghai
HOUR = timedelta(hours=1)
ROOT, SERVER, STATE = (signing.key_of_seed(bytes([n]) * 32) for n in (1, 2, 3))
ROOT_HEX = signing.hex_of(ROOT.public_key())


def trusted(key: signing.PrivateKey, use: Use) -> TrustedKey:
    public = key.public_key()
    kid, uses = signing.kid_of(public), frozenset({use})
    return TrustedKey(kid, public, uses, NOW - 1000 * HOUR, NOW + 1000 * HOUR)


def push_list(path: Path, version: int = 1, **changed: Any) -> None:
    """Give a gate its trust list, as the server signed it."""
    keys = (trusted(SERVER, Use.PASS), trusted(STATE, Use.TEST))
    fields = {"site": SITE, "version": version, "issued_utc": NOW - HOUR, "keys": keys, **changed}
    path.write_bytes(trust.issue(trust.TrustList(**fields), ROOT))


def pass_of(subject: str, number: int = 1, **changed: Any) -> str:
    """Return the code of a visitor's pass, good from an hour ago to an hour from now."""
    fields = {
        "id": number.to_bytes(16),
        "subject": subject,
        "site": SITE,
        "issued_utc": NOW - HOUR,
        "category": "visitor",
        "expires_utc": NOW + HOUR,
        **changed,
    }
    return signed_pass.issue(SignedPass(**fields), SERVER)


def certificate(*, hours_ago: float = 3, found: bool = False, key: Any = STATE) -> str:
    """Return the code of a test certificate."""
    sampled = (NOW - timedelta(hours=hours_ago)).isoformat()
    entry = {
        "tg": "840539006",
        "tt": "LP6464-4",
        "sc": sampled,
        "tr": "260373001" if found else "260415000",
        "co": "AT",
        "is": "Ministry",
        "ci": "URN:UVCI:01:AT:1#A",
    }
    names = {"fnt": "DOE", "gnt": "JANE"}
    whole = {"ver": "1.3.0", "nam": names, "dob": "1990-01-01", "t": [entry]}
    begin, end = (NOW - 5 * HOUR).timestamp(), (NOW + 50 * HOUR).timestamp()
    claims = cbor.encode({1: "AT", 4: int(end), 6: int(begin), -260: {1: whole}})
    return wrapping.wrap(cose.sign(claims, key, signing.kid_of(key.public_key())), hcert.PREFIX)
