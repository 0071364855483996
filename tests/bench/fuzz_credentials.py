"""Codes that were valid and are changed: none may verify as anything else, or raise anything else.

    .venv/bin/python tests/bench/fuzz_credentials.py --seconds 300
    .venv/bin/python tests/bench/fuzz_credentials.py --count 1000000 --seed 7

A change is made at one of the depths of a code, and packed again from there, so that it gets past
the layers above: characters, bits of the packed and of the unpacked bytes, parts of COSE taken from
another code, values in the claims. What verifies all the same (the change was undone, or is in what
nobody signs) must say what a valid code says. Any error but `CredentialError` ends the run; the
seed and the number of the code, which it names, bring it back.

`mutate` and `fuzz` know nothing of certificates: a module that has a reader and valid codes uses
them for its own.
"""

import argparse
import base64
import json
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import base45
import cbor2

from gatepost_services.credentials import cbor, cose, hcert, wrapping
from gatepost_services.credentials.errors import CredentialError
from gatepost_services.credentials.hcert_signer import trusted_key
from gatepost_services.credentials.keys import KeysById, by_id

DATA = Path(__file__).resolve().parents[1] / "data" / "hcert"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
# Lengths and integers at their bounds, and items that are short and nasty.
_NASTY_HEX = """
    00 18ff 1affffffff 1bffffffffffffffff 3bffffffffffffffff 40 5affffffff 7b7fffffffffffffff 80
    9affffffff 9f a0 baffffffff bf c0 c24101 d81c d81d00 d82580 d9d9f7 f4 f6 f7 f97e00 f97c00
    fb7ff8000000000000 ff 818181818181818181818181818100
    """
NASTY = tuple(bytes.fromhex(text) for text in _NASTY_HEX.split())
TAGS = (b"\xd8\x3d\xd2", b"\xd2", b"")  # CWT around COSE_Sign1; COSE_Sign1; none


class FuzzError(Exception):
    """A changed code did what it must not."""


def mutate(texts: Sequence[str], rng: Random) -> str:
    """Return one of the codes, changed at one to three places of one of its depths."""
    text = rng.choice(texts)
    change = rng.choice((_text, _packed, _unpacked, _unpacked, _parts, _claims))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        try:
            text = change(text, rng.choice(texts), rng)
        except (CredentialError, ValueError, zlib.error, cbor2.CBORError):
            text = _text(text, rng.choice(texts), rng)  # an earlier change left no such depth
    return text


def fuzz(
    texts: Sequence[str],
    read: Callable[[str], Hashable],
    numbers: Iterator[int],
    seed: int,
) -> Counter[str]:
    """Read changed codes, one a number; return how many came to what.

    Args:
        texts: valid codes, all of which `read` reads.
        read: returns everything that a code says, or raises CredentialError.
        numbers: which changes to make; each has its own chance, from the seed and itself.
        seed: of all chance.

    Raises:
        FuzzError: one raised something else, or verified and says what no valid code says.
    """
    valid = {read(text) for text in texts}
    found: Counter[str] = Counter()
    for number in numbers:
        text = mutate(texts, Random(f"{seed}/{number}"))
        try:
            said = read(text)
        except CredentialError as error:
            found[error.refusal.value] += 1
            continue
        except Exception as error:
            raise FuzzError(
                f"seed {seed}, code {number}: {type(error).__name__}: {text}"
            ) from error
        if said not in valid:
            raise FuzzError(f"seed {seed}, code {number}: verifies as another: {text}")
        found["says the same"] += 1
    return found


def _bytes(data: bytes, other: bytes, rng: Random) -> bytes:
    """Return some bytes with one change."""
    at, to = sorted((rng.randint(0, len(data)), rng.randint(0, len(data))))
    match rng.randrange(8):
        case 0 | 1 if data:  # one bit
            at = rng.randrange(len(data))
            return data[:at] + bytes((data[at] ^ 1 << rng.randrange(8),)) + data[at + 1 :]
        case 2:  # a part missing
            return data[:at] + data[to:]
        case 3:  # cut off
            return data[:at]
        case 4:  # a part of another
            start = rng.randint(0, len(other))
            return data[:at] + other[start : start + rng.randint(0, 64)] + data[to:]
        case 5:  # a part twice
            return data[:to] + data[at:]
        case 6:
            return data[:at] + rng.choice(NASTY) + data[at + rng.randint(0, 9) :]
        case _:
            return data[:at] + rng.randbytes(rng.randint(1, 9)) + data[to:]


def _text(text: str, other: str, rng: Random) -> str:
    at, to = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
    match rng.randrange(6):
        case 0:
            return text[:at] + rng.choice(ALPHABET) + text[at + 1 :]
        case 1:
            return text[:at] + text[to:]
        case 2:
            return text[:at]
        case 3:
            return text[:at] + other[at:]
        case 4:
            return text[:at] + chr(rng.choice((0, 10, 32, 0x7F, 0xE9, 0x2028, 0x1F600))) + text[at:]
        case _:
            return text * rng.randint(2, 40)


def _packed(text: str, other: str, rng: Random) -> str:
    prefix, data = _unpack45(text)
    return prefix + base45.b45encode(_bytes(data, _unpack45(other)[1], rng)).decode()


def _unpacked(text: str, other: str, rng: Random) -> str:
    prefix, data = _unpack(text)
    return wrapping.wrap(_bytes(data, _unpack(other)[1], rng), prefix)


def _parts(text: str, other: str, rng: Random) -> str:
    """Change one of the four parts of a COSE_Sign1, or its tags."""
    prefix, parts = _cose(text)
    part = rng.randrange(5)
    if part < len(parts):
        theirs = _cose(other)[1][part]
        if isinstance(theirs, bytes) and isinstance(parts[part], bytes) and rng.random() < 0.5:
            parts[part] = _bytes(parts[part], theirs, rng)
        else:
            parts[part] = theirs
    return _wrap_cose(prefix, parts, rng)


def _claims(text: str, other: str, rng: Random) -> str:
    """Change one value in the claims, as a forger would."""
    prefix, parts = _cose(text)
    claims = cbor.decode(parts[2], tags=cbor.DATE_TAGS)
    theirs = cbor.decode(_cose(other)[1][2], tags=cbor.DATE_TAGS)
    key = rng.choice(list(claims))
    match rng.randrange(4):
        case 0:
            claims[key] = theirs.get(key)
        case 1:
            del claims[key]
        case 2 if isinstance(claims[key], int):
            claims[key] += rng.choice((1, -1, 86_400, 2**31, 2**53, 2**64))
        case _:
            claims[key] = rng.choice((None, "", "XY", 1e300, -1, [claims], {key: claims}))
    parts[2] = cbor2.dumps(claims)
    return _wrap_cose(prefix, parts, rng)


def _unpack45(text: str) -> tuple[str, bytes]:
    prefix, colon, rest = text.partition(":")
    return prefix + colon, wrapping.decode(rest)


def _unpack(text: str) -> tuple[str, bytes]:
    prefix, packed = _unpack45(text)
    return prefix, wrapping.inflate(packed)


def _cose(text: str) -> tuple[str, list[Any]]:
    prefix, data = _unpack(text)
    for tag in TAGS[:2]:
        data = data.removeprefix(tag)
    parts = cbor.decode(data)
    if not isinstance(parts, list) or len(parts) != 4:
        raise ValueError("no COSE_Sign1")
    return prefix, parts


def _wrap_cose(prefix: str, parts: list[Any], rng: Random) -> str:
    return wrapping.wrap(rng.choice(TAGS) + cbor2.dumps(parts), prefix)


def certificates(folder: Path = DATA) -> tuple[list[str], Callable[[str], Hashable]]:
    """Return the valid health certificates of test files, and what reads them.

    The keys of all files are trusted at all times, and the time is that of the issue: what is tried
    here is whether something is signed, not whether it is in time.
    """
    documents = [json.loads(path.read_bytes()) for path in sorted(folder.rglob("*.json"))]
    keys = [
        replace(
            trusted_key(base64.b64decode(document["TESTCTX"]["CERTIFICATE"])),
            not_before_utc=datetime.min.replace(tzinfo=UTC),
            not_after_utc=datetime.max.replace(tzinfo=UTC),
        )
        for document in documents
    ]
    read = _reader(by_id(keys))
    return sorted({document["PREFIX"] for document in documents if _reads(read, document)}), read


def _reads(read: Callable[[str], Hashable], document: dict[str, Any]) -> bool:
    try:
        read(document["PREFIX"])
    except CredentialError:
        return False
    return True


def _reader(trusted: KeysById) -> Callable[[str], Hashable]:
    def read(text: str) -> Hashable:
        message = cose.parse(hcert.inflated(hcert.unwrapped(hcert.unprefixed(text))))
        said = hcert.read(
            text, trusted=trusted, now_utc=hcert.claims_of(message.payload).issued_utc
        )
        # What was signed, too: names and numbers that `read` drops must not change either.
        return said, message.payload

    return read


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=20_000, help="codes (%(default)s)")
    parser.add_argument("--seconds", type=float, help="as many as that takes, instead")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=DATA, help="of test files")
    args = parser.parse_args()
    texts, read = certificates(args.folder)
    began_s = time.perf_counter()
    numbers = (
        iter(range(args.count)) if args.seconds is None else _until(began_s + args.seconds, count())
    )
    try:
        found = fuzz(texts, read, numbers, args.seed)
    except FuzzError as error:
        print(error, file=sys.stderr)
        return 1
    took_s = time.perf_counter() - began_s
    figures = {
        "valid codes": len(texts),
        "changed": found.total(),
        "codes/s": round(found.total() / took_s),
        **dict(sorted(found.items())),
    }
    print(json.dumps(figures))
    return 0


def _until(end_s: float, numbers: Iterator[int]) -> Iterator[int]:
    for number in numbers:
        if time.perf_counter() >= end_s:
            return
        yield number


if __name__ == "__main__":
    sys.exit(main())
