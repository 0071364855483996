"""The authority of a site: a folder with its key, what it has issued, and what it has revoked.

    ca.key  ca.pem          the key and the certificate of the authority
    crl.pem                 what is revoked: the list itself is the record of it
    issued/SERIAL.pem       every certificate, written before it is handed out
    tokens/ID.json          one-time tokens (`tokens`)

Every file is for its owner alone and is replaced whole. One command changes it at a time (`lock`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from gatepost_services.pki import profiles
from gatepost_services.pki.errors import UNREADABLE, PkiFileError, PkiNameError, PkiRequestError
from gatepost_services.pki.files import locked, make_folder, read_file, write_file
from gatepost_services.pki.profiles import Kind

Clock = Callable[[], datetime]

AUTHORITY_LIFETIME = timedelta(days=3650)
# A gate renews by itself when a third is left; weeks without a network must not end it.
GATE_LIFETIME = timedelta(days=365)
# Replaced by hand.
SERVER_LIFETIME = timedelta(days=730)


def utc_now() -> datetime:
    """Return the time of this machine's clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that the authority has issued.

    Attributes:
        name: the common name: SITE/GATE of a gate, the first host of a server.
        revoked_utc: since when it no longer counts; None while it does.
    """

    certificate: x509.Certificate
    revoked_utc: datetime | None = None

    @property
    def serial(self) -> int:
        """The number that names it in revocation lists."""
        return self.certificate.serial_number

    @property
    def name(self) -> str:
        """The common name: SITE/GATE of a gate, the first host of a server."""
        return profiles.common_name(self.certificate.subject)

    @property
    def kind(self) -> Kind:
        """Whom it is for."""
        return profiles.kind_of(self.certificate)

    @property
    def expires_utc(self) -> datetime:
        """Until when it counts."""
        return self.certificate.not_valid_after_utc

    @property
    def pem(self) -> bytes:
        """The certificate in PEM."""
        return self.certificate.public_bytes(Encoding.PEM)


class Authority:
    """The authority in a folder. Safe to use from several threads and processes.

    Use `create` or `open`.
    """

    def __init__(
        self,
        folder: Path,
        certificate: x509.Certificate,
        key: EllipticCurvePrivateKey,
        clock_utc: Clock,
    ) -> None:
        self.folder = folder
        self.now_utc = clock_utc
        self._certificate = certificate
        self._key = key

    @classmethod
    def create(
        cls,
        folder: Path,
        site: str,
        *,
        lifetime: timedelta = AUTHORITY_LIFETIME,
        clock_utc: Clock = utc_now,
    ) -> Self:
        """Make an authority for a site; the folder may be there, an authority in it may not.

        Raises:
            PkiFileError: there is one already, or the disk does not take it.
            PkiNameError: the site cannot be named so.
        """
        key = profiles.new_key()
        certificate = profiles.authority(site, key, clock_utc(), lifetime)
        make_folder(folder)
        with locked(folder):
            # The certificate is written last: a folder with one is an authority that is whole.
            if (folder / "ca.pem").exists():
                raise PkiFileError(
                    f"{folder}: holds an authority already, and every gate that trusts it;"
                    " name another folder"
                )
            make_folder(folder / "issued")
            make_folder(folder / "tokens")
            write_file(folder / "ca.key", profiles.key_pem(key))
            made = cls(folder, certificate, key, clock_utc)
            made._write_revoked([])
            write_file(folder / "ca.pem", made.pem)
        return made

    @classmethod
    def open(cls, folder: Path, *, clock_utc: Clock = utc_now) -> Self:
        """Return the authority in a folder.

        Raises:
            PkiFileError: there is none, or it cannot be read.
        """
        if not (folder / "ca.pem").exists():
            raise PkiFileError(f"{folder}: holds no authority; make one with: gatepost pki init")
        certificate = read_certificate(folder / "ca.pem")
        key = _read_key(folder / "ca.key")
        if profiles.spki(key.public_key()) != _spki(certificate):
            raise PkiFileError(f"{folder}: ca.key does not fit ca.pem; restore both from one copy")
        return cls(folder, certificate, key, clock_utc)

    @property
    def site(self) -> str:
        """The site that it is for."""
        return str(
            self._certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value
        )

    @property
    def certificate(self) -> x509.Certificate:
        """Its own certificate."""
        return self._certificate

    @property
    def pem(self) -> bytes:
        """Its own certificate in PEM: what gates and brokers trust."""
        return self._certificate.public_bytes(Encoding.PEM)

    @property
    def crl_pem(self) -> bytes:
        """The list of what is revoked, in PEM, for the broker's `crlfile`.

        Raises:
            PkiFileError: it cannot be read.
        """
        return read_file(self.folder / "crl.pem")

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of its certificate (DER) in hexadecimal: what a token names it by."""
        return fingerprint_of(self._certificate)

    def issue_gate(
        self,
        gate: str,
        public_key: EllipticCurvePublicKey,
        *,
        lifetime: timedelta = GATE_LIFETIME,
    ) -> Issued:
        """Return a certificate for a gate of this site.

        Raises:
            PkiNameError: no gate can be named so.
            PkiFileError: the disk does not take it.
        """
        names = profiles.gate_subject(self.site, gate)
        return self._issue(Kind.GATE, names, public_key, lifetime)

    def issue_server(
        self,
        hosts: list[str],
        public_key: EllipticCurvePublicKey,
        *,
        lifetime: timedelta = SERVER_LIFETIME,
    ) -> Issued:
        """Return a certificate for a server that clients reach by these names or addresses.

        Raises:
            PkiNameError: one is neither a host name nor an address.
            PkiFileError: the disk does not take it.
        """
        return self._issue(Kind.SERVER, profiles.server_subject(hosts), public_key, lifetime)

    def issue_client(
        self,
        name: str,
        public_key: EllipticCurvePublicKey,
        *,
        lifetime: timedelta = SERVER_LIFETIME,
    ) -> Issued:
        """Return a certificate for a client of the broker that is no gate.

        Raises:
            PkiNameError: none can be named so.
            PkiFileError: the disk does not take it.
        """
        return self._issue(Kind.CLIENT, profiles.client_subject(name), public_key, lifetime)

    def issued(self) -> list[Issued]:
        """Return every certificate, by name, the youngest of a name first.

        Raises:
            PkiFileError: one cannot be read.
        """
        revoked = {each.serial_number: each.revocation_date_utc for each in self._revoked()}
        found = [read_certificate(path) for path in sorted((self.folder / "issued").glob("*.pem"))]
        made = [Issued(each, revoked.get(each.serial_number)) for each in found]
        made.sort(key=lambda each: each.certificate.not_valid_before_utc, reverse=True)
        return sorted(made, key=lambda each: each.name)

    def by_serial(self, serial: int) -> Issued | None:
        """Return the certificate of a number; None when this authority has issued none.

        Raises:
            PkiFileError: it cannot be read.
        """
        path = self._path(serial)
        if not path.exists():
            return None
        revoked = {each.serial_number: each.revocation_date_utc for each in self._revoked()}
        return Issued(read_certificate(path), revoked.get(serial))

    def revoke(self, serials: list[int]) -> int:
        """Revoke certificates; return how many were not revoked before.

        It counts where the new `crl.pem` is put: the broker's, and the gates'.

        Raises:
            PkiRequestError: the authority has issued no such certificate.
            PkiFileError: the list cannot be read or written; nothing is revoked.
        """
        with locked(self.folder):
            for serial in serials:
                if not self._path(serial).exists():
                    raise PkiRequestError(
                        f"{serial:x}: no certificate of this authority; see: gatepost pki list"
                    )
            before = self._revoked()
            known = {each.serial_number for each in before}
            fresh = [serial for serial in dict.fromkeys(serials) if serial not in known]
            now_utc = self.now_utc()
            entries = [
                x509.RevokedCertificateBuilder()
                .serial_number(each)
                .revocation_date(now_utc)
                .build()
                for each in fresh
            ]
            self._write_revoked([*before, *entries])
        return len(fresh)

    def _issue(
        self,
        kind: Kind,
        names: tuple[x509.Name, x509.SubjectAlternativeName | None],
        public_key: EllipticCurvePublicKey,
        lifetime: timedelta,
    ) -> Issued:
        now_utc = self.now_utc()
        if now_utc >= self._certificate.not_valid_after_utc:
            raise PkiNameError(
                f"{self.folder}: the authority has ended on"
                f" {self._certificate.not_valid_after_utc:%Y-%m-%d}; make a new one in another"
                " folder: gatepost pki init"
            )
        made = Issued(
            profiles.certificate(
                kind,
                names,
                public_key,
                issuer=(self._certificate, self._key),
                now_utc=now_utc,
                lifetime=lifetime,
            )
        )
        write_file(self._path(made.serial), made.pem)
        return made

    def _path(self, serial: int) -> Path:
        return self.folder / "issued" / f"{serial:x}.pem"

    def _revoked(self) -> list[x509.RevokedCertificate]:
        path = self.folder / "crl.pem"
        try:
            return list(x509.load_pem_x509_crl(read_file(path)))
        except UNREADABLE as error:
            raise PkiFileError(f"{path}: no revocation list: {error}") from error

    def _write_revoked(self, entries: list[x509.RevokedCertificate]) -> None:
        now_utc = self.now_utc()
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(min(now_utc, self._certificate.not_valid_after_utc - timedelta(seconds=1)))
            # As long as the authority lasts: a list that ends shuts every gate out of the broker,
            # on a day that nobody has in mind.
            .next_update(self._certificate.not_valid_after_utc)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .add_extension(x509.CRLNumber(self._next_number()), critical=False)
        )
        for entry in entries:
            builder = builder.add_revoked_certificate(entry)
        made = builder.sign(self._key, SHA256())
        write_file(self.folder / "crl.pem", made.public_bytes(Encoding.PEM))

    def _next_number(self) -> int:
        path = self.folder / "crl.pem"
        if not path.exists():
            return 1
        held = x509.load_pem_x509_crl(read_file(path))
        return held.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number + 1


def fingerprint_of(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate (DER), in hexadecimal."""
    return certificate.fingerprint(SHA256()).hex()


def read_certificate(path: Path) -> x509.Certificate:
    """Return the certificate in a PEM file.

    Raises:
        PkiFileError: it cannot be read, or holds none.
    """
    try:
        return x509.load_pem_x509_certificate(read_file(path))
    except UNREADABLE as error:
        raise PkiFileError(f"{path}: no certificate in PEM: {error}") from error


def _spki(certificate: x509.Certificate) -> bytes:
    key = certificate.public_key()
    return profiles.spki(key) if isinstance(key, EllipticCurvePublicKey) else b""


def _read_key(path: Path) -> EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(read_file(path), None)
    except UNREADABLE as error:
        raise PkiFileError(f"{path}: no private key in PEM: {type(error).__name__}") from error
    if not isinstance(key, EllipticCurvePrivateKey):
        raise PkiFileError(f"{path}: a {type(key).__name__}; this authority has a P-256 key")
    return key
