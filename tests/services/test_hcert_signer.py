"""Signers' certificates as keys of a trust list, and the keys themselves."""

import base64
import hashlib
import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from gatepost_services.credentials import keys
from gatepost_services.credentials.hcert_signer import trusted_key
from gatepost_services.credentials.keys import HCERT_USES, KeyUnusableError, Use

from . import hcert_kit as kit
from .hcert_kit import UNHURRIED

DATA = Path(__file__).resolve().parents[1] / "data" / "hcert"
START, END = datetime(2021, 5, 1, tzinfo=UTC), datetime(2023, 5, 1, tzinfo=UTC)
SIGNERS = {
    base64.b64decode(json.loads(path.read_bytes())["TESTCTX"]["CERTIFICATE"])
    for path in DATA.rglob("*.json")
}


def certificate(key, *usages):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "DSC")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(17)
        .not_valid_before(START)
        .not_valid_after(END)
    )
    if usages:
        oids = [x509.ObjectIdentifier(usage) for usage in usages]
        builder = builder.add_extension(x509.ExtendedKeyUsage(oids), critical=False)
    return builder.sign(kit.p256(), SHA256()).public_bytes(Encoding.DER)


def test_a_certificate_becomes_a_key_with_its_id_uses_and_times():
    der = certificate(kit.p256())
    key = trusted_key(der)
    assert key.kid == hashlib.sha256(der).digest()[:8]
    assert key.key.public_numbers() == kit.p256().public_key().public_numbers()
    assert (key.not_before_utc, key.not_after_utc) == (START, END)
    assert key.uses == HCERT_USES == {Use.TEST, Use.VACCINATION, Use.RECOVERY}


@pytest.mark.parametrize("arc", ["1.3.6.1.4.1.1847.2021.1", "1.3.6.1.4.1.0.1847.2021.1"])
@pytest.mark.parametrize(
    ("last", "use"), [("1", Use.TEST), ("2", Use.VACCINATION), ("3", Use.RECOVERY)]
)
def test_a_certificate_that_names_uses_is_for_those(arc, last, use):
    tls = "1.3.6.1.5.5.7.3.1"
    assert trusted_key(certificate(kit.p256(), f"{arc}.{last}")).uses == {use}
    assert trusted_key(certificate(kit.p256(), tls, f"{arc}.{last}")).uses == {use}
    both = certificate(kit.p256(), f"{arc}.{last}", f"{arc}.1")
    assert trusted_key(both).uses == {use, Use.TEST}


def test_other_uses_that_it_names_do_not_count():
    others = ("1.3.6.1.5.5.7.3.1", "1.3.6.1.4.1.1847.2021.1.4", "1.3.6.1.4.1.1847.2021.2.1")
    assert trusted_key(certificate(kit.p256(), *others)).uses == HCERT_USES


def test_an_empty_list_of_uses_names_none():
    # common/CO15.json: what RFC 5280 does not allow, and the library does not parse.
    der = base64.b64decode(
        json.loads((DATA / "common/2DCode/raw/CO15.json").read_bytes())["TESTCTX"]["CERTIFICATE"]
    )
    with pytest.raises(ValueError, match="parsing"):
        _ = x509.load_der_x509_certificate(der).extensions
    assert trusted_key(der).uses == HCERT_USES


def test_uses_beside_an_extension_that_cannot_be_read_are_found():
    der = certificate(kit.p256(), "1.3.6.1.4.1.1847.2021.1.2", "1.3.6.1.4.1.0.1847.2021.1.3")
    # The list's tag is spoilt: the library refuses it, and the identifiers are still there.
    at = der.index(bytes.fromhex("060b2b060104018e378f650102")) - 2
    spoilt = der[:at] + b"\x31" + der[at + 1 :]
    with pytest.raises(ValueError, match="parsing"):
        _ = x509.load_der_x509_certificate(spoilt).extensions
    assert trusted_key(spoilt).uses == {Use.VACCINATION, Use.RECOVERY}


def test_all_signers_of_the_test_data_can_be_read():
    assert len(SIGNERS) > 40
    for der in SIGNERS:
        assert trusted_key(der).uses <= HCERT_USES


def test_a_key_that_signs_no_credential_is_refused():
    with pytest.raises(KeyUnusableError, match="secp256r1"):
        trusted_key(certificate(ec.derive_private_key(7, ec.SECP256K1())))


@pytest.mark.parametrize("serial", ["ffffff01", "80000000", "00000000", "00000001", "ff", "00"])
def test_a_serial_number_that_x509_does_not_have_is_no_obstacle(serial):
    whole = certificate(kit.p256(), "1.3.6.1.4.1.1847.2021.1.2")
    tbs = x509.load_der_x509_certificate(whole).tbs_certificate_bytes
    rest = whole[whole.index(tbs) + len(tbs) :]
    content = tbs[tbs.index(b"\xa0") :].replace(
        der_item(0x02, b"\x11"), der_item(0x02, bytes.fromhex(serial)), 1
    )
    der = der_item(0x30, der_item(0x30, content) + rest)
    key = trusted_key(der)
    assert key.kid == hashlib.sha256(der).digest()[:8]
    assert key.uses == {Use.VACCINATION}
    assert key.key.public_numbers() == kit.p256().public_key().public_numbers()


@UNHURRIED
@given(st.sampled_from(sorted(SIGNERS)), st.data())
def test_a_damaged_certificate_is_a_key_or_the_one_error(der, data):
    at = data.draw(st.integers(0, len(der) - 1))
    damaged = der[:at] + data.draw(st.binary(max_size=3)) + der[at + 1 :]
    with suppress(KeyUnusableError):
        assert len(trusted_key(damaged).kid) == 8


def test_a_certificate_of_a_version_that_there_is_not_is_the_one_error():
    third, second = b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x01"
    damaged = [der.replace(third, second) for der in SIGNERS if third in der]
    assert damaged
    for der in damaged:
        with pytest.raises(KeyUnusableError, match="InvalidVersion"):
            trusted_key(der)


@pytest.mark.parametrize("data", [b"", b"\x30", b"\x30\x00", bytes(64)])
def test_what_is_no_certificate_and_no_key_says_what_is_expected(data):
    with pytest.raises(KeyUnusableError, match="DER is expected"):
        trusted_key(data)
    with pytest.raises(KeyUnusableError, match="in DER"):
        keys.public_key(data)


@pytest.mark.parametrize("make_key", [kit.p256, kit.p384, kit.rsa_key])
def test_a_public_key_is_read_from_its_bytes(make_key):
    key = make_key().public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert keys.public_key(spki).public_numbers() == key.public_numbers()


def der_item(tag, content):
    length = len(content)
    if length >= 0x80:
        sized = length.to_bytes((length.bit_length() + 7) // 8)
        return bytes((tag, 0x80 | len(sized))) + sized + content
    return bytes((tag, length)) + content


def test_an_rsa_key_that_says_it_is_for_pss_is_an_rsa_key():
    key = kit.rsa_key().public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    plain = bytes.fromhex("300d06092a864886f70d0101010500")  # rsaEncryption, NULL
    bits = spki[spki.index(plain) + len(plain) :]
    pss = der_item(0x30, der_item(0x30, bytes.fromhex("06092a864886f70d01010a")) + bits)
    assert keys.public_key(pss).public_numbers() == key.public_numbers()


def test_keys_are_found_by_their_id_and_without_one_all_are():
    one, two, three = (kit.trusted(kit.p256(n), kid) for n, kid in enumerate((b"a", b"b", b"a")))
    table = keys.by_id([one, two, three])
    assert keys.candidates(table, b"a") == (one, three)
    assert keys.candidates(table, b"c") == ()
    assert keys.candidates(table, b"") == (one, three, two)
    with pytest.raises(TypeError):
        table[b"d"] = ()


def test_a_key_is_valid_from_its_first_instant_to_its_last():
    key = kit.trusted(kit.p256(), not_before_utc=START, not_after_utc=END)
    assert [key.is_valid_at(at) for at in (START, END)] == [True, True]
    second = kit.DAY / 86_400
    assert [key.is_valid_at(at) for at in (START - second, END + second)] == [False, False]
