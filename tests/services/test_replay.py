"""Counts of passes: a use is on disk before anybody is let through, and is never forgotten."""

import os
import random
import signal
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_services.credentials import replay
from gatepost_services.credentials.errors import CredentialError, Refusal
from gatepost_services.credentials.replay import KEPT, Counted, ReplayError, ReplayStore

from .pass_kit import HOUR, ID, NOW

SECOND = timedelta(seconds=1)
ONCE = Counted(ID, 1, None, NOW - HOUR, NOW + HOUR)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "credentials.db"


@pytest.fixture
def reopened(path) -> Iterator[Callable[[], ReplayStore]]:
    opened: list[ReplayStore] = []

    def reopen() -> ReplayStore:
        for each in opened:
            each.close()
        opened.append(ReplayStore.open(path))
        return opened[-1]

    yield reopen
    for each in opened:
        each.close()


def refusal(call, counted) -> Refusal:
    with pytest.raises(CredentialError) as caught:
        call(counted)
    return caught.value.refusal


def number(n: int, **changed) -> Counted:
    return ONCE._replace(id=n.to_bytes(16), **changed)


# -------------------------------------------------------------------------------- counting


def test_a_pass_of_one_use_works_once_also_after_a_restart(reopened):
    store = reopened()
    store.peek(ONCE)
    store.peek(ONCE)
    store.consume(ONCE)
    for _ in range(3):
        assert refusal(store.peek, ONCE) is Refusal.USED
        assert refusal(store.consume, ONCE) is Refusal.USED
        store.peek(number(1))
        store = reopened()


def test_each_pass_has_its_own_uses_and_more_may_be_given_later(reopened):
    store = reopened()
    twice = ONCE._replace(uses=2)
    for counted in (twice, number(1), twice):
        store.consume(counted)
    assert refusal(store.consume, twice) is Refusal.USED
    store.consume(ONCE._replace(uses=3))


def test_a_step_works_once_and_after_it_no_earlier_one(reopened):
    store = reopened()
    shown = ONCE._replace(uses=None, step=100)
    store.consume(shown)
    for _ in range(2):
        assert refusal(store.peek, shown) is Refusal.USED
        assert refusal(store.consume, shown._replace(step=99)) is Refusal.USED
        store.peek(shown._replace(step=101))
        store = reopened()
    store.consume(shown._replace(step=101))


def test_the_first_step_of_all_is_one(reopened):
    store = reopened()
    first = ONCE._replace(uses=None, step=0)
    store.consume(first)
    assert refusal(store.consume, first) is Refusal.USED


def test_steps_and_uses_are_counted_together(reopened):
    store = reopened()
    store.consume(ONCE._replace(uses=2, step=5))
    assert refusal(store.consume, ONCE._replace(uses=2, step=5)) is Refusal.USED
    store.consume(ONCE._replace(uses=2, step=6))
    assert refusal(store.consume, ONCE._replace(uses=2, step=7)) is Refusal.USED


def test_who_did_not_walk_gets_the_use_back_but_not_the_step(reopened):
    store = reopened()
    shown = ONCE._replace(step=5)
    store.consume(shown)
    assert store.give_back(ID)
    assert refusal(reopened().consume, shown) is Refusal.USED
    reopened().consume(shown._replace(step=6))
    assert refusal(reopened().peek, shown._replace(step=7)) is Refusal.USED


def test_no_more_is_given_back_than_was_taken(reopened):
    store = reopened()
    store.give_back(ID)
    store.consume(ONCE)
    assert [store.give_back(ID) for _ in range(3)] == [True] * 3
    store.consume(ONCE)
    assert refusal(store.consume, ONCE) is Refusal.USED


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["consume", "back", "open"]), st.integers(0, 2)), max_size=30
    )
)
def test_a_history_counts_as_a_dictionary_would(tmp_path_factory, history):
    path = tmp_path_factory.mktemp("replay") / "credentials.db"
    store, used = ReplayStore.open(path), [0, 0, 0]
    for what, n in history:
        if what == "open":
            store.close()
            store = ReplayStore.open(path)
        elif what == "back":
            store.give_back(n.to_bytes(16))
            used[n] = max(0, used[n] - 1)
        elif used[n] < 2:
            store.consume(number(n, uses=2))
            used[n] += 1
        else:
            assert refusal(store.consume, number(n, uses=2)) is Refusal.USED
    store.close()


# -------------------------------------------------------------------------------- forgetting


def test_a_pass_is_forgotten_a_day_after_it_ended(reopened):
    store = reopened()
    store.consume(ONCE)
    ended = ONCE.ends_utc + KEPT
    assert store.keep_house(ended) == 0
    assert refusal(store.peek, ONCE) is Refusal.USED
    assert store.keep_house(ended + SECOND) == 1
    store.peek(ONCE)
    assert store.keep_house(ended + SECOND) == 0


def test_so_many_are_forgotten_at_a_time(reopened, monkeypatch):
    monkeypatch.setattr(replay, "_MOST_PRUNED", 2)
    store = reopened()
    for n in range(5):
        store.consume(number(n))
    later = ONCE.ends_utc + 2 * KEPT
    assert [store.keep_house(later) for _ in range(4)] == [2, 2, 1, 0]


def test_a_full_file_takes_no_new_pass_and_forgets_none(reopened, monkeypatch):
    monkeypatch.setattr(replay, "MAX_ROWS", 2)
    store = reopened()
    for n in range(2):
        store.consume(number(n, uses=2))
    for _ in range(2):
        assert refusal(store.consume, number(2)) is Refusal.NO_MEMORY
        store = reopened()
    store.consume(number(0, uses=2))
    assert refusal(store.consume, number(1, uses=1)) is Refusal.USED
    store.keep_house(ONCE.ends_utc + 2 * KEPT)
    store.consume(number(2))


# -------------------------------------------------------------------------------- damage, disks


def test_after_damage_only_codes_made_since_are_counted(path, reopened):
    reopened().consume(ONCE)
    reopened().close()
    path.write_bytes(b"not a database" * 1000)
    store = reopened()
    assert store.set_aside == path.with_name("credentials.db.broken-1")
    new = number(7, made_utc=NOW + SECOND)
    for counted in (ONCE, number(8), new):  # no clock has told when that was
        assert refusal(store.peek, counted) is Refusal.NO_MEMORY
        assert refusal(store.consume, counted) is Refusal.NO_MEMORY
    store.keep_house(NOW)
    for _ in range(2):
        assert store.keep_house(NOW + HOUR) == 0
        assert refusal(store.consume, ONCE) is Refusal.NO_MEMORY
        assert refusal(store.peek, number(8, made_utc=NOW)) is Refusal.NO_MEMORY
        store.peek(new)
        store = reopened()
        assert store.set_aside is None


def test_a_page_that_was_overwritten_is_noticed_at_the_start(path, reopened):
    store = reopened()
    for n in range(400):
        store.consume(number(n))
    store.close()
    content = bytearray(path.read_bytes())
    content[5000:9000] = os.urandom(4000)
    path.write_bytes(content)
    assert reopened().set_aside is not None


def test_a_count_that_cannot_be_is_noticed_at_the_start(path, reopened):
    reopened().consume(ONCE)
    reopened().close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("UPDATE uses SET used = -5")
    assert reopened().set_aside is not None


def test_another_programs_database_is_set_aside(path, reopened):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE other (x)")
    connection.close()
    assert reopened().set_aside is not None


def test_a_file_of_a_newer_version_is_left_alone(path, reopened):
    reopened().close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ReplayError, match="version 99"):
        ReplayStore.open(path)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ReplayError, match="see that the directory exists"):
        ReplayStore.open(tmp_path / "missing" / "credentials.db")


def test_only_the_gates_user_may_read_it_and_every_commit_waits_for_the_disk(path, reopened):
    store = reopened()
    store.consume(ONCE)
    for file in (path, path.with_name(path.name + "-wal")):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)


class FullDisk(sqlite3.Connection):
    """Fails each write, while `is_full`, as a full disk does."""

    is_full = False

    def execute(self, sql, *args):
        if FullDisk.is_full and sql.startswith(("INSERT", "UPDATE", "DELETE")):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_FULL, "SQLITE_FULL"
            raise error
        return super().execute(sql, *args)


def test_what_the_disk_does_not_take_is_refused_and_not_counted(path, monkeypatch):
    with ReplayStore(path, connection_class=FullDisk) as store:
        store.consume(number(1, uses=2))
        monkeypatch.setattr(FullDisk, "is_full", True)
        with pytest.raises(CredentialError, match="free space") as caught:
            store.consume(ONCE)
        assert caught.value.refusal is Refusal.NO_MEMORY
        assert not store.give_back(number(1).id)
        with pytest.raises(ReplayError):
            store.keep_house(NOW + 9 * KEPT)
        monkeypatch.setattr(FullDisk, "is_full", False)
        store.consume(ONCE)
        store.consume(number(1, uses=2))
        assert refusal(store.peek, number(1, uses=2)) is Refusal.USED


def test_a_file_that_cannot_be_read_refuses_counted_passes(path):
    with ReplayStore(path) as store:
        other = sqlite3.connect(path)
        other.execute("DROP TABLE uses")
        other.commit()
        other.close()
        assert refusal(store.peek, ONCE) is Refusal.NO_MEMORY
        assert refusal(store.consume, ONCE) is Refusal.NO_MEMORY


# -------------------------------------------------------------------------------- kills

WRITER = """
import itertools
from datetime import datetime, UTC
from pathlib import Path
from gatepost_services.credentials.replay import Counted, ReplayStore
store = ReplayStore.open(Path({path!r}))
assert store.set_aside is None
at = datetime.fromtimestamp(2_000_000_000, UTC)
for n in itertools.count({first}):
    store.consume(Counted(n.to_bytes(16), 1, n, at, at))
    print(n, flush=True)
"""


@pytest.mark.processes
def test_what_was_used_when_the_gate_was_killed_stays_used(path, run_python):
    first, chance = 0, random.Random(11)
    for _ in range(6):
        process = run_python(WRITER.format(path=str(path), first=first))
        said = [process.stdout.readline() for _ in range(chance.randrange(3, 40))]
        process.send_signal(signal.SIGKILL)
        last = int([*said, *process.stdout.read().split()][-1])
        process.wait()
        with ReplayStore.open(path) as store:
            assert store.set_aside is None
            for n in range(first, last + 1):
                shown = number(n, step=n)
                assert refusal(store.consume, shown) is Refusal.USED
                assert refusal(store.consume, shown._replace(uses=2)) is Refusal.USED  # its step
            first = last + 2  # one may have been counted and not said
