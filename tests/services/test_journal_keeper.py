"""The keeper over a real journal: within its limits at the end, and every loss told."""

import os
import tempfile
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_services.contract.events import decode
from gatepost_services.journal import Entry, JournalDamaged, JournalError, JournalReader
from gatepost_services.journal.bounds import Limits
from gatepost_services.journal.keeper import Keeper
from gatepost_services.record import EventClass

from .journal_files import (
    DAY_S,
    GAP,
    NOW_UTC_S,
    assert_sound,
    contents,
    entry,
    opened,
)

ALARM, LIVE, BOOKS, CURVE = EventClass
ROOMY = Limits(min_free_bytes=0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path):
    with opened(path) as journal:
        yield journal


def keeper(journal, limits=ROOMY, *, now_utc_s=NOW_UTC_S, about=()):
    def stamped(type_, data):
        return Entry(type_, 2.5, now_utc_s or NOW_UTC_S, data, "ntp")

    return Keeper(journal, limits, stamped, lambda: now_utc_s, dict(about))


def keep(keeper, delivered_seq=0):
    """Step until there is nothing left to do; return how many it took."""
    for steps in range(1000):
        if not keeper.step(delivered_seq):
            return steps
    raise AssertionError("it never ends")


def fake_disk(monkeypatch, path, size):
    """Let the journal's own files be all that is on a disk of so many bytes."""

    def statvfs(_folder):
        used = sum(file.stat().st_size for file in path.parent.glob("journal.db*"))
        return SimpleNamespace(f_bavail=max(size - used, 0), f_frsize=1)

    monkeypatch.setattr(os, "statvfs", statvfs)


events = st.lists(
    st.tuples(st.sampled_from(EventClass), st.floats(0, 200), st.integers(0, 3000)), max_size=60
)


@settings(max_examples=60, deadline=None)
@given(
    held=events,
    max_events=st.integers(1, 30),
    max_bytes=st.integers(60_000, 150_000),
    delivered_seq=st.integers(0, 40),
    is_clock_trusted=st.booleans(),
)
def test_it_ends_within_all_limits_and_tells_each_loss(
    held, max_events, max_bytes, delivered_seq, is_clock_trusted
):
    limits = Limits(max_events=max_events, max_bytes=max_bytes, min_free_bytes=0)
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder) / "journal.db") as journal:
        for each, age_days, size in held:
            utc_s = NOW_UTC_S - age_days * DAY_S
            journal.append([entry(0, each, utc_s=utc_s, pad="x" * size)])
        before = contents(journal.path)
        keep(
            keeper(journal, limits, now_utc_s=NOW_UTC_S if is_clock_trusted else None),
            delivered_seq,
        )
        file, stats = assert_sound(journal.path), journal.stats()
        assert sum(stats.rows) <= max_events
        assert stats.used_bytes <= max_bytes
        gone = {seq for seq in range(1, file.state.last_seq + 1) if seq not in file.seqs}
        undelivered = {seq for seq in gone if seq > delivered_seq}
        # Each number is there, was delivered, or is told of.
        assert undelivered <= file.told_gone
        assert not file.told_gone & {*file.seqs, *range(1, delivered_seq + 1)}
        assert sum(stats.dropped) >= len(undelivered)
        told = file.of_type("journal.gap")
        assert sum(each["count"] for each in told) == len(undelivered)
        if not is_clock_trusted and len(before.records) <= max_events:
            assert "age" not in {each["cause"] for each in told}


def test_gaps_that_are_delivered_count_what_was_dropped(journal, path):
    told = 0
    for _ in range(5):
        journal.append([entry(n, CURVE) for n in range(10)])
        delivered = journal.state.last_seq - 10  # all but the curve
        keep(keeper(journal, Limits(max_events=4, min_free_bytes=0)), delivered)
        file = assert_sound(path)
        told += sum(each["count"] for each in file.of_type("journal.gap"))
        journal.forget(file.state.last_seq)
    assert told == sum(journal.state.dropped)


def test_telemetry_goes_before_anything_else_and_alarms_go_last(journal, path):
    journal.append([entry(n, EventClass(n % 4)) for n in range(160)])
    kept = []
    for max_events in (145, 110, 70, 3):
        keep(keeper(journal, Limits(max_events=max_events, min_free_bytes=0)))
        kept.append(assert_sound(path).state.rows[1:])
    assert [tuple(map(bool, rows)) for rows in kept] == [
        (True, True, True),
        (True, True, False),
        (True, False, False),
        (False, False, False),
    ]


def test_one_event_too_many_does_not_cost_a_small_journal_all_it_has(journal):
    journal.append([entry(n) for n in range(101)])
    keep(keeper(journal, Limits(max_events=100, min_free_bytes=0)))
    assert sum(journal.state.rows) > 85


def test_a_disk_that_is_short_of_room_gets_it_and_not_more_than_that(monkeypatch, path):
    with opened(path) as journal:
        for n in range(100):
            journal.append([entry(n, pad="x" * 40_000)])
    with opened(path) as journal:  # with an empty -wal: no checkpoint comes by itself
        fake_disk(monkeypatch, path, path.stat().st_size + 500_000)
        keep(keeper(journal, Limits(min_free_bytes=1_000_000)))
        assert os.statvfs(path.parent).f_bavail >= 1_000_000
    file = assert_sound(path)
    # Forty of them are as much as is asked for and as the -wal takes meanwhile.
    assert 50 <= file.state.rows[LIVE] <= 70
    assert {each["cause"] for each in file.of_type("journal.gap")} == {"disk"}


def test_a_disk_that_others_filled_leaves_the_last_gap_event(monkeypatch, journal, path):
    journal.append([entry(n, EventClass(n % 4)) for n in range(50)])
    fake_disk(monkeypatch, path, 0)
    keep(keeper(journal))
    assert sum(assert_sound(path).state.rows) == 50  # nothing asks for it
    keep(keeper(journal, Limits(min_free_bytes=1)))
    file = assert_sound(path)
    assert len(file.records) == 1
    assert file.told_gone == set(range(1, file.seqs[0]))


def test_what_is_delivered_goes_after_its_time_and_tells_nothing(journal, path):
    journal.append([entry(n, utc_s=NOW_UTC_S - (9 - n) * DAY_S) for n in range(9)])
    keep(keeper(journal), delivered_seq=5)
    file = assert_sound(path)
    assert file.seqs == [3, 4, 5, 6, 7, 8, 9]
    assert file.of_type("journal.gap") == []


def test_nothing_is_too_old_for_a_clock_that_nobody_vouches_for(journal, path):
    journal.append([entry(n, utc_s=1e9) for n in range(9)])
    keep(keeper(journal, now_utc_s=None), delivered_seq=5)
    assert len(assert_sound(path).records) == 9


def test_a_disk_that_cannot_even_be_asked_is_the_journals_error(monkeypatch, journal):
    def fails(_folder):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "statvfs", fails)
    made = keeper(journal)
    assert made.step(0)
    with pytest.raises(JournalError, match="Input/output error"):
        made.step(0)


# ------------------------------------------------------------------------- what was set aside


def test_each_file_that_was_set_aside_is_told_once_with_its_digests(journal, path):
    files = {"journal.db.broken-1": b"first" * 300_000, "journal.db.broken-2": b"second"}
    for age, (name, content) in enumerate(files.items()):
        path.with_name(name).write_bytes(content)
        os.utime(path.with_name(name), (1e9 + age, 1e9 + age))
    path.with_name("journal.db.broken-1-wal").write_bytes(b"wal")
    keep(keeper(journal, about={"why": "a reason", "saved": 3}))
    keep(keeper(journal))
    first, second = assert_sound(path).of_type("store.corrupt")
    assert first == {
        "file": "journal.db.broken-1",
        "why": "a reason",
        "saved": 3,
        "sha256": {
            "journal.db.broken-1": sha256(files["journal.db.broken-1"]).hexdigest(),
            "journal.db.broken-1-wal": sha256(b"wal").hexdigest(),
        },
    }
    assert second["file"] == "journal.db.broken-2"
    assert "why" not in second
    assert list(path.parent.glob("*.broken-*")) == []


def test_what_was_set_aside_is_told_before_anything_is_given_up(journal, path):
    path.with_name("journal.db.broken-1").write_bytes(b"x")
    journal.append([entry(n) for n in range(5)])
    keep(keeper(journal, Limits(max_events=3, min_free_bytes=0)))
    assert assert_sound(path).of_type("store.corrupt")


def test_a_disk_that_fails_while_it_is_told_is_tried_again(monkeypatch, journal, path):
    path.with_name("journal.db.broken-1").write_bytes(b"x")
    made = keeper(journal)

    def fails(_path):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("gatepost_services.journal.keeper.untold", fails)
        with pytest.raises(JournalError, match=r"set aside: .*Input/output error"):
            made.step(0)
    with monkeypatch.context() as patch:
        patch.setattr(journal, "append", fails)
        with pytest.raises(JournalError, match="Input/output error"):
            keep(made)

    def finds_damage(_entries):
        raise JournalDamaged("broken")

    with monkeypatch.context() as patch:
        patch.setattr(journal, "append", finds_damage)
        with pytest.raises(JournalDamaged, match="broken"):
            keep(made)
    keep(made)
    assert [told["file"] for told in assert_sound(path).of_type("store.corrupt")] == [
        "journal.db.broken-1"
    ]


# ------------------------------------------------------------------------------ rolling check


def corruptions(path):
    """Return what was told of broken events, from a file in which some are."""
    with JournalReader(path) as reader:
        events = [decode(record.body) for record in reader.read(0, 100, (ALARM,)).records]
    return [event.data for event in events if event.type == "gatepost.store.corrupt"]


def test_the_rolling_check_comes_round_to_every_event(journal, path):
    for n in range(12):
        journal.append([entry(n) for n in range(100)])
    made = keeper(journal)
    for _ in range(4):
        made.check()
    journal._connection.execute("UPDATE live SET body = X'00' WHERE seq = 1100")
    for _ in range(2):
        made.check()
        assert corruptions(path) == []
    for _ in range(7):  # round and round: it is told once
        made.check()
    journal._connection.execute("UPDATE live SET body = X'00' WHERE seq IN (7, 8)")
    for _ in range(7):
        made.check()
    told = corruptions(path)
    assert [each["events"] for each in told] == [[1100], [7, 8]]
    assert told[0]["file"] == "journal.db"


def test_what_is_broken_is_told_later_where_the_disk_does_not_take_it(journal, path, monkeypatch):
    journal.append([entry(n) for n in range(10)])
    made = keeper(journal)
    journal._connection.execute("UPDATE live SET body = X'00' WHERE seq = 4")

    def fails(_entries):
        raise JournalError("Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(journal, "append", fails)
        with pytest.raises(JournalError, match="Input/output error"):
            made.check()
    made.check()
    made.check()
    (told,) = corruptions(path)
    assert told["events"] == [4]


def test_the_check_of_an_empty_journal_finds_nothing(journal):
    made = keeper(journal)
    made.check()
    made.check()
    journal.append([entry()])
    journal.evict(LIVE, 0, GAP)
    made.check()
