"""Disks as they fail in the field: full, read-only, lying, slow to say so. Real ones where we may.

What each does to the journal stands in the test's name; then it recovers, and no number repeats.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import contextmanager

import pytest

from gatepost_services.contract.events import decode
from gatepost_services.journal import Journal, JournalError, JournalReader
from gatepost_services.journal.bounds import Limits
from gatepost_services.journal.gaps import joined, ranges_of
from gatepost_services.journal.keeper import Keeper
from gatepost_services.journal.opening import open_journal

from .journal_files import (
    NOW_UTC_S,
    SEALER,
    assert_sound,
    contents,
    entry,
    opened,
    stamp,
)

SIZE = 4 * 1024 * 1024


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def small_disk(tmp_path):
    """Return a folder that is a whole small disk, and what remounts it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder]
    if os.getuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")

    def remount(mode):
        options = ["mount", "-o", f"remount,{mode},size={SIZE}", folder]
        subprocess.run(options, check=True, capture_output=True)

    yield folder, remount
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder):
    """Fill a disk to the last byte; return the file that did it."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return ballast


def unique(file):
    """Claim that what came before and after a fault are one row of numbers, none twice."""
    assert len(set(file.seqs)) == len(file.seqs)
    return file


# ----------------------------------------------------------------------------------------- full


def test_a_full_disk_keeps_nothing_of_the_batch_and_the_next_one_works(path):
    with opened(path) as journal:
        journal.append([entry(1)])
        (pages,) = journal._connection.execute("PRAGMA page_count").fetchone()
        journal._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(JournalError, match=r"journal\.db.*SQLITE_FULL.*free space"):
            journal.append([entry(2, pad="x" * 40_000)])
        assert assert_sound(path).seqs == [1]
        assert journal.append([entry(3)]) == 2
        assert [data["n"] for data in assert_sound(path).data] == [1, 3]


def test_on_a_disk_that_others_filled_events_are_refused_whole_until_there_is_room(small_disk):
    folder, _ = small_disk
    path = folder / "journal.db"
    with opened(path) as journal:
        journal.append([entry(n) for n in range(5)])
        ballast = fill(folder)
        refused = 0
        for n in range(5, 30):
            try:
                journal.append([entry(n, pad="x" * 40_000), entry(n)])
            except JournalError as error:
                assert "SQLITE_FULL" in str(error) or "SQLITE_IOERR" in str(error)  # noqa: PT017
                refused += 1
        assert refused > 20
        before = assert_sound(path)
        ballast.unlink()
        assert journal.append([entry(99)]) == before.state.last_seq + 1
        file = unique(assert_sound(path))
        assert file.records[:-1] == before.records
    with opened(path) as journal:
        assert journal.append([entry(100)]) == file.state.last_seq + 1


def test_a_journal_on_a_disk_of_its_own_keeps_its_reserve_and_goes_on_for_ever(small_disk):
    folder, _ = small_disk
    path = folder / "journal.db"
    limits = Limits(min_free_bytes=1_000_000)
    with opened(path) as journal:
        journal._connection.execute("PRAGMA journal_size_limit = 0")
        journal._connection.execute("PRAGMA wal_autocheckpoint = 50")
        keeper = Keeper(journal, limits, stamp, lambda: NOW_UTC_S, {})
        told: set[int] = set()
        for n in range(300):
            journal.append([entry(n, pad="x" * 20_000)])
            for _ in range(200):
                if not keeper.step(0):
                    break
            told |= {
                seq
                for record in contents(path).records
                for first, through in ranges_of(record.body)
                for seq in range(first, through + 1)
            }
        disk = os.statvfs(folder)
        assert disk.f_bavail * disk.f_frsize >= limits.min_free_bytes
        file = unique(assert_sound(path))
        # The latest are there, as many as fit; each other number is told of.
        assert len(file.records) > 30
        assert set(range(1, file.state.last_seq + 1)) == set(file.seqs) | file.told_gone | told
        assert file.told_gone == told - set(file.seqs)


def test_on_a_full_disk_a_broken_journal_stays_where_it_is_until_there_is_room(small_disk):
    folder, _ = small_disk
    path = folder / "journal.db"
    with opened(path) as journal:
        journal.append([entry(n, pad="x" * 1000) for n in range(50)])
    path.write_bytes(path.read_bytes()[: 4096 * 8])
    ballast = fill(folder)
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(JournalError):
            open_journal(path, SEALER, delivered_seq=0, stamp=stamp)
        assert path.read_bytes() == before
    ballast.unlink()
    found = open_journal(path, SEALER, delivered_seq=0, stamp=stamp)
    with found.journal:
        assert found.aside is not None
    file = assert_sound(path)
    assert set(range(1, 51)) == {s for s in file.seqs if s < 51} | {
        s for s in file.told_gone if s < 51
    }


# ------------------------------------------------------------------------------------ read-only


def test_a_disk_that_turned_read_only_refuses_and_works_on_once_it_is_writable(small_disk):
    folder, remount = small_disk
    path = folder / "journal.db"
    with opened(path) as journal:
        journal.append([entry(1)])
    remount("ro")
    with pytest.raises(JournalError, match=r"journal\.db"):
        open_journal(path, SEALER, delivered_seq=0, stamp=stamp).journal.append([entry(2)])
    with JournalReader(path) as reader:  # what is there can still be delivered
        assert reader.last_seq() == 1
    remount("rw")
    with open_journal(path, SEALER, delivered_seq=0, stamp=stamp).journal as journal:
        assert journal.append([entry(3)]) == 2
    assert [data["n"] for data in unique(assert_sound(path)).data] == [1, 3]


# ----------------------------------------------------------------------------- errors of the disk


class FailingCommit(sqlite3.Connection):
    """Fails the commits that are asked of it, without undoing anything."""

    failures = 0
    opened = 0

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        type(self).opened += 1

    def execute(self, sql, *args):
        is_commit = sql == "COMMIT" or (sql.startswith("INSERT") and not self.in_transaction)
        if is_commit and type(self).failures > 0:
            type(self).failures -= 1
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *args)


def test_after_a_failed_commit_nothing_of_the_batch_appears_and_the_file_is_opened_anew(path):
    class Connection(FailingCommit):
        pass

    with opened(path, connection_class=Connection) as journal:
        journal.append([entry(1)])
        Connection.failures = 2
        for _ in range(2):
            with pytest.raises(JournalError, match=r"journal\.db.*disk I/O error"):
                journal.append([entry(2), entry(3)])
        assert assert_sound(path).seqs == [1]
        assert journal.append([entry(4)]) == 2
        assert [data["n"] for data in assert_sound(path).data] == [1, 4]
        assert Connection.opened == 3


FAILING = """
#define _GNU_SOURCE
#include <errno.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>
static int is(const char *name) { return access(name, F_OK) == 0; }
int fsync(int fd) {
    if (is("fsync-fails")) { errno = EIO; return -1; }
    return syscall(SYS_fsync, fd);
}
int fdatasync(int fd) { return fsync(fd); }
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) {
    if (is("write-fails")) { errno = EIO; return -1; }
    return syscall(SYS_pwrite64, fd, data, size, at);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    return pwrite64(fd, data, size, at);
}
"""
SET_UP = """
import os
from pathlib import Path
from gatepost_services.contract.events import Envelope
from gatepost_services.journal import Entry, Journal, JournalError
def batch(*numbers):
    return [Entry("visit.admitted", 0.0, 1.7e9, {"n": n}) for n in numbers]
journal = Journal(Path("journal.db"), Envelope("north", "gate-1", "boot-1"))
journal.append(batch(1))
"""
DIES = """
Path("fsync-fails").touch()
try:
    journal.append(batch(2, 3))
except JournalError as error:
    print(error, flush=True)
os.kill(os.getpid(), 9)
"""
LIVES_ON = """
fault = Path("{fault}")
fault.touch()
for _ in range(3):
    try:
        journal.append(batch(2, 3))
        print("not refused", flush=True)
    except JournalError as error:
        print(error, flush=True)
fault.unlink()
print(journal.append(batch(4)), flush=True)
journal.close()
"""


@pytest.fixture
def run_on_failing_disk(path):
    """Run code on a disk that fails while a file of that name is there; return what it said."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to make a failing disk with")
    library, source = path.with_name("failing.so"), path.with_name("failing.c")
    source.write_text(FAILING)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)

    def run(code):
        done = subprocess.run(
            [sys.executable, "-c", SET_UP + code],
            cwd=path.parent,
            env={"LD_PRELOAD": str(library), "PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if "SQLITE_IOERR" not in done.stdout:
            assert not done.stderr, done.stderr
            pytest.skip("this Python's SQLite does not call what was put in its way")
        return done

    return run


@pytest.mark.processes
def test_a_batch_whose_fsync_failed_does_not_come_back_when_the_writer_is_killed(
    path, run_on_failing_disk
):
    assert run_on_failing_disk(DIES).returncode == -9
    assert assert_sound(path).seqs == [1]
    with opened(path) as journal:
        assert journal.append([entry(4)]) == 2
        assert [data["n"] for data in assert_sound(path).data] == [1, 4]


@pytest.mark.processes
@pytest.mark.parametrize("fault", ["fsync-fails", "write-fails"])
def test_while_the_disk_fails_every_batch_is_refused_and_then_the_numbers_go_on(
    path, run_on_failing_disk, fault
):
    done = run_on_failing_disk(LIVES_ON.format(fault=fault))
    assert done.returncode == 0, done.stderr
    *refusals, seq = done.stdout.splitlines()
    assert len(refusals) == 3
    assert all("SQLITE_IOERR" in each for each in refusals)
    assert int(seq) == 2
    assert [data["n"] for data in unique(assert_sound(path)).data] == [1, 4]


# ------------------------------------------------------------------------------- power and clock


@contextmanager
def image(path, name):
    """Yield the journal in a copy of the disk, as a power cut would leave it."""
    folder = path.parent / name
    folder.mkdir()
    for file in path.parent.glob("journal.db*"):
        if not file.name.endswith("-shm"):  # memory
            shutil.copy(file, folder)
    yield folder / path.name


def test_what_a_power_cut_leaves_is_all_that_was_confirmed_before_it(path):
    with opened(path) as journal:
        for n in range(40):
            journal.append([entry(n)] * 3)
            if n % 8 == 0:
                journal._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            if n % 5 == 0:
                with image(path, f"cut-{n}") as copy:
                    found = open_journal(copy, SEALER, delivered_seq=0, stamp=stamp)
                    with found.journal:
                        assert (found.aside, found.journal.state) == (None, journal.state)


def test_what_a_power_cut_tears_of_the_last_batch_goes_whole_and_is_told(path):
    with opened(path) as journal:
        journal.append([entry(1)])
        whole = path.with_name("journal.db-wal").stat().st_size
        journal.append([entry(n) for n in range(2, 30)])
        with image(path, "torn") as copy:
            wal = copy.with_name("journal.db-wal")
            wal.write_bytes(wal.read_bytes()[: (whole + wal.stat().st_size) // 2])
            found = open_journal(copy, SEALER, delivered_seq=0, stamp=stamp)
            with found.journal:
                file = assert_sound(copy)
    assert {1, *range(2, 30)} <= set(file.seqs) | set(file.told_gone)


def test_a_clock_that_goes_back_between_appends_changes_neither_order_nor_what_is_kept(path):
    dates = [NOW_UTC_S, NOW_UTC_S - 4e8, 0.0, NOW_UTC_S + 4e8, NOW_UTC_S + 1]
    with opened(path) as journal:
        for n, utc_s in enumerate(dates):
            journal.append([entry(n, utc_s=utc_s)])
        file = assert_sound(path)
        assert file.seqs == [1, 2, 3, 4, 5]
        assert [decode(r.body).utc_s for r in file.records] == pytest.approx(dates, abs=0.001)
        limits = Limits(max_events=4, min_free_bytes=0)
        keeper = Keeper(journal, limits, stamp, lambda: None, {})
        while keeper.step(0):
            pass
        assert joined(ranges_of(contents(path).records[-1].body))[0][0] == 1  # the oldest by number


def test_a_journal_is_opened_with_full_synchronous_writes_after_every_fault(path):
    class Connection(FailingCommit):
        pass

    with Journal(path, SEALER, connection_class=Connection) as journal:
        Connection.failures = 1
        with pytest.raises(JournalError):
            journal.append([entry(1)])
        journal.append([entry(2)])
        assert journal._connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_the_whole_folder_gone_is_an_error_and_not_an_end(path):
    with opened(path) as journal:
        journal.append([entry(1)])
        shutil.rmtree(path.parent)
        journal._is_suspect = True  # the next one opens the file anew
        with pytest.raises(JournalError, match="directory exists"):
            journal.append([entry(2)])
        path.parent.mkdir()
