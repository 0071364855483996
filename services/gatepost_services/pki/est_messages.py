"""The bodies of EST (RFC 7030 with the corrections of RFC 8951), and where they go."""

import base64
import binascii
import warnings
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from gatepost_services.pki.errors import UNREADABLE, PkiRequestError

BASE_PATH = "/.well-known/est"
CA_CERTIFICATES, ENROL, RENEW = "cacerts", "simpleenroll", "simplereenroll"
# Ours, beside EST, which has none: the list of what is revoked, in PEM.
REVOKED = "crl.pem"
REQUEST_TYPE = "application/pkcs10"
CERTIFICATES_TYPE = "application/pkcs7-mime; smime-type=certs-only"


def encoded(der: bytes) -> bytes:
    """Return a body: base64, whatever the header says of it (RFC 8951, 3.1)."""
    return base64.encodebytes(der)


def decoded(body: bytes) -> bytes:
    """Return what is in a body.

    Raises:
        PkiRequestError: it is not base64.
    """
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error as error:
        raise PkiRequestError("the body is not base64 (RFC 8951, 3.1)") from error


def encoded_certificates(certificates: Sequence[x509.Certificate]) -> bytes:
    """Return a body with certificates: a certs-only CMS message (RFC 7030, 4.1.3)."""
    return encoded(pkcs7.serialize_certificates(list(certificates), Encoding.DER))


def decoded_certificates(body: bytes) -> list[x509.Certificate]:
    """Return the certificates in a body.

    Raises:
        PkiRequestError: there are none.
    """
    try:
        # What it has to say of a server's oddities is nothing for a technician's terminal.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pkcs7.load_der_pkcs7_certificates(decoded(body))
    except UNREADABLE as error:
        raise PkiRequestError(
            f"the body holds no certificates (PKCS #7): {type(error).__name__}"
        ) from error
