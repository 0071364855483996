"""One-time tokens: good once, for one key, for a while, for one gate."""

import json
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest

from gatepost_services.pki import profiles, tokens
from gatepost_services.pki.authority import Authority
from gatepost_services.pki.errors import PkiFileError, PkiRequestError, TokenError
from gatepost_services.pki.requests import make_request
from gatepost_services.pki.tokens import Token, make_token, redeem

T0 = datetime(2026, 3, 1, tzinfo=UTC)


class Desk:
    """An authority with a clock, and a gate with a key."""

    def __init__(self, folder):
        self.now_utc = T0
        self.authority = Authority.create(folder, "north", clock_utc=lambda: self.now_utc)
        self.key = profiles.new_key()

    def request(self, gate="gate-1", key=None):
        return make_request("north", gate, key or self.key)

    def redeem(self, token, request=None):
        return redeem(self.authority, token.id, token.secret, request or self.request())


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "ca")


def test_a_token_gets_a_certificate_for_its_gate(desk):
    token = make_token(desk.authority, "gate-1")
    made = desk.redeem(Token.parse(f" {token}\n"))
    assert made.name == "north/gate-1"
    assert made.certificate.public_key() == desk.key.public_key()
    assert token.fingerprint == desk.authority.fingerprint


def test_a_token_is_good_for_one_key_alone(desk):
    token = make_token(desk.authority, "gate-1")
    made = desk.redeem(token)
    # An answer that was lost: the same certificate again, and not one more.
    assert desk.redeem(token).serial == made.serial
    thief = desk.request(key=profiles.new_key())
    with pytest.raises(TokenError, match="was used before") as caught:
        desk.redeem(token, thief)
    assert "was used before" in caught.value.public
    assert len(desk.authority.issued()) == 1


def test_what_was_revoked_is_not_given_again(desk):
    token = make_token(desk.authority, "gate-1")
    desk.authority.revoke([desk.redeem(token).serial])
    with pytest.raises(TokenError, match="was used before"):
        desk.redeem(token)


def test_one_of_many_at_once_gets_it(desk):
    token, results, barrier = make_token(desk.authority, "gate-1"), [], Barrier(8)

    def ask():
        request = desk.request(key=profiles.new_key())
        barrier.wait()
        try:
            results.append(desk.redeem(token, request).serial)
        except TokenError:
            results.append(None)

    threads = [Thread(target=ask) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(results) == 8
    assert len([each for each in results if each is not None]) == 1
    assert len(desk.authority.issued()) == 1


def test_a_token_expires_also_for_whom_it_was_good(desk):
    token = make_token(desk.authority, "gate-1", timedelta(hours=2))
    desk.now_utc = T0 + timedelta(hours=2)
    desk.redeem(token)
    desk.now_utc += timedelta(seconds=1)
    with pytest.raises(TokenError, match="has expired on 2026-03-01 02:00 UTC"):
        desk.redeem(token)


def test_a_wrong_secret_tells_nothing(desk):
    token = make_token(desk.authority, "gate-1")
    texts = set()
    for guess in (
        Token(token.id, "A" * 43, token.fingerprint),
        Token("0" * 16, token.secret, token.fingerprint),
        Token(f"../tokens/{token.id}", token.secret, token.fingerprint),
        Token("", "", ""),
    ):
        with pytest.raises(TokenError) as caught:
            desk.redeem(guess)
        texts.add(caught.value.public)
    assert texts == {"the token does not count"}
    assert desk.redeem(token)


def test_a_request_of_another_gate_does_not_use_the_token_up(desk):
    token = make_token(desk.authority, "gate-1")
    with pytest.raises(PkiRequestError, match=r"'north/gate-2', and north/gate-1"):
        desk.redeem(token, desk.request("gate-2"))
    assert desk.authority.issued() == []
    assert desk.redeem(token)


def test_the_secret_is_not_kept_and_not_shown(desk):
    token = make_token(desk.authority, "gate-1")
    for path in desk.authority.folder.rglob("*"):
        assert path.is_dir() or token.secret.encode() not in path.read_bytes()
    assert token.secret not in repr(token)
    assert token.secret in str(token)


def test_expired_ones_are_forgotten_with_the_next(desk):
    make_token(desk.authority, "gate-1")
    desk.now_utc = T0 + timedelta(hours=25)
    second = make_token(desk.authority, "gate-2")
    assert [path.stem for path in (desk.authority.folder / "tokens").iterdir()] == [second.id]


def test_waiting_and_forgotten(desk):
    first, second = (make_token(desk.authority, "gate-1") for _ in range(2))
    other = make_token(desk.authority, "gate-2")
    desk.redeem(first)
    assert {each.id for each in tokens.waiting(desk.authority)} == {second.id, other.id}
    assert tokens.forget(desk.authority, "gate-1") == 2
    assert [each.gate for each in tokens.waiting(desk.authority)] == ["gate-2"]
    with pytest.raises(TokenError):
        desk.redeem(second)
    desk.now_utc = T0 + timedelta(hours=25)
    assert tokens.waiting(desk.authority) == []


def test_a_kill_between_certificate_and_token_leaves_the_token_good(desk, monkeypatch):
    token = make_token(desk.authority, "gate-1")

    def killed(*_args, **_more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tokens, "_write", killed)
        with pytest.raises(KeyboardInterrupt):
            desk.redeem(token)
    assert desk.redeem(token)


def test_a_damaged_token_is_named_and_no_token(desk):
    token = make_token(desk.authority, "gate-1")
    path = desk.authority.folder / "tokens" / f"{token.id}.json"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(PkiFileError, match=f"{token.id}.json: no token"):
        desk.redeem(token)


def test_what_the_file_holds(desk):
    token = make_token(desk.authority, "gate-1")
    path = desk.authority.folder / "tokens" / f"{token.id}.json"
    assert set(json.loads(path.read_bytes())) == {
        "gate",
        "secret_sha256",
        "expires_utc",
        "key_sha256",
        "serial",
    }


@pytest.mark.parametrize(
    "text", ["", "a.b.c", "x" * 10_000, "0123456789abcdef", "0123456789abcdef." + "A" * 43 + "."]
)
def test_what_is_no_token_is_said_to_be_none(text):
    with pytest.raises(TokenError, match="this is no token"):
        Token.parse(text)
