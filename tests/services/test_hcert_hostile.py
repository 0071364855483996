"""Codes that somebody made to do harm: refused, in bounded memory, by the one error.

Time is bounded by what is counted here: how often something is unpacked or a signature checked.
"""

import importlib.util
import tracemalloc
import zlib
from collections import Counter
from pathlib import Path
from random import Random

import base45
import pytest

from gatepost_services.credentials import cbor, cose, hcert, keys, wrapping
from gatepost_services.credentials.errors import CredentialError, Refusal
from gatepost_services.credentials.wrapping import MAX_BYTES, MAX_TEXT

from . import hcert_kit as kit

FUZZ = Path(__file__).resolve().parents[1] / "bench" / "fuzz_credentials.py"
TRUSTED = keys.by_id([kit.trusted(kit.p256())])
MOST_MEMORY = 2_500_000  # bytes; the worst that was found takes 1.2 MB


def read(text):
    return hcert.read(text, trusted=TRUSTED, now_utc=kit.NOW)


def refusal(text):
    """Return how a code is refused, and that it took a bounded memory."""
    tracemalloc.start()
    try:
        with pytest.raises(CredentialError) as caught:
            read(text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MOST_MEMORY
    return caught.value.refusal


def wrapped(data):
    return wrapping.wrap(data, hcert.PREFIX)


def signed(payload):
    """Return a code that a trusted key signed, whatever it says."""
    return wrapped(kit.message(payload, kit.p256()))


@pytest.mark.parametrize("length", [MAX_TEXT + 1, 1_000_000])
def test_a_text_longer_than_a_qr_code_is_not_even_decoded(length, monkeypatch):
    monkeypatch.setattr(base45, "b45decode", lambda _: pytest.fail("was decoded"))
    assert refusal("HC1:" + "0" * (length - 4)) is Refusal.SIZE


def test_a_bomb_is_not_unpacked():
    bomb = base45.b45encode(zlib.compress(bytes(2_000_000), 9)).decode()
    assert len(bomb) < MAX_TEXT
    assert refusal("HC1:" + bomb) is Refusal.SIZE


@pytest.mark.parametrize("value", [b"\x80", b"\xa0", b"\x60", b"\x9f\xff"])
def test_as_many_values_as_fit_are_no_message(value):
    count = (MAX_BYTES - 4) // len(value)
    assert refusal(wrapped(b"\x99" + count.to_bytes(2) + value * count)) is Refusal.FORMAT


HOSTILE = {
    "deep": b"\x81" * 8000 + b"\x01",
    "deep in claims": b"\xa1\x39\x01\x03" + b"\xa1\x01" * 4000 + b"\x01",
    "giant integer": b"\xa1\x06\x1b" + b"\xff" * 8,
    "big number": b"\xa1\x06\xc2\x59\x10\x00" + b"\xff" * 4096,
    "text of 4 GiB": b"\xa1\x01\x7a\xff\xff\xff\xff",
    "a key twice": b"\xa2\x06\x1a\x60\x00\x00\x00\x06\x1a\x60\x00\x00\x01",
    "not a number": b"\xa1\x06\xf9\x7e\x00",
    "infinite": b"\xa1\x04\xf9\x7c\x00",
    "tag in claims": b"\xa1\xd8\x2a\x06\x01",
    "shared reference to itself": b"\xa1\x01\xd8\x1c\x81\xd8\x1d\x00",
    "nothing": b"",
}


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE)
def test_claims_that_do_harm_are_refused_even_signed(payload):
    assert refusal(signed(payload)) in {Refusal.FORMAT, Refusal.SIZE}


ENTRIES = {
    "long issuer": {"is": "x" * 10_000},
    "long time": {"sc": "2021-05-31T12:00:00." + "1" * 10_000 + "Z"},
    "long number": {"ma": "9" * 10_000},
    "date of no type": {"sc": 1622462400},
    "list in a text": {"tr": ["260415000"]},
    "map in a text": {"tr": {"260415000": None}},
    "bytes in a text": {"tr": b"260415000"},
}


@pytest.mark.parametrize("changes", ENTRIES.values(), ids=ENTRIES)
def test_an_entry_that_does_harm_is_refused_even_signed(changes):
    assert refusal(signed(kit.cwt(kit.certificate(t=changes)))) is Refusal.FORMAT


def test_a_certificate_in_a_certificate_is_none():
    inner = kit.message(kit.cwt(kit.certificate(t={})), kit.p256())
    assert refusal(signed(inner)) is Refusal.FORMAT
    assert refusal(signed(cbor.encode(kit.issued(kit.certificate(t={}))))) is Refusal.FORMAT
    assert refusal(signed(kit.cwt(inner))) is Refusal.FORMAT
    twice = zlib.compress(zlib.compress(inner))
    assert refusal("HC1:" + base45.b45encode(twice).decode()) is Refusal.FORMAT
    assert refusal("HC1:" + kit.issued(kit.certificate(t={}))) is Refusal.FORMAT


def test_the_parts_of_two_certificates_make_no_third():
    one, two = (
        cbor.decode(kit.message(kit.cwt(kit.certificate(t=changes)), kit.p256(), tag=b""))
        for changes in ({}, {"tr": "260373001"})
    )
    for part in (2, 3):
        mixed = [*one[:part], two[part], *one[part + 1 :]]
        assert refusal(wrapped(cbor.encode(mixed))) is Refusal.SIGNATURE
    assert read(wrapped(cbor.encode([*one[:1], two[1], *one[2:]])))  # nobody signs that part


def test_a_code_costs_a_bounded_number_of_signature_checks(monkeypatch):
    checked = Counter()

    def count(message, _key):
        checked[message.kid] += 1
        return False

    monkeypatch.setattr(cose, "is_signed_by", count)
    message = kit.message(kit.cwt(kit.certificate(t={})), kit.p256(), protected={1: kit.ES256})
    for number, most in ((256, 256), (257, 0)):
        checked.clear()
        many = [kit.trusted(kit.p256(), number.to_bytes(2)) for number in range(number)]
        with pytest.raises(CredentialError):
            hcert.read(wrapped(message), trusted=keys.by_id(many), now_utc=kit.NOW)
        assert checked.total() == most


def fuzzing():
    """Return the module of the fuzzer, which is a script beside the tests."""
    spec = importlib.util.spec_from_file_location("fuzz_credentials", FUZZ)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_changed_codes_never_say_anything_else():
    fuzzer = fuzzing()
    texts, reader = fuzzer.certificates()
    found = fuzzer.fuzz(texts, reader, iter(range(1500)), seed=1)
    assert found.total() == 1500
    # It gets as deep as the signature, and to what lies above it.
    assert found["signature"] > 100
    assert found["format"] > 100
    assert found["size"] > 10


def test_the_fuzzer_sees_what_it_is_for():
    fuzzer = fuzzing()
    texts, reader = fuzzer.certificates()

    def forgetful(text):  # does not look at the signature
        message = cose.parse(hcert.inflated(hcert.unwrapped(hcert.unprefixed(text))))
        return message.payload

    def clumsy(text):
        return reader(text) if len(text) < MAX_TEXT else text[MAX_TEXT * 100]

    with pytest.raises(fuzzer.FuzzError, match="verifies as another"):
        fuzzer.fuzz(texts, forgetful, iter(range(1000)), seed=1)
    with pytest.raises(fuzzer.FuzzError, match="IndexError"):
        fuzzer.fuzz(texts, clumsy, iter(range(1000)), seed=1)


def test_the_same_seed_makes_the_same_change():
    fuzzer = fuzzing()
    texts, _ = fuzzer.certificates()
    changed = [fuzzer.mutate(texts, Random(f"1/{number}")) for number in range(200)]
    assert changed == [fuzzer.mutate(texts, Random(f"1/{number}")) for number in range(200)]
    assert len(set(changed) - set(texts)) > 150
