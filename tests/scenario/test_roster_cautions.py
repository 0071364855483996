"""What `gatepost roster import` asks and warns of: lists that look like a slip."""

import io
import json
import sys

import pytest

from gatepost.cli.main import main
from gatepost_services.roster import Roster

HEADER = "credential,subject,category\n"


@pytest.fixture
def take(config, capsys, tmp_path):
    """Import a list; return status, output, errors."""

    def run(text, *words):
        path = tmp_path / "list.csv"
        path.write_text(text)
        return typed("import", str(path), *words)

    def typed(*words):
        try:
            status = main(["roster", "--config", str(config), *words])
        except SystemExit as end:
            status = end.code
        return (status, *capsys.readouterr())

    run.typed = typed
    return run


def people(first, through):
    return HEADER + "".join(f"P{n},s{n},resident\n" for n in range(first, through + 1))


def answers(monkeypatch, text):
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)


def members(tmp_path):
    with Roster(tmp_path / "roster.db", tmp_path / "roster.key") as roster:
        return roster.state().members


@pytest.mark.parametrize("nobody", [HEADER, json.dumps({"type": "roster", "members": []})])
def test_a_list_of_nobody_is_refused_unless_it_is_said(take, tmp_path, nobody):
    assert take(people(1, 3))[0] == 0
    status, out, err = take(nobody, "--yes")
    assert (status, out) == (1, "")
    assert "list.csv: nobody is in it; if all passes are to go, say --empty" in err
    assert members(tmp_path) == 3
    status, out, _ = take(nobody, "--empty")
    assert (status, "0 passes; 0 came, 0 changed, 3 went" in out) == (0, True)


def test_a_delta_of_nobody_is_no_list_of_nobody(take, tmp_path):
    take(people(1, 3))
    assert take("change," + HEADER, "--delta")[0] == 0
    assert members(tmp_path) == 3


@pytest.mark.parametrize(
    ("before", "after", "asked"),
    [
        ((1, 10), (1, 4), "6 of the 10 passes here would go."),
        ((1, 11), (1, 5), "6 of the 11 passes here would go."),
        ((1, 10), (11, 30), "10 of the 10 passes here would go."),
    ],
)
def test_a_list_that_lets_most_passes_go_is_asked_about(take, monkeypatch, before, after, asked):
    assert take(people(*before))[0] == 0
    answers(monkeypatch, "no\n")
    status, out, err = take(people(*after))
    assert (status, asked in out, "nothing was changed" in err) == (1, True, True)
    answers(monkeypatch, "yes\n")
    status, out, _ = take(people(*after))
    assert (status, f" {after[1] - after[0] + 1} passes;" in out) == (0, True)


@pytest.mark.parametrize(("before", "after"), [(10, 5), (9, 1)])
def test_a_list_that_lets_few_go_is_taken_unasked(take, before, after):
    assert take(people(1, before))[0] == 0
    status, out, _ = take(people(1, after))
    assert (status, "would go" in out) == (0, False)


def test_where_nobody_can_be_asked_it_is_refused_unless_it_is_meant(take, tmp_path, monkeypatch):
    take(people(1, 10))
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    status, _, err = take(people(1, 2))
    assert (status, "say --yes" in err) == (2, True)
    assert members(tmp_path) == 10
    assert take(people(1, 2), "--yes")[0] == 0
    assert members(tmp_path) == 2


def test_a_roster_of_another_key_is_replaced_unasked(take, tmp_path):
    take(people(1, 10))
    (tmp_path / "roster.key").write_text("00" * 32)
    assert take(people(1, 2))[0] == 0
    assert members(tmp_path) == 2


def test_what_a_full_disk_left_of_an_import_is_told_with_the_remedy(take, tmp_path):
    take(people(1, 3))
    for name in ("roster.db", "roster.db-wal", "roster.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "roster.db").touch()
    status, _, err = take.typed("show")
    assert (status, "still empty" in err, "gatepost roster import" in err) == (2, True, True)
    assert take(people(1, 3))[0] == 0
    assert take.typed("show")[0] == 0


def test_a_category_that_no_order_knows_is_told_and_taken(take, tmp_path):
    text = people(1, 3).replace("s2,resident", "s2,residnt") + "P8,s8,qqq\nP9,s9,qqq\n"
    status, _, err = take(text)
    path = tmp_path / "list.csv"
    assert (status, members(tmp_path)) == (0, 5)
    assert err.splitlines() == [
        f"gatepost: {path}:3: no order knows the category residnt (1 passes); "
        "did you mean resident?",
        f"gatepost: {path}:5: no order knows the category qqq (2 passes)",
    ]


def test_a_category_in_a_delta_and_in_json_is_looked_at_as_well(take):
    assert take(people(1, 3))[2] == ""
    delta = "change,credential,subject,category\nput,P4,s4,vistor\nremove,P1,,\n"
    assert "list.csv:2: no order knows the category vistor" in take(delta, "--delta")[2]
    member = {"credential": "P5", "subject": "s5", "category": "curier"}
    told = take(json.dumps({"type": "roster", "members": [member]}))[2]
    assert "no order knows the category curier (1 passes); did you mean courier?" in told
