"""Runs one file of the public test data of the EU DCC (dgc-testdata) through our own chain.

Such a file holds a certificate at every stage (JSON, CBOR, COSE, COMPRESSED, BASE45, PREFIX,
2DCODE), the signer's certificate and a clock (TESTCTX), and what each step should come to
(EXPECTEDRESULTS): true, false, or nothing where the file does not test the step. A step starts from
the stage that the test procedure names and must come to the next one of the file; a stage that the
file lacks is made from the one before it, PREFIX being in all of them.

The files are written by hand in thirty countries: the names of two results and of the clock are
found misspelt, results inside results, JSON as a string, hexadecimal in both cases, with a byte
order mark or without. All of that is read; what a result means is not bent.
"""

import base64
import binascii
import json
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from gatepost_services.credentials import cbor, cose, hcert, hcert_schema, keys, wrapping
from gatepost_services.credentials.errors import CredentialError, Refusal
from gatepost_services.credentials.hcert_signer import der_of, trusted_key
from gatepost_services.credentials.keys import KeyUnusableError, TrustedKey, Use

# A picture (PNG) -> the texts of the codes in it.
PictureReader = Callable[[bytes], list[str]]

_EXPECTED = "EXPECTEDRESULTS"
_USES = {"t": Use.TEST, "v": Use.VACCINATION, "r": Use.RECOVERY}
_WORDS = {"true": True, "false": False}
_CLOCKS = ("VALIDATIONCLOCK", "validationClockInstant", "VALIDATIONCLOCKINSTANT")


class NotATestFileError(ValueError):
    """What was read is no file of this test data."""


class NotRunError(Exception):
    """A step that cannot be run here: its input is missing and cannot be made, or a library is."""


def expected_results(document: object) -> dict[str, bool]:
    """Return what a file expects, by the names that it uses, inner results beside outer ones.

    Raises:
        NotATestFileError: it expects nothing that is true or false.
    """
    named = document.get(_EXPECTED) if isinstance(document, dict) else None
    found = dict(_flat(named)) if isinstance(named, dict) else {}
    if not found:
        raise NotATestFileError(
            f"no {_EXPECTED} of true or false in it; a test file of dgc-testdata is expected"
        )
    return found


def _flat(results: Mapping[str, object]) -> Iterator[tuple[str, bool]]:
    for name, value in results.items():
        if isinstance(value, dict):
            yield from _flat(value)
        elif isinstance(value, bool):
            yield name, value
        elif isinstance(value, str) and value.strip().lower() in _WORDS:
            yield name, _WORDS[value.strip().lower()]


def results(document: object, read_picture: PictureReader | None = None) -> dict[str, bool]:
    """Return what each step that a file expects a result of came to, by the file's names.

    Left out: steps that cannot be run here (without a reader of pictures, that of the picture), and
    names that stand for no step.

    Raises:
        NotATestFileError: it is no such file.
    """
    expected = expected_results(document)
    assert isinstance(document, dict)  # noqa: S101 - or it would expect nothing
    case = _Case(document, read_picture)
    found = {}
    for name in expected:
        step = _STEPS.get(_step_name(name))
        if step is None:
            continue
        try:
            found[name] = step(case)
        except NotRunError:
            continue
        except (CredentialError, KeyUnusableError):
            found[name] = False
    if _EXPECTED in expected:  # a result of results: all the others of the file
        found[_EXPECTED] = all(found.values())
    return found


def _step_name(name: str) -> str:
    """Return a result's name as the test procedure spells it."""
    right = name.strip().upper().replace("EXPTECTED", "EXPECTED").replace("EXPECETED", "EXPECTED")
    # Said to be true in files whose certificates have not expired: they pass the check.
    return "EXPECTEDEXPIRATIONCHECK" if right == "EXPECTEDEXPIRED" else right


class _Case:
    """One file: its stages, and those that it lacks made from those before them."""

    def __init__(self, document: Mapping[str, Any], read_picture: PictureReader | None) -> None:
        self._document = document
        self._read_picture = read_picture
        context = document.get("TESTCTX")
        self._context: Mapping[str, Any] = context if isinstance(context, dict) else {}

    def has(self, stage: str) -> bool:
        return self._document.get(stage) not in (None, "")

    def text(self, stage: str) -> str:
        """Return a stage that is text, without line ends, which are no part of any."""
        value = self._document.get(stage)
        if not isinstance(value, str):
            raise NotRunError(stage)
        return value.replace("\r", "").replace("\n", "")

    def octets(self, stage: str) -> bytes:
        """Return a stage that is bytes, in hexadecimal or else in base64."""
        text = "".join(self.text(stage).split())
        try:
            return bytes.fromhex(text)
        except ValueError:
            return _from_base64(text)

    @cached_property
    def stated(self) -> object:
        value = self._document["JSON"]
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise CredentialError(Refusal.FORMAT, "JSON in a string that is none") from None

    @cached_property
    def base45(self) -> str:
        if self.has("BASE45"):
            return self.text("BASE45")
        return hcert.unprefixed(self.text("PREFIX"))

    @cached_property
    def compressed(self) -> bytes:
        if self.has("COMPRESSED"):
            return self.octets("COMPRESSED")
        return hcert.unwrapped(self.base45)

    @cached_property
    def packed(self) -> bytes:
        return self.octets("COSE") if self.has("COSE") else hcert.inflated(self.compressed)

    @cached_property
    def message(self) -> cose.Sign1:
        return cose.parse(self.packed)

    @cached_property
    def claims(self) -> hcert.Claims:
        return hcert.claims_of(self.message.payload)

    @cached_property
    def signed(self) -> object:
        """Return the certificate in COSE."""
        return hcert.certificate_in(hcert.cwt_of(self.message.payload))

    @cached_property
    def certificate(self) -> object:
        """Return the certificate of the stage CBOR, bare or in its claims; or the one in COSE."""
        if not self.has("CBOR"):
            return self.signed
        data = self.octets("CBOR")
        bare = cbor.decode(data, tags=cbor.DATE_TAGS)
        if isinstance(bare, dict) and all(isinstance(key, int) for key in bare):
            return hcert.certificate_in(hcert.cwt_of(data))
        return bare

    @cached_property
    def signer(self) -> TrustedKey:
        value = self._context.get("CERTIFICATE")
        if not isinstance(value, str) or not value.strip():
            raise NotRunError("TESTCTX.CERTIFICATE")
        return trusted_key(der_of(value.encode()))

    @cached_property
    def clock(self) -> datetime:
        """Return the time to check at; one without a zone is UTC."""
        for name in _CLOCKS:
            value = self._context.get(name)
            if not isinstance(value, str) or not value.strip():
                continue
            try:
                found = datetime.fromisoformat(value.strip())
            except ValueError:
                continue
            return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
        raise NotRunError("TESTCTX.VALIDATIONCLOCK")

    def pictured(self) -> list[str]:
        """Return the texts of the codes in the picture; or, without one, what it would hold."""
        if not self.has("2DCODE"):
            text = self.text("PREFIX")
            return [text] if 0 < len(text) <= wrapping.MAX_TEXT else []
        if self._read_picture is None:
            raise NotRunError("2DCODE")
        return self._read_picture(_from_base64(self.text("2DCODE")))


def _picture_decode(case: _Case) -> bool:
    return case.text("PREFIX") in (text.rstrip("\r\n") for text in case.pictured())


def _unprefix(case: _Case) -> bool:
    bare = hcert.unprefixed(case.text("PREFIX"))
    return not case.has("BASE45") or bare == case.text("BASE45")


def _b45_decode(case: _Case) -> bool:
    packed = hcert.unwrapped(case.base45)
    return not case.has("COMPRESSED") or packed == case.octets("COMPRESSED")


def _compression(case: _Case) -> bool:
    unpacked = hcert.inflated(case.compressed)
    return not case.has("COSE") or unpacked == case.octets("COSE")


def _verify(case: _Case) -> bool:
    return bool(hcert.signers_of(case.message, keys.by_id([case.signer])))


def _decode(case: _Case) -> bool:
    return _same(case.signed, case.certificate)


def _valid_json(case: _Case) -> bool:
    """The whole chain, to an object that JSON can say.

    Its values are not those of the stage JSON: there are files with other names in it, and with
    times moved by a time zone, after the signature was made.
    """
    whole = hcert.inflated(hcert.unwrapped(hcert.unprefixed(case.text("PREFIX"))))
    certificate = hcert.certificate_in(hcert.cwt_of(cose.parse(whole).payload))
    try:
        return bool(json.loads(json.dumps(certificate)) == certificate)
    except TypeError:
        return False


def _valid_object(case: _Case) -> bool:
    if not case.has("JSON"):
        raise NotRunError("JSON")
    hcert_schema.checked(case.stated)
    return True


def _encode(case: _Case) -> bool:
    if not case.has("JSON"):
        raise NotRunError("JSON")
    return _same(cbor.decode(cbor.encode(case.stated)), case.certificate)


def _schema(case: _Case) -> bool:
    hcert_schema.checked(case.certificate)
    return True


def _expiration(case: _Case) -> bool:
    hcert.check_time(case.claims, case.clock)
    try:
        key = case.signer
    except (NotRunError, KeyUnusableError):
        return True
    if case.message.kid in {b"", key.kid}:  # or it is another's key, and has no say
        hcert.check_key_span(case.claims, key)
    return True


def _key_usage(case: _Case) -> bool:
    certificate = case.signed
    named = [use for group, use in _USES.items() if _has_entry(certificate, group)]
    for use in named:
        hcert.check_use(case.signer, use)
    return bool(named)


def _has_entry(certificate: object, group: str) -> bool:
    return isinstance(certificate, dict) and bool(certificate.get(group))


# In the order of the chain; names as the test procedure of dgc-testdata has them.
_STEPS: Mapping[str, Callable[[_Case], bool]] = {
    "EXPECTEDVALIDOBJECT": _valid_object,
    "EXPECTEDENCODE": _encode,
    "EXPECTEDPICTUREDECODE": _picture_decode,
    "EXPECTEDUNPREFIX": _unprefix,
    "EXPECTEDB45DECODE": _b45_decode,
    "EXPECTEDCOMPRESSION": _compression,
    "EXPECTEDVERIFY": _verify,
    "EXPECTEDDECODE": _decode,
    "EXPECTEDVALIDJSON": _valid_json,
    "EXPECTEDSCHEMAVALIDATION": _schema,
    "EXPECTEDKEYUSAGE": _key_usage,
    "EXPECTEDEXPIRATIONCHECK": _expiration,
}


def _same(one: object, other: object) -> bool:
    """Return whether two certificates, of CBOR or of JSON, say the same."""
    return _meaning(one) == _meaning(other)


def _meaning(value: object) -> object:
    """Return a value in the one form of its meaning.

    What is null is missing, text is NFC (hcert-spec, 3.3.7), a date with a time of day is an
    instant, in whole seconds; 1 and 1.0 are equal anyhow.
    """
    if isinstance(value, dict):
        return {str(name): _meaning(entry) for name, entry in value.items() if entry is not None}
    if isinstance(value, list | tuple):
        return [_meaning(entry) for entry in value]
    if not isinstance(value, str):
        return value
    try:
        return hcert_schema.sample_time(value).replace(microsecond=0)
    except ValueError:
        return unicodedata.normalize("NFC", value)


def _from_base64(text: str) -> bytes:
    bare = "".join(text.split()).rpartition("base64,")[2]  # a data URL, perhaps
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except binascii.Error:
        raise CredentialError(Refusal.FORMAT, "neither hexadecimal nor base64") from None
