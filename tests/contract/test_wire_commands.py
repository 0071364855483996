"""Commands and presence on the real link, before a real mosquitto with TLS.

The gate does not run here: what it would answer is written by the test.
"""

import json
import signal

import pytest
from tests.services.command_kit import raw_text, signed_text
from tests.services.tls_rig import Rig, TlsBroker

from gatepost_services.commands.jws import Kind
from gatepost_services.inbox import MOST_WAITING

from .wire_rig import ACL, BASE, Server, Wire

pytestmark = [pytest.mark.packaging, pytest.mark.processes]


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path / "site")


@pytest.fixture
def broker(rig):
    with TlsBroker(rig, acl=ACL) as running:
        yield running


@pytest.fixture
def centre(rig, broker):
    with Server(broker, rig.client("centre"), "gatepost/#") as server:
        yield server


@pytest.fixture
def wire(tmp_path, rig, broker):
    made = Wire(tmp_path / "wire", broker, rig.gate())
    yield made
    made.end()


def states(centre) -> list[str]:
    return [json.loads(each.payload)["state"] for each in centre.of("presence")]


def test_a_command_lies_in_the_inbox_and_its_answer_goes_to_who_asked(centre, wire):
    with wire:
        centre.wait_for(1, "presence")
        first, second = signed_text(jti="c-1"), signed_text(jti="c-2", counter=2)
        asked = {"response_topic": f"{BASE}/reply/desk-7", "correlation": b"\x00\xff7"}
        centre.publish("command", first, **asked)
        centre.publish("command", second)
        one, two = wire.wait_letters(2)
        assert (one.kind, one.content, two.content) == ("command", first, second)
        wire.answer(one, b'{"id":"c-1","status":"done"}')
        wire.answer(two, b'{"id":"c-2","status":"refused","why":"expired"}')
        (answer,) = centre.wait_for(1, "reply/desk-7")
        assert (answer.payload, answer.correlation) == (
            b'{"id":"c-1","status":"done"}',
            b"\x00\xff7",
        )
        (other,) = centre.wait_for(1, "reply")
        assert (json.loads(other.payload)["id"], other.correlation) == ("c-2", None)
        wire.wait_letters(0)
    wire.start()  # what is answered is forgotten, and not answered again
    centre.publish("command", b"x" * 13_000)
    third = signed_text(jti="c-3", counter=3)
    centre.publish("command", third)
    assert [each.content for each in wire.wait_letters(1)] == [third]
    assert len(centre.of("reply") + centre.of("reply/desk-7")) == 2


def test_answers_that_wait_are_published_after_a_kill(centre, wire):
    with wire:
        centre.wait_for(1, "presence")
        centre.publish("command", signed_text())
        (letter,) = wire.wait_letters(1)
    wire.answer(letter, b'{"id":"c-1","status":"done"}')
    with wire:
        assert centre.wait_for(1, "reply")[0].payload == b'{"id":"c-1","status":"done"}'


BAD = {
    "no JSON": (raw_text(b"{"), "malformed", False),
    "no JWS": (b'{"jti":"c-9"}', "malformed", True),
    "wrong schema": (signed_text(jti="c-9", verb="open_all"), "malformed", True),
    "more members": (signed_text(jti="c-9", more=1), "malformed", True),
    "another thing that is signed": (signed_text(kind=Kind.DESIRED, jti="c-9"), "malformed", True),
    "cut off": (signed_text(jti="c-9")[:-9], "malformed", True),
    "a space": (b" " + signed_text(jti="c-9"), "malformed", True),
    "oversize": (b'{"jti":"c-9","x":"%b"}' % (b"x" * 13_000), "too_large", True),
}


def test_what_has_no_form_is_answered_where_it_has_an_id_and_never_in_the_inbox(centre, wire):
    with wire:
        centre.wait_for(1, "presence")
        for text, _why, _is_answered in BAD.values():
            assert centre.publish("command", text).reason == 0
        centre.publish("command", signed_text(jti="c-9"), is_retained=True)
        centre.publish("command", b"x" * 20_000)  # the broker does not hand it on
        centre.publish("command", signed_text(jti="good"))
        (letter,) = wire.wait_letters(1)
        assert letter.content == signed_text(jti="good")
        expected = [why for _text, why, is_answered in BAD.values() if is_answered]
        answers = [json.loads(each.payload) for each in centre.wait_for(len(expected) + 1, "reply")]
        assert [each["why"] for each in answers] == [*expected, "retained"]
        assert {(each["id"], each["status"]) for each in answers} == {("c-9", "refused")}


def test_a_retained_command_is_refused_at_each_connection_and_never_kept(centre, wire):
    centre.publish("command", signed_text(jti="c-9"), is_retained=True)
    for connection in (1, 2):
        with wire:
            answers = centre.wait_for(connection, "reply")
            assert json.loads(answers[-1].payload)["why"] == "retained"
        assert wire.letters() == []


def test_a_command_that_comes_while_the_link_is_down_arrives_once_afterwards(centre, wire):
    with wire:
        centre.wait_for(1, "presence")
    text = signed_text()
    assert centre.publish("command", text).reason in (0, 0x10)
    with wire:
        assert [each.content for each in wire.wait_letters(1)] == [text]
    with wire:
        centre.wait_for(2 + states(centre).count("lost"), "presence")
        centre.publish("command", signed_text(jti="c-2"))
        assert len(wire.wait_letters(2)) == 2


def test_a_flood_is_bounded_and_the_rest_is_told_that_the_gate_is_busy(centre, wire):
    beyond = 20
    with wire:
        centre.wait_for(1, "presence")
        for number in range(MOST_WAITING + beyond):
            centre.publish("command", signed_text(jti=f"c-{number}"))
        answers = [json.loads(each.payload) for each in centre.wait_for(beyond, "reply")]
        assert {each["why"] for each in answers} == {"busy"}
        assert [each["id"] for each in answers] == [f"c-{MOST_WAITING + n}" for n in range(beyond)]
        assert len(wire.letters()) == MOST_WAITING


def test_presence_tells_birth_loss_and_a_clean_stop_apart(rig, broker, centre, wire):
    with wire:
        centre.wait_for(1, "presence")
    centre.wait_for(2, "presence")  # the will, after kill -9
    wire.start()
    centre.wait_for(3, "presence")
    wire.end(signal.SIGTERM)
    centre.wait_for(4, "presence")
    assert states(centre) == ["online", "lost", "online", "stopped"]
    with Server(broker, rig.client("centre"), "gatepost/+/+/presence") as later:
        (kept,) = later.wait_for(1, "presence")
        assert (kept.is_retained, json.loads(kept.payload)["state"]) == (True, "stopped")


def test_who_is_back_within_the_delay_was_never_lost(tmp_path, rig, broker, centre):
    wire = Wire(tmp_path / "wire", broker, rig.gate(), will_delay_s=60, session_expiry_s=3600)
    for count in (1, 2):
        with wire:
            centre.wait_for(count, "presence")
    assert states(centre) == ["online", "online"]


def test_mqtt_3_1_1_is_as_safe_and_knows_less(tmp_path, rig, broker, centre):
    wire = Wire(tmp_path / "wire", broker, rig.gate(), mqtt_version="3.1.1")
    with wire:
        centre.wait_for(1, "presence")
        asked = {"response_topic": f"{BASE}/reply/desk-7", "correlation": b"7"}
        centre.publish("command", signed_text(), **asked)
        (letter,) = wire.wait_letters(1)
        wire.answer(letter, b'{"id":"c-1","status":"done"}')
        assert centre.wait_for(1, "reply")[0].correlation is None
        assert centre.of("reply/desk-7") == []
        wire.wait_letters(0)
    centre.wait_for(2, "presence")
    centre.publish("command", signed_text(jti="meanwhile"))
    centre.publish("command", signed_text(jti="kept"), is_retained=True)
    with wire:
        assert json.loads(centre.wait_for(2, "reply")[1].payload)["why"] == "retained"
        centre.publish("command", signed_text(jti="now"))
        assert [each.content for each in wire.wait_letters(1)] == [signed_text(jti="now")]
    assert states(centre)[:3] == ["online", "lost", "online"]
