"""How long a pass takes, from the scanned text to the decision, beside a bare Ed25519 verify.

    .venv/bin/python tests/bench/passes.py

Verifying and looking up its uses (`read`) is what a person waits for; the use is counted at the
grant, with one fsync (`consume`), which is the disk's time. The two verifications take turns, so
that a noisy machine disturbs both alike. And how large the pictures are.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

import segno

from gatepost_services.credentials import signed_pass, signing, steps, trust
from gatepost_services.credentials.claims import DatedCode, DatedTest, SignedPass
from gatepost_services.credentials.desk import Verifier
from gatepost_services.credentials.keys import TrustedKey, Use

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LIMIT_MS = 5.0
ROUNDS = 2000
COUNTED = 300
SECRET = bytes(32)
KEY, ROOT = signing.key_of_seed(bytes([1]) * 32), signing.key_of_seed(bytes([3]) * 32)
_HOUR = timedelta(hours=1)


def claims(number: int, **said: object) -> SignedPass:
    """Return a typical pass: a visitor's for a day, at one gate."""
    fields: dict[str, object] = {
        "id": number.to_bytes(16),
        "subject": f"s-{number:06}",
        "site": "north-court",
        "issued_utc": NOW - _HOUR,
        "category": "visitor",
        "expires_utc": NOW + 24 * _HOUR,
        "household": "3-502",
        "gates": ("north-1",),
        "uses": 2,
        **said,
    }
    return SignedPass(**fields)  # type: ignore[arg-type]


def kinds() -> dict[str, str]:
    """Return a code of each kind of pass."""
    step = claims(4, uses=None, step_s=30)
    everything = claims(
        3,
        issuer="north-court-server",
        escort="s-000017",
        health_code=DatedCode("green", NOW),
        trip_card=DatedCode("green", NOW),
        test=DatedTest("negative", NOW),
        registered=True,
        risk_area_utc=NOW - 400 * _HOUR,
    )
    shown = steps.show(
        signed_pass.issue(step, KEY), steps.pass_key(SECRET, step.id), steps.step_at(NOW, 30)
    )
    return {
        "resident, no end": signed_pass.issue(
            claims(1, category="resident", expires_utc=None, gates=(), uses=None), KEY
        ),
        "visitor, twice, one gate": signed_pass.issue(claims(2), KEY),
        "with codes, test, escort": signed_pass.issue(everything, KEY),
        "with a step": shown,
    }


def opened(folder: Path) -> Verifier:
    """Return a gate that trusts the key, and has counted some thousand passes."""
    signing.write_secret(folder / "steps", SECRET)
    desk = Verifier(
        trust_path=folder / "trust.cose",
        replay_path=folder / "credentials.db",
        root_keys=[signing.hex_of(ROOT.public_key())],
        site="north-court",
        gate="north-1",
        max_age=None,
        step_secret_path=folder / "steps",
    )
    key = TrustedKey(
        signing.kid_of(KEY.public_key()),
        KEY.public_key(),
        frozenset({Use.PASS}),
        NOW - 24 * _HOUR,
        NOW + 24 * _HOUR,
    )
    revoked = frozenset(number.to_bytes(16) for number in range(10_000, 20_000))
    held = trust.TrustList("north-court", 1, NOW, (key,), revoked_passes=revoked)
    desk.install(trust.issue(held, ROOT))
    return desk


def taken_ms(act: Callable[[], object]) -> float:
    """Return how long it takes."""
    began_s = time.perf_counter()
    act()
    return (time.perf_counter() - began_s) * 1000


def row(name: str, times: Sequence[float], besides: str = "") -> None:
    """Print a line."""
    p99 = quantiles(times, n=100)[98]
    print(f"  {name:<44} median {median(times):6.3f} ms   p99 {p99:6.3f} ms   {besides}")


def main() -> None:
    """Print the figures."""
    codes = kinds()
    with tempfile.TemporaryDirectory() as folder:
        desk = opened(Path(folder))
        counted = []
        for number in range(100, 100 + COUNTED):
            presented = desk.read(signed_pass.issue(claims(number), KEY), "entry", NOW)
            counted.append(taken_ms(lambda shown=presented: desk.consume(shown)))  # type: ignore[misc]
        print(f"from the text to what it says and whether it is used up, {ROUNDS} of each")
        for name, text in codes.items():
            message = (
                steps.stepped_in(text).message
                if text.startswith(steps.PREFIX)
                else signed_pass.message_in(text)
            )
            public, data = KEY.public_key(), message.signed_bytes
            reads, bare = [], []
            for _ in range(ROUNDS):
                reads.append(taken_ms(lambda code=text: desk.read(code, "entry", NOW)))  # type: ignore[misc]
                bare.append(
                    taken_ms(lambda m=message, d=data, k=public: k.verify(m.signature, d))  # type: ignore[misc]
                )
            ratio = median(one / other for one, other in zip(reads, bare, strict=True))
            row(name, reads, f"ratio {ratio:.2f} (limit {LIMIT_MS:.0f} ms)")
            row("  a bare Ed25519 verify of it", bare)
        row("to count a use, with its fsync", counted)
        desk.close()
    print("the picture, level Q")
    for name, text in codes.items():
        picture = segno.make(text, error="q", mode="alphanumeric", boost_error=False, micro=False)
        side = picture.symbol_size(border=0)[0]
        print(f"  {name:<44} {len(text)} characters   version {picture.version}, {side} modules")


if __name__ == "__main__":
    main()
