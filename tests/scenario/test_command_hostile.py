"""What must do nothing, sent to a whole gate over TLS: both processes, a real broker."""

import base64
import itertools
import json

import msgspec
import pytest
from tests.services.command_kit import STRANGER

from gatepost_hal.system import SystemClock
from gatepost_services.commands.jws import Kind, sign
from gatepost_services.credentials.signing import kid_of
from gatepost_services.hub.messages import Broker, Outgoing
from gatepost_services.hub.mqtt import HubClient

from .command_chain import KEY, LIMIT_S, Chain
from .test_demo import needs_mosquitto

pytestmark = [pytest.mark.processes, needs_mosquitto]
HOUR_S = 3600
COUNTER = itertools.count(1_000)  # over all that the chain has used


@pytest.fixture
def chain(config):
    with Chain(config) as made:
        yield made


def text(id_, *, key=KEY, kind=Kind.COMMAND, **changed):
    """Return a command that opens the way out, signed by a key that counts, with changes."""
    now_s = int(SystemClock().utc_s())
    claims = {
        "jti": id_,
        "aud": "/gatepost/s/g",
        "iat": now_s,
        "nbf": now_s,
        "exp": now_s + 60,
        "counter": next(COUNTER),
        "verb": "release_exit",
        "by": "anna",
        "args": {},
        **changed,
    }
    return sign(kind, msgspec.json.encode(claims), key, kid_of(key.public_key()))


def part(said):
    return base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=")


def unsigned(id_):
    """Return it as JWS allows it to be said, and Gatepost does not: "alg": "none"."""
    return b".".join((part({"alg": "none"}), text(id_).split(b".")[1], b""))


def altered(id_):
    """Return it with the way in put in the place of the way out, after it was signed."""
    head, _, signature = text(id_).split(b".")
    return b".".join((head, text(id_, verb="release_entry").split(b".")[1], signature))


def hostile(now_s):
    """Return (id, text, why): what is sent, and what is answered, to whom.

    The gate believes nothing of a text that no key of the site signed, not its id either: who sent
    that knows the answer by the correlation data. Without an id and a form there is none.
    """
    past = {"iat": now_s - HOUR_S, "nbf": now_s - HOUR_S, "exp": now_s - HOUR_S + 60}
    future = {"iat": now_s + HOUR_S, "nbf": now_s + HOUR_S, "exp": now_s + HOUR_S + 60}
    return [
        ("unsigned", unsigned("unsigned"), "malformed"),
        ("bare", json.dumps({"jti": "bare", "verb": "release_exit"}).encode(), "malformed"),
        (None, altered("altered"), "bad_signature"),
        (None, text("stranger", key=STRANGER), "unknown_key"),
        ("expired", text("expired", **past), "expired"),
        ("future", text("future", **future), "not_yet_valid"),
        ("replayed", text("replayed", counter=1), "replayed"),
        ("forever", text("forever", exp=now_s + 24 * HOUR_S), "window_too_long"),
        ("other-gate", text("other-gate", aud="/gatepost/s/other"), "wrong_gate"),
        ("schema", text("schema", verb="open_all"), "malformed"),
        ("member", text("member", more=1), "malformed"),
        ("desired", text("desired", kind=Kind.DESIRED), "malformed"),
        ("role", text("role", verb="restart"), "not_authorised"),
        ("long", b'{"jti":"long","x":"%b"}' % (b"x" * 13_000), "too_large"),
        (None, b"{", None),
        (None, b"\x00\xff" * 500, None),
        (None, b"", None),
    ]


def why_refused(chain, id_, count):
    answers = [json.loads(each) for each in chain.answers_to(id_, count)]
    assert {each["status"] for each in answers} == {"refused"}
    return sorted(each["why"] for each in answers)


def test_what_does_not_count_is_answered_and_nothing_moves(chain):
    chain.start("link")
    chain.start("gate")
    chain.ready()
    sent = hostile(int(SystemClock().utc_s()))
    for _id, content, _why in sent:
        chain.publish_text(content)
    chain.publish_text(text("retained"), is_retained=True)
    expected = {"retained": ["retained"]}
    for id_, _content, why in sent:
        if why is not None:
            expected[id_] = sorted([*expected.get(id_, ()), why])
    found = {id_: why_refused(chain, id_, len(why)) for id_, why in expected.items()}
    assert found == expected
    assert chain.pulses() == []
    assert [id_ for id_ in (*expected, "altered", "stranger") if chain.obeyed_id(id_)] == []
    # And the gate that refused all that obeys what counts.
    chain.publish_text(text("good"))
    (answer,) = chain.answers_to("good")
    assert json.loads(answer)["status"] == "done"
    assert chain.obeyed_id("good") == 1
    chain.wait(lambda: bool(chain.pulses()))
    assert chain.pulses() == ["exit"]


def test_another_gate_of_the_site_and_a_revoked_server_command_nobody(chain):
    chain.start("link")
    chain.start("gate")
    chain.ready()
    other = chain.rig.gate("other")
    with HubClient(Broker(chain.broker.host, chain.broker.port, tls=other.context)) as client:
        post = client.publish(Outgoing("gatepost/s/g/command", text("foreign-topic")))
        post.wait(LIMIT_S)
        assert post.reason == 0x87  # not authorized
    gone = chain.rig.client("centre")
    chain.rig.revoke(gone)
    chain.broker.reload()
    stranger = HubClient(Broker(chain.broker.host, chain.broker.port, tls=gone.context))
    stranger.start()
    try:
        assert "revoked" in str(stranger.wait_trouble(LIMIT_S)).lower()
    finally:
        stranger.stop()
    good = chain.command("acknowledge")
    chain.publish(good)
    chain.answers(good)
    assert "foreign-topic" not in chain.replies
    assert chain.pulses() == []
