"""The link's memory: over restarts, damage, and disks that are full."""

import sqlite3
from contextlib import closing, suppress
from random import Random

import pytest

from gatepost_services.uplink.position import read_acknowledged, write_acknowledged
from gatepost_services.uplink.progress import Progress
from gatepost_services.uplink.store import (
    MOST_SET_APART,
    ProgressStore,
    SetApart,
    StoreError,
)

PROGRESS = Progress(alarm=40, rest=10, done=((20, 25), (30, 35)), watermark=5)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "uplink.db"


@pytest.fixture
def number(tmp_path):
    return tmp_path / "acknowledged"


def reopened(path, number, keep_until="watermark") -> ProgressStore:
    return ProgressStore.open(path, number, keep_until)


def test_everything_survives_and_the_gate_is_told(path, number):
    apart = SetApart(7, b"h" * 32, "refused", 1e9)
    with reopened(path, number) as store:
        assert store.progress == Progress()
        assert read_acknowledged(number) == 0
        store.save(PROGRESS, [apart])
        assert read_acknowledged(number) == 5
    with reopened(path, number) as store:
        assert store.progress == PROGRESS
        assert store.set_apart == {7: apart}
    with reopened(path, number, "puback"):
        assert read_acknowledged(number) == 10


def test_a_store_that_is_new_begins_at_the_gates_number(path, number):
    write_acknowledged(number, 17)
    with reopened(path, number) as store:
        assert store.progress == Progress(alarm=17, rest=17, watermark=17)
    assert read_acknowledged(number) == 17


def test_what_is_not_needed_is_not_written(path, number, monkeypatch):
    with reopened(path, number) as store:
        store.save(PROGRESS)
        transactions = []
        transaction = store._transaction
        monkeypatch.setattr(
            store, "_transaction", lambda verb: transactions.append(verb) or transaction(verb)
        )
        number.unlink()
        store.save(PROGRESS)
        assert transactions == []
        assert not number.exists()
        store.save(PROGRESS.with_watermark(9))
        assert transactions == ["write"]
        assert read_acknowledged(number) == 9


def test_the_events_set_apart_are_bounded_and_the_oldest_go(path, number):
    with reopened(path, number) as store:
        store.save(PROGRESS, [SetApart(n, bytes(32), "refused", 1e9 + n) for n in range(900)])
        store.save(PROGRESS, [SetApart(n, bytes(32), "refused", 1e9 + n) for n in range(900, 1200)])
        assert len(store.set_apart) == MOST_SET_APART
        assert min(store.set_apart) == 200
        assert list(store.set_apart) == sorted(store.set_apart)


@pytest.mark.parametrize(
    "content",
    [b"no database at all, but long enough for a header" * 90, b"SQLite format 3\0" + b"x" * 5000],
)
def test_what_is_no_database_is_set_aside(path, number, caplog, content):
    write_acknowledged(number, 3)
    path.write_bytes(content)
    with reopened(path, number) as store:
        assert store.progress == Progress(alarm=3, rest=3, watermark=3)
    assert path.with_name("uplink.db.broken-1").read_bytes() == content
    assert "set aside as uplink.db.broken-1" in caplog.text


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM progress",
        "INSERT INTO progress VALUES (1, 1, '[]', 0, x'00')",
        "UPDATE progress SET rest = 11",
        "UPDATE progress SET rest = -1",
        "UPDATE progress SET done = 'x'",
        "UPDATE progress SET done = '[[5,20]]'",
        "UPDATE progress SET done = '[[20,25],[24,30]]'",
        "UPDATE progress SET done = '[[20]]'",
        "UPDATE progress SET done = '[[30,20]]'",
        "UPDATE progress SET watermark = 11",
        "UPDATE progress SET alarm = 9223372036854775807",
        "DROP TABLE set_apart",
    ],
)
def test_a_progress_that_makes_no_sense_is_set_aside(path, number, change):
    with reopened(path, number) as store:
        store.save(PROGRESS)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(change)
    with reopened(path, number) as store:
        assert store.progress == Progress(alarm=5, rest=5, watermark=5)
    assert path.with_name("uplink.db.broken-1").exists()


def test_another_programs_database_is_set_aside_and_a_newer_one_is_not(path, number):
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("CREATE TABLE mine (x)")
    reopened(path, number).close()
    assert path.with_name("uplink.db.broken-1").exists()
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="newer"):
        reopened(path, number)
    assert not path.with_name("uplink.db.broken-2").exists()


def test_at_most_three_are_set_aside(path, number):
    for n in range(5):
        path.write_bytes(b"garbage %d" % n * 100)
        reopened(path, number).close()
    assert sorted(each.name for each in path.parent.glob("*.broken-*")) == [
        "uplink.db.broken-1",
        "uplink.db.broken-2",
        "uplink.db.broken-3",
    ]


def test_random_damage_never_stops_the_link_and_never_goes_beyond_the_truth(path, number):
    random = Random(5)
    with reopened(path, number) as store:
        store.save(PROGRESS, [SetApart(n, bytes(32), "refused", 1e9) for n in range(50)])
    sound, seen = path.read_bytes(), set()
    for _ in range(200):
        content = bytearray(sound)
        for _ in range(random.randint(1, 20)):
            content[random.randrange(len(content))] = random.randrange(256)
        path.write_bytes(content[: random.choice([len(content), random.randrange(len(content))])])
        write_acknowledged(number, 5)
        with suppress(StoreError), reopened(path, number) as store:  # its version, hit by chance
            assert store.progress in (PROGRESS, Progress(alarm=5, rest=5, watermark=5))
            store.save(store.progress.with_alarms(10**6))
            seen.add(store.progress.rest)
        for broken in path.parent.glob("uplink.db*"):
            broken.unlink()
    assert seen == {5, 10}


class FullDisk(sqlite3.Connection):
    def execute(self, sql, *args):
        if sql.startswith("UPDATE progress"):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return super().execute(sql, *args)


def test_a_full_disk_is_told_with_its_remedy_and_nothing_is_taken_for_stored(path, number):
    reopened(path, number).close()
    with ProgressStore(path, number, "puback", connection_class=FullDisk) as store:
        with pytest.raises(StoreError, match="free space on that disk"):
            store.save(PROGRESS)
        assert store.progress == Progress()
    assert read_acknowledged(number) == 0


def test_a_folder_that_is_missing_is_named_at_once(tmp_path):
    with pytest.raises(StoreError, match=r"missing/uplink\.db: cannot open"):
        reopened(tmp_path / "missing" / "uplink.db", tmp_path / "acknowledged")
