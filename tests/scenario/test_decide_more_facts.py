"""Facts that need not be there: who refuses, where somebody was, since when they are isolated."""

import json

import pytest

from gatepost.cli.main import main
from gatepost.core.facts import Refusal, Stay
from gatepost.wiring.facts_json import FactsError, facts_of

BARE = {"direction": "exit", "category": "resident"}
NOON = "2022-04-03T04:00:00Z"


def facts(**more):
    return facts_of(json.dumps({**BARE, **more}))


@pytest.mark.parametrize("more", [{}, {"refused": None, "stays": None}])
def test_nothing_of_it_is_said_where_nobody_says_it(more):
    known = facts(**more)
    assert (known.refused, known.stays, known.isolated_since) == (frozenset(), (), None)
    assert not known.isolated


def test_unknown_is_null_or_the_word_and_counts_as_if_it_was_not_there():
    said = facts(attempts_left=None, vouchers=None, zone="unknown")
    assert said == facts() == facts(attempts_left=1, vouchers=0, zone="none")
    assert facts(attempts_left=0).attempts_left == 0


def test_what_is_refused_is_a_list_of_words():
    known = facts(refused=["measuring", "proof", "proof"])
    assert known.refused == {Refusal.MEASURING, Refusal.PROOF}


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"refused": ["dinner"]}, "refused"),
        ({"refused": "proof"}, "refused"),
        ({"stays": [{"area": "Yantian"}]}, "stays"),
        ({"stays": [{"area": "", "until_utc": NOON}]}, "stays"),
        ({"isolation_since_utc": "yesterday"}, "isolation_since_utc"),
    ],
)
def test_what_cannot_be_is_told_by_its_key(more, key):
    with pytest.raises(FactsError, match=key):
        facts(**more)


def test_a_stay_has_an_area_and_an_end_in_utc():
    known = facts(stays=[{"area": "Yantian", "until_utc": "2022-04-03T12:00:00+08:00"}])
    (stay,) = known.stays
    assert stay == Stay("Yantian", stay.ended)
    assert stay.ended.isoformat() == "2022-04-03T04:00:00+00:00"


@pytest.mark.parametrize(("said", "is_isolated"), [({}, True), ({"isolation": False}, False)])
def test_who_is_isolated_since_some_time_is_isolated_unless_it_is_denied(said, is_isolated):
    assert facts(isolation_since_utc=NOON, **said).isolated is is_isolated


def test_the_command_decides_by_them(tmp_path, capsys):
    site = tmp_path / "site.toml"
    site.write_text("[areas]\nYantian = 2022-03-20T00:00:00\n", encoding="utf-8")
    path = tmp_path / "facts.jsonl"
    entering = {"category": "resident", "direction": "entry", "health_code": "green"}
    people = [
        {**entering, "zone": "none", "refused": ["measuring"]},
        {
            **entering,
            "zone": "pass",
            "stays": [{"area": "Yantian", "until_utc": NOON}],
            "now_utc": NOON,
        },
        {**BARE, "isolation_since_utc": "2022-03-20T04:00:00Z", "now_utc": NOON},
    ]
    path.write_text("\n".join(map(json.dumps, people)), encoding="utf-8")
    assert main(["decide", "--regime", "normal", "--site", str(site), str(path)]) == 0
    refusing, returning, listed = map(json.loads, capsys.readouterr().out.splitlines())
    assert (refusing["outcome"], refusing["reason"]) == ("refer", "refuses_measuring")
    assert returning["outcome"] == "admit_and_report"
    assert "R008" in returning["rules"]
    assert (listed["outcome"], listed["reason"]) == ("deny", "isolated")
    assert "R116" in listed["rules"]


def test_what_comes_besides_is_explained_as_no_way_through(capsys):
    command = ["regime", "explain", "normal", "--category", "resident", "--direction", "exit"]
    assert main(command) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "besides that (release_due): reported; tells community at once (R116)" in words
    assert "besides that (refuses_measuring): at the least waits for staff; tells police" in words


def test_areas_are_explained_with_their_dates_and_the_sites_line(tmp_path, capsys):
    site = tmp_path / "site.toml"
    site.write_text('[areas]\n"Liwan, Guangzhou" = 2021-05-07T00:00:00\n', encoding="utf-8")
    assert main(["regime", "explain", "normal", "--site", str(site)]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert (
        "risk area: Liwan, Guangzhou, by a stay that ended at 2021-05-07 00:00+08:00 or after it "
        "(R050 R060) [site site.toml:2]"
    ) in words
    assert main(["regime", "explain", "normal"]) == 0
    assert "by a stay that ended" not in capsys.readouterr().out
