"""What the writers of SQLite files share, where it is not in the tests of each of them."""

import random
import sqlite3

import pytest

from gatepost_services.journal import JournalError, JournalReader, JournalUnavailable
from gatepost_services.journal.schema import KIND
from gatepost_services.record import EventClass
from gatepost_services.sqlite_file import explained, set_aside

from .journal_files import GAP, entry, opened


def journal_bytes(path):
    with opened(path) as journal:
        for n in range(100):
            journal.append([entry(n, EventClass(n % 4))])
    return path.read_bytes()


def test_what_sqlite_says_of_a_schema_that_is_no_text_is_an_error_like_any_other(tmp_path):
    path = tmp_path / "journal.db"
    path.write_bytes(journal_bytes(path).replace(b"TABLE live", b"\xff\xfe\xfd\xfc\xfb live"))
    with pytest.raises(JournalError, match=r"cannot open the journal: 'utf-8' codec.*move it away"):
        opened(path)
    with JournalReader(path) as reader, pytest.raises(JournalUnavailable, match="'utf-8' codec"):
        reader.last_seq()


def test_whatever_bytes_of_a_journal_change_nothing_but_its_own_errors_come_out(tmp_path):
    whole, chance = journal_bytes(tmp_path / "whole.db"), random.Random(5)
    refused = 0
    for trial in range(150):
        content = bytearray(whole)
        for _ in range(chance.choice([1, 3, 50])):
            # Half of them in the first page, which says what the others mean.
            most = chance.choice([len(content), 4096])
            content[chance.randrange(most)] = chance.randrange(256)
        path = tmp_path / f"{trial}.db"
        path.write_bytes(content)
        try:
            with opened(path) as journal, JournalReader(path) as reader:
                journal.append([entry()])
                reader.read(0, 200)
                reader.stats()
                journal.check(0, 200)
                journal.evict(EventClass.LIVE, 0, GAP)
                journal.forget(200)
                journal.give_back(9)
                journal.prove(100, whole=True)
        except JournalError:
            refused += 1
    assert 20 < refused < 130


@pytest.mark.parametrize(
    ("code", "is_damage"),
    [
        # What SQLite 3.46 (Debian 13) says of a database that ends before its last page.
        (sqlite3.SQLITE_IOERR_SHORT_READ, True),
        (sqlite3.SQLITE_CORRUPT, True),
        (sqlite3.SQLITE_IOERR_FSYNC, False),
        (sqlite3.SQLITE_IOERR_READ, False),
        (sqlite3.SQLITE_FULL, False),
    ],
)
def test_a_file_that_ends_too_early_is_damaged_and_a_disk_that_fails_is_not(
    tmp_path, code, is_damage
):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    found = explained(tmp_path / "journal.db", KIND, "read", error)
    assert isinstance(found, KIND.damaged) is is_damage
    assert isinstance(found, KIND.error)


# ------------------------------------------------------------------------------------- set aside


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file.db"
    for suffix in ("", "-wal", "-shm"):
        (tmp_path / f"file.db{suffix}").write_text(f"new{suffix}")
    return path


def test_a_file_is_set_aside_with_what_belongs_to_it(path):
    target = set_aside(path, JournalError("broken"))
    assert target.name == "file.db.broken-1"
    for suffix in ("", "-wal", "-shm"):
        assert target.with_name(target.name + suffix).read_text() == f"new{suffix}"
    assert len(list(path.parent.iterdir())) == 3


def test_the_third_one_is_overwritten_by_a_fourth_and_no_part_of_it_is_left(path):
    for n in range(3):
        path.with_name(f"file.db.broken-{n + 1}").write_text(f"old {n}")
    path.with_name("file.db.broken-3-wal").write_text("old wal")
    path.with_name("file.db-wal").unlink()
    assert set_aside(path, JournalError("broken")).name == "file.db.broken-3"
    assert path.with_name("file.db.broken-3").read_text() == "new"
    assert path.with_name("file.db.broken-2").read_text() == "old 1"
    # A -wal of another file would be replayed into this one.
    assert not path.with_name("file.db.broken-3-wal").exists()


def test_a_name_of_which_only_a_part_is_taken_is_taken(path):
    path.with_name("file.db.broken-1-wal").write_text("of another")
    assert set_aside(path, JournalError("broken")).name == "file.db.broken-2"
    assert path.with_name("file.db.broken-1-wal").read_text() == "of another"


def test_a_file_that_cannot_be_set_aside_is_the_error_that_it_was_with_the_reason(path):
    for n in range(3):
        path.with_name(f"file.db.broken-{n + 1}").mkdir()
    with pytest.raises(JournalError, match=r"broken; and it cannot be renamed to file\.db\.broken"):
        set_aside(path, JournalError("broken"))
    assert path.read_text() == "new"


class FailingUndo(sqlite3.Connection):
    """Fails a commit, and the rollback after it."""

    fails = False

    def execute(self, sql, *args):
        if type(self).fails and sql in {"COMMIT", "ROLLBACK"}:
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *args)


def test_a_change_that_could_not_even_be_undone_is_not_read_as_done(tmp_path):
    with opened(tmp_path / "journal.db", connection_class=FailingUndo) as journal:
        journal.append([entry(n) for n in range(3)])
        FailingUndo.fails = True
        with pytest.raises(JournalError, match="disk I/O error"):
            journal.forget(3)
        FailingUndo.fails = False
        assert journal.stats().rows[EventClass.LIVE] == 3
        assert journal.forget(3) == 3
