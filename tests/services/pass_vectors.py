"""Makes tests/data/passes: what another language's issuer or verifier can check itself against.

`python -m tests.services.pass_vectors` writes the files anew; a test says when that is due.
"""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import cbor2

from gatepost_services.credentials import signed_pass, signing, steps, wrapping
from gatepost_services.credentials.claims import (
    DatedCode,
    DatedTest,
    SignedPass,
    to_cwt,
    to_document,
)
from gatepost_services.credentials.cose import sign
from gatepost_services.credentials.errors import Refusal

from .pass_kit import (
    GATE,
    HOUR,
    KEY,
    NOW,
    OTHER,
    ROOT,
    SECRET,
    SITE,
    claims,
    code,
    stepped,
    trust_list,
    trusted,
)

FOLDER = Path(__file__).parents[1] / "data" / "passes"
SEEDS = {"key": bytes([1]) * 32, "other": bytes([2]) * 32, "root": bytes([3]) * 32}
STEP = steps.step_at(NOW, 30)
PASSES = {
    "resident": claims(subject="s-1", category="resident", household="h-502", expires_utc=None),
    "visitor-once": claims(
        issuer="north-server", gates=(GATE,), direction="entry", uses=1, escort="s-1"
    ),
    "everything": claims(
        issuer="north-server",
        not_before_utc=NOW,
        household="h-502",
        gates=(GATE, "gate-2"),
        direction="exit",
        uses=10,
        escort=True,
        health_code=DatedCode("green", NOW - HOUR),
        trip_card=DatedCode("yellow", NOW - 2 * HOUR),
        test=DatedTest("negative", NOW - 30 * HOUR),
        registered=True,
        risk_area_utc=NOW - timedelta(days=20),
    ),
    "stepped": claims(step_s=30),
}


def made() -> dict[str, dict[str, Any]]:
    """Return the content of each file, by its name."""
    files = {name: _pass(claims) for name, claims in PASSES.items()}
    pass_key = steps.pass_key(SECRET, PASSES["stepped"].id)
    text = stepped(STEP)
    _, _, tag = cbor2.loads(signed_pass.unwrapped(text, steps.PREFIX))
    files["stepped"] |= {
        "site_secret": SECRET.hex(),
        "pass_key": pass_key.hex(),
        "step": STEP,
        "tag": tag.hex(),
        "shown": text,
    }
    files["trust-list"] = _trust_list()
    files["refused"] = {
        "site": SITE,
        "gate": GATE,
        "direction": "entry",
        "now_utc": NOW.isoformat(),
        "trusted": signing.hex_of(KEY.public_key()),
        "site_secret": SECRET.hex(),
        "codes": [
            {"why": why, "refusal": refusal.value, "text": text} for why, refusal, text in _bad()
        ],
    }
    return files


def _pass(claims: SignedPass) -> dict[str, Any]:
    text = signed_pass.issue(claims, KEY)
    return {
        "key_seed": SEEDS["key"].hex(),
        "public": signing.hex_of(KEY.public_key()),
        "kid": signing.kid_of(KEY.public_key()).hex(),
        "claims": to_document(claims),
        "cwt": to_cwt(claims).hex(),
        "cose": signed_pass.unwrapped(text, signed_pass.PREFIX).hex(),
        "text": text,
    }


def _trust_list() -> dict[str, Any]:
    keys = (trusted(), trusted(OTHER))
    revoked = signing.kid_of(OTHER.public_key())
    return {
        "root_seed": SEEDS["root"].hex(),
        "root": signing.hex_of(ROOT.public_key()),
        "site": SITE,
        "version": 7,
        "issued_utc": (NOW - HOUR).isoformat(),
        "kids": [key.kid.hex() for key in keys],
        "revoked_keys": [revoked.hex()],
        "revoked_passes": [bytes(16).hex()],
        "cose": trust_list(
            7,
            keys=keys,
            revoked_keys=frozenset({revoked}),
            revoked_passes=frozenset({bytes(16)}),
        ).hex(),
    }


def _bad() -> list[tuple[str, Refusal, str]]:
    good = code()
    kid = signing.kid_of(KEY.public_key())
    data = signed_pass.unwrapped(good, signed_pass.PREFIX)
    unknown = cbor2.loads(to_cwt(claims()))
    unknown[-65537][13] = "a restriction of tomorrow"
    untagged = wrapping.wrap(data[1:], signed_pass.PREFIX)
    parts = [*cbor2.loads(data).value]
    unprotected = [parts[0], {4: kid}, *parts[2:]]
    restricted = sign(cbor2.dumps(unknown, canonical=True), KEY, kid)
    return [
        ("another prefix", Refusal.FORMAT, "GP2:" + good[4:]),
        ("cut short", Refusal.FORMAT, good[:-3]),
        ("without tag 18", Refusal.FORMAT, untagged),
        ("kid unprotected", Refusal.FORMAT, _wrapped(cbor2.CBORTag(18, unprotected))),
        ("unknown restriction", Refusal.FORMAT, wrapping.wrap(restricted, signed_pass.PREFIX)),
        ("a key of nobody", Refusal.UNKNOWN_KEY, code(OTHER)),
        ("signed by another key", Refusal.SIGNATURE, signed_pass.issue(claims(), OTHER, kid)),
        ("expired", Refusal.EXPIRED, code(issued_utc=NOW - 2 * HOUR, expires_utc=NOW)),
        ("not yet", Refusal.NOT_YET, code(not_before_utc=NOW + HOUR / 60)),
        ("another site", Refusal.ELSEWHERE, code(site="south")),
        ("another gate", Refusal.ELSEWHERE, code(gates=("gate-2",))),
        ("the other way", Refusal.ELSEWHERE, code(direction="exit")),
        ("without its step", Refusal.STEP, code(step_s=30)),
        ("a step of a minute ago", Refusal.STEP, stepped(STEP - 2)),
        ("a step of another secret", Refusal.STEP, stepped(STEP, secret=bytes(32))),
    ]


def _wrapped(message: object) -> str:
    return wrapping.wrap(cbor2.dumps(message), signed_pass.PREFIX)


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for name, content in made().items():
        text = json.dumps(content, indent=1, ensure_ascii=False)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
