"""Another key with another roster: they belong together after a power cut at any instant."""

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from gatepost_services.roster import Roster, RosterError, RosterKey, changing, key
from gatepost_services.roster.changing import change_key, key_in_force, settle
from gatepost_services.roster.documents import read_document
from gatepost_services.roster.key import next_of
from gatepost_services.roster.rows import OtherKeyError
from gatepost_services.roster.writer import RosterWriter

from .roster_files import Site

FIRST = "credential,subject,category\nP1,anna,resident\nP2,ben,visitor\n"
SECOND = "credential,subject,category\nP1,anna,resident\nP3,cleo,resident\n"


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    made.bring(FIRST)
    return made


def second(key_of_it):
    return read_document(SECOND.encode(), "second.csv", key_of_it, as_of_utc_s=0)


def change(site, fresh):
    return change_key(site.path, site.key_path, fresh, second)


def people(site):
    """Return whom a gate that starts now finds."""
    with Roster(site.path, site.key_path) as roster:
        roster.check()
        found = [roster.look_up(f"P{number}") for number in (1, 2, 3)]
    return [each and each.subject for each in found]


OLD, NEW = ["anna", "ben", None], ["anna", None, "cleo"]


def test_key_and_roster_are_changed(site):
    fresh = RosterKey.drawn()
    found = change(site, fresh)
    assert (found.state.version, found.state.members) == (2, 2)
    assert people(site) == NEW
    assert RosterKey.load(site.key_path).id == fresh.id == found.state.key_id
    assert sorted(each.name for each in site.path.parent.iterdir()) == ["roster.db", "roster.key"]
    assert stat.S_IMODE(site.key_path.stat().st_mode) == 0o600


def test_a_gate_that_runs_follows_without_a_restart(site):
    with Roster(site.path, site.key_path) as roster:
        assert roster.look_up("P2").subject == "ben"
        change(site, RosterKey.drawn())
        assert roster.look_up("P2") is None
        assert roster.look_up("P3").subject == "cleo"
        assert roster.state().version == 2


# ---------------------------------------------------------------------------------- power cuts


class Cut(BaseException):
    """The power goes."""


class Steps:
    """Counts what reaches the disk, and stops before the step with a number."""

    def __init__(self, at):
        self.at, self.done = at, 0

    def __call__(self, function):
        def step(*arguments, **keywords):
            if self.done == self.at:
                raise Cut
            self.done += 1
            return function(*arguments, **keywords)

        return step


def cut_at(site, number, monkeypatch):
    """Change the key, and let the power go before one step; return how many were done."""
    steps, made = Steps(number), []

    class Connection(sqlite3.Connection):
        def __init__(self, *arguments, **words):
            super().__init__(*arguments, **words)
            made.append(self)

        @steps
        def execute(self, *arguments):
            return super().execute(*arguments)

    def opened(path, with_key):
        return RosterWriter(path, with_key, connection_class=Connection)

    with monkeypatch.context() as patch:
        patch.setattr(changing.RosterWriter, "open", opened)
        for name in ("fsync", "open"):
            patch.setattr(os, name, steps(getattr(os, name)))
        patch.setattr(Path, "replace", steps(Path.replace))
        try:
            change(site, RosterKey.drawn())
        except Cut:
            return None
        finally:
            for each in made:  # the kernel does it, where the power does not
                each.close()
    return steps.done


def test_a_power_cut_at_any_step_leaves_a_pair_that_belongs_together(tmp_path, monkeypatch):
    seen, number, done = [], 0, None
    while done is None:
        folder = tmp_path / str(number)
        folder.mkdir()
        site = Site(folder)
        site.bring(FIRST)
        with Roster(site.path, site.key_path) as runs:
            assert runs.look_up("P2").subject == "ben"
            done = cut_at(site, number, monkeypatch)
            # The one that runs, and the next one, before anybody tidies.
            running = [runs.look_up(f"P{each}") for each in (1, 2, 3)]
        found = people(site)
        assert [each and each.subject for each in running] == found
        assert found in (OLD, NEW)
        was_waiting = next_of(site.key_path).exists()
        assert settle(site.path, site.key_path) is (was_waiting and found == NEW)
        assert not next_of(site.key_path).exists()
        assert people(site) == found
        # And once more, to its end.
        change(site, RosterKey.drawn())
        assert people(site) == NEW
        seen.append(found)
        number += 1
    assert number > 20
    assert seen == sorted(seen, key=[OLD, NEW].index)  # first old, then new, never back
    assert OLD in seen[1:]
    assert seen.count(NEW) > 2


def test_the_key_is_on_the_disk_before_the_roster_names_it(site, monkeypatch):
    order = []
    monkeypatch.setattr(
        changing,
        "write_next",
        lambda *arguments, **keywords: (
            key.write_next(*arguments, **keywords),
            order.append("key"),
        ),
    )
    replace = RosterWriter.replace
    monkeypatch.setattr(
        RosterWriter, "replace", lambda *args: (order.append("roster"), replace(*args))[1]
    )
    monkeypatch.setattr(
        changing, "take_next", lambda path: (order.append("place"), key.take_next(path))
    )
    change(site, RosterKey.drawn())
    assert order == ["key", "roster", "place"]


# -------------------------------------------------------------------------------------- failures


def test_a_roster_that_cannot_be_changed_leaves_all_as_it_was(site, monkeypatch):
    def fail(_self, _whole):
        raise RosterError("the disk is full")

    monkeypatch.setattr(RosterWriter, "replace", fail)
    before = site.key_path.read_bytes()
    with pytest.raises(RosterError, match="the disk is full"):
        change(site, RosterKey.drawn())
    assert site.key_path.read_bytes() == before
    assert not next_of(site.key_path).exists()
    assert people(site) == OLD


def test_a_list_that_is_refused_touches_nothing(site):
    def bad(key_of_it):
        return read_document(b"credential\n", "bad.csv", key_of_it, as_of_utc_s=0)

    with pytest.raises(RosterError, match="header"):
        change_key(site.path, site.key_path, RosterKey.drawn(), bad)
    assert people(site) == OLD
    assert not next_of(site.key_path).exists()


def test_a_key_that_waits_is_kept_while_the_roster_cannot_be_read(site):
    key.write_next(site.key_path, RosterKey.drawn(), for_owner_of=None)
    content = site.path.read_bytes()
    site.path.write_bytes(b"damaged" * 1000)
    assert settle(site.path, site.key_path) is False
    assert next_of(site.key_path).exists()
    site.path.write_bytes(content)
    assert settle(site.path, site.key_path) is False
    assert not next_of(site.key_path).exists()


@pytest.mark.parametrize("content", [b"", b"ab" * 31, b"xy" * 32])
def test_half_of_a_key_that_waits_is_dropped(site, content):
    next_of(site.key_path).write_bytes(content)
    assert people(site) == OLD
    assert settle(site.path, site.key_path) is False
    assert people(site) == OLD


def test_a_key_that_is_neither_is_told_as_another(site):
    site.key_path.write_text("00" * 32)
    key.write_next(site.key_path, RosterKey.drawn(), for_owner_of=None)
    here = RosterKey.load(site.key_path).id.hex()
    with pytest.raises(OtherKeyError, match=f"roster.key is {here}; put the site's key there"):
        people(site)


def test_a_server_and_an_erasure_use_the_key_that_the_roster_names(site, monkeypatch):
    assert key_in_force(site.path, site.key_path).id == site.key.id
    fresh = RosterKey.drawn()
    monkeypatch.setattr(changing, "take_next", lambda _path: None)  # the power went
    change(site, fresh)
    assert RosterKey.load(site.key_path).id == site.key.id
    assert key_in_force(site.path, site.key_path).id == fresh.id
    site.path.unlink()
    assert key_in_force(site.path, site.key_path).id == site.key.id


# ------------------------------------------------------------------------- erased, and ownership


def test_digests_of_the_old_key_are_no_longer_kept_for_anybody(site):
    with RosterWriter.open(site.path, site.key) as writer:
        writer.erase("ben", 1000)
    with Roster(site.path, site.key_path) as roster:
        assert roster.last_erased_utc_s() == 1000
        change(site, RosterKey.drawn())
        assert roster.last_erased_utc_s() is None
        assert roster.erased() == frozenset()


def test_with_the_same_key_they_are_kept(site):
    with RosterWriter.open(site.path, site.key) as writer:
        writer.erase("ben", 1000)
    site.bring(SECOND)
    with Roster(site.path, site.key_path) as roster:
        assert len(roster.erased()) == 1


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_key_that_root_draws_is_for_the_gates_user_alone(tmp_path):
    gate = tmp_path / "gate"
    gate.mkdir()
    os.chown(gate, 48711, 48712)
    os.chown(tmp_path, 0, 48712)
    path = tmp_path / "roster.key"
    RosterKey.load_or_make(path, for_owner_of=gate)
    made = path.stat()
    assert (stat.S_IMODE(made.st_mode), made.st_uid, made.st_gid) == (0o600, 48711, 48712)
    key.write_next(path, RosterKey.drawn(), for_owner_of=gate)
    waits = next_of(path).stat()
    assert (stat.S_IMODE(waits.st_mode), waits.st_uid, waits.st_gid) == (0o600, 48711, 48712)
