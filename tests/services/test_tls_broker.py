"""A real mosquitto with TLS 1.3 and client certificates: who gets in, and what the others are told.

The context is the link's; the MQTT is a CONNECT by hand. The whole link is another test's.
"""

import queue
import select
import socket
import ssl
from datetime import timedelta

import pytest
from paho.mqtt import MQTTException
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gatepost_services.pki import profiles
from gatepost_services.pki.authority import utc_now
from gatepost_services.uplink.tls import TlsFiles, client_context, explain, verdict

from .conftest import Mosquitto
from .tls_rig import DEADLINE_S, Files, Rig, TlsBroker

pytestmark = pytest.mark.processes
# MQTT 3.1.1: CONNECT with an empty client id and a clean session, and the answer that takes it.
HELLO = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"
WELCOME = b"\x20\x02\x00\x00"


def hello(broker: TlsBroker | Mosquitto, context: ssl.SSLContext, name: str = "localhost") -> bytes:
    """Return the answer to a CONNECT. In TLS 1.3 a refusal comes with the first read."""
    with (
        socket.create_connection(("localhost", broker.port), DEADLINE_S) as plain,
        context.wrap_socket(plain, server_hostname=name) as line,
    ):
        try:
            line.sendall(HELLO)
        except OSError as error:
            raise verdict(line, error) from None
        return line.recv(4)


def told(broker: TlsBroker, files: Files, name: str = "localhost") -> str:
    """Return what is said of a connection that comes to nothing."""
    with pytest.raises(ssl.SSLError) as caught:
        hello(broker, client_context(files, None), name)
    return explain(caught.value)


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path / "site")


def test_a_gate_gets_in_with_tls_1_3(rig):
    with TlsBroker(rig) as broker:
        context = client_context(rig.gate(), utc_now())
        assert hello(broker, context) == WELCOME
        assert hello(broker, context) == WELCOME  # a context is good for more than one
        with (
            socket.create_connection(("localhost", broker.port), DEADLINE_S) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as line,
        ):
            assert line.version() == "TLSv1.3"


def test_a_gate_of_another_authority_stays_out(rig, tmp_path):
    other = Rig(tmp_path / "other").gate()
    with TlsBroker(rig) as broker:
        stranger = Files(rig.ca, other.certificate, other.key)
        assert "does not know who issued this gate's certificate" in told(broker, stranger)


def test_a_broker_of_another_authority_is_not_spoken_to(rig, tmp_path):
    with TlsBroker(Rig(tmp_path / "other")) as broker:
        assert "not from the site's authority" in told(broker, rig.gate())


def test_a_certificate_that_has_ended_stays_out(rig):
    with TlsBroker(rig) as broker:
        text = told(broker, rig.gate(ended=True))
        assert "certificate has ended" in text
        assert "gatepost enrol - --url" in text


def test_a_broker_whose_certificate_has_ended_is_not_spoken_to(rig):
    with TlsBroker(rig, server=rig.server(ended=True)) as broker:
        assert "the broker's certificate has ended" in told(broker, rig.gate())


def test_a_revoked_gate_stays_out_and_the_others_get_in(rig):
    stolen, other = rig.gate("gate-1"), rig.gate("gate-2")
    with TlsBroker(rig) as broker:
        assert hello(broker, client_context(stolen, None)) == WELCOME
        rig.revoke(stolen)
        broker.reload()
        assert "the broker says that this gate is revoked" in told(broker, stolen)
        assert hello(broker, client_context(other, None)) == WELCOME


def test_a_revoked_broker_is_not_spoken_to(rig):
    """Its key was stolen: without the list, whoever has it passes for the broker."""
    server, gate = rig.server(), rig.gate()
    revoked = rig.folder / "crl.pem"
    revoked.write_bytes(rig.authority.crl_pem)
    watching = Files(gate.ca, gate.certificate, gate.key, revoked)
    with TlsBroker(rig, server=server) as broker:
        assert hello(broker, client_context(watching, None)) == WELCOME
        rig.revoke(server)
        revoked.write_bytes(rig.authority.crl_pem)
        assert "the broker's certificate is revoked" in told(broker, watching)
        assert hello(broker, client_context(gate, None)) == WELCOME


def test_a_list_of_another_authority_is_no_list(rig, tmp_path):
    gate, revoked = rig.gate(), rig.folder / "crl.pem"
    revoked.write_bytes(Rig(tmp_path / "other", "south").authority.crl_pem)
    with TlsBroker(rig) as broker:
        watching = Files(gate.ca, gate.certificate, gate.key, revoked)
        assert "not of the authority that vouches" in told(broker, watching)


@pytest.mark.parametrize(("name", "word"), [("elsewhere", "name"), ("127.0.0.2", "address")])
def test_a_broker_of_another_name_is_not_spoken_to(rig, name, word):
    with TlsBroker(rig) as broker:
        assert f"is for another {word}" in told(broker, rig.gate(), name)


def test_a_gates_certificate_does_not_pass_for_a_brokers(rig):
    """A stolen gate must not be able to play the broker for the others, even by the right name."""
    with TlsBroker(rig, server=rig.gate("localhost")) as broker:
        assert "the broker's certificate is" in told(broker, rig.gate())
    key, names = profiles.new_key(), profiles.server_subject(["localhost"])
    made = rig.authority._issue(profiles.Kind.CLIENT, names, key.public_key(), timedelta(days=1))
    with TlsBroker(rig, server=rig._files("liar", key, made)) as broker:
        assert "not one of a server" in told(broker, rig.gate())


def test_a_gate_has_its_own_topics_and_no_others(rig):
    with TlsBroker(rig) as broker:
        publish(broker, rig.gate("gate-1"), "gatepost/north/gate-1/event/live")
        publish(broker, rig.client("centre"), "gatepost/north/gate-1/command")
        for topic in (
            "gatepost/north/gate-2/event/live",
            "gatepost/north/gate-1x/event/live",
            "gatepost/south/gate-1/event/live",
            "gatepost/north/command",
            "else",
        ):
            with pytest.raises(MQTTException, match="Not authorized"):
                publish(broker, rig.gate("gate-1"), topic)


def publish(broker: TlsBroker, files: Files, topic: str) -> None:
    """Publish with paho; raise MQTTException when the broker refuses."""
    answers = queue.SimpleQueue()
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.tls_set_context(client_context(files, utc_now()))
    client.on_connect = lambda _client, _data, _flags, reason, _properties: answers.put(reason)
    client.on_publish = lambda _client, _data, _mid, reason, _properties: answers.put(reason)
    client.connect(broker.host, broker.port)
    client.loop_start()
    try:
        if answers.get(timeout=DEADLINE_S).is_failure:
            raise MQTTException("the connection was refused")
        client.publish(topic, b"x", qos=1)
        reason = answers.get(timeout=DEADLINE_S)
        if reason.is_failure:
            raise MQTTException(str(reason))
    finally:
        client.disconnect()
        client.loop_stop()


def test_a_broker_without_tls_1_3_is_not_spoken_to(rig):
    # Not a mosquitto: its tls_version is the least that it takes, not the most.
    server = rig.server()
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.load_cert_chain(server.certificate, server.key)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = client_context(rig.gate(), None)
    client = context.wrap_bio(back, there, server_hostname="localhost")
    broker = old.wrap_bio(there, back, server_side=True)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    with pytest.raises(ssl.SSLError):
        broker.do_handshake()
    with pytest.raises(ssl.SSLError) as caught:
        client.do_handshake()
    assert "speaks no TLS 1.3" in explain(caught.value)


def test_a_client_with_tls_1_2_stays_out(rig):
    context = rig.gate().context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with TlsBroker(rig) as broker, pytest.raises(ssl.SSLError) as caught:
        hello(broker, context)
    assert "speaks no TLS 1.3" in explain(caught.value)


def test_what_a_broker_said_before_it_hung_up_is_read(rig):
    """It may be gone before CONNECT is written, and its reason with it."""
    stranger = rig.gate(ended=True)
    with (
        TlsBroker(rig) as broker,
        socket.create_connection(("localhost", broker.port), DEADLINE_S) as plain,
        client_context(stranger, None).wrap_socket(plain, server_hostname="localhost") as line,
    ):
        assert select.select([line], [], [], DEADLINE_S)[0]
        failed = BrokenPipeError("a write failed")
        assert "certificate has ended" in explain(verdict(line, failed))
        assert verdict(line, failed) is failed  # and now there is nothing more to be read


def test_a_gate_without_a_certificate_stays_out(rig):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(rig.ca)
    with TlsBroker(rig) as broker, pytest.raises(ssl.SSLError) as caught:
        hello(broker, context)
    assert "asks for a certificate, and got none" in explain(caught.value)


def test_a_port_without_tls_is_said_to_be_one(rig, make_mosquitto):
    plain = make_mosquitto()
    plain.start()
    with pytest.raises(OSError) as caught:  # noqa: PT011 - which of them, the kernel decides
        hello(plain, client_context(rig.gate(), None))
    assert "see [link] broker_port" in explain(caught.value)


def test_new_files_are_taken_without_a_restart(rig):
    """The link connects with the new pair; the broker sees the new serial; the old one may go."""
    old = rig.gate()
    with TlsBroker(rig) as broker:
        tls = TlsFiles(old, utc_now)
        assert hello(broker, tls.context()) == WELCOME
        new = rig.gate()
        old.key.write_bytes(new.key.read_bytes())
        assert not tls.renewed()
        assert hello(broker, tls.context()) == WELCOME  # with the old one, from memory
        old.certificate.write_bytes(new.certificate.read_bytes())
        assert tls.renewed()
        rig.revoke(old)
        broker.reload()
        assert hello(broker, tls.context()) == WELCOME


def test_the_broker_takes_a_new_certificate_without_a_restart(rig):
    context = client_context(rig.gate(), None)
    with TlsBroker(rig) as broker:
        server = rig.server("localhost", "new.example")
        broker.use(server)
        broker.reload()
        assert hello(broker, context, "new.example") == WELCOME
