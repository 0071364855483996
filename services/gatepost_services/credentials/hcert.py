"""Health certificates, HC1 (EU DCC, WHO GDHCN): from the text of a QR code to what a gate needs.

    text -> unprefixed -> base45 -> zlib -> COSE -> signature -> CWT claims -> schema -> use, time

after the Electronic Health Certificate Specification of the eHealth Network (hcert-spec, 1.0.8).
Each step is a function of its own; `read` is all of them. Nothing here knows the time or keeps
anything: both come as arguments.

Whose certificate it is, is **not** checked: that takes an identity document and somebody who looks
at both, and the gate keeps no names. A certificate is as good as who shows it; that the pass beside
it and the certificate belong to one person is for the regime, or for the guard, to see to. Nor is a
digest of name and birthday kept: both are few enough to be guessed from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from gatepost_services.credentials import cbor, cose, hcert_schema, keys, wrapping
from gatepost_services.credentials.errors import CredentialError, Refusal
from gatepost_services.credentials.keys import KeysById, TrustedKey, Use

PREFIX = "HC1:"

_ISS, _EXP, _NBF, _IAT = 1, 4, 5, 6  # RFC 8392, 4
_HCERT, _EU_DCC_V1 = -260, 1  # hcert-spec, 3.3.1
_LAST_S = 253_402_300_799  # the end of the year 9999, which is the last that datetime has
_MAX_ISSUER = 80
# Without a key id every key has to be tried: at 0.1 ms here and ten times that on a Pi Zero 2 W,
# this many are a quarter of a second. Real certificates carry an id.
_MOST_TRIED = 256

_COVID_19 = "840539006"  # SNOMED CT; value sets, 2.1


class TestKind(StrEnum):
    """How a sample was tested."""

    NAAT = "naat"  # nucleic acid amplification, such as PCR
    RAPID = "rapid"  # antigen
    OTHER = "other"


class Outcome(StrEnum):
    """What a test found."""

    DETECTED = "detected"
    NOT_DETECTED = "not_detected"
    UNKNOWN = "unknown"


# LOINC; value sets, 2.7.
_KINDS = {"LP6464-4": TestKind.NAAT, "LP217198-3": TestKind.RAPID}
# SNOMED CT; value sets, 2.9.
_OUTCOMES = {"260373001": Outcome.DETECTED, "260415000": Outcome.NOT_DETECTED}


class Test(NamedTuple):
    """A test: against what, how, when the sample was taken, and what was found."""

    is_covid: bool
    kind: TestKind
    sampled_utc: datetime
    outcome: Outcome


class Vaccination(NamedTuple):
    """A dose of a vaccine: against what, the how many-th of how many, and on what day if known."""

    is_covid: bool
    dose: int
    doses: int
    given_on: date | None


class Recovery(NamedTuple):
    """A recovery: from what, the day of the first positive test, the days that it counts."""

    is_covid: bool
    positive_on: date | None
    valid_from: date | None
    valid_until: date | None


Entry: TypeAlias = Test | Vaccination | Recovery


@dataclass(frozen=True, slots=True)
class Claims:
    """What the CWT says around a certificate, and the certificate, still as CBOR had it.

    Attributes:
        issuer_country: ISO 3166-1 alpha-2 as the issuer gave it; None where it gave none.
        issued_utc: from when on it counts.
        expires_utc: until when, this instant included (hcert-spec, 3.3.5).
        certificate: what `hcert_schema.checked` is for.
    """

    issuer_country: str | None
    issued_utc: datetime
    expires_utc: datetime
    certificate: object


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that was verified, without whose it is.

    Attributes:
        kid: the id of the key that it was verified with.
        entries: what it certifies, all of one kind: one entry, or more before schema 1.3.0.
    """

    issuer_country: str | None
    issued_utc: datetime
    expires_utc: datetime
    kid: bytes
    entries: tuple[Entry, ...]


class TestResult(NamedTuple):
    """What rules ask of a nucleic acid test. `taken_utc` is when the sample was.

    `is_negative` False: the virus was found; that is no proof of anything but the contrary.
    """

    is_negative: bool
    taken_utc: datetime


def read(text: str, *, trusted: KeysById, now_utc: datetime | None) -> Certificate:
    """Return what a code certifies, if it is signed, in use and in time.

    Args:
        text: the code as the scanner read it.
        trusted: the keys whose signature counts.
        now_utc: the time, with a zone; None where no clock can be trusted.

    Raises:
        CredentialError: it is not accepted; `Refusal` says why.
    """
    message = cose.parse(inflated(unwrapped(unprefixed(text))))
    signers = signers_of(message, trusted)
    claims = claims_of(message.payload)
    entries = tuple(map(entry_of, hcert_schema.checked(claims.certificate).entries))
    if now_utc is None:
        raise CredentialError(Refusal.NO_CLOCK, "it expires, and there is no time to check it by")
    check_time(claims, now_utc)
    key = usable(signers, use_of(entries[0]), now_utc)
    return Certificate(
        claims.issuer_country, claims.issued_utc, claims.expires_utc, key.kid, entries
    )


def newest_naat(certificates: Sequence[Certificate], now_utc: datetime) -> TestResult | None:
    """Return the newest nucleic acid test for COVID-19 among verified certificates, None for none.

    Not counted: rapid tests, tests with a result that is not known, samples that are yet to be
    taken. The newest counts whatever it found: an older negative does not outlive a positive.
    """
    results = [
        TestResult(entry.outcome is Outcome.NOT_DETECTED, entry.sampled_utc)
        for certificate in certificates
        for entry in certificate.entries
        if isinstance(entry, Test)
        and entry.is_covid
        and entry.kind is TestKind.NAAT
        and entry.outcome is not Outcome.UNKNOWN
        and entry.sampled_utc <= now_utc
    ]
    # Of two at one instant the positive one.
    return max(results, key=lambda result: (result.taken_utc, not result.is_negative), default=None)


def unprefixed(text: str) -> str:
    """Return a code without "HC1:", and without a line end that a scanner put after it."""
    return wrapping.strip(text.rstrip("\r\n"), PREFIX)


# The next two steps are those of every code; named here so that the chain can be read in one place.
unwrapped = wrapping.decode
inflated = wrapping.inflate


def signers_of(message: cose.Sign1, trusted: KeysById) -> tuple[TrustedKey, ...]:
    """Return the keys for certificates that signed a message: one, or the same one listed twice.

    Raises:
        CredentialError: UNKNOWN_KEY or SIGNATURE.
    """
    listed = keys.candidates(trusted, message.kid)
    known = [key for key in listed if key.uses & keys.HCERT_USES]
    if not known:
        raise CredentialError(Refusal.UNKNOWN_KEY, "no trusted key has its key id")
    if len(known) > _MOST_TRIED:
        raise CredentialError(Refusal.UNKNOWN_KEY, "it names no key, and there are many")
    signers = tuple(key for key in known if cose.is_signed_by(message, key.key))
    if not signers:
        raise CredentialError(Refusal.SIGNATURE, "not signed by the key that it names")
    return signers


def claims_of(payload: bytes) -> Claims:
    """Return what a CWT says (RFC 8392) that has a health certificate in it.

    Raises:
        CredentialError: FORMAT or SIZE.
    """
    cwt = cwt_of(payload)
    issuer = cwt.get(_ISS)
    if issuer is not None and not (isinstance(issuer, str) and len(issuer) <= _MAX_ISSUER):
        raise CredentialError(Refusal.FORMAT, "the issuer is no short text")
    issued = _instant(cwt.get(_IAT), "the time of issue")
    if _NBF in cwt:  # hcert-spec has none; who sets one means it
        issued = max(issued, _instant(cwt[_NBF], "the time that it counts from"))
    expires = _instant(cwt.get(_EXP), "the time of expiry")
    return Claims(issuer, issued, expires, certificate_in(cwt))


def cwt_of(payload: bytes) -> Mapping[object, object]:
    """Return the claims in a payload, by their keys.

    Raises:
        CredentialError: FORMAT or SIZE.
    """
    claims = cbor.decode(payload, tags=cbor.DATE_TAGS)
    if not isinstance(claims, dict):
        raise CredentialError(Refusal.FORMAT, "the claims are no map")
    return claims


def certificate_in(cwt: Mapping[object, object]) -> object:
    """Return the claim that is the certificate, as CBOR had it.

    Raises:
        CredentialError: FORMAT: there is none.
    """
    kinds = cwt.get(_HCERT)
    if not isinstance(kinds, dict) or _EU_DCC_V1 not in kinds:
        raise CredentialError(Refusal.FORMAT, "no health certificate in the claims")
    return kinds[_EU_DCC_V1]


def entry_of(
    entry: hcert_schema.TestEntry | hcert_schema.VaccinationEntry | hcert_schema.RecoveryEntry,
) -> Entry:
    """Return what a gate needs of an entry that has the schema's form.

    Raises:
        CredentialError: FORMAT: a test whose sample has no time that can be read.
    """
    match entry:
        case hcert_schema.TestEntry() as test:
            return Test(
                _is_covid(test.disease),
                _KINDS.get(test.kind.strip(), TestKind.OTHER),
                _sampled(test.sampled),
                _OUTCOMES.get(test.result.strip(), Outcome.UNKNOWN),
            )
        case hcert_schema.VaccinationEntry() as dose:
            return Vaccination(
                _is_covid(dose.disease),
                int(dose.dose),
                int(dose.doses),
                hcert_schema.day(dose.given_on),
            )
        case hcert_schema.RecoveryEntry() as recovery:
            return Recovery(
                _is_covid(recovery.disease),
                hcert_schema.day(recovery.positive_on),
                hcert_schema.day(recovery.valid_from),
                hcert_schema.day(recovery.valid_until),
            )


def use_of(entry: Entry) -> Use:
    """Return what a key must be allowed to sign for this entry to count."""
    match entry:
        case Test():
            return Use.TEST
        case Vaccination():
            return Use.VACCINATION
        case Recovery():
            return Use.RECOVERY


def check_time(claims: Claims, now_utc: datetime) -> None:
    """Raise unless it is in time. Both ends are included; there is no leeway.

    Raises:
        CredentialError: NOT_YET or EXPIRED.
    """
    if now_utc < claims.issued_utc:
        raise CredentialError(Refusal.NOT_YET, "issued later than now")
    if now_utc > claims.expires_utc:
        raise CredentialError(Refusal.EXPIRED, "the certificate has expired")


def check_use(key: TrustedKey, use: Use) -> None:
    """Raise unless the key may sign this (hcert-spec, A.4).

    Raises:
        CredentialError: KEY_USE.
    """
    if use not in key.uses:
        raise CredentialError(Refusal.KEY_USE, f"its key may not sign a {use.value}")


def check_key_time(key: TrustedKey, now_utc: datetime) -> None:
    """Raise unless the key counts now.

    Raises:
        CredentialError: NOT_YET or EXPIRED.
    """
    if now_utc < key.not_before_utc:
        raise CredentialError(Refusal.NOT_YET, "its key is not valid yet")
    if now_utc > key.not_after_utc:
        raise CredentialError(Refusal.EXPIRED, "its key has expired")


def check_key_span(claims: Claims, key: TrustedKey) -> None:
    """Raise unless the certificate's time lies within its key's (hcert-spec, 3.3.5 and 3.3.6).

    That binds issuers, and test files ask for it. A gate does not: what it wants to know is whether
    both are valid now, and a trust list may give a key less time than its certificate has.

    Raises:
        CredentialError: NOT_YET or EXPIRED.
    """
    if claims.issued_utc < key.not_before_utc:
        raise CredentialError(Refusal.NOT_YET, "issued before its key was valid")
    if claims.expires_utc > key.not_after_utc:
        raise CredentialError(Refusal.EXPIRED, "expires later than its key")


def usable(signers: Sequence[TrustedKey], use: Use, now_utc: datetime) -> TrustedKey:
    """Return the first key that may sign this now; raise what is wrong with the last if none may.

    Raises:
        CredentialError: KEY_USE, NOT_YET or EXPIRED.
    """
    refusal = CredentialError(Refusal.UNKNOWN_KEY, "no key signed it")
    for key in signers:
        try:
            check_use(key, use)
            check_key_time(key, now_utc)
        except CredentialError as error:
            refusal = error
        else:
            return key
    raise refusal


def _sampled(text: str) -> datetime:
    try:
        return hcert_schema.sample_time(text)
    except ValueError:
        raise CredentialError(Refusal.FORMAT, "the time of the sample cannot be read") from None


def _is_covid(disease: str) -> bool:
    return disease.strip() == _COVID_19


def _instant(value: object, name: str) -> datetime:
    # A float where an encoder knows no other numbers; RFC 8392, 2 allows both.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LAST_S:
        raise CredentialError(Refusal.FORMAT, f"{name} is missing, or no time")
    return datetime.fromtimestamp(value, UTC)
