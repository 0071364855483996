"""`gatepost roster` and `gatepost erase`, as a technician types them."""

import io
import json
import os
import sys
from contextlib import ExitStack

import pytest

from gatepost.cli.main import main
from gatepost.wiring.good_start import GoodStart
from gatepost.wiring.passes import Passes
from gatepost_config.load import load
from gatepost_hal.ports import Direction
from gatepost_hal.simulated.world import World
from gatepost_services.contract.events import Envelope
from gatepost_services.journal import Entry, Journal
from gatepost_services.roster import Roster
from gatepost_services.whereabouts import Row, Whereabouts

PEOPLE = "credential,subject,category,household\nP1,anna,resident,h1\nP2,ben,works,\n"


@pytest.fixture
def gatepost(config, capsys):
    """Run `gatepost roster ...`; return status, output, errors."""

    def run(*words, command="roster"):
        try:
            status = main([command, "--config", str(config), *map(str, words)])
        except SystemExit as end:
            status = end.code
        return (status, *capsys.readouterr())

    return run


@pytest.fixture
def people(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE)
    os.utime(path, (1_648_955_400, 1_648_955_400))
    return path


@pytest.fixture
def roster(tmp_path):
    with Roster(tmp_path / "roster.db", tmp_path / "roster.key") as made:
        yield made


def shown(gatepost):
    return json.loads(gatepost("show", "--json")[1])


def test_an_import_says_what_came_and_the_first_one_makes_the_key(gatepost, people, roster):
    status, out, _ = gatepost("import", people)
    assert status == 0
    assert "version 1, as of 2022-04-03T03:10:00Z: 2 passes; 2 came, 0 changed, 0 went" in out
    assert "made the key" in out
    assert roster.look_up("P1").subject == "anna"
    people.write_text(PEOPLE.replace("works", "visitor").replace("anna", "cleo"))
    status, out, _ = gatepost("import", people, "--as-of", "2022-04-04T00:00:00+08:00")
    assert "version 2, as of 2022-04-03T16:00:00Z: 2 passes; 0 came, 2 changed, 0 went" in out
    assert "key" not in out


def test_a_delta_is_applied_as_one_and_to_its_base_alone(gatepost, people, tmp_path, roster):
    gatepost("import", people)
    digest = shown(gatepost)["digest"]
    delta = tmp_path / "delta.csv"
    delta.write_text("change,credential,subject,category\nput,P3,dora,visitor\nremove,P2,,\n")
    status, _, error = gatepost("import", delta)
    assert (status, "is a delta; say --delta" in error) == (1, True)
    status, _, error = gatepost("import", people, "--delta")
    assert (status, "is a whole roster; leave --delta out" in error) == (1, True)
    status, _, error = gatepost("import", delta, "--delta", "--base", "0" * 64)
    assert (status, "is for another one; nothing was changed" in error) == (1, True)
    assert shown(gatepost)["digest"] == digest
    status, out, _ = gatepost("import", delta, "--delta", "--base", digest)
    assert (status, "2 passes; 1 came, 0 changed, 1 went" in out) == (0, True)
    assert roster.look_up("P2") is None


def test_standard_input_is_a_file_too(gatepost, monkeypatch, roster):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(PEOPLE.encode())))
    assert gatepost("import", "-", "--as-of", "2022-04-03T03:10:00Z")[0] == 0
    assert roster.state().as_of_utc == "2022-04-03T03:10:00Z"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("import", "/nothing"), 1, "/nothing: cannot be read: No such file"),
        (("import", "x", "--as-of", "2022-04-03"), 2, "no time with its zone"),
        (("import", "x", "--as-of", "soon"), 2, "no time with its zone"),
        (("import", "x", "--base", "0" * 64), 2, "say --delta as well"),
        (("import", "x", "--delta", "--base", "7"), 2, "64 hexadecimal digits"),
        (("export",), 1, "gatepost roster import"),
        (("show",), 2, "gatepost roster import"),
        (("status",), 2, "gatepost roster import"),
        (("compare", "0" * 64), 2, "gatepost roster import"),
    ],
)
def test_what_cannot_be_done_is_told(gatepost, words, status, said, tmp_path):
    found, out, error = gatepost(*words)
    assert (found, out, said in error) == (status, "", True)
    assert not (tmp_path / "roster.db").exists()


def test_a_wrong_line_is_told_and_nothing_is_changed(gatepost, people):
    gatepost("import", people)
    before = shown(gatepost)
    people.write_text(PEOPLE + "SECRET,anna,visitor,\n")
    status, _, error = gatepost("import", people)
    assert (status, "people.csv:4: category or household" in error) == (1, True)
    assert "SECRET" not in error
    assert shown(gatepost) | {"age_days": 0} == before | {"age_days": 0}


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_an_export_holds_digests_and_compares_as_the_same(gatepost, people, tmp_path, form):
    gatepost("import", people)
    status, out, _ = gatepost("export", *form)
    assert status == 0
    assert "anna" in out
    assert "P1" not in out
    exported = tmp_path / "exported"
    exported.write_text(out)
    assert gatepost("compare", exported)[:2] == (0, "the same\n")
    assert gatepost("compare", people)[0] == 0
    assert gatepost("import", exported)[0] == 0


def test_compare_says_who_differs_with_status_1(gatepost, people):
    gatepost("import", people)
    rows = [f"Q{number},s{number:02},visitor,\n" for number in range(30)]
    people.write_text(
        PEOPLE.replace("resident", "tenant").replace("P2,ben", "P9,ben") + "".join(rows)
    )
    status, out, _ = gatepost("compare", people)
    missing, surplus, different = out.splitlines()
    assert status == 1
    assert missing.startswith("31 passes are missing on the gate, of: ben, s00, s01")
    assert missing.endswith("s18 and 11 more")
    assert surplus == "1 passes are on the gate alone, of: ben"
    assert different == "1 passes are different, of: anna"
    status, out, _ = gatepost("compare", people, "--json")
    assert json.loads(out)["missing"] == ["ben", *(f"s{number:02}" for number in range(30))]
    assert json.loads(out)["same"] is False


def test_a_digest_is_compared_as_well(gatepost, people):
    gatepost("import", people)
    digest = shown(gatepost)["digest"]
    assert gatepost("compare", digest)[:2] == (0, "the same\n")
    other = digest[::-1]
    assert gatepost("compare", other)[:2] == (1, f"another one: the digest here is {digest}\n")
    assert json.loads(gatepost("compare", other, "--json")[1]) == {"same": False, "digest": digest}


def test_a_delta_is_not_compared(gatepost, people):
    gatepost("import", people)
    people.write_text("change,credential,subject,category\n")
    status, _, error = gatepost("compare", people)
    assert (status, "is a delta; compare a whole roster" in error) == (2, True)


def test_show_says_which_roster_it_is_and_of_whom(gatepost, people, config):
    people.write_text(
        "credential,subject,category,mark\nP1,anna,resident,\nP2,ben,works,\nP3,ben,works,duress\n"
    )
    gatepost("import", people, "--as-of", "2022-04-03T03:10:00Z")
    config.write_text(config.read_text() + "[roster]\nmax_age_days = 10\n")
    status, out, _ = gatepost("show")
    assert status == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "passes 3 of 2 people" in lines
    assert {"category works 2", "category resident 1", "mark duress 1"} <= set(lines)
    assert "max_age_days is 10: too old" in out
    found = shown(gatepost)
    assert (found["version"], found["as_of"]) == (1, "2022-04-03T03:10:00Z")
    assert (found["passes"], found["subjects"]) == (3, 2)
    assert found["categories"] == {"works": 2, "resident": 1}


def test_a_roster_of_tomorrow_is_told(gatepost, people):
    gatepost("import", people, "--as-of", "9999-01-01T00:00:00Z")
    assert "in the future" in gatepost("show")[1]


# ---------------------------------------------------------------------------------------- erase


@pytest.fixture
def lived(gatepost, people, config, tmp_path):
    """A gate at which anna and ben were seen, and of which the journal tells."""
    gatepost("import", people)
    config.write_text(config.read_text() + '[passback]\nmode = "timed"\n')
    with Whereabouts.open(tmp_path / "gate" / "whereabouts.db") as whereabouts:
        for subject in ("anna", "ben"):
            whereabouts.note(Row(subject, "inside", "b", 1.0, 2.0))
    with Journal(tmp_path / "gate" / "journal.db", Envelope("s", "g", "b")) as journal:
        told = [{"subject": "anna"}, {"subject": "anna-b"}, {"subject": "anna", "x": 1}, {}]
        journal.append([Entry("passage.entered", 0.0, 0.0, data) for data in told])
    return tmp_path


def test_whoever_is_erased_is_gone_and_what_is_left_is_told(gatepost, lived, roster):
    status, out, error = gatepost("anna", "--yes", command="erase")
    assert (status, error) == (0, "")
    assert "roster: 1 passes removed; version 2" in out
    assert "whereabouts: removed" in out
    assert "journal: 2 events name this subject" in out
    assert "at most 90 days" in out
    assert "server: has its own events" in out
    assert roster.person("anna") is None
    assert roster.person("ben").category == "works"
    with Whereabouts.open(lived / "gate" / "whereabouts.db") as whereabouts:
        assert list(whereabouts.all()) == ["ben"]
    assert b"anna" not in (lived / "gate" / "whereabouts.db").read_bytes()
    assert "whereabouts: nothing was known" in gatepost("anna", "--yes", command="erase")[1]


def test_a_running_gate_forgets_whoever_is_erased(gatepost, lived, config):
    with ExitStack() as closing:
        passes = Passes(load(config), World(), "b", closing)
        anna, ben = passes.look_up("P1"), passes.look_up("P2")
        passes.note("anna", Direction.ENTRY)
        passes.note("ben", Direction.ENTRY)
        status, out, _ = gatepost("anna", "--yes", command="erase")
        assert (status, "the running gate forgets" in out) == (0, True)
        assert passes.look_up("P1") is None
        assert set(passes.roster_faults().values()) == {None}
        assert passes.object_to(anna) is None
        assert passes.object_to(ben) is not None
    with Whereabouts.open(lived / "gate" / "whereabouts.db") as whereabouts:
        assert list(whereabouts.all()) == ["ben"]


def test_a_gate_that_starts_later_forgets_as_well(gatepost, lived, config):
    with Whereabouts.open(lived / "gate" / "whereabouts.db"):  # as a gate has it
        assert gatepost("anna", "--yes", command="erase")[0] == 0
    with ExitStack() as closing:
        passes = Passes(load(config), World(), "b", closing)
        passes.roster_faults()
    with Whereabouts.open(lived / "gate" / "whereabouts.db") as whereabouts:
        assert list(whereabouts.all()) == ["ben"]


def test_what_was_set_aside_is_named(gatepost, lived):
    aside = lived / "gate" / "whereabouts.db.broken-1"
    aside.touch()
    assert f"set aside: {aside}" in gatepost("anna", "--yes", command="erase")[1]


def test_a_roster_of_the_server_that_still_names_somebody_is_named(gatepost, lived):
    incoming = lived / "link" / "incoming"
    incoming.mkdir()
    for digest, content in {"a1": PEOPLE, "b2": "P2,ben,works", "c3": ""}.items():
        (incoming / digest).write_text(content)
    told = "roster of the server: {} may still name this subject"
    out = gatepost("anna", "--yes", command="erase")[1]
    assert [told.format(incoming / name) in out for name in ("a1", "b2", "c3")] == [1, 0, 0]


@pytest.mark.usefixtures("lived")
def test_a_broken_file_of_settings_keeps_nobody_from_being_erased(gatepost, config, roster, caplog):
    start = GoodStart(load(config), world := World())
    world.advance(20.0)
    start.due()
    config.write_text(f"{config.read_text()}[lane\n")
    status, out, _ = gatepost("anna", "--yes", command="erase")
    assert (status, "roster: 1 passes removed" in out) == (0, True)
    assert "goes on with its last good settings" in caplog.text
    assert roster.person("anna") is None


def test_who_is_inside_as_a_visitor_is_told(gatepost, lived):
    (lived / "gate" / "ledger.json").write_text('{"anna": {}}')
    assert "ledger: names this subject" in gatepost("anna", "--yes", command="erase")[1]
    assert "ledger:" not in gatepost("ben", "--yes", command="erase")[1]


def test_without_a_roster_and_whereabouts_there_is_nothing_to_erase(gatepost):
    status, out, error = gatepost("anna", "--yes", command="erase")
    assert (status, "nobody of the name anna is kept here" in error) == (1, True)
    assert "roster: there is none" in out
    assert "whereabouts: there are none" in out


@pytest.mark.parametrize("runs", [False, True])
def test_a_name_that_nobody_has_is_told(gatepost, lived, runs):
    with ExitStack() as open_files:
        if runs:
            open_files.enter_context(Whereabouts.open(lived / "gate" / "whereabouts.db"))
        status, out, error = gatepost("ann", "--yes", command="erase")
        assert (status, "nobody of the name ann is kept here" in error) == (1, True)
        assert "journal: 0 events name this subject" in out
        assert "they stay" not in out
        for who in ("anna-b", "ben", "anna", "anna"):  # in the journal alone; and in it at last
            status, _, error = gatepost(who, "--yes", command="erase")
            assert (who, status, error) == (who, 0, "")


def test_whoever_was_only_seen_is_kept(gatepost, lived):
    with Whereabouts.open(lived / "gate" / "whereabouts.db") as of_the_gate:
        of_the_gate.note(Row("dora", "inside", "b", 1.0, 2.0))
        assert gatepost("dora", "--yes", command="erase")[0] == 0


@pytest.mark.parametrize(
    ("file", "content"),
    [("gate/ledger.json", '{"dora": {}}'), ("link/incoming/a1", "P9,dora,works")],
)
def test_whoever_is_in_another_file_is_kept(gatepost, lived, file, content):
    path = lived / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    assert gatepost("dora", "--yes", command="erase")[0] == 0


def test_without_a_roster_the_running_gate_is_to_be_stopped_first(gatepost, lived, tmp_path):
    (tmp_path / "roster.db").unlink()
    with Whereabouts.open(lived / "gate" / "whereabouts.db"):
        status, _, error = gatepost("anna", "--yes", command="erase")
    assert (status, "stop it, and say this again" in error) == (1, True)


@pytest.mark.usefixtures("lived")
def test_the_wrong_key_is_told_and_the_rest_is_done(gatepost, tmp_path):
    (tmp_path / "roster.key").write_text("00" * 32)
    status, out, error = gatepost("anna", "--yes", command="erase")
    assert (status, "roster: nothing was removed" in error) == (1, True)
    assert "whereabouts: removed" in out


@pytest.mark.usefixtures("lived")
def test_nobody_is_erased_unasked(gatepost, monkeypatch, roster):
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    assert gatepost("anna", command="erase")[0] == 2
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert roster.person("anna") is not None
    assert gatepost("anna", command="erase")[0] == 0
    assert roster.person("anna") is None
    monkeypatch.setattr(sys, "stdin", io.StringIO("no\n"))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    status, _, error = gatepost("ben", command="erase")
    assert (status, "nothing was removed" in error) == (1, True)
    assert roster.person("ben") is not None
