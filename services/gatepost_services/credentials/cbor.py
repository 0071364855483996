"""CBOR (RFC 8949) from strangers: plain data only, shallow, bounded, complete."""

import io
import math
from collections.abc import Callable
from typing import Any, Never, cast

import cbor2

from gatepost_services.credentials.errors import CredentialError, Refusal

# A certificate has five levels; real claims need no more.
MAX_DEPTH = 12
# Beyond what claims are counted or dated in: RFC 8949, 3.4.3 would allow integers of any length.
_MAX_INT = 2**53


# Text and numbers that say they are dates (RFC 8949, 3.4.1 and 3.4.2; RFC 8943): hcert issuers may
# tag the time of a sample so, and verifiers must read it with the tag and without.
DATE_TAGS = frozenset({0, 1, 1004})
NO_TAGS: frozenset[int] = frozenset()


class _Tags(dict[int, Callable[..., Any]]):
    """Every tag's decoder: some tags change nothing, the others are refused.

    cbor2 asks by index, so that a missing key can answer for all of them.
    """

    def __missing__(self, tag: int) -> Callable[..., Never]:
        return _refuse_tag


def _refuse_tag(*_: object) -> Never:
    raise CredentialError(Refusal.FORMAT, "a CBOR tag that no claim needs")


def _bare(value: object, *_: object) -> object:
    """Return what is in a tag, as if there were none; what it may be is for others to say."""
    return value


def decode(data: bytes, *, tags: frozenset[int] = NO_TAGS) -> Any:
    """Return what is in the bytes: None, bool, int, float, str, bytes, list, dict.

    Args:
        data: one CBOR data item, and nothing after it.
        tags: those that may be around a value, which is returned without them.

    Raises:
        CredentialError: FORMAT: not CBOR, bytes after it, a key twice, another tag, a value that is
            no data (undefined, not a number); SIZE: nested deeper than MAX_DEPTH, or an integer
            beyond 2**53.
    """
    stream = io.BytesIO(data)
    try:
        value = cbor2.CBORDecoder(
            stream,
            semantic_decoders=cast("Any", _Tags(dict.fromkeys(tags, _bare))),
            max_depth=MAX_DEPTH,
            allow_duplicate_keys=False,
        ).decode()
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, RecursionError) as error:
        # Not chained: the library's errors quote the data.
        deep = "nesting" in str(error)
        kind = Refusal.SIZE if deep else Refusal.FORMAT
        raise CredentialError(kind, f"not plain CBOR: {type(error).__name__}") from None
    if stream.read(1):
        raise CredentialError(Refusal.FORMAT, "bytes after the end of CBOR")
    _check_plain(value)
    return value


def _check_plain(value: object) -> None:
    """Refuse what decodes and is no data. Not deeper than MAX_DEPTH: the decoder saw to that."""
    if isinstance(value, dict):
        for key, entry in value.items():
            _check_plain(key)
            _check_plain(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            _check_plain(entry)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise CredentialError(Refusal.FORMAT, "a number that is none")
    elif isinstance(value, int):  # bool, too
        if abs(value) > _MAX_INT:
            raise CredentialError(Refusal.SIZE, "an integer beyond 2**53")
    elif value is not None and not isinstance(value, (str, bytes)):
        raise CredentialError(Refusal.FORMAT, f"a {type(value).__name__}, which is no data")


def encode(value: object) -> bytes:
    """Return the value as deterministic CBOR (RFC 8949, 4.2): the same claims, the same bytes."""
    return cbor2.dumps(value, canonical=True)
