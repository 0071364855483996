"""A verification passes when all is there byte for byte, and names the first thing that is not."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from gatepost_services.contract.classes import CLASS_OF
from gatepost_services.contract.events import Envelope
from gatepost_services.journal import Entry, Journal, JournalError, JournalUnavailable
from gatepost_services.journal.gaps import gap_entry
from gatepost_services.journal.schema import SCHEMA_VERSION, State
from gatepost_services.journal.verify import MOST_FINDINGS, Report, verify
from gatepost_services.journal.witness import Witness, witness_path
from gatepost_services.record import EventClass

ENVELOPE = Envelope("north", "gate-1", "boot-1")
# One of each class, in their order.
TYPES = [next(name for name, its in CLASS_OF.items() if its is each) for each in EventClass]
GAP = Entry("journal.gap", 5.0, 1.7e9, {"cause": "events"})


def entries(count: int) -> list[Entry]:
    return [Entry(TYPES[n % 4], float(n), 1.7e9 + n / 7, {"n": n}) for n in range(count)]


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path) -> Iterator[Journal]:
    with Journal(path, ENVELOPE) as made:
        made.append(entries(40))
        yield made


def changed(journal: Journal, *statements: str) -> Report:
    """Close the journal, change its file, and verify it."""
    journal.close()
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as connection:
        connection.create_function("sha", 1, lambda body: sha256(body).digest())
        for statement in statements:
            connection.execute(statement)
    return verify(journal.path)


def first(report: Report) -> tuple[int | None, str, str]:
    assert not report.is_whole
    assert report.broken >= len(report.findings) > 0
    finding = report.findings[0]
    return finding.seq, finding.kind, finding.text


# -------------------------------------------------------------------------------- what passes


def test_a_journal_that_is_open_is_whole_and_is_told_in_figures(journal, path):
    report = verify(path, delivered_seq=40)
    assert report == Report(40, 1, 40, journal.state.head, 0, ())
    assert report.is_whole


def test_one_that_is_closed_too_and_nothing_is_made_beside_it(journal, path):
    journal.close()
    before = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    assert verify(path).is_whole
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == before


def test_one_in_which_nothing_has_happened_yet(path):
    with Journal(path, ENVELOPE):
        assert verify(path) == Report(0, 0, 0, bytes(32), 0, ())


def test_what_was_delivered_and_deleted_is_no_break(journal, path):
    journal.forget(17)
    assert verify(path) == Report(23, 18, 40, journal.state.head, 0, ())
    journal.forget(40)
    assert verify(path) == Report(0, 0, 40, journal.state.head, 0, ())


def test_what_a_gap_event_tells_of_is_no_break(journal, path):
    assert journal.evict(EventClass.TELEMETRY, 0, GAP) == 10
    assert journal.evict(EventClass.LIVE, 0, GAP) == 10
    assert verify(path).is_whole
    # The first gap event goes as well, and the last one passes its numbers on.
    assert journal.evict(EventClass.ALARM, 0, GAP) == 12
    report = verify(path)
    assert (report.events, report.broken) == (11, 0)


def test_the_gate_can_write_while_it_is_read(journal, path, monkeypatch):
    def while_it_reads(_self, _path, _connection) -> None:
        journal.append(entries(5))

    monkeypatch.setattr(verify.__globals__["_Inspection"], "check_pages", while_it_reads)
    assert verify(path) == Report(40, 1, 40, verify_head(path, 40), 0, ())
    assert journal.state.last_seq == 45


def verify_head(path: Path, seq: int) -> bytes:
    with closing(sqlite3.connect(path)) as connection:
        (found,) = connection.execute(
            " UNION ".join(
                f"SELECT hash FROM {each.label} WHERE seq = {seq}"  # noqa: S608
                for each in EventClass
            )
        ).fetchone()
        return bytes(found)


def test_a_new_journal_in_the_place_of_a_lost_one_begins_above_and_says_so(path):
    with Journal(path, ENVELOPE, begin=State(last_seq=1000, head=b"h" * 32, pruned=10)) as journal:
        journal.append([gap_entry(GAP, [(11, 1000)], None), *entries(3)])
        assert verify(path, delivered_seq=10) == Report(4, 1001, 1004, journal.state.head, 0, ())


# ------------------------------------------------------------------------------- what does not


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        (
            ["UPDATE live SET body = CAST(body || ' ' AS BLOB) WHERE seq = 22"],
            (22, "hash", "event 22 is not what was written"),
        ),
        (
            ["UPDATE live SET hash = zeroblob(32) WHERE seq = 22"],
            (22, "hash", "event 22 is not what was written"),
        ),
        (
            ["UPDATE live SET body = CAST('{}' AS BLOB), hash = sha(CAST('{}' AS BLOB))"],
            (2, "hash", "event 2 is none that a gate writes"),
        ),
        (
            [
                "UPDATE live SET body = CAST(replace(body, ':21}', ':99}') AS BLOB) WHERE seq = 22",
                "UPDATE live SET hash = sha(body) WHERE seq = 22",
            ],
            (23, "chain", "event 23 does not name the one before it"),
        ),
        (
            [
                "UPDATE live SET body = CAST(replace(body, '1/22\"', '1/23\"') AS BLOB)"
                " WHERE seq = 22",
                "UPDATE live SET hash = sha(body) WHERE seq = 22",
            ],
            (22, "hash", "event 22 is none that a gate writes"),
        ),
        (
            ["DELETE FROM live WHERE seq = 22"],
            (22, "hole", "event 22 is missing, and nothing tells why"),
        ),
        (
            ["DELETE FROM live", "DELETE FROM bookkeeping"],
            (2, "hole", "events 2 to 3 are missing, and nothing tells why"),
        ),
        (
            ["INSERT INTO alarm SELECT * FROM live WHERE seq = 22"],
            (22, "class", "event 22 stands with alarm, and is live"),
        ),
        (
            ["UPDATE live SET seq = 41 WHERE seq = 22"],
            (22, "hole", "event 22 is missing, and nothing tells why"),
        ),
        (
            ["UPDATE live SET utc_s = utc_s + 0.002 WHERE seq = 22"],
            (22, "date", "event 22 is dated 1700000003.000, and its table says 1700000003.002"),
        ),
        (
            ["UPDATE state SET last_seq = 41"],
            (41, "hole", "event 41 is missing, and nothing tells why"),
        ),
        (
            ["UPDATE state SET last_seq = 39"],
            (39, "state", "the last event is not the one that was written"),
        ),
        (
            ["UPDATE state SET head = zeroblob(32)"],
            (40, "state", "the last event is not the one that was written"),
        ),
        (
            ["UPDATE state SET head = zeroblob(31)"],
            (None, "state", "its one row makes no sense: head is no hash"),
        ),
        (["DELETE FROM state"], (None, "state", "its one row makes no sense: ")),
        (
            ["UPDATE state SET pruned = 41"],
            (None, "state", "says that 41 was deleted, which never was"),
        ),
        (
            ["UPDATE state SET rows_live = 11"],
            (None, "state", "says 11 events of class live, and there are 10"),
        ),
        (
            ["UPDATE state SET bytes_telemetry = 0"],
            (None, "state", "says 0 bytes of class telemetry, and there are "),
        ),
        (["DROP TABLE live"], (1, "unreadable", "cannot be read behind event 0 of class live: ")),
        (["DROP TABLE state"], (None, "file", "")),
        (["PRAGMA application_id = 1"], (None, "file", "")),
    ],
)
def test_the_first_break_is_named(journal, statements, found):
    seq, kind, text = first(changed(journal, *statements))
    assert (seq, kind) == found[:2]
    assert text.startswith(found[2])


def test_each_break_is_counted(journal):
    report = changed(journal, "UPDATE live SET hash = zeroblob(32) WHERE seq IN (6, 30)")
    # Each is not what was written, and is not the one that the next one names.
    assert [(each.seq, each.kind) for each in report.findings] == [
        (6, "hash"),
        (7, "chain"),
        (30, "hash"),
        (31, "chain"),
    ]
    assert report.broken == 4


def test_an_event_under_another_number_or_in_two_tables_is_told_for_each(journal):
    report = changed(
        journal,
        "INSERT INTO alarm SELECT * FROM live WHERE seq = 22",
        "UPDATE telemetry SET seq = 41 WHERE seq = 36",
    )
    # Behind these stand the figures that do not fit either.
    assert report.broken == 11
    assert [(each.seq, each.kind) for each in report.findings[:6]] == [
        (22, "class"),
        (22, "number"),
        (36, "hole"),
        (41, "number"),
        (41, "chain"),
        (None, "state"),
    ]


def test_an_event_that_stands_between_others_than_its_neighbours_is_told(journal, path):
    journal.close()
    content = bytearray(path.read_bytes())
    # Before a body stand its hash, the date, six bytes of the record's header, and the number.
    number = content.find(b'{"specversion":"1.0","id":"north/gate-1/26"') - 32 - 8 - 6 - 1
    assert content[number] == 26
    content[number] = 3
    path.write_bytes(content)
    report = verify(path)
    assert [each.text for each in report.findings if each.kind == "unreadable"] == [
        "cannot be read behind event 22 of class live: event 3 stands where it does not belong"
    ]
    assert (26, "hole") in [(each.seq, each.kind) for each in report.findings]


def test_so_many_are_told_and_all_are_counted(journal):
    journal.append(entries(400))
    report = changed(
        journal,
        *(f"UPDATE {each.label} SET utc_s = 1" for each in EventClass),  # noqa: S608
    )
    assert (len(report.findings), report.broken) == (MOST_FINDINGS, 440)


def test_pruning_explains_no_hole_above_it(journal):
    journal.forget(17)
    assert first(changed(journal, "DELETE FROM live WHERE seq = 18")) == (
        18,
        "hole",
        "event 18 is missing, and nothing tells why",
    )


def test_a_gap_event_explains_its_own_numbers_and_no_others(path):
    with Journal(path, ENVELOPE, begin=State(last_seq=30)) as journal:
        journal.append([gap_entry(GAP, [(3, 9), (21, 30)], None)])
        journal.append([gap_entry(GAP, [(8, 15)], None)])
        assert [(each.seq, each.text) for each in verify(path).findings] == [
            (1, "events 1 to 2 are missing, and nothing tells why"),
            (16, "events 16 to 20 are missing, and nothing tells why"),
        ]


def test_a_hole_ends_where_an_event_follows_also_where_others_are_told_of(journal):
    journal.evict(EventClass.TELEMETRY, 0, GAP)
    assert first(changed(journal, "DELETE FROM live WHERE seq = 22")) == (
        22,
        "hole",
        "event 22 is missing, and nothing tells why",
    )


def test_a_journal_without_its_end_is_found_by_the_witness(journal, path, tmp_path):
    whole = tmp_path / "copy" / "journal.db"
    whole.parent.mkdir()
    shutil.copyfile(path, whole)  # without the -wal
    assert first(verify(whole))[1] == "file"  # there was nothing checkpointed at all
    journal._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    shutil.copyfile(path, whole)
    shutil.copyfile(witness_path(path), witness_path(whole))
    assert verify(whole).is_whole
    journal.append(entries(2))
    shutil.copyfile(witness_path(path), witness_path(whole))
    assert first(verify(whole)) == (
        41,
        "witness",
        "the journal ends at 40, and once it went to 42",
    )


@pytest.mark.usefixtures("journal")
def test_a_journal_without_its_end_is_found_by_what_was_delivered(path):
    assert first(verify(path, delivered_seq=41)) == (
        41,
        "end",
        "the journal ends at 40, and a server has 41",
    )


def test_another_journal_than_the_one_that_was_noted_is_found(path, journal):
    journal.append(entries(1))
    for noted in (41, 40):
        witness = Witness(witness_path(path))
        witness.note(noted, b"x" * 32)
        witness.close()
        assert (noted, "witness") in [(f.seq, f.kind) for f in verify(path).findings]
    journal.forget(41)  # nothing is there any more that could be compared
    witness = Witness(witness_path(path))
    witness.note(41, b"x" * 32)
    witness.close()
    assert first(verify(path)) == (
        41,
        "witness",
        "the last event is not the one that was noted",
    )


@pytest.mark.usefixtures("journal")
def test_without_a_witness_the_end_is_unproven_and_that_is_a_finding(path):
    witness_path(path).unlink()
    assert first(verify(path)) == (
        None,
        "witness",
        "cannot be read; that nothing is missing at the end is unproven",
    )


def test_what_sqlite_finds_is_told_line_by_line(journal, path):
    journal.close()
    content = bytearray(path.read_bytes())
    content[-4096:] = bytes(4096)
    path.write_bytes(content)
    report = verify(path)
    assert first(report)[1] == "file"
    assert all("\n" not in each.text for each in report.findings)


@pytest.mark.parametrize("content", [b"", b"x" * 5000, b"SQLite format 3\0" + bytes(5000)])
def test_what_is_no_journal_is_told_as_that(path, content):
    path.write_bytes(content)
    seq, kind, text = first(verify(path))
    assert (seq, kind) == (None, "file")
    assert text.startswith(str(path))


def test_what_cannot_be_looked_at_is_no_verdict(path):
    with pytest.raises(JournalUnavailable, match="No such file"):
        verify(path)


def test_one_of_a_newer_version_is_no_verdict(journal):
    with pytest.raises(JournalError, match="install the newer Gatepost"):
        changed(journal, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")


@pytest.mark.parametrize("is_over", [True, False])
def test_a_gate_that_starts_meanwhile_is_noticed(journal, path, monkeypatch, is_over):
    journal.close()
    started: list[Journal] = []

    def starts(_self, _path, _connection) -> None:
        started.append(Journal(path, ENVELOPE))
        if is_over:
            started[0].append(entries(1))
            started[0].close()

    monkeypatch.setattr(verify.__globals__["_Inspection"], "check_pages", starts)
    with pytest.raises(JournalUnavailable, match="the gate opened it meanwhile"):
        verify(path)
    started[0].close()
