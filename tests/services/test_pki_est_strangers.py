"""What strangers, scanners and other people's clients get from the EST server."""

import base64
import shutil
import socket
import ssl
import subprocess
from contextlib import suppress
from datetime import timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_services.pki import est_client, profiles
from gatepost_services.pki.authority import Authority, utc_now
from gatepost_services.pki.errors import EnrolError, PkiRequestError
from gatepost_services.pki.est_messages import (
    decoded,
    decoded_certificates,
    encoded,
    encoded_certificates,
)
from gatepost_services.pki.est_server import EstServer
from gatepost_services.pki.requests import make_request, read_request

from .est_rig import DEADLINE_S, GATE, SITE, Site, basic


@pytest.fixture
def site(tmp_path):
    with Site(tmp_path) as made:
        yield made


def enrol(site, token=None, **more):
    given = {"url": site.url, "site": SITE, "gate": GATE, "identity": site.identity} | more
    return est_client.enrol(token=token or site.token(), **given)


def test_what_is_no_request_is_refused_and_the_token_not_used_up(site):
    token = site.token()
    headers = basic(token.id, token.secret)
    good = make_request(SITE, GATE, profiles.new_key())
    bodies = [b"", b"!!!", encoded(b""), encoded(b"nonsense"), encoded(good[:-20]), good]
    bodies += [
        encoded(_signed_by_another()),
        encoded(_of_key(rsa.generate_private_key(65537, 2048))),
    ]
    bodies += [encoded(_of_key(ec.generate_private_key(ec.SECP384R1())))]
    bodies += [encoded(_of_key(ed25519.Ed25519PrivateKey.generate()))]
    for body in bodies:
        status, text, _ = site.ask("POST", "simpleenroll", body, headers)
        assert status == 400, text
    status, _, _ = site.ask("POST", "simpleenroll", encoded(good), headers)
    assert status == 200


def _of_key(key):
    names = profiles.gate_subject(SITE, GATE)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256()
    builder = x509.CertificateSigningRequestBuilder().subject_name(names[0])
    return builder.sign(key, algorithm).public_bytes(Encoding.DER)


def _signed_by_another():
    der = bytearray(make_request(SITE, GATE, profiles.new_key()))
    der[-1] ^= 1
    return bytes(der)


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": ""}, 415),
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer x"}, 401),
        ({"Authorization": "Basic !"}, 401),
        ({"Authorization": "Basic /w=="}, 401),
    ],
)
def test_headers_that_are_not_in_order(site, changed, status):
    token = site.token()
    request = encoded(make_request(SITE, GATE, profiles.new_key()))
    headers = basic(token.id, token.secret) | changed
    got, _, answered = site.ask("POST", "simpleenroll", request, headers)
    assert got == status
    assert ("WWW-Authenticate" in answered) == (status == 401)
    assert enrol(site, token)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("what", ["", "x", "../../ca.key", "cacerts/../simpleenroll", "tokens"])
def test_there_is_nothing_else(site, method, what):
    status, body, _ = site.ask(method, what, b"" if method == "POST" else None)
    assert (status, body) == (404, b"there is no such thing here\n")


def test_what_is_too_large_is_refused(site):
    token = site.token()
    headers = basic(token.id, token.secret)
    for count in (6145, 65_536):
        status, body, _ = site.ask("POST", "simpleenroll", b"A" * count, headers)
        assert (status, body) == (413, b"at most 6144 bytes\n")
    with site.line() as line:
        line.sendall(
            b"POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: x\r\n"
            b"Content-Length: 99999999999999999999999999\r\n\r\n" + b"A" * 6144
        )
        assert line.recv(4096).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "length", [b"", b"Content-Length: -1\r\n", b"Content-Length: 1e3\r\n", "Content-Length: ²\r\n"]
)
def test_a_body_without_a_length_is_refused(site, length):
    length = length.encode() if isinstance(length, str) else length
    with site.line() as line:
        line.sendall(
            b"POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: x\r\n" + length + b"\r\n"
        )
        assert line.recv(4096).startswith(b"HTTP/1.1 411")


def test_a_header_without_an_end_is_refused(site):
    with site.line() as line:
        line.sendall(b"GET /" + b"a" * 65_536)
        assert line.recv(4096).startswith(b"HTTP/1.1 414")


def drip(site):
    with site.line() as line:  # which is hung up on in the handshake where this is slow
        while True:
            line.sendall(b"G")


def test_who_says_nothing_or_drips_is_hung_up_on(tmp_path):
    with Site(tmp_path, deadline_s=0.3) as site:
        with socket.create_connection(("localhost", site.port), DEADLINE_S) as mute:
            assert mute.recv(1) == b""  # not even the handshake
        with pytest.raises(OSError):  # noqa: PT011 - EOF, reset or broken pipe
            drip(site)
        site.server._deadline_s = DEADLINE_S
        assert enrol(site)


def test_more_than_there_is_room_for_are_turned_away(site):
    held = [socket.create_connection(("localhost", site.port), DEADLINE_S) for _ in range(16)]
    try:
        with socket.create_connection(("localhost", site.port), DEADLINE_S) as late:
            assert late.recv(1) == b""
    finally:
        for each in held:
            each.close()


def test_tls_1_2_is_refused(site):
    context = site.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("localhost", site.port), DEADLINE_S) as plain,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(plain, server_hostname="localhost")


def test_what_ails_the_disk_is_not_told_to_strangers(site):
    token = site.token()
    path = site.authority.folder / "tokens" / f"{token.id}.json"
    path.write_bytes(b"{")
    with pytest.raises(EnrolError, match="the authority cannot answer; see its log"):
        enrol(site, token)


def test_a_server_takes_its_own_certificate_up_again(tmp_path):
    authority = Authority.create(tmp_path / "ca", SITE)
    for hosts, count in ((["localhost"], 1), (["localhost"], 1), (["localhost", "127.0.0.1"], 2)):
        EstServer(authority, hosts, port=0).server_close()
        assert len(authority.issued()) == count
    newest = authority.issued()
    authority.revoke([each.serial for each in newest])
    EstServer(authority, ["localhost", "127.0.0.1"], port=0).server_close()
    assert len(authority.issued()) == 3


@pytest.mark.filterwarnings("ignore")  # the library's, on the oddities of what it is given
@settings(max_examples=500, deadline=None)
@given(st.data())
def test_damaged_bytes_are_an_error_of_ours(data):
    """Also those that the library has its own, unrelated exceptions for, as a strange version."""
    what = data.draw(st.sampled_from(["request", "certificates", "revoked"]))
    der, authority = _examples()[what], _examples()["authority"]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(der)))
        cut = data.draw(st.integers(0, 3))
        der = der[:at] + data.draw(st.binary(max_size=3)) + der[at + cut :]
    with suppress(PkiRequestError):
        if what == "request":
            read_request(der, SITE, GATE)
        elif what == "certificates":
            decoded_certificates(encoded(der))
        else:
            pem = ssl.DER_cert_to_PEM_cert(der).replace("CERTIFICATE", "X509 CRL")
            est_client._number(pem.encode(), authority)


def test_a_version_that_there_is_not_is_an_error_of_ours():
    """The library has an exception of its own for it."""
    request = _examples()["request"].replace(b"\x02\x01\x00", b"\x02\x01\x09", 1)
    with pytest.raises(PkiRequestError, match="InvalidVersion"):
        read_request(request, SITE, GATE)
    revoked = _examples()["revoked"].replace(b"\x02\x01\x01", b"\x02\x01\x2d", 1)
    pem = ssl.DER_cert_to_PEM_cert(revoked).replace("CERTIFICATE", "X509 CRL")
    assert est_client._number(pem.encode(), _examples()["authority"]) is None


@cache
def _examples():
    key = profiles.new_key()
    authority = profiles.authority(SITE, key, utc_now(), timedelta(days=1))
    revoked = x509.CertificateRevocationListBuilder().issuer_name(authority.subject)
    revoked = revoked.last_update(utc_now()).next_update(utc_now() + timedelta(days=1))
    return {
        "authority": authority,
        "request": make_request(SITE, GATE, key),
        "certificates": decoded(encoded_certificates([authority])),
        "revoked": revoked.sign(key, SHA256()).public_bytes(Encoding.DER),
    }


# ---------------------------------------------------------------------------- a stranger's client


@pytest.mark.processes
@pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("openssl")), reason="needs curl and openssl"
)
def test_curl_and_openssl_enrol_too(site, tmp_path):
    """As RFC 7030 has it, not only as our own client does."""
    token = site.token()

    def run(*command):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout

    base = f"{site.url}/.well-known/est"
    body = run("curl", "-sk", f"{base}/cacerts")
    assert decoded_certificates(body) == [site.authority.certificate]
    (tmp_path / "ca.pem").write_bytes(site.authority.pem)
    run(
        *("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-keyout", "k.pem", "-subj", "/CN=north\\/gate-1", "-outform", "DER"),
        *("-out", "req.der"),
    )
    (tmp_path / "req.b64").write_bytes(base64.encodebytes((tmp_path / "req.der").read_bytes()))
    post = ("-H", "Content-Type: application/pkcs10", "--data-binary", "@req.b64")
    user = ("-u", f"{token.id}:{token.secret}")
    got = run("curl", "-s", "--cacert", "ca.pem", *user, *post, f"{base}/simpleenroll")
    (tmp_path / "got.p7").write_bytes(base64.decodebytes(got))
    pem = run("openssl", "pkcs7", "-inform", "DER", "-in", "got.p7", "-print_certs")
    (tmp_path / "got.pem").write_bytes(pem)
    shown = ("--cert", "got.pem", "--key", "k.pem")
    again = run("curl", "-s", "--cacert", "ca.pem", *shown, *post, f"{base}/simplereenroll")
    assert profiles.common_name(decoded_certificates(again)[0].subject) == "north/gate-1"
