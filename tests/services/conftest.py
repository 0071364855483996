"""Brokers and a running link, for the tests of the services."""

import logging
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Self

import pytest

from gatepost.demo.broker import free_port
from gatepost_services.contract.events import Envelope
from gatepost_services.doorbell import Doorbell, DoorbellListener
from gatepost_services.journal import Entry, Journal, JournalReader
from gatepost_services.uplink.backoff import Backoff
from gatepost_services.uplink.link import Link
from gatepost_services.uplink.position import read_acknowledged
from gatepost_services.uplink.progress import KeepUntil
from gatepost_services.uplink.session import MqttSession
from gatepost_services.uplink.store import ProgressStore

DEADLINE_S = 30.0
SITE, GATE = "north", "gate-1"


class Mosquitto:
    """A mosquitto of our own on loopback, which can be stopped, killed and started again."""

    def __init__(
        self,
        binary: str,
        folder: Path,
        *settings: str,
        queue: str = "max_queued_messages 0",
    ) -> None:
        self.port = free_port()
        self._binary = binary
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            "\n".join(
                [
                    f"listener {self.port} 127.0.0.1",
                    "allow_anonymous true",
                    "persistence true",
                    f"persistence_location {folder}/",
                    queue,
                    "log_dest stderr",
                    "log_type error",
                    "log_type information",
                    "connection_messages false",
                    *(["user root"] if os.getuid() == 0 else []),
                    *settings,
                    "",
                ]
            )
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._binary, "-c", str(self._config)], stderr=subprocess.PIPE, bufsize=0
        )
        pipe, log = self._process.stderr, b""
        assert pipe is not None
        while b"running" not in log:
            assert select.select([pipe], [], [], DEADLINE_S)[0], log
            line = pipe.read(4096)
            assert line, f"mosquitto ended: {log!r}"
            log += line

    def end(self, signal_number: int) -> None:
        if self._process is not None:
            self._process.send_signal(signal_number)
            self._process.communicate(timeout=DEADLINE_S)
            self._process = None

    def stop(self) -> None:
        self.end(signal.SIGTERM)

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def reload(self) -> None:
        """Have it read its access list again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)


@pytest.fixture
def make_mosquitto(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    binary = shutil.which("mosquitto") or shutil.which(
        "mosquitto", path="/usr/sbin:/usr/local/sbin"
    )
    if binary is None:
        pytest.skip("mosquitto is not installed (apt-get install mosquitto)")
    made: list[Mosquitto] = []

    def make(*settings: str, **others: str) -> Mosquitto:
        folder = tmp_path / f"mosquitto-{len(made)}"
        folder.mkdir()
        made.append(Mosquitto(binary, folder, *settings, **others))
        return made[-1]

    yield make
    for broker in made:
        broker.kill()


class FakeBroker:
    """A broker of a few lines that does what no good broker does. One connection at a time.

    `reason_of(n)` decides about the n-th event ever, `judge(topic, payload)` by what it is, and
    comes first: a PUBACK reason code, None for silence or for the other to decide, "drop" to cut
    the connection. Acknowledges in groups of `receive_maximum`, after looking whether the client
    sends more than that. `published` and `accepted` are events; `statuses` is what else came.
    """

    def __init__(
        self, *, receive_maximum: int = 20, connack: int = 0, maximum_packet_bytes: int = 0
    ) -> None:
        self.receive_maximum = receive_maximum
        self.connack = connack
        self.maximum_packet_bytes = maximum_packet_bytes
        self.reason_of: Callable[[int], int | str | None] = lambda _n: 0
        self.judge: Callable[[str, bytes], int | str | None] = lambda _topic, _payload: None
        self.watermark: bytes | None = None  # sent to whoever subscribes
        self.accepted: list[bytes] = []
        self.topics: list[str] = []  # of `accepted`
        self.statuses: list[bytes] = []
        self.subscriptions: list[str] = []
        self.published = 0
        self.most_unacked = 0
        self.company: list[int] = []  # what else was unacknowledged at the first of each topic
        self.connects = 0
        self.disconnects = 0
        self.publish_properties = b""
        self._seen: set[str] = set()
        self.changed = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._connection: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def wait_for(self, predicate: Callable[[], bool]) -> bool:
        with self.changed:
            return self.changed.wait_for(predicate, DEADLINE_S)

    def say(self, topic: str, payload: bytes) -> None:
        """Send a message with QoS 0 to whoever is connected."""
        assert self._connection is not None
        self._connection.sendall(publish_packet(topic, payload))

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._connection is not None:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(DEADLINE_S)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._connection = connection
                with suppress(ConnectionError, TimeoutError):
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        unacked: list[tuple[int, int, str, bytes]] = []
        while True:
            connection.settimeout(0.02 if unacked else DEADLINE_S)
            try:
                kind, body = read_packet(connection)
            except TimeoutError:
                if not self._acknowledge(connection, unacked):
                    return
                continue
            with self.changed:
                if kind >> 4 == 1:
                    self.connects += 1
                    self._seen.clear()
                    connection.sendall(
                        connack(self.connack, self.receive_maximum, self.maximum_packet_bytes)
                    )
                elif kind >> 4 == 3:
                    self._take(unacked, body)
                elif kind >> 4 == 8:
                    self._subscribe(connection, body)
                elif kind >> 4 == 12:
                    connection.sendall(b"\xd0\x00")
                elif kind >> 4 == 14:
                    self.disconnects += 1
                self.changed.notify_all()

    def _take(self, unacked: list[tuple[int, int, str, bytes]], body: bytes) -> None:
        topic, mid, self.publish_properties, payload = parse_publish(body)
        self.published += "/status" not in topic
        if topic not in self._seen:
            self._seen.add(topic)
            self.company.append(len(unacked))
        unacked.append((self.published, mid, topic, payload))
        self.most_unacked = max(self.most_unacked, len(unacked))

    def _subscribe(self, connection: socket.socket, body: bytes) -> None:
        length = int.from_bytes(body[3:5])
        self.subscriptions.append(body[5 : 5 + length].decode())
        connection.sendall(b"\x90\x04" + body[:2] + b"\x00\x01")
        if self.watermark is not None:
            connection.sendall(publish_packet(self.subscriptions[-1], self.watermark))

    def _acknowledge(
        self, connection: socket.socket, unacked: list[tuple[int, int, str, bytes]]
    ) -> bool:
        with self.changed:
            for number, mid, topic, payload in unacked:
                reason = self.judge(topic, payload)
                if reason is None:
                    reason = 0 if "/status" in topic else self.reason_of(number)
                if reason == "drop":
                    return False
                if isinstance(reason, int):
                    if reason < 0x80:
                        self._keep(topic, payload)
                    connection.sendall(b"\x40\x04" + struct.pack("!HBB", mid, reason, 0))
            unacked.clear()
            self.changed.notify_all()
        return True

    def _keep(self, topic: str, payload: bytes) -> None:
        if "/status" in topic:
            self.statuses.append(payload)
        else:
            self.accepted.append(payload)
            self.topics.append(topic)


def read_exactly(connection: socket.socket, count: int) -> bytes:
    content = b""
    while len(content) < count:
        piece = connection.recv(count - len(content))
        if not piece:
            raise ConnectionError
        content += piece
    return content


def read_packet(connection: socket.socket) -> tuple[int, bytes]:
    kind, length, shift = read_exactly(connection, 1)[0], 0, 0
    while True:
        digit = read_exactly(connection, 1)[0]
        length |= (digit & 0x7F) << shift
        shift += 7
        if digit < 0x80:
            return kind, read_exactly(connection, length)


def parse_publish(body: bytes) -> tuple[str, int, bytes, bytes]:
    topic_end = 2 + int.from_bytes(body[:2])
    mid = int.from_bytes(body[topic_end : topic_end + 2])
    properties_end = topic_end + 3 + body[topic_end + 2]
    properties = body[topic_end + 3 : properties_end]
    return body[2:topic_end].decode(), mid, properties, body[properties_end:]


def publish_packet(topic: str, payload: bytes) -> bytes:
    """Return a PUBLISH with QoS 0 and no properties."""
    body = struct.pack("!H", len(topic)) + topic.encode() + b"\x00" + payload
    length, rest = b"", len(body)
    while not length or rest:
        rest, digit = divmod(rest, 128)
        length += bytes([digit | (0x80 if rest else 0)])
    return b"\x30" + length + body


def connack(reason: int, receive_maximum: int, maximum_packet_bytes: int = 0) -> bytes:
    properties = b"\x21" + struct.pack("!H", receive_maximum)
    if maximum_packet_bytes:
        properties += b"\x27" + struct.pack("!I", maximum_packet_bytes)
    length = len(properties)
    return b"\x20" + bytes([3 + length, 0, reason, length]) + properties


@pytest.fixture
def make_fake_broker() -> Iterator[Callable[..., FakeBroker]]:
    made: list[FakeBroker] = []

    def make(**settings: int) -> FakeBroker:
        made.append(FakeBroker(**settings))
        return made[-1]

    yield make
    for broker in made:
        broker.close()


ALARM, LIVE = "tamper.raised", "passage.entered"


class Station:
    """One gate's files: a journal to write, and links that drain it."""

    def __init__(self, folder: Path) -> None:
        self.journal_path = folder / "journal.db"
        self.position_path = folder / "acknowledged"
        self.store_path = folder / "uplink.db"
        self.doorbell_path = folder / "bell"
        self.journal = Journal(self.journal_path, Envelope(SITE, GATE, "boot-1"))

    def append(self, count: int, type_: str = LIVE, *, pad: int = 200) -> int:
        return self.journal.append(
            Entry(type_, at_s=float(n), utc_s=1e9 + n, data={"n": n, "pad": "x" * pad})
            for n in range(count)
        )

    def acknowledged(self) -> int:
        return read_acknowledged(self.position_path)

    def store(self, keep_until: KeepUntil = "puback") -> ProgressStore:
        return ProgressStore.open(self.store_path, self.position_path, keep_until)

    def link(
        self, port: int, *, keep_until: KeepUntil = "puback", **settings: object
    ) -> "RunningLink":
        return RunningLink(self, port, keep_until, settings)


class RunningLink:
    """A link in a thread of its own, which makes and closes all that belongs to that thread."""

    def __init__(
        self, station: Station, port: int, keep_until: KeepUntil, settings: dict[str, object]
    ) -> None:
        self._station = station
        self._keep_until: KeepUntil = keep_until
        self._settings = {"backlog_rate": 0.0} | settings
        self._new_session = partial(
            MqttSession, host="127.0.0.1", port=port, client_id="gatepost-north-gate-1"
        )
        self._stopping = threading.Event()
        self._is_made = threading.Event()
        self._turned = threading.Condition()
        self._link: Link | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._is_made.wait(DEADLINE_S)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def ring(self) -> None:
        bell = Doorbell(self._station.doorbell_path)
        bell.ring()
        bell.close()

    @property
    def acknowledged(self) -> int:
        assert self._link is not None
        return self._link._store.progress.acknowledged

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds that can change at each turn of the link."""
        with self._turned:
            assert self._turned.wait_for(condition, DEADLINE_S)

    def stop(self) -> float:
        began_s = time.monotonic()
        self._stopping.set()
        if self._link is not None:
            self._link.wake()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()
        return time.monotonic() - began_s

    def _run(self) -> None:
        station = self._station
        with (
            JournalReader(station.journal_path) as journal,
            station.store(self._keep_until) as store,
            DoorbellListener(station.doorbell_path) as doorbell,
        ):
            self._link = Link(
                site=SITE,
                gate=GATE,
                journal=journal,
                store=store,
                doorbell=doorbell,
                new_session=self._new_session,
                backoff=Backoff(0.02, 0.2, Random(1)),
                **self._settings,  # type: ignore[arg-type]
            )
            self._is_made.set()
            self._link.run(self._is_stopping)

    def _is_stopping(self) -> bool:
        with self._turned:
            self._turned.notify_all()
        return self._stopping.is_set()


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    made = Station(tmp_path)
    yield made
    made.journal.close()


@pytest.fixture
def run_python() -> Iterator[Callable[[str], "subprocess.Popen[str]"]]:
    """Start Python code as a process of its own that sees the same packages."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str) -> "subprocess.Popen[str]":
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=DEADLINE_S)


class Listener(logging.Handler):
    """Sets an event once a message that contains a text is logged."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        self.heard = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if self._text in record.getMessage():
            self.heard.set()


@pytest.fixture
def told() -> Iterator[Callable[[str], threading.Event]]:
    """Return an event that is set once a message with that text is logged."""
    root, listeners = logging.getLogger(), []

    def listen(text: str) -> threading.Event:
        listeners.append(Listener(text))
        root.addHandler(listeners[-1])
        return listeners[-1].heard

    yield listen
    for listener in listeners:
        root.removeHandler(listener)
