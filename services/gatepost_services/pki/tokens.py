"""One-time tokens, by which a gate without a certificate gets its first one.

A token is ID.SECRET.FINGERPRINT: the authority keeps the id and a hash of the secret; the
fingerprint is of the authority itself, so that the gate knows whom it may tell the secret.

One token is good for one key. The same gate may ask again with the same key until the token
expires, and gets the same certificate: an answer that was lost on the way costs no second token.
"""

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Self

import msgspec

from gatepost_services.pki import profiles
from gatepost_services.pki.authority import Authority, Issued
from gatepost_services.pki.errors import PkiFileError, TokenError
from gatepost_services.pki.files import locked, read_file, write_file
from gatepost_services.pki.requests import read_request

TOKEN_LIFETIME = timedelta(hours=24)
_FORM = re.compile(r"([0-9a-f]{16})\.([A-Za-z0-9_-]{43})\.([0-9a-f]{64})\Z")
_ID = re.compile(r"[0-9a-f]{16}\Z")
# 256 bits: nobody guesses them, and a plain hash is as good as a slow one.
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Token:
    """A token as the technician has it. `str` gives it in one word."""

    id: str
    secret: str
    fingerprint: str

    def __str__(self) -> str:
        return f"{self.id}.{self.secret}.{self.fingerprint}"

    def __repr__(self) -> str:
        # The secret stays out of logs.
        return f"Token({self.id})"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the token in a text.

        Raises:
            TokenError: it is none.
        """
        found = _FORM.match(text.strip())
        if found is None:
            raise TokenError(
                "this is no token: it has three parts with dots between, as gatepost pki token"
                " prints it; copy it whole"
            )
        return cls(*found.groups())


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token as the authority keeps it."""

    gate: str
    secret_sha256: str
    expires_utc: datetime
    key_sha256: str = ""
    serial: str = ""


def make_token(authority: Authority, gate: str, lifetime: timedelta = TOKEN_LIFETIME) -> Token:
    """Make a token for a gate of the authority's site; forget those that have expired.

    Raises:
        PkiNameError: no gate can be named so.
        PkiFileError: the disk does not take it.
    """
    profiles.gate_name(authority.site, gate)
    token = Token(secrets.token_hex(8), secrets.token_urlsafe(_SECRET_BYTES), authority.fingerprint)
    record = _Record(
        gate=gate,
        secret_sha256=_hash(token.secret),
        expires_utc=authority.now_utc() + lifetime,
    )
    with locked(authority.folder):
        _forget_expired(authority)
        _write(_path(authority, token.id), record)
    return token


def redeem(authority: Authority, token_id: str, secret: str, request: bytes) -> Issued:
    """Return the certificate that a token is good for.

    Args:
        authority: whose token it is.
        token_id: its first part.
        secret: its second part.
        request: PKCS #10, DER.

    Raises:
        TokenError: the token does not count, or not for this key.
        PkiRequestError: it is no request of this token's gate. The token is not used up.
        PkiFileError: the disk does not take it. The token is not used up.
    """
    with locked(authority.folder):
        record = _record(authority, token_id)
        # Compared also where there is none: how long it takes tells nobody which ids there are.
        held = record.secret_sha256 if record else _hash("")
        if not hmac.compare_digest(held, _hash(secret)) or record is None:
            raise TokenError(f"token {token_id[:16]!r}: unknown, or with another secret")
        if authority.now_utc() > record.expires_utc:
            raise _refused(token_id, f"has expired on {record.expires_utc:%Y-%m-%d %H:%M} UTC")
        key = read_request(request, authority.site, record.gate)
        key_sha256 = sha256(profiles.spki(key)).hexdigest()
        if record.serial:
            return _again(authority, token_id, record, key_sha256)
        made = authority.issue_gate(record.gate, key)
        _write(
            _path(authority, token_id),
            msgspec.structs.replace(record, key_sha256=key_sha256, serial=f"{made.serial:x}"),
        )
    return made


@dataclass(frozen=True, slots=True)
class Waiting:
    """A token that nobody has used yet."""

    id: str
    gate: str
    expires_utc: datetime


def waiting(authority: Authority) -> list[Waiting]:
    """Return the tokens that can still be used for a new key.

    Raises:
        PkiFileError: one cannot be read.
    """
    now_utc = authority.now_utc()
    found = [(path.stem, _read(path)) for path in _paths(authority)]
    return [
        Waiting(name, record.gate, record.expires_utc)
        for name, record in found
        if not record.serial and record.expires_utc >= now_utc
    ]


def forget(authority: Authority, gate: str) -> int:
    """Forget every token of a gate, used or not; return how many there were.

    Raises:
        PkiFileError: one cannot be read.
    """
    with locked(authority.folder):
        paths = [path for path in _paths(authority) if _read(path).gate == gate]
        for path in paths:
            path.unlink(missing_ok=True)
    return len(paths)


def _again(authority: Authority, token_id: str, record: _Record, key_sha256: str) -> Issued:
    made = authority.by_serial(int(record.serial, 16))
    if record.key_sha256 != key_sha256 or made is None or made.revoked_utc is not None:
        raise _refused(token_id, "was used before; if not by this gate, revoke what it got")
    return made


def _refused(token_id: str, why: str) -> TokenError:
    return TokenError(f"token {token_id}: {why}", public=f"the token {why}; ask for a new one")


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _path(authority: Authority, token_id: str) -> Path:
    return authority.folder / "tokens" / f"{token_id}.json"


def _paths(authority: Authority) -> list[Path]:
    return sorted((authority.folder / "tokens").glob("*.json"))


def _record(authority: Authority, token_id: str) -> _Record | None:
    # The id comes from a stranger, and names a file.
    if not _ID.match(token_id):
        return None
    path = _path(authority, token_id)
    return _read(path) if path.exists() else None


def _read(path: Path) -> _Record:
    try:
        return msgspec.json.decode(read_file(path), type=_Record)
    except ValueError as error:
        raise PkiFileError(f"{path}: no token: {error}; delete it") from error


def _write(path: Path, record: _Record) -> None:
    write_file(path, msgspec.json.encode(record))


def _forget_expired(authority: Authority) -> None:
    now_utc = authority.now_utc()
    for path in _paths(authority):
        if _read(path).expires_utc < now_utc:
            path.unlink(missing_ok=True)
