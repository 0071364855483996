"""What a signed pass says, and its form as a CBOR Web Token (CWT, RFC 8392).

Claims of others are ignored, as RFC 8392 (3) asks. Of ours, those with a number below
`_FIRST_REMARK` restrict what a pass is good for: one that this gate does not know refuses the pass.
"""

import re
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from gatepost_services.credentials import cbor
from gatepost_services.credentials.errors import CredentialError, Refusal

ID_BYTES = 16
MAX_USES = 1000
_LAST_S = 253_402_300_799  # the end of the year 9999, which is the last that datetime has

# Whom the documents speak of: the words of `gatepost.core.facts.Category`.
Category = Literal[
    "resident", "tenant", "returned_resident", "visitor", "courier", "vehicle", "property_staff",
    "sanitation", "medical", "epidemic_control", "supply", "emergency", "works", "released",
    "close_contact", "sealed_building", "guardian", "unknown",
]  # fmt: skip
CATEGORIES: tuple[str, ...] = get_args(Category)
CodeWord = Literal["green", "yellow", "red", "unknown"]
_CODE_WORDS: tuple[str, ...] = get_args(CodeWord)
Direction = Literal["entry", "exit"]

# The name of a site or gate, as in its settings.
_Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}\Z")]
_Text = Annotated[str, Meta(pattern=r"^\S{1,64}\Z")]
_Instant = Annotated[datetime, Meta(tz=True)]


class DatedCode(Struct, frozen=True, forbid_unknown_fields=True):
    """A health code or a trip card, and as of when."""

    code: CodeWord
    as_of_utc: _Instant


class DatedTest(Struct, frozen=True, forbid_unknown_fields=True):
    """A nucleic acid test: negative, or sampled and without a result yet; when the sample was."""

    kind: Literal["negative", "sampled"]
    taken_utc: _Instant


class SignedPass(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The claims of a pass. Instants have a time zone, and count in whole seconds.

    Raises:
        ValueError: a counted pass without an end, an end that is not after the beginning, a text
            that cannot be shown. Types and ranges are checked by `of_cwt` and `of_document`.

    Attributes:
        id: of this pass alone; what is revoked, and what uses are counted by (cti).
        subject: whose it is: an opaque id, never a name (sub).
        site: where it is good for anything (aud).
        issued_utc: when it was made (iat).
        issuer: who made it (iss).
        not_before_utc: from when on it counts, this instant included (nbf).
        expires_utc: until when, this instant not included (exp).
        category: whose kind the holder is of. What this gate has no word for is "unknown".
        household: an opaque id, where outings are counted.
        gates: where at the site; () is everywhere.
        direction: which way; None is both.
        uses: how often it lets somebody through, one way once; None is not counted.
        escort: whether somebody has to bring the holder in; a text is the subject of who must.
        health_code: what was verified of the holder's health code, and when.
        trip_card: the same of the trip card.
        test: the newest test.
        registered: whether the holder is registered with the community.
        risk_area_utc: when the holder last was in a risk area.
        step_s: how long a shown code counts, for a pass that is only good with its step.
    """

    id: Annotated[bytes, Meta(min_length=ID_BYTES, max_length=ID_BYTES)]
    subject: _Text
    site: _Name
    issued_utc: _Instant
    category: Category
    issuer: _Text | None = None
    not_before_utc: _Instant | None = None
    expires_utc: _Instant | None = None
    household: _Text | None = None
    gates: Annotated[tuple[_Name, ...], Meta(max_length=32)] = ()
    direction: Direction | None = None
    uses: Annotated[int, Meta(ge=1, le=MAX_USES)] | None = None
    escort: bool | _Text = False
    health_code: DatedCode | None = None
    trip_card: DatedCode | None = None
    test: DatedTest | None = None
    registered: bool | None = None
    risk_area_utc: _Instant | None = None
    step_s: Annotated[int, Meta(ge=10, le=300)] | None = None

    def __post_init__(self) -> None:
        if self.uses is not None and self.expires_utc is None:
            raise ValueError("uses: a counted pass must expire, or it is remembered for ever")
        begins = self.not_before_utc or self.issued_utc
        if self.expires_utc is not None and self.expires_utc <= begins:
            raise ValueError("expires_utc: not after not_before_utc, or issued_utc without one")
        for name in ("subject", "issuer", "household", "escort"):
            text = getattr(self, name)
            if isinstance(text, str) and not text.isprintable():
                raise ValueError(f"{name}: must be printable")

    @property
    def has_times(self) -> bool:
        """Return whether it begins or ends."""
        return self.not_before_utc is not None or self.expires_utc is not None


# RFC 8392, table 1.
_REGISTERED = MappingProxyType(
    {
        1: "issuer",
        2: "subject",
        3: "site",
        4: "expires_utc",
        5: "not_before_utc",
        6: "issued_utc",
        7: "id",
    }
)
# A map of ours under one claim: integers below -65536 are for private use (RFC 8392, 9.1).
_OURS = -65537
_OWN = MappingProxyType(
    {
        1: "category",
        2: "household",
        3: "gates",
        4: "direction",
        5: "uses",
        6: "escort",
        7: "health_code",
        8: "trip_card",
        9: "test",
        10: "registered",
        11: "risk_area_utc",
        12: "step_s",
    }
)
_FIRST_REMARK = 100
_INSTANTS = ("expires_utc", "not_before_utc", "issued_utc", "risk_area_utc")
_DATED = MappingProxyType({"health_code": DatedCode, "trip_card": DatedCode, "test": DatedTest})
_PLAIN = (bytes, datetime)  # what msgspec is not to make of texts
_WHERE = re.compile(r"\$\.(\w+)")


def of_cwt(payload: bytes) -> SignedPass:
    """Return the claims in a CWT.

    Raises:
        CredentialError: FORMAT, SIZE. It names the claim and quotes nothing.
    """
    claims = cbor.decode(payload)
    own = claims.get(_OURS) if isinstance(claims, dict) else None
    if not isinstance(own, dict):
        raise CredentialError(Refusal.FORMAT, f"no pass: no map in claim {_OURS}")
    for key in own:
        # Not isinstance: True is an int, and equal to 1.
        if type(key) is not int or (key not in _OWN and key < _FIRST_REMARK):
            raise CredentialError(
                Refusal.FORMAT, "a restriction that this gate does not know; update it"
            )
    named = {name: claims[key] for key, name in _REGISTERED.items() if key in claims}
    named |= {name: own[key] for key, name in _OWN.items() if key in own}
    if None in named.values():
        raise CredentialError(Refusal.FORMAT, "no pass: a claim of nothing; leave it out")
    try:
        return msgspec.convert(_understood(named), SignedPass, builtin_types=_PLAIN)
    except msgspec.ValidationError as error:
        # Not its words: they may quote the claim.
        found = _WHERE.search(str(error))
        what = f"claim {found[1]}" if found else "claims that are missing, or contradict"
        raise CredentialError(Refusal.FORMAT, f"no pass: {what}") from None


def to_cwt(claims: SignedPass) -> bytes:
    """Return the claims as deterministic CBOR: the same claims, the same bytes."""
    plain = {name: _plain(value) for name, value in _said(claims).items()}
    registered = {key: plain[name] for key, name in _REGISTERED.items() if name in plain}
    own = {key: plain[name] for key, name in _OWN.items() if name in plain}
    return cbor.encode({**registered, _OURS: own})


def of_document(document: dict[str, Any]) -> SignedPass:
    """Return the claims in a JSON document: instants as RFC 3339, `id` in hexadecimal.

    A code is {"code": "green", "as_of_utc": ...}, a test {"kind": "negative", "taken_utc": ...}.

    Raises:
        ValueError: it names the claim, what is allowed, and what was there.
    """
    given = dict(document)
    if isinstance(given.get("id"), str):
        try:
            given["id"] = bytes.fromhex(given["id"])
        except ValueError:
            raise ValueError(f"id: not {2 * ID_BYTES} hexadecimal digits") from None
    return msgspec.convert(given, SignedPass, builtin_types=(bytes,))


def to_document(claims: SignedPass) -> dict[str, Any]:
    """Return the JSON document of `of_document`, with the claims that say something."""
    document: dict[str, Any] = msgspec.to_builtins({**_said(claims), "id": claims.id.hex()})
    return document


def _said(claims: SignedPass) -> dict[str, Any]:
    """Return the claims but those that say no more than their absence."""
    return {
        name: value
        for name in SignedPass.__struct_fields__
        if (value := getattr(claims, name)) is not None
        and value != ()
        and not (name == "escort" and value is False)
    }


def _understood(named: dict[str, Any]) -> dict[str, Any]:
    """Return claims with instants in place of numbers, and words that are known."""
    for name in _INSTANTS:
        if name in named:
            named[name] = _instant(named[name])
    for name, shape in _DATED.items():
        if isinstance(named.get(name), list) and len(named[name]) == len(shape.__struct_fields__):
            word, at_s = named[name]
            if shape is DatedCode and isinstance(word, str) and word not in _CODE_WORDS:
                word = "unknown"
            named[name] = dict(zip(shape.__struct_fields__, (word, _instant(at_s)), strict=True))
    category = named.get("category")
    if isinstance(category, str) and category not in CATEGORIES:
        named["category"] = "unknown"
    return named


def _instant(at_s: object) -> object:
    """Return a NumericDate (RFC 8392, 2) in whole seconds as a datetime; else what it was."""
    if isinstance(at_s, int) and not isinstance(at_s, bool) and 0 <= at_s <= _LAST_S:
        return datetime.fromtimestamp(at_s, UTC)
    return at_s


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return int(value.timestamp())
        case DatedCode() | DatedTest():
            return [_plain(each) for each in msgspec.structs.astuple(value)]
        case tuple():
            return [*value]
        case _:
            return value
