"""The context of the link: which files it takes, and what it says of those that it does not."""

import os
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_services.pki import profiles
from gatepost_services.pki.authority import Authority, utc_now
from gatepost_services.uplink.tls import TlsError, TlsFiles, certificate_state, client_context
from gatepost_services.uplink.validity import CertificateState, validity_of

from .tls_rig import Files, Rig

DAY = timedelta(days=1)
T0 = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path / "site")


def refused(files: Files, now_utc: datetime | None = None) -> str:
    with pytest.raises(TlsError) as told:
        client_context(files, now_utc)
    return str(told.value)


def with_path(files: Files, **paths: Path) -> Files:
    return Files(**{name: getattr(files, name) for name in Files.__dataclass_fields__} | paths)


def test_a_context_takes_tls_1_3_the_sites_authority_and_the_brokers_name(rig):
    made = client_context(rig.gate(), utc_now())
    assert made.minimum_version is ssl.TLSVersion.TLSv1_3
    assert made.check_hostname
    assert made.verify_mode is ssl.CERT_REQUIRED
    # One authority, and none of the system's.
    assert [int(each["serialNumber"], 16) for each in made.get_ca_certs()] == [
        rig.authority.certificate.serial_number
    ]
    assert not made.verify_flags & ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF


@pytest.mark.parametrize("name", ["ca", "certificate", "key", "revoked"])
def test_a_file_that_is_missing_is_named_with_a_remedy(rig, name):
    missing = rig.folder / "nowhere.pem"
    text = refused(with_path(rig.gate(), **{name: missing}))
    assert f"{missing}: there is no such file" in text
    assert "gatepost enrol - --url" in text
    assert ('[tls] revoked = "/dev/null"' in text) == (name == "revoked")


@pytest.mark.parametrize("name", ["ca", "certificate", "key", "revoked"])
def test_a_file_that_cannot_be_read_is_named_with_a_remedy(rig, name):
    text = refused(with_path(rig.gate(), **{name: rig.folder}))  # a folder
    assert f"{rig.folder}: cannot be read: Is a directory" in text
    assert "chown gatepost-link" in text


@pytest.mark.parametrize("name", ["ca", "certificate", "key", "revoked"])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe", b"x" * 1_000_001])
def test_a_file_that_holds_nothing_of_use_is_named(rig, name, content):
    damaged = rig.folder / "damaged.pem"
    damaged.write_bytes(content)
    damaged.chmod(0o600)
    assert str(damaged) in refused(with_path(rig.gate(), **{name: damaged}))


@pytest.mark.parametrize("cut", [30, 200, -40])
@pytest.mark.parametrize("name", ["ca", "certificate", "key"])
def test_a_file_that_was_cut_off_is_named(rig, name, cut):
    files, damaged = rig.gate(), rig.folder / "damaged.pem"
    damaged.write_bytes(getattr(files, name).read_bytes()[:cut])
    damaged.chmod(0o600)
    assert str(damaged) in refused(with_path(files, **{name: damaged}))


def test_a_key_that_does_not_fit_is_told_from_one_that_is_damaged(rig):
    files, other = rig.gate(), rig.gate()
    text = refused(with_path(files, key=other.key))
    assert f"{other.key}: does not fit {files.certificate}" in text


@pytest.mark.parametrize(
    ("mode", "is_taken"), [(0o600, True), (0o640, True), (0o660, False), (0o604, False)]
)
def test_a_key_that_others_can_read_is_refused_with_what_mends_it(rig, mode, is_taken):
    files = rig.gate()
    files.key.chmod(mode)
    if is_taken:
        client_context(files, None)
    else:
        assert f"chmod 600 {files.key}" in refused(files)


def test_a_key_with_a_passphrase_does_not_ask_on_the_terminal(rig):
    files = rig.gate()
    files.key.write_bytes(
        profiles.new_key().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")
        )
    )
    assert "has a passphrase" in refused(files)


def test_time_is_judged_by_a_trusted_clock_and_by_no_other(rig):
    files = rig.gate()
    state = certificate_state(files.certificate)
    assert client_context(files, state.begins_utc)
    assert client_context(files, state.expires_utc)
    early = refused(files, state.begins_utc - timedelta(seconds=1))
    assert "set the clock (timedatectl)" in early
    late = refused(files, state.expires_utc + timedelta(seconds=1))
    assert "has ended on" in late
    assert "gatepost enrol - --url" in late
    assert client_context(rig.gate(ended=True), None)


def test_a_list_of_what_is_revoked_is_used(rig):
    revoked = rig.folder / "crl.pem"
    revoked.write_bytes(rig.authority.crl_pem)
    made = client_context(with_path(rig.gate(), revoked=revoked), utc_now())
    assert made.verify_flags & ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF


def test_a_list_that_brings_an_authority_with_it_is_refused(rig):
    """It would vouch for a broker."""
    revoked = rig.folder / "crl.pem"
    revoked.write_bytes(rig.authority.crl_pem + Rig(rig.folder / "other").authority.pem)
    assert "no list of revoked certificates" in refused(with_path(rig.gate(), revoked=revoked))
    revoked.write_bytes(rig.authority.pem)
    assert "no list of revoked certificates" in refused(with_path(rig.gate(), revoked=revoked))


# ------------------------------------------------------------------------------- the two instants


@pytest.mark.parametrize("days", [1, 365, 3650, 36_500])
def test_the_instants_are_those_that_cryptography_reads(tmp_path, days):
    """Also beyond 2049, where another form of time begins (RFC 5280, 4.1.2.5)."""
    rig = Authority.create(tmp_path / "ca", "north", lifetime=36_500 * DAY, clock_utc=lambda: T0)
    made = rig.issue_gate("gate-1", profiles.new_key().public_key(), lifetime=days * DAY)
    for each in (made.certificate, rig.certificate):
        state = validity_of(each.public_bytes(Encoding.DER))
        assert state.begins_utc == each.not_valid_before_utc
        assert state.expires_utc == each.not_valid_after_utc
    path = tmp_path / "chain.pem"
    path.write_bytes(b"text before\n" + made.pem + rig.pem)
    assert certificate_state(path).expires_utc == T0 + days * DAY


def test_a_year_of_two_digits_may_be_of_the_last_century():
    then = datetime(1999, 12, 31, tzinfo=UTC)
    made = profiles.authority("north", profiles.new_key(), then, DAY)
    state = validity_of(made.public_bytes(Encoding.DER))
    assert (state.begins_utc, state.expires_utc) == (then - timedelta(hours=1), then + DAY)


def test_a_third_of_the_life_is_when_it_is_renewed():
    state = CertificateState(T0, T0 + 90 * DAY)
    assert state.days_left(T0 + 60 * DAY) == 30.0
    assert not state.needs_renewal(T0 + 60 * DAY)
    assert state.needs_renewal(T0 + 60 * DAY + timedelta(seconds=1))
    assert state.needs_renewal(T0 + 91 * DAY)
    assert state.days_left(T0 + 91 * DAY) == -1.0


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_certificate_is_an_error_or_reads_as_something(data):
    der = bytearray(_der())
    for _ in range(data.draw(st.integers(1, 5))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ValueError):
        validity_of(bytes(der[: data.draw(st.integers(0, len(der)))]))


def _der() -> bytes:
    if not _DER:
        key = profiles.new_key()
        _DER.append(profiles.authority("north", key, T0, DAY).public_bytes(Encoding.DER))
    return _DER[0]


_DER: list[bytes] = []


# ------------------------------------------------------------------------------------- rotation


@pytest.fixture
def lying(rig):
    """Files in one place, which `lay` exchanges as a technician would: one after the other."""
    folder = rig.folder / "tls"
    folder.mkdir()
    return Files(rig.ca, folder / "device.pem", folder / "device.key")


def lay(lying: Files, files: Files) -> None:
    for target, source in ((lying.certificate, files.certificate), (lying.key, files.key)):
        fresh = target.with_name("fresh")
        fresh.write_bytes(source.read_bytes())
        fresh.chmod(0o600)
        fresh.replace(target)


def test_new_files_count_when_they_are_good(rig, lying):
    tls = TlsFiles(lying, utc_now)
    assert tls.state is None
    with pytest.raises(TlsError, match="there is no such file"):
        tls.context()
    lay(lying, rig.gate())
    first = tls.context()
    assert not tls.renewed()
    assert tls.context() is first
    lay(lying, rig.gate())
    assert tls.renewed()
    assert tls.renewed()
    assert tls.context() is not first
    assert not tls.renewed()
    assert tls.problem is None
    assert tls.state == certificate_state(lying.certificate)


def test_the_old_files_serve_while_the_new_ones_are_bad(rig, lying):
    lay(lying, rig.gate())
    tls = TlsFiles(lying, utc_now)
    first, held = tls.context(), tls.state
    good = rig.gate()
    lying.key.write_bytes(good.key.read_bytes())  # and the kill comes before the certificate
    assert not tls.renewed()
    assert "does not fit" in (tls.problem or "")
    assert tls.context() is first
    assert tls.state == held
    lay(lying, rig.gate(ended=True))
    assert not tls.renewed()
    assert "has ended" in (tls.problem or "")
    lying.certificate.unlink()
    assert not tls.renewed()
    assert tls.context() is first
    lay(lying, good)
    assert tls.renewed()
    assert tls.problem is None
    assert tls.context() is not first


def test_files_that_are_put_back_are_no_change(rig, lying):
    lay(lying, rig.gate())
    tls = TlsFiles(lying, utc_now)
    tls.context()
    aside = lying.key.with_name("aside")
    lying.key.rename(aside)
    assert not tls.renewed()
    assert tls.problem is not None
    aside.rename(lying.key)
    assert not tls.renewed()
    assert tls.problem is None


def test_bad_files_are_read_once_and_again_for_a_new_connection(rig, lying, monkeypatch):
    now = [T0]
    lay(lying, rig.gate())
    tls = TlsFiles(lying, lambda: now[0])
    with pytest.raises(TlsError, match="set the clock"):
        tls.context()
    opened = []
    real = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *a: opened.append(self) or real(self, *a))
    assert not tls.renewed()
    assert not opened  # a stat of each is all
    now[0] = utc_now()
    tls.context()
    assert opened


def test_a_pair_that_is_exchanged_while_it_is_read_is_read_again(rig, lying, monkeypatch):
    lay(lying, rig.gate())
    good, real, done = rig.gate(), ssl.SSLContext.load_cert_chain, []

    def exchanging(self, *args, **kwargs):
        if not done:
            done.append(1)
            lying.key.write_bytes(good.key.read_bytes())
            try:
                return real(self, *args, **kwargs)
            finally:
                lay(lying, good)
        return real(self, *args, **kwargs)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", exchanging)
    tls = TlsFiles(lying, utc_now)
    tls.context()
    assert tls.problem is None
    assert tls.state == certificate_state(good.certificate)


def test_files_that_never_come_to_rest_are_no_endless_loop(rig, lying, monkeypatch):
    lay(lying, rig.gate())
    real = ssl.SSLContext.load_cert_chain

    def changing(self, *args, **kwargs):
        os.utime(lying.key, ns=(0, lying.key.stat().st_mtime_ns + 1))
        return real(self, *args, **kwargs)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", changing)
    with pytest.raises(TlsError, match="changes all the time"):
        TlsFiles(lying, utc_now).context()


def test_the_link_needs_no_cryptography(run_python):
    code = (
        "import sys, gatepost_services.uplink.tls\n"
        "print([name for name in sys.modules if name.startswith('cryptography')])"
    )
    assert run_python(code).communicate(timeout=30)[0].strip() == "[]"


def test_the_rig_makes_what_it_says(rig):
    made = x509.load_pem_x509_certificate(rig.gate().certificate.read_bytes())
    assert profiles.common_name(made.subject) == "north/gate-1"
