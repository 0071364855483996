"""Rosters and deltas as JSON: what a server sends, and what is exported comes in again."""

import json

import pytest

from gatepost_services.roster import Member, RosterError
from gatepost_services.roster.csv_text import as_csv
from gatepost_services.roster.json_text import as_json
from gatepost_services.roster.rows import digest_of
from gatepost_services.roster.writer import Delta, Whole

from .roster_files import AS_OF_UTC_S, NAME, Site

MEMBER = {"credential": "SECRET", "subject": "s", "category": "resident"}
BASE = {"version": 1, "digest": "0" * 64}


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def whole(*members, **more):
    return json.dumps({"type": "roster", "members": members, **more})


def delta(**more):
    return json.dumps({"type": "roster-delta", "base": BASE, **more})


def test_a_whole_roster_says_its_version_and_when_it_was_true(site):
    found = site.read(whole(MEMBER, version=7, as_of="2022-04-03T05:10:30+02:00"))
    assert isinstance(found, Whole)
    assert (found.version, found.as_of_utc_s, found.digest) == (7, AS_OF_UTC_S + 30, None)
    site.bring(found)
    with site.roster() as roster:
        assert roster.look_up("SECRET") == Member("s", "resident")
        assert roster.state().as_of_utc == "2022-04-03T03:10:30Z"


def test_where_it_does_not_say_when_it_counts_as_the_file(site):
    assert site.read(whole(MEMBER)).as_of_utc_s == AS_OF_UTC_S


def test_a_delta_says_what_it_changes(site):
    gone = {"digest": "ab" * 32}
    found = site.read(delta(put=[MEMBER | {"household": "h"}], remove=[gone], version=2))
    assert isinstance(found, Delta)
    assert found.put[0][1:] == ("s", "resident", "h", "")
    assert found.remove == [bytes.fromhex("ab" * 32)]
    assert (found.base_version, found.base_digest, found.version) == (1, bytes(32), 2)


@pytest.mark.parametrize("form", ["csv", "json"])
def test_what_goes_out_comes_in_again_on_another_gate_of_the_site(site, tmp_path, form):
    site.bring(
        "credential,subject,category,household,mark\n"
        '"P,1","ann""a",resident,h1,\nP2,ben,works,,isolated\nŻ,ćma,v,ż,duress\n'
    )
    with site.roster() as roster:
        state, rows = roster.rows()
    text = "".join(as_csv(rows) if form == "csv" else as_json(state, rows))
    assert "P2" not in text
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "roster.key").write_bytes(site.key_path.read_bytes())
    (tmp_path / "other" / "roster.key").chmod(0o600)
    other = Site(tmp_path / "other")
    other.bring(text)
    with other.roster() as roster:
        assert roster.check().digest == state.digest == digest_of(rows)
        assert roster.look_up("P2") == Member("ben", "works", isolated=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", ":1: not JSON"),
        ('{"type": "roster",\n"members": [}', ":2: not JSON"),
        ("{}", ": Object missing required field `type`"),
        ('{"type": "SECRET"}', " type: Invalid value"),
        (whole(MEMBER, SECRET=1), ": Object contains unknown field"),
        (whole(MEMBER | {"SECRET": ""}), " members[0]: Object contains unknown field"),
        (whole(MEMBER | {"subject": 7}), " members[0].subject: Expected `str`"),
        (whole({"credential": "SECRET", "subject": "s"}), " members[0]: Object missing required"),
        (whole(MEMBER | {"mark": "SECRET"}), ": members[0]: mark is unknown"),
        (whole(MEMBER, MEMBER), ": members[1]: the credential of members[0] again"),
        (whole(MEMBER | {"credential": ""}), ": members[0]: either credential or digest"),
        (whole(MEMBER | {"digest": "ab" * 32}), ": members[0]: either credential or digest"),
        (whole(MEMBER | {"credential": "SECRET "}), ": members[0]: credential has blanks"),
        (whole(MEMBER, version=0), " version: Expected `int` >= 1"),
        (whole(MEMBER, as_of="2022-04-03T03:10:00"), " as_of: "),
        (whole(MEMBER, digest="AB" * 32), " digest: Expected `str` matching"),
        (whole(MEMBER, key="0" * 16), ": made with the key 0000000000000000, and the key here is"),
        ('{"type": "roster-delta"}', ": Object missing required field `base`"),
        (delta(remove=[{}]), ": remove[0]: either credential or digest"),
        (delta(put=[MEMBER], remove=[{"credential": "SECRET"}]), ": remove[0]: the credential of"),
        ('{"type": "roster", "members": ' + "[" * 100_000, ""),
    ],
)
def test_whatever_is_wrong_is_told_with_its_place_and_without_the_credential(site, text, message):
    with pytest.raises(RosterError) as caught:
        site.read(text)
    assert f"{NAME}:{message.removeprefix(':')}" in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None
