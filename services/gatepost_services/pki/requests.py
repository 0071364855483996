"""Requests for certificates (PKCS #10, RFC 2986): made on the gate, judged by the authority."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from gatepost_services.pki import profiles
from gatepost_services.pki.errors import UNREADABLE, PkiRequestError

# Of P-256 with both names it has some 400.
MOST_REQUEST_BYTES = 4096


def make_request(site: str, gate: str, key: EllipticCurvePrivateKey) -> bytes:
    """Return a gate's request for a certificate of this key, DER.

    Raises:
        PkiNameError: no gate can be named so.
    """
    subject, alternatives = profiles.gate_subject(site, gate)
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    made = builder.add_extension(alternatives, critical=False).sign(key, SHA256())
    return made.public_bytes(Encoding.DER)


def read_request(der: bytes, site: str, gate: str) -> EllipticCurvePublicKey:
    """Return the key that a request is for; whoever made it has the private one.

    Nothing else is taken from it: what stands in the certificate, the authority decides.

    Raises:
        PkiRequestError: it is no request of this gate's, or its key is not of the kind.
    """
    if len(der) > MOST_REQUEST_BYTES:
        raise PkiRequestError(f"a request of more than {MOST_REQUEST_BYTES} bytes")
    try:
        request = x509.load_der_x509_csr(der)
        key = request.public_key()
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
            raise PkiRequestError("the key of the request must be on P-256")
        if not request.is_signature_valid:
            raise PkiRequestError("the request is not signed by its own key")
        name = profiles.common_name(request.subject)
    except UNREADABLE as error:
        raise PkiRequestError(f"no request (PKCS #10): {type(error).__name__}") from error
    wanted = profiles.gate_name(site, gate)
    if name != wanted:
        raise PkiRequestError(
            f"the request is for {name[:64]!r}, and {wanted} is what may be had; see [gate] site"
            " and name in the gate's settings"
        )
    return key
