"""The session over TLS: nothing stalls, nothing blocks, and who is refused is told why."""

import select
import socket
import ssl
import threading
import time

import pytest

from gatepost_services.uplink import client
from gatepost_services.uplink.desk import Post
from gatepost_services.uplink.line import SessionError
from gatepost_services.uplink.session import MqttSession
from gatepost_services.uplink.tls import TlsError, client_context

from .fake_broker import publish_packet
from .tls_rig import Rig

DEADLINE_S = 30.0
CONNACK = b"\x20\x03\x00\x00\x00"


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    return Rig(tmp_path_factory.mktemp("rig") / "site")


@pytest.fixture(scope="module")
def server_context(rig):
    files = rig.server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    return context


@pytest.fixture(scope="module")
def files(rig):
    return rig.gate()


@pytest.fixture
def line(files, server_context):
    """A session and the other end of its line, both after the handshake."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ends = []

        def accept() -> None:
            plain, _ = listener.accept()
            plain.settimeout(DEADLINE_S)
            ends.append(server_context.wrap_socket(plain, server_side=True))

        thread = threading.Thread(target=accept)
        thread.start()
        session = MqttSession(
            host="localhost",
            port=listener.getsockname()[1],
            client_id="test",
            tls=lambda: client_context(files, None),
        )
        session.connect()
        thread.join(DEADLINE_S)
        (end,) = ends
        end.recv(4096)  # CONNECT
        yield session, end
        session.close()
        end.close()


def turn(session: MqttSession) -> None:
    """Wait as the link does: for the socket, and not at all where bytes are known to wait."""
    if not session.has_unread:
        wanted = [session.fileno()] if session.wants_write() else []
        assert any(select.select([session.fileno()], wanted, [], DEADLINE_S)[:2])
    session.on_readable()
    session.on_writable()


@pytest.mark.parametrize("receive_bytes", [16, 1000, 16 * 1024])
def test_what_lies_within_tls_is_read_though_the_socket_shows_nothing(
    line, monkeypatch, receive_bytes
):
    monkeypatch.setattr(client, "_RECEIVE_BYTES", receive_bytes)
    session, end = line
    said = [b"%d" % number * 300 for number in range(100)]
    end.sendall(CONNACK + b"".join(publish_packet("a/b", each) for each in said))
    came: list[bytes] = []
    while len(came) < len(said):
        turn(session)
        came += [each.message.payload for each in session.take_messages()]
    assert came == said
    assert session.connected


def test_what_a_full_line_does_not_take_goes_out_later_as_it_was(line):
    session, end = line
    end.sendall(CONNACK)
    while not session.connected:
        turn(session)
    payloads = [b"%06d" % number * 200 for number in range(6000)]
    for number, payload in enumerate(payloads):
        session.publish("a", payload)
        if number % 500 == 0:
            session.flush()  # which is stuck in the middle of a record soon
    session.flush()
    assert session.wants_write()
    received = bytearray()

    def drain() -> None:
        while not received.endswith(payloads[-1]):
            received.extend(end.recv(1 << 16))

    thread = threading.Thread(target=drain)
    thread.start()
    while session.wants_write():
        select.select([], [session.fileno()], [], DEADLINE_S)
        session.on_writable()
    thread.join(DEADLINE_S)
    size = len(received) // len(payloads)
    packets = [bytes(received[n : n + size]) for n in range(0, len(received), size)]
    assert [packet[-1200:] for packet in packets] == payloads


def test_a_broker_that_says_nothing_in_the_handshake_is_given_up_in_time(files):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        session = MqttSession(
            host="localhost",
            port=silent.getsockname()[1],
            client_id="test",
            tls=lambda: client_context(files, None),
            connect_timeout_s=0.2,
        )
        began_s = time.monotonic()
        with pytest.raises(SessionError, match="timed out"):
            session.connect()
        assert time.monotonic() - began_s < DEADLINE_S
        session.close()


def test_a_port_without_tls_is_told_as_that(files):
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def answer() -> None:
            connection, _ = plain.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 400 Bad Request")

        thread = threading.Thread(target=answer)
        thread.start()
        session = MqttSession(
            host="localhost",
            port=plain.getsockname()[1],
            client_id="test",
            tls=lambda: client_context(files, None),
        )
        with pytest.raises(SessionError, match="does not speak TLS on this port"):
            session.connect()
        session.close()
        thread.join(DEADLINE_S)


def test_files_that_are_no_good_are_a_connection_that_failed():
    def no_context() -> ssl.SSLContext:
        raise TlsError("/etc/gatepost/tls/device.key: does not fit")

    session = MqttSession(host="localhost", port=1, client_id="test", tls=no_context)
    with pytest.raises(SessionError, match=r"localhost:1: .*device.key: does not fit"):
        session.connect()
    session.close()


def test_a_context_that_does_not_look_whose_certificate_it_is_is_not_used():
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    with socket.create_server(("127.0.0.1", 0)) as listener:
        session = MqttSession(
            host="localhost", port=listener.getsockname()[1], client_id="test", tls=lambda: blind
        )
        with pytest.raises(SessionError, match="whose certificate"):
            session.connect()
        session.close()


def test_each_connection_has_a_context_of_its_own(files):
    made = []

    def context() -> ssl.SSLContext:
        made.append(client_context(files, None))
        return made[-1]

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for _ in range(2):
        session = MqttSession(host="127.0.0.1", port=port, client_id="test", tls=context)
        with pytest.raises(SessionError):
            session.connect()
        session.close()
    assert len(made) == 2


def test_a_post_carries_what_mqtt_5_has_for_it(make_fake_broker):
    broker = make_fake_broker()
    session = MqttSession(host="127.0.0.1", port=broker.port, client_id="test")
    session.connect()
    while not session.connected:
        turn(session)
    session.post(Post("a/b", b"{}", correlation=b"\x00\xff", expiry_s=60))
    session.flush()
    assert broker.wait_for(lambda: broker.publish_properties != b"")
    # MQTT 5.0, section 2.2.2.2: expiry 0x02, content type 0x03, correlation data 0x09.
    properties = broker.publish_properties
    assert b"\x02\x00\x00\x00\x3c" in properties
    assert b"\x03\x00\x10application/json" in properties
    assert b"\x09\x00\x02\x00\xff" in properties
    session.close()
