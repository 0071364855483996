"""The server's side of MQTT against a real mosquitto, in the clear and with TLS."""

import socket
import ssl
import threading
from contextlib import suppress
from functools import partial
from queue import SimpleQueue

import pytest

from gatepost_services.hub.messages import Broker, Incoming, Outgoing
from gatepost_services.hub.mqtt import HubClient

from .fake_broker import connack, publish_packet, read_packet
from .tls_rig import Rig, TlsBroker

DEADLINE_S = 30.0
TOPIC = "gatepost/north/gate-1/reply"
NOT_AUTHORISED = 0x87
pytestmark = pytest.mark.processes


@pytest.fixture
def broker(make_mosquitto):
    made = make_mosquitto()
    made.start()
    return made


def at(mosquitto, **more):
    return Broker("127.0.0.1", mosquitto.port, **more)


class Receiver:
    """A client with everything that comes to it."""

    def __init__(self, broker, *topics, **settings):
        self.came: SimpleQueue[Incoming] = SimpleQueue()
        self.client = HubClient(
            broker, topics=topics, on_message=self.came.put, retry_s=0.02, **settings
        )

    def __enter__(self):
        self.client.start()
        return self

    def __exit__(self, *exc_info):
        self.client.stop()

    def next(self):
        return self.came.get(timeout=DEADLINE_S)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_what_is_published_arrives_and_the_broker_says_so(broker, protocol):
    with Receiver(at(broker, protocol=protocol), TOPIC) as one:
        assert one.client.wait_trouble(DEADLINE_S) is None
        ticket = one.client.publish(Outgoing(TOPIC, b"\x00hello"))
        assert ticket.wait(DEADLINE_S)
        assert one.next() == Incoming(TOPIC, b"\x00hello", is_retained=False)


def test_answers_are_asked_for_and_messages_end_as_mqtt_5_has_it(broker):
    with Receiver(at(broker), TOPIC) as one:
        post = Outgoing(
            TOPIC,
            b"x",
            content_type="text/plain",
            response_topic="gatepost/north/gate-1/reply/7",
            correlation=b"\x01\x02",
            expiry_s=60,
        )
        one.client.publish(post)
        came = one.next()
    assert (came.response_topic, came.correlation) == ("gatepost/north/gate-1/reply/7", b"\x01\x02")


def test_what_is_retained_is_told_as_such_and_an_expired_post_is_not_kept(broker):
    with Receiver(at(broker)) as one:
        assert one.client.publish(Outgoing(TOPIC, b"old", is_retained=True)).wait(DEADLINE_S)
    with Receiver(at(broker), TOPIC) as other:
        assert other.next() == Incoming(TOPIC, b"old", is_retained=True)


def test_posts_of_many_threads_all_arrive_in_the_order_of_each(broker):
    threads, each = 4, 200
    with Receiver(at(broker), "t/#") as one:
        assert one.client.wait_subscribed(DEADLINE_S)

        def post(number):
            for n in range(each):
                one.client.publish(Outgoing(f"t/{number}", b"%d" % n))

        started = [threading.Thread(target=post, args=(number,)) for number in range(threads)]
        for thread in started:
            thread.start()
        came: dict[str, list[int]] = {}
        for _ in range(threads * each):
            message = one.next()
            came.setdefault(message.topic, []).append(int(message.payload))
        for thread in started:
            thread.join(DEADLINE_S)
    assert came == {f"t/{number}": list(range(each)) for number in range(threads)}


def test_an_answer_may_be_sent_from_within_a_message(broker):
    clients = []

    def answer(message):
        clients[0].publish(Outgoing("answer", message.payload * 2))

    clients.append(HubClient(at(broker), topics=["ask"], on_message=answer))
    with clients[0], Receiver(at(broker), "answer") as other:
        assert clients[0].wait_subscribed(DEADLINE_S)
        assert other.client.wait_subscribed(DEADLINE_S)
        other.client.publish(Outgoing("ask", b"ab"))
        assert other.next().payload == b"abab"


def test_what_was_posted_while_the_broker_was_away_goes_out_when_it_is_back(broker):
    connected = SimpleQueue()
    with Receiver(at(broker), TOPIC, on_connected=partial(connected.put, None)) as one:
        assert one.client.wait_subscribed(DEADLINE_S)
        connected.get(timeout=DEADLINE_S)
        broker.kill()
        tickets = [one.client.publish(Outgoing(TOPIC, b"%d" % n)) for n in range(5)]
        assert not tickets[0].wait(0.0)
        broker.start()
        connected.get(timeout=DEADLINE_S)
        assert all(ticket.wait(DEADLINE_S) for ticket in tickets)
        assert [one.next().payload for _ in range(5)] == [b"0", b"1", b"2", b"3", b"4"]
        assert one.client.trouble is None


def test_a_session_keeps_what_came_meanwhile(broker):
    kept = partial(Receiver, at(broker), TOPIC, client_id="server", session_expiry_s=600)
    with kept() as one:
        assert one.client.wait_subscribed(DEADLINE_S)
    with Receiver(at(broker)) as other:
        assert other.client.publish(Outgoing(TOPIC, b"meanwhile")).wait(DEADLINE_S)
    with kept() as one:
        assert one.next().payload == b"meanwhile"


def test_without_a_broker_it_says_why_and_begins_when_there_is_one(make_mosquitto):
    broker = make_mosquitto()
    with Receiver(at(broker), TOPIC) as one:
        assert one.client.wait_trouble(DEADLINE_S) == "Connection refused"
        assert not one.client.wait_subscribed(0.0)
        broker.start()
        assert one.client.wait_subscribed(DEADLINE_S)
        assert one.client.trouble is None


def test_a_broker_that_refuses_says_so(make_mosquitto):
    broker = make_mosquitto("allow_anonymous false")
    broker.start()
    with Receiver(at(broker), TOPIC) as one:
        assert "refuses the connection: Not authorized" in one.client.wait_trouble(DEADLINE_S)


def test_it_can_be_stopped_in_the_middle_of_anything(make_fake_broker):
    mute = make_fake_broker()
    mute.judge = lambda _topic, _payload: None
    mute.reason_of = lambda _n: None  # never acknowledges
    client = HubClient(Broker("127.0.0.1", mute.port))
    client.start()
    ticket = client.publish(Outgoing(TOPIC, b"x"))
    assert mute.wait_for(lambda: mute.connects == 1)
    client.stop()
    assert (ticket.wait(0.0), ticket.reason) == (False, None)
    never_started = HubClient(Broker("127.0.0.1", 1))
    never_started.stop()


def test_no_more_posts_are_on_their_way_than_the_broker_takes(make_fake_broker):
    narrow = make_fake_broker(receive_maximum=3)
    client = HubClient(Broker("127.0.0.1", narrow.port))
    tickets = [client.publish(Outgoing("t/event/live", b"%d" % n)) for n in range(20)]
    with client:
        assert all(ticket.wait(DEADLINE_S) for ticket in tickets)
    assert narrow.most_unacked <= 3
    assert narrow.accepted == [b"%d" % n for n in range(20)]


def test_what_was_sent_and_not_acknowledged_goes_again_before_what_was_not_sent(make_fake_broker):
    broker = make_fake_broker(receive_maximum=2)
    broker.judge = lambda _topic, _payload: "drop" if broker.connects == 1 else 0
    with HubClient(Broker("127.0.0.1", broker.port), retry_s=0.02) as client:
        tickets = [client.publish(Outgoing("t/event/live", b"%d" % n)) for n in range(5)]
        assert all(ticket.wait(DEADLINE_S) for ticket in tickets)
    assert broker.accepted == [b"0", b"1", b"2", b"3", b"4"]
    assert broker.connects == 2


class Scripted:
    """A broker that answers one SUBSCRIBE with what a test wants, in one piece, and falls silent.

    `answer` gets the number of the packet.
    """

    def __init__(self, answer, context=None):
        self._answer, self._context = answer, context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(DEADLINE_S)

    def _serve(self):
        with suppress(OSError):
            connection, _ = self._listener.accept()
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                connection.settimeout(DEADLINE_S)
                while True:
                    kind, body = read_packet(connection)
                    if kind >> 4 == 1:
                        connection.sendall(connack(0, 20))
                    if kind >> 4 == 8:
                        connection.sendall(self._answer(body[:2]))


def test_a_refused_subscription_is_told_and_does_not_stand():
    refused = Scripted(lambda mid: b"\x90\x04" + mid + b"\x00\x87")
    with refused, Receiver(Broker("127.0.0.1", refused.port), TOPIC) as one:
        assert f"refuses the subscription to {TOPIC}" in one.client.wait_trouble(DEADLINE_S)
        assert not one.client.wait_subscribed(0.0)


# ------------------------------------------------------------------------------------------- TLS


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path / "rig")


def secured(broker, files):
    return Broker(broker.host, broker.port, tls=files.context)


def test_with_a_certificate_it_may_what_the_access_list_says(rig):
    with TlsBroker(rig) as broker:
        with Receiver(secured(broker, rig.client("centre")), "gatepost/#") as centre:
            assert centre.client.wait_trouble(DEADLINE_S) is None
            large = b"x" * 100_000  # more than one record of TLS
            assert centre.client.publish(Outgoing(TOPIC, large)).wait(DEADLINE_S)
            assert centre.next().payload == large
        with Receiver(secured(broker, rig.gate())) as gate:
            ticket = gate.client.publish(Outgoing("gatepost/north/gate-2/reply", b"x"))
            assert not ticket.wait(DEADLINE_S)
            assert ticket.reason == NOT_AUTHORISED


def test_who_may_not_is_told_why(rig, tmp_path):
    other = Rig(tmp_path / "other")
    with TlsBroker(rig) as broker:
        for files, expected in (
            (other.client("centre"), "its certificate does not hold: self-signed"),
            (rig.gate(ended=True), "it refuses our certificate: certificate expired"),
        ):
            with Receiver(secured(broker, files)) as one:
                assert expected in one.client.wait_trouble(DEADLINE_S)
        with Receiver(Broker(broker.host, broker.port)) as plain:
            assert "may want TLS" in plain.client.wait_trouble(DEADLINE_S)


def test_a_context_that_cannot_be_made_is_a_connection_that_failed(rig):
    def missing():
        raise FileNotFoundError(2, "No such file", "/etc/gatepost/tls/ca.pem")

    with (
        TlsBroker(rig) as broker,
        Receiver(Broker(broker.host, broker.port, tls=missing)) as one,
    ):
        assert one.client.wait_trouble(DEADLINE_S) == "No such file"


def test_what_tls_has_read_already_is_not_left_lying(rig):
    """The socket shows nothing of it: two packets in one record, and then silence."""
    files = rig.server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    both = Scripted(
        lambda mid: b"\x90\x04" + mid + b"\x00\x01" + publish_packet(TOPIC, b"1"), context
    )
    with (
        both,
        Receiver(Broker("localhost", both.port, tls=rig.client().context), TOPIC) as one,
    ):
        assert one.next().payload == b"1"
