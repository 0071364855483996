"""Brokers and a running link, for the tests of the services."""

import logging
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
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

from .fake_broker import FakeBroker
from .link_bench import Bench

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


@pytest.fixture
def bench(station):
    bench = Bench(station)
    yield bench
    bench.close()
