"""COSE_Sign1: whose signature it is, by an algorithm that is accepted, over exactly these bytes."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from gatepost_services.credentials import cbor, cose
from gatepost_services.credentials.cose import Algorithm
from gatepost_services.credentials.errors import CredentialError, Refusal

from . import hcert_kit as kit
from .hcert_kit import UNHURRIED

PAYLOAD = b"claims"
ED25519 = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEYS = {
    "p256": (kit.p256, Algorithm.ES256),
    "p384": (kit.p384, Algorithm.ES256),
    "rsa": (kit.rsa_key, Algorithm.PS256),
    "ed25519": (lambda: ED25519, Algorithm.EDDSA),
}


def signed(name="p256", **more):
    make_key, algorithm = KEYS[name]
    more = {"protected": {1: int(algorithm), 4: b"kid"}} | more
    return kit.message(PAYLOAD, make_key(), **more)


def refusal(data):
    with pytest.raises(CredentialError) as caught:
        cose.parse(data)
    return caught.value.refusal


@pytest.mark.parametrize("name", KEYS)
def test_a_message_is_its_signers_and_no_other_keys(name):
    message = cose.parse(signed(name))
    assert (message.payload, message.kid, message.algorithm) == (PAYLOAD, b"kid", KEYS[name][1])
    others = {other: make_key().public_key() for other, (make_key, _) in KEYS.items()}
    assert {other for other, key in others.items() if cose.is_signed_by(message, key)} == {name}
    assert not cose.is_signed_by(cose.parse(signed("p256")), kit.p256(1).public_key())


def test_our_own_are_signed_with_ed25519():
    message = cose.parse(cose.sign(PAYLOAD, ED25519, b"kid"))
    assert cose.is_signed_by(message, ED25519.public_key())
    assert cose.sign(PAYLOAD, ED25519, b"kid") == cose.sign(PAYLOAD, ED25519, b"kid")


@pytest.mark.parametrize("tag", [b"", b"\xd2", b"\xd8\x3d\xd2", b"\xd8\x3d"])
def test_tags_may_be_missing(tag):
    message = cose.parse(tag + signed(tag=b""))
    assert cose.is_signed_by(message, kit.p256().public_key())


@pytest.mark.parametrize("tag", [b"\xd1", b"\xd8\x12\xd2", b"\xd2\xd2", b"\xc0", b"\xd2\xd8\x3d"])
def test_other_tags_are_none_of_ours(tag):
    assert refusal(tag + signed(tag=b"")) is Refusal.FORMAT


@UNHURRIED
@given(st.data())
def test_a_change_of_what_is_signed_is_seen(data):
    name = data.draw(st.sampled_from(["p256", "ed25519"]))
    parts = cbor.decode(signed(name, tag=b""))
    part = data.draw(st.sampled_from([2, 3]))
    at = data.draw(st.integers(0, len(parts[part]) - 1))
    changed = bytearray(parts[part])
    changed[at] ^= data.draw(st.integers(1, 255))
    parts[part] = bytes(changed)
    assert not cose.is_signed_by(cose.parse(cbor.encode(parts)), KEYS[name][0]().public_key())


def test_a_header_that_is_protected_counts_before_one_that_is_not():
    both = cose.parse(signed(unprotected={1: -37, 4: b"another"}))
    assert (both.algorithm, both.kid) == (Algorithm.ES256, b"kid")
    neither = cose.parse(signed(protected=b"", unprotected={1: -7, 4: b"another"}))
    assert (neither.algorithm, neither.kid) == (Algorithm.ES256, b"another")
    assert cose.parse(signed(protected={1: -7})).kid == b""


def test_nothing_protected_is_signed_as_no_bytes_in_both_its_forms():
    # RFC 9052, 3 and 4.4: a zero-length string, and an empty map in a string.
    unprotected = {1: -7, 4: b"kid"}
    empty = cbor.decode(signed(protected=b"", unprotected=unprotected, tag=b""))
    message = cose.parse(cbor.encode([b"\xa0", *empty[1:]]))
    assert cose.is_signed_by(message, kit.p256().public_key())


@pytest.mark.parametrize("algorithm", [None, 0, -8.5, -35, -36, -257, -65535, 1, True, "ES256", []])
def test_other_algorithms_and_none_are_refused(algorithm):
    assert refusal(signed(protected={1: algorithm, 4: b"kid"})) is Refusal.ALGORITHM


def test_a_critical_header_is_not_passed_over():
    # RFC 9052, 3.1: it changes what the message means, and nothing here knows how.
    assert refusal(signed(protected={1: -7, 2: [99], 4: b"kid", 99: 1})) is Refusal.FORMAT


@pytest.mark.parametrize("kid", ["text", 17, None, [], b"x" * 65])
def test_a_key_id_is_a_few_bytes(kid):
    assert refusal(signed(protected={1: -7, 4: kid})) is Refusal.FORMAT
    assert refusal(signed(protected={1: -7}, unprotected={4: kid})) is Refusal.FORMAT


@pytest.mark.parametrize(
    "parts",
    [
        {},
        b"",
        [],
        [b"", {}, b""],
        [b"", {}, b"", b"", b""],
        [{}, {}, b"", b""],
        [b"", [], b"", b""],
        [b"", {}, None, b""],
        [b"", {}, b"", "text"],
        [b"\x80", {}, b"", b""],
        [b"\xff", {}, b"", b""],
        [b"\xa0\xa0", {}, b"", b""],
        "text",
        17,
    ],
)
def test_what_is_no_such_message_is_refused(parts):
    assert refusal(cbor.encode(parts)) is Refusal.FORMAT


@UNHURRIED
@given(st.binary(max_size=80))
def test_any_bytes_are_a_message_or_the_one_error(data):
    assert refusal(data) in set(Refusal)
    assert refusal(b"\xd2\x84" + data) in set(Refusal)


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"\xff" * 64, b"\0" * 96, b"\xff" * 256])
def test_a_signature_of_any_length_is_none(name, signature):
    make_key, _ = KEYS[name]
    forged = signed(name, sign=lambda *_: signature)
    assert not cose.is_signed_by(cose.parse(forged), make_key().public_key())


def test_a_signature_in_the_form_of_x509_is_none():
    # RFC 9053, 2.1: r and s side by side; DER is another thing.
    def der(key, header, payload):
        data = cbor.encode(["Signature1", header, b"", payload])
        return key.sign(data, ec.ECDSA(SHA256()))

    assert not cose.is_signed_by(cose.parse(signed(sign=der)), kit.p256().public_key())


def test_an_rsa_key_that_is_too_short_signs_nothing():
    short = kit.rsa_key(1024)
    message = cose.parse(kit.message(PAYLOAD, short))
    assert not cose.is_signed_by(message, short.public_key())


def test_rsa_without_pss_or_with_another_salt_is_none():
    key = kit.rsa_key()
    paddings = [padding.PKCS1v15(), padding.PSS(padding.MGF1(SHA256()), 20)]
    for padded in paddings:
        data = signed(
            "rsa",
            sign=lambda key, header, payload, padded=padded: key.sign(
                cbor.encode(["Signature1", header, b"", payload]), padded, SHA256()
            ),
        )
        assert not cose.is_signed_by(cose.parse(data), key.public_key())
