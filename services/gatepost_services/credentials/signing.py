"""Keys on the side that signs: made, kept in files for their owner alone, named by a kid."""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from gatepost_services.credentials.cose import PublicKey

SECRET_BYTES = 32
_KEY_BYTES = 32  # RFC 8032, 5.1.5
_KID_BYTES = 8
_MODE = 0o600
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MOST_BYTES = 4096

PrivateKey: TypeAlias = Ed25519PrivateKey
PublicEd25519Key: TypeAlias = Ed25519PublicKey
_Read = TypeVar("_Read")


class KeyFileError(OSError):
    """A file of a key or a secret cannot be made or used. The text never quotes what is in it."""


def new_key() -> PrivateKey:
    """Return a fresh Ed25519 key."""
    return Ed25519PrivateKey.generate()


def key_of_seed(seed: bytes) -> PrivateKey:
    """Return the key that these 32 bytes are (RFC 8032, 5.1.5): for test vectors."""
    return Ed25519PrivateKey.from_private_bytes(seed)


def spki(key: PublicKey) -> bytes:
    """Return a public key as SubjectPublicKeyInfo, DER (RFC 5280, 4.1.2.7; RFC 8410, 4)."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def kid_of(key: PublicKey) -> bytes:
    """Return the id of a key: the first eight bytes of the SHA-256 of its SubjectPublicKeyInfo."""
    return sha256(spki(key)).digest()[:_KID_BYTES]


def hex_of(key: Ed25519PublicKey) -> str:
    """Return the 32 bytes of a public key in hexadecimal, as settings hold it."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def key_of_hex(text: str) -> Ed25519PublicKey:
    """Return the public key of `hex_of`.

    Raises:
        ValueError: not 64 hexadecimal digits.
    """
    raw = bytes.fromhex(text)
    if len(raw) != _KEY_BYTES:
        raise ValueError(f"a public key of {len(raw)} bytes; Ed25519 has {_KEY_BYTES}")
    return Ed25519PublicKey.from_public_bytes(raw)


def write_key(path: Path, key: PrivateKey) -> None:
    """Write a private key into a new file, PKCS #8 in PEM (RFC 5958), for its owner alone.

    Raises:
        KeyFileError: it is there already, or cannot be written.
    """
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write_new(path, pem)


def read_key(path: Path) -> PrivateKey:
    """Return the private key in a file of `write_key`, or of `openssl genpkey`.

    Raises:
        KeyFileError: it cannot be read, others may read it, or it is no Ed25519 key.
    """
    return _read_own(path, _parsed_key)


def write_secret(path: Path, secret: bytes) -> None:
    """Write a secret into a new file, in hexadecimal, for its owner alone.

    Raises:
        KeyFileError: as `write_key`.
    """
    _write_new(path, secret.hex().encode("ascii") + b"\n")


def read_secret(path: Path) -> bytes:
    """Return the 32 bytes in a file of `write_secret`.

    Raises:
        KeyFileError: it cannot be read, others may read it, or it is no such secret.
    """
    return _read_own(path, _parsed_secret)


def _parsed_key(pem: bytes) -> PrivateKey:
    with suppress(ValueError, TypeError, UnsupportedAlgorithm):
        key = load_pem_private_key(pem, None)
        if isinstance(key, Ed25519PrivateKey):
            return key
    raise ValueError("no Ed25519 private key in PEM without a passphrase; see `pass keygen`")


def _parsed_secret(text: bytes) -> bytes:
    with suppress(ValueError):
        secret = bytes.fromhex(text.decode("ascii").strip())
        if len(secret) == SECRET_BYTES:
            return secret
    raise ValueError(
        f"no secret of {2 * SECRET_BYTES} hexadecimal digits; see `pass keygen --step`"
    )


def _write_new(path: Path, content: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise KeyFileError(f"{path}: exists; a key is never overwritten, name another") from error
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be written: {error.strerror}") from error


def _read_own(path: Path, parsed: Callable[[bytes], _Read]) -> _Read:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_MOST_BYTES)
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be read: {error.strerror}") from error
    if mode & _OTHERS:
        raise KeyFileError(
            f"{path}: others may use it (mode {stat.S_IMODE(mode):04o}); chmod 600 it,"
            " and make another if somebody may have read it"
        )
    try:
        return parsed(content)
    except ValueError as error:
        raise KeyFileError(f"{path}: {error}") from None
