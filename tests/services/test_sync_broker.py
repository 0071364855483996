"""Documents over a real broker: reference server, mosquitto, link, and what is on the disk."""

import threading
from hashlib import sha256
from random import Random

import pytest

from gatepost_services.commands.jws import Kind, is_signed_by, parse
from gatepost_services.credentials.signing import key_of_seed, kid_of
from gatepost_services.hub.desired import CONTENT_TYPE, DesiredServer, Report, Shelf, letter
from gatepost_services.hub.messages import Broker, Outgoing
from gatepost_services.hub.mqtt import HubClient
from gatepost_services.sync.documents import (
    CHUNK_BYTES,
    TYP,
    Desired,
    decode,
    desired_topic,
    fetch_topic,
)
from gatepost_services.uplink.backoff import Backoff
from gatepost_services.uplink.sync import SyncDesk

from .conftest import DEADLINE_S, GATE, SITE
from .sync_rig import content_of

KEY = key_of_seed(b"a" * 32)


class Receiving:
    """The desk of a running link, and what it handed on."""

    def __init__(self, folder):
        self.letters = []
        self.came = threading.Condition()
        self.folder = folder / "incoming"
        self.desk = SyncDesk(
            site=SITE,
            gate=GATE,
            folder=self.folder,
            put=self._put,
            min_free_bytes=0,
            backoff=Backoff(0.05, 0.2, Random(1)),
        )

    def _put(self, text):
        with self.came:
            self.letters.append(decode(parse(text).payload))
            self.came.notify_all()

    def wait(self, version):
        with self.came:
            assert self.came.wait_for(
                lambda: any(each.version == version for each in self.letters), DEADLINE_S
            )

    def content(self, content):
        return (self.folder / sha256(content).hexdigest()).read_bytes()


def desired(version, content, document="roster"):
    digest = sha256(content).hexdigest()
    return Desired(document, version, digest, len(content), f"/gatepost/{SITE}/{GATE}", 1)


@pytest.fixture
def broker(make_mosquitto):
    made = make_mosquitto()
    made.start()
    return made


@pytest.fixture
def server(broker):
    with DesiredServer(Broker("127.0.0.1", broker.port), SITE) as made:
        assert made.wait_trouble(DEADLINE_S) is None
        yield made


def push(server, version, content, document="roster"):
    server.serve(content)
    server.push([GATE], desired(version, content, document), KEY)


def test_a_document_comes_over_the_broker_in_chunks(station, broker, server, tmp_path):
    content, receiving = content_of(700_000), Receiving(tmp_path)
    push(server, 3, content)
    with station.link(broker.port, desks=[receiving.desk]):
        receiving.wait(3)
    assert receiving.content(content) == content
    assert server.served < 700_000 // CHUNK_BYTES / 3  # more than one chunk a request


def test_a_link_that_was_away_for_long_gets_the_newest_alone(station, broker, server, tmp_path):
    old, new, receiving = content_of(50_000, 1), content_of(50_000, 2), Receiving(tmp_path)
    push(server, 1, old)
    push(server, 2, new)
    with station.link(broker.port, desks=[receiving.desk]):
        receiving.wait(2)
    assert [each.version for each in receiving.letters] == [2]
    assert receiving.content(new) == new


def test_a_link_that_is_stopped_in_the_middle_goes_on_where_it_was(
    station, broker, server, tmp_path
):
    content, first = content_of(3_000_000), Receiving(tmp_path)
    push(server, 1, content)
    part = first.folder / f"{sha256(content).hexdigest()}.part"
    with station.link(broker.port, desks=[first.desk]) as running:
        running.wait_until(lambda: part.exists() and part.stat().st_size > 100_000)
    assert first.letters == []
    first.desk.close()
    length = part.stat().st_size
    asked, second = [], Receiving(tmp_path)
    real = second.desk._request

    def noted(now_s):
        asked.append(second.desk._transfer.length)
        return real(now_s)

    second.desk._request = noted
    with station.link(broker.port, desks=[second.desk]):
        second.wait(1)
    assert 0 < length < len(content)
    assert asked[0] == length - length % CHUNK_BYTES
    assert second.content(content) == content


def test_a_broker_that_goes_away_in_the_middle_only_delays(station, broker, tmp_path):
    content, receiving = content_of(2_000_000), Receiving(tmp_path)
    part = receiving.folder / f"{sha256(content).hexdigest()}.part"
    with (
        DesiredServer(Broker("127.0.0.1", broker.port), SITE) as server,
        station.link(broker.port, desks=[receiving.desk]) as running,
    ):
        push(server, 1, content)
        running.wait_until(lambda: part.exists() and part.stat().st_size > 50_000)
        broker.stop()
        broker.start()
        receiving.wait(1)
    assert receiving.content(content) == content


def test_three_documents_at_once_and_a_server_that_comes_late(station, broker, tmp_path):
    receiving = Receiving(tmp_path)
    contents = {kind: content_of(40_000, n) for n, kind in enumerate(("trust", "regime", "roster"))}
    with HubClient(Broker("127.0.0.1", broker.port)) as client:
        for kind, content in contents.items():
            text = letter(desired(5, content, kind), KEY)
            topic = desired_topic(SITE, GATE, kind)
            assert client.publish(Outgoing(topic, text, is_retained=True)).wait(DEADLINE_S)
    with station.link(broker.port, desks=[receiving.desk]) as running:
        running.wait_until(lambda: receiving.desk._line_log.failing)
        with DesiredServer(Broker("127.0.0.1", broker.port), SITE) as server:
            for content in contents.values():
                server.serve(content)
            running.wait_until(lambda: len(receiving.letters) == 3)
    assert {each.document for each in receiving.letters} == set(contents)


def test_what_gates_report_reaches_the_server(broker, server):
    with HubClient(Broker("127.0.0.1", broker.port)) as client:
        body = b'{"documents":{"roster":{"version":4,"digest":"ab","state":"applied","why":null}}}'
        for gate in ("gate-1", "gate-2"):
            client.publish(Outgoing(f"gatepost/{SITE}/{gate}/reported", b"[", is_retained=True))
            client.publish(Outgoing(f"gatepost/{SITE}/{gate}/reported", body, is_retained=True))

        def are_the_same():
            found = [server.report(gate, "roster") for gate in ("gate-1", "gate-2")]
            return all(each == Report(4, "ab", "applied") for each in found)

        assert server.wait_reports(are_the_same, DEADLINE_S)
    assert server.report("gate-1", "trust") == Report()
    assert server.report("gate-3", "trust") is None


# ------------------------------------------------------------------------------- without a broker


def test_a_letter_is_a_signed_text_that_says_what_it_is():
    wanted = desired(1, b"x")
    found = parse(letter(wanted, KEY))
    assert (found.kind, found.kid) == (Kind.DESIRED, kid_of(KEY.public_key()))
    assert Kind.DESIRED.value == TYP
    assert is_signed_by(found, [KEY.public_key()])
    assert decode(found.payload) == wanted
    assert CONTENT_TYPE == "application/jose"


@pytest.mark.parametrize(
    ("offset", "asked", "sizes"),
    [
        (0, 1, [1]),
        (0, CHUNK_BYTES + 1, [CHUNK_BYTES, 1]),
        (20_000, 65_536, [10]),
        (20_010, 1, []),
        (10**15, 1, []),
    ],
)
def test_a_request_is_answered_with_what_there_is(offset, asked, sizes):
    content, shelf = content_of(20_010), Shelf()
    digest = shelf.put(content)
    body = b'{"digest":"%s","offset":%d,"bytes":%d}' % (digest.encode(), offset, asked)
    found = [*shelf.answers(fetch_topic(SITE, GATE), body)]
    assert [len(each.payload) for each in found] == sizes
    assert b"".join(each.payload for each in found) == content[offset : offset + asked]
    assert all(each.expiry_s and not each.is_retained for each in found)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"digest":"x","offset":0,"bytes":1}', b"[" * 9999]
)
def test_what_is_no_request_is_not_answered(body):
    shelf = Shelf()
    shelf.put(b"x")
    assert [*shelf.answers(fetch_topic(SITE, GATE), body)] == []
    good = b'{"digest":"%s","offset":0,"bytes":1}' % shelf.put(b"x").encode()
    assert [*shelf.answers("gatepost/north/fetch", good)] == []
    too_much = good.replace(b'"bytes":1', b'"bytes":65537')
    assert [*shelf.answers(fetch_topic(SITE, GATE), too_much)] == []
