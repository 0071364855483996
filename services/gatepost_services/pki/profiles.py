"""What stands in a certificate, by whom it is for: authority, server, gate, client.

P-256 with SHA-256 throughout: a TLS 1.3 library must have it (RFC 8446, section 9.1), and none must
have Ed25519.
"""

import ipaddress
import re
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gatepost_services.pki.errors import PkiNameError

# A clock that is a little behind must not find a certificate that is not valid yet.
_BACKDATED = timedelta(hours=1)
# RFC 5280, appendix A.1, ub-common-name.
_MOST_NAME_CHARACTERS = 64
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_HOST = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z"
)


class Kind(StrEnum):
    """Whom a certificate is for."""

    GATE = "gate"
    SERVER = "server"  # a broker, or the server of `gatepost pki serve`
    CLIENT = "client"  # the central server, a technician: a client of the broker that is no gate


def new_key() -> EllipticCurvePrivateKey:
    """Return a fresh private key, on P-256."""
    return generate_private_key(SECP256R1())


def key_pem(key: EllipticCurvePrivateKey) -> bytes:
    """Return a private key as PKCS #8 in PEM, without a passphrase."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def spki(key: EllipticCurvePublicKey) -> bytes:
    """Return a public key as SubjectPublicKeyInfo, DER."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def gate_name(site: str, gate: str) -> str:
    """Return the common name of a gate: SITE/GATE.

    A broker that takes it as the user's name can use it in a topic; and with any other sign between
    the two, a-b of c and a of b-c would be one user.

    Raises:
        PkiNameError: it cannot be one.
    """
    for what, word in (("site", site), ("gate", gate)):
        if not _NAME.match(word):
            raise PkiNameError(f"{word!r}: no name of a {what}; a-z, 0-9 and '-', at most 63")
    name = f"{site}/{gate}"
    if len(name) > _MOST_NAME_CHARACTERS:
        raise PkiNameError(
            f"{name}: {len(name)} characters; a certificate's name has at most"
            f" {_MOST_NAME_CHARACTERS}: shorten [gate] site or name"
        )
    return name


def gate_urn(site: str, gate: str) -> str:
    """Return the URI that names a gate in its certificate."""
    return f"urn:gatepost:{site}:{gate}"


def client_name(word: str) -> str:
    """Return the common name of a client that is no gate.

    Raises:
        PkiNameError: it cannot be one.
    """
    if not _NAME.match(word):
        raise PkiNameError(f"{word!r}: no name of a client; a-z, 0-9 and '-', at most 63")
    return word


def gate_subject(site: str, gate: str) -> tuple[x509.Name, x509.SubjectAlternativeName]:
    """Return the names of a gate, as its request and its certificate hold them.

    Raises:
        PkiNameError: they cannot be.
    """
    subject = _common_name(gate_name(site, gate))
    uri = x509.UniformResourceIdentifier(gate_urn(site, gate))
    return subject, x509.SubjectAlternativeName([uri])


def server_subject(hosts: list[str]) -> tuple[x509.Name, x509.SubjectAlternativeName]:
    """Return the names of a server: host names and addresses by which clients reach it.

    Raises:
        PkiNameError: one is neither, or there are none.
    """
    if not hosts:
        raise PkiNameError("a server's certificate needs a host name or an address")
    names: list[x509.GeneralName] = []
    for host in hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            if not _HOST.match(host):
                raise PkiNameError(
                    f"{host!r}: neither a host name, in small letters, nor an address"
                ) from None
            names.append(x509.DNSName(host))
    return _common_name(hosts[0][:_MOST_NAME_CHARACTERS]), x509.SubjectAlternativeName(names)


def client_subject(word: str) -> tuple[x509.Name, None]:
    """Return the names of a client that is no gate.

    Raises:
        PkiNameError: it cannot be one.
    """
    return _common_name(client_name(word)), None


def authority(
    site: str, key: EllipticCurvePrivateKey, now_utc: datetime, lifetime: timedelta
) -> x509.Certificate:
    """Return the self-signed certificate of a site's authority.

    Raises:
        PkiNameError: the site cannot be named so.
    """
    gate_name(site, "x")
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, site),
            x509.NameAttribute(NameOID.COMMON_NAME, "Gatepost authority"),
        ]
    )
    builder = _begun(subject, subject, key.public_key(), now_utc, now_utc + lifetime)
    usage = _usage(signs_certificates=True)
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, SHA256())
    )


def certificate(
    kind: Kind,
    names: tuple[x509.Name, x509.SubjectAlternativeName | None],
    public_key: EllipticCurvePublicKey,
    *,
    issuer: tuple[x509.Certificate, EllipticCurvePrivateKey],
    now_utc: datetime,
    lifetime: timedelta,
) -> x509.Certificate:
    """Return a certificate; it does not outlive its authority's."""
    its, its_key = issuer
    subject, alternatives = names
    until_utc = min(now_utc + lifetime, its.not_valid_after_utc)
    purpose = (
        ExtendedKeyUsageOID.SERVER_AUTH if kind is Kind.SERVER else ExtendedKeyUsageOID.CLIENT_AUTH
    )
    known_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(its_key.public_key())
    builder = (
        _begun(subject, its.subject, public_key, now_utc, until_utc)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(known_by, critical=False)
    )
    if alternatives is not None:
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(its_key, SHA256())


def kind_of(certificate: x509.Certificate) -> Kind:
    """Return whom a certificate of this authority is for."""
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    if ExtendedKeyUsageOID.SERVER_AUTH in purposes:
        return Kind.SERVER
    return Kind.GATE if "/" in common_name(certificate.subject) else Kind.CLIENT


def common_name(name: x509.Name) -> str:
    """Return the common name, empty where there is none."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def _common_name(word: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, word)])


def _begun(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: EllipticCurvePublicKey,
    now_utc: datetime,
    until_utc: datetime,
) -> x509.CertificateBuilder:
    known_as = x509.SubjectKeyIdentifier.from_public_key(public_key)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now_utc - _BACKDATED, until_utc))
        .not_valid_after(until_utc)
        .add_extension(known_as, critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
