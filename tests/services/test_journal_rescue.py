"""What is saved of a broken journal, and what cannot mislead the one in its place."""

import json
import os
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from gatepost_services.journal import (
    Entry,
    Journal,
    JournalDamaged,
)
from gatepost_services.journal.keeper import CORRUPT_TYPE
from gatepost_services.journal.opening import SEQ_LEAP
from gatepost_services.journal.proof import prove
from gatepost_services.journal.rescue import opened_broken
from gatepost_services.journal.verify import verify
from gatepost_services.sqlite_file import set_aside

from .journal_wrecks import (
    DB,
    ENVELOPE,
    HEAD,
    NAME,
    TYPES,
    WAL,
    Original,
    asides,
    body_of,
    data,
    files_at,
    grown,
    lay,
    opened,
    stamp,
)


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> list[Original]:
    return [grown(tmp_path_factory.mktemp("original"), seed) for seed in range(4)]


# ---------------------------------------------------------------------------- what is saved


def saved_of(path: Path, original: Original) -> set[int]:
    journal, _, was_aside = opened(path, original)
    with journal:
        found = set(body_of(path))
    assert was_aside
    # Its numbers begin above all others, and not beyond reason.
    last = max(found)
    assert original.last_seq + SEQ_LEAP < last <= original.last_seq + SEQ_LEAP + 50
    return {seq for seq in found if seq <= original.last_seq}


def owed_of(original: Original) -> set[int]:
    return {seq for seq in original.alive if seq > original.delivered_seq}


def altered(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize("number", range(4))
def test_all_is_saved_of_a_journal_whose_account_of_itself_is_broken(originals, tmp_path, number):
    path = lay(tmp_path, originals[number].files)
    altered(path, "UPDATE state SET head = zeroblob(32)")
    assert saved_of(path, originals[number]) == owed_of(originals[number])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE state SET last_seq = 1 << 40",
        "INSERT INTO live SELECT 1 << 40, utc_s, hash, body FROM live WHERE seq = (SELECT max(seq)"
        " FROM live)",
        "INSERT INTO live SELECT 1 << 40, utc_s, zeroblob(32), body FROM live LIMIT 1",
    ],
)
def test_a_number_that_proves_nothing_moves_nothing(originals, tmp_path, statement):
    path = lay(tmp_path, originals[0].files)
    altered(path, statement)
    assert saved_of(path, originals[0]) == owed_of(originals[0])


def test_what_the_state_says_counts_a_little_above_what_is_there(originals, tmp_path):
    original = originals[0]
    path = lay(tmp_path, {**original.files, HEAD: b""})
    altered(path, "UPDATE state SET last_seq = last_seq + 30")
    journal, _, _ = opened(path, original)
    with journal:
        assert journal.append([stamp("controller.started", {})]) > original.last_seq + 30


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE state SET rows_telemetry = 1 << 40",
        "UPDATE state SET bytes_live = bytes_live + 1",
        "UPDATE telemetry SET seq = seq + 500 WHERE seq = (SELECT min(seq) FROM telemetry)",
        "UPDATE live SET body = zeroblob(9) WHERE seq = (SELECT max(seq) FROM live)",
    ],
)
def test_what_would_mislead_the_gate_is_seen_at_the_start(originals, tmp_path, statement):
    path = lay(tmp_path, originals[0].files)
    altered(path, statement)
    assert len(saved_of(path, originals[0])) >= len(owed_of(originals[0])) - 1


def test_a_file_that_is_too_short_is_seen_without_reading_it(tmp_path):
    (tmp_path / "whole").mkdir()
    with Journal(tmp_path / "whole" / NAME, ENVELOPE) as journal:
        journal.append([Entry(TYPES[0], 0.0, 1.7e9, data(500)) for _ in range(100)])
        journal._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        journal.append([Entry(TYPES[0], 0.0, 1.7e9, data(500))])
        path = lay(tmp_path, files_at(journal.path))
        with opened_broken(path) as connection:
            assert prove(path, connection, 1, whole=False) == journal.state
    os.truncate(path, path.stat().st_size // 2)
    with opened_broken(path) as connection, pytest.raises(JournalDamaged, match="is truncated"):
        prove(path, connection, 1, whole=False)


@pytest.mark.parametrize("db", ["gone", "empty"])
def test_without_the_database_its_wal_is_searched(originals, tmp_path, db):
    original = originals[0]
    files = dict(original.files)
    if db == "gone":
        del files[DB]
    else:
        files[DB] = b""
    saved = saved_of(lay(tmp_path, files), original)
    # All of the last ones that lie in one piece: nothing of them was checkpointed.
    assert {seq for seq in range(300, 321) if len(original.bodies[seq]) < 3000} <= saved


@pytest.mark.parametrize("number", range(4))
def test_one_page_takes_no_more_than_its_own_events_with_it(originals, tmp_path, number):
    original = originals[number]
    files = dict(original.files)
    at = files[DB].find(b'"sequence":"0000000000000000100"') // 4096 * 4096
    if at < 0:
        pytest.skip("not in the database yet")
    files[DB] = files[DB][:at] + bytes(4096) + files[DB][at + 4096 :]
    path = lay(tmp_path, files)
    journal, _, _ = opened(path, original)
    with journal:
        missing = owed_of(original) - set(body_of(path))
    assert len(missing) < 20
    assert max(missing, default=0) < 180


def test_each_of_the_digests_is_told(originals, tmp_path):
    original = originals[1]
    path = lay(tmp_path, {**original.files, WAL: b"x" * 5000})
    journal, keeper, _ = opened(path, original)
    before = asides(path)
    assert set(before) == {f"{NAME}.broken-1", f"{NAME}.broken-1-wal"}
    with journal:
        while keeper.step(0):
            pass
        (told,) = (
            json.loads(body)["data"]
            for body in body_of(path).values()
            if CORRUPT_TYPE.encode() in body
        )
    assert told["sha256"] == {name: sha256(each).hexdigest() for name, each in before.items()}


def test_what_is_set_aside_is_never_mixed_with_what_was_there(tmp_path):
    path, cause = tmp_path / NAME, JournalDamaged("broken")
    (tmp_path / f"{NAME}.broken-1-wal").write_text("of another")
    path.write_text("first")
    assert set_aside(path, cause).name == f"{NAME}.broken-2"
    (tmp_path / f"{NAME}.broken-3").write_text("older")
    (tmp_path / f"{NAME}.broken-3-wal").write_text("older")
    path.write_text("last")
    assert set_aside(path, cause).read_text() == "last"
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        f"{NAME}.broken-1-wal",
        f"{NAME}.broken-2",
        f"{NAME}.broken-3",
    ]


@pytest.mark.parametrize("done", [(), ("",), ("", "-wal")])
def test_a_power_cut_between_two_files_ends_in_the_new_journal_alone(originals, tmp_path, done):
    original = originals[0]
    path = lay(tmp_path, {**original.files, HEAD: b""})
    altered(path, "UPDATE state SET head = zeroblob(32)")
    journal, _, _ = opened(path, original)
    journal.close()
    whole = path.read_bytes()
    # As it was when the new one was whole and the old one half aside.
    for each in tmp_path.iterdir():
        each.unlink()
    lay(tmp_path, {key: each for key, each in original.files.items() if key not in done})
    path.with_name(f"{NAME}.new").write_bytes(whole)
    journal, _, _ = opened(path, original)
    with journal:
        found = body_of(path)
        assert verify(path, delivered_seq=original.delivered_seq).is_whole
    assert owed_of(original) <= set(found)
    assert [each.name for each in tmp_path.glob("*.new*")] == []
    assert (path.with_name(f"{NAME}.broken-1-wal").exists()) == (done == ("",))


@pytest.mark.parametrize("suffix", ["", "-wal", "-head"])
def test_a_power_cut_while_the_new_journal_is_made_leaves_the_old_one(originals, tmp_path, suffix):
    original = originals[0]
    path = lay(tmp_path, original.files)
    path.with_name(f"{NAME}.making{suffix}").write_bytes(b"half of it")
    journal, _, was_aside = opened(path, original)
    with journal:
        assert not was_aside
        assert owed_of(original) <= set(body_of(path))
    assert list(tmp_path.glob("*.making*")) == []
