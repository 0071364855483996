"""What the writers of SQLite files share, where it is not in the tests of each of them."""

import random

import pytest

from gatepost_services.journal import (
    Entry,
    Journal,
    JournalError,
    JournalReader,
    JournalUnavailable,
)

ENTRY = Entry("test.happened", 1.5, 1e9, {"n": 1})


def journal_bytes(path):
    with Journal(path, "boot-1") as journal:
        for _ in range(100):
            journal.append([ENTRY])
    return path.read_bytes()


def test_what_sqlite_says_of_a_schema_that_is_no_text_is_an_error_like_any_other(tmp_path):
    path = tmp_path / "journal.db"
    path.write_bytes(journal_bytes(path).replace(b"TABLE entry", b"\xff\xfe\xfd\xfc\xfb entry"))
    with pytest.raises(JournalError, match=r"cannot open the journal: 'utf-8' codec.*move it away"):
        Journal(path, "boot-1")
    with JournalReader(path) as reader, pytest.raises(JournalUnavailable, match="'utf-8' codec"):
        reader.last_seq()


def test_whatever_bytes_of_a_journal_change_nothing_but_its_own_errors_come_out(tmp_path):
    whole, chance = journal_bytes(tmp_path / "whole.db"), random.Random(5)
    refused = 0
    for trial in range(150):
        content = bytearray(whole)
        for _ in range(chance.choice([1, 3, 50])):
            # Half of them in the first page, which says what the others mean.
            most = chance.choice([len(content), 4096])
            content[chance.randrange(most)] = chance.randrange(256)
        path = tmp_path / f"{trial}.db"
        path.write_bytes(content)
        try:
            with Journal(path, "boot-1") as journal, JournalReader(path) as reader:
                journal.append([ENTRY])
                assert journal.depth() >= 0
                reader.read_after(0, 200)
        except JournalError:
            refused += 1
    assert 20 < refused < 130
