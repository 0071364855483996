"""What a gate and its link really send, beside events, is what the contract says of it."""

import json
from base64 import urlsafe_b64decode
from contextlib import ExitStack

import msgspec
import pytest

from gatepost.core.states import State
from gatepost.wiring.documents import Documents
from gatepost.wiring.notices import Notices
from gatepost.wiring.records import event_log
from gatepost_config.load import load
from gatepost_services.board import HEAD, REPORTED, BoardReader
from gatepost_services.commands.command import ServerVerb
from gatepost_services.commands.memory import AnswerReader
from gatepost_services.contract import messages
from gatepost_services.contract.reasons import codes
from gatepost_services.inbox import Inbox
from gatepost_services.journal import Entry, JournalReader
from gatepost_services.uplink.command_desk import CommandDesk
from gatepost_services.uplink.desk import Message
from gatepost_services.uplink.presence import PresenceDesk
from gatepost_services.uplink.progress import Progress
from gatepost_services.uplink.status import Counts, status_body

from .commanded import ADMINISTRATOR, AUDITOR, OPERATOR, STRANGER, Commanded, signed

ARGUMENTS = {
    ServerVerb.ERASE: {"subject": "anna"},
    ServerVerb.REPLAY: {"first": 1, "last": 7},
}
KEYS = {ServerVerb.REPLAY: AUDITOR}


@pytest.fixture
def gate(tmp_path):
    made = Commanded(tmp_path)
    yield made
    made.close()


def reply_of(answer):
    reply = msgspec.convert(answer, messages.Reply)
    if reply.why is not msgspec.UNSET:
        assert reply.why in codes("command", "document")
    # What is said is in the contract, though it may have more.
    assert answer.keys() <= set(messages.Reply.__struct_fields__)
    return reply


@pytest.mark.parametrize("verb", ServerVerb)
def test_the_answer_to_each_command(gate, verb):
    key = KEYS.get(verb, ADMINISTRATOR)
    reply = reply_of(gate.command(verb.value, key, args=ARGUMENTS.get(verb, {})))
    assert (reply.status, reply.verb, reply.id) == ("done", verb.value, "c-1")


def test_the_answers_to_what_does_not_count(gate):
    now_s = gate.now_s()
    said = [
        gate.command("lock", STRANGER),
        gate.command("restart", OPERATOR),
        gate.command("lock", nbf=now_s - 60, exp=now_s - 30),
        gate.command("lock", aud="/gatepost/s/other"),
        gate.answer(gate.put(b"nonsense")),
        gate.answer(gate.put(signed({"jti": "x"}, OPERATOR))),
        gate.command("release_entry"),
        gate.command("release_entry"),
    ]
    gate.drawer.why_not = "the disk is full"
    said.append(gate.command("erase", ADMINISTRATOR, args={"subject": "anna"}))
    replies = [reply_of(each) for each in said]
    assert {"refused", "done"} == {reply.status for reply in replies}
    whys = {reply.why for reply in replies if reply.why is not msgspec.UNSET}
    assert len(whys) >= 6


def test_what_the_gate_pins_up(stage, config):
    settings = load(config)
    with ExitStack() as closing:
        log = event_log(settings, stage.world, "boot", closing)
        log.append([Entry("fire.raised", 1.0, stage.world.utc_s(), {}, "ntp")])
        documents = Documents(settings, stage.world)
        closing.callback(documents.close)
        notices = Notices(
            settings.paths,
            stage.world,
            source="/gatepost/s/g",
            about={"version": "0.1.0"},
            documents=documents.reported,
        )
        closing.callback(notices.close)
        stage.reach(State.FIRE)
        notices.report(stage.gate._status())
    board = BoardReader(settings.paths.board)
    reported = msgspec.json.decode(board.read(REPORTED), type=messages.Reported)
    assert reported.lane.state == "fire"
    assert reported.lane.standing == ["fire"]
    assert {held.state for held in reported.documents.values()} == {"none"}
    header, payload, _ = board.read(HEAD).split(b".")
    assert json.loads(urlsafe_b64decode(header + b"=="))["typ"] == "gatepost-head+jwt"
    padded = payload + b"=" * (-len(payload) % 4)
    claims = msgspec.json.decode(urlsafe_b64decode(padded), type=messages.HeadClaims)
    assert (claims.seq, claims.source) == (1, "/gatepost/s/g")


def test_what_the_link_says_of_itself(stage, config, tmp_path):
    settings = load(config)
    with ExitStack() as closing:
        log = event_log(settings, stage.world, "boot", closing)
        log.append([Entry("fire.raised", 1.0, stage.world.utc_s(), {}, "ntp")])
        journal = closing.enter_context(JournalReader(settings.paths.journal))
        inbox, answers = Inbox.open(tmp_path / "inbox.db"), AnswerReader(tmp_path / "commands.db")
        closing.callback(inbox.close)
        closing.callback(answers.close)
        desk = CommandDesk("s", "g", inbox, answers)
        desk.take(Message("gatepost/s/g/command", b"nonsense", is_retained=True), 0.0)
        counts = Counts((3, 7), 0, ("live",), 12.5)
        body = status_body(journal, Progress(), counts, {"commands": desk.figures()})
    status = msgspec.json.decode(body, type=messages.Status)
    assert (status.depth, status.set_apart.last) == (1, [3, 7])
    assert status.commands.refused.keys() == {"retained"} <= codes("command")
    presence = PresenceDesk("s", "g", {"boot_id": "b", "version": "0.1.0"})
    presence.connected(0.0)
    said = [presence.will, presence.next_post(0.0)]
    presence.stop()
    said.append(presence.next_post(0.0))
    states = [msgspec.json.decode(post.payload, type=messages.Presence).state for post in said]
    assert states == ["lost", "online", "stopped"]
