"""The link against a broker that misbehaves, and against a clock that the test moves."""

import json
import logging
import selectors
import socket
import sqlite3
from contextlib import closing
from random import Random

import pytest

from gatepost_services.doorbell import Doorbell, DoorbellListener
from gatepost_services.journal import JournalReader
from gatepost_services.uplink.backoff import Backoff
from gatepost_services.uplink.line import SessionError
from gatepost_services.uplink.link import Link
from gatepost_services.uplink.position import PositionStore

DEADLINE_S = 30.0


def numbers(broker) -> list[int]:
    return [int(json.loads(payload)["sequence"]) for payload in broker.accepted]


def test_the_brokers_receive_maximum_is_honoured(station, make_fake_broker):
    broker = make_fake_broker(receive_maximum=3)
    station.append(20)
    with station.link(broker.port):
        assert broker.wait_for(lambda: len(broker.accepted) == 20)
    assert broker.most_unacked == 3
    assert numbers(broker) == list(range(1, 21))


@pytest.mark.parametrize("damage", ["data = '{'", "utc_s = 1e18", "utc_s = -1e18"])
def test_a_damaged_record_does_not_hold_back_what_is_behind_it(station, make_fake_broker, damage):
    broker = make_fake_broker()
    station.append(5)
    with closing(sqlite3.connect(station.journal_path)) as file, file:
        file.execute(f"UPDATE entry SET {damage} WHERE seq = 2")  # noqa: S608
    with station.link(broker.port):
        assert broker.wait_for(lambda: len(broker.accepted) == 5)
    assert numbers(broker) == [1, 2, 3, 4, 5]
    assert json.loads(broker.accepted[1])["type"] == "gatepost.journal.damaged"


def test_our_own_window_is_honoured(station, make_fake_broker):
    broker = make_fake_broker(receive_maximum=100)
    station.append(20)
    with station.link(broker.port, window=4):
        assert broker.wait_for(lambda: len(broker.accepted) == 20)
    assert broker.most_unacked <= 4


def test_a_connection_cut_again_and_again_loses_nothing_and_keeps_the_order(
    station, make_fake_broker
):
    broker = make_fake_broker(receive_maximum=5)
    broker.reason_of = lambda n: "drop" if n % 7 == 0 else 0
    station.append(40)
    with station.link(broker.port):
        assert broker.wait_for(lambda: 40 in numbers(broker))
    first_receipts = list(dict.fromkeys(numbers(broker)))
    assert first_receipts == list(range(1, 41))
    assert broker.connects > 3


def test_a_refused_event_is_sent_again_until_it_is_taken_and_told_once(
    station, make_fake_broker, caplog
):
    broker = make_fake_broker()
    broker.reason_of = lambda n: 0x87 if n <= 3 else 0
    station.append(20)
    with station.link(broker.port):
        assert broker.wait_for(lambda: len(broker.accepted) == 20)
    assert numbers(broker) == list(range(1, 21))
    assert broker.connects == 4
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert ["keeps no event" in record.getMessage() for record in errors] == [True, False]


def test_a_ring_sends_what_is_new_at_once(station, make_fake_broker):
    broker = make_fake_broker()
    bell = Doorbell(station.doorbell_path)
    with station.link(broker.port, poll_s=10_000.0):
        for expected in (1, 2, 3):
            station.append(1)
            bell.ring()
            assert broker.wait_for(lambda n=expected: len(broker.accepted) == n)
    bell.close()


def test_a_wake_ends_the_link_at_once_with_a_goodbye(station, make_fake_broker):
    broker = make_fake_broker()
    station.append(1)
    with station.link(broker.port) as link:
        assert broker.wait_for(lambda: len(broker.accepted) == 1)
        assert link.stop() < 0.9  # the tick is a second
    assert broker.wait_for(lambda: broker.disconnects == 1)


# ------------------------------------------------------------------------ with a clock of our own


class Clock:
    """A clock that moves only when the link waits."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class SteppingSelector(selectors.SelectSelector):
    """Never waits: where nothing is ready, the clock jumps to the end of the wait."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.waited_s: list[float] = []

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready:
            self.waited_s.append(timeout)
            self._clock.now_s += timeout
        return ready


class ScriptedSession:
    """A session that does what the test says, without a broker."""

    def __init__(self, *, refuses: bool = False, acks: bool = True) -> None:
        self._near, self._far = socket.socketpair()
        self._refuses = refuses
        self._acks = acks
        self.connected = False
        self.receive_maximum = 65535
        self.published: list[bytes] = []
        self.is_closed = False

    def connect(self) -> None:
        if self._refuses:
            raise SessionError("refused by the test")
        self.connected = True

    def fileno(self) -> int:
        return self._near.fileno()

    def wants_write(self) -> bool:
        return False

    def on_readable(self) -> None:
        raise SessionError("lost by the test")

    def on_writable(self) -> None:
        raise AssertionError

    def tick(self) -> None:
        pass

    def publish(self, _topic: str, payload: bytes) -> int:
        self.published.append(payload)
        return len(self.published)

    def take_acked(self) -> list[tuple[int, bool]]:
        if not self._acks:
            return []
        return [(mid, True) for mid in range(1, len(self.published) + 1)]

    def lose(self) -> None:
        self._far.send(b"x")

    def close(self) -> None:
        self.is_closed = True
        self._near.close()
        self._far.close()


class Bench:
    """A link on a clock that only the test's waits move."""

    def __init__(self, station) -> None:
        self.clock = Clock()
        self.selector = SteppingSelector(self.clock)
        self.sessions: list[ScriptedSession] = []
        self.kinds: list[dict[str, bool]] = []
        self.journal = JournalReader(station.journal_path)
        self.position = PositionStore(station.position_path)
        self.doorbell = DoorbellListener(station.doorbell_path)
        self.link = Link(
            site="north",
            gate="gate-1",
            journal=self.journal,
            position=self.position,
            doorbell=self.doorbell,
            new_session=self._new_session,
            backoff=Backoff(1.0, 60.0, Random(7)),
            clock=self.clock,
            selector=self.selector,
        )

    def _new_session(self) -> ScriptedSession:
        kind = self.kinds.pop(0) if self.kinds else {}
        self.sessions.append(ScriptedSession(**kind))
        return self.sessions[-1]

    def run(self, turns: int) -> None:
        for _ in range(turns):
            self.link._turn()

    def close(self) -> None:
        self.link.close()
        self.journal.close()
        self.doorbell.close()


@pytest.fixture
def bench(station):
    bench = Bench(station)
    yield bench
    bench.close()


def test_tries_are_spaced_by_the_jittered_back_off_and_logged_once(bench, station, caplog):
    bench.kinds = [{"refuses": True}] * 6
    station.append(1)
    expected = Backoff(1.0, 60.0, Random(7))
    delays_s = [expected.next_s() for _ in range(6)]
    while len(bench.sessions) < 7:
        bench.run(1)
    assert bench.clock.now_s - 1000.0 == pytest.approx(sum(delays_s))
    assert all(session.is_closed for session in bench.sessions[:6])
    bench.run(3)
    assert bench.position.acknowledged == 1
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


def test_it_never_spins_while_there_is_nothing_to_do(bench):
    bench.run(100)
    assert len(bench.selector.waited_s) >= 98
    assert min(bench.selector.waited_s[2:]) > 0.5
    assert max(bench.selector.waited_s) <= 1.0


def test_it_never_spins_while_the_broker_is_silent_and_leaves_it_in_the_end(bench, station):
    station.append(100)
    bench.kinds = [{"acks": False}]
    while len(bench.sessions) < 2:
        bench.run(1)
    assert len(bench.sessions[0].published) == 1  # the first goes alone
    assert 30.0 <= bench.clock.now_s - 1000.0 <= 33.0
    bench.run(20)
    assert bench.position.acknowledged == 100


def test_a_journal_that_comes_later_is_drained_then(bench, station, caplog):
    hidden = station.journal_path.with_name("hidden")
    station.append(3)
    station.journal.close()
    station.journal_path.rename(hidden)
    bench.run(20)
    assert bench.sessions[0].published == []
    assert len(caplog.records) == 1
    hidden.rename(station.journal_path)
    bench.run(10)
    assert bench.position.acknowledged == 3
    assert len(caplog.records) == 2


def test_a_position_that_cannot_be_stored_stops_the_window_and_never_the_link(
    bench, station, caplog
):
    station.append(100)
    blocked = station.position_path.with_name("acknowledged.new")
    blocked.mkdir()
    bench.run(10)
    assert len(bench.sessions[0].published) == 20
    blocked.rmdir()
    bench.run(20)
    assert bench.position.acknowledged == 100
    assert len(bench.sessions) == 1
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]


def test_a_journal_with_lower_numbers_than_the_centre_has_is_told(bench, station, caplog):
    bench.position.advance(1000)
    station.append(5)
    bench.run(20)
    assert [record.getMessage()[:24] for record in caplog.records] == ["the journal ends at 5, b"]


def test_a_lost_connection_begins_again_behind_what_was_acknowledged(bench, station):
    station.append(5)
    bench.run(4)
    assert bench.position.acknowledged == 5
    bench.sessions[0].lose()
    station.append(2)
    while len(bench.sessions) < 2 or len(bench.sessions[1].published) < 2:
        bench.run(1)
    assert [json.loads(payload)["id"] for payload in bench.sessions[1].published] == [
        "north/gate-1/6",
        "north/gate-1/7",
    ]
