"""One request to the EST server, and its answer."""

import base64
import binascii
import logging
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, TypeAlias, cast

from cryptography import x509

from gatepost_services.pki import est_messages as est
from gatepost_services.pki.authority import Issued
from gatepost_services.pki.errors import (
    PkiFileError,
    PkiNameError,
    PkiRequestError,
    TokenError,
)
from gatepost_services.pki.profiles import Kind
from gatepost_services.pki.requests import MOST_REQUEST_BYTES, read_request
from gatepost_services.pki.tokens import redeem

if TYPE_CHECKING:
    import ssl

    from gatepost_services.pki.est_server import EstServer

_LOGGER = logging.getLogger(__name__)
# Base64 with its line ends.
_MOST_BODY_BYTES = MOST_REQUEST_BYTES * 3 // 2
# More than this is not even read to be thrown away; the answer may be lost with it.
_MOST_UNREAD_BYTES = 65_536
_MOST_DIGITS = 9
_Ask: TypeAlias = Callable[[], tuple[str, bytes]]
_PEM_TYPE = "application/x-pem-file"


class _RefusedError(Exception):
    """The request is answered with this status and text."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


class EstHandler(BaseHTTPRequestHandler):
    """Answers one request, and closes the connection."""

    server_version = "gatepost"
    sys_version = ""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Give out what everybody may have: the authority's certificate, what is revoked."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Give a gate its certificate."""
        self._answer(self._post)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log what the library has to say, without the path a stranger chose."""
        _LOGGER.debug("%s: %s", self.client_address[0], format % args)

    # ------------------------------------------------------------------------------ what is asked

    @property
    def _owner(self) -> "EstServer":
        return cast("EstServer", self.server)

    def _get(self) -> tuple[str, bytes]:
        authority = self._owner.authority
        match self._what():
            case est.CA_CERTIFICATES:
                return est.CERTIFICATES_TYPE, est.encoded_certificates([authority.certificate])
            case est.REVOKED:
                return _PEM_TYPE, authority.crl_pem
            case _:
                raise _RefusedError(HTTPStatus.NOT_FOUND, "there is no such thing here")

    def _post(self) -> tuple[str, bytes]:
        # Before anything is refused: what lies unread at the end takes the answer with it.
        body = self._body()
        match self._what():
            case est.ENROL:
                made = self._enrolled(body)
            case est.RENEW:
                made = self._renewed(body)
            case _:
                raise _RefusedError(HTTPStatus.NOT_FOUND, "there is no such thing here")
        _LOGGER.info("%s: certificate %x for %s", self.client_address[0], made.serial, made.name)
        return est.CERTIFICATES_TYPE, est.encoded_certificates([made.certificate])

    def _enrolled(self, body: bytes) -> Issued:
        token_id, secret = self._credentials()
        try:
            return redeem(self._owner.authority, token_id, secret, self._request(body))
        except TokenError as error:
            _LOGGER.warning("%s: %s", self.client_address[0], error)
            raise _RefusedError(HTTPStatus.UNAUTHORIZED, error.public) from error

    def _renewed(self, body: bytes) -> Issued:
        authority, held = self._owner.authority, self._shown()
        site, _, gate = held.name.partition("/")
        key = read_request(self._request(body), site, gate)
        if not self._owner.renewals.may(held.name):
            raise _RefusedError(HTTPStatus.TOO_MANY_REQUESTS, "renewed too often; wait an hour")
        return authority.issue_gate(gate, key)

    def _shown(self) -> Issued:
        """Return the certificate that the gate has shown, looked up: that decides, not its text."""
        der = cast("ssl.SSLSocket", self.connection).getpeercert(binary_form=True)
        if der is None:
            raise _RefusedError(
                HTTPStatus.FORBIDDEN, "no certificate was shown; without one a token is needed"
            )
        shown = x509.load_der_x509_certificate(der)
        held = self._owner.authority.by_serial(shown.serial_number)
        if held is None or held.certificate != shown:
            raise _RefusedError(HTTPStatus.FORBIDDEN, "this certificate is not of this authority")
        if held.revoked_utc is not None:
            raise _RefusedError(HTTPStatus.FORBIDDEN, "this certificate is revoked")
        if held.kind is not Kind.GATE:
            raise _RefusedError(HTTPStatus.FORBIDDEN, "this certificate is not of a gate")
        return held

    # ------------------------------------------------------------------------------- what it holds

    def _what(self) -> str:
        base, _, last = self.path.rpartition("/")
        return last if base == est.BASE_PATH else ""

    def _credentials(self) -> tuple[str, str]:
        scheme, _, word = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            raise _RefusedError(HTTPStatus.UNAUTHORIZED, "a token is needed")
        try:
            user, _, secret = base64.b64decode(word.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise _RefusedError(HTTPStatus.UNAUTHORIZED, "a token is needed") from error
        return user, secret

    def _request(self, body: bytes) -> bytes:
        if self.headers.get_content_type() != est.REQUEST_TYPE:
            raise _RefusedError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Content-Type must be {est.REQUEST_TYPE}"
            )
        return est.decoded(body)

    def _body(self) -> bytes:
        text = self.headers.get("Content-Length", "")
        if not (text.isascii() and text.isdigit()):
            raise _RefusedError(HTTPStatus.LENGTH_REQUIRED, "Content-Length is needed")
        # So many digits that no number is made of them.
        length = int(text) if len(text) <= _MOST_DIGITS else _MOST_UNREAD_BYTES + 1
        if length > _MOST_BODY_BYTES:
            if length <= _MOST_UNREAD_BYTES:
                self.rfile.read(length)
            raise _RefusedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {_MOST_BODY_BYTES} bytes"
            )
        body = self.rfile.read(length)
        if len(body) < length:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "the body is cut off")
        return body

    # ---------------------------------------------------------------------------- what is answered

    def _answer(self, ask: _Ask) -> None:
        self.close_connection = True
        try:
            content_type, body = ask()
            self._send(HTTPStatus.OK, content_type, body)
        except _RefusedError as error:
            self._refuse(error.status, str(error))
        except (PkiRequestError, PkiNameError) as error:
            _LOGGER.warning("%s: %s", self.client_address[0], error)
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except PkiFileError as error:
            # What is wrong with our disk is nothing for a stranger.
            _LOGGER.error("%s", error)  # noqa: TRY400
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "the authority cannot answer; see its log")

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        self._send(status, "text/plain; charset=utf-8", text.encode() + b"\n")

    def _send(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if content_type == est.CERTIFICATES_TYPE:
            self.send_header("Content-Transfer-Encoding", "base64")
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="gatepost"')
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
