"""Which broker a command talks to, and how: named on its line, or that of a gate's settings."""

import argparse
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from gatepost.cli.main import fail
from gatepost.cli.process import add_config_argument
from gatepost_config.load import load
from gatepost_config.settings import Settings
from gatepost_services.hub.messages import Broker

_PLAIN_PORT, _TLS_PORT = 1883, 8883
_MOST_PORT = 65_535


class _TlsPaths(NamedTuple):
    ca: Path
    certificate: Path
    key: Path
    revoked: Path = Path("/dev/null")


def add_broker_arguments(parser: argparse.ArgumentParser, *, key_name: str = "--cert-key") -> None:
    """Add --config, --host, --port, --plain, --ca, --cert and the option for the key of --cert."""
    add_config_argument(parser)
    parser.add_argument("--host", metavar="NAME", help="the broker; default: that of --config")
    parser.add_argument(
        "--port", type=_port, metavar="N", help="its port; default: 8883, or 1883 with --plain"
    )
    parser.add_argument("--plain", action="store_true", help="without TLS: for tests")
    files = {
        "--ca": "who vouches for the broker",
        "--cert": "the certificate of the server's role (gatepost pki)",
        key_name: "its key",
    }
    for name, help_text in files.items():
        dest = "cert_key" if name == key_name else name[2:]
        parser.add_argument(name, dest=dest, type=Path, metavar="FILE", help=help_text)


def broker_of(args: argparse.Namespace, *, gate_may: bool = False) -> Broker:
    """Return the broker that is named, or that of the settings.

    `gate_may`: whether the gate's own certificate will do, where no other is named.

    Raises:
        ConfigError: the settings cannot be read.
    """
    if args.plain and any((args.ca, args.cert, args.cert_key)):
        fail("--plain goes without certificates", status=2)
    if args.host:
        port = args.port or (_PLAIN_PORT if args.plain else _TLS_PORT)
        return Broker(args.host, port, tls=None if args.plain else _tls(args, None, gate_may))
    settings = load(args.config)
    link = settings.link
    is_plain = args.plain or link.transport == "plain"
    tls = None if is_plain else _tls(args, settings, gate_may)
    return Broker(link.broker_host, args.port or link.broker_port, link.mqtt_version, tls)


def _tls(
    args: argparse.Namespace, settings: Settings | None, gate_may: bool
) -> Callable[[], ssl.SSLContext]:
    """Return what makes the context of each connection: certificates may be renewed meanwhile."""
    # Imported here: with --plain there is no use for it.
    from gatepost_services.uplink.tls import client_context  # noqa: PLC0415

    if gate_may and settings is not None and not (args.ca or args.cert or args.cert_key):
        own = settings.tls
        return lambda: client_context(own, datetime.now(UTC))
    ca = args.ca or (settings.tls.ca if settings else None)
    if not (args.cert and args.cert_key and ca):
        fail(
            "TLS needs the certificate of a server's role (--cert) and its key, and --ca where no "
            "--config has it" + ("" if gate_may else "; a gate's own certificate does not do"),
            status=2,
        )
    paths = _TlsPaths(ca, args.cert, args.cert_key)
    return lambda: client_context(paths, datetime.now(UTC))


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_PORT:
        raise argparse.ArgumentTypeError(f"{text}: must be from 1 to {_MOST_PORT}")
    return int(text)
