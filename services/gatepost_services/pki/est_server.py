"""A small EST server (RFC 7030) over TLS 1.3: gates get their first certificate, and the next.

For one site and a technician's computer or a small server. What a stranger can use up is bounded:
connections at once, time and bytes of each.
"""

import logging
import ssl
import sys
import threading
import time
from contextlib import suppress
from datetime import timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_RDWR, socket

from cryptography import x509

from gatepost_services.pki import profiles
from gatepost_services.pki.authority import Authority, Issued, read_certificate
from gatepost_services.pki.errors import PkiFileError
from gatepost_services.pki.est_handler import EstHandler
from gatepost_services.pki.files import write_file

_LOGGER = logging.getLogger(__name__)
DEFAULT_PORT = 8085
_MOST_CONNECTIONS = 16
_DEADLINE_S = 20.0
# The server's own certificate is made anew at a start when less of its life is left.
_RENEWED_AT = timedelta(days=240)


class EstServer(ThreadingHTTPServer):
    """The server at `host`:`port` (0: a free one, see `server_port`); it has its own certificate.

    Args:
        authority: whose certificates are given out.
        hosts: names and addresses by which gates reach it, for its certificate.
        host: where it listens.
        port: likewise.
        deadline_s: how long one connection may take.

    Raises:
        OSError: nobody may listen there.
        PkiNameError: a host is neither a name nor an address.
        PkiFileError: its certificate cannot be written.
    """

    daemon_threads = True
    request_queue_size = _MOST_CONNECTIONS

    def __init__(
        self,
        authority: Authority,
        hosts: list[str],
        *,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        deadline_s: float = _DEADLINE_S,
    ) -> None:
        self.authority = authority
        self.renewals = Renewals()
        self._deadline_s = deadline_s
        self._context = _context(authority, _own_pair(authority, hosts))
        self._places = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        super().__init__((host, port), EstHandler)

    def process_request(
        self, request: "socket | tuple[bytes, socket]", client_address: object
    ) -> None:
        """Serve a connection in a thread of its own, unless there are too many."""
        if not self._places.acquire(blocking=False):
            _LOGGER.warning("too many connections; one is turned away")
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(
        self, request: "socket | tuple[bytes, socket]", client_address: object
    ) -> None:
        """Serve it, and give its place free."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def finish_request(
        self, request: "socket | tuple[bytes, socket]", client_address: object
    ) -> None:
        """Shake hands, and answer one request, all within the deadline."""
        if not isinstance(request, socket):
            raise TypeError("a stream was expected")
        request.settimeout(self._deadline_s)
        line = self._context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        # A timeout of the socket starts anew with every byte.
        ending = threading.Timer(self._deadline_s, _hang_up, (line,))
        ending.daemon = True
        ending.start()
        try:
            line.do_handshake()
            EstHandler(line, client_address, self)
        finally:
            ending.cancel()
            ending.join()
            line.close()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Tell that a connection failed; a stranger's is no reason to end."""
        error = sys.exception()
        if isinstance(error, OSError):
            # Of TLS, too: who scans the port, who has ended, who was revoked.
            _LOGGER.info("%s: the connection failed: %s", client_address, error)
        else:
            _LOGGER.error("%s: the connection failed", client_address, exc_info=error)


class Renewals:
    """How often a gate has renewed of late: one that is taken over shall not fill the disk."""

    MOST = 5
    WITHIN_S = 3600.0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_s: dict[str, list[float]] = {}

    def may(self, name: str) -> bool:
        """Return whether this gate may have one more now, and note that it has."""
        now_s = time.monotonic()
        with self._lock:
            recent = [at for at in self._at_s.get(name, ()) if now_s - at < self.WITHIN_S]
            allowed = len(recent) < self.MOST
            self._at_s[name] = [*recent, now_s] if allowed else recent
        return allowed


def _hang_up(line: ssl.SSLSocket) -> None:
    with suppress(OSError):
        # Not the method of SSLSocket, which takes the TLS object away from the other thread.
        socket.shutdown(line, SHUT_RDWR)


def _context(authority: Authority, pair: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(pair)
    # A gate that renews shows its certificate; one with a token has none.
    context.load_verify_locations(cadata=authority.pem.decode("ascii"))
    context.verify_mode = ssl.CERT_OPTIONAL
    # Each connection is one request: no tickets that nobody comes back with.
    context.num_tickets = 0
    return context


def _own_pair(authority: Authority, hosts: list[str]) -> Path:
    """Return the file with the server's key and certificate: one, so that they always fit."""
    path = authority.folder / "est.pem"
    with suppress(PkiFileError):
        held = authority.by_serial(read_certificate(path).serial_number)
        if held is not None and _is_usable(held, authority, hosts):
            return path
    key = profiles.new_key()
    made = authority.issue_server(hosts, key.public_key())
    write_file(path, profiles.key_pem(key) + made.pem)
    return path


def _is_usable(held: Issued, authority: Authority, hosts: list[str]) -> bool:
    names = held.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    _, wanted = profiles.server_subject(hosts)
    remaining = held.expires_utc - authority.now_utc()
    return held.revoked_utc is None and names == wanted and remaining > _RENEWED_AT
