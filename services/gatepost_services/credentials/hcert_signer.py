"""The certificates of those who sign health certificates, as keys of a trust list.

For whoever makes trust lists, and for test files: a gate is given public keys, and reads no X.509.
"""

import base64
import binascii
import hashlib
import re
import warnings

from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning

from gatepost_services.credentials import keys
from gatepost_services.credentials.keys import HCERT_USES, KeyUnusableError, TrustedKey, Use
from gatepost_services.pki.errors import UNREADABLE

KID_BYTES = 8  # hcert-spec, A.1
_OID_TAG = 6  # X.690, 8.19.1
_SEQUENCE = b"\x30"  # X.690, 8.9.1; no base64 of a certificate begins so
_VERSION, _INTEGER = b"\xa0", b"\x02"  # RFC 5280, 4.1
_ARMOUR = re.compile(rb"-----[A-Z ]+-----")

# hcert-spec, A.4; and as it was first written, with a 0 too many, which is in real certificates.
_ARCS = ("1.3.6.1.4.1.1847.2021.1", "1.3.6.1.4.1.0.1847.2021.1")
_USES = {"1": Use.TEST, "2": Use.VACCINATION, "3": Use.RECOVERY}
_USE_BY_OID = {f"{arc}.{last}": use for arc in _ARCS for last, use in _USES.items()}


def trusted_key(certificate: bytes) -> TrustedKey:
    """Return the key in a document signer's certificate (DER), for what it may sign and when.

    A certificate that names none of the three uses may sign all; others that it names, such as
    those of TLS, do not count (hcert-spec, A.4).

    Raises:
        KeyUnusableError: it is no certificate, or its key signs no credential.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            parsed = _parsed(certificate)
            named = _named_uses(parsed)
            key = parsed.public_key()
            not_before, not_after = parsed.not_valid_before_utc, parsed.not_valid_after_utc
    except UNREADABLE as error:
        raise KeyUnusableError(
            f"a certificate cannot be read: {type(error).__name__}; X.509 in DER is expected"
        ) from error
    return TrustedKey(
        kid=hashlib.sha256(certificate).digest()[:KID_BYTES],
        key=keys.usable(key),
        uses=named or HCERT_USES,
        not_before_utc=not_before,
        not_after_utc=not_after,
    )


def der_of(data: bytes) -> bytes:
    """Return a certificate in DER that is given in DER, in base64, as PEM, or as PEM in base64.

    Raises:
        KeyUnusableError: it is none of these.
    """
    if data.startswith(_SEQUENCE):
        return data
    try:
        decoded = base64.b64decode(b"".join(_ARMOUR.sub(b"", data).split()), validate=True)
    except binascii.Error as error:
        raise KeyUnusableError("a certificate is neither DER nor PEM nor base64") from error
    return der_of(decoded) if decoded.startswith(b"-----") else decoded


def _parsed(certificate: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(certificate)
    except ValueError:
        # Serial numbers that are negative, or longer than need be, are about; RFC 5280 has none
        # such, the library refuses them, and they are nothing to us. Nor is the signature, which
        # whoever puts a key on a trust list answers for.
        return x509.load_der_x509_certificate(_renumbered(certificate))


def _renumbered(certificate: bytes) -> bytes:
    """Return a certificate with a positive serial number of the same length.

    Raises:
        ValueError: it has none where X.509 has it.
    """
    at = _content(certificate, _content(certificate, 0))  # Certificate, TBSCertificate
    if certificate[at : at + 1] == _VERSION:
        at = _content(certificate, at) + certificate[at + 1]
    if certificate[at : at + 1] != _INTEGER:
        raise ValueError("no serial number")
    at = _content(certificate, at)
    positive = certificate[at] & 0x7F or 1
    return certificate[:at] + bytes((positive,)) + certificate[at + 1 :]


def _content(der: bytes, at: int) -> int:
    """Return where the content of a value in DER begins (X.690, 8.1.3)."""
    if at + 1 >= len(der):
        raise ValueError("cut off")
    length = der[at + 1]
    begin = at + 2 + (length & 0x7F if length & 0x80 else 0)
    if begin >= len(der):
        raise ValueError("cut off")
    return begin


def _named_uses(certificate: x509.Certificate) -> frozenset[Use]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return frozenset()
    except ValueError:
        # One extension that the library refuses, and it shows none. There are certificates with an
        # empty list of uses, which hcert-spec allows and RFC 5280 does not. What is named is in
        # there all the same, as a whole object identifier.
        named = certificate.tbs_certificate_bytes
        return frozenset(use for oid, use in _USE_BY_OID.items() if _der_of(oid) in named)
    oids = (usage.dotted_string for usage in extension.value)
    return frozenset(_USE_BY_OID[oid] for oid in oids if oid in _USE_BY_OID)


def _der_of(oid: str) -> bytes:
    """Return an object identifier in DER (X.690, 8.19)."""
    first, second, *others = map(int, oid.split("."))
    content = b"".join(map(_base128, (40 * first + second, *others)))
    return bytes((_OID_TAG, len(content))) + content


def _base128(number: int) -> bytes:
    """Return a number in groups of seven bits, all but the last marked by the eighth."""
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(number & 0x7F | 0x80)
    return bytes(reversed(groups))
