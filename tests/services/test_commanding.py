"""The server's side of commands on a real broker: sent, answered, or said why not."""

import json
import threading
from typing import Self

import pytest

from gatepost.cli.main import main
from gatepost_services.commands.command import ServerVerb, parse_command
from gatepost_services.commands.jws import parse
from gatepost_services.credentials.signing import key_of_seed, write_key
from gatepost_services.hub.commanding import CommandingError, Order, send, signed
from gatepost_services.hub.messages import Broker, Incoming, Outgoing
from gatepost_services.hub.mqtt import HubClient

from .tls_rig import Rig, TlsBroker

pytestmark = pytest.mark.processes
DEADLINE_S = 30.0
KEY = key_of_seed(bytes([61]) * 32)
ORDER = Order("north", "gate-1", ServerVerb.LOCK, "anna", 600)
NOW_S = 1_800_000_000.0
TOPIC = "gatepost/north/gate-1/command"


class Gate:
    """Answers each command on its response topic, after what `before` says."""

    def __init__(self, broker: Broker, before: tuple[bytes, ...] = (), **answer: str) -> None:
        self.came: list[Incoming] = []
        self._before = before
        self._answer = answer
        self._client = HubClient(broker, topics=[TOPIC], on_message=self._take)

    def __enter__(self) -> Self:
        self._client.start()
        assert self._client.wait_subscribed(DEADLINE_S), self._client.trouble
        return self

    def __exit__(self, *_: object) -> None:
        self._client.stop()

    def _take(self, message: Incoming) -> None:
        self.came.append(message)
        command = parse_command(parse(message.payload).payload)
        reply = {"id": command.jti, "verb": command.verb, "status": "done", **self._answer}
        for body in (*self._before, json.dumps(reply).encode()):
            self._client.publish(
                Outgoing(message.response_topic, body, correlation=message.correlation)
            )


@pytest.fixture
def broker(make_mosquitto):
    made = make_mosquitto()
    made.start()
    return Broker("127.0.0.1", made.port)


def test_the_answer_to_the_own_command_comes_back(broker):
    others = (b"no JSON", b"[]", b"[" * 5000, b'{"id":"another","status":"done"}', b'{"id":null}')
    command = signed(ORDER, KEY, 1, NOW_S)
    with Gate(broker, others, state="locked") as gate:
        reply = send(ORDER, command, broker, wait_s=DEADLINE_S)
    assert (reply.id, reply.status, reply.state) == (command.id, "done", "locked")
    (came,) = gate.came
    assert came.payload == command.text
    assert not came.is_retained
    assert came.response_topic.startswith("gatepost/north/gate-1/reply/")
    assert came.correlation == command.id.encode()


def test_an_answer_without_a_name_is_known_by_its_correlation(broker):
    unsigned = b'{"id":null,"status":"refused","why":"unknown_key"}'
    with Gate(broker, (unsigned,)):
        reply = send(ORDER, signed(ORDER, KEY, 1, NOW_S), broker, wait_s=DEADLINE_S)
    assert (reply.id, reply.why) == (None, "unknown_key")


def test_without_a_gate_there_is_no_answer(broker):
    command = signed(ORDER, KEY, 1, NOW_S)
    assert send(ORDER, command, broker, wait_s=1.0) is None


def test_no_command_is_left_behind_for_whoever_comes_later(broker):
    send(ORDER, signed(ORDER, KEY, 1, NOW_S), broker, wait_s=1.0)
    with Gate(broker) as gate:
        assert not threading.Event().wait(0.2)
        assert gate.came == []


def test_a_broker_that_does_not_take_it_is_told(make_mosquitto, tmp_path):
    rules = tmp_path / "acl"
    rules.write_text("topic read #\n")
    made = make_mosquitto(f"acl_file {rules}")
    made.start()
    command = signed(ORDER, KEY, 1, NOW_S)
    with pytest.raises(CommandingError, match="does not take the command: refused, 0x87"):
        send(ORDER, command, Broker("127.0.0.1", made.port), wait_s=DEADLINE_S)


def test_with_tls_and_a_certificate_of_whoever_commands(tmp_path, capsys):
    rig = Rig(tmp_path / "site")
    key = tmp_path / "operator.pem"
    write_key(key, KEY)
    centre, gate_files = rig.client("centre"), rig.gate()
    arguments = ["command", "send", "gate-1", "lock", "--site", "north", "--by", "anna"]
    with TlsBroker(rig) as broker:
        secured = Broker(broker.host, broker.port, tls=gate_files.context)
        to = ["--key", str(key), "--host", broker.host, "--port", str(broker.port)]
        tls = ["--ca", str(centre.ca), "--cert", str(centre.certificate)]
        with Gate(secured, status="refused", why="not_now", state="fire") as gate:
            given = [*arguments, *to, *tls, "--cert-key", str(centre.key), "--wait", "30"]
            assert main(given) == 1
            assert capsys.readouterr().out == (
                "gate-1: lock: refused: not_now. The lane: fire. "
                "See how the lane stands; then send a new one.\n"
            )
            assert len(gate.came) == 1
        with pytest.raises(SystemExit) as ended:
            main([*arguments, *to, "--plain", "--wait", "5"])
        assert ended.value.code == 1
        assert "it may want TLS" in capsys.readouterr().err
