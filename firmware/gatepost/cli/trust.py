"""`gatepost trust`: issue a trust list, install one on this gate, show what it says.

Exit status: 0 done; 1 refused, or cannot be read or written; 2 wrong usage.
"""

import argparse
import base64
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from gatepost.cli.main import fail
from gatepost.cli.process import add_config_argument
from gatepost_config.load import load
from gatepost_config.settings import Settings
from gatepost_services.credentials import signing, trust
from gatepost_services.credentials.keys import (
    HCERT_USES,
    KeyUnusableError,
    TrustedKey,
    Use,
    public_key,
)
from gatepost_services.state_file import StateFileError, read_state, write_state

_Hex = Annotated[str, Meta(pattern=r"^([0-9a-f]{2})+\Z")]
_Instant = Annotated[datetime, Meta(tz=True)]
_HOUR = timedelta(hours=1)
_Word = Literal[
    "pass",
    "hcert",
    "test",
    "vaccination",
    "recovery",
    "operator",
    "administrator",
    "auditor",
]


class _Key(Struct, frozen=True, forbid_unknown_fields=True):
    """A key in the file that a list is made from: by `public` (Ed25519) or by `spki` (base64)."""

    use: list[_Word]
    not_before: _Instant
    not_after: _Instant
    public: _Hex | None = None
    spki: bytes | None = None
    kid: _Hex | None = None


class _List(Struct, frozen=True, forbid_unknown_fields=True):
    """The file that a list is made from."""

    site: str
    version: Annotated[int, Meta(ge=1)]
    keys: list[_Key]
    issued: _Instant | None = None
    revoked_keys: list[_Hex] = []
    revoked_passes: list[_Hex] = []


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    what = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    issue = what.add_parser("issue", help="sign a list that is described in JSON")
    issue.add_argument(
        "description", type=Path, metavar="LIST.json", help="what the list is to say"
    )
    issue.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help="the root's secret key"
    )
    issue.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="gets the signed list"
    )
    install = what.add_parser("install", help="check a list, and put it in force on this gate")
    install.add_argument("file", type=Path, metavar="FILE", help="a signed list")
    add_config_argument(install)
    show = what.add_parser("show", help="what this gate's list says, or another one")
    show.add_argument(
        "file", type=Path, nargs="?", metavar="FILE", help="another list; else this gate's"
    )
    show.add_argument("--json", action="store_true", help="one line of JSON")
    add_config_argument(show)


def run(args: argparse.Namespace) -> int:
    """Do it."""
    match args.what:
        case "issue":
            return _issue(args.description, args.key, args.out)
        case "install":
            return _install(args.file, load(args.config))
        case _:
            return _show(args.file, load(args.config), as_json=args.json)


def read_list(path: Path, roots: str, site: str) -> trust.TrustList:
    """Return the trust list in a file; end the command when it is none that counts.

    `roots`: as in `[passes] root_key`.
    """
    if not roots:
        fail(f"{path}: whose list counts is not said; set [passes] root_key", status=2)
    try:
        return trust.read(_content(path), roots=_keys_of(roots), site=site)
    except trust.TrustError as error:
        fail(f"{path}: {error}")


def _content(path: Path) -> bytes:
    try:
        data = read_state(path)
    except StateFileError as error:
        fail(str(error))
    if data is None:
        fail(f"{path}: there is no such file")
    return data


def _keys_of(roots: str) -> list[signing.PublicEd25519Key]:
    try:
        return [signing.key_of_hex(each) for each in roots.split()]
    except ValueError:
        fail(f"{roots}: no root key; it has 64 hexadecimal digits", status=2)


# ------------------------------------------------------------------------------------------ issue


def _issue(description: Path, key: Path, out: Path) -> int:
    try:
        root = signing.read_key(key)
        given = msgspec.json.decode(_content(description), type=_List)
        data = trust.issue(_made(given), root)
        write_state(out, data)
    except (signing.KeyFileError, StateFileError) as error:
        fail(str(error))
    except (ValueError, KeyUnusableError) as error:  # msgspec's and the list's own are such
        fail(f"{description}: {error}", status=2)
    print(f"{out}: version {given.version} for site {given.site}, {len(given.keys)} keys")
    return 0


def _made(given: _List) -> trust.TrustList:
    return trust.TrustList(
        site=given.site,
        version=given.version,
        issued_utc=given.issued or datetime.now(UTC),
        keys=tuple(_key(number, each) for number, each in enumerate(given.keys, start=1)),
        revoked_keys=frozenset(map(bytes.fromhex, given.revoked_keys)),
        revoked_passes=frozenset(map(bytes.fromhex, given.revoked_passes)),
    )


def _key(number: int, given: _Key) -> TrustedKey:
    if (given.public is None) == (given.spki is None):
        raise ValueError(f"key {number}: must have one of public (hexadecimal) and spki (base64)")
    if given.not_after < given.not_before:
        raise ValueError(f"key {number}: not_after is before not_before")
    try:
        key = public_key(given.spki) if given.spki else signing.key_of_hex(given.public or "")
    except ValueError as error:
        raise ValueError(f"key {number}: {error}") from error
    kid = bytes.fromhex(given.kid) if given.kid else signing.kid_of(key)
    uses = frozenset[Use]().union(
        *(HCERT_USES if word == "hcert" else {Use(word)} for word in given.use)
    )
    return TrustedKey(kid, key, uses, given.not_before, given.not_after)


# ---------------------------------------------------------------------------------- install, show


def _install(path: Path, settings: Settings) -> int:
    if not settings.passes.root_key:
        fail("whose list counts is not said; set [passes] root_key in the settings", status=2)
    target = settings.paths.trust_list
    holding = trust.TrustFile(target, _keys_of(settings.passes.root_key), settings.gate.site)
    before = holding.held
    try:
        taken = holding.install(_content(path))
    except trust.TrustError as error:
        fail(f"{path}: {error}")
    except StateFileError as error:
        fail(str(error))
    was = f"after version {before.version}" if before else "the first one"
    print(f"{target}: version {taken.version} is in force, {was}")
    return 0


def _show(path: Path | None, settings: Settings, *, as_json: bool) -> int:
    shown = path or settings.paths.trust_list
    held = read_list(shown, settings.passes.root_key, settings.gate.site)
    hours = settings.passes.max_list_age_hours
    age = trust.freshness(held, datetime.now(UTC), timedelta(hours=hours) if hours else None)
    document = _document(held, age)
    print(json.dumps(document) if as_json else "\n".join(_lines(document)))
    return 0


def _document(held: trust.TrustList, age: trust.Freshness) -> dict[str, Any]:
    return {
        "site": held.site,
        "version": held.version,
        "issued": held.issued_utc.isoformat(),
        "age_hours": round(age.age / _HOUR, 1) if age.age is not None else None,
        "stale": age.is_stale,
        "digest": held.digest.hex(),
        "keys": [
            {
                "kid": key.kid.hex(),
                "use": sorted(key.uses),
                "not_before": key.not_before_utc.isoformat(),
                "not_after": key.not_after_utc.isoformat(),
                "revoked": key.kid in held.revoked_keys,
                "spki": base64.b64encode(signing.spki(key.key)).decode("ascii"),
            }
            for key in held.keys
        ],
        "revoked_passes": sorted(each.hex() for each in held.revoked_passes),
    }


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    stale = ": STALE" if document["stale"] else ""
    yield f"trust list of site {document['site']}, version {document['version']}"
    yield f"  issued {document['issued']}, {document['age_hours']} hours ago{stale}"
    yield f"  digest {document['digest']}"
    for key in document["keys"]:
        uses = ", ".join(key["use"]) or "nothing that is known here"
        times = f"{key['not_before']} to {key['not_after']}"
        revoked = "; REVOKED" if key["revoked"] else ""
        yield f"  key {key['kid']} for {uses}, {times}{revoked}"
    yield f"  revoked passes: {len(document['revoked_passes'])}"
