"""The gate's side of EST (RFC 7030): its first certificate for a token, and each next one.

The key is made here and never leaves. The secret of the token is told only to a server that the
authority named by the token's fingerprint vouches for.
"""

import base64
import http.client
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from gatepost_services.pki import est_messages as est
from gatepost_services.pki import profiles
from gatepost_services.pki.authority import fingerprint_of
from gatepost_services.pki.errors import (
    UNREADABLE,
    EnrolError,
    EnrolRefusedError,
    PkiRequestError,
)
from gatepost_services.pki.identity import (
    AUTHORITY,
    CERTIFICATE,
    KEY,
    REVOKED,
    SERVER,
    Identity,
)
from gatepost_services.pki.requests import make_request
from gatepost_services.pki.tokens import Token
from gatepost_services.uplink.tls import verdict

_TIMEOUT_S = 15.0
# A revocation list of some ten thousand.
_MOST_ANSWER_BYTES = 1_000_000
_MOST_TOLD_CHARACTERS = 300
_DEFAULT_PORT = 443
# RFC 7030, 4.2.3: the client's request or its credentials are the cause.
_FINAL = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
# Codes of OpenSSL's x509_vfy.h.
_WHY = {
    9: "is not valid yet: set this gate's clock (timedatectl)",
    10: "has ended: start gatepost pki serve anew; or this gate's clock is ahead (timedatectl)",
    62: "is for another name: start gatepost pki serve with --name as in the address, or use the"
    " name that it has",
    64: "is for another address: start gatepost pki serve with --name as in the address",
}


@dataclass(frozen=True, slots=True)
class Server:
    """Where an EST server is: host, port, and the path that its operations are under."""

    host: str
    port: int
    path: str = est.BASE_PATH

    @classmethod
    def of_url(cls, url: str) -> "Server":
        """Return the server of an address.

        Raises:
            EnrolError: it is none.
        """
        try:
            parts = urlsplit(url.strip())
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme != "https" or not parts.hostname or parts.query or parts.username:
            raise EnrolError(f"{url[:200]!r}: write the server as https://HOST:PORT")
        path = parts.path.rstrip("/") or est.BASE_PATH
        return cls(parts.hostname, _DEFAULT_PORT if port is None else port, path)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        path = "" if self.path == est.BASE_PATH else self.path
        return f"https://{host}:{self.port}{path}"


def enrol(url: str, token: Token, site: str, gate: str, identity: Identity) -> x509.Certificate:
    """Get a gate's first certificate, and put it in force.

    May be called again after whatever failure: it asks with the same key, for which the token
    stays good.

    Raises:
        EnrolRefusedError: the authority says no, and will.
        EnrolError: there is none to be had; the text says why and what to do.
        PkiNameError: no gate can be named so.
        PkiFileError: the folder cannot be read or written.
    """
    server = Server.of_url(url)
    authority = _pinned_authority(server, token)
    trusting = _context(authority)
    key = identity.pending_key()
    word = base64.b64encode(f"{token.id}:{token.secret}".encode()).decode()
    certificate = _asked(
        server,
        est.ENROL,
        trusting,
        make_request(site, gate, key),
        {"Authorization": f"Basic {word}"},
    )
    _check(certificate, authority, profiles.gate_name(site, gate), key.public_key())
    files = {
        AUTHORITY: _pem(authority),
        CERTIFICATE: _pem(certificate),
        KEY: profiles.key_pem(key),
        SERVER: str(server).encode(),
    }
    revoked = fetch_revoked(server, trusting, authority, None)
    identity.install(files | ({REVOKED: revoked} if revoked else {}))
    return certificate


def renew(
    site: str, gate: str, identity: Identity, *, url: str | None, is_due: bool
) -> x509.Certificate | None:
    """Get a gate's next certificate for the one that it has, and the newest list of revoked ones.

    Args:
        site: of the gate.
        gate: its name.
        identity: its folder.
        url: None: where it was enrolled.
        is_due: False: only the list is looked at.

    Returns:
        The new certificate; None when none was due.

    Raises:
        EnrolError: none to be had; what the gate has stays in force.
        PkiNameError: no gate can be named so.
        PkiFileError: the folder cannot be read or written.
    """
    held = identity.held()
    for name in (AUTHORITY, CERTIFICATE, KEY):
        if name not in held:
            raise EnrolError(
                f"{identity.folder / name}: there is none to renew; enrol with a token first:"
                " sudo gatepost enrol - --url https://HOST:PORT"
            )
    if url is None and SERVER not in held:
        raise EnrolError("where to renew is not known; say it with --url")
    server = Server.of_url(url or held[SERVER].decode())
    authority = _certificate(held[AUTHORITY], identity)
    showing = _context(authority, identity)
    changes: dict[str, bytes] = {}
    certificate: x509.Certificate | None = None
    if is_due:
        key = identity.pending_key()
        certificate = _asked(server, est.RENEW, showing, make_request(site, gate, key), {})
        _check(certificate, authority, profiles.gate_name(site, gate), key.public_key())
        changes |= {CERTIFICATE: _pem(certificate), KEY: profiles.key_pem(key)}
        changes |= {SERVER: str(server).encode()}
    revoked = fetch_revoked(server, _context(authority), authority, held.get(REVOKED))
    if revoked is not None and revoked != held.get(REVOKED):
        changes |= {REVOKED: revoked}
    if changes:
        identity.install(held | changes)
    return certificate


def fetch_revoked(
    server: Server, context: ssl.SSLContext, authority: x509.Certificate, held: bytes | None
) -> bytes | None:
    """Return the newest list of what is revoked, PEM; None where the server has no such list.

    `held`: the list that the gate has; an older one than that does not count.

    Raises:
        EnrolError: what came is no list of the authority's, or an older one.
    """
    status, body = _exchange(server, est.REVOKED, context)
    if status != HTTPStatus.OK:
        return None
    number = _number(body, authority)
    if number is None:
        raise EnrolError(f"{server}: what it says is revoked is not signed by the authority")
    if held is not None and number < (_number(held, authority) or 0):
        raise EnrolError(f"{server}: its list of what is revoked is older than ours")
    return body


# ------------------------------------------------------------------------------------ certificates


def _pinned_authority(server: Server, token: Token) -> x509.Certificate:
    """Return the authority that the token names; whoever brings it, its fingerprint decides."""
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.minimum_version = ssl.TLSVersion.TLSv1_3
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    status, body = _exchange(server, est.CA_CERTIFICATES, unverified)
    if status != HTTPStatus.OK:
        raise EnrolError(f"{server}: is no EST server: {status} for {est.CA_CERTIFICATES}")
    try:
        found = est.decoded_certificates(body)
    except PkiRequestError as error:
        raise EnrolError(f"{server}: is no EST server: {error}") from error
    for each in found:
        if fingerprint_of(each) == token.fingerprint:
            return each
    raise EnrolError(
        f"{server}: is of another authority than the token: the wrong server, an old token, or"
        " somebody in between. The token's secret was not sent"
    )


def _context(authority: x509.Certificate, identity: Identity | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=_pem(authority).decode("ascii"))
    if identity is not None:
        try:
            context.load_cert_chain(identity.certificate, identity.key, password="")
        except (ssl.SSLError, OSError) as error:
            raise EnrolError(
                f"{identity.key}: no key in PEM that fits {identity.certificate.name}; enrol with"
                " a new token"
            ) from error
    return context


def _check(
    certificate: x509.Certificate,
    authority: x509.Certificate,
    name: str,
    public_key: EllipticCurvePublicKey,
) -> None:
    """Raise EnrolError unless this is what was asked for: it is in force for a year otherwise."""
    try:
        certificate.verify_directly_issued_by(authority)
        is_ours = certificate.public_key() == public_key
        its_name = profiles.common_name(certificate.subject)
    except (*UNREADABLE, InvalidSignature) as error:
        raise EnrolError("the certificate that came is not of the authority") from error
    if not is_ours or its_name != name:
        raise EnrolError(f"the certificate that came is not for this key and {name}")


def _certificate(pem: bytes, identity: Identity) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except UNREADABLE as error:
        raise EnrolError(
            f"{identity.authority}: no certificate in PEM; enrol with a new token"
        ) from error


def _number(pem: bytes, authority: x509.Certificate) -> int | None:
    """Return the number of a list of the authority's; None where it is none."""
    try:
        found = x509.load_pem_x509_crl(pem)
        key = authority.public_key()
        if not isinstance(key, EllipticCurvePublicKey) or not found.is_signature_valid(key):
            return None
        return found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except UNREADABLE:
        return None


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


# --------------------------------------------------------------------------------------------- HTTP


def _asked(
    server: Server, what: str, context: ssl.SSLContext, request: bytes, headers: dict[str, str]
) -> x509.Certificate:
    headers = {"Content-Type": est.REQUEST_TYPE, "Content-Transfer-Encoding": "base64", **headers}
    status, body = _exchange(server, what, context, est.encoded(request), headers)
    if status != HTTPStatus.OK:
        kind = EnrolRefusedError if status in _FINAL else EnrolError
        raise kind(f"{server}: {_told(body) or f'it answers {status} and no word'}")
    try:
        return est.decoded_certificates(body)[0]
    except (PkiRequestError, IndexError) as error:
        raise EnrolError(f"{server}: what came is no certificate: {error}") from error


def _told(body: bytes) -> str:
    """Return what a server says in a refusal, fit for a terminal."""
    text = " ".join(body[: 4 * _MOST_TOLD_CHARACTERS].decode("utf-8", "replace").split())
    return "".join(sign for sign in text if sign.isprintable())[:_MOST_TOLD_CHARACTERS]


def _exchange(
    server: Server,
    what: str,
    context: ssl.SSLContext,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes]:
    connection = http.client.HTTPSConnection(
        server.host, server.port, timeout=_TIMEOUT_S, context=context
    )
    try:
        connection.request(
            "GET" if body is None else "POST", f"{server.path}/{what}", body, headers or {}
        )
        answer = connection.getresponse()
        content = answer.read(_MOST_ANSWER_BYTES + 1)
    except ssl.SSLCertVerificationError as error:
        why = _WHY.get(error.verify_code, f"does not count: {error.verify_message}")
        raise EnrolError(f"{server}: its certificate {why}") from error
    except (OSError, http.client.HTTPException) as error:
        raise EnrolError(f"{server}: {_failure(error, connection)}") from error
    finally:
        connection.close()
    if len(content) > _MOST_ANSWER_BYTES:
        raise EnrolError(f"{server}: its answer has more than {_MOST_ANSWER_BYTES} bytes")
    return answer.status, content


def _failure(error: Exception, connection: http.client.HTTPSConnection) -> str:
    # A server that refuses our certificate may have hung up before the request was written.
    line = connection.sock
    if isinstance(error, OSError) and isinstance(line, ssl.SSLSocket):
        error = verdict(line, error)
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    if isinstance(error, ssl.SSLError) and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason):
        return f"refuses this gate's certificate ({reason}); enrol with a new token"
    return f"{reason or type(error).__name__}; does gatepost pki serve run there?"
