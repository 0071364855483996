"""The authority's folder: what it issues, revokes, keeps for itself, and refuses."""

import os
import stat
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gatepost_services.pki import profiles
from gatepost_services.pki.authority import GATE_LIFETIME, Authority
from gatepost_services.pki.errors import PkiFileError, PkiNameError, PkiRequestError

DAY = timedelta(days=1)
T0 = datetime(2026, 3, 1, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now_utc = T0

    def __call__(self) -> datetime:
        return self.now_utc


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def authority(tmp_path, clock):
    return Authority.create(tmp_path / "ca", "north", clock_utc=clock)


def public_key():
    return profiles.new_key().public_key()


def test_everything_in_the_folder_is_for_its_owner_alone(authority):
    authority.issue_gate("gate-1", public_key())
    old = os.umask(0)
    try:
        authority.issue_gate("gate-2", public_key())
        authority.revoke([authority.issued()[0].serial])
    finally:
        os.umask(old)
    for path in [authority.folder, *authority.folder.rglob("*")]:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


def test_a_gates_certificate(authority):
    made = authority.issue_gate("gate-1", public_key()).certificate
    assert made.subject.rfc4514_string() == "CN=north/gate-1"
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [
        "urn:gatepost:north:gate-1"
    ]
    purposes = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    basic = made.extensions.get_extension_for_class(x509.BasicConstraints)
    assert basic.critical
    assert not basic.value.ca
    assert made.not_valid_before_utc == T0 - timedelta(hours=1)
    assert made.not_valid_after_utc == T0 + GATE_LIFETIME
    made.verify_directly_issued_by(authority.certificate)


def test_a_servers_certificate_is_for_names_and_addresses(authority):
    made = authority.issue_server(["mqtt.example", "10.0.0.7", "fd00::1"], public_key()).certificate
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mqtt.example"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == [
        "10.0.0.7",
        "fd00::1",
    ]
    purposes = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_the_authority_signs_nothing_but_what_it_issues_itself(authority):
    constraints = authority.certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.value.ca
    assert constraints.value.path_length == 0
    assert authority.site == "north"


@pytest.mark.processes
@pytest.mark.parametrize("purpose", ["sslclient", "sslserver"])
def test_openssl_agrees_strictly(authority, tmp_path, purpose):
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    (tmp_path / "crl.pem").write_bytes(authority.crl_pem)
    made = (
        authority.issue_gate("gate-1", public_key())
        if purpose == "sslclient"
        else authority.issue_server(["mqtt.example"], public_key())
    )
    (tmp_path / "made.pem").write_bytes(made.pem)
    command = ["openssl", "verify", "-x509_strict", "-crl_check", "-purpose", purpose]
    command += ["-attime", f"{T0.timestamp():.0f}", "-CAfile", "ca.pem", "-CRLfile", "crl.pem"]
    done = subprocess.run(
        [*command, "made.pem"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "made.pem: OK\n", done.stderr


def test_names_that_would_be_one_user_are_two():
    assert profiles.gate_name("a-b", "c") != profiles.gate_name("a", "b-c")


@pytest.mark.parametrize("name", ["", "Gate", "a/b", "a+b", "#", "-a", "a" * 64, "a\n", "ü"])
def test_a_name_that_is_none_is_refused(authority, name):
    with pytest.raises(PkiNameError):
        authority.issue_gate(name, public_key())
    with pytest.raises(PkiNameError):
        authority.issue_client(name, public_key())


@pytest.mark.parametrize("host", ["", "UPPER.example", "a b", "-a.example", "a..b", "*.x", "a/b"])
def test_a_host_that_is_none_is_refused(authority, host):
    with pytest.raises(PkiNameError):
        authority.issue_server([host], public_key())


def test_a_name_that_is_too_long_for_a_certificate_says_so(tmp_path):
    assert len(profiles.gate_name("s" * 32, "g" * 31)) == 64
    with pytest.raises(PkiNameError, match=r"65 characters.*shorten"):
        profiles.gate_name("s" * 32, "g" * 32)
    with pytest.raises(PkiNameError):
        Authority.create(tmp_path / "x", "s" * 63)


def test_nothing_outlives_the_authority(authority, clock):
    ends = authority.certificate.not_valid_after_utc
    clock.now_utc = ends - DAY
    assert authority.issue_gate("gate-1", public_key()).expires_utc == ends
    clock.now_utc = ends
    with pytest.raises(PkiNameError, match="the authority has ended"):
        authority.issue_gate("gate-1", public_key())


def test_what_is_revoked_stays_revoked(authority, clock):
    made = [authority.issue_gate(f"gate-{n}", public_key()) for n in range(3)]
    assert authority.revoke([made[0].serial]) == 1
    clock.now_utc += DAY
    assert authority.revoke([made[0].serial, made[1].serial, made[1].serial]) == 1
    again = Authority.open(authority.folder, clock_utc=clock)
    assert {each.name: each.revoked_utc for each in again.issued()} == {
        "north/gate-0": T0,
        "north/gate-1": T0 + DAY,
        "north/gate-2": None,
    }
    found = again.by_serial(made[1].serial)
    assert found is not None
    assert found.revoked_utc == T0 + DAY
    assert again.by_serial(1) is None


def test_each_list_has_a_higher_number_and_lasts_as_long_as_the_authority(authority):
    made = authority.issue_gate("gate-1", public_key())
    numbers = []
    for _ in range(3):
        authority.revoke([made.serial])
        held = x509.load_pem_x509_crl(authority.crl_pem)
        assert held.is_signature_valid(authority.certificate.public_key())
        assert held.next_update_utc == authority.certificate.not_valid_after_utc
        numbers.append(held.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number)
    assert numbers == [2, 3, 4]


def test_a_stranger_is_not_revoked(authority):
    with pytest.raises(PkiRequestError, match="no certificate of this authority"):
        authority.revoke([12345])


def test_an_authority_is_never_overwritten(authority):
    before = authority.fingerprint
    with pytest.raises(PkiFileError, match="holds an authority already"):
        Authority.create(authority.folder, "north")
    assert Authority.open(authority.folder).fingerprint == before


def test_a_creation_that_was_killed_is_begun_again(authority, clock):
    (authority.folder / "ca.pem").unlink()
    with pytest.raises(PkiFileError, match="holds no authority"):
        Authority.open(authority.folder)
    assert Authority.create(authority.folder, "north", clock_utc=clock).issued() == []


def test_a_folder_whose_key_is_anothers_is_refused(authority, tmp_path):
    other = Authority.create(tmp_path / "other", "north")
    (authority.folder / "ca.key").write_bytes((other.folder / "ca.key").read_bytes())
    with pytest.raises(PkiFileError, match="does not fit"):
        Authority.open(authority.folder)


@pytest.mark.parametrize("name", ["ca.pem", "ca.key", "crl.pem"])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff" * 2_000_000])
def test_a_damaged_file_is_named(authority, name, content):
    (authority.folder / name).write_bytes(content)
    with pytest.raises(PkiFileError, match=name):
        Authority.open(authority.folder).issued()


def test_the_organisation_is_the_site(authority):
    names = authority.certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert [each.value for each in names] == ["north"]
