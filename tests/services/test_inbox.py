"""The inbox: kept before it is acknowledged, read by a gate that trusts nothing in it."""

import random
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gatepost_services import inbox as inbox_module
from gatepost_services.inbox import (
    MOST_CONTENT,
    MOST_WAITING,
    Inbox,
    InboxError,
    InboxFullError,
    InboxReader,
    Letter,
    Sender,
)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "inbox.db"


@pytest.fixture
def reopened(path) -> Iterator[Callable[[], Inbox]]:
    opened: list[Inbox] = []

    def reopen() -> Inbox:
        for each in opened:
            each.close()
        opened.append(Inbox.open(path))
        return opened[-1]

    yield reopen
    for each in opened:
        each.close()


@pytest.fixture
def reader(path) -> Iterator[InboxReader]:
    with InboxReader(path) as made:
        yield made


def test_letters_come_in_the_order_in_which_they_were_put(reopened, reader):
    inbox = reopened()
    assert [inbox.put("command", b"a"), inbox.put("desired", b"b"), inbox.put("command", b"c")] == [
        *(1, 2, 3)
    ]
    epoch = reopened().epoch
    assert reader.after(epoch, 0, 2) == [
        Letter(epoch, 1, "command", b"a"),
        Letter(epoch, 2, "desired", b"b"),
    ]
    assert reader.after(epoch, 2, 2) == [Letter(epoch, 3, "command", b"c")]
    assert reader.after(epoch, 3, 2) == []


def test_of_another_inbox_the_first_letters_are_new(path, reopened, reader):
    reopened().put("command", b"old")
    old = reopened().epoch
    reader.close()
    reopened().close()
    path.write_bytes(b"not a database" * 1000)
    inbox = reopened()
    assert path.with_name("inbox.db.broken-1").exists()
    assert inbox.epoch != old
    inbox.put("command", b"new")
    assert reader.after(old, 1, 9) == [Letter(inbox.epoch, 1, "command", b"new")]


def test_who_sent_it_is_known_until_it_is_forgotten(reopened):
    inbox = reopened()
    inbox.put("command", b"a", "gatepost/north/gate-1/reply/x", b"\x00\xff")
    inbox.put("command", b"b")
    inbox = reopened()
    assert inbox.sender(1) == Sender("gatepost/north/gate-1/reply/x", b"\x00\xff")
    assert inbox.sender(2) == Sender(None, None)
    assert inbox.sender(3) is None
    inbox.forget(1)
    assert inbox.sender(1) is None
    assert inbox.sender(2) is not None


def test_no_number_is_given_twice(reopened, reader):
    inbox = reopened()
    for n in range(1, 4):
        assert inbox.put("command", b"x") == n
        inbox.forget(n)
        inbox = reopened()
    assert inbox.put("command", b"x") == 4
    assert [letter.number for letter in reader.after(inbox.epoch, 0, 9)] == [4]


def test_a_full_inbox_takes_no_more_until_the_gate_has_read(reopened):
    inbox = reopened()
    for _ in range(MOST_WAITING):
        inbox.put("command", b"x")
    with pytest.raises(InboxFullError, match=str(MOST_WAITING)):
        inbox.put("command", b"x")
    inbox.forget(1)
    assert inbox.put("command", b"x") == MOST_WAITING + 1


def test_a_file_of_a_newer_version_is_left_alone(path, reopened):
    reopened().close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(InboxError, match="version 99"):
        Inbox.open(path)


def test_what_is_missing_is_told_with_the_remedy(tmp_path, reader):
    with pytest.raises(InboxError, match="gatepost uplink") as caught:
        reader.after(b"", 0, 1)
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    with pytest.raises(InboxError, match="see that the directory exists"):
        Inbox.open(tmp_path / "missing" / "inbox.db")


class FullDisk(sqlite3.Connection):
    """Fails each commit of a letter, as a full disk does."""

    def execute(self, sql, *args):
        if sql.startswith("INSERT INTO letter"):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_FULL, "SQLITE_FULL"
            raise error
        return super().execute(sql, *args)


def test_what_the_disk_does_not_take_is_not_put(path):
    with Inbox(path, connection_class=FullDisk) as inbox, InboxReader(path) as reader:
        with pytest.raises(InboxError, match="free space"):
            inbox.put("command", b"x")
        assert reader.after(inbox.epoch, 0, 9) == []


# ------------------------------------------------------------------- a link that is somebody else's

HUGE = "INSERT INTO letter VALUES (1, 'command', zeroblob(100000000), NULL, NULL)"
LOOSE = """
    DROP TABLE letter;
    CREATE TABLE letter (number, kind, content, respond_to, correlation);
    INSERT INTO letter VALUES {row};
"""
ENDLESS = """
    DROP TABLE {table};
    CREATE VIEW {table} AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
    SELECT i AS number, 'command' AS kind, x'00' AS content, x'00' AS id FROM n {where};
"""
HOSTILE = {
    "content a text": LOOSE.format(row="(1, 'command', 'text', NULL, NULL)"),
    "content a number": LOOSE.format(row="(1, 'command', 17, NULL, NULL)"),
    "content missing": LOOSE.format(row="(1, 'command', NULL, NULL, NULL)"),
    "kind a blob": LOOSE.format(row="(1, x'00', x'00', NULL, NULL)"),
    "kind missing": LOOSE.format(row="(1, NULL, x'00', NULL, NULL)"),
    "number a text": LOOSE.format(row="('one', 'command', x'00', NULL, NULL)"),
    "number a fraction": LOOSE.format(row="(1.5, 'command', x'00', NULL, NULL)"),
    "kind no text": LOOSE.format(row="(1, CAST(x'ff' AS TEXT), x'00', NULL, NULL)"),
    "no epoch": "DELETE FROM epoch",
    "epoch a text": "DROP TABLE epoch; CREATE TABLE epoch (id); INSERT INTO epoch VALUES ('x')",
    "epoch empty": "UPDATE epoch SET id = x''",
    "epoch huge": "UPDATE epoch SET id = zeroblob(100000000)",
    "endless letters": ENDLESS.format(table="letter", where="WHERE i < 0"),
    "endless epochs": ENDLESS.format(table="epoch", where="WHERE i < 0"),
    "no table": "DROP TABLE letter",
    "another column": "DROP TABLE letter; CREATE TABLE letter (x)",
}


@pytest.mark.parametrize("sql", HOSTILE.values(), ids=HOSTILE)
def test_whatever_stands_in_the_file_is_an_error_like_any_other(path, reopened, sql):
    reopened().close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(sql)
        with InboxReader(path) as reader, pytest.raises(InboxError):
            reader.after(b"", 0, 1)


def test_of_a_letter_that_is_too_long_the_beginning_is_read(path, reopened, reader):
    reopened().close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(HUGE)
        (letter,) = reader.after(b"", 0, 1)
    assert len(letter.content) == MOST_CONTENT + 1


def test_a_question_that_takes_too_long_is_given_up(reopened, reader, monkeypatch):
    inbox = reopened()
    for _ in range(MOST_WAITING):
        inbox.put("command", b"x" * 100)
    assert len(reader.after(b"", 0, MOST_WAITING)) == MOST_WAITING
    reader.close()
    monkeypatch.setattr(inbox_module, "_STEPS", 10)
    with pytest.raises(InboxError, match="interrupted"):
        reader.after(b"", 0, MOST_WAITING)


def test_who_holds_the_file_locked_keeps_the_gate_for_a_moment(path, reopened, reader):
    reopened().close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("BEGIN EXCLUSIVE")
        for suffix in ("-wal", "-shm"):  # else the reader would take it for one at rest
            path.with_name(path.name + suffix).touch()
        with pytest.raises(InboxError, match="locked"):
            reader.after(b"", 0, 1)
        connection.execute("ROLLBACK")
    assert reader._busy_timeout_s <= 0.05


# --------------------------------------------------------------------------------------- kills

WRITER = """
import itertools
from pathlib import Path
from gatepost_services.inbox import Inbox
inbox = Inbox.open(Path({path!r}))
for n in itertools.count():
    number = inbox.put("command", b"%d" % n)
    print(number, flush=True)
    inbox.forget(number - 100)
"""


@pytest.mark.processes
def test_what_was_kept_when_the_link_was_killed_is_there(path, run_python):
    chance, last = random.Random(13), 0
    for _ in range(6):
        process = run_python(WRITER.format(path=str(path)))
        said = [process.stdout.readline() for _ in range(chance.randrange(3, 40))]
        process.send_signal(signal.SIGKILL)
        last = int([*said, *process.stdout.read().split()][-1])
        process.wait()
        with InboxReader(path) as reader:
            numbers = [letter.number for letter in reader.after(b"", 0, MOST_WAITING)]
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        assert numbers[-1] in (last, last + 1)  # one may have been put and not said
