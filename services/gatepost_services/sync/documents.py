"""The letter by which a server says what a gate's document is to be, and how its content comes.

A letter is a signed text (`commands.jws`, typ "gatepost-desired+jwt"), retained on
`gatepost/<site>/<gate>/desired/<document>`. The link reads its form alone; only the gate says
whether it counts. Pure, and without cryptography: the link has no use for that.
"""

import binascii
from base64 import urlsafe_b64decode
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Literal, NamedTuple, get_args

import msgspec
from msgspec import Meta, Struct

from gatepost_services.contract.events import event_source

TYP = "gatepost-desired+jwt"
DocumentKind = Literal["trust", "regime", "roster"]
# In the order in which they are fetched: keys first, for they sign the others; the largest last.
KINDS: tuple[DocumentKind, ...] = get_args(DocumentKind)
# What a gate takes at the most, in bytes.
MOST_BYTES = MappingProxyType(
    {"trust": 1_000_000, "regime": 256 * 1024, "roster": 64 * 1024 * 1024}
)
MOST_LETTER_BYTES = 4096
CHUNK_BYTES = 8 * 1024
# One request asks for so much: the link keeps 16 messages, and others than chunks come as well.
MOST_ASKED_BYTES = 8 * CHUNK_BYTES
MAX_VERSION = 2**53 - 1  # what every JSON reads exactly
_MAX_SIZE = 2**53 - 1
_LAST_S = 253_402_300_799
_DIGEST_FORM = r"^[0-9a-f]{64}\Z"
_SIGNATURE_BYTES = 64
_PARTS = 3

Digest = Annotated[str, Meta(pattern=_DIGEST_FORM)]
Version = Annotated[int, Meta(ge=1, le=MAX_VERSION)]


class Why(StrEnum):
    """Why a document is not taken."""

    MALFORMED = "malformed"  # the letter is none
    WRONG_GATE = "wrong_gate"
    NOT_NEWER = "not_newer"
    WRONG_BASE = "wrong_base"  # a delta for another roster than the one here
    TOO_LARGE = "too_large"
    MISSING = "missing"  # the link did not bring it, or three times something else
    DIGEST = "digest"  # what the link brought is something else
    INVALID = "invalid"
    NO_ORDER = "no_order"  # a regime, for a gate that obeys none
    NO_KEY = "no_key"  # a roster, for a gate without the site's key; a trust list without a root
    DISK = "disk"
    BUSY = "busy"  # somebody else changes the same
    FAILED = "failed"  # what applies it died


class DocumentError(ValueError):
    """A document that is not taken; `why` is a word, the text says more and quotes no content."""

    def __init__(self, why: Why, detail: str) -> None:
        super().__init__(detail)
        self.why = why


class Desired(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The payload of a letter.

    Attributes:
        document: which.
        version: higher than that of the one before; a rollback is the old content with a new one.
        digest: the content's SHA-256, in hexadecimal.
        bytes: how many it has.
        aud: whose it is: the `source` of a gate's events, or of a site, without the gate.
        iat: when it was signed, POSIX seconds.
        mode: a whole document, or what changes (a roster's alone).
        base_version: of a delta: the version that it changes.
    """

    document: DocumentKind
    version: Version
    digest: Digest
    bytes: Annotated[int, Meta(ge=1, le=_MAX_SIZE)]
    aud: Annotated[str, Meta(min_length=1, max_length=200)]
    iat: Annotated[int, Meta(ge=0, le=_LAST_S)]
    mode: Literal["whole", "delta"] = "whole"
    base_version: Version | None = None

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"{self.document} document, version {self.version}"


class Fetch(Struct, frozen=True, forbid_unknown_fields=True):
    """What the link asks for: some of the bytes of a content, from an offset on."""

    digest: Digest
    offset: Annotated[int, Meta(ge=0, le=_MAX_SIZE)]
    bytes: Annotated[int, Meta(ge=1, le=MOST_ASKED_BYTES)]


class Held(NamedTuple):
    """Which document a gate has: its version, and the digest by which it is known."""

    version: int
    digest: str


class _Header(Struct, frozen=True, forbid_unknown_fields=True):
    alg: str
    kid: str
    typ: str


def decode(payload: bytes) -> Desired:
    """Return what the payload of a letter says.

    Raises:
        DocumentError: it is none (MALFORMED).
    """
    try:
        found = msgspec.json.decode(payload, type=Desired)
    except (msgspec.DecodeError, RecursionError) as error:
        raise DocumentError(Why.MALFORMED, f"no desired document: {error}") from None
    if (found.mode == "delta") is not (found.base_version is not None):
        raise DocumentError(Why.MALFORMED, "base_version is for a delta, which must have one")
    if found.mode == "delta" and found.document != "roster":
        raise DocumentError(Why.MALFORMED, f"a delta of a {found.document}; only a roster has them")
    return found


def read_unverified(letter: bytes) -> Desired:
    """Return what a letter says, with nobody's word for it: for the link, which only fetches.

    Raises:
        DocumentError: it has not the form of a letter (MALFORMED).
    """
    if len(letter) > MOST_LETTER_BYTES:
        raise DocumentError(Why.MALFORMED, f"{len(letter)} bytes; at most {MOST_LETTER_BYTES}")
    parts = letter.split(b".")
    if len(parts) != _PARTS:
        raise DocumentError(Why.MALFORMED, "not three parts with dots between")
    try:
        header = msgspec.json.decode(_plain(parts[0]), type=_Header)
    except (msgspec.DecodeError, RecursionError):
        raise DocumentError(Why.MALFORMED, "its header is none of ours") from None
    if (header.alg, header.typ) != ("EdDSA", TYP):
        raise DocumentError(Why.MALFORMED, f'its header is not "EdDSA", "{TYP}"')
    if len(_plain(parts[2])) != _SIGNATURE_BYTES:
        raise DocumentError(Why.MALFORMED, "its signature is none of Ed25519")
    return decode(_plain(parts[1]))


def objection(desired: Desired, held: Held | None) -> Why | None:
    """Return what speaks against a document that follows the one that is held, if anything.

    Args:
        desired: what is wanted.
        held: what is there; None: nothing that a version could be compared with.
    """
    version = held.version if held else 0
    if desired.version <= version:
        return Why.NOT_NEWER
    if desired.mode == "delta" and desired.base_version != version:
        return Why.WRONG_BASE
    if desired.bytes > MOST_BYTES[desired.document]:
        return Why.TOO_LARGE
    return None


def is_for(desired: Desired, site: str, gate: str) -> bool:
    """Return whether a document is meant for a gate, or for all of its site."""
    source = event_source(site, gate)
    return desired.aud in (source, source.rpartition("/")[0])


# ------------------------------------------------------------------------------------------ topics


def desired_topic(site: str, gate: str, document: DocumentKind | Literal["+"]) -> str:
    """Return where a letter stands, retained; "+": any document's."""
    return f"{event_source(site, gate)[1:]}/desired/{document}"


def fetch_topic(site: str, gate: str) -> str:
    """Return where the link asks for content."""
    return f"{event_source(site, gate)[1:]}/fetch"


def chunks_topic(site: str, gate: str) -> str:
    """Return what the link subscribes to, for content."""
    return f"{event_source(site, gate)[1:]}/chunk/+/+"


def chunk_topic(site: str, gate: str, digest: str, offset: int) -> str:
    """Return where a server puts a chunk: at most `CHUNK_BYTES`, as they are, never retained."""
    return f"{event_source(site, gate)[1:]}/chunk/{digest}/{offset}"


def chunk_of(topic: str) -> tuple[str, int] | None:
    """Return digest and offset of a chunk's topic, None for another one."""
    *_, kind, digest, offset = ("", "", *topic.split("/"))
    if kind != "chunk" or not (offset.isascii() and offset.isdigit()) or len(offset) > 16:  # noqa: PLR2004 - 2**53 has 16 digits
        return None
    return digest, int(offset)


def _plain(text: bytes) -> bytes:
    try:
        return urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise DocumentError(Why.MALFORMED, "not base64url (RFC 7515, 2)") from None
