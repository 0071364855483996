"""Where passes were last seen: over restarts, kills, second gates, and disks that are full."""

import math
import os
import random
import signal
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gatepost_services.whereabouts import Row, Whereabouts, WhereaboutsError

DEADLINE_S = 30.0
INSIDE = Row("s-1", "inside", "boot-1", 12.5, 1e9, "boot-1", 12.5, 1e9)
OUTSIDE = Row("s-2", "outside", "boot-2", 0.25, 1.5e9)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "whereabouts.db"


@pytest.fixture
def reopened(path: Path) -> Iterator[Callable[[], Whereabouts]]:
    opened: list[Whereabouts] = []

    def reopen() -> Whereabouts:
        for each in opened:
            each.close()
        opened.append(Whereabouts.open(path))
        return opened[-1]

    yield reopen
    for each in opened:
        each.close()


def row(number: int, utc_s: float = 1e9) -> Row:
    return INSIDE._replace(subject=f"subject-{number:04}", at_s=float(number), utc_s=utc_s)


def rows_of(whereabouts: Whereabouts) -> list[Row]:
    return sorted(whereabouts.all().values())


def wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def broken(path: Path, number: int = 1) -> Path:
    return path.with_name(f"{path.name}.broken-{number}")


def filled(path: Path, count: int = 300) -> bytes:
    whereabouts = Whereabouts.open(path)
    with whereabouts:
        whereabouts._unsaved.update({f"subject-{n:04}": row(n) for n in range(count)})
        whereabouts.note(row(0))
    return path.read_bytes()


# -------------------------------------------------------------------------- what it is there for


def test_what_was_noted_is_there_after_a_restart_and_only_the_last_of_each(reopened):
    whereabouts = reopened()
    assert (whereabouts.all(), whereabouts.set_aside) == ({}, None)
    whereabouts.note(INSIDE)
    whereabouts.note(OUTSIDE)
    moved = INSIDE._replace(place="outside", boot_id="boot-9", at_s=1.0, utc_s=2e9)
    whereabouts.note(moved)
    for each in (whereabouts, reopened(), reopened()):
        assert each.all() == {"s-1": moved, "s-2": OUTSIDE}
        assert each.set_aside is None


def test_each_note_writes_one_row(reopened):
    whereabouts = reopened()
    before = whereabouts._connection.total_changes
    for number in range(5):
        whereabouts.note(row(number))
    assert whereabouts._connection.total_changes - before == 5


def test_what_it_gives_out_is_not_its_memory(reopened):
    whereabouts = reopened()
    whereabouts.note(INSIDE)
    whereabouts.all().clear()
    assert rows_of(whereabouts) == [INSIDE]


@pytest.mark.parametrize(
    "changed",
    [
        {"subject": ""},
        {"subject": "x" * 513},
        {"subject": "a\nb"},
        {"subject": "\ud800"},
        {"place": "garden"},
        {"place": "Inside"},
        {"boot_id": ""},
        {"at_s": math.nan},
        {"utc_s": math.inf},
        {"entered_at_s": -math.inf},
        {"entered_at_s": None},
        {"entered_boot_id": None, "entered_at_s": None},
        {"entered_boot_id": ""},
    ],
)
def test_a_row_that_could_not_be_read_back_is_refused_and_changes_nothing(reopened, changed):
    whereabouts = reopened()
    whereabouts.note(INSIDE)
    with pytest.raises(ValueError, match=r"place|printable|number|entry") as caught:
        whereabouts.note(INSIDE._replace(**changed))
    assert "s-1" not in str(caught.value)
    whereabouts.note(OUTSIDE)
    assert rows_of(whereabouts) == rows_of(reopened()) == [INSIDE, OUTSIDE]


def test_the_longest_texts_and_the_strangest_instants_fit(reopened):
    strange = Row("ż" * 512, "inside", "b" * 512, -1e308, 1e308, "b", 5e-324, -0.0)
    reopened().note(strange)
    assert rows_of(reopened()) == [strange]


def test_every_commit_waits_for_the_disk_and_overwrites_what_it_replaces(reopened):
    whereabouts = reopened()
    for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("secure_delete", 1)):
        assert whereabouts._connection.execute(f"PRAGMA {pragma}").fetchone() == (value,)


# ---------------------------------------------------------------------------------- forgetting


def test_who_last_moved_before_that_is_forgotten_for_good(reopened):
    whereabouts = reopened()
    for number in range(5):
        whereabouts.note(row(number, utc_s=1000.0 + number))
    assert whereabouts.forget_before(1000.0) == 0
    assert whereabouts.forget_before(1003.0) == 3
    assert whereabouts.forget_before(1003.0) == 0
    left = [row(3, 1003.0), row(4, 1004.0)]
    assert rows_of(whereabouts) == rows_of(reopened()) == left
    assert reopened().forget_before(math.inf) == 2
    assert rows_of(reopened()) == []


def test_so_many_are_forgotten_at_a_time(reopened):
    whereabouts = reopened()
    for number in range(5):
        whereabouts.note(row(number))
    assert [whereabouts.forget_before(2e9, max_rows=2) for _ in range(4)] == [2, 2, 1, 0]
    assert whereabouts.all() == {}


def test_nothing_of_who_is_forgotten_stays_in_the_files(path, reopened):
    whereabouts = reopened()
    for number in range(300):
        whereabouts.note(row(number, utc_s=1e9 + number))
    kept = {file: file.read_bytes() for file in (path, wal(path))}
    assert b"subject-0007" in kept[path] + kept[wal(path)]
    whereabouts.forget_before(1e9 + 290)
    left = path.read_bytes() + wal(path).read_bytes()
    assert b"subject-0007" not in left
    assert b"subject-0295" in left


# ----------------------------------------------------------------------------------------- kills

WRITER = """
import itertools, sys
from pathlib import Path
from gatepost_services.whereabouts import Row, Whereabouts
whereabouts = Whereabouts.open(Path({path!r}))
assert whereabouts.set_aside is None
for n in itertools.count({first}):
    s = float(n)
    whereabouts.note(Row(f"s-{{n % 7}}", "inside", "boot-1", s, s, "boot-1", s, s))
    print(n, flush=True)
"""


@pytest.mark.processes
def test_whatever_was_noted_when_it_was_killed_is_there(path, run_python):
    first, chance = 0, random.Random(7)
    for _ in range(6):
        process = run_python(WRITER.format(path=str(path), first=first))
        for _ in range(chance.randrange(5, 60)):
            assert process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        said = process.stdout.read().splitlines()
        process.wait()
        with Whereabouts.open(path) as whereabouts:
            assert whereabouts.set_aside is None
            seen = rows_of(whereabouts)
        for each in seen:
            assert each.at_s == each.utc_s == each.entered_at_s == each.entered_utc_s
        last = int(max(each.at_s for each in seen))
        if said:  # it said so only after it was on disk; one more may be there unsaid
            assert last - int(said[-1]) in {0, 1}
        # Each of the seven is as it was last noted.
        assert sorted(each.at_s for each in seen) == [last - n for n in range(6, -1, -1)]
        first = last + 1


@pytest.mark.processes
def test_a_second_gate_is_refused_as_long_as_the_first_one_lives(path, run_python):
    process = run_python(WRITER.format(path=str(path), first=0))
    for _ in range(10):
        assert process.stdout.readline()
    with pytest.raises(WhereaboutsError, match=r"whereabouts\.db: another process has it open"):
        Whereabouts.open(path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with Whereabouts.open(path) as whereabouts:
        assert len(whereabouts.all()) == 7


def test_a_second_gate_never_sets_aside_what_the_first_one_has_open(path, reopened):
    reopened().note(INSIDE)
    with path.open("r+b") as file:
        file.write(b"garbage " * 20)
    with pytest.raises(WhereaboutsError, match="another process has it open"):
        Whereabouts.open(path)
    assert path.exists()
    assert not broken(path).exists()


def test_while_another_program_locks_it_the_gate_goes_on_and_what_it_noted_is_kept_later(
    path, reopened
):
    whereabouts = reopened()
    whereabouts._busy_timeout_s = 0.0
    whereabouts._connection.execute("PRAGMA busy_timeout = 0")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(WhereaboutsError, match=r"SQLITE_BUSY.*such a file has one writer"):
            whereabouts.note(INSIDE)
        with pytest.raises(WhereaboutsError, match="SQLITE_BUSY"):
            whereabouts.forget_before(math.inf)
        assert rows_of(whereabouts) == [INSIDE]
        other.execute("ROLLBACK")
    whereabouts.note(OUTSIDE)
    assert rows_of(whereabouts) == rows_of(reopened()) == [INSIDE, OUTSIDE]


# ------------------------------------------------------------------------------------------ disks


FULL_DISK = """
import itertools, resource
from pathlib import Path
from gatepost_services.whereabouts import Row, Whereabouts, WhereaboutsError
path = Path({path!r})
with Whereabouts.open(path) as whereabouts:
    note = lambda n: whereabouts.note(Row(f"s-{{n}}", "inside", "boot-1", 0.0, float(n)))
    _soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        for n in itertools.count():
            note(n)
    except WhereaboutsError as error:
        print(error, flush=True)
    try:
        note(n + 1)
    except WhereaboutsError as error:
        print("again", flush=True)
    try:
        whereabouts.forget_before(1.0)
    except WhereaboutsError as error:
        print("neither", flush=True)
    assert list(whereabouts.all()) == [f"s-{{k}}" for k in range(n + 2)]
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    {then}
    print(n, flush=True)
"""


@pytest.mark.processes
@pytest.mark.parametrize(
    ("then", "more"),
    [
        ("note(n + 2)", 3),
        ("import os; print(n, flush=True); os.kill(os.getpid(), 9)", 0),
    ],
    ids=["room again", "killed"],
)
def test_a_full_disk_costs_what_it_did_not_take_and_only_until_there_is_room(
    path, run_python, reopened, then, more
):
    process = run_python(FULL_DISK.format(path=str(path), then=then))
    said, _ = process.communicate(timeout=DEADLINE_S)
    told, *others, count = said.splitlines()
    assert "whereabouts.db: cannot write the whereabouts: " in told
    assert others == ["again", "neither"]
    whereabouts = reopened()
    assert whereabouts.set_aside is None
    expected = {f"s-{n}" for n in range(int(count) + more)}
    assert set(whereabouts.all()) == expected


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(WhereaboutsError, match=r"absent/w\.db: cannot be opened: No such file"):
        Whereabouts.open(tmp_path / "absent" / "w.db")


@pytest.mark.processes
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(
    ("folder_mode", "file_mode"), [(0o755, 0o600), (0o777, 0o600), (0o777, 0o666), (0o755, None)]
)
def test_without_permission_it_is_told_and_nothing_is_moved(run_python, folder_mode, file_mode):
    # Not pytest's folder: it keeps the folders above that one closed to other users.
    with tempfile.TemporaryDirectory(prefix="gatepost-") as name:
        path = Path(name) / "whereabouts.db"
        if file_mode is not None:
            filled(path)
            path.chmod(file_mode)
        Path(name).chmod(folder_mode)
        process = run_python(
            f"""
import os
import urllib.parse  # pathlib needs it later, when this user may not read Python's own folder
from pathlib import Path
from gatepost_services.whereabouts import Whereabouts, WhereaboutsError
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    Whereabouts.open(Path({str(path)!r}))
except WhereaboutsError as error:
    print(error)
"""
        )
        said, _ = process.communicate(timeout=DEADLINE_S)
        assert said.startswith(f"{path}: cannot be opened: ")
        assert "see that the folder exists and that this user may read and write there" in said
        assert [file.name for file in Path(name).iterdir()] == ["whereabouts.db"] * (
            file_mode is not None
        )


def test_nobody_else_may_read_any_of_the_files_whatever_the_umask(path, reopened):
    before = os.umask(0)
    try:
        whereabouts = reopened()
        whereabouts.note(INSIDE)
        files = list(path.parent.iterdir())
        assert len(files) == 3
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        whereabouts.close()
        path.chmod(0o644)
        reopened().note(OUTSIDE)
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    finally:
        os.umask(before)
