"""`gatepost roster key` as it is typed: what it shows, asks and changes; never the key."""

import io
import json
import os
import re
import stat
import sys

import pytest

from gatepost.cli.main import main
from gatepost_services.roster import Roster, RosterKey
from gatepost_services.roster.documents import read_document
from gatepost_services.roster.key import next_of, write_next
from gatepost_services.roster.writer import RosterWriter

PEOPLE = "credential,subject,category\nP1,anna,resident\nP2,ben,visitor\n"
LATER = "credential,subject,category\nP1,anna,visitor\nP3,cleo,resident\nP4,dora,resident\n"


class Gate:
    """A gate's files, and the command on them."""

    def __init__(self, folder, capsys):
        self.folder, self._capsys = folder, capsys
        self.key_path, self.roster = folder / "roster.key", folder / "gate/roster.db"
        self.roster.parent.mkdir()
        self._config = folder / "gatepost.toml"
        self._config.write_text(
            '[gate]\nsite = "north"\nname = "gate-1"\n[link]\nbroker_host = "h"\n[paths]\n'
            f'gate_dir = "{folder}/gate"\nroster = "{self.roster}"\n'
            f'roster_key = "{self.key_path}"\n'
        )

    def list(self, text, name="people.csv"):
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def __call__(self, *words):
        status = None
        try:
            status = main(["roster", words[0], "--config", str(self._config), *words[1:]])
        except SystemExit as ended:
            status = ended.code
        printed = self._capsys.readouterr()
        assert self.secret not in printed.out + printed.err
        return status, printed.out, printed.err

    @property
    def secret(self):
        return self.key_path.read_text().strip() if self.key_path.exists() else "no key yet"

    def finds(self, credential):
        with Roster(self.roster, self.key_path) as roster:
            found = roster.look_up(credential)
        return found and found.subject


@pytest.fixture
def gate(tmp_path, capsys):
    made = Gate(tmp_path, capsys)
    assert made("import", made.list(PEOPLE))[0] == 0
    return made


@pytest.fixture
def answer(monkeypatch):
    def type_(text):
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)

    return type_


# ------------------------------------------------------------------------------------------- show


def test_it_shows_all_of_the_key_but_the_key(gate):
    status, out, _ = gate("key")
    assert status == 0
    key = RosterKey.load(gate.key_path)
    assert f"{key.id.hex()}, of {gate.key_path}" in out
    assert "mode 0600" in out
    assert "made with this key, version 1" in out
    assert "0.0 days ago" in out


def test_the_same_as_json(gate):
    status, out, _ = gate("key", "--json")
    found = json.loads(out)
    assert status == 0
    assert found["key"] == found["roster_key"] == RosterKey.load(gate.key_path).id.hex()
    assert (found["mode"], found["version"]) == ("0600", 1)
    assert set(found) == {
        *("file", "key", "written", "age_days", "user", "group", "mode", "roster_key", "version")
    }


def test_a_key_of_another_roster_is_told(gate):
    ours = RosterKey.load(gate.key_path).id.hex()
    gate.key_path.write_text("00" * 32)
    _, out, _ = gate("key")
    assert f"made with another key, {ours}: put that one there" in out


def test_a_key_without_a_roster_and_no_key_at_all(gate):
    gate.roster.unlink()
    assert "none yet: gatepost roster import" in gate("key")[1]
    gate.key_path.unlink()
    status, _, err = gate("key")
    assert status == 1
    assert "no key of the roster there" in err


# ----------------------------------------------------------------------------------------- change


def test_another_key_with_another_list(gate):
    before = gate.secret
    with Roster(gate.roster, gate.key_path) as runs:  # the gate's
        assert runs.look_up("P2").subject == "ben"
        status, out, _ = gate("key", "--change", gate.list(LATER), "--yes")
        assert runs.look_up("P2") is None
        assert runs.look_up("P3").subject == "cleo"
    assert status == 0
    assert gate.secret != before
    told = "The list has 3 passes, the roster here 2: 2 come, 1 go, 1 change."
    assert told in out
    assert f"version 2, 3 passes, made with the key {RosterKey.load(gate.key_path).id.hex()}" in out
    assert stat.S_IMODE(gate.key_path.stat().st_mode) == 0o600
    assert not next_of(gate.key_path).exists()
    assert before not in out


@pytest.mark.parametrize("said", ["no\n", "\n", "perhaps\n"])
def test_without_a_yes_nothing_is_changed(gate, answer, said):
    before = gate.secret
    answer(said)
    status, out, err = gate("key", "--change", gate.list(LATER))
    assert (status, gate.secret) == (1, before)
    assert "nothing was changed" in err
    assert "Every other gate of the site" in out
    assert gate.finds("P2") == "ben"


def test_a_yes_is_enough(gate, answer):
    answer("yes\n")
    assert gate("key", "--change", gate.list(LATER))[0] == 0
    assert gate.finds("P3") == "cleo"


def test_where_nobody_can_be_asked_it_wants_yes(gate, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    status, _, err = gate("key", "--change", gate.list(LATER))
    assert status == 2
    assert "say --yes" in err
    assert gate.finds("P2") == "ben"


def test_the_other_gates_take_the_same_key(gate, tmp_path, capsys):
    assert gate("key", "--change", gate.list(LATER), "--yes")[0] == 0
    other = tmp_path / "other"
    other.mkdir()
    second = Gate(other, capsys)
    assert second("import", second.list(PEOPLE))[0] == 0
    words = ("key", "--change", second.list(LATER), "--key", str(gate.key_path), "--yes")
    assert second(*words)[0] == 0
    assert second.secret == gate.secret
    assert second.finds("P4") == "dora"
    status, _, err = second(*words)
    assert status == 1
    assert "made with this key already" in err


def test_a_list_of_digests_is_refused(gate):
    _, exported, _ = gate("export")
    before = gate.secret
    status, _, err = gate("key", "--change", gate.list(exported), "--yes")
    assert (status, gate.secret) == (1, before)
    assert "holds digests, which no other key can use" in err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("change,credential,subject,category\nput,P9,zoe,resident\n", "is a delta"),
        ("credential,name\n", "the header must be"),
        ("", "the header must be"),
        ("credential,subject,category\n", "nobody is in it, and all passes would go"),
    ],
)
def test_what_is_no_whole_list_is_refused(gate, text, told):
    before = gate.secret
    status, _, err = gate("key", "--change", gate.list(text), "--yes")
    assert (status, gate.secret) == (1, before)
    assert told in err
    assert gate.finds("P2") == "ben"


def test_where_the_roster_is_broken_the_list_makes_a_new_one(gate):
    gate.roster.write_bytes(b"broken" * 1000)
    status, out, _ = gate("key", "--change", gate.list(LATER), "--yes")
    assert status == 0
    assert "cannot be compared" in out
    assert gate.finds("P3") == "cleo"
    assert list(gate.roster.parent.glob("roster.db.broken-*"))


def test_somebody_who_was_just_erased_is_forgotten_first(gate):
    now_utc_s = int(gate.roster.stat().st_mtime)  # a moment ago
    with RosterWriter.open(gate.roster, RosterKey.load(gate.key_path)) as writer:
        writer.erase("ben", now_utc_s - 600)
    status, _, err = gate("key", "--change", gate.list(LATER), "--yes")
    assert status == 1
    assert re.search("come again in (49|50|51) minutes", err)
    with RosterWriter.open(gate.roster, RosterKey.load(gate.key_path)) as writer:
        writer.erase("ben", now_utc_s - 3601)
    assert gate("key", "--change", gate.list(LATER), "--yes")[0] == 0


def test_what_a_power_cut_left_is_finished_and_told(gate):
    fresh = RosterKey.drawn()
    write_next(gate.key_path, fresh, for_owner_of=None)
    with RosterWriter.open(gate.roster, fresh) as writer:
        writer.replace(read_document(LATER.encode(), "l", fresh, as_of_utc_s=0))
    assert gate.finds("P3") == "cleo"
    status, out, _ = gate("key")
    assert status == 0
    assert out.startswith("A change of the key was cut short")
    assert RosterKey.load(gate.key_path).id == fresh.id
    assert "cut short" not in gate("key")[1]


@pytest.mark.parametrize(
    "words", [("--yes",), ("--key", "x"), ("--change", "x", "--json")], ids=" ".join
)
def test_words_that_do_not_go_together(gate, words):
    assert gate("key", *words)[0] == 2


@pytest.mark.skipif(os.getuid() != 0, reason="root may write everywhere")
def test_the_first_key_is_the_gates_users(tmp_path, capsys):
    made = Gate(tmp_path, capsys)
    os.chown(made.roster.parent, 48711, 0)
    assert made("import", made.list(PEOPLE))[0] == 0
    assert made.key_path.stat().st_uid == 48711
    assert made("key", "--change", made.list(LATER), "--yes")[0] == 0
    found = made.key_path.stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (48711, 0o600)
