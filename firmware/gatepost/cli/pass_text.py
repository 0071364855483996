"""What `gatepost pass inspect` says of a pass: in plain words, and whether it is good."""

import argparse
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from gatepost.cli.main import fail
from gatepost.cli.trust import read_list
from gatepost_config.load import load
from gatepost_config.settings import NOTHING
from gatepost_services.credentials import signed_pass, signing, steps
from gatepost_services.credentials.claims import DatedCode, Direction, SignedPass
from gatepost_services.credentials.cose import Sign1
from gatepost_services.credentials.errors import CredentialError
from gatepost_services.credentials.keys import KeysById, TrustedKey, Use, by_id


class Verdict(NamedTuple):
    """Whether a pass is good, None where nobody said whose keys count; and that in words."""

    is_good: bool | None
    text: str


class _Judge(NamedTuple):
    """Who would judge it: whose keys count, which passes do not, and for which gate."""

    keys: KeysById
    revoked: frozenset[bytes]
    secret: bytes | None
    site: str
    gate: str
    direction: Direction


def lines_of(claims: SignedPass, kid: bytes, shown: steps.Stepped | None) -> Iterator[str]:
    """Yield a line for each thing that a pass says."""
    yield f"pass {claims.id.hex()}, which says:"
    yield f"  holder      {claims.subject}, a {claims.category.replace('_', ' ')}"
    if claims.household is not None:
        yield f"  household   {claims.household}"
    gates = ", ".join(claims.gates) or "every gate"
    yield f"  where       {gates} of site {claims.site}; {claims.direction or 'entry and exit'}"
    yield f"  from        {claims.not_before_utc or claims.issued_utc}"
    yield f"  until       {claims.expires_utc or 'its key ends'}"
    yield f"  uses        {_uses(claims.uses)}"
    if claims.escort:
        who = "somebody who may" if claims.escort is True else claims.escort
        yield f"  escort      {who} must bring the holder in"
    yield from _facts(claims)
    if claims.step_s is not None:
        step = f"; this is step {shown.step}" if shown else "; shown without its step"
        yield f"  steps       a shown code counts for {claims.step_s} s{step}"
    yield f"  issued      {claims.issued_utc} by {claims.issuer or 'nobody that it names'}"
    yield f"  signed      with the key {kid.hex() or 'that it does not name'}, by its own word"


def verdict_of(
    args: argparse.Namespace, message: Sign1, shown: steps.Stepped | None, claims: SignedPass
) -> Verdict:
    """Return whether the gate that the arguments describe would take the pass now."""
    judge = _judge(args, claims)
    if judge is None:
        return Verdict(
            is_good=None, text="not verified: name --public, --trust with --root, or --config"
        )
    now = args.at or datetime.now(UTC)
    try:
        signed_pass.authentic(message, judge.keys, now)
        if shown is not None:
            steps.check(shown, claims, judge.secret, now)
        signed_pass.check(
            claims,
            now_utc=now,
            gate=judge.gate,
            site=judge.site,
            direction=judge.direction,
            revoked=judge.revoked,
        )
    except CredentialError as error:
        return Verdict(is_good=False, text=f"REFUSED: {error}")
    if claims.step_s is not None and shown is None:
        return Verdict(
            is_good=True, text="good, shown with its step (`gatepost pass step`); never as it is"
        )
    counted = "" if claims.uses is None else ", if its uses are left: only the gate knows"
    where = f"{judge.direction} at {judge.gate or 'any gate'}"
    return Verdict(is_good=True, text=f"good for {where}{counted}")


def _uses(uses: int | None) -> str:
    if uses is None:
        return "not counted"
    return f"{uses}, one way once each; every gate counts by itself"


def _facts(claims: SignedPass) -> Iterator[str]:
    codes: Sequence[tuple[str, DatedCode | None]] = (
        ("health code", claims.health_code),
        ("trip card", claims.trip_card),
    )
    for name, code in codes:
        if code is not None:
            yield f"  {name:<11} {code.code}, as of {code.as_of_utc}"
    if claims.test is not None:
        yield f"  test        {claims.test.kind}, taken {claims.test.taken_utc}"
    if claims.registered is not None:
        yield f"  registered  {'yes' if claims.registered else 'no'}"
    if claims.risk_area_utc is not None:
        yield f"  risk area   last there {claims.risk_area_utc}"


def _judge(args: argparse.Namespace, claims: SignedPass) -> _Judge | None:
    site, gate = args.site or claims.site, args.gate or next(iter(claims.gates), "")
    direction: Direction = args.direction or claims.direction or "entry"
    secret = signing.read_secret(args.step_secret) if args.step_secret else None
    if args.config:
        settings = load(args.config)
        site, gate = args.site or settings.gate.site, args.gate or settings.gate.name
        if secret is None and settings.passes.step_secret != NOTHING:
            secret = signing.read_secret(settings.passes.step_secret)
        held = read_list(settings.paths.trust_list, settings.passes.root_key, site)
    elif args.trust:
        held = read_list(args.trust, args.root or "", site)
    elif args.public:
        keys = by_id(_always(args.public))
        return _Judge(keys, frozenset(), secret, site, gate, direction)
    else:
        return None
    return _Judge(held.believed(), held.revoked_passes, secret, site, gate, direction)


def _always(public: str) -> Iterator[TrustedKey]:
    """Yield a key for passes that counts at all times, by its own kid."""
    try:
        key = signing.key_of_hex(public)
    except ValueError:
        fail(f"--public {public}: must be the 64 hexadecimal digits of `pass keygen`", status=2)
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    yield TrustedKey(signing.kid_of(key), key, frozenset({Use.PASS}), first, last)
