"""The journal behind a thread: nobody waits for a disk longer than they can afford.

The disk of these tests hangs until it is let go; nothing here sleeps.
"""

import time

import pytest

from gatepost_services.journal import JournalError, JournalLate
from gatepost_services.journal.durable import DurableLog

from .journal_files import entry
from .slow_disk import LONG_ENOUGH_S, Disk, settle

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


# -------------------------------------------------------------------------------------- in time


def test_what_was_appended_is_on_the_disk_when_it_returns(disk, make_log):
    log = make_log()
    for n in range(20):
        log.append([entry(n)])
        assert disk.on_disk == list(range(n + 1))
    assert disk.damages == [None]


def test_the_journal_is_opened_by_the_first_append_and_not_before(disk, make_log):
    log = make_log()
    log.keep_house(5)
    assert disk.damages == []
    log.append([])
    assert disk.damages == [None]


def test_an_error_is_told_to_who_asked_and_the_next_one_works(disk, make_log):
    log = make_log()
    disk.errors = [JournalError("full"), None]
    with pytest.raises(JournalError, match="full"):
        log.append([entry(1)])
    log.append([entry(2)])
    assert (disk.on_disk, log.take_lost()) == ([2], [])


def test_what_cannot_be_an_event_is_told_to_who_asked_alone(disk, make_log):
    log = make_log()
    disk.errors = [ValueError("NaN"), None]
    with pytest.raises(ValueError, match="NaN"):
        log.append([entry(1)])
    log.append([entry(2)])
    assert disk.on_disk == [2]


def test_a_journal_that_cannot_be_opened_is_tried_again_by_the_next_append(disk, make_log):
    log = make_log()
    disk.opening_errors = [JournalError("no disk"), JournalError("no disk")]
    for _ in range(2):
        with pytest.raises(JournalError, match="no disk"):
            log.append([entry(1)])
    log.append([entry(2)])
    assert disk.on_disk == [2]


# ----------------------------------------------------------------------------------------- late


def test_a_disk_that_hangs_is_waited_for_until_the_deadline_and_not_longer(disk, make_log):
    log = make_log(deadline_s=SOON_S)
    disk.hang()
    began_s = time.monotonic()
    with pytest.raises(JournalLate, match=r"not answered for 0\.03 s"):
        log.append([entry(1)])
    assert time.monotonic() - began_s >= SOON_S
    disk.go_on()
    settle(log)
    assert (disk.on_disk, log.take_lost()) == ([1], [])


def test_while_it_is_late_nobody_waits_for_it_again_and_the_order_is_kept(disk, make_log):
    log = make_log()
    disk.hang()
    with pytest.raises(JournalLate):
        log.append([entry(0)], disk.busy.is_set)
    # The deadline is a minute: who waited for it would not be back in time.
    began_s = time.monotonic()
    for n in range(1, 10):
        with pytest.raises(JournalLate):
            log.append([entry(n)])
    assert time.monotonic() - began_s < LONG_ENOUGH_S
    disk.go_on()
    settle(log)
    assert disk.on_disk == list(range(10))


def test_once_it_has_caught_up_it_is_waited_for_again(disk, make_log):
    log = make_log()
    disk.hang()
    with pytest.raises(JournalLate):
        log.append([entry(0)], disk.busy.is_set)
    disk.go_on()
    settle(log)
    log.append([entry(1)])
    assert (disk.on_disk, log._overdue) == ([0, 1], 0)


def test_whoever_has_something_more_urgent_ends_the_wait(disk, make_log):
    log = make_log()
    disk.hang()
    asked = []

    def give_up():
        asked.append(True)
        return len(asked) == 3

    with pytest.raises(JournalLate, match="or an alarm came first"):
        log.append([entry(1)], give_up)
    assert len(asked) == 3


def test_what_was_late_and_then_failed_is_given_back_once(disk, make_log):
    log = make_log()
    disk.hang()
    disk.errors = [JournalError("full"), None, ValueError("NaN"), None]
    for n in range(4):
        with pytest.raises(JournalLate):
            log.append([entry(n), entry(n)], disk.busy.is_set)
    disk.go_on()
    settle(log)
    assert disk.on_disk == [1, 1, 3, 3]
    assert log.take_lost() == [entry(0), entry(0), entry(2), entry(2)]
    assert log.take_lost() == []


def test_no_more_wait_than_the_memory_has_room_for(disk, make_log):
    log = make_log()
    disk.hang()
    with pytest.raises(JournalLate):
        log.append([entry(0)] * 400, disk.busy.is_set)
    with pytest.raises(JournalLate):
        log.append([entry(1)] * 600)
    with pytest.raises(JournalError, match="behind by 1000 events; no more fit") as raised:
        log.append([entry(2)])
    assert not isinstance(raised.value, JournalLate)
    disk.go_on()
    settle(log)
    log.append([entry(3)])
    assert disk.on_disk == [0] * 400 + [1] * 600 + [3]
    assert log.take_lost() == []
