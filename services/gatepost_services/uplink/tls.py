"""What secures the link: a TLS context of the site's files, when they end, and what went wrong.

Only the standard library: `cryptography` would cost the link 9 MB. Paho is not known here.
"""

import os
import ssl
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from gatepost_services.uplink.validity import CertificateState, validity_of

# The path that means that there is no list of revoked certificates.
_NOTHING = Path("/dev/null")
_MOST_BYTES = 1_000_000
# Who may not read a key; its group may, where root owns it.
_STRANGERS = stat.S_IRWXO | stat.S_IWGRP
# Files that change while they are read are read again so often.
_ATTEMPTS = 3
_PEM_BEGIN, _PEM_END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_ENROL = "ask for a new token and run: sudo gatepost enrol - --url https://HOST:PORT"


class TlsError(OSError):
    """The files make no secured connection. The text names the file, and what to do."""


class TlsPaths(Protocol):
    """Where the files are: `[tls]` of the settings."""

    @property
    def ca(self) -> Path:
        """Who may vouch for the broker, PEM; nobody else may."""

    @property
    def certificate(self) -> Path:
        """The certificate of this gate, PEM."""

    @property
    def key(self) -> Path:
        """Its private key, PEM."""

    @property
    def revoked(self) -> Path:
        """The list of certificates that no longer count, PEM; /dev/null is none."""


def certificate_state(path: Path) -> CertificateState:
    """Return from when to when the first certificate in a PEM file counts.

    Raises:
        TlsError: it cannot be read, or holds none.
    """
    try:
        text = _read(path).decode("ascii")
        begin = text.index(_PEM_BEGIN)
        end = text.index(_PEM_END, begin) + len(_PEM_END)
        return validity_of(ssl.PEM_cert_to_DER_cert(text[begin:end]))
    except ValueError:
        raise TlsError(f"{path}: no certificate in PEM; {_ENROL}") from None


def client_context(paths: TlsPaths, now_utc: datetime | None) -> ssl.SSLContext:
    """Return a context for connections to the broker.

    TLS 1.3 and nothing older; only the site's authority counts, none of the system's; the broker's
    name is checked; the certificate of this gate is shown.

    Args:
        paths: the files.
        now_utc: None while the clock is not to be trusted: no certificate is judged by it then.

    Raises:
        TlsError: a file is missing, unreadable, open to others, damaged, ended, or does not fit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    _load_authority(context, paths.ca)
    _judge(paths.certificate, now_utc)
    _load_pair(context, paths.certificate, paths.key)
    if paths.revoked != _NOTHING:
        _load_revoked(context, paths.revoked)
    return context


class TlsFiles:
    """The files as the link uses them: new ones as soon as they are good, the old ones until then.

    What was read is kept in memory, so that the old pair serves on while the new one is damaged.

    Args:
        paths: the files; `Settings.tls` is such.
        clock_utc: the time, or None while the clock is not to be trusted.
    """

    def __init__(self, paths: TlsPaths, clock_utc: Callable[[], datetime | None]) -> None:
        self._paths = paths
        self._clock_utc = clock_utc
        self._good: _Loaded | None = None
        self._handed: _Loaded | None = None
        self._refused: _Stamp | None = None
        self._problem: TlsError | None = None

    @property
    def state(self) -> CertificateState | None:
        """From when to when the certificate in use counts; None before the first `context`."""
        return self._good.state if self._good else None

    @property
    def problem(self) -> str | None:
        """Why the files that lie there now are not used; None while they are."""
        return str(self._problem) if self._problem else None

    def context(self) -> ssl.SSLContext:
        """Return the context for a new connection: of the newest files that were good.

        Raises:
            TlsError: they are not, and never were since the start.
        """
        # What was too early or too late may be neither by now.
        self._refused = None
        self._look()
        if self._good is None:
            raise self._problem or TlsError(f"{self._paths.certificate}: cannot be used")
        self._handed = self._good
        return self._good.context

    def renewed(self) -> bool:
        """Return whether newer good files wait than those of the last `context`.

        Costs a `stat` of each file while nothing changes. Never raises.
        """
        self._look()
        return self._good is not self._handed

    def _look(self) -> None:
        for _ in range(_ATTEMPTS):
            stamp = self._stamp()
            if self._good is not None and stamp == self._good.stamp:
                self._problem = None
                return
            if stamp == self._refused:
                return
            loaded: _Loaded | None = None
            problem: TlsError | None = None
            try:
                context = client_context(self._paths, self._clock_utc())
                loaded = _Loaded(stamp, context, certificate_state(self._paths.certificate))
            except TlsError as error:
                problem = error
            # A pair that was exchanged under our hands is read again.
            if self._stamp() != stamp:
                continue
            self._problem, self._refused = problem, stamp if problem else None
            self._good = loaded or self._good
            return
        self._problem = TlsError(f"{self._paths.certificate.parent}: changes all the time")

    def _stamp(self) -> "_Stamp":
        paths = self._paths
        return tuple(map(_mark, (paths.ca, paths.certificate, paths.key, paths.revoked)))


def explain(error: OSError) -> str:
    """Return in plain words why a handshake or a first read failed, and what to do.

    In TLS 1.3 a broker tells what it thinks of our certificate only after the handshake.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        known = _OF_THE_BROKER.get(error.verify_code)
        return known or f"the broker's certificate is refused: {error.verify_message}"
    if isinstance(error, ssl.SSLEOFError | ConnectionResetError):
        return _CUT
    if isinstance(error, ssl.SSLError):
        known = _ALERTS.get(error.reason or "")
        return known or f"TLS failed: {error.reason or error}"
    return error.strerror or str(error) or type(error).__name__


def verdict(line: ssl.SSLSocket, error: OSError) -> OSError:
    """Return what the broker said before it hung up; `error` itself where it said nothing.

    For a write that failed on a fresh connection: with TLS 1.3 a broker that refuses a certificate
    says so after the handshake, and may have hung up before CONNECT is sent; its word is unread
    then. The connection is good for nothing afterwards. Never blocks, never raises.
    """
    try:
        line.settimeout(0)
        line.recv(1)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError, ValueError):
        return error
    except OSError as said:
        return said if isinstance(said, ssl.SSLError) else error
    return error


# Codes of OpenSSL's x509_vfy.h.
_FOREIGN = (
    "the broker's certificate is not from the site's authority: this is another broker, or"
    " [tls] ca is another authority's"
)
_OF_THE_BROKER = {
    3: "[tls] revoked is not of the authority that vouches for the broker",
    9: "the broker's certificate is not valid yet: set this gate's clock (timedatectl)",
    10: "the broker's certificate has ended: renew it on the broker; or this gate's clock is ahead",
    12: "[tls] revoked has ended: copy the authority's new crl.pem there",
    18: _FOREIGN,
    19: _FOREIGN,
    20: _FOREIGN,
    21: _FOREIGN,
    23: "the broker's certificate is revoked: give the broker a new one",
    26: "the broker's certificate is not one of a server",
    62: "the broker's certificate is for another name: [link] broker_host must be one of its names",
    64: "the broker's certificate is for another address: issue it with the address in it",
}
_OLD = "the broker speaks no TLS 1.3: set its tls_version, or update it"
_PLAIN = "the broker does not speak TLS on this port: see [link] broker_port and its listener"
_CUT = (
    "the broker ended the connection in the middle and said nothing: it may not speak TLS on this"
    " port, see [link] broker_port; or see its log"
)
_ALERTS = {
    "SSLV3_ALERT_CERTIFICATE_REVOKED": f"the broker says that this gate is revoked; {_ENROL}",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": (
        f"the broker says that this gate's certificate has ended; {_ENROL}"
    ),
    "TLSV1_ALERT_UNKNOWN_CA": (
        "the broker does not know who issued this gate's certificate: its cafile is another"
        " authority's"
    ),
    "SSLV3_ALERT_BAD_CERTIFICATE": "the broker refuses this gate's certificate; see its log",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the broker refuses this gate's certificate; see its log",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the broker asks for a certificate, and got none",
    "TLSV1_ALERT_PROTOCOL_VERSION": _OLD,
    "UNSUPPORTED_PROTOCOL": _OLD,
    "WRONG_VERSION_NUMBER": _PLAIN,
    "RECORD_LAYER_FAILURE": _PLAIN,
}

_Mark = tuple[int, int, int, int] | None
_Stamp = tuple[_Mark, ...]


@dataclass(frozen=True, slots=True)
class _Loaded:
    stamp: _Stamp
    context: ssl.SSLContext
    state: CertificateState


def _mark(path: Path) -> _Mark:
    try:
        found = os.stat(path)  # noqa: PTH116 - the cheaper one; it is asked once a second
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise TlsError(f"{path}: there is no such file; {_ENROL}") from None
    except OSError as error:
        raise TlsError(
            f"{path}: cannot be read: {error.strerror}; it must belong to the user of the link:"
            f" chown gatepost-link {path}"
        ) from None
    if len(content) > _MOST_BYTES:
        raise TlsError(f"{path}: larger than {_MOST_BYTES} bytes")
    return content


def _load_authority(context: ssl.SSLContext, path: Path) -> None:
    try:
        context.load_verify_locations(cadata=_read(path).decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise TlsError(f"{path}: no certificate of an authority in PEM; {_ENROL}") from None


def _judge(path: Path, now_utc: datetime | None) -> None:
    state = certificate_state(path)
    if now_utc is None:
        return
    if now_utc < state.begins_utc:
        raise TlsError(
            f"{path}: is valid from {state.begins_utc:%Y-%m-%d %H:%M} UTC, and the clock says"
            f" {now_utc:%Y-%m-%d %H:%M}: set the clock (timedatectl)"
        )
    if now_utc > state.expires_utc:
        raise TlsError(f"{path}: has ended on {state.expires_utc:%Y-%m-%d %H:%M} UTC; {_ENROL}")


def _load_pair(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    _read(key)
    if _is_open(key):
        raise TlsError(f"{key}: others may read or change it; mend it with: chmod 600 {key}")
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except _PassphraseError:
        raise TlsError(f"{key}: has a passphrase, and nobody is there to type it") from None
    except (ssl.SSLError, OSError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            raise TlsError(
                f"{key}: does not fit {certificate}; put back the pair that belongs together, or"
                f" {_ENROL}"
            ) from None
        raise TlsError(
            f"{key}: no private key in PEM, or {certificate} is damaged; {_ENROL}"
        ) from None


def _is_open(path: Path) -> bool:
    with suppress(OSError):
        return bool(path.stat().st_mode & _STRANGERS)
    return False


class _PassphraseError(Exception):
    """The key has a passphrase."""


def _no_passphrase() -> str:
    # OpenSSL would else ask on the terminal.
    raise _PassphraseError


def _load_revoked(context: ssl.SSLContext, path: Path) -> None:
    try:
        content = _read(path)
    except TlsError as error:
        raise TlsError(
            f'{error}. Or, for a site without such a list: [tls] revoked = "{_NOTHING}"'
        ) from None
    try:
        context.load_verify_locations(cafile=path)
    except (ssl.SSLError, OSError):
        content = b""
    # A file of certificates would be loaded too, and they would vouch for the broker.
    if b"-----BEGIN X509 CRL-----" not in content or _PEM_BEGIN.encode() in content:
        raise TlsError(
            f"{path}: no list of revoked certificates in PEM; copy the authority's crl.pem there"
        )
    context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
