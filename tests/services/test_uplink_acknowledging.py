"""What came is acknowledged when it is dealt with: on a real broker, with kills in between."""

import select

import pytest

from gatepost_services.inbox import Inbox
from gatepost_services.uplink.line import Incoming
from gatepost_services.uplink.session import MqttSession

pytestmark = pytest.mark.processes
DEADLINE_S = 30.0
TOPIC = "gatepost/north/gate-1/command"


class Client:
    """A session on a broker, turned by the test."""

    def __init__(self, port: int, client_id: str, **settings: object) -> None:
        self.session = MqttSession(host="127.0.0.1", port=port, client_id=client_id, **settings)
        self.session.connect()
        self.turn_until(lambda: self.session.connected)

    def turn_until(self, condition) -> None:
        while not condition():
            assert select.select([self.session.fileno()], [], [], DEADLINE_S)[0]
            self.session.on_readable()
            self.session.flush()

    def subscribe(self, topic: str) -> None:
        self.session.subscribe(topic)
        self.session.flush()
        self.turn_until(lambda: not self.session.unanswered_topics)

    def publish(self, payload: bytes) -> None:
        self.session.publish(TOPIC, payload)
        self.session.flush()
        self.turn_until(self.session.take_acked)

    def receive(self) -> Incoming:
        came: list[Incoming] = []

        def has_come() -> bool:
            came.extend(self.session.take_messages())
            return bool(came)

        self.turn_until(has_come)
        (message,) = came
        return message

    def drop(self) -> None:
        """End it as a kill does: without a word."""
        self.session._client.socket().close()
        self.session.close()


@pytest.fixture
def broker(make_mosquitto):
    made = make_mosquitto()
    made.start()
    return made


@pytest.fixture
def server(broker):
    made = Client(broker.port, "server", hold_without_subscriber=False)
    yield made
    made.session.close()


def link(broker) -> Client:
    return Client(broker.port, "link", session_expiry_s=60)


def test_killed_between_inbox_and_acknowledgement_it_comes_again_and_lies_there_twice(
    broker, server, tmp_path
):
    first = link(broker)
    first.subscribe(TOPIC)
    server.publish(b"command")
    with Inbox.open(tmp_path / "inbox.db") as inbox:
        inbox.put("command", first.receive().message.payload)
        first.drop()  # before the acknowledgement
        second = link(broker)
        again = second.receive()
        assert again.message.payload == b"command"
        assert not again.message.is_retained
        # The gate knows it by its id, and answers both alike: the link does not look.
        assert inbox.put("command", again.message.payload) == 2
        second.session.acknowledge(again.mid)
        server.publish(b"another")
        assert second.receive().message.payload == b"another"
    second.drop()


def test_what_was_acknowledged_does_not_come_again(broker, server):
    first = link(broker)
    first.subscribe(TOPIC)
    server.publish(b"command")
    first.session.acknowledge(first.receive().mid)
    server.publish(b"mark")
    first.receive()  # behind the acknowledgement, which the broker has by then
    first.drop()
    second = link(broker)
    assert second.receive().message.payload == b"mark"
    second.drop()


def test_without_a_session_nothing_is_kept_for_who_is_away(broker, server):
    first = Client(broker.port, "link")
    first.subscribe(TOPIC)
    first.session.close()
    server.publish(b"meanwhile")
    second = Client(broker.port, "link")
    second.subscribe(TOPIC)
    server.publish(b"now")
    assert second.receive().message.payload == b"now"
    second.drop()
