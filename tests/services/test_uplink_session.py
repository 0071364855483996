import select
import socket

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gatepost_services.contract.events import CONTENT_TYPE
from gatepost_services.uplink.desk import Message
from gatepost_services.uplink.line import MOST_MESSAGES, Incoming, SessionError
from gatepost_services.uplink.session import MqttSession

DEADLINE_S = 30.0
CONNACK = b"\x20\x03\x00\x00\x00"  # accepted, without properties


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


def tick_for_ever(session: MqttSession, now_s: list[float]) -> None:
    while True:
        now_s[0] += 1.0
        session.tick()


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
    session.flush()
    acked: list[tuple[int, int]] = []
    while not acked:
        read(session)
        acked += session.take_acked()
    assert acked == [(mid, 0)]
    assert session.take_acked() == []
    assert broker.accepted == [b"payload"]
    # MQTT 5.0, section 3.3.2.3.9: property 3 is the content type.
    assert broker.publish_properties == b"\x03\x00\x1c" + CONTENT_TYPE.encode()
    session.close()
    assert broker.wait_for(lambda: broker.disconnects == 1)


@pytest.mark.parametrize(
    ("reason", "hold", "told"),
    [(0x87, True, 0x87), (0x97, False, 0x97), (0x10, True, 0x10), (0x10, False, 0)],
)
def test_an_event_that_the_broker_drops_is_not_delivered(
    make_fake_broker, new_session, reason, hold, told
):
    broker = make_fake_broker()
    broker.reason_of = lambda _n: reason
    session = connected(new_session(broker.port, hold_without_subscriber=hold))
    mid = session.publish("a/b", b"payload")
    session.flush()
    read(session)
    assert session.take_acked() == [(mid, told)]


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


def test_thousands_of_events_arrive_in_order_whatever_the_socket_takes_at_once(
    make_fake_broker, new_session
):
    broker = make_fake_broker(receive_maximum=65535)
    session = connected(new_session(broker.port))
    payloads = [b"%d " % n * 200 for n in range(3000)]
    mids = [session.publish("a/b", payload) for payload in payloads]
    acked = []
    while len(acked) < len(mids):
        session.flush()
        wanted = [session.fileno()] if session.wants_write() else []
        readable, _, _ = select.select([session.fileno()], wanted, [], DEADLINE_S)
        if readable:
            session.on_readable()
        acked += session.take_acked()
    assert acked == [(mid, 0) for mid in mids]
    assert broker.accepted == payloads


def test_what_a_full_socket_does_not_take_goes_out_later_and_in_order(new_session):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        session = new_session(server.getsockname()[1])
        session.connect()
        connection, _ = server.accept()
        with connection:
            connection.sendall(CONNACK)
            while not session.connected:
                read(session)
            received = bytearray(connection.recv(4096))  # CONNECT
            received.clear()
            payloads = [b"%06d" % n * 200 for n in range(8000)]
            for payload in payloads:
                session.publish("a", payload)
            session.flush()
            assert session.wants_write()
            connection.settimeout(DEADLINE_S)
            while not received.endswith(payloads[-1]):
                received += connection.recv(1 << 20)
                session.on_writable()
            assert not session.wants_write()
    size = len(received) // len(payloads)
    packets = [bytes(received[n : n + size]) for n in range(0, len(received), size)]
    assert [packet[-1200:] for packet in packets] == payloads


def test_pubacks_with_and_without_a_reason_are_told_apart(new_session):
    with socket.create_server(("127.0.0.1", 0)) as server:
        session = new_session(server.getsockname()[1])
        session.connect()
        connection, _ = server.accept()
        with connection:
            connection.sendall(CONNACK)
            while not session.connected:
                read(session)
            mids = [session.publish("a", b"") for _ in range(4)]
            first, second, third, fourth = (mid.to_bytes(2) for mid in mids)
            connection.sendall(
                b"\x40\x02"
                + first
                + b"\x40\x03"
                + second
                + b"\x00"
                + b"\x40\x03"
                + third
                + b"\x87"
                + b"\x40\x04"
                + fourth
                + b"\x99\x00"
                + b"\x40\x02\x7f\xff"  # which nobody has sent
            )
            acked = []
            while len(acked) < 4:
                read(session)
                acked += session.take_acked()
    assert acked == list(zip(mids, (0, 0, 0x87, 0x99), strict=True))


def test_what_the_broker_takes_is_known(make_fake_broker, new_session):
    session = connected(new_session(make_fake_broker(maximum_packet_bytes=777).port))
    assert session.maximum_packet_bytes == 777
    session = connected(new_session(make_fake_broker().port))
    assert session.maximum_packet_bytes == 268_435_455
    # 1 + 4 at the most of fixed header, 2 + 3 topic, 2 identifier, 32 properties.
    assert session.packet_bytes("a/b", b"1234567") == 5 + 5 + 2 + 32 + 7


def test_messages_of_a_subscribed_topic_are_taken_and_read_no_faster_than_that(
    make_fake_broker, new_session
):
    broker = make_fake_broker()
    broker.watermark = b"retained"
    session = connected(new_session(broker.port))
    session.subscribe("a/b")
    session.flush()
    messages = []
    while not messages:
        read(session)
        messages = session.take_messages()
    assert messages == [Incoming(Message("a/b", b"retained"), 0)]
    assert broker.subscriptions == ["a/b"]
    assert session.refused_topics == {}
    assert session.unanswered_topics == ()
    broker.reason_of = lambda _n: None  # paho reads on for as long as it waits for much
    for _ in range(200):
        session.publish("a/b", b"")
    session.flush()
    assert broker.wait_for(lambda: broker.published == 200)
    for n in range(200):
        broker.say("c", b"%d" % n)
    said: list[bytes] = []
    while len(said) < 200:
        if not session.has_unread:
            assert select.select([session.fileno()], [], [], DEADLINE_S)[0]
        session.on_readable()
        came = session.take_messages()
        assert len(came) <= MOST_MESSAGES
        said += [each.message.payload for each in came]
    assert said == [b"%d" % n for n in range(200)]


def test_a_refused_subscription_is_told(new_session):
    with socket.create_server(("127.0.0.1", 0)) as server:
        session = new_session(server.getsockname()[1])
        session.connect()
        connection, _ = server.accept()
        with connection:
            connection.sendall(CONNACK)
            while not session.connected:
                read(session)
            session.subscribe("a/b")
            connection.sendall(b"\x90\x04\x00\x01\x00\x87")
            assert session.unanswered_topics == ("a/b",)
            while session.unanswered_topics:
                read(session)
            assert session.refused_topics == {"a/b": 0x87}


@pytest.mark.parametrize(
    "flood",
    [
        b"\x30\xff\xff\xff\x7f" + b"x" * 100_000,  # a PUBLISH of 256 MB
        b"".join(b"\x34\x06\x00\x01a" + n.to_bytes(2) + b"\x00" for n in range(1, 100)),  # QoS 2
    ],
    ids=["large", "unreleased"],
)
def test_a_broker_that_would_fill_the_memory_is_left(new_session, flood):
    with socket.create_server(("127.0.0.1", 0)) as hostile:
        session = new_session(hostile.getsockname()[1])
        session.connect()
        connection, _ = hostile.accept()
        with connection:
            connection.sendall(CONNACK)
            while not session.connected:
                read(session)
            connection.sendall(flood)
            with pytest.raises(SessionError, match="sends"):
                read_for_ever(session)


@pytest.mark.parametrize("server_keepalive_s", [None, 60])
def test_a_line_that_is_dead_without_a_word_is_noticed_within_one_and_a_half_keepalives(
    new_session, monkeypatch, server_keepalive_s
):
    now_s = [1000.0]
    monkeypatch.setattr("paho.mqtt.client.time_func", lambda: now_s[0])
    keepalive_s = server_keepalive_s or 30
    answer = CONNACK
    if server_keepalive_s:  # property 0x13, MQTT 5.0, section 3.2.2.3.14
        answer = b"\x20\x06\x00\x00\x03\x13" + server_keepalive_s.to_bytes(2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        session = new_session(silent.getsockname()[1], keepalive_s=30, clock=lambda: now_s[0])
        session.connect()
        connection, _ = silent.accept()
        with connection:
            connection.sendall(answer)
            while not session.connected:
                read(session)
            began_s = now_s[0]
            # Answered once: it goes on. Then the line dies.
            while now_s[0] < began_s + keepalive_s + 1:
                now_s[0] += 1.0
                session.tick()
            connection.sendall(b"\xd0\x00")
            read(session)
            began_s = now_s[0]
            with pytest.raises(SessionError, match="not a byte"):
                tick_for_ever(session, now_s)
            assert 1.2 * keepalive_s <= now_s[0] - began_s <= 1.5 * keepalive_s
            assert connection.recv(4096).count(b"\xc0\x00") == 2  # the pings


def test_unsent_bytes_are_given_up_within_a_keepalive(make_fake_broker, new_session):
    session = connected(new_session(make_fake_broker().port, keepalive_s=30))
    connection = session._client.socket()
    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_properties_are_packed_once_and_as_paho_would(new_session):
    properties = new_session(1)._properties
    packed = properties.pack()
    assert packed is properties.pack()
    plain = Properties(PacketTypes.PUBLISH)
    plain.ContentType = CONTENT_TYPE
    assert packed == plain.pack()
