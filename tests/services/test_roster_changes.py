"""Whole rosters and deltas: what they come to, and what changes nothing."""

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_services.roster import RosterError, RosterKey, Row
from gatepost_services.roster.comparing import differences
from gatepost_services.roster.rows import digest_of, line_of
from gatepost_services.roster.writer import Change, Delta, RosterWriter, Whole

from .roster_files import AS_OF_UTC_S, Site

HEADER = "credential,subject,category,household,mark\n"
FIRST = HEADER + "P1,anna,resident,h1,\nP2,anna,resident,h1,duress\nP3,ben,works,,isolated\n"
# One character a person, so that chance often meets the same one again: subject -> the rest.
ROWS = st.dictionaries(
    st.binary(min_size=32, max_size=32) | st.sampled_from([bytes([n]) * 32 for n in range(6)]),
    st.tuples(st.sampled_from("abcdef"), st.sampled_from(["", "duress", "isolated"])),
    max_size=8,
).map(lambda found: [Row(d, s, f"of {s}", "h" * (s > "c"), mark) for d, (s, mark) in found.items()])


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


@pytest.fixture
def writer(site):
    with RosterWriter.open(site.path, site.key) as made:
        yield made


def test_the_first_one_is_version_1_and_each_following_one_the_next(site, writer):
    assert writer.state()[0::3] == (0, 0)
    change = writer.replace(site.read(FIRST))
    assert change[:3] == (3, 0, 0)
    assert change.state == writer.state()
    assert change.state[:2] == (1, AS_OF_UTC_S)
    assert change.state.members == 3
    second = writer.replace(site.read(HEADER + "P1,anna,tenant,h1,\nP4,cleo,visitor,,\n"))
    assert second[:3] == (1, 1, 2)
    assert second.state.version == 2


def test_the_digest_is_that_of_the_sorted_lines(site, writer):
    rows = site.read(FIRST).rows
    state = writer.replace(Whole(rows[::-1], 0)).state
    assert state.digest == digest_of(rows) == digest_of(rows[1:] + rows[:1])
    assert state.digest != digest_of(rows[1:])
    first = Row(b"\x0a" * 32, "s", "c", "", "duress")
    assert line_of(first) == "0a" * 32 + "\ts\tc\t\tduress\n"


@settings(deadline=None, max_examples=40)  # each of them waits for the disk some times
@given(st.lists(ROWS, min_size=1, max_size=4))
def test_the_digest_after_deltas_is_that_of_the_whole(tmp_path_factory, stages):
    site = Site(tmp_path_factory.mktemp("roster"))
    now: dict[bytes, Row] = {}
    with RosterWriter.open(site.path, site.key) as writer:
        state = writer.replace(Whole([], 0)).state
        for number, rows in enumerate(stages):
            wanted = {row.digest: row for row in rows}
            put = [row for digest, row in wanted.items() if now.get(digest) != row]
            remove = [digest for digest in now if digest not in wanted]
            change = writer.apply(
                Delta(put, remove, number, state.version, state.digest, digest=digest_of(rows))
            )
            state = change.state
            assert change.added + change.changed == len(put)
            assert change.removed == len(remove)
            now = wanted
            assert (
                state
                == writer.state()
                == (number + 2, number, digest_of(rows), len(rows), site.key.id)
            )
        writer.check()
    with site.roster() as roster:
        kept = roster.rows()[1]
        assert sorted(kept) == kept == sorted(now.values())
        assert differences(kept, now.values()).are_none
        people = {row.subject: row for row in kept}
        for subject in "abcdef":
            mine = [row for row in kept if row.subject == subject]
            expected = None
            if mine:
                isolated = any(row.mark == "isolated" for row in mine)
                expected = (people[subject].category, people[subject].household or None, isolated)
            assert roster.person(subject) == expected


@given(ROWS, ROWS)
def test_what_differs_is_what_a_delta_would_change(rows, others):
    found = differences(rows, others)
    here = {row.digest: row for row in rows}
    there = {row.digest: row for row in others}
    assert len(found.missing) == len(there.keys() - here.keys())
    assert len(found.surplus) == len(here.keys() - there.keys())
    assert len(found.different) == sum(here[d] != there[d] for d in here.keys() & there.keys())
    assert found.are_none is (here == there)
    assert differences(others, rows) == (
        found.surplus,
        found.missing,
        sorted(here[d].subject for d in here.keys() & there.keys() if here[d] != there[d]),
    )


def refused(writer, change, message):
    before = writer.state()
    with pytest.raises(RosterError, match=message):
        writer.replace(change) if isinstance(change, Whole) else writer.apply(change)
    assert writer.state() == before
    writer.check()


def test_a_delta_for_another_roster_changes_nothing(site, writer):
    put = site.read(HEADER + "P9,zoe,visitor,,\n").rows
    refused(writer, Delta(put, [], 0), "no roster was imported yet")
    state = writer.replace(site.read(FIRST)).state
    refused(writer, Delta(put, [], 0, base_version=2), "is version 1, digest .*for another one")
    refused(writer, Delta(put, [], 0, 1, bytes(32)), "is for another one")
    refused(writer, Delta(put, [], 0, 1, state.digest, version=1), "does not follow version 1")
    refused(writer, Delta(put, [], 0, 1, state.digest, digest=bytes(32)), "its sender says 0000")
    refused(writer, Delta(put, [bytes(32)], 0), "1 of 1 passes to be removed are not on the roster")
    assert writer.apply(Delta(put, [], 9, 1, state.digest)).state[:2] == (2, 9)


def test_a_delta_or_a_roster_that_comes_again_changes_nothing(site, writer):
    first = site.read(FIRST)._replace(version=5)
    state = writer.replace(first).state
    assert writer.replace(first) == Change(0, 0, 0, state)
    put = site.read(HEADER + "P9,zoe,visitor,,\n").rows
    delta = Delta(put, [], 0, 5, state.digest, 8, digest_of(first.rows + put))
    after = writer.apply(delta).state
    assert after.version == 8
    assert writer.apply(delta) == Change(0, 0, 0, after)
    refused(writer, first, "version 5 does not follow version 8")
    refused(writer, first._replace(version=8), "another roster of the same version 8")


def test_a_subject_of_two_categories_or_households_is_refused(site, writer):
    writer.replace(site.read(FIRST))
    key = site.key
    for row in (
        Row(key.digest("P9"), "anna", "visitor", "h1"),
        Row(key.digest("P9"), "anna", "resident", "h2"),
        Row(key.digest("P1"), "anna", "resident", ""),
    ):
        refused(writer, Delta([row], [], 0), "two categories or in two households")
    both = [Row(key.digest(p), "anna", "tenant", "h2") for p in ("P1", "P2")]
    assert writer.apply(Delta(both, [], 0))[:3] == (0, 2, 0)


def test_another_key_takes_a_whole_roster_alone(site, writer):
    writer.replace(site.read(FIRST))
    writer.close()
    other = RosterKey(bytes(32))
    with RosterWriter.open(site.path, other) as another:
        refused(another, Delta([], [], 0), "put the site's key there")
        with pytest.raises(RosterError, match="put the site's key there"):
            another.erase("anna", 0)
        state = another.replace(Whole([Row(other.digest("P1"), "anna", "resident")], 0)).state
        assert state.key_id == other.id


def test_a_disk_that_fails_changes_nothing(site):
    class Failing(sqlite3.Connection):
        fails = False

        def execute(self, sql, *parameters):
            if Failing.fails and sql == "COMMIT":
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(sql, *parameters)

    with RosterWriter(site.path, site.key, connection_class=Failing) as writer:
        state = writer.replace(site.read(FIRST)).state
        Failing.fails = True
        with pytest.raises(RosterError, match="cannot change the roster"):
            writer.replace(site.read(HEADER))
        Failing.fails = False
        assert writer.state() == state
        with site.roster() as roster:
            assert roster.look_up("P3").subject == "ben"
