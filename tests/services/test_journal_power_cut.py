"""A power cut, or a disk that refuses, at any step of a replacement: what was saved stays."""

from pathlib import Path

import pytest

from gatepost_services.journal import Journal, JournalError
from gatepost_services.journal.opening import SEQ_LEAP

from .journal_files import contents
from .journal_replaced import ALL, claims, start, written


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


class PowerCutError(BaseException):
    """The process is gone."""


OPERATIONS = ("replace", "rename", "unlink", "write_bytes")


def run_until(monkeypatch, count, act):
    """Do it, and cut the power before the file operation with this number, if it comes so far."""
    done = 0

    def counted(real):
        def operation(*arguments, **keywords):
            nonlocal done
            done += 1
            if done > count:
                raise PowerCutError
            return real(*arguments, **keywords)

        return operation

    with monkeypatch.context() as patch:
        for name in OPERATIONS:
            patch.setattr(Path, name, counted(getattr(Path, name)))
        try:
            act()
        except PowerCutError:
            return False
    return True


def without_its_wal(path):
    written(path, is_running=True)
    path.with_name("journal.db-wal").unlink()


def without_its_file(path):
    written(path, is_running=True)
    path.unlink()


def with_a_broken_page(path):
    written(path)
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 3 + 100] = bytes(100)
    path.write_bytes(content)


def with_another_wal(path):
    written(path, is_running=True)
    content = bytearray(path.read_bytes())
    content[100:200] = bytes(100)
    path.write_bytes(content)


BREAKS = (without_its_wal, without_its_file, with_a_broken_page, with_another_wal)


@pytest.mark.parametrize("hurt", BREAKS)
def test_a_power_cut_at_any_step_of_the_replacement_loses_nothing_that_was_saved(
    monkeypatch, tmp_path, hurt
):
    reference = tmp_path / "whole"
    reference.mkdir()
    hurt(reference / "journal.db")
    start(reference / "journal.db")
    saved = {*claims(reference / "journal.db").seqs} & ALL
    assert saved
    for count in range(60):
        folder = tmp_path / str(count)
        folder.mkdir()
        path = folder / "journal.db"
        hurt(path)
        is_through = run_until(monkeypatch, count, lambda path=path: start(path))
        shown = {*contents(path).seqs} - ALL if path.exists() and is_through else set()
        is_made = path.with_name("journal.db.new").exists() and not path.exists()
        start(path)
        file = claims(path)
        # What is left of the old one beside it is not read as a part of it.
        assert not is_made or file.seqs[-1] > max(ALL) + SEQ_LEAP
        assert {*file.seqs} & ALL >= saved, f"cut before operation {count + 1}"
        assert {*file.seqs} >= shown
        # What was whole is not taken for a broken one, for want of its last renames.
        assert not path.with_name("journal.db.broken-2").exists()
        left = {file.name for file in folder.iterdir()}
        assert not {name for name in left if name.endswith((".new", ".making"))}
        if is_through:
            break
    assert count >= 3


@pytest.mark.parametrize("hurt", BREAKS)
def test_a_disk_that_refuses_any_step_is_an_error_and_the_next_try_works(
    monkeypatch, tmp_path, hurt
):
    for count in range(60):
        folder = tmp_path / str(count)
        folder.mkdir()
        path = folder / "journal.db"
        hurt(path)
        with monkeypatch.context() as patch:
            done = 0

            def refusing(real, count=count):
                def operation(*arguments, **keywords):
                    nonlocal done
                    done += 1
                    if done > count:
                        raise OSError(28, "No space left on device")
                    return real(*arguments, **keywords)

                return operation

            for name in OPERATIONS:
                patch.setattr(Path, name, refusing(getattr(Path, name)))
            try:
                start(path)
                is_through = done <= count
            except JournalError:
                is_through = False
        start(path)
        claims(path)
        if is_through:
            break
    assert count >= 3


def test_a_new_journal_that_cannot_be_opened_is_an_error_and_the_next_try_goes_on_with_it(path):
    without_its_wal(path)
    tries = []

    def make(*arguments):
        tries.append(arguments)
        raise JournalError("no")

    with pytest.raises(JournalError, match="no"):
        start(path, make=make)
    assert len(tries) == 1
    found = start(path)
    assert isinstance(found.journal, Journal)
    claims(path)


def test_a_new_journal_that_was_half_made_is_begun_anew(path):
    without_its_wal(path)
    for name, content in [
        ("journal.db.making", b"half"),
        ("journal.db.making-wal", b"of"),
        ("journal.db.making-head", b"one"),
    ]:
        path.with_name(name).write_bytes(content)
    assert start(path).saved == 5
    claims(path)
    assert not list(path.parent.glob("*.making*"))


def test_a_whole_new_journal_beside_an_old_one_that_is_still_there_does_not_count(path):
    written(path)
    path.with_name("journal.db.new").write_bytes(b"never looked at")
    assert start(path).aside is None
    assert contents(path).seqs == list(range(1, 14))
    assert not path.with_name("journal.db.new").exists()
