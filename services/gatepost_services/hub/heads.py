"""The signed head of a gate's journal, held against the events that came from it. Pure.

A gate says now and then, with its own key: my newest event has this number and this hash. A link
or a broker that keeps the newest events back, or puts others in their place, cannot say so.
The key comes with `reported`, and the first one counts for as long as the watch runs.
"""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from gatepost_services.commands.jws import JwsError, Kind, Signed, is_signed_by, parse
from gatepost_services.credentials.signing import key_of_hex
from gatepost_services.record import HASH_BYTES


class HeadError(ValueError):
    """No signed head of this gate."""


class _Claims(msgspec.Struct, frozen=True):
    source: str
    seq: Annotated[int, msgspec.Meta(ge=1)]
    hash: str


class Head(msgspec.Struct, frozen=True):
    """A head as it came. Nothing in it is to be believed before its signature was checked."""

    signed: Signed
    seq: int
    hash: bytes

    @classmethod
    def parse(cls, payload: bytes, source: str) -> "Head":
        """Return the head that a gate published.

        Raises:
            HeadError: it is none, or another gate's.
        """
        try:
            signed = parse(payload)
            claims = msgspec.json.decode(signed.payload, type=_Claims)
            digest = bytes.fromhex(claims.hash)
        except (JwsError, msgspec.DecodeError, ValueError) as error:
            raise HeadError(f"no signed head ({type(error).__name__})") from None
        if signed.kind is not Kind.HEAD or len(digest) != HASH_BYTES:
            raise HeadError("signed, and no head")
        if claims.source != source:
            raise HeadError("the head of another gate")
        return cls(signed, claims.seq, digest)


class HeadCheck:
    """The heads of one gate, its key, and whether they fit.

    Each method returns the verdict: "verified" (signed, and the event with that number has that
    hash), "signed" (and the event has not come to us), "no key" (that it could be checked with),
    "not signed by the gate", "another event" (the hash is not that of what came), "another key"
    (than at first); None where there is nothing to judge yet.
    """

    def __init__(self) -> None:
        self._key: str | None = None
        self._is_other_key = False
        self._head: Head | None = None
        self._is_signed = False

    @property
    def seq(self) -> int:
        """The number in the newest head, 0 for none."""
        return self._head.seq if self._head is not None else 0

    def forget(self) -> None:
        """There is no head any more."""
        self._head = None

    def know(self, key: str, hashes: Mapping[int, bytes]) -> str | None:
        """Take the gate's public key, in hexadecimal."""
        if self._key is None:
            self._key = key
        elif key != self._key:
            self._is_other_key = True
        return self._check(hashes)

    def take(self, head: Head, hashes: Mapping[int, bytes]) -> str | None:
        """Take a head; `hashes` are of the events that came, by their numbers."""
        self._head = head
        return self._check(hashes)

    def came(self, seq: int, own: bytes) -> str | None:
        """Take the hash of an event that came."""
        if self._head is None or seq != self._head.seq or not self._is_signed:
            return None
        return self._held_against(own)

    def _check(self, hashes: Mapping[int, bytes]) -> str | None:
        if self._is_other_key:
            return "another key"
        if self._head is None:
            return None
        if self._key is None:
            return "no key"
        try:
            keys = [key_of_hex(self._key)]
        except ValueError:
            return "no key"
        self._is_signed = is_signed_by(self._head.signed, keys)
        if not self._is_signed:
            return "not signed by the gate"
        known = hashes.get(self._head.seq)
        return "signed" if known is None else self._held_against(known)

    def _held_against(self, own: bytes) -> str:
        assert self._head is not None  # noqa: S101 - its callers have looked
        return "verified" if own == self._head.hash else "another event"
