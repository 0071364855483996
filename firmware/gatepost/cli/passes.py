"""`gatepost pass`: make keys, issue signed passes, and say what a code holds.

For servers, tests and technicians. Private keys and secrets stay in their files: none is printed.
"""

import argparse
import json
import secrets
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gatepost.cli.main import fail
from gatepost.cli.pass_text import lines_of, verdict_of
from gatepost_services.credentials import claims as pass_claims
from gatepost_services.credentials import signed_pass, signing, steps
from gatepost_services.credentials.claims import SignedPass
from gatepost_services.credentials.errors import CredentialError

_STDIN = "-"
# Options of `issue` that are a claim of the same name.
_CLAIMS = (
    ("subject", str, "whose it is: an opaque id, no name"),
    ("site", str, "the site, as in the settings of its gates"),
    ("category", str, "resident, visitor, courier, ...: a word of the regimes"),
    ("household", str, "an opaque id, where outings are counted"),
    ("issuer", str, "who issues it"),
    ("uses", int, "how often it lets somebody through"),
    ("step-s", int, "seconds a shown code counts, against photographs"),
)
_LEVEL = "q"  # restores a quarter of the picture (ISO/IEC 18004, 7.5)
_MODULE_PX = 6
_PICTURES = (".svg", ".png")
_MOST_HOURS = 87_600  # ten years
_MOST_KID = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    what = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    keygen = what.add_parser("keygen", help="make a key in a new file, and print its public part")
    keygen.add_argument("file", type=Path, metavar="FILE", help="gets the secret part")
    keygen.add_argument(
        "--step", action="store_true", help="the site's secret for passes with steps instead"
    )
    _add_issue(what.add_parser("issue", help="sign a pass, and print its code"))
    step = what.add_parser("step", help="what the phone shows now, of a pass with steps")
    step.add_argument("text", metavar="CODE", help='a code of `pass issue`; "-" is the input')
    step.add_argument(
        "--step-secret",
        type=Path,
        required=True,
        metavar="FILE",
        help="the site's secret for steps",
    )
    step.add_argument("--at", type=_instant, metavar="TIME", help="at another time than now")
    _add_inspect(what.add_parser("inspect", help="say what a code holds, and whether it is good"))


def run(args: argparse.Namespace) -> int:
    """Do it; status 1 if a code is not good."""
    try:
        match args.what:
            case "keygen":
                return _keygen(args.file, is_step=args.step)
            case "issue":
                return _issue(args)
            case "step":
                return _step(args)
            case _:
                return _inspect(args)
    except signing.KeyFileError as error:
        fail(str(error))


def _add_issue(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help="the secret key, from pass keygen"
    )
    parser.add_argument("--kid", type=_kid, metavar="HEX", help="if not the key's own")
    parser.add_argument("--claims", metavar="FILE", help='a JSON object of claims; "-": the input')
    for name, kind, help_text in _CLAIMS:
        parser.add_argument(f"--{name}", type=kind, help=help_text)
    parser.add_argument("--gate", dest="gates", action="append", help="where (may be repeated)")
    parser.add_argument("--direction", choices=["entry", "exit"], help="which way; else both")
    parser.add_argument("--not-before", dest="not_before_utc", metavar="TIME", help="RFC 3339")
    end = parser.add_mutually_exclusive_group()
    end.add_argument("--expires", dest="expires_utc", metavar="TIME", help="RFC 3339")
    end.add_argument("--hours", type=_hours, help="it ends so long after now")
    parser.add_argument(
        "--escort",
        nargs="?",
        const=True,
        metavar="SUBJECT",
        help="somebody has to bring the holder in: anybody who may, or this one",
    )
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw it as .svg or .png")
    parser.add_argument("--json", action="store_true", help="claims and code as one line of JSON")


def _add_inspect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", metavar="CODE", help='what a scanner reads; "-" is the input')
    parser.add_argument("--config", type=Path, metavar="FILE", help="judge it as this gate would")
    parser.add_argument("--public", metavar="HEX", help="or believe this public key")
    parser.add_argument("--trust", type=Path, metavar="FILE", help="or a trust list, with --root")
    parser.add_argument("--root", metavar="HEX", help="the public key that signs the trust list")
    parser.add_argument("--step-secret", type=Path, metavar="FILE", help="to judge a step")
    parser.add_argument("--site", help="as a gate of this site (the pass's own)")
    parser.add_argument("--gate", help="as this gate (the pass's first)")
    parser.add_argument("--direction", choices=["entry", "exit"], help="this way (the pass's)")
    parser.add_argument("--at", type=_instant, metavar="TIME", help="at another time than now")
    parser.add_argument("--json", action="store_true", help="one line of JSON")


# ----------------------------------------------------------------------------------- keygen, issue


def _keygen(path: Path, *, is_step: bool) -> int:
    if is_step:
        signing.write_secret(path, secrets.token_bytes(signing.SECRET_BYTES))
        print(f"secret: in {path}; copy it to the gates of this site, readable for their user only")
        return 0
    key = signing.new_key()
    signing.write_key(path, key)
    print(f"kid:    {signing.kid_of(key.public_key()).hex()}")
    print(f"public: {signing.hex_of(key.public_key())}")
    return 0


def _issue(args: argparse.Namespace) -> int:
    key = signing.read_key(args.key)
    if args.picture is not None and args.picture.suffix not in _PICTURES:
        fail(f"{args.picture}: must end with {' or '.join(_PICTURES)}", status=2)
    try:
        claims = pass_claims.of_document(_document(args))
        text = signed_pass.issue(claims, key, args.kid)
    except ValueError as error:
        fail(f"no pass: {error}", status=2)
    if (claims.uses or claims.step_s) and len(claims.gates) != 1:
        print(
            "gatepost: each gate counts by itself; name one with --gate for a pass that must not "
            "work at a second one",
            file=sys.stderr,
        )
    if args.picture is not None:
        _draw(text, args.picture)
    document = {"claims": pass_claims.to_document(claims), "text": text}
    print(json.dumps(document, ensure_ascii=False) if args.json else text)
    return 0


def _document(args: argparse.Namespace) -> dict[str, Any]:
    """Return the claims as they were given, options before the file, with what is always said."""
    now = datetime.now(UTC)
    given = _given(args.claims) if args.claims else {}
    names = [name.replace("-", "_") for name, _, _ in _CLAIMS]
    for name in (*names, "gates", "direction", "not_before_utc", "expires_utc", "escort"):
        if getattr(args, name) is not None:
            given[name] = getattr(args, name)
    if args.hours is not None:
        given["expires_utc"] = _text_of(now + timedelta(hours=args.hours))
    given.setdefault("id", secrets.token_hex(pass_claims.ID_BYTES))
    given.setdefault("issued_utc", _text_of(now))
    return given


def _given(name: str) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if name == _STDIN else Path(name).read_text(encoding="utf-8")
        document = json.loads(text)
    except OSError as error:
        fail(f"{name}: cannot be read: {error.strerror}")
    except ValueError as error:  # also no UTF-8
        fail(f"{name}: not JSON: {error}", status=2)
    if not isinstance(document, dict):
        fail(f"{name}: must be a JSON object of claims", status=2)
    return document


def _draw(text: str, path: Path) -> None:
    try:
        import segno  # noqa: PLC0415 no gate has it
    except ImportError:
        fail("a picture needs segno: pip install 'gatepost[tools]'")
    picture = segno.make(text, error=_LEVEL, mode="alphanumeric", boost_error=False, micro=False)
    try:
        picture.save(str(path), scale=_MODULE_PX)
    except OSError as error:
        fail(f"{path}: cannot be written: {error.strerror}")


# ---------------------------------------------------------------------------------- step, inspect


def _step(args: argparse.Namespace) -> int:
    secret = signing.read_secret(args.step_secret)
    try:
        claims = _read_claims(text := _code(args.text))
        if claims.step_s is None:
            fail("this pass has no steps; it is shown as it is")
        key = steps.pass_key(secret, claims.id)
        print(steps.show(text, key, steps.step_at(args.at or datetime.now(UTC), claims.step_s)))
    except CredentialError as error:
        fail(f"no pass: {error}")
    return 0


def _inspect(args: argparse.Namespace) -> int:
    text = _code(args.text)
    try:
        shown = steps.stepped_in(text) if text.startswith(steps.PREFIX) else None
        message = shown.message if shown else signed_pass.message_in(text)
        claims = pass_claims.of_cwt(message.payload)
    except CredentialError as error:
        fail(f"no pass: {error}")
    verdict = verdict_of(args, message, shown, claims)
    if args.json:
        document: dict[str, Any] = {
            "claims": pass_claims.to_document(claims),
            "kid": message.kid.hex(),
            "step": shown.step if shown else None,
            "verified": verdict.is_good,
            "why": verdict.text,
        }
        print(json.dumps(document, ensure_ascii=False))
    else:
        print("\n".join(lines_of(claims, message.kid, shown)))
        print(verdict.text)
    return 1 if verdict.is_good is False else 0


def _read_claims(text: str) -> SignedPass:
    return pass_claims.of_cwt(signed_pass.message_in(text).payload)


def _code(text: str) -> str:
    return (sys.stdin.readline() if text == _STDIN else text).strip("\r\n")


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time; write it as 2026-11-23T18:00:00+08:00"
        ) from None
    if instant.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no time zone; write ...Z or ...+08:00")
    return instant


def _hours(text: str) -> float:
    with suppress(ValueError):
        if 0 < float(text) <= _MOST_HOURS:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of hours up to {_MOST_HOURS}")


def _kid(text: str) -> bytes:
    with suppress(ValueError):
        if 0 < len(kid := bytes.fromhex(text)) <= _MOST_KID:
            return kid
    raise argparse.ArgumentTypeError(f"{text!r} is not 1 to {_MOST_KID} bytes in hexadecimal")


def _text_of(instant: datetime) -> str:
    return instant.replace(microsecond=0).isoformat()
