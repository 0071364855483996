"""A gate that enrols and renews at a real server, and strangers who would like to."""

import select
import socket
import ssl
import threading
from datetime import timedelta

import pytest

from gatepost_services.pki import est_client, profiles
from gatepost_services.pki.authority import Authority, utc_now
from gatepost_services.pki.errors import EnrolError
from gatepost_services.pki.est_messages import encoded
from gatepost_services.pki.est_server import EstServer, Renewals
from gatepost_services.pki.identity import Identity
from gatepost_services.pki.requests import make_request
from gatepost_services.pki.tokens import Token
from gatepost_services.uplink.tls import client_context

from .est_rig import DEADLINE_S, GATE, SITE, Site
from .tls_rig import Files


@pytest.fixture
def site(tmp_path):
    with Site(tmp_path) as made:
        yield made


def enrol(site, token=None, **more):
    given = {"url": site.url, "site": SITE, "gate": GATE, "identity": site.identity} | more
    return est_client.enrol(token=token or site.token(), **given)


def renew(site, *, is_due=True, url=None):
    return est_client.renew(SITE, GATE, site.identity, url=url, is_due=is_due)


def files_of(identity):
    return Files(identity.authority, identity.certificate, identity.key)


def test_a_gate_enrols_and_its_files_secure_a_link(site):
    made = enrol(site)
    assert profiles.common_name(made.subject) == "north/gate-1"
    client_context(files_of(site.identity), utc_now())
    assert (site.identity.folder / "crl.pem").read_bytes() == site.authority.crl_pem
    assert site.identity.authority.read_bytes() == site.authority.pem
    # The key never was anywhere else.
    key = site.identity.key.read_bytes()
    assert all(
        path.is_dir() or key not in path.read_bytes() for path in site.authority.folder.rglob("*")
    )


def test_a_token_is_good_once(site, tmp_path):
    token = site.token()
    enrol(site, token)
    (tmp_path / "thief").mkdir()
    with pytest.raises(EnrolError, match="the token was used before"):
        enrol(site, token, identity=Identity(tmp_path / "thief"))
    assert [each.name for each in (tmp_path / "thief").iterdir()] == ["pending.key"]


def test_an_answer_that_was_lost_costs_no_second_token(site, monkeypatch):
    token = site.token()

    def killed(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Identity, "install", killed)
        with pytest.raises(KeyboardInterrupt):
            enrol(site, token)
    assert not site.identity.certificate.exists()
    enrol(site, token)
    client_context(files_of(site.identity), utc_now())
    assert len([each for each in site.authority.issued() if each.kind == "gate"]) == 1


def test_an_expired_token_is_refused(site):
    token = site.token()
    site.ahead = timedelta(hours=25)
    with pytest.raises(EnrolError, match=r"the token has expired on .*; ask for a new one"):
        enrol(site, token)


def test_a_forged_token_is_refused(site):
    real = site.token()
    for forged in (
        Token(real.id, "A" * 43, real.fingerprint),
        Token("0" * 16, real.secret, real.fingerprint),
    ):
        with pytest.raises(EnrolError, match="the token does not count"):
            enrol(site, forged)
    assert enrol(site, real)


def test_a_token_of_another_gate_is_refused_and_not_used_up(site):
    token = site.token("gate-2")
    with pytest.raises(EnrolError, match=r"for 'north/gate-1', and north/gate-2 is what"):
        enrol(site, token)
    assert enrol(site, token, gate="gate-2")


@pytest.mark.parametrize("wrong", ["key", "gate", "authority"])
@pytest.mark.parametrize("is_renewal", [False, True])
def test_a_certificate_that_was_not_asked_for_is_not_put_in_force(
    site, tmp_path, monkeypatch, wrong, is_renewal
):
    other = Authority.create(tmp_path / "other", SITE)
    token, real = site.token(), site.authority.issue_gate
    if is_renewal:
        enrol(site, token)
    held = site.identity.held()
    monkeypatch.setattr(
        site.authority,
        "issue_gate",
        lambda gate, key: {
            "key": lambda: real(gate, profiles.new_key().public_key()),
            "gate": lambda: real("gate-2", key),
            "authority": lambda: other.issue_gate(gate, key),
        }[wrong](),
    )
    with pytest.raises(EnrolError, match=r"the certificate that came is not (of|for)"):
        renew(site) if is_renewal else enrol(site, token)
    assert site.identity.held() == held


def test_a_server_of_another_authority_is_not_told_the_secret(site, tmp_path, monkeypatch):
    sent = []
    real = est_client._exchange
    monkeypatch.setattr(est_client, "_exchange", lambda *args: sent.append(args[1:]) or real(*args))
    other = Authority.create(tmp_path / "other", SITE)
    token = site.token()
    with pytest.raises(EnrolError, match="secret was not sent"):
        enrol(site, Token(token.id, token.secret, other.fingerprint))
    assert [what for what, *_ in sent] == ["cacerts"]


def test_one_in_between_who_shows_the_right_authority_is_not_told_either(tmp_path):
    """The authority's certificate is public; the server's key is what it must have."""
    with Site(tmp_path) as site:
        between = EstServer(Authority.create(tmp_path / "other", SITE), ["localhost"], port=0)
        between.authority = site.authority
        thread = threading.Thread(target=between.serve_forever, args=(0.02,))
        thread.start()
        try:
            with pytest.raises(EnrolError, match="its certificate does not count"):
                enrol(site, url=f"https://localhost:{between.server_port}")
        finally:
            between.shutdown()
            thread.join(DEADLINE_S)
            between.server_close()
        assert [each.kind for each in site.authority.issued()] == ["server"]


def test_a_server_of_another_name_is_not_told(site):
    with pytest.raises(EnrolError, match=r"is for another address.*--name"):
        enrol(site, url=f"https://127.0.0.1:{site.port}")


@pytest.mark.parametrize(
    "url", ["", "http://localhost", "localhost:8085", "https://", "https://a:x", "https://u@h"]
)
def test_an_address_that_is_none_is_said_to_be_none(site, url):
    with pytest.raises(EnrolError, match="write the server as https://HOST:PORT"):
        enrol(site, url=url)


def test_nobody_there(site):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(EnrolError, match="does gatepost pki serve run there"):
        enrol(site, url=f"https://localhost:{port}")


# --------------------------------------------------------------------------------------- renewal


def test_a_gate_renews_with_its_certificate_and_a_new_key(site):
    first = enrol(site)
    key = site.identity.key.read_bytes()
    second = renew(site)
    assert second is not None
    assert second.serial_number != first.serial_number
    assert site.identity.key.read_bytes() != key
    client_context(files_of(site.identity), utc_now())


def test_when_it_is_not_due_the_newest_list_is_taken_all_the_same(site):
    enrol(site)
    held = site.identity.certificate.read_bytes()
    other = site.authority.issue_gate("gate-9", profiles.new_key().public_key())
    site.authority.revoke([other.serial])
    assert renew(site, is_due=False) is None
    assert (site.identity.folder / "crl.pem").read_bytes() == site.authority.crl_pem
    assert site.identity.certificate.read_bytes() == held
    client_context(files_of(site.identity), utc_now())
    before = (site.identity.folder / "current").readlink()
    assert renew(site, is_due=False) is None
    assert (site.identity.folder / "current").readlink() == before  # nothing to change


def test_an_older_list_does_not_count(site):
    enrol(site)
    old = site.authority.crl_pem
    made = site.authority.issue_gate("gate-9", profiles.new_key().public_key())
    site.authority.revoke([made.serial])
    renew(site, is_due=False)
    (site.authority.folder / "crl.pem").write_bytes(old)
    with pytest.raises(EnrolError, match="older than ours"):
        renew(site, is_due=False)


def test_a_list_of_a_stranger_does_not_count(site, tmp_path):
    enrol(site)
    strange = Authority.create(tmp_path / "other", SITE).crl_pem
    (site.authority.folder / "crl.pem").write_bytes(strange)
    with pytest.raises(EnrolError, match="not signed by the authority"):
        renew(site, is_due=False)


def test_a_revoked_gate_does_not_renew_and_keeps_what_it_has(site):
    made = enrol(site)
    site.authority.revoke([made.serial_number])
    held = site.identity.held()
    with pytest.raises(EnrolError, match="this certificate is revoked"):
        renew(site)
    assert site.identity.held() == held


def test_a_certificate_that_is_no_gates_does_not_renew(site):
    enrol(site)
    key = profiles.new_key()
    made = site.authority.issue_client("centre", key.public_key())
    site.identity.install(
        site.identity.held() | {"device.pem": made.pem, "device.key": profiles.key_pem(key)}
    )
    with pytest.raises(EnrolError, match="not of a gate"):
        renew(site)


def test_a_gate_does_not_renew_as_another(site):
    enrol(site)
    with pytest.raises(EnrolError, match=r"for 'north/gate-2', and north/gate-1 is what"):
        est_client.renew(SITE, "gate-2", site.identity, url=None, is_due=True)


def test_without_a_certificate_nothing_is_renewed(site):
    with pytest.raises(EnrolError, match="gatepost enrol - --url"):
        renew(site)
    request = encoded(make_request(SITE, GATE, profiles.new_key()))
    status, body, _ = site.ask(
        "POST", "simplereenroll", request, {"Content-Type": "application/pkcs10"}
    )
    assert (status, body) == (403, b"no certificate was shown; without one a token is needed\n")


@pytest.mark.parametrize("is_gone", [False, True])
def test_an_ended_certificate_does_not_renew(site, monkeypatch, is_gone):
    enrol(site)
    key = profiles.new_key()
    site.ahead = timedelta(days=-2)
    made = site.authority.issue_gate(GATE, key.public_key(), lifetime=timedelta(days=1))
    site.identity.install(
        site.identity.held() | {"device.pem": made.pem, "device.key": profiles.key_pem(key)}
    )

    def too_late(line, _data):
        assert select.select([line], [], [], DEADLINE_S)[0]
        raise BrokenPipeError(32, "Broken pipe")

    if is_gone:  # the server has hung up before the request is written
        monkeypatch.setattr(ssl.SSLSocket, "sendall", too_late)
    with pytest.raises(EnrolError, match=r"EXPIRED.*enrol with a new token"):
        renew(site)


def test_a_gate_that_is_taken_over_does_not_fill_the_disk(site):
    enrol(site)
    for _ in range(Renewals.MOST):
        renew(site)
    with pytest.raises(EnrolError, match="renewed too often; wait an hour"):
        renew(site)
