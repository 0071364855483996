"""What is no journal, or no longer the one that was written; and how the file is opened."""

import json
import sqlite3
from contextlib import closing
from hashlib import sha256

import pytest

from gatepost_services.journal import JournalDamaged, JournalError, JournalReader
from gatepost_services.journal.schema import SCHEMA_VERSION
from gatepost_services.record import EventClass

from .journal_files import GAP, SEALER, TYPES, entry, family, opened


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


# --------------------------------------------------------------------------------------- proof


def damage(path, sql: str, *parameters: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(sql, parameters).rowcount == 1


def test_a_whole_journal_is_proved_and_checked(path):
    with opened(path) as journal:
        journal.append([entry(n, EventClass(n % 4)) for n in range(40)])
        journal.evict(EventClass.TELEMETRY, 0, GAP)
        journal.prove(1000, whole=True)
        journal.prove(5, whole=False)
        assert (journal.check(0, 20), journal.check(26, 500)) == ((26, []), (41, []))
        assert journal.check(41, 500) == (None, [])


OTHER = SEALER.seal(entry(99), 20, bytes(32))


@pytest.mark.parametrize(
    ("sql", "parameters", "said"),
    [
        ("UPDATE live SET body = ? WHERE seq = 20", [b"x"], "event 20 is not what was written"),
        ("UPDATE live SET body = 'x' WHERE seq = 20", [], "event 20 is not what was written"),
        (
            "UPDATE live SET body = ?, hash = ? WHERE seq = 20",
            [OTHER, sha256(OTHER).digest()],
            "event 21 does not name 20",
        ),
        ("UPDATE live SET seq = 50 WHERE seq = 40", [], "event 50 is not what was written"),
        ("UPDATE state SET head = ?", [bytes(32)], "event 40 is not the last one written"),
        ("UPDATE state SET last_seq = 41", [], "event 41 is missing"),
    ],
)
def test_the_proof_finds_what_was_changed(path, sql, parameters, said):
    with opened(path) as journal:
        journal.append([entry(n) for n in range(40)])
    try:
        damage(path, sql, *parameters)
    except sqlite3.IntegrityError:  # STRICT: only a broken page holds that
        loosen(path)
        damage(path, sql, *parameters)
    with opened(path) as journal, pytest.raises(JournalDamaged, match=f"{path}: {said}"):
        journal.prove(1000, whole=False)


def loosen(path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, ' STRICT', '')")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '')")


@pytest.mark.parametrize("value", ["'text'", "NULL", "X'00'", "-1", "1.5"])
@pytest.mark.parametrize("column", ["last_seq", "pruned", "rows_live", "dropped_alarm", "head"])
def test_a_state_that_no_journal_writes_is_damage(path, column, value):
    opened(path).close()
    loosen(path)
    damage(path, f"UPDATE state SET {column} = {value}")  # noqa: S608
    with pytest.raises(JournalDamaged, match=r"journal\.db: its state makes no sense"):
        opened(path)


@pytest.mark.parametrize("value", ["'text'", "NULL", "7"])
def test_a_body_that_is_none_is_found_by_the_rolling_check(path, value):
    with opened(path) as journal:
        journal.append([entry(n) for n in range(5)])
    loosen(path)
    damage(path, f"UPDATE live SET body = {value} WHERE seq = 3")  # noqa: S608
    with opened(path) as journal:
        assert journal.check(0, 500) == (5, [3])
        with pytest.raises(JournalDamaged, match="event 3 is not what was written"):
            journal.prove(500, whole=False)
        assert journal.check(3, 500) == (5, [])


def test_an_event_under_another_number_is_more_than_a_broken_one(path):
    with opened(path) as journal:
        journal.append([entry(n) for n in range(5)])
        journal._connection.execute("UPDATE live SET seq = 30 WHERE seq = 3")
        with pytest.raises(JournalDamaged, match="event 30 is not what was written"):
            journal.check(0, 500)


# ------------------------------------------------------------------------------- other files


def test_every_commit_waits_for_the_disk(path):
    with opened(path) as journal:
        connection = journal._connection
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)  # INCREMENTAL


def test_a_journal_of_a_newer_version_is_refused(path):
    opened(path).close()
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(JournalError, match=r"journal\.db.*version 3.*knows 2") as raised:
        opened(path)
    assert not isinstance(raised.value, JournalDamaged)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(JournalError, match=r"absent/journal\.db.*directory exists"):
        opened(tmp_path / "absent" / "journal.db")


def test_a_close_leaves_one_file_and_what_the_witness_saw(path):
    with opened(path) as journal:
        journal.append([entry()])
        assert all(file.exists() for file in family(path))
    assert sorted(file.name for file in path.parent.iterdir()) == ["journal.db", "journal.db-head"]
    with JournalReader(path) as reader:
        (record,) = reader.read(0, 10).records
    assert json.loads(record.body)["type"] == f"gatepost.{TYPES[1]}"


def test_a_file_that_is_no_database_is_refused_and_left_alone(path):
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(JournalDamaged, match=r"journal\.db.*NOTADB.*move it away"):
        opened(path)
    assert path.read_bytes() == b"no database " * 1000


def test_another_programs_database_is_refused_and_left_alone(path):
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE precious (x)")
    before = path.read_bytes()
    with pytest.raises(JournalDamaged, match=r"journal\.db.*no Gatepost journal"):
        opened(path)
    assert path.read_bytes() == before
