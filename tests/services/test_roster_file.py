"""The roster's file and its key, as the gate finds them: missing, damaged, or of something else."""

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from gatepost_services.roster import DamagedError, Roster, RosterError, RosterKey
from gatepost_services.roster.writer import RosterWriter, Whole
from gatepost_services.sqlite_file import set_aside

from .roster_files import Site

FIRST = "credential,subject,category\nP1,anna,resident\nP2,ben,works\n"


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


@pytest.fixture
def roster(site):
    with site.roster() as made:
        yield made


def test_a_roster_that_comes_later_counts_without_a_restart(site, roster):
    with pytest.raises(RosterError, match=r"roster\.db: cannot be read: No such file.*import"):
        roster.look_up("P1")
    site.bring(FIRST)
    assert roster.look_up("P1").subject == "anna"
    with RosterWriter.open(site.path, site.key) as writer:  # it stays open, as the link's does
        writer.replace(site.read(FIRST.replace("anna", "cleo")))
        assert roster.look_up("P1").subject == "cleo"
        writer.replace(site.read(FIRST.replace("P1", "P3")))
        assert roster.look_up("P1") is None
        assert roster.look_up("P3").subject == "anna"
    site.bring(FIRST)
    assert roster.look_up("P1").subject == "anna"


def test_a_file_that_takes_the_place_of_another_one_counts(site, roster, tmp_path):
    site.bring(FIRST)
    assert roster.look_up("P1").subject == "anna"
    (tmp_path / "other").mkdir()
    other = Site(tmp_path / "other")
    other.key = site.key
    other.bring(FIRST.replace("anna", "cleo"))
    other.path.replace(site.path)
    assert roster.look_up("P1").subject == "cleo"


def test_a_file_that_is_set_aside_while_both_have_it_open_is_let_go(site, roster):
    site.bring(FIRST)
    with RosterWriter.open(site.path, site.key):
        assert roster.look_up("P1").subject == "anna"
        set_aside(site.path, RosterError("damaged"))
        with RosterWriter.open(site.path, site.key) as another:
            another.replace(site.read(FIRST.replace("anna", "cleo")))
            assert roster.look_up("P1").subject == "cleo"


def test_a_file_into_which_nothing_was_imported_is_no_roster(site, roster):
    RosterWriter.open(site.path, site.key).close()
    for question in (lambda: roster.look_up("P1"), roster.state, roster.check, roster.rows):
        with pytest.raises(RosterError, match="no roster was imported yet; bring one in"):
            question()


def test_the_file_is_for_the_services_group_alone(site):
    site.bring(FIRST)
    assert stat.S_IMODE(site.path.stat().st_mode) == 0o640


@pytest.mark.parametrize("size", [100, 5000])
def test_a_file_that_is_no_database_is_told_and_set_aside_by_the_next_import(site, roster, size):
    site.path.write_bytes(b"\xff" * size)
    with pytest.raises(DamagedError, match=r"damaged: .*not a database.*sets this file aside"):
        roster.look_up("P1")
    site.bring(FIRST)
    assert roster.look_up("P1").subject == "anna"
    assert site.path.with_name("roster.db.broken-1").read_bytes() == b"\xff" * size


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE members SET category = 'staff' WHERE subject = 'anna'",
        "DELETE FROM members WHERE subject = 'ben'",
        "UPDATE state SET digest = zeroblob(32)",
        "DROP TABLE members",
        "DELETE FROM state",
    ],
)
def test_what_the_writer_did_not_write_is_found_by_a_check_and_set_aside(site, roster, spoil):
    site.bring(FIRST)
    with sqlite3.connect(site.path) as connection:
        connection.execute(spoil)
    connection.close()
    with pytest.raises(DamagedError, match="sets this file aside and begins a new one"):
        roster.check()
    assert site.bring(FIRST).state.version == 1
    assert roster.check().members == 2
    assert site.path.with_name("roster.db.broken-1").exists()


def test_a_page_that_is_broken_is_damage(site, roster):
    rows = [f"P{n},s-{n},resident" for n in range(3000)]
    site.bring("\n".join(("credential,subject,category", *rows, "")))
    with site.path.open("r+b") as file:
        file.seek(8 * 4096)
        file.write(b"\xff" * (site.path.stat().st_size - 9 * 4096))
    with pytest.raises(DamagedError):
        roster.check()
    with pytest.raises(DamagedError):
        [roster.look_up(f"P{n}") for n in range(3000)]


@pytest.mark.parametrize("header", ["", "\ufeff"])
def test_the_csv_of_an_earlier_gatepost_is_not_set_aside(site, roster, header):
    site.path.write_text(header + FIRST, encoding="utf-8")
    for question in (lambda: roster.look_up("P1"), lambda: site.bring(FIRST)):
        with pytest.raises(RosterError, match=r"a CSV file; name the database in \[paths\] roster"):
            question()
    assert site.path.read_text(encoding="utf-8") == header + FIRST


def test_a_database_of_something_else_is_not_set_aside(site, roster):
    with sqlite3.connect(site.path) as connection:
        connection.execute("CREATE TABLE mine (x)")
        connection.execute("PRAGMA application_id = 7")
    connection.close()
    for question in (lambda: roster.look_up("P1"), lambda: site.bring(FIRST)):
        with pytest.raises(RosterError, match="a database of something else"):
            question()
    assert not site.path.with_name("roster.db.broken-1").exists()


def test_a_roster_of_a_newer_version_is_left_alone(site, roster):
    site.bring(FIRST)
    with sqlite3.connect(site.path) as connection:
        connection.execute("PRAGMA user_version = 9")
    connection.close()
    content = site.path.read_bytes()
    for question in (lambda: roster.look_up("P1"), lambda: site.bring(FIRST)):
        with pytest.raises(RosterError, match="roster of version 9, this Gatepost knows 1"):
            question()
    assert site.path.read_bytes() == content


def test_after_a_power_cut_in_an_import_the_old_roster_counts_until_somebody_writes(
    site, tmp_path, monkeypatch
):
    site.bring(FIRST)
    monkeypatch.setattr(RosterWriter, "_flush", lambda _self: None)
    (tmp_path / "cut").mkdir()
    with RosterWriter.open(site.path, site.key) as writer:
        writer.replace(site.read(FIRST.replace("anna", "cleo")))
        for name in ("roster.db", "roster.db-wal"):  # the -shm is never flushed
            (tmp_path / "cut" / name).write_bytes((tmp_path / name).read_bytes())
    assert (tmp_path / "cut" / "roster.db-wal").stat().st_size > 0
    with Roster(tmp_path / "cut" / "roster.db", site.key_path) as roster:
        assert roster.check().version == 1
        assert roster.look_up("P1").subject == "anna"
        with RosterWriter.open(tmp_path / "cut" / "roster.db", site.key):
            assert roster.look_up("P1").subject == "cleo"
        assert roster.look_up("P1").subject == "cleo"


# -------------------------------------------------------------------------------------- the key


def test_the_first_key_is_drawn_and_stays(tmp_path):
    path = tmp_path / "roster.key"
    key = RosterKey.load_or_make(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(bytes.fromhex(path.read_text())) == 32
    assert RosterKey.load_or_make(path).id == RosterKey.load(path).id == key.id
    assert [each.name for each in tmp_path.iterdir()] == ["roster.key"]
    (tmp_path / "b").mkdir()
    assert RosterKey.load_or_make(tmp_path / "b" / "roster.key").id != key.id


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to another group")
def test_where_the_folder_is_of_another_group_that_may_read_the_key(tmp_path):
    os.chown(tmp_path, -1, 65534)
    path = tmp_path / "roster.key"
    RosterKey.load_or_make(path)
    assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_gid) == (0o640, 65534)


@pytest.mark.parametrize("mode", [0o604, 0o660, 0o644, 0o602])
def test_a_key_that_others_can_read_or_change_is_refused(site, roster, mode):
    site.bring(FIRST)
    site.key_path.chmod(mode)
    with pytest.raises(RosterError, match=f"mode {mode:04o}; others could read or change"):
        roster.look_up("P1")
    site.key_path.chmod(0o640)
    assert roster.look_up("P1").subject == "anna"


@pytest.mark.parametrize("content", ["", "ab" * 31, "ab" * 33, "xy" * 32, "ąą" * 16])
def test_what_is_no_key_is_refused_and_not_quoted(site, content):
    site.key_path.write_text(content, encoding="utf-8")
    with pytest.raises(RosterError, match="it must be 64 hexadecimal digits") as caught:
        RosterKey.load(site.key_path)
    assert not content or content not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_key_that_is_missing_is_told_with_what_helps(site, roster):
    site.bring(FIRST)
    site.key_path.unlink()
    with pytest.raises(RosterError, match="no key of the roster there; copy the site's to it"):
        roster.look_up("P1")


def test_a_key_cannot_be_made_where_there_is_no_folder(tmp_path):
    with pytest.raises(RosterError, match=r"cannot be made.*\[paths\] roster_key"):
        RosterKey.load_or_make(tmp_path / "none" / "roster.key")
    with pytest.raises(RosterError, match=r"cannot be made.*\[paths\] roster"):
        RosterWriter.open(tmp_path / "none" / "roster.db", RosterKey(bytes(32)))


def test_the_wrong_key_finds_nobody_and_is_told(site, roster):
    site.bring(FIRST)
    ours = site.key_path.read_bytes()
    site.key_path.write_text("00" * 32)
    for question in (lambda: roster.look_up("P1"), roster.state, roster.check, roster.rows):
        with pytest.raises(RosterError, match=f"made with the key {site.key.id.hex()}, and"):
            question()
    site.key_path.write_bytes(ours)
    assert roster.look_up("P1").subject == "anna"


def test_a_new_key_and_a_new_roster_count_without_a_restart(site, roster):
    site.bring(FIRST)
    assert roster.look_up("P1").subject == "anna"
    site.key_path.write_text("00" * 32)
    site.key = RosterKey.load(site.key_path)
    site.bring(FIRST)
    assert roster.look_up("P1").subject == "anna"


# ---------------------------------------------------------------------------------- the erased


def test_whoever_is_erased_is_gone_from_every_page_and_to_be_forgotten(site, roster):
    site.bring(FIRST.replace("anna", "somebody-rare"))
    state = roster.state()
    with RosterWriter.open(site.path, site.key) as writer:
        change = writer.erase("somebody-rare", 100)
        assert (change.removed, change.state.version, change.state.members) == (1, 2, 1)
        assert change.state.as_of_utc_s == state.as_of_utc_s
        assert b"somebody-rare" not in pages(site.path)
    assert roster.look_up("P1") is None
    assert roster.check().members == 1
    erased = roster.erased()
    assert roster.is_among("somebody-rare", erased)
    assert not roster.is_among("ben", erased)


def test_an_erased_person_of_whom_nothing_is_known_changes_no_version(site, roster):
    site.bring(FIRST)
    with RosterWriter.open(site.path, site.key) as writer:
        assert writer.erase("cleo", 0).state == roster.state()
    assert roster.is_among("cleo", roster.erased())


def test_whoever_comes_back_is_not_to_be_forgotten_any_more(site, roster):
    site.bring(FIRST)
    with RosterWriter.open(site.path, site.key) as writer:
        writer.erase("anna", 0)
        writer.erase("ben", 0)
    site.bring("change,credential,subject,category\nput,P9,anna,visitor\n")
    erased = roster.erased()
    assert not roster.is_among("anna", erased)
    assert roster.is_among("ben", erased)


def test_after_thirty_days_nobody_needs_to_be_told_to_forget(site, roster):
    month_s = 30 * 86_400
    with RosterWriter.open(site.path, site.key) as writer:
        writer.replace(Whole([], 0))
        writer.erase("anna", 0)
        writer.erase("ben", month_s)
        assert roster.is_among("anna", roster.erased())
        writer.erase("cleo", month_s + 1)
        assert not roster.is_among("anna", roster.erased())
        assert roster.is_among("ben", roster.erased())


def pages(path: Path) -> bytes:
    return b"".join(each.read_bytes() for each in path.parent.glob("roster.db*"))
