"""The board: small texts, each whole or not there."""

import logging

import pytest

from gatepost_services.board import HEAD, MOST_BYTES, REPORTED, Board, BoardReader


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "board"


def test_what_is_pinned_up_can_be_read(folder):
    board, reader = Board(folder), BoardReader(folder)
    assert reader.read(HEAD) is None
    assert board.pin(HEAD, b"one")
    assert board.pin(REPORTED, b"two")
    assert (reader.read(HEAD), reader.read(REPORTED)) == (b"one", b"two")
    assert board.pin(HEAD, b"three")
    assert (reader.read(HEAD), reader.read(REPORTED)) == (b"three", b"two")
    assert sorted(each.name for each in folder.iterdir()) == [HEAD, REPORTED]


def test_the_same_text_is_not_written_again(folder):
    board = Board(folder)
    board.pin(HEAD, b"one")
    before = (folder / HEAD).stat()
    assert board.pin(HEAD, b"one")
    after = (folder / HEAD).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_board_that_cannot_be_written_is_told_once_and_tried_again(folder, caplog):
    caplog.set_level(logging.INFO)
    folder.write_text("in the way")
    board = Board(folder)
    assert not board.pin(HEAD, b"one")
    assert not board.pin(HEAD, b"one")
    assert len(caplog.messages) == 1
    assert "cannot be written" in caplog.text
    folder.unlink()
    assert board.pin(HEAD, b"one")
    assert BoardReader(folder).read(HEAD) == b"one"
    assert len(caplog.messages) == 2


def test_a_folder_whose_parent_is_missing_is_not_made(tmp_path):
    assert not Board(tmp_path / "missing" / "board").pin(HEAD, b"one")
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("size", [0, MOST_BYTES + 1, 10 * MOST_BYTES])
def test_what_is_empty_or_too_long_is_not_read(folder, size):
    Board(folder).pin(HEAD, b"x" * size)
    assert BoardReader(folder).read(HEAD) is None


def test_the_longest_is_read(folder):
    Board(folder).pin(HEAD, b"x" * MOST_BYTES)
    assert BoardReader(folder).read(HEAD) == b"x" * MOST_BYTES


def test_the_next_process_pins_up_its_own(folder):
    Board(folder).pin(HEAD, b"one")
    (folder / f".{HEAD}.new").write_bytes(b"half of wh")  # one was killed
    assert Board(folder).pin(HEAD, b"two")
    assert BoardReader(folder).read(HEAD) == b"two"
