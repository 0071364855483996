"""Enrolment as its unit does it: one process has the network, another, root's, has the card."""

import os

import pytest

from gatepost.provision.card import REPORT, USED_TOKEN

from .provision_rig import Desk, Gate, Office, new_token, tree


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    made = Office(tmp_path_factory.mktemp("office") / "ca")
    yield made
    made.close()


@pytest.fixture
def desk(tmp_path, capsys):
    return Desk(tmp_path, capsys)


class Unit:
    """gatepost-first-enrol.service, and the machine that it runs on."""

    def __init__(self, folder, desk):
        self.gate = Gate(folder / "gate")
        self.gate.config.write_text(self.gate.settings("apart"))
        self.answer = folder / "answer"
        self._copies, self._desk = folder / "credentials", desk
        for each in (self._copies, self.answer):
            each.mkdir()

    def enrol(self, status=0):
        """Do as ExecStart=: with systemd's copies."""
        for name, missing in (("enrolment-token", None), ("site-ca.pem", b"none")):
            path = self.gate.boot / name
            content = path.read_bytes() if path.exists() else missing
            (self._copies / name).write_bytes(content)
        words = ("first-boot", "--boot", self._copies, "--config", self.gate.config)
        before = tree(self.gate.boot), tree(self._copies), tree(self.gate.etc)
        said = self._desk.run(*words, "--apart", self.answer, status=status)
        assert before == (tree(self.gate.boot), tree(self._copies), tree(self.gate.etc))
        return said

    def finish(self, status=0):
        """Do as ExecStopPost=."""
        return self._desk.run(*self.gate.words("--finish", self.answer), status=status)


@pytest.fixture
def unit(tmp_path, desk, office):
    unit = Unit(tmp_path, desk)
    unit.gate.insert_token(new_token(office, "apart"), office.url)
    return unit


def test_what_enrols_changes_nothing_at_the_card_and_root_does_it(unit):
    said = unit.enrol()
    assert said.startswith("ok: north/apart has its settings, and its certificate")
    assert unit.gate.names() == {"enrolment-token"}
    assert "wiped from the card" in unit.finish()
    assert unit.gate.names() == {REPORT}
    assert unit.gate.report == said
    assert not (unit.gate.tls / "first-boot.json").exists()


def test_settings_on_the_card_are_not_its_business(unit):
    held = unit.gate.config.read_text()
    (unit.gate.boot / "gatepost.toml").write_text(unit.gate.settings("another"))
    unit.enrol()
    unit.finish()
    assert unit.gate.config.read_text() == held
    assert unit.gate.names() == {REPORT, "gatepost.toml"}


def test_the_authority_on_the_card_counts(unit, office):
    (unit.gate.boot / "site-ca.pem").write_bytes(b"another")
    assert "it is of another authority than site-ca.pem" in unit.enrol(status=2)
    (unit.gate.boot / "site-ca.pem").write_bytes(office.authority.pem)
    unit.enrol()


def test_without_a_network_the_card_tells_why_and_keeps_the_token(unit, office):
    token = unit.gate.boot / "enrolment-token"
    held = token.read_bytes()
    token.write_bytes(held.replace(office.url.encode(), b"https://localhost:1"))
    said = unit.enrol(status=1)
    assert "It goes on trying by itself" in said
    assert "nothing more to do" in unit.finish()
    assert unit.gate.report == said
    token.write_bytes(held)
    unit.enrol()
    unit.finish()
    assert unit.gate.names() == {REPORT}


def test_a_power_cut_between_the_two_uses_the_token_once(unit, office):
    unit.enrol()
    issued = office.issued("apart")
    for path in unit.answer.iterdir():  # it lies in memory
        path.unlink()
    unit.finish()
    assert "enrolment-token" in unit.gate.names()
    unit.enrol()
    unit.finish()
    assert unit.gate.names() == {REPORT}
    assert office.issued("apart") == issued


def test_a_card_that_was_exchanged_meanwhile_keeps_its_token(unit, office):
    unit.enrol()
    unit.gate.insert_token(new_token(office, "apart"), office.url)
    assert "nothing more to do" in unit.finish()
    assert "enrolment-token" in unit.gate.names()


def test_nothing_left_is_nothing_to_do(unit):
    before = tree(unit.gate.boot)
    assert "nothing more to do" in unit.finish()
    assert tree(unit.gate.boot) == before


@pytest.mark.parametrize("name", [REPORT, USED_TOKEN])
@pytest.mark.parametrize("trick", ["symlink", "second name", "pipe", "folder"])
def test_what_it_leaves_in_place_of_a_file_is_not_read(unit, name, trick, tmp_path):
    secret = tmp_path / "shadow"
    secret.write_text("a secret of root's")
    left = unit.answer / name
    match trick:
        case "symlink":
            left.symlink_to(secret)
        case "second name":
            os.link(secret, left)
        case "pipe":
            os.mkfifo(left)
        case _:
            left.mkdir()
    before = tree(unit.gate.boot)
    said = unit.finish(status=1)
    assert str(left) in said
    assert "a secret" not in said
    assert tree(unit.gate.boot) == before


def test_a_report_without_end_does_not_fill_the_card(unit):
    (unit.answer / REPORT).write_bytes(b"x" * 5_000_000)
    unit.finish()
    assert len(unit.gate.report) == 4096


def test_the_two_are_not_said_at_once(unit, desk):
    words = unit.gate.words("--finish", unit.answer, "--apart", unit.answer)
    assert "not allowed with" in desk.run(*words, status=2)
