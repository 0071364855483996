"""Payloads that no gate may obey, for `fuzz_commands`: random, damaged, forged, out of place."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

from gatepost_services.commands.jws import Kind, sign
from gatepost_services.credentials.signing import key_of_seed, kid_of

SOURCE = "/gatepost/north/gate-1"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
OPERATOR, ADMINISTRATOR, AUDITOR, PASSES, STRANGER = (
    key_of_seed(bytes([n]) * 32) for n in range(31, 36)
)
USES = {OPERATOR: "operator", ADMINISTRATOR: "administrator", AUDITOR: "auditor", PASSES: "pass"}
_LONGEST = 20_000
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def claims(number: int, **changed: Any) -> dict[str, Any]:
    """Return a good command; `number` is its id and its counter."""
    return {
        "jti": f"good-{number}",
        "aud": SOURCE,
        "iat": NOW_S,
        "nbf": NOW_S,
        "exp": NOW_S + 30,
        "counter": number,
        "verb": "release_entry",
        "by": "anna",
        "args": {},
        **changed,
    }


def text_of(content: bytes, key: Any = OPERATOR, kind: Kind = Kind.COMMAND) -> bytes:
    """Return a signed text, also one that `sign` would call too long."""
    if len(content) < 6000:
        return sign(kind, content, key, kid_of(key.public_key()))
    head = {"alg": "EdDSA", "kid": kid_of(key.public_key()).hex(), "typ": kind.value}
    signed = b".".join(map(encoded, (json.dumps(head).encode(), content)))
    return signed + b"." + encoded(key.sign(signed))


def encoded(data: bytes) -> bytes:
    """Return base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=")


def _odd(rng: Random) -> Any:
    """Return a value that is no good anywhere."""
    return rng.choice(
        (
            None,
            True,
            -1,
            0,
            2**53,
            2**64,
            10**300,
            1.5,
            float("nan"),
            float("inf"),
            "",
            "x" * rng.randrange(300),
            "\u202e\U0001f600" * 70,
            "\x00",
            "../../etc",
            [],
            [[]],
            {"a": {"b": []}},
            {"subject": 1},
            {"subject": "s", "more": 1},
            {"first": 5, "last": 1},
        )
    )


def _wrong_claims(rng: Random) -> bytes:
    """Return a payload of which something is wrong, as JSON."""
    made = claims(rng.randrange(1, 2**53 - 1), jti=f"w{rng.getrandbits(64):x}")
    match rng.randrange(8):
        case 0:
            del made[rng.choice([name for name in made if name != "args"])]
        case 1:
            made["role"] = "administrator"
        case 2:
            made["verb"] = rng.choice(("RELEASE_ENTRY", "release", "open_door", "test", "status"))
        case 3:
            made["aud"] = rng.choice(("/gatepost/north", "/gatepost/north/gate-2", "*", "#"))
        case 4:
            made["exp"] = made["nbf"] - rng.randrange(3)
        case 5:
            made["args"] = rng.choice(([], [1], {"force": True}, {"subject": "s"}, None, "x", 1))
        case 6:
            made["exp"], made["nbf"] = NOW_S - rng.randrange(1000), NOW_S - 2000
        case _:
            name = rng.choice(("jti", "exp", "nbf", "counter", "verb", "by", "args"))
            odd = _odd(rng)
            made[name] = odd if odd not in (0, {}) and made[name] != odd else -5
            if name == "by" and isinstance(odd, str) and 0 < len(odd) <= 64 and odd != "\x00":
                made[name] = "\n"  # all others are names
            if name == "jti" and isinstance(odd, str):
                made[name] = "a b"
    return json.dumps(made).encode()


def _broken_json(rng: Random) -> bytes:
    good = bytearray(json.dumps(claims(rng.randrange(1, 2**50))).encode())
    match rng.randrange(6):
        case 0:
            return b"[" * rng.randrange(1, 7000)
        case 1:
            return b'{"args":' + b'{"a":' * rng.randrange(1, 3000)
        case 2:
            return bytes(good[: rng.randrange(len(good))])
        case 3:
            return b'{"verb":"lock",' + bytes(good[1:])  # a member twice
        case 4:
            return bytes(good).replace(b"anna", rng.choice((b"\xff\xfe", b"\xc0\x80", b"\\ud800")))
        case _:
            return b"\xef\xbb\xbf" + bytes(good)


def _cut_up(text: bytes, rng: Random) -> bytes:
    """Return a text of which letters, parts or all were changed, and is another one."""
    changed = bytearray(text)
    match rng.randrange(6):
        case 0:
            at = rng.randrange(len(changed))
            changed[at] ^= 1 << rng.randrange(8)
        case 1:
            at = rng.randrange(len(changed))
            changed[at] = _ALPHABET[(_ALPHABET.find(text[at : at + 1]) + rng.randrange(1, 63)) % 64]
        case 2:
            del changed[rng.randrange(len(changed)) :]
        case 3:
            changed += rng.choice((b"=", b"\n", b".", b"A", b"\x00", text))
        case 4:
            changed.insert(rng.randrange(len(changed)), rng.choice(b"=. \n\x00A"))
        case _:
            parts = text.split(b".")
            rng.shuffle(parts)
            changed = bytearray(b".".join(parts))
    if changed == text:  # the parts in their old order
        changed[-1] ^= 1
    return bytes(changed)


def payloads(rng: Random, used: list[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield kinds of payload and payloads, none of which may be obeyed.

    `used`: commands that were obeyed, which come again.
    """
    fresh = text_of(json.dumps(claims(2**52, jti="never")).encode())
    stranger = text_of(json.dumps(claims(7, jti="stranger")).encode(), STRANGER)
    forged = b".".join((*fresh.split(b".")[:2], stranger.split(b".")[2]))
    makers: dict[str, Callable[[], bytes]] = {
        "random bytes": lambda: rng.randbytes(rng.randrange(400)),
        "random text": lambda: bytes(rng.choices(_ALPHABET + b"..", k=rng.randrange(600))),
        "random, long": lambda: rng.randbytes(rng.randrange(_LONGEST)),
        "good, changed": lambda: _cut_up(fresh, rng),
        "used, again": lambda: rng.choice(used),
        "used, changed": lambda: _cut_up(rng.choice(used), rng),
        "key of a stranger": lambda: text_of(
            json.dumps(claims(rng.randrange(1, 2**50))).encode(), STRANGER
        ),
        "key for passes": lambda: text_of(
            json.dumps(claims(rng.randrange(1, 2**50))).encode(), PASSES
        ),
        "stranger's signature": lambda: forged,
        "role that may not": lambda: text_of(
            json.dumps(claims(rng.randrange(1, 2**50), jti=f"r{rng.getrandbits(60):x}")).encode(),
            AUDITOR,
        ),
        "another kind": lambda: text_of(
            json.dumps(claims(rng.randrange(1, 2**50))).encode(),
            OPERATOR,
            rng.choice((Kind.DESIRED, Kind.HEAD)),
        ),
        "wrong claims, signed": lambda: text_of(_wrong_claims(rng), ADMINISTRATOR),
        "wrong claims": lambda: text_of(_wrong_claims(rng), STRANGER),
        "broken JSON, signed": lambda: text_of(_broken_json(rng), ADMINISTRATOR),
        "header of another kind": lambda: _odd_header(rng),
    }
    names = list(makers)
    while True:
        name = rng.choice(names)
        yield name, makers[name]()


def _odd_header(rng: Random) -> bytes:
    head: dict[str, Any] = {
        "alg": "EdDSA",
        "kid": kid_of(OPERATOR.public_key()).hex(),
        "typ": Kind.COMMAND.value,
    }
    match rng.randrange(4):
        case 0:
            head["alg"] = rng.choice(("none", "HS256", "ES256", "eddsa", "Ed25519", 1, None))
        case 1:
            head[rng.choice(("crit", "jwk", "jku", "b64", "x5c", "zip"))] = _odd(rng)
        case 2:
            head["typ"] = rng.choice(("JWT", Kind.HEAD.value, Kind.DESIRED.value, "", None))
        case _:
            head["kid"] = rng.choice(("", "zz", "AB", "ab" * 100, None, 7, head["kid"].upper()))
    signed = b".".join(
        (encoded(json.dumps(head).encode()), encoded(json.dumps(claims(2**51)).encode()))
    )
    return signed + b"." + encoded(OPERATOR.sign(signed))
