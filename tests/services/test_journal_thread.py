"""The journal's thread: damage and its mending, the house between appends, the end, and bugs."""

import sqlite3
import threading
from contextlib import closing

import pytest

from gatepost_services.contract.events import decode
from gatepost_services.journal import (
    Entry,
    JournalDamaged,
    JournalError,
    JournalLate,
    JournalReader,
)
from gatepost_services.journal.bounds import Limits
from gatepost_services.journal.durable import DurableLog
from gatepost_services.journal.keeper import Keeper
from gatepost_services.journal.opening import open_journal
from gatepost_services.record import EventClass

from .journal_files import SEALER, assert_sound, contents, entry, stamp
from .slow_disk import LONG_ENOUGH_S, Disk, house_is_kept

SOON_S = 0.03  # a deadline that is meant to pass
LATE_S = 60.0  # and one that is not


@pytest.fixture
def disk():
    return Disk()


@pytest.fixture
def make_log(disk):
    made = []

    def make(deadline_s=LATE_S, open_=disk.open):
        made.append(DurableLog(open_, deadline_s=deadline_s))
        return made[-1]

    yield make
    disk.go_on()
    for log in made:
        log.close()
        log._thread.join(LONG_ENOUGH_S)
        assert not log._thread.is_alive()


@pytest.fixture
def died(monkeypatch):
    """Return what ended a thread, instead of its traceback on the screen."""
    ended = []
    monkeypatch.setattr(threading, "excepthook", lambda found: ended.append(found.exc_value))
    return ended


# --------------------------------------------------------------------------------------- damage


def test_damage_is_answered_by_another_journal_and_nothing_is_lost(disk, make_log):
    log = make_log()
    damage = JournalDamaged("broken")
    disk.errors = [None, damage, None]
    log.append([entry(1)])
    log.append([entry(2)])
    assert (disk.on_disk, disk.damages, disk.closed) == ([1, 2], [None, damage], 1)
    log.append([entry(3)])
    assert disk.damages == [None, damage]


def test_damage_of_the_second_journal_too_is_an_error_of_that_request(disk, make_log):
    log = make_log()
    first, second = JournalDamaged("first"), JournalDamaged("second")
    disk.errors = [first, second, None]
    with pytest.raises(JournalDamaged, match="second"):
        log.append([entry(1)])
    log.append([entry(2)])
    assert disk.on_disk == [2]


def test_damage_that_the_rolling_check_finds_brings_another_journal(disk, make_log):
    log = make_log()
    log.append([entry(1)])
    damage = JournalDamaged("event 7 is not what was written")
    disk.check_errors = [damage]
    log.keep_house(0)
    assert disk.checked.wait(LONG_ENOUGH_S)
    log.append([entry(2)])
    log.keep_house(3)
    assert disk.has_kept.wait(LONG_ENOUGH_S)
    assert disk.damages == [None, damage]
    assert disk.kept == [3]


def test_a_replacement_that_fails_is_tried_again_with_what_was_found(disk, make_log):
    log = make_log()
    log.append([entry(1)])
    damage = JournalDamaged("broken")
    disk.check_errors = [damage]
    disk.opening_errors = [JournalError("full")]
    log.keep_house(0)
    assert disk.checked.wait(LONG_ENOUGH_S)
    log.append([entry(2)])
    assert disk.damages == [None, damage, damage]
    assert disk.on_disk == [1, 2]


# ---------------------------------------------------------------------------------------- house


def test_the_house_is_kept_a_step_at_a_time_with_the_latest_number(disk, make_log):
    log = make_log()
    log.append([entry(1)])
    disk.steps_left = 7
    log.keep_house(4)
    assert disk.has_kept.wait(LONG_ENOUGH_S)
    assert disk.kept == [4] * 7


def test_an_error_of_house_keeping_is_nobodys_loss(disk, make_log):
    log = make_log()
    log.append([entry(1)])
    disk.check_errors = [JournalError("cannot read")]
    log.keep_house(0)
    assert disk.checked.wait(LONG_ENOUGH_S)
    log.append([entry(2)])
    log.keep_house(0)
    assert disk.has_kept.wait(LONG_ENOUGH_S)
    assert (disk.on_disk, log.take_lost(), disk.damages) == ([1, 2], [], [None])


def test_an_append_does_not_wait_for_the_whole_house(disk, make_log):
    log = make_log()
    log.append([entry(1)])
    began, may_end, steps = threading.Event(), threading.Event(), []

    def step(delivered_seq):
        steps.append(delivered_seq)
        began.set()
        assert may_end.wait(LONG_ENOUGH_S)
        return True  # there is always more to do

    disk.step = step
    log.keep_house(0)
    assert began.wait(LONG_ENOUGH_S)
    log.append([entry(2)], may_end.set)  # asked while it waits
    assert (disk.on_disk, steps) == ([1, 2], [0])


# ------------------------------------------------------------------------------- the end, and bugs


def test_a_close_writes_what_waits_and_ends_the_thread(disk, make_log):
    log = make_log()
    disk.hang()
    for n in range(3):
        with pytest.raises(JournalLate):
            log.append([entry(n)], disk.busy.is_set)
    disk.go_on()
    log.close()
    assert disk.on_disk == [0, 1, 2]
    assert disk.closed == 1
    assert not log._thread.is_alive()


def test_a_close_does_not_wait_for_a_disk_that_hangs(disk, make_log):
    log = make_log(deadline_s=SOON_S)
    disk.hang()
    with pytest.raises(JournalLate):
        log.append([entry(1)])
    log.close()
    assert log._thread.is_alive()
    assert log._thread.daemon  # nor does the end of the process


def test_an_exception_that_nobody_reckoned_with_comes_to_who_waits_and_to_who_comes(
    disk, make_log, died
):
    log = make_log()
    bug = KeyError("a bug")
    disk.errors = [bug]
    for _ in range(3):
        with pytest.raises(RuntimeError, match="the journal's thread has died") as raised:
            log.append([entry(1)])
        assert raised.value.__cause__ is bug
    log._thread.join(LONG_ENOUGH_S)
    assert died == [bug]
    assert disk.closed == 1


def test_a_bug_while_the_house_is_kept_comes_to_the_next_append(disk, make_log, died):
    log = make_log()
    log.append([entry(1)])
    disk.check_errors = [ZeroDivisionError("a bug")]
    log.keep_house(0)
    log._thread.join(LONG_ENOUGH_S)
    with pytest.raises(RuntimeError, match="has died"):
        log.append([entry(2)])
    assert len(died) == 1


# ------------------------------------------------------------------------------ with a real file


@pytest.fixture
def real_log(tmp_path, make_log):
    def open_(damage):
        found = open_journal(
            tmp_path / "journal.db", SEALER, delivered_seq=0, stamp=stamp, damage=damage
        )
        limits = Limits(max_events=20, min_free_bytes=0)
        about = {"why": found.why, "saved": found.saved} if found.why else {}
        return found.journal, Keeper(found.journal, limits, stamp, lambda: None, about)

    return make_log(open_=open_)


def test_a_real_journal_that_is_damaged_under_way_loses_nothing_that_was_whole(tmp_path, real_log):
    path = tmp_path / "journal.db"
    real_log.append([entry(n) for n in range(10)])
    # Another hand in the file, as a failing disk would be.
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE live SET seq = 30 WHERE seq = 4")
    house_is_kept(real_log)
    real_log.append([entry(99)])
    house_is_kept(real_log)
    real_log.close()
    file = assert_sound(path)
    assert set(range(1, 11)) <= set(file.seqs)  # that one too, under its own number
    assert not file.told_gone & set(range(1, 11))
    (corrupt,) = file.of_type("store.corrupt")
    assert "event 30 is not what was written" in corrupt["why"]


def test_a_single_event_that_is_broken_leaves_the_journal_in_its_place(tmp_path, real_log):
    path = tmp_path / "journal.db"
    real_log.append([entry(n) for n in range(10)])
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE live SET body = X'00' WHERE seq = 4")
    for n in range(3):
        house_is_kept(real_log)
        real_log.append([entry(n)])
    real_log.close()
    with JournalReader(path) as reader:
        seqs = [record.seq for record in reader.read(0, 100).records]
        (corrupt,) = [
            decode(record.body) for record in reader.read(0, 100, (EventClass.ALARM,)).records
        ]
    assert seqs == list(range(1, 15))
    assert (corrupt.type, corrupt.data["events"]) == ("gatepost.store.corrupt", [4])
    assert not list(tmp_path.glob("*broken*"))


def test_a_real_journal_is_kept_within_its_limits_between_the_appends(tmp_path, real_log):
    for n in range(10):
        real_log.append([Entry("visit.admitted", 0.0, 1e9 + n, {"n": n})] * 10)
        house_is_kept(real_log)
    real_log.close()
    assert len(contents(tmp_path / "journal.db").records) <= 21
