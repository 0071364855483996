"""Signed passes that were valid and are changed: none may verify, or raise anything else.

    .venv/bin/python tests/bench/fuzz_passes.py --count 1000000
    .venv/bin/python tests/bench/fuzz_passes.py --seconds 300 --seed 7

The changes are those of `fuzz_credentials`, and of passes with steps one more: step, tag or message
of another. Stricter than there: what verifies must be a valid code letter by letter.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random

import cbor2

sys.path.append(str(Path(__file__).parent))

from fuzz_credentials import FuzzError, mutate

from gatepost_services.credentials import cbor, signed_pass, signing, steps, wrapping
from gatepost_services.credentials.claims import CATEGORIES, DatedCode, DatedTest, SignedPass
from gatepost_services.credentials.errors import CredentialError
from gatepost_services.credentials.keys import TrustedKey, Use, by_id

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECRET = bytes(32)
STEP_S = 30
_KEYS = [signing.key_of_seed(bytes([n]) * 32) for n in range(3)]
_DAY = timedelta(days=1)


def passes() -> tuple[list[str], Callable[[str], Hashable]]:
    """Return valid codes, a third of them with steps, and what reads them."""
    keys = by_id(
        TrustedKey(
            signing.kid_of(key.public_key()),
            key.public_key(),
            frozenset({Use.PASS}),
            NOW - _DAY,
            NOW + _DAY,
        )
        for key in _KEYS
    )
    chance = Random(1)
    codes = [_code(number, chance) for number in range(60)]

    def read(text: str) -> Hashable:
        shown = steps.stepped_in(text) if text.startswith(steps.PREFIX) else None
        message = shown.message if shown else signed_pass.message_in(text)
        claims = signed_pass.authentic(message, keys, NOW)
        if shown:
            steps.check(shown, claims, SECRET, NOW)
        signed_pass.check(claims, now_utc=NOW, gate="gate-1", site="north", direction="entry")
        return claims

    return codes, read


def _code(number: int, chance: Random) -> str:
    is_stepped = number % 3 == 0
    claims = SignedPass(
        id=chance.randbytes(16),
        subject=f"s-{number}",
        site="north",
        issued_utc=NOW - _DAY,
        category=chance.choice(CATEGORIES[:-1]),  # type: ignore[arg-type]
        expires_utc=NOW + _DAY,
        household=chance.choice((None, f"h-{number // 2}")),
        gates=chance.choice(((), ("gate-1",), ("gate-1", "gate-2"))),
        direction=chance.choice((None, "entry")),  # type: ignore[arg-type]
        uses=chance.choice((None, 1, 10)),
        escort=chance.choice((False, True, "s-1")),
        health_code=chance.choice((None, DatedCode("green", NOW))),
        test=chance.choice((None, DatedTest("negative", NOW))),
        step_s=STEP_S if is_stepped else None,
    )
    text = signed_pass.issue(claims, _KEYS[number % len(_KEYS)])
    if not is_stepped:
        return text
    step = steps.step_at(NOW, STEP_S) + chance.choice((-1, 0, 1))
    return steps.show(text, steps.pass_key(SECRET, claims.id), step)


def change(texts: list[str], rng: Random) -> str:
    """Return a code of `mutate`, or one with steps of which a part was changed."""
    text = rng.choice(texts)
    if not text.startswith(steps.PREFIX) or rng.random() < 0.5:
        return mutate(texts, rng)
    parts = _parts(text)
    part = rng.randrange(len(parts))
    match rng.randrange(3):
        case 0:
            stepped = [each for each in texts if each.startswith(steps.PREFIX)]
            parts[part] = _parts(rng.choice(stepped))[part]
        case 1:
            inner = [each for each in texts if each.startswith(signed_pass.PREFIX)]
            changed = mutate(inner, rng)
            try:
                parts[0] = signed_pass.unwrapped(changed, signed_pass.PREFIX)
            except CredentialError:
                parts[0] = changed.encode()
        case _:
            step = parts[1]
            parts[1] = rng.choice((step + 1, step - 1, -step, 0, 2**63, str(step), None, [step]))
    return wrapping.wrap(cbor2.dumps(parts), steps.PREFIX)


def _parts(text: str) -> list[object]:
    parts = cbor.decode(signed_pass.unwrapped(text, steps.PREFIX))
    assert isinstance(parts, list)
    return parts


def fuzz(
    texts: list[str], read: Callable[[str], Hashable], numbers: Iterator[int], seed: int
) -> Counter[str]:
    """Read changed codes, one a number; return how many came to what.

    Raises:
        FuzzError: one raised something else than CredentialError, or is valid and was not before.
    """
    for text in texts:
        read(text)
    valid = frozenset(texts)
    found: Counter[str] = Counter()
    for number in numbers:
        text = change(texts, Random(f"{seed}/{number}"))
        try:
            read(text)
        except CredentialError as error:
            found[error.refusal.value] += 1
            continue
        except Exception as error:
            raise FuzzError(f"seed {seed}, code {number}: {error!r}: {text}") from error
        if text not in valid:
            raise FuzzError(f"seed {seed}, code {number}: verifies: {text}")
        found["not changed"] += 1
    return found


def main() -> int:
    """Do it; status 1 if a changed code did what it must not."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=20_000, help="codes (%(default)s)")
    parser.add_argument("--seconds", type=float, help="as many as that takes, instead")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    texts, read = passes()
    began_s = time.perf_counter()
    numbers = iter(range(args.count))
    if args.seconds is not None:
        numbers = _until(began_s + args.seconds)
    try:
        found = fuzz(texts, read, numbers, args.seed)
    except FuzzError as error:
        print(error, file=sys.stderr)
        return 1
    rate = round(found.total() / (time.perf_counter() - began_s))
    print(json.dumps({"changed": found.total(), "codes/s": rate, **dict(sorted(found.items()))}))
    return 0


def _until(end_s: float) -> Iterator[int]:
    for number in count():
        if time.perf_counter() >= end_s:
            return
        yield number


if __name__ == "__main__":
    sys.exit(main())
