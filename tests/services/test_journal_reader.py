"""The journal's reader: pages in order, of one moment, and never in the writer's way."""

import os
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_services.contract.events import decode
from gatepost_services.journal import JournalReader, JournalUnavailable
from gatepost_services.journal.schema import ALL_CLASSES, SCHEMA_VERSION, State, state_of
from gatepost_services.record import EventClass

from .journal_files import GAP, contents, entry, family, numbers, opened

ALARM, LIVE, BOOKS, CURVE = EventClass


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def reader(path):
    with JournalReader(path) as reader:
        yield reader


@pytest.fixture
def journal(path):
    with opened(path) as journal:
        yield journal


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Return a journal at rest, with events of all classes and holes in its numbers."""
    path = tmp_path_factory.mktemp("mixed") / "journal.db"
    with opened(path, begin=State(last_seq=5)) as journal:
        journal.append([entry(n, EventClass(n * n % 4)) for n in range(30)])
        journal.evict(CURVE, 0, GAP)
        journal.append([entry(n, EventClass(n % 4)) for n in range(30)])
        journal.forget(12)
    return path, contents(path)


# -------------------------------------------------------------------------------------- pages


@settings(deadline=None)
@given(
    after_seq=st.integers(-1, 80),
    limit=st.integers(1, 70),
    classes=st.lists(st.sampled_from(EventClass), min_size=1, unique=True).map(tuple),
    through_seq=st.none() | st.integers(0, 80),
)
def test_a_page_is_what_there_is_of_these_classes_and_says_how_far_it_is_complete(
    mixed, after_seq, limit, classes, through_seq
):
    path, file = mixed
    last = file.state.last_seq if through_seq is None else min(through_seq, file.state.last_seq)
    wanted = [
        record
        for record in file.records
        if record.event_class in classes and after_seq < record.seq <= last
    ]
    with JournalReader(path) as reader:
        page = reader.read(after_seq, limit, classes, through_seq)
    assert page.records == wanted[:limit]
    # Nothing of these classes is between what came and what it says.
    assert not [r for r in wanted if r not in page.records and r.seq <= page.through]
    if len(page.records) == limit:
        assert page.through == page.records[-1].seq
    else:
        assert page.through == last


@settings(deadline=None)
@given(classes=st.sampled_from([ALL_CLASSES, (ALARM,), (LIVE, CURVE)]), limit=st.integers(1, 9))
def test_page_by_page_everything_comes_once_and_in_order(mixed, classes, limit):
    path, file = mixed
    came, after_seq = [], 0
    with JournalReader(path) as reader:
        while after_seq < file.state.last_seq:
            page = reader.read(after_seq, limit, classes)
            assert page.through > after_seq
            came, after_seq = came + page.records, page.through
    assert came == [record for record in file.records if record.event_class in classes]


def test_the_figures_are_those_of_the_journal(path, reader, journal):
    for each in EventClass:
        journal.append([entry(n, each, utc_s=1e9 + n + 10 * each) for n in range(3 + each)])
    assert reader.stats() == journal.stats()
    assert reader.stats().rows == (3, 4, 5, 6)
    assert reader.stats().oldest == ((1, 1e9), (4, 1e9 + 10), (8, 1e9 + 20), (13, 1e9 + 30))
    assert reader.stats().oldest_utc_s == 1e9
    journal.evict(ALARM, 0, GAP)
    file = contents(path)
    assert reader.stats().last_seq == reader.last_seq() == 19
    assert reader.stats().bytes == file.state.bytes
    assert reader.stats().dropped == (3, 0, 0, 0)
    assert reader.stats().oldest_utc_s == 1e9 + 10
    assert reader.stats().used_bytes + reader.stats().free_bytes > sum(file.state.bytes)
    journal.forget(99)
    assert (reader.stats().oldest, reader.stats().oldest_utc_s) == ((None,) * 4, None)


# -------------------------------------------------------------------------------- no journal yet


def test_a_reader_before_the_journal_makes_nothing_and_reads_once_it_is_there(path, reader):
    with pytest.raises(
        JournalUnavailable, match=r"journal\.db: cannot be read: .*; the gate makes it"
    ):
        reader.read(0, 10)
    assert list(path.parent.iterdir()) == []
    with opened(path) as journal:
        journal.append([entry(7)])
        assert numbers(reader) == [7]


def test_a_reader_of_an_empty_or_damaged_file_says_so(path, reader):
    path.touch()
    with pytest.raises(JournalUnavailable, match="still empty"):
        reader.last_seq()
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(JournalUnavailable, match="NOTADB"):
        reader.last_seq()


def test_a_reader_of_a_newer_journal_says_so(path, reader):
    opened(path).close()
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(JournalUnavailable, match="version 3"):
        reader.stats()


def test_a_state_that_makes_no_sense_is_for_another_time(path, reader):
    opened(path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM state")
    for question in (reader.last_seq, reader.stats, lambda: reader.read(0, 10)):
        with pytest.raises(JournalUnavailable, match=r"journal\.db"):
            question()


# ------------------------------------------------------------------------ beside a living writer


def test_a_reader_notices_that_another_file_took_the_place(path, reader):
    with opened(path) as journal:
        journal.append([entry(1)])
        assert numbers(reader) == [1]
        for file in family(path):
            file.rename(file.with_name("old" + file.name.removeprefix(path.name)))
        with opened(path) as successor:
            successor.append([entry(2)])
            assert numbers(reader) == [2]


def test_a_reader_at_rest_leaves_no_files_behind_and_sees_a_writer_that_comes(path, reader):
    with opened(path) as journal:
        journal.append([entry(1)])
    assert numbers(reader) == [1]
    assert [file for file in family(path) if file.exists()] == [path]
    with opened(path) as journal:
        journal.append([entry(2)])
        assert numbers(reader) == [1, 2]
        journal.forget(1)
        assert numbers(reader) == [2]


def test_a_writer_that_comes_while_a_file_at_rest_is_read_makes_the_answer_void(path, reader):
    with opened(path) as journal:
        journal.append([entry(1)])

    def ask(connection):
        with opened(path) as journal:
            journal.append([entry(2)])
        return connection.execute("SELECT count(*) FROM live").fetchone()

    with pytest.raises(JournalUnavailable, match="it is being opened; try again"):
        reader._query(ask)
    assert numbers(reader) == [1, 2, 2]  # it was asked once more


def test_what_a_power_cut_left_in_the_wal_is_not_passed_over(path, tmp_path):
    cut = tmp_path / "cut"
    cut.mkdir()
    with opened(path) as journal:
        journal.append([entry(1)])
        for file in family(path)[:2]:  # the index was never written
            (cut / file.name).write_bytes(file.read_bytes())
    assert (cut / "journal.db-wal").stat().st_size > 0
    with JournalReader(cut / path.name) as reader:
        assert reader.last_seq() == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_whoever_may_not_mend_what_a_power_cut_left_waits_for_the_gate(path, tmp_path):
    test_what_a_power_cut_left_in_the_wal_is_not_passed_over(path, tmp_path)
    cut = tmp_path / "cut"
    (cut / "journal.db-shm").unlink(missing_ok=True)
    cut.chmod(0o500)
    try:
        with JournalReader(cut / path.name) as reader, pytest.raises(JournalUnavailable):
            reader.last_seq()
    finally:
        cut.chmod(0o700)


def test_a_reader_never_keeps_the_writer_from_reusing_its_wal(path, reader):
    with opened(path) as journal:
        for n in range(60):
            journal.append([entry(n, pad="x" * 40_000)])
            reader.read(n, 10)
            journal.forget(n)
        assert path.with_name("journal.db-wal").stat().st_size < 8_000_000


def test_what_a_reader_answers_is_of_one_moment(reader, journal):
    journal.append([entry(n) for n in range(5)])

    def ask(connection):
        before = state_of(connection).last_seq
        journal.append([entry(n) for n in range(5)])  # and no lock keeps it from that
        return (before,) == connection.execute("SELECT max(seq) FROM live").fetchone()

    reader.last_seq()
    assert reader._query(ask)
    assert reader.last_seq() == 10


def test_a_reader_changes_nothing(reader, journal):
    journal.append([entry()])
    reader.last_seq()
    with pytest.raises(JournalUnavailable, match="readonly"):
        reader._query(lambda connection: connection.execute("DELETE FROM live"))
    assert numbers(reader) == [0]


def test_what_was_read_is_what_was_sealed(reader, journal):
    journal.append([entry(3, each) for each in EventClass])
    for seq, record in enumerate(reader.read(0, 10).records, start=1):
        event = decode(record.body)
        assert (record.seq, event.seq, event.data) == (seq, seq, {"n": 3})
        assert record.event_class is event.event_class
