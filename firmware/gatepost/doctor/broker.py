"""The way to the central server, step by step: name, port, TLS, identity.

With a name of its own: the link's connection, if it stands, goes on.
"""

import select
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import closing

from gatepost.doctor.model import Finding, Fine, Skipped, Wrong
from gatepost.doctor.site import Site
from gatepost.wiring.link import session_maker
from gatepost.wiring.security import Security
from gatepost.wiring.trusted_clock import trusted_now
from gatepost_services.uplink.line import SessionError
from gatepost_services.uplink.session import MqttSession
from gatepost_services.uplink.tls import TlsError, client_context, explain

_CONNECT_S = 5.0
_ANSWER_S = 10.0
_LOOK_S = 0.2
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


def _where(site: Site) -> tuple[str, int]:
    return site.settings.link.broker_host, site.settings.link.broker_port


def name(site: Site) -> Finding:
    """Look the broker's name up."""
    host, port = _where(site)
    try:
        site.resolve(host, port)
    except OSError as error:
        return Wrong("unknown", {"host": host, "why": error.strerror or error})
    return Fine(host)


def port(site: Site) -> Finding:
    """Open a TCP connection and close it."""
    host, number = _where(site)
    try:
        socket.create_connection((host, number), _CONNECT_S).close()
    except ConnectionRefusedError:
        return Wrong("refused", {"host": host, "port": number})
    except OSError as error:
        return Wrong("silent", {"host": host, "port": number, "why": error.strerror or "timed out"})
    return Fine(f"{host}:{number}")


def tls(site: Site) -> Finding:
    """Shake hands: is it this site's broker?"""
    if site.settings.link.transport == "plain":
        is_here = site.settings.link.broker_host in _THIS_MACHINE
        return Fine("none: the broker is on this machine") if is_here else Wrong("plain")
    host, number = _where(site)
    try:
        context = client_context(site.settings.tls, trusted_now(site.clock))
    except TlsError as error:
        return Skipped(str(error))
    try:
        with (
            socket.create_connection((host, number), _CONNECT_S) as line,
            context.wrap_socket(line, server_hostname=host) as secured,
        ):
            return Fine(
                "{version}, and a certificate of {ca}",
                {"version": secured.version(), "ca": site.settings.tls.ca},
            )
    except ssl.SSLCertVerificationError as error:
        return Wrong("stranger", {"why": explain(error)})
    except OSError as error:
        return Wrong("failed", {"why": explain(error)})


def identity(site: Site) -> Finding:
    """Connect as this gate, under another client name than the link's."""
    try:
        with closing(open_session(site)) as session:
            wait_until(session, lambda: session.connected)
    except SessionError as error:
        return Wrong("refused", {"why": str(error).partition(": ")[2] or error})
    return Fine("the broker lets this gate in")


def open_session(site: Site) -> MqttSession:
    """Return a session of this gate, under another client name than the link's.

    Raises:
        SessionError: it cannot be made.
    """
    session = session_maker(site.settings, Security(site.settings), purpose="doctor")()
    try:
        session.connect()
    except SessionError:
        session.close()
        raise
    return session


def wait_until(session: MqttSession, is_done: Callable[[], bool]) -> None:
    """Drive a session until something is so.

    Raises:
        SessionError: the connection is lost or was refused, or it is not so after 10 s.
    """
    until_s = time.monotonic() + _ANSWER_S
    while not is_done():
        if time.monotonic() > until_s:
            raise SessionError("broker: no answer in time; see its log")
        readable, _, _ = select.select([session], [], [], 0 if session.has_unread else _LOOK_S)
        if readable or session.has_unread:
            session.on_readable()
        session.tick()
