"""The link against a broker that misbehaves, and against a clock that the test moves."""

import json
import sqlite3
from contextlib import closing
from random import Random

import pytest

from gatepost_services.contract.events import decode
from gatepost_services.doorbell import Doorbell
from gatepost_services.journal import JournalReader
from gatepost_services.uplink.backoff import Backoff

from .link_bench import Bench

DEADLINE_S = 30.0
ALARM = "tamper.raised"


def numbers(broker) -> list[int]:
    return [decode(payload).seq for payload in broker.accepted]


def streams(broker) -> list[str]:
    return [topic.rpartition("/")[2] for topic in broker.topics]


def test_the_brokers_receive_maximum_is_honoured(station, make_fake_broker):
    broker = make_fake_broker(receive_maximum=3)
    station.append(20)
    with station.link(broker.port):
        assert broker.wait_for(lambda: len(broker.accepted) == 20)
    assert 2 <= broker.most_unacked <= 3
    assert numbers(broker) == list(range(1, 21))


def test_the_window_is_honoured_and_leaves_a_reserve_for_what_is_more_urgent(
    station, make_fake_broker
):
    broker = make_fake_broker(receive_maximum=100)
    station.append(40)
    with station.link(broker.port, window=10):
        assert broker.wait_for(lambda: len(broker.accepted) == 40)
    assert broker.most_unacked == 9


def test_an_events_bytes_are_sent_as_they_were_written(station, make_fake_broker):
    broker = make_fake_broker()
    station.append(3)
    with station.link(broker.port), JournalReader(station.journal_path) as journal:
        assert broker.wait_for(lambda: len(broker.accepted) == 3)
        assert broker.accepted == [record.body for record in journal.read(0, 10).records]


def test_a_damaged_record_does_not_hold_back_what_is_behind_it(station, make_fake_broker, caplog):
    broker = make_fake_broker()
    station.append(5)
    with closing(sqlite3.connect(station.journal_path)) as file, file:
        file.execute("UPDATE live SET body = CAST(replace(body, 'boot-1', 'boot-2') AS BLOB)")
    with station.link(broker.port):
        assert broker.wait_for(lambda: len(broker.accepted) == 5)
    assert numbers(broker) == [1, 2, 3, 4, 5]
    events = [decode(payload) for payload in broker.accepted]
    assert {event.type for event in events} == {"gatepost.journal.withheld"}
    assert {event.data["why"] for event in events} == {"damaged"}
    with JournalReader(station.journal_path) as journal, station.store() as store:
        kept = [record.hash for record in journal.read(0, 10).records]
        assert [event.data["hash"] for event in events] == [each.hex() for each in kept]
        assert [each.hash for each in store.set_apart.values()] == kept
    assert sum("is damaged" in record.getMessage() for record in caplog.records) == 1


def test_alarms_go_first_then_the_backlog_and_what_comes_meanwhile_is_live(
    station, make_fake_broker
):
    broker = make_fake_broker()
    station.append(30)
    station.append(2, ALARM)
    station.append(970)
    bell = Doorbell(station.doorbell_path)
    with station.link(broker.port, poll_s=10_000.0):
        assert broker.wait_for(lambda: len(broker.accepted) >= 10)
        station.append(1)
        bell.ring()
        assert broker.wait_for(lambda: len(broker.accepted) == 1003)
    bell.close()
    assert numbers(broker)[:2] == [31, 32]
    assert streams(broker)[:2] == ["alarm", "alarm"]
    backlog = [
        seq
        for seq, stream in zip(numbers(broker), streams(broker), strict=True)
        if stream == "backlog"
    ]
    assert backlog == [*range(1, 31), *range(33, 1003)]
    assert numbers(broker)[streams(broker).index("live")] == 1003
    assert numbers(broker).index(1003) < 900
    alarm, _status, *others = broker.company  # backlog, live
    assert (alarm, others) == (0, [0, 0])
    assert station.acknowledged() == 1003


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


def test_a_ring_sends_what_is_new_at_once(station, make_fake_broker):
    broker = make_fake_broker()
    bell = Doorbell(station.doorbell_path)
    with station.link(broker.port, poll_s=10_000.0):
        assert broker.wait_for(lambda: len(broker.statuses) == 1)
        for expected in (1, 2, 3):
            station.append(1, ALARM if expected == 2 else "passage.entered")
            bell.ring()
            assert broker.wait_for(lambda n=expected: len(broker.accepted) == n)
    bell.close()
    assert streams(broker) == ["live", "alarm", "live"]


def test_a_wake_ends_the_link_at_once_with_a_goodbye(station, make_fake_broker):
    broker = make_fake_broker()
    station.append(1)
    with station.link(broker.port) as link:
        assert broker.wait_for(lambda: len(broker.accepted) == 1)
        assert link.stop() < 0.9  # the tick is a second
    assert broker.wait_for(lambda: broker.disconnects == 1)


def test_the_backlog_keeps_to_its_pace_and_nothing_else_does(station, make_fake_broker):
    broker = make_fake_broker()
    station.append(100)
    station.append(30, ALARM)
    with station.link(broker.port, backlog_rate=0.001):
        assert broker.wait_for(lambda: streams(broker).count("backlog") == 1)
        station.append(20)
        with closing(Doorbell(station.doorbell_path)) as bell:
            bell.ring()
        assert broker.wait_for(lambda: streams(broker).count("live") == 20)
    assert streams(broker).count("alarm") == 30
    assert streams(broker).count("backlog") == 1


def test_a_status_that_may_not_be_sent_stops_nothing(station, make_fake_broker, caplog):
    broker = make_fake_broker()
    broker.judge = lambda topic, _payload: 0x87 if topic.endswith("/status") else None
    station.append(10)
    with station.link(broker.port):
        assert broker.wait_for(lambda: len(broker.accepted) == 10)
    assert numbers(broker) == list(range(1, 11))
    assert broker.connects == 2
    assert (
        sum(
            "takes nothing on gatepost/north/gate-1/status" in record.getMessage()
            for record in caplog.records
        )
        == 1
    )


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
    assert bench.acknowledged == 1
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


def test_it_never_spins_while_there_is_nothing_to_do(bench):
    bench.run(100)
    assert len(bench.selector.waited_s) >= 98
    assert min(bench.selector.waited_s[3:]) > 0.5
    assert max(bench.selector.waited_s) <= 1.0


def test_it_does_not_spin_while_the_backlog_keeps_its_pace(bench, station):
    station.append(2000)
    bench.run_until(lambda: bench.acknowledged == 2000)
    took_s = bench.clock.now_s - 1000.0
    assert 3.8 <= took_s <= 5.5  # 2000 at 500 a second
    assert len(bench.selector.waited_s) <= 60 * took_s


def test_a_backlog_that_keeps_its_pace_costs_one_fsync_for_many_events(station, monkeypatch):
    station.append(2000)
    bench = Bench(station, window=500)
    saves = []
    save = bench.store.save
    monkeypatch.setattr(bench.store, "save", lambda *args: saves.append(args) or save(*args))
    bench.run_until(lambda: bench.acknowledged == 2000)
    assert 4 <= len(saves) <= 12
    bench.run(100)
    assert len(saves) <= 12
    bench.close()


def test_a_window_of_one_is_slow_and_never_waits_for_the_clock(station):
    station.append(100, ALARM)
    bench = Bench(station, window=1)
    bench.run_until(lambda: bench.acknowledged == 100)
    assert bench.clock.now_s - 1000.0 < 5.0
    bench.close()


def test_it_never_spins_while_the_broker_is_silent_and_leaves_it_in_the_end(bench, station):
    station.append(100)
    bench.kinds = [{"acks": False}]
    while len(bench.sessions) < 2:
        bench.run(1)
    # What goes first goes alone.
    assert len(bench.sessions[0].published) + len(bench.sessions[0].statuses) == 1
    assert 30.0 <= bench.clock.now_s - 1000.0 <= 33.0
    bench.run_until(lambda: bench.acknowledged == 100)


def test_a_journal_that_comes_later_is_drained_then(bench, station, caplog):
    hidden = station.journal_path.with_name("hidden")
    station.append(3)
    station.journal.close()
    station.journal_path.rename(hidden)
    bench.run(20)
    assert bench.sessions[0].published == []
    assert len(caplog.records) == 1
    hidden.rename(station.journal_path)
    bench.run(20)
    assert bench.acknowledged == 3
    assert len(caplog.records) == 2


class FullDisk(sqlite3.Connection):
    """A connection whose commits fail while `is_full`."""

    is_full = False

    def execute(self, sql, *args):
        if FullDisk.is_full and sql.startswith("UPDATE progress"):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return super().execute(sql, *args)


def test_a_store_that_cannot_write_stops_the_window_and_never_the_link(
    bench, station, caplog, monkeypatch
):
    station.append(100)
    monkeypatch.setattr(bench.store, "_connection_class", FullDisk)
    bench.store._is_suspect = True  # the next transaction opens it anew
    monkeypatch.setattr(FullDisk, "is_full", True)
    bench.run(50)
    assert bench.sessions[0].numbers() == list(range(1, 19))  # 20 less the reserve
    assert station.acknowledged() == 0
    monkeypatch.setattr(FullDisk, "is_full", False)
    bench.run_until(lambda: bench.acknowledged == 100)
    assert bench.sessions[0].numbers() == list(range(1, 101))
    assert len(bench.sessions) == 1
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]


def test_a_number_that_cannot_be_written_stops_the_window_as_well(bench, station, caplog):
    station.append(100)
    blocked = station.position_path.with_name("acknowledged.new")
    blocked.mkdir()
    bench.sessions.clear()
    bench.run(2)
    bench.sessions[0].say(100)
    bench.run(50)
    assert 1 <= len(bench.sessions[0].published) <= 18
    blocked.rmdir()
    bench.run_until(lambda: station.acknowledged() >= 18)
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]


def test_a_journal_with_lower_numbers_than_the_centre_has_is_told(station, caplog):
    with station.store() as store:
        store.save(store.progress.with_alarms(1000).with_rest(1000))
    station.append(5)
    bench = Bench(station, "puback")
    bench.run(20)
    bench.close()
    assert [record.getMessage()[:24] for record in caplog.records] == ["the journal ends at 5, b"]


def test_a_lost_connection_begins_again_behind_what_was_acknowledged(bench, station):
    station.append(5)
    bench.run_until(lambda: bench.acknowledged == 5)
    bench.sessions[0].lose()
    station.append(2)
    bench.run_until(lambda: len(bench.sessions) == 2 and len(bench.sessions[1].published) == 2)
    assert bench.sessions[1].numbers() == [6, 7]


def test_with_no_place_for_another_interval_all_is_backlog_until_it_has_gone(station):
    station.append(200)
    with station.store() as store:
        done = tuple((3 * n + 1, 3 * n + 2) for n in range(1, 33))
        store.save(store.progress._replace(done=done))
    bench = Bench(station, "puback")
    bench.run_until(lambda: bench.sessions and len(bench.sessions[0].published) > 10)
    station.append(1)
    bench.link._drain.ring(bench.clock.now_s)
    bench.run_until(lambda: bench.acknowledged == 201)
    skipped = {seq for _, seq in done}
    assert bench.sessions[0].numbers() == [seq for seq in range(1, 202) if seq not in skipped]
    station.append(1)
    bench.run_until(lambda: bench.acknowledged == 202)
    topic = bench.link._drain._live.topic
    assert topic.endswith("/live")
    assert bench.link._drain._live.is_proven
    bench.close()


def test_the_status_says_what_waits_and_what_the_link_has_done(bench, station):
    station.append(10)
    bench.run_until(lambda: bench.acknowledged == 10)
    bench.run(70)
    first, second = map(json.loads, bench.sessions[0].statuses)
    assert first["depth"] == 10
    assert first["oldest_utc"] == "2001-09-09T01:46:40.000Z"
    assert first["acknowledged"] == 0
    assert first["dropped"] == {"alarm": 0, "live": 0, "bookkeeping": 0, "telemetry": 0}
    assert first["set_apart"] == {"count": 0, "last": []}
    assert (second["depth"], second["oldest_utc"], second["acknowledged"]) == (0, None, 10)
    assert second["sent_rate"] == 0.2
    with JournalReader(station.journal_path) as journal:
        head = journal.stats().head.hex()
    assert second["journal"] == {"last_seq": 10, "head": head}
