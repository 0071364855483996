"""The trust list: whose passes and certificates count here, and which no longer do.

One document of the site, signed by a root key whose public part is in the gate's settings. Each
has a number, and a gate goes on to a higher one only. See services/CREDENTIALS.md.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Meta, Struct

from gatepost_services.credentials import cbor, cose
from gatepost_services.credentials.claims import ID_BYTES
from gatepost_services.credentials.errors import CredentialError
from gatepost_services.credentials.keys import (
    KeysById,
    KeyUnusableError,
    TrustedKey,
    Use,
    by_id,
    public_key,
)
from gatepost_services.credentials.signing import PrivateKey, kid_of, spki
from gatepost_services.state_file import StateFileError, read_state, write_state

# What tells a list from anything else that the root might sign.
_TYPE = "gatepost-trust-list"
# A server's clock may be so much ahead of the gate's; more, and nobody knows how old a list is.
_MAX_AHEAD = timedelta(days=1)
_LAST_S = 253_402_300_799  # the end of the year 9999

_Time = Annotated[int, Meta(ge=0, le=_LAST_S)]
_Kid = Annotated[bytes, Meta(min_length=1, max_length=64)]
_PassId = Annotated[bytes, Meta(min_length=ID_BYTES, max_length=ID_BYTES)]


class TrustError(ValueError):
    """A trust list that is not taken. The text says why, and what to do."""


class _KeyEntry(Struct, frozen=True):
    kid: _Kid
    spki: bytes
    use: list[str]
    not_before: _Time
    not_after: _Time


class _Document(Struct, frozen=True):
    type: str
    site: str
    version: Annotated[int, Meta(ge=1)]
    issued: _Time
    keys: list[_KeyEntry]
    revoked_keys: list[_Kid] = []
    revoked_passes: list[_PassId] = []


@dataclass(frozen=True, slots=True)
class TrustList:
    """What a list says.

    Attributes:
        site: whose it is.
        version: its number; it only grows.
        issued_utc: when it was signed.
        keys: all of them, revoked ones too, in its order.
        revoked_keys: the kids of keys that no longer count, whatever their times.
        revoked_passes: the ids of passes that no longer count.
        digest: the SHA-256 of the file; b"" of one that was not signed yet.
    """

    site: str
    version: int
    issued_utc: datetime
    keys: tuple[TrustedKey, ...]
    revoked_keys: frozenset[bytes] = frozenset()
    revoked_passes: frozenset[bytes] = frozenset()
    digest: bytes = b""

    def believed(self) -> KeysById:
        """Return the keys that are not revoked."""
        return by_id(key for key in self.keys if key.kid not in self.revoked_keys)


class Freshness(NamedTuple):
    """How old a list is, None where no clock says; and whether that is too old to go by."""

    age: timedelta | None
    is_stale: bool


def freshness(held: TrustList, now_utc: datetime | None, max_age: timedelta | None) -> Freshness:
    """Return how old a list is. `max_age` None: no list is too old.

    Of a list from more than a day ahead, and without a clock, nobody can say that it is fresh.
    """
    age = None if now_utc is None else now_utc - held.issued_utc
    if max_age is None:
        return Freshness(age, is_stale=False)
    return Freshness(age, is_stale=age is None or age > max_age or age < -_MAX_AHEAD)


def issue(trust: TrustList, root: PrivateKey) -> bytes:
    """Return the signed document of a list.

    Raises:
        TrustError: no gate would take it.
    """
    document = {
        "type": _TYPE,
        "site": trust.site,
        "version": trust.version,
        "issued": int(trust.issued_utc.timestamp()),
        "keys": [_entry(key) for key in trust.keys],
        "revoked_keys": sorted(trust.revoked_keys),
        "revoked_passes": sorted(trust.revoked_passes),
    }
    data = cose.sign(cbor.encode(document), root, kid_of(root.public_key()))
    read(data, roots=(root.public_key(),), site=trust.site)
    return data


def read(data: bytes, *, roots: Sequence[Ed25519PublicKey], site: str) -> TrustList:
    """Return the list in a signed document.

    Args:
        data: a COSE_Sign1 message.
        roots: any of these must have signed it; two while one follows the other.
        site: whose it must be.

    Raises:
        TrustError: it is none, or not signed by a root, or of another site.
    """
    try:
        message = cose.parse(data)
        if not any(cose.is_signed_by(message, root) for root in roots):
            raise TrustError(
                "not signed by the root key of [passes] root_key; sign it with that key"
            )
        document = msgspec.convert(cbor.decode(message.payload), _Document, builtin_types=(bytes,))
    except (CredentialError, msgspec.ValidationError) as error:
        raise TrustError(f"no trust list: {error}; make it with `gatepost trust issue`") from None
    if document.type != _TYPE:
        raise TrustError(f"no trust list, but {document.type!r}")
    if document.site != site:
        raise TrustError(f"for the site {document.site!r}; this gate is of {site!r}")
    return TrustList(
        site=document.site,
        version=document.version,
        issued_utc=_utc(document.issued),
        keys=tuple(_keys(document.keys)),
        revoked_keys=frozenset(document.revoked_keys),
        revoked_passes=frozenset(document.revoked_passes),
        digest=sha256(data).digest(),
    )


def check_succession(held: TrustList | None, offered: TrustList) -> None:
    """Return if a list may follow, or repeat, the one that is held.

    Raises:
        TrustError: it is older, or another one of the same number.
    """
    if held is None or offered.version > held.version:
        return
    if offered.version < held.version:
        raise TrustError(
            f"version {offered.version}: this gate holds {held.version}, and never goes back; "
            f"issue it again as version {held.version + 1} or more"
        )
    if offered.digest != held.digest:
        raise TrustError(
            f"version {offered.version}: this gate holds another list of that number; "
            f"issue it again as version {held.version + 1} or more"
        )


class TrustFile:
    """The list that a gate holds, in a file: replaced whole, and never by a bad one.

    Attributes:
        held: the last good list; None where there was none yet.
        problem: why the file, as it is now, is not what is held; None: it is.
    """

    def __init__(self, path: Path, roots: Sequence[Ed25519PublicKey], site: str) -> None:
        self.held: TrustList | None = None
        self.problem: str | None = None
        self._path = path
        self._roots = tuple(roots)
        self._site = site
        self._seen: tuple[int, ...] | None = None
        self._keys: KeysById = by_id(())
        self.refresh()

    @property
    def keys(self) -> KeysById:
        """The keys that count, by their ids."""
        return self._keys

    def refresh(self) -> None:
        """Read the file again if it was replaced. A bad one changes `problem` alone."""
        stamp = self._stamp()
        if self._seen is not None and stamp == self._seen:
            return
        self._seen = stamp
        try:
            self._hold(self._checked(read_state(self._path)))
        except (TrustError, StateFileError) as error:
            text = str(error)
            named = text if text.startswith(str(self._path)) else f"{self._path}: {text}"
            self.problem = f"{named}{self._rest()}"
        else:
            self.problem = None

    def install(self, data: bytes) -> TrustList:
        """Check a list, write it in place of the one that is held, and go by it.

        Raises:
            TrustError: it is not taken; the one that is held stays, on disk too.
            StateFileError: it cannot be written.
        """
        self.refresh()
        offered = self._checked(data)
        write_state(self._path, data)
        self._seen = self._stamp()
        self._hold(offered)
        self.problem = None
        return offered

    def _checked(self, data: bytes | None) -> TrustList:
        if data is None:
            raise TrustError("there is no trust list; `gatepost trust install` one")
        offered = read(data, roots=self._roots, site=self._site)
        check_succession(self.held, offered)
        return offered

    def _hold(self, taken: TrustList) -> None:
        self.held = taken
        self._keys = taken.believed()

    def _rest(self) -> str:
        return f"; version {self.held.version} stays in force" if self.held else ""

    def _stamp(self) -> tuple[int, ...]:
        # The inode too: each is written beside the last one, and renamed.
        with suppress(OSError):
            found = self._path.stat()
            return (found.st_ino, found.st_size, found.st_mtime_ns)
        return ()


def _entry(key: TrustedKey) -> dict[str, Any]:
    return {
        "kid": key.kid,
        "spki": spki(key.key),
        "use": sorted(key.uses),
        "not_before": int(key.not_before_utc.timestamp()),
        "not_after": int(key.not_after_utc.timestamp()),
    }


def _keys(entries: Iterable[_KeyEntry]) -> Iterable[TrustedKey]:
    known = {use.value: use for use in Use}
    for number, entry in enumerate(entries, start=1):
        try:
            key = public_key(entry.spki)
        except KeyUnusableError as error:
            raise TrustError(f"key {number} of the list: {error}") from None
        # A word of a newer server is a use that this gate has none of.
        uses = frozenset(known[word] for word in entry.use if word in known)
        yield TrustedKey(entry.kid, key, uses, _utc(entry.not_before), _utc(entry.not_after))


def _utc(at_s: int) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
