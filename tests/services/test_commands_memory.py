"""The memory of commands: noted before it is obeyed, never forgotten by a kill or a full disk."""

import random
import signal
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_services.commands import memory
from gatepost_services.commands.memory import (
    AnswerReader,
    Case,
    CommandMemory,
    CommandMemoryError,
    Noted,
)
from gatepost_services.inbox import Letter

KID, OTHER = b"kid-1", b"kid-2"
EPOCH, NEXT_EPOCH = b"epoch-1", b"epoch-2"


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "commands.db"


@pytest.fixture
def reopened(path) -> Iterator[Callable[[], CommandMemory]]:
    opened: list[CommandMemory] = []

    def reopen() -> CommandMemory:
        for each in opened:
            each.close()
        opened.append(CommandMemory.open(path))
        return opened[-1]

    yield reopen
    for each in opened:
        each.close()


@pytest.fixture
def reader(path) -> Iterator[AnswerReader]:
    with AnswerReader(path) as made:
        yield made


def case(n: int = 1, kid: bytes = KID) -> Case:
    return Case(f"c-{n}", b"digest-%d" % n, kid, n)


def letter(n: int = 1, epoch: bytes = EPOCH) -> Letter:
    return Letter(epoch, n, "command", b"")


# ------------------------------------------------------------------------------------ remembering


def test_a_new_file_knows_nothing(reopened):
    store = reopened()
    assert store.noted("c-1") is None
    assert store.highest(KID) == 0
    assert store.place == (b"", 0)
    assert store.since_s is None


def test_a_command_is_noted_before_and_answered_after(reopened, reader):
    reopened().begin(case())
    store = reopened()
    assert store.noted("c-1") == Noted(b"digest-1", None)
    assert store.highest(KID) == 1
    assert store.place == (b"", 0)  # its letter is read again
    assert reader.after(0, 10) == []
    store.end(letter(), "c-1", b"done")
    assert store.place == (EPOCH, 1)
    store = reopened()
    assert store.noted("c-1") == Noted(b"digest-1", b"done")
    assert store.place == (EPOCH, 1) == reader.place()
    assert reader.after(0, 10) == [(1, EPOCH, 1, b"done")]


def test_what_is_refused_is_noted_at_once(reopened, reader):
    reopened().refuse(letter(4), case(3), b"refused")
    store = reopened()
    assert store.noted("c-3") == Noted(b"digest-3", b"refused")
    assert store.highest(KID) == 3
    assert store.place == (EPOCH, 4)
    assert [answer.body for answer in reader.after(0, 10)] == [b"refused"]


def test_an_answer_to_no_command_counts_nothing(reopened, reader):
    reopened().end(letter(), None, b"malformed")
    store = reopened()
    assert store.highest(KID) == 0
    assert store.place == (EPOCH, 1)
    assert [answer.body for answer in reader.after(0, 10)] == [b"malformed"]


def test_letters_in_a_row_are_answered_with_one_commit(reopened, reader):
    store = reopened()
    seen = []
    store._connection.set_trace_callback(seen.append)
    store.end_all([(letter(n), b"no-%d" % n) for n in (3, 4, 5)])
    store._connection.set_trace_callback(None)
    assert seen.count("COMMIT") == 1
    assert store.place == (EPOCH, 5) == reopened().place
    assert [(each.letter, each.body) for each in reader.after(0, 9)] == [
        *((3, b"no-3"), (4, b"no-4"), (5, b"no-5"))
    ]


def test_the_first_result_stays(reopened):
    store = reopened()
    store.begin(case())
    store.end(letter(1), "c-1", b"first")
    store.end(letter(2), "c-1", b"second")
    assert store.noted("c-1").result == b"first"


def test_the_same_id_is_not_noted_twice(reopened):
    store = reopened()
    store.begin(case(1))
    with pytest.raises(CommandMemoryError):
        store.begin(case(1)._replace(digest=b"other", counter=9))
    with pytest.raises(CommandMemoryError):
        store.refuse(letter(7), case(1)._replace(counter=9), b"no")
    store = reopened()
    assert store.noted("c-1").digest == b"digest-1"
    assert store.highest(KID) == 1
    assert store.place == (b"", 0)


def test_counters_are_each_keys_own_and_never_go_down(reopened):
    store = reopened()
    for n, kid in ((5, KID), (3, OTHER), (2, KID)):
        store.begin(case(n, kid))
        store = reopened()
    assert (store.highest(KID), store.highest(OTHER)) == (5, 3)


def test_the_place_goes_forward_within_an_inbox_and_anew_with_another(reopened):
    store = reopened()
    for number, epoch, expected in (
        (5, EPOCH, (EPOCH, 5)),
        (3, EPOCH, (EPOCH, 5)),
        (6, EPOCH, (EPOCH, 6)),
        (1, NEXT_EPOCH, (NEXT_EPOCH, 1)),
    ):
        store.end(letter(number, epoch), None, b"x")
        assert reopened().place == expected
        store = reopened()


def test_since_when_it_remembers_is_said_once_and_not_of_the_second_that_has_begun(reopened):
    reopened().begin_to_remember(100.0)
    assert reopened().since_s == 101
    store = reopened()
    store.begin_to_remember(500.9)
    assert store.since_s == 101 == reopened().since_s


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["begin", "refuse", "end", "open"]),
            st.integers(1, 6),
            st.sampled_from([KID, OTHER]),
        ),
        max_size=30,
    )
)
def test_a_history_is_kept_as_dictionaries_would(tmp_path_factory, history):
    path = tmp_path_factory.mktemp("memory") / "commands.db"
    store = CommandMemory.open(path)
    results: dict[str, bytes | None] = {}
    highest = {KID: 0, OTHER: 0}
    for number, (what, n, kid) in enumerate(history, start=1):
        id_ = f"c-{n}"
        if what == "open":
            store.close()
            store = CommandMemory.open(path)
        elif what == "end":
            store.end(letter(number), id_, b"%d" % number)
            if id_ in results:
                results[id_] = results[id_] or b"%d" % number
        elif id_ not in results:
            body = b"%d" % number if what == "refuse" else None
            if body:
                store.refuse(letter(number), case(n, kid), body)
            else:
                store.begin(case(n, kid))
            results[id_] = body
            highest[kid] = max(highest[kid], n)
        assert {kid: store.highest(kid) for kid in highest} == highest
        assert all(store.noted(id_).result == result for id_, result in results.items())
    store.close()


# --------------------------------------------------------------------------------------- bounds


def test_the_oldest_are_forgotten_and_the_counters_never(reopened, reader, monkeypatch):
    monkeypatch.setattr(memory, "MOST_KEPT", 3)
    store = reopened()
    for n in range(1, 8):
        store.refuse(letter(n), case(n), b"no-%d" % n)
    assert [n for n in range(1, 8) if store.noted(f"c-{n}")] == [5, 6, 7]
    assert [answer.number for answer in reader.after(0, 100)] == [5, 6, 7]
    assert store.highest(KID) == 7


def test_so_many_answers_are_read_at_a_time(reopened, reader):
    store = reopened()
    for n in range(1, 6):
        store.end(letter(n), None, b"%d" % n)
    assert [a.number for a in reader.after(0, 2)] == [1, 2]
    assert [a.number for a in reader.after(2, 2)] == [3, 4]
    assert [a.letter for a in reader.after(4, 2)] == [5]
    assert reader.after(5, 2) == []


# -------------------------------------------------------------------------------- damage, disks


def test_after_damage_another_memory_begins_and_says_so(path, reopened, reader):
    store = reopened()
    store.begin_to_remember(100.0)
    store.begin(case())
    before = reader.epoch()
    reader.close()  # else what it still reads stays whole in the -wal
    store.close()
    path.write_bytes(b"not a database" * 1000)
    store = reopened()
    assert path.with_name("commands.db.broken-1").exists()
    assert store.since_s is None  # so nothing from before is obeyed
    assert store.highest(KID) == 0
    assert reader.epoch() != before


def test_the_memory_keeps_its_name(reopened, reader):
    reopened()
    name = reader.epoch()
    reopened()
    assert reader.epoch() == name


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM inbox",
        "INSERT INTO inbox VALUES (x'00', 1, NULL)",
        "DELETE FROM memory",
        "DROP TABLE counter",
        "DROP TABLE command",
        "DROP TABLE answer",
    ],
)
def test_a_file_that_lacks_something_is_set_aside(path, reopened, sql):
    reopened().close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(sql)
    store = reopened()
    assert path.with_name("commands.db.broken-1").exists()
    store.begin(case())


def test_a_file_of_a_newer_version_is_left_alone(path, reopened):
    reopened().close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(CommandMemoryError, match="version 99"):
        CommandMemory.open(path)
    assert path.exists()


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(CommandMemoryError, match="see that the directory exists"):
        CommandMemory.open(tmp_path / "missing" / "commands.db")
    with (
        AnswerReader(tmp_path / "none.db") as reader,
        pytest.raises(CommandMemoryError, match="gatepost run"),
    ):
        reader.after(0, 1)


def test_every_commit_waits_for_the_disk(reopened):
    assert reopened()._connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_the_group_may_read_and_nobody_else_write(path, reopened):
    reopened().begin(case())
    assert not stat.S_IMODE(path.stat().st_mode) & (stat.S_IWGRP | stat.S_IWOTH)


class FullDisk(sqlite3.Connection):
    """Fails each write, while `is_full`, as a full disk does; or the commit alone."""

    is_full = False
    verbs = ("INSERT", "UPDATE", "DELETE")

    def execute(self, sql, *args):
        if FullDisk.is_full and sql.strip().startswith(FullDisk.verbs):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_FULL, "SQLITE_FULL"
            raise error
        return super().execute(sql, *args)


@pytest.mark.parametrize("verbs", [("INSERT", "UPDATE", "DELETE"), ("COMMIT",)])
def test_what_the_disk_does_not_take_is_not_noted(path, monkeypatch, verbs):
    monkeypatch.setattr(FullDisk, "verbs", verbs)
    with CommandMemory(path, connection_class=FullDisk) as store:
        store.begin(case(1))
        monkeypatch.setattr(FullDisk, "is_full", True)
        with pytest.raises(CommandMemoryError, match="free space"):
            store.begin(case(2))
        with pytest.raises(CommandMemoryError):
            store.refuse(letter(2), case(2), b"no")
        with pytest.raises(CommandMemoryError):
            store.end(letter(1), "c-1", b"done")
        with pytest.raises(CommandMemoryError):
            store.end_all([(letter(1), b"no"), (letter(2), b"no")])
        assert store.place == (b"", 0)
        monkeypatch.setattr(FullDisk, "is_full", False)
        assert store.noted("c-2") is None
        assert store.noted("c-1").result is None
        assert store.highest(KID) == 1
        store.begin(case(2))
        store.end(letter(1), "c-1", b"done")
        assert store.noted("c-1").result == b"done"


# --------------------------------------------------------------------------------------- kills

WRITER = """
import itertools
from pathlib import Path
from gatepost_services.commands.memory import Case, CommandMemory
from gatepost_services.inbox import Letter
store = CommandMemory.open(Path({path!r}))
for n in itertools.count({first}):
    store.begin(Case(f"c-{{n}}", b"d", b"kid", n))
    print(2 * n, flush=True)
    store.end(Letter(b"epoch", n, "command", b""), f"c-{{n}}", b"done")
    print(2 * n + 1, flush=True)
"""


@pytest.mark.processes
def test_what_was_begun_when_the_gate_was_killed_stays_begun(path, run_python):
    first, chance = 1, random.Random(12)
    for _ in range(6):
        process = run_python(WRITER.format(path=str(path), first=first))
        said = [process.stdout.readline() for _ in range(chance.randrange(3, 40))]
        process.send_signal(signal.SIGKILL)
        last = int([*said, *process.stdout.read().split()][-1])
        process.wait()
        with CommandMemory.open(path) as store, AnswerReader(path) as reader:
            assert not path.with_name("commands.db.broken-1").exists()
            for n in range(first, last // 2 + 1):
                is_ended = 2 * n + 1 <= last
                noted = store.noted(f"c-{n}")
                assert noted is not None
                assert noted.result == b"done" or not is_ended
            assert store.highest(b"kid") >= last // 2
            assert store.place[1] >= (last - 1) // 2
            letters = [answer.letter for answer in reader.after(0, 10_000)]
            assert letters == sorted(set(letters))
            assert set(letters) >= set(range(first, (last + 1) // 2))
        first = last // 2 + 2  # one may have been begun and not said
