"""Base45 (RFC 9285) around zlib (RFC 1950): how the bytes of a credential become a QR code."""

import zlib

import base45

from gatepost_services.credentials.errors import CredentialError, Refusal

# A QR code of version 40 holds 4,296 alphanumeric characters (ISO/IEC 18004, table 1).
MAX_TEXT = 4296
# The largest certificate of the public test data has 1.5 kB; this bounds what zlib may unpack.
MAX_BYTES = 16384
_RATIO_LEVEL = 9  # a code that is read once a day may take a millisecond more to make


def unwrap(text: str, prefix: str) -> bytes:
    """Return the bytes in a code of this prefix.

    Raises:
        CredentialError: FORMAT or SIZE.
    """
    return inflate(decode(strip(text, prefix)))


def strip(text: str, prefix: str) -> str:
    """Return a code without its prefix; the prefix is taken as it stands, capitals."""
    if not text.startswith(prefix):
        raise CredentialError(Refusal.FORMAT, f"does not begin with {prefix}")
    if len(text) > MAX_TEXT:
        raise CredentialError(Refusal.SIZE, f"{len(text)} characters; a QR code holds {MAX_TEXT}")
    return text.removeprefix(prefix)


def decode(text: str) -> bytes:
    """Return the bytes of a base45 text."""
    try:
        # As bytes: from a str the library would forgive line ends.
        return bytes(base45.b45decode(text.encode("ascii")))
    except ValueError:  # UnicodeEncodeError is one, too
        raise CredentialError(Refusal.FORMAT, "not base45 (RFC 9285)") from None


def inflate(data: bytes) -> bytes:
    """Return what zlib packed, of at most MAX_BYTES, with nothing after it."""
    unpacking = zlib.decompressobj()
    try:
        unpacked = unpacking.decompress(data, MAX_BYTES)
    except zlib.error:
        raise CredentialError(Refusal.FORMAT, "not zlib (RFC 1950)") from None
    if unpacking.unconsumed_tail:
        raise CredentialError(Refusal.SIZE, f"unpacks to more than {MAX_BYTES} bytes")
    if not unpacking.eof:
        raise CredentialError(Refusal.FORMAT, "zlib stops in the middle")
    if unpacking.unused_data:
        raise CredentialError(Refusal.FORMAT, "bytes after the end of zlib")
    return unpacked


def wrap(data: bytes, prefix: str) -> str:
    """Return the code that carries these bytes."""
    packed = zlib.compress(data, _RATIO_LEVEL)
    return prefix + str(base45.b45encode(packed), "ascii")
