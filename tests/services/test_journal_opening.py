"""Whatever is in the journal's place: one is opened; no number is lost in silence, or repeats."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gatepost_services.contract.events import decode
from gatepost_services.journal import JournalDamaged, JournalError
from gatepost_services.journal.opening import SEQ_LEAP, open_journal
from gatepost_services.journal.schema import SCHEMA_VERSION
from gatepost_services.journal.witness import witness_path

from .journal_files import SEALER, assert_sound, contents, entry, opened, stamp
from .journal_replaced import ALL, claims, start, written


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


# ----------------------------------------------------------------------------------- in order


def test_where_there_was_none_one_begins(path):
    found = start(path, 0)
    assert (found.aside, found.why, found.saved) == (None, "", 0)
    assert assert_sound(path).seqs == [1]


def test_a_whole_one_goes_on(path):
    before = written(path)
    found = start(path)
    assert (found.aside, found.why) == (None, "")
    file = assert_sound(path)
    assert file.records[:-1] == before.records
    assert file.seqs == list(range(1, 14))


def test_one_whose_writer_was_killed_goes_on(path):
    written(path, is_running=True)
    assert start(path).aside is None
    assert assert_sound(path).seqs == list(range(1, 14))


def test_one_that_was_made_and_never_written_goes_on(path):
    opened(path).close()
    assert start(path, 0).aside is None
    assert assert_sound(path).seqs == [1]


def test_a_witness_that_is_lost_or_torn_stops_nothing(path):
    written(path)
    for content in (None, b"", b"0" * 19, b"9" * 19 + b" " + b"a" * 64 + b"\n"):
        witness_path(path).unlink(missing_ok=True)
        if content is not None:
            witness_path(path).write_bytes(content)
        assert start(path).aside is None
    assert assert_sound(path).seqs == list(range(1, 17))


# ----------------------------------------------------------------------------- something is lost


def test_a_lost_file_is_told_by_its_numbers(path):
    written(path)
    path.unlink()
    found = start(path)
    assert (found.aside, found.saved) == (None, 0)
    assert "gone" in found.why
    file = claims(path)
    lost, unused = file.of_type("journal.gap")
    assert (lost["cause"], lost["class"], lost["ranges"]) == ("lost", None, [[4, 12]])
    assert (unused["cause"], unused["ranges"]) == ("unused", [[13, 12 + SEQ_LEAP]])
    assert file.seqs == [13 + SEQ_LEAP, 14 + SEQ_LEAP, 15 + SEQ_LEAP]


def test_a_lost_file_is_noticed_by_what_was_delivered_alone(path):
    found = start(path, 500)
    assert found.aside is None
    assert assert_sound(path).seqs == [501 + SEQ_LEAP, 502 + SEQ_LEAP]


def test_a_new_journal_begins_beyond_whatever_can_be_on_its_way(path):
    start(path, 100)
    most_on_their_way = 5000  # [link] window
    assert assert_sound(path).seqs[0] > 100 + most_on_their_way


def test_what_is_known_of_a_lost_one_is_what_the_new_one_names(path):
    before = written(path)
    path.unlink()
    start(path)
    assert decode(contents(path).records[0].body).previous_hash == before.state.head


def test_a_file_without_its_wal_is_set_aside_and_what_it_has_is_saved(path):
    written(path, is_running=True)
    path.with_name("journal.db-wal").unlink()
    found = start(path)
    assert found.aside == path.with_name("journal.db.broken-1")
    assert "ends at 8, but there was 12" in found.why
    assert found.saved == 5
    file = claims(path)
    assert file.told_gone & ALL == {9, 10, 11, 12}
    assert found.aside.exists()


def test_a_wal_without_its_file_gives_what_it_has(path):
    written(path, is_running=True)
    path.unlink()
    found = start(path)
    file = claims(path)
    assert {9, 10, 11, 12} <= set(file.seqs)
    assert found.saved >= 4


def test_a_file_that_ends_before_what_was_delivered_is_an_old_one(path):
    written(path)
    found = start(path, 40)
    assert "ends at 12, but there was 40" in found.why
    file = assert_sound(path)
    assert file.seqs[0] == 41 + SEQ_LEAP
    assert file.state.pruned == 40


def test_another_journal_of_the_same_length_is_not_taken_for_this_one(path, tmp_path):
    written(path)
    with opened(tmp_path / "other.db") as other:
        other.append([entry(-n) for n in range(12)])
    shutil.copy(tmp_path / "other.db", path)
    assert "last event is not the one that was written" in start(path).why


def test_a_file_that_was_cut_off_gives_what_is_left_of_it(path):
    written(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2 // 4096 * 4096])
    assert start(path).aside is not None
    claims(path)


def test_what_was_found_while_it_was_open_sets_it_aside(path):
    written(path)
    found = start(path, damage=JournalDamaged("event 5 is not what was written"))
    assert (found.why, found.saved) == ("event 5 is not what was written", 9)
    file = claims(path)
    assert file.told_gone & ALL == set()


# ------------------------------------------------------------------------- something else is there


def test_another_programs_database_is_set_aside_whole(path):
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE precious (x)")
    content = path.read_bytes()
    found = start(path, 0)
    assert "no Gatepost journal" in found.why
    assert found.aside.read_bytes() == content
    assert assert_sound(path).seqs[0] == 1 + SEQ_LEAP


VERSION_1 = """
    CREATE TABLE entry (seq INTEGER PRIMARY KEY AUTOINCREMENT, boot_id TEXT NOT NULL,
        type TEXT NOT NULL, uptime_s REAL NOT NULL, utc_s REAL NOT NULL, data TEXT NOT NULL) STRICT;
    INSERT INTO entry VALUES (20, 'b', 'a.b', 0.0, 1e9, '{}');
    PRAGMA application_id = 0x47504A4C;
    PRAGMA user_version = 1;
"""


def test_a_journal_of_the_first_version_is_set_aside_and_told(path):
    with closing(sqlite3.connect(path)) as old:
        old.executescript(VERSION_1)
    found = start(path, 20)
    assert found.aside == path.with_name("journal.db.broken-1")
    assert assert_sound(path).seqs[0] == 21 + SEQ_LEAP


def test_a_journal_of_a_newer_version_stays_where_it_is(path):
    written(path)
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    content = path.read_bytes()
    with pytest.raises(JournalError, match="version 3") as raised:
        start(path)
    assert not isinstance(raised.value, JournalDamaged)
    assert path.read_bytes() == content
    assert list(path.parent.glob("*.broken-*")) == []


def test_a_folder_in_its_place_is_never_emptied(path):
    path.mkdir()
    (path / "precious").touch()
    with pytest.raises(JournalError, match=r"journal\.db: cannot open the journal"):
        start(path, 0)
    assert len(list(path.parent.rglob("precious"))) == 1


@pytest.mark.parametrize("delivered_seq", [-1, -(2**63), 2**52, 2**62, 2**63 - 1])
def test_a_number_beyond_reason_from_the_link_is_none(path, delivered_seq):
    written(path)
    assert start(path, delivered_seq).aside is None
    assert assert_sound(path).seqs == list(range(1, 14))
    found = start(path, delivered_seq, damage=JournalDamaged("broken"))
    assert found.saved == 13
    assert assert_sound(path).state.pruned == 0
    assert start(path, delivered_seq).aside is None


def test_not_even_the_largest_number_from_the_link_makes_one_repeat(path):
    written(path)
    seen: dict[int, bytes] = {}
    for delivered_seq in (2**52 - 1, 0, 2**52 - 1):
        start(path, delivered_seq, damage=JournalDamaged("broken"))
        for record in assert_sound(path).records:
            assert seen.setdefault(record.seq, record.hash) == record.hash
    assert max(seen) < 2**53


@pytest.mark.parametrize("code", [5, 13, 36], ids=["EIO", "EACCES", "ENAMETOOLONG"])
def test_a_disk_that_answers_nothing_is_an_error_of_the_journal(monkeypatch, path, code):
    written(path)
    real = Path.stat

    def stat(self, **keywords):
        if self.name.startswith("journal.db"):
            raise OSError(code, os.strerror(code))
        return real(self, **keywords)

    monkeypatch.setattr(Path, "stat", stat)
    with pytest.raises(JournalError, match=r"journal\.db"):
        start(path)


def test_a_second_gate_is_refused_and_disturbs_nothing(path):
    first = open_journal(path, SEALER, delivered_seq=0, stamp=stamp).journal
    first.append([entry(1)])
    with pytest.raises(JournalError, match="another process writes this journal; stop that gate"):
        open_journal(path, SEALER, delivered_seq=0, stamp=stamp)
    first.append([entry(2)])
    first.close()
    with open_journal(path, SEALER, delivered_seq=0, stamp=stamp).journal as second:
        assert second.append([entry(3)]) == 3
    assert assert_sound(path).seqs == [1, 2, 3]


def test_a_journal_that_cannot_be_opened_lets_the_next_one_try(path):
    def fails(*_arguments):
        raise JournalError("Input/output error")

    with pytest.raises(JournalError, match="Input/output error"):
        open_journal(path, SEALER, delivered_seq=0, stamp=stamp, make=fails)
    open_journal(path, SEALER, delivered_seq=0, stamp=stamp).journal.close()
