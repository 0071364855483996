"""The journal's writer: what it took it keeps, in order, each event naming the one before."""

import math
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from hashlib import sha256

import pytest

from gatepost_services.contract.events import Envelope, decode
from gatepost_services.journal import Entry, Journal, JournalDamaged, JournalError
from gatepost_services.journal.gaps import joined
from gatepost_services.journal.schema import State
from gatepost_services.journal.witness import read_witness, witness_path
from gatepost_services.journal.writer import MOST_EVICTED
from gatepost_services.record import MAX_DATA_BYTES, NO_HASH, EventClass

from .journal_files import (
    DAY_S,
    GAP,
    NOW_UTC_S,
    SEALER,
    assert_sound,
    contents,
    entry,
    gap_of,
    opened,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


# ------------------------------------------------------------------------------------- append


def test_an_event_is_kept_as_the_very_bytes_that_go_on_the_wire(path):
    data = {"text": "zażółć", "list": [1, 2.5, None, True], "map": {"a": {}}}
    with opened(path) as journal:
        first = Entry("visit.admitted", 12.25, 1e9, data, "rtc")
        assert journal.append([first, entry(2, EventClass.ALARM)]) == 2
        file = assert_sound(path)
    assert [record.body for record in file.records] == [
        SEALER.seal(first, 1, NO_HASH),
        SEALER.seal(entry(2, EventClass.ALARM), 2, file.records[0].hash),
    ]
    assert decode(file.records[0].body).data == data


@pytest.mark.parametrize("event_class", EventClass)
def test_each_event_stands_in_the_table_of_its_class(path, event_class):
    with opened(path) as journal:
        journal.append([entry(1, event_class)])
        assert journal.stats().rows == tuple(int(each is event_class) for each in EventClass)
    with sqlite3.connect(path) as connection:
        table = connection.execute(f"SELECT seq, utc_s FROM {event_class.label}")  # noqa: S608
        assert table.fetchall() == [(1, NOW_UTC_S)]
    connection.close()


def test_each_event_names_the_one_before_over_classes_batches_and_restarts(path):
    for boot in range(3):
        with Journal(path, Envelope("north", "gate-1", f"boot-{boot}")) as journal:
            for n in range(3):
                journal.append([entry(n, each) for each in EventClass])
    file = assert_sound(path)
    assert file.seqs == list(range(1, 37))
    assert decode(file.records[0].body).previous_hash == NO_HASH
    assert file.state.head == file.records[-1].hash


def test_nothing_appended_changes_nothing(path):
    with opened(path) as journal:
        assert journal.append([]) == 0
        journal.append([entry()])
        state = journal.state
        assert journal.append([]) == 1
        assert journal.state == state


@pytest.mark.parametrize(
    "data",
    [
        {"x": math.nan},
        {"x": [math.inf]},
        {"x": {"y": -math.inf}},
        {"x": object()},
        {"x": "\ud800"},
        {"x": "a" * MAX_DATA_BYTES},
    ],
    ids=["nan", "infinity", "deep", "object", "surrogate", "too long"],
)
def test_a_batch_with_data_that_json_cannot_hold_is_refused_whole(path, data):
    with opened(path) as journal:
        with pytest.raises(ValueError, match=r"a\.b: data"):
            journal.append([entry(), Entry("a.b", 0.0, 0.0, data)])
        assert assert_sound(path).records == []
        assert journal.append([entry()]) == 1


@pytest.mark.parametrize(
    ("event_type", "at_s", "utc_s", "quality"),
    [
        ("Upper", 0.0, 0.0, "none"),
        ("", 0.0, 0.0, "none"),
        ("a..b", 0.0, 0.0, "none"),
        ("a" * 101, 0.0, 0.0, "none"),
        ("a.b", math.nan, 0.0, "none"),
        ("a.b", 0.0, math.nan, "none"),
        ("a.b", 0.0, -1.0, "none"),
        ("a.b", 0.0, 253_402_300_800.0, "none"),
        ("a.b", 0.0, 0.0, "gps"),
    ],
)
def test_an_entry_that_cannot_cross_the_wire_is_refused(event_type, at_s, utc_s, quality):
    with pytest.raises(ValueError, match=r"type|at_s|utc_s|quality"):
        Entry(event_type, at_s, utc_s, {}, quality)


def test_a_second_writer_is_refused_and_nothing_is_numbered_twice(path):
    with opened(path) as first, opened(path, busy_timeout_s=0.0) as second:
        first.append([entry(1)])
        with pytest.raises(JournalDamaged, match=r"journal\.db: .*UNIQUE constraint failed"):
            second.append([entry(2)])
        first._connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match=r"SQLITE_BUSY.*one writer"):
            second.append([entry(2)])
        first._connection.execute("ROLLBACK")
        assert first.append([entry(3)]) == 2
        assert [data["n"] for data in assert_sound(path).data] == [1, 3]


def test_the_witness_tells_how_far_the_journal_went(path):
    with opened(path) as journal:
        journal.append([entry(n) for n in range(5)])
        journal.evict(EventClass.LIVE, 0, GAP)
        seen = read_witness(witness_path(path))
        assert seen == (6, journal.state.head) == (6, contents(path).state.head)


WRITER = """
import sys
from pathlib import Path
from gatepost_services.contract.events import Envelope
from gatepost_services.journal import Entry, Journal
journal = Journal(Path(sys.argv[1]), Envelope("north", "gate-1", "boot-1"))
while True:
    batch = [Entry("visit.admitted", 0.0, 1.7e9, {"n": n}) for n in range(3)]
    print(journal.append(batch), flush=True)
"""


@pytest.mark.processes
def test_a_kill_at_any_instant_loses_nothing_that_was_confirmed_and_leaves_no_half_batch(path):
    chance, confirmed = random.Random(11), 0
    for _ in range(12):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, path],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert writer.stdout
        for _ in range(chance.randrange(1, 60)):
            confirmed = int(writer.stdout.readline())
        killer = threading.Timer(chance.random() * 0.004, writer.send_signal, [signal.SIGKILL])
        killer.start()
        # Not communicate(): it passes over what readline() has taken ahead.
        rest = writer.stdout.read().split()
        writer.stdout.close()
        killer.join()
        writer.wait(timeout=60)
        confirmed = int(rest[-1]) if rest else confirmed
        file = assert_sound(path)
        assert file.seqs == list(range(1, file.state.last_seq + 1))
        assert confirmed <= file.state.last_seq <= confirmed + 3
        assert file.state.last_seq % 3 == 0
        seen = read_witness(witness_path(path))
        assert seen is not None
        assert confirmed <= seen.last_seq <= file.state.last_seq


# ------------------------------------------------------------------------------------- forget


def test_a_number_never_repeats_also_after_everything_is_deleted(path):
    with opened(path) as journal:
        journal.append([entry(n) for n in range(3)])
        assert journal.forget(3) == 3
        assert (sum(journal.state.rows), journal.state.last_seq, journal.state.pruned) == (0, 3, 3)
        head = journal.state.head
    with opened(path) as journal:
        assert journal.append([entry()]) == 4
        file = assert_sound(path)
        assert (file.seqs, file.state.pruned) == ([4], 3)
        assert decode(file.records[0].body).previous_hash == head


def test_forgetting_takes_so_many_at_a_time_and_none_that_is_not_delivered(path):
    with opened(path) as journal:
        journal.append([entry(n) for n in range(10)])
        assert [journal.forget(8, max_rows=5) for _ in range(3)] == [5, 3, 0]
        file = assert_sound(path)
        assert (file.seqs, file.state.pruned) == ([9, 10], 8)
        assert file.state.dropped == (0, 0, 0, 0)


def test_forgetting_takes_so_many_of_all_classes_together(path):
    with opened(path) as journal:
        journal.append([entry(n, each) for n in range(3) for each in EventClass])
        assert [journal.forget(99, max_rows=7) for _ in range(3)] == [7, 5, 0]
        assert assert_sound(path).records == []


def test_what_is_dated_within_the_time_of_keeping_stays(path):
    with opened(path) as journal:
        dates = [NOW_UTC_S + days * DAY_S for days in (-9, -7, -1, 0, 3)]
        journal.append([entry(n, utc_s=utc_s) for n, utc_s in enumerate(dates)])
        assert journal.forget(5, (NOW_UTC_S - 7 * DAY_S, NOW_UTC_S + DAY_S)) == 2
        assert assert_sound(path).seqs == [2, 3, 4]
        assert journal.state.pruned == 5


# -------------------------------------------------------------------------------------- evict


def test_what_is_given_up_is_told_with_its_numbers(path):
    with opened(path) as journal:
        journal.append([entry(n, EventClass(n % 4)) for n in range(12)])
        assert journal.evict(EventClass.TELEMETRY, 0, GAP) == 3
        file = assert_sound(path)
        assert file.seqs == [1, 2, 3, 5, 6, 7, 9, 10, 11, 13]
        assert file.data[-1] == {
            "cause": "events",
            "class": "telemetry",
            "count": 3,
            "from": 4,
            "through": 12,
            "ranges": [[4, 4], [8, 8], [12, 12]],
        }
        assert decode(file.records[-1].body).event_class is EventClass.ALARM
        assert file.state.dropped == (0, 0, 0, 3)
        assert journal.stats().dropped == (0, 0, 0, 3)


def test_numbers_that_touch_are_one_range(path):
    with opened(path) as journal:
        journal.append([entry(n) for n in range(5)])
        journal.evict(EventClass.LIVE, 0, GAP)
        assert assert_sound(path).data[-1]["ranges"] == [[1, 5]]


@pytest.mark.parametrize(
    ("ranges", "made"),
    [
        ([], []),
        ([(5, 5), (1, 3), (4, 4)], [(1, 5)]),
        ([(1, 10), (2, 3)], [(1, 10)]),
        ([(1, 3), (2, 8)], [(1, 8)]),
        ([(1, 3), (5, 6)], [(1, 3), (5, 6)]),
    ],
)
def test_ranges_are_joined_where_they_touch(ranges, made):
    assert joined(ranges) == made


def test_what_is_delivered_or_of_another_date_is_not_given_up(path):
    with opened(path) as journal:
        journal.append([entry(n, utc_s=NOW_UTC_S + n) for n in range(6)])
        assert journal.evict(EventClass.LIVE, 2, GAP, (NOW_UTC_S, NOW_UTC_S + 3)) == 2
        file = assert_sound(path)
        assert (file.seqs, file.told_gone) == ([1, 2, 5, 6, 7], {3, 4})
        assert journal.evict(EventClass.LIVE, 6, GAP) == 0
        assert contents(path) == file


def test_a_gap_that_is_given_up_passes_its_numbers_on(path):
    with opened(path) as journal:
        journal.append([entry(n) for n in range(4)])
        journal.evict(EventClass.LIVE, 0, GAP)
        journal.append([entry(n) for n in range(3)])
        journal.evict(EventClass.LIVE, 0, GAP)
        for _ in range(3):
            journal.evict(EventClass.ALARM, 0, GAP)
        file = assert_sound(path)
        assert len(file.records) == 1
        assert file.told_gone == set(range(1, file.seqs[0]))
        (told,) = file.data
        assert told["count"] == gap_of(told["ranges"]) == file.seqs[0] - 1
        assert (told["from"], told["through"]) == (1, file.seqs[0] - 1)
        assert sum(file.state.dropped) == told["count"]


def test_not_more_than_so_many_are_given_up_at_a_time_the_oldest_first(path):
    with opened(path) as journal:
        journal.append([entry(n) for n in range(MOST_EVICTED + 5)])
        assert journal.evict(EventClass.LIVE, 0, GAP) == MOST_EVICTED
        file = assert_sound(path)
        assert file.told_gone == set(range(1, MOST_EVICTED + 1))
        assert file.seqs[0] == MOST_EVICTED + 1


def test_the_most_scattered_gap_still_fits_an_event(path):
    begin = State(last_seq=10**15, head=bytes(32))
    with opened(path, begin=begin) as journal:
        for _ in range(3 * MOST_EVICTED):
            journal.append([entry(0, EventClass.TELEMETRY), entry(0, EventClass.LIVE)])
        gone = set()
        while journal.evict(EventClass.TELEMETRY, 0, GAP):
            gone = contents(path).told_gone
        assert len(gone) == 3 * MOST_EVICTED
        # Gaps with a thousand ranges each are given up in their turn.
        for _ in range(10):
            journal.evict(EventClass.ALARM, 0, GAP)
        assert assert_sound(path).told_gone >= gone


def test_an_event_that_only_speaks_of_gaps_is_none(path):
    talk = Entry("visit.admitted", 0.0, NOW_UTC_S, {"x": "journal.gap", "ranges": [[5000, 6000]]})
    with opened(path) as journal:
        journal.append([talk])
        journal.evict(EventClass.LIVE, 0, GAP)
        assert assert_sound(path).told_gone == {1}


# ------------------------------------------------------------------------------- space, adoption


def test_freed_pages_go_back_to_the_disk_bit_by_bit(path):
    with opened(path) as journal:
        for n in range(300):
            journal.append([entry(n, pad="x" * 20_000)])
        journal.forget(300)
        assert journal.stats().free_bytes > 5_000_000
        while before := journal.stats().free_bytes:
            journal.give_back(64)
            # The pages that say where the others are become free as well.
            given = before - journal.stats().free_bytes
            assert min(before, 60 * 4096) <= given <= 64 * 4096
        assert_sound(path)
    assert path.stat().st_size < 100_000


def test_the_wal_does_not_keep_the_disk_after_a_burst(path):
    with opened(path) as journal:
        for n in range(20):
            journal.append([entry(n, pad="x" * 40_000) for _ in range(20)])
        for n in range(20):
            journal.append([entry(n)])
        assert path.with_name("journal.db-wal").stat().st_size <= 4 * 1024 * 1024 + 4152


def test_a_new_journal_takes_over_what_another_held(path, tmp_path):
    old_path = tmp_path / "old.db"
    with opened(old_path) as old:
        old.append([entry(n, EventClass(n % 4)) for n in range(9)])
    held = contents(old_path)
    begin = State(last_seq=10_009, head=sha256(b"").digest(), pruned=3)
    with opened(path, begin=begin) as journal:
        rows = [(record, NOW_UTC_S) for record in reversed(held.records[3:])]
        assert journal.adopt(rows, known_seq=0) == [9, 8, 7, 6, 5, 4]
        journal.append([entry()])
        file = assert_sound(path)
        assert file.records[:-1] == held.records[3:]
        assert file.seqs[-1] == 10_010
        assert decode(file.records[-1].body).previous_hash == held.records[-1].hash
    with opened(path) as journal:
        assert journal.append([entry()]) == 10_011


def test_what_was_taken_over_is_named_only_when_it_is_the_last_that_is_known(path, tmp_path):
    with opened(tmp_path / "old.db") as old:
        old.append([entry(n) for n in range(3)])
    held = contents(tmp_path / "old.db")
    head = bytes(range(32))
    with opened(path, begin=State(last_seq=10_009, head=head)) as journal:
        journal.adopt([(record, NOW_UTC_S) for record in held.records], known_seq=3)
        journal.append([entry()])
        assert decode(contents(path).records[-1].body).previous_hash == head
