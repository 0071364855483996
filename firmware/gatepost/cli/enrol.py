"""`gatepost enrol`: this gate gets its certificate, or the next one.

The key is made here and never leaves this gate. The running link takes new files by itself.

Exit status: 0 done, or not due; 1 refused, or no server there: what the gate has stays in force;
2 wrong usage or configuration.
"""

import argparse
import getpass
import sys
from pathlib import Path

from gatepost.cli.main import fail
from gatepost.cli.process import add_config_argument
from gatepost.cli.words import mark, say
from gatepost.wiring.last_good import settings_in_force
from gatepost_config.load import load
from gatepost_config.settings import NOTHING, Settings
from gatepost_services.pki import est_client
from gatepost_services.pki.authority import utc_now
from gatepost_services.pki.errors import PkiError
from gatepost_services.pki.files import make_folder
from gatepost_services.pki.identity import AUTHORITY, CERTIFICATE, KEY, REVOKED, Identity
from gatepost_services.pki.tokens import Token
from gatepost_services.uplink.tls import TlsError, certificate_state

_MOST_TOKEN_CHARACTERS = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "token",
        nargs="?",
        metavar="TOKEN",
        help='from "gatepost pki token" or the site\'s staff; "-" asks for it, or reads it from a'
        " pipe, so that it stays out of the shell's history",
    )
    parser.add_argument(
        "--url", metavar="URL", help="of the server, https://HOST:PORT; --renew knows it"
    )
    parser.add_argument(
        "--renew",
        action="store_true",
        help="get the next certificate when less than a third of this one's time is left, and the"
        " newest list of what is revoked; systemd does it every day",
    )
    parser.add_argument("--force", action="store_true", help="with --renew: now, due or not")
    add_config_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Do it."""
    if args.renew == (args.token is not None):
        fail(say("say a TOKEN, or --renew; gatepost enrol --help"), status=2)
    if args.token is not None and args.url is None:
        fail(say("where to enrol is not said: --url https://HOST:PORT"), status=2)
    # What the link runs with: the certificate must not end because somebody broke the file.
    settings = settings_in_force(args.config).settings if args.renew else load(args.config)
    identity = Identity(_folder(settings))
    try:
        if args.renew:
            return _renew(settings, identity, url=args.url, is_forced=args.force)
        return _enrol(settings, identity, args.token, args.url)
    except (PkiError, TlsError) as error:
        fail(str(error))


def _folder(settings: Settings) -> Path:
    """Return where the three files are; end the command when they are not in one folder."""
    tls = settings.tls
    folder = tls.certificate.parent
    for key, path, name in (
        ("ca", tls.ca, AUTHORITY),
        ("certificate", tls.certificate, CERTIFICATE),
        ("key", tls.key, KEY),
    ):
        if path != folder / name:
            told = say(
                "{key} = {path!r}: this command writes {right}; set it so, or put the files there "
                "by hand",
                key=f"[tls] {key}",
                path=str(path),
                right=folder / name,
            )
            fail(told, status=2)
    return folder


def _enrol(settings: Settings, identity: Identity, word: str, url: str) -> int:
    token = Token.parse(_asked_for() if word == "-" else word)
    make_folder(identity.folder)
    est_client.enrol(url, token, settings.gate.site, settings.gate.name, identity)
    _tell(settings, identity, say("enrolled"))
    return 0


def _asked_for() -> str:
    if sys.stdin.isatty():
        return getpass.getpass(say("token: "))
    return sys.stdin.readline(_MOST_TOKEN_CHARACTERS)


def _renew(settings: Settings, identity: Identity, *, url: str | None, is_forced: bool) -> int:
    is_due = is_forced or certificate_state(identity.certificate).needs_renewal(utc_now())
    made = est_client.renew(
        settings.gate.site, settings.gate.name, identity, url=url, is_due=is_due
    )
    _tell(settings, identity, say("not due yet") if made is None else say("renewed"))
    return 0


def _tell(settings: Settings, identity: Identity, what: str) -> None:
    state = certificate_state(identity.certificate)
    told = say(
        "{gate}: {what}; the certificate counts until {until} UTC, {days} days",
        gate=f"{settings.gate.site}/{settings.gate.name}",
        what=what,
        until=f"{state.expires_utc:%Y-%m-%d %H:%M}",
        days=f"{state.days_left(utc_now()):.0f}",
    )
    print(told)
    revoked = identity.folder / REVOKED
    if settings.tls.revoked == NOTHING and revoked.exists():
        told = mark('To refuse a broker whose key was stolen, set [tls] revoked = "{path}"')
        print(say(told, path=revoked))
