"""What a technician hands over: every event as it was written, and a word for each that is not."""

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gatepost_services.contract.classes import CLASS_OF
from gatepost_services.contract.events import Envelope
from gatepost_services.journal import Entry, Journal, JournalReader, JournalUnavailable
from gatepost_services.journal.export import COLUMNS, Choice, Exported, export
from gatepost_services.journal.figures import figures
from gatepost_services.record import EventClass

ENVELOPE = Envelope("north", "gate-1", "boot-1")
TYPES = [next(name for name, its in CLASS_OF.items() if its is each) for each in EventClass]
UTC_S = 1_700_000_000.0
DAY_S = 86_400.0
EVERYTHING = Choice()


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path) -> Iterator[Journal]:
    with Journal(path, ENVELOPE) as made:
        made.append(
            Entry(TYPES[n % 4], n + 0.25, UTC_S + n / 4, {"n": n, "who": "李"}) for n in range(40)
        )
        yield made


def exported(
    path: Path, choice: Choice = EVERYTHING, format_: str = "jsonl"
) -> tuple[str, Exported]:
    pieces: list[str] = []
    result = export(path, choice, format_, pieces.append)  # type: ignore[arg-type]
    return "".join(pieces), result


def seqs(text: str) -> list[int]:
    return [int(json.loads(line)["sequence"]) for line in text.splitlines()]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def change(journal: Journal, statement: str) -> None:
    journal.close()
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as connection:
        connection.execute(statement)


@pytest.mark.usefixtures("journal")
def test_json_lines_are_the_bodies_byte_for_byte(path):
    text, result = exported(path)
    with JournalReader(path) as reader:
        bodies = [record.body for record in reader.read(0, 100).records]
    assert text.encode() == b"".join(body + b"\n" for body in bodies)
    assert result == Exported(40, 0, [])


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice(from_seq=38), [38, 39, 40]),
        (Choice(through_seq=2), [1, 2]),
        (Choice(from_seq=5, through_seq=5), [5]),
        (Choice(from_seq=6, through_seq=5), []),
        (Choice(from_seq=41), []),
        (Choice(33, 40, (EventClass.ALARM, EventClass.TELEMETRY)), [33, 36, 37, 40]),
    ],
)
def test_a_range_and_classes_can_be_chosen(path, choice, expected):
    text, result = exported(path, choice)
    assert seqs(text) == expected
    assert (result.events, result.broken) == (len(expected), 0)


def test_the_columns_of_the_table_stay_what_they_are(journal, path):
    text, _ = exported(path, Choice(2, 3), "csv")
    assert text.splitlines()[0] == (
        "seq,time,time_quality,type,class,boot_id,uptime_s,subject,direction,data,hash"
    )
    made = rows(text)
    with JournalReader(path) as reader:
        (record,) = reader.read(1, 1).records
    assert made[0] == {
        "seq": "2",
        "time": "2023-11-14T22:13:20.250Z",
        "time_quality": "none",
        "type": f"gatepost.{TYPES[1]}",
        "class": "live",
        "boot_id": "boot-1",
        "uptime_s": "1.250",
        "subject": "",
        "direction": "",
        "data": '{"n":1,"who":"\\u674e"}',
        "hash": record.hash.hex(),
    }
    assert tuple(made[1]) == COLUMNS
    assert journal.state.last_seq == 40


def test_subject_and_direction_have_their_own_columns_and_no_cell_is_a_formula(path):
    formulas = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"]
    with Journal(path, Envelope("north", "gate-1", "=boot")) as journal:
        journal.append(
            Entry(TYPES[1], 0.0, UTC_S, {"subject": text, "direction": text}) for text in formulas
        )
        journal.append([Entry(TYPES[1], 0.0, UTC_S, {"subject": 'a "b", c', "direction": "entry"})])
        journal.append([Entry(TYPES[1], -1.0, UTC_S, {"subject": 7, "direction": None})])
    made = rows(exported(path, format_="csv")[0])
    assert [row["subject"] for row in made] == [
        *(f"'{text}" for text in formulas),
        'a "b", c',
        "7",
    ]
    assert [row["direction"] for row in made[-2:]] == ["entry", ""]
    assert {row["boot_id"] for row in made} == {"'=boot"}
    assert [json.loads(row["data"])["subject"] for row in made[:2]] == formulas[:2]


@pytest.mark.parametrize("format_", ["jsonl", "csv"])
def test_of_a_broken_file_goes_out_what_is_as_it_was_and_the_rest_is_told(journal, path, format_):
    change(journal, "UPDATE live SET hash = zeroblob(32) WHERE seq = 22")
    text, result = exported(path, format_=format_)
    assert len(text.splitlines()) - (format_ == "csv") == 39
    assert result == Exported(39, 1, ["event 22 is not what was written"])


def test_behind_a_page_that_cannot_be_read_there_are_others(path):
    with Journal(path, ENVELOPE) as journal:
        journal.append(Entry(TYPES[1], 0.0, UTC_S, {"n": n, "pad": "x" * 500}) for n in range(200))
    content = bytearray(path.read_bytes())
    at = content.find(b'"sequence":"0000000000000000100"') // 4096 * 4096
    content[at : at + 4096] = bytes(4096)
    path.write_bytes(content)
    text, result = exported(path)
    found = seqs(text)
    assert found == sorted(found)
    assert {1, 90, 120, 200} <= set(found)
    assert 185 <= result.events < 200
    assert 0 < result.broken <= 4  # each step over the page is twice as long as the one before
    assert "cannot be read behind event" in result.unread[0]


def test_what_is_no_journal_gives_nothing_and_says_why(path):
    path.write_bytes(b"x" * 9000)
    text, result = exported(path)
    assert (text, result.events, result.broken) == ("", 0, 1)
    assert "file is not a database" in result.unread[0]


def test_without_a_journal_there_is_nothing_to_say(path):
    with pytest.raises(JournalUnavailable):
        exported(path)


# --------------------------------------------------------------------------------- in figures


def test_figures_of_an_empty_journal(path):
    with Journal(path, ENVELOPE):
        found = figures(path, 0, UTC_S)
    assert (found.undelivered, found.last_seq, found.oldest_age_s) == (0, 0, None)
    assert (found.events_per_hour, found.set_aside) == (0.0, [])


def test_figures_of_a_full_one(journal, path):
    gap = Entry("journal.gap", 0.0, UTC_S + DAY_S, {"cause": "events"})
    journal.evict(EventClass.TELEMETRY, 0, gap)
    path.with_name("journal.db.broken-1").touch()
    path.with_name("journal.db.broken-1-wal").touch()
    path.with_name("journal.db.told").touch()
    # A day before that is the date of number 21.
    found = figures(path, 30, UTC_S + DAY_S + 5.0)
    assert found.events == {"alarm": 11, "live": 10, "bookkeeping": 10, "telemetry": 0}
    assert found.dropped == {"alarm": 0, "live": 0, "bookkeeping": 0, "telemetry": 10}
    assert (found.undelivered, found.acknowledged, found.last_seq) == (8, 30, 41)
    assert found.oldest_age_s == DAY_S + 5.0
    # Numbers 21 to 40 without telemetry, and the gap event.
    assert found.events_per_hour == pytest.approx(16 / 24)
    assert found.head == journal.state.head
    assert found.set_aside == ["journal.db.broken-1", "journal.db.told"]
    wal = path.with_name("journal.db-wal")
    assert found.file_bytes == path.stat().st_size + wal.stat().st_size
