"""Whatever is in its place, the gate starts, and what was there is kept aside."""

import math
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gatepost_services.whereabouts import (
    APPLICATION_ID,
    SCHEMA_VERSION,
    Row,
    Whereabouts,
    WhereaboutsError,
)

INSIDE = Row("s-1", "inside", "boot-1", 12.5, 1e9, "boot-1", 12.5, 1e9)


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


def rows_of(whereabouts: Whereabouts) -> list[Row]:
    return sorted(whereabouts.all().values())


def wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def broken(path: Path, number: int = 1) -> Path:
    return path.with_name(f"{path.name}.broken-{number}")


def filled(path: Path, count: int = 300) -> bytes:
    whereabouts = Whereabouts.open(path)
    with whereabouts:
        whereabouts._unsaved.update(
            {f"subject-{n:04}": INSIDE._replace(subject=f"subject-{n:04}") for n in range(count)}
        )
        whereabouts.note(INSIDE)
    return path.read_bytes()


def alter(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


IGNORING = "PRAGMA ignore_check_constraints = ON"
DAMAGE: dict[str, Callable[[Path], object]] = {
    "random bytes": lambda path: path.write_bytes(random.Random(1).randbytes(30_000)),
    "a few bytes": lambda path: path.write_bytes(b"x" * 50),
    "half of it": lambda path: path.write_bytes(filled(path)[:20_000]),
    "half a page": lambda path: path.write_bytes(filled(path)[:6_000]),
    "its first page": lambda path: path.write_bytes(filled(path)[:4_096]),
    "its header": lambda path: path.write_bytes(filled(path)[:100]),
    "zeroes in the middle": lambda path: path.write_bytes(
        filled(path)[:8_192] + bytes(4_096) + filled(path)[12_288:]
    ),
    "another program's": lambda path: alter(path, "CREATE TABLE precious (x)"),
    "no table": lambda path: (filled(path), alter(path, "DROP TABLE whereabouts")),
    "another table": lambda path: (
        filled(path),
        alter(path, "DROP TABLE whereabouts", "CREATE TABLE whereabouts (subject)"),
    ),
    "a place of its own": lambda path: (
        filled(path),
        alter(path, IGNORING, "UPDATE whereabouts SET place = 'garden'"),
    ),
    "an endless instant": lambda path: (
        filled(path),
        alter(path, IGNORING, "UPDATE whereabouts SET utc_s = 9e999"),
    ),
    "half an entry": lambda path: (
        filled(path),
        alter(path, IGNORING, "UPDATE whereabouts SET entered_at_s = NULL"),
    ),
    "no text": lambda path: path.write_bytes(
        filled(path).replace(b"subject-0200", b"subject-\xff\xff\xff\xff")
    ),
    "no text in its schema": lambda path: path.write_bytes(
        filled(path).replace(b"TABLE whereabouts", b"\xff\xfe\xfd\xfc\xfb whereabouts")
    ),
    "a folder": lambda path: (path.mkdir(), (path / "something").touch()),
    "a pipe": os.mkfifo,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_whatever_is_damaged_is_set_aside_as_it_was_and_a_new_one_begun(path, reopened, damage):
    damage(path)
    content = path.read_bytes() if path.is_file() else None
    inode = path.stat().st_ino
    whereabouts = reopened()
    assert whereabouts.set_aside == broken(path)
    assert broken(path).stat().st_ino == inode
    if content is not None:
        assert broken(path).read_bytes()[100:] == content[100:]
    assert whereabouts.all() == {}
    whereabouts.note(INSIDE)
    assert rows_of(reopened()) == [INSIDE]
    assert reopened().set_aside is None


@pytest.mark.parametrize("content", [b"", b"x"])  # SQLite writes one byte into an empty one
def test_an_empty_file_is_a_new_one(path, reopened, content):
    path.write_bytes(content)
    whereabouts = reopened()
    assert (whereabouts.all(), whereabouts.set_aside) == ({}, None)


def test_the_wal_of_what_is_set_aside_goes_along(path, reopened):
    path.mkdir()
    wal(path).write_bytes(b"its wal")
    whereabouts = reopened()
    whereabouts.note(INSIDE)
    assert wal(broken(path)).read_bytes() == b"its wal"
    assert rows_of(reopened()) == [INSIDE]


def test_a_wal_whose_file_is_gone_brings_nobody_back(path, reopened):
    whereabouts = reopened()
    whereabouts.note(INSIDE)
    left = wal(path).read_bytes()
    whereabouts.close()
    path.unlink()
    wal(path).write_bytes(left)
    assert rows_of(reopened()) == []


def test_a_wal_of_garbage_costs_what_was_in_it(path, reopened):
    reopened().note(INSIDE)
    reopened()
    wal(path).write_bytes(random.Random(2).randbytes(40_000))
    whereabouts = reopened()
    assert (rows_of(whereabouts), whereabouts.set_aside) == ([INSIDE], None)


def test_so_many_are_set_aside_and_then_the_last_is_replaced(path, reopened):
    for number in (1, 2, 3, 4, 5):
        reopened().close()
        path.write_bytes(b"garbage %d " % number * 1000)
        assert reopened().set_aside == broken(path, min(number, 3))
    assert [broken(path, n).read_bytes()[:9] for n in (1, 2, 3)] == [
        b"garbage 1",
        b"garbage 2",
        b"garbage 5",
    ]
    assert not broken(path, 4).exists()


def test_what_cannot_be_set_aside_is_told(path):
    path.write_bytes(b"garbage " * 1000)
    for number in (1, 2, 3):
        broken(path, number).mkdir()
        (broken(path, number) / "something").touch()
    with pytest.raises(WhereaboutsError) as caught:
        Whereabouts.open(path)
    assert "file is not a database" in str(caught.value)
    assert "cannot be renamed to whereabouts.db.broken-3: Is a directory" in str(caught.value)
    assert path.read_bytes() == b"garbage " * 1000


def test_one_of_a_newer_version_is_refused_and_left_alone(path):
    filled(path)
    alter(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(WhereaboutsError, match=r"whereabouts of version 4.*knows 3.*install the"):
        Whereabouts.open(path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_whatever_bytes_change_the_gate_starts_with_rows_that_it_can_use(tmp_path):
    whole, chance = filled(tmp_path / "whole.db"), random.Random(3)
    set_aside = 0
    for trial in range(150):
        content = bytearray(whole)
        for _ in range(chance.choice([1, 3, 50])):
            # Half of them in the first page, which says what the others mean.
            most = chance.choice([len(content), 4096])
            content[chance.randrange(most)] = chance.randrange(256)
        path = tmp_path / f"{trial}.db"
        path.write_bytes(content)
        try:
            with Whereabouts.open(path) as whereabouts:
                set_aside += whereabouts.set_aside is not None
                for each in whereabouts.all().values():
                    assert each.place in {"inside", "outside"}
                    assert all(map(math.isfinite, (each.at_s, each.utc_s, each.entered_at_s)))
                whereabouts.note(INSIDE)
        except WhereaboutsError as error:
            # Bytes that make a newer version of it, ours or SQLite's, and nothing else.
            assert "of version" in str(error) or "READONLY" in str(error)  # noqa: PT017
    assert set_aside > 50


def test_no_descriptor_stays_open_whatever_was_wrong(path):
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = descriptors()
    for damage in ("random bytes", "no text", "a folder", "a pipe", "another program's"):
        DAMAGE[damage](path)
        Whereabouts.open(path).close()
        for file in path.parent.iterdir():
            shutil.rmtree(file) if file.is_dir() else file.unlink()
    filled(path)
    alter(path, "PRAGMA user_version = 9")
    with pytest.raises(WhereaboutsError):
        Whereabouts.open(path)
    alter(path, f"PRAGMA user_version = {SCHEMA_VERSION}")
    with Whereabouts.open(path), pytest.raises(WhereaboutsError):
        Whereabouts.open(path)
    assert descriptors() == before


def test_the_file_says_what_it_is(path):
    assert int.from_bytes(filled(path)[68:72]) == APPLICATION_ID
