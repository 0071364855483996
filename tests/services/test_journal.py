import json
import math
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from gatepost_services.journal import (
    SCHEMA_VERSION,
    Entry,
    Journal,
    JournalError,
    JournalReader,
    JournalUnavailable,
    Record,
)
from gatepost_services.record import MAX_DATA_BYTES


def entry(number: int = 0) -> Entry:
    return Entry("test.happened", at_s=1.5, utc_s=1e9, data={"n": number})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def reader(path: Path):
    with JournalReader(path) as reader:
        yield reader


def numbers(reader: JournalReader) -> list[int]:
    return [json.loads(record.data)["n"] for record in reader.read_after(0, 1000)]


def test_what_was_appended_is_read_as_it_was(path, reader):
    with Journal(path, "boot-1") as journal:
        data = {"text": "zażółć", "list": [1, 2.5, None, True], "map": {"a": {}}}
        assert journal.append([Entry("passage.admitted", 12.25, 1e9, data), entry()]) == 2
        assert reader.read_after(0, 1) == [
            Record(
                seq=1,
                boot_id="boot-1",
                type="passage.admitted",
                uptime_s=12.25,
                utc_s=1e9,
                data='{"text":"zażółć","list":[1,2.5,null,true],"map":{"a":{}}}',
            )
        ]
        assert [record.seq for record in reader.read_after(1, 10)] == [2]
        assert reader.read_after(2, 10) == []


def test_a_number_never_repeats_also_after_everything_is_pruned(path, reader):
    with Journal(path, "boot-1") as journal:
        journal.append([entry(n) for n in range(3)])
        assert journal.prune(3) == 3
        assert (journal.depth(), journal.last_seq(), reader.last_seq()) == (0, 3, 3)
    with Journal(path, "boot-2") as journal:
        assert journal.append([entry()]) == 4
        assert (journal.depth(), journal.last_seq(), reader.last_seq()) == (1, 4, 4)


def test_pruning_takes_the_oldest_and_only_so_many(path, reader):
    with Journal(path, "boot-1") as journal:
        journal.append([entry(n) for n in range(10)])
        assert journal.prune(8, max_rows=5) == 5
        assert journal.prune(8, max_rows=5) == 3
        assert journal.prune(8, max_rows=5) == 0
        assert numbers(reader) == [8, 9]
        assert journal.depth() == 2


def test_a_journal_that_takes_a_lost_ones_place_begins_above_it(path):
    with Journal(path, "boot-1", above_seq=1020) as journal:
        assert (journal.last_seq(), journal.depth()) == (1020, 0)
        assert journal.append([entry()]) == 1021
    with Journal(path, "boot-2", above_seq=5000) as journal:  # there is one: it goes on
        assert journal.append([entry()]) == 1022


def test_nothing_appended_changes_nothing(path):
    with Journal(path, "boot-1") as journal:
        assert journal.append([]) == 0
        journal.append([entry()])
        assert journal.append([]) == 1


@pytest.mark.parametrize(
    "data",
    [
        {"x": math.nan},
        {"x": [math.inf]},
        {"x": object()},
        {"x": "\ud800"},
        {"x": "a" * MAX_DATA_BYTES},
    ],
    ids=["nan", "infinity", "object", "surrogate", "too long"],
)
def test_a_batch_with_data_that_json_cannot_hold_is_refused_whole(path, reader, data):
    with Journal(path, "boot-1") as journal:
        with pytest.raises(ValueError, match=r"test\.happened: data"):
            journal.append([entry(), Entry("test.happened", 0.0, 0.0, data)])
        assert numbers(reader) == []


@pytest.mark.parametrize(
    ("event_type", "at_s", "utc_s"),
    [
        ("Upper", 0.0, 0.0),
        ("", 0.0, 0.0),
        ("a..b", 0.0, 0.0),
        ("a" * 101, 0.0, 0.0),
        ("a.b", math.nan, 0.0),
        ("a.b", 0.0, math.nan),
        ("a.b", 0.0, -1.0),
        ("a.b", 0.0, 253_402_300_800.0),
    ],
)
def test_an_entry_that_cannot_cross_the_wire_is_refused(event_type, at_s, utc_s):
    with pytest.raises(ValueError, match=r"type|at_s|utc_s"):
        Entry(event_type, at_s, utc_s, {})


def test_a_full_disk_keeps_nothing_of_the_batch_and_the_next_one_works(path, reader):
    with Journal(path, "boot-1") as journal:
        journal.append([entry(1)])
        journal._connection.execute("PRAGMA max_page_count = 6")
        with pytest.raises(JournalError, match=r"journal\.db.*SQLITE_FULL.*free space"):
            journal.append([Entry("a.b", 0.0, 0.0, {"pad": "x" * 40_000})])
        assert numbers(reader) == [1]
        assert journal.append([entry(2)]) == 2
        assert numbers(reader) == [1, 2]


class FailingCommit(sqlite3.Connection):
    """Fails the commits that are asked of it, without undoing anything."""

    failures = 0
    opened = 0

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        type(self).opened += 1

    def execute(self, sql, *args):
        if sql == "COMMIT" and type(self).failures > 0:
            type(self).failures -= 1
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *args)


def test_after_a_failed_commit_nothing_of_the_batch_appears_and_the_file_is_opened_anew(
    path, reader
):
    class Connection(FailingCommit):
        pass

    with Journal(path, "boot-1", connection_class=Connection) as journal:
        journal.append([entry(1)])
        Connection.failures = 2
        for _ in range(2):
            with pytest.raises(JournalError, match=r"journal\.db.*disk I/O error"):
                journal.append([entry(2), entry(3)])
        assert numbers(reader) == [1]
        assert journal.append([entry(4)]) == 2
        assert numbers(reader) == [1, 4]
        assert Connection.opened == 3


FAILING_FSYNC = """
#include <errno.h>
#include <unistd.h>
#include <sys/syscall.h>
int fsync(int fd) {
    if (access("fsync-fails", F_OK) == 0) { errno = EIO; return -1; }
    return syscall(SYS_fsync, fd);
}
int fdatasync(int fd) { return fsync(fd); }
"""
WRITER_ON_FAILING_DISK = """
import os
from pathlib import Path
from gatepost_services.journal import Entry, Journal, JournalError
journal = Journal(Path("journal.db"), "boot-1")
journal.append([Entry("a.b", 0.0, 0.0, {"n": 1})])
Path("fsync-fails").touch()
try:
    journal.append([Entry("a.b", 0.0, 0.0, {"n": n}) for n in (2, 3)])
except JournalError as error:
    print(error, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.mark.processes
def test_a_batch_whose_fsync_failed_does_not_come_back_when_the_writer_is_killed(path, reader):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to make a failing fsync with")
    library = path.with_name("failing.so")
    source = path.with_name("failing.c")
    source.write_text(FAILING_FSYNC)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    done = subprocess.run(
        [sys.executable, "-c", WRITER_ON_FAILING_DISK],
        cwd=path.parent,
        env={"LD_PRELOAD": str(library), "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -9
    if "SQLITE_IOERR" not in done.stdout:
        pytest.skip("this Python's SQLite does not call the fsync that was put in its way")
    assert numbers(reader) == [1]
    with Journal(path, "boot-2") as journal:
        assert journal.append([entry(4)]) == 2
        assert numbers(reader) == [1, 4]


def test_a_file_that_is_no_database_is_refused_and_left_alone(path):
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(JournalError, match=r"journal\.db.*NOTADB.*move it away"):
        Journal(path, "boot-1")
    assert path.read_bytes() == b"no database " * 1000


def test_another_programs_database_is_refused_and_left_alone(path):
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE precious (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match=r"journal\.db.*no Gatepost journal"):
        Journal(path, "boot-1")
    assert path.read_bytes() == before


def test_a_journal_of_a_newer_version_is_refused_by_writer_and_reader(path, reader):
    Journal(path, "boot-1").close()
    newer = sqlite3.connect(path)
    newer.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    newer.close()
    with pytest.raises(JournalError, match=r"journal\.db.*version 2.*knows 1"):
        Journal(path, "boot-1")
    with pytest.raises(JournalUnavailable, match="version 2"):
        reader.last_seq()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(JournalError, match=r"absent/journal\.db.*directory exists"):
        Journal(tmp_path / "absent" / "journal.db", "boot-1")


@pytest.mark.parametrize("boot_id", ["", "x" * 65, "a\nb"])
def test_a_boot_id_that_cannot_cross_the_wire_is_refused(path, boot_id):
    with pytest.raises(ValueError, match="boot_id"):
        Journal(path, boot_id)


def test_every_commit_waits_for_the_disk(path):
    with Journal(path, "boot-1") as journal:
        assert journal._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert journal._connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_a_reader_before_the_journal_makes_nothing_and_reads_once_it_is_there(path, reader):
    with pytest.raises(JournalUnavailable, match=r"journal\.db: cannot read"):
        reader.read_after(0, 10)
    assert list(path.parent.iterdir()) == []
    with Journal(path, "boot-1") as journal:
        journal.append([entry(7)])
        assert numbers(reader) == [7]


def test_a_reader_of_an_empty_or_damaged_file_says_so(path, reader):
    path.touch()
    with pytest.raises(JournalUnavailable, match="still empty"):
        reader.last_seq()
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(JournalUnavailable, match="NOTADB"):
        reader.last_seq()


def test_a_reader_notices_that_another_file_took_the_place(path, reader):
    with Journal(path, "boot-1") as journal:
        journal.append([entry(1)])
        assert numbers(reader) == [1]
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).rename(path.with_name("old" + suffix))
        with Journal(path, "boot-1") as successor:
            successor.append([entry(2)])
            assert numbers(reader) == [2]


def test_a_reader_at_rest_leaves_no_files_behind_and_sees_a_writer_that_comes(path, reader):
    with Journal(path, "boot-1") as journal:
        journal.append([entry(1)])
    assert numbers(reader) == [1]
    assert [file.name for file in path.parent.iterdir()] == ["journal.db"]
    with Journal(path, "boot-2") as journal:
        journal.append([entry(2)])
        assert numbers(reader) == [1, 2]
        journal.prune(1)
        assert numbers(reader) == [2]


def test_a_reader_never_keeps_the_writer_from_reusing_its_wal(path, reader):
    wal = path.with_name(path.name + "-wal")
    with Journal(path, "boot-1") as journal:
        for n in range(60):
            journal.append([Entry("a.b", 0.0, 0.0, {"n": n, "pad": "x" * 40_000})])
            reader.read_after(n, 10)
            journal.prune(n)
        assert wal.stat().st_size < 8_000_000
