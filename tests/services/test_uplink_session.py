import select
import socket

import pytest

from gatepost_services.contract.events import CONTENT_TYPE
from gatepost_services.uplink.line import SessionError
from gatepost_services.uplink.session import MqttSession

DEADLINE_S = 30.0


@pytest.fixture
def new_session():
    made = []

    def new(port: int, **settings: object) -> MqttSession:
        made.append(MqttSession(host="127.0.0.1", port=port, client_id="test", **settings))
        return made[-1]

    yield new
    for session in made:
        session.close()


def read(session: MqttSession) -> None:
    assert select.select([session.fileno()], [], [], DEADLINE_S)[0]
    session.on_readable()


def read_for_ever(session: MqttSession) -> None:
    while True:
        read(session)


def connected(session: MqttSession) -> MqttSession:
    session.connect()
    assert not session.connected
    while not session.connected:
        read(session)
    return session


def test_an_event_is_published_and_acknowledged(make_fake_broker, new_session):
    broker = make_fake_broker(receive_maximum=7)
    session = connected(new_session(broker.port))
    assert session.receive_maximum == 7
    mid = session.publish("a/b", b"payload")
    acked: list[tuple[int, bool]] = []
    while not acked:
        read(session)
        acked += session.take_acked()
    assert acked == [(mid, True)]
    assert session.take_acked() == []
    assert broker.accepted == [b"payload"]
    # MQTT 5.0, section 3.3.2.3.9: property 3 is the content type.
    assert broker.publish_properties == b"\x03\x00\x1c" + CONTENT_TYPE.encode()
    session.close()
    assert broker.wait_for(lambda: broker.disconnects == 1)


@pytest.mark.parametrize(
    ("reason", "hold", "is_kept"),
    [(0x87, True, False), (0x97, False, False), (0x10, True, False), (0x10, False, True)],
)
def test_an_event_that_the_broker_drops_is_not_delivered(
    make_fake_broker, new_session, reason, hold, is_kept
):
    broker = make_fake_broker()
    broker.reason_of = lambda _n: reason
    session = connected(new_session(broker.port, hold_without_subscriber=hold))
    mid = session.publish("a/b", b"payload")
    read(session)
    assert session.take_acked() == [(mid, is_kept)]


def test_a_refused_connection_says_why(make_fake_broker, new_session):
    session = new_session(make_fake_broker(connack=0x87).port)
    session.connect()
    with pytest.raises(SessionError, match="Not authorized"):
        read(session)
    assert not session.connected


def test_nobody_there_is_an_error_that_names_the_broker(new_session):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    session = new_session(port)
    with pytest.raises(SessionError, match=rf"127\.0\.0\.1:{port}.*refused"):
        session.connect()
    with pytest.raises(SessionError):
        session.fileno()


def test_a_broker_that_does_not_answer_is_given_up_in_time(new_session):
    now_s = [100.0]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        session = new_session(
            silent.getsockname()[1], connect_timeout_s=5.0, clock=lambda: now_s[0]
        )
        session.connect()
        session.tick()
        now_s[0] = 105.0
        with pytest.raises(SessionError, match="no CONNACK within 5"):
            session.tick()


@pytest.mark.parametrize(
    "reply",
    [
        b"\x20\x03\x00\xfe\x00",  # CONNACK with a reason code that does not exist
        b"\x20\x00",  # CONNACK without anything
        b"\xff\xff\xff\xff\xff\xff",
        b"",
    ],
)
def test_whatever_a_strange_broker_sends_ends_the_session_only(new_session, reply):
    with socket.create_server(("127.0.0.1", 0)) as strange:
        session = new_session(strange.getsockname()[1])
        session.connect()
        connection, _ = strange.accept()
        with connection:
            connection.sendall(reply)
            connection.shutdown(socket.SHUT_WR)
            with pytest.raises(SessionError):
                read_for_ever(session)
        for call in (session.tick, session.on_writable, lambda: session.publish("a", b"")):
            with pytest.raises(SessionError):
                call()
        assert not session.connected
