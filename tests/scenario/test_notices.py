"""What the gate pins up for the link: how it is, and the signed head of its journal."""

import json
import os

import pytest

from gatepost.wiring.notices import Notices
from gatepost_config.paths import Paths
from gatepost_hal.simulated.world import World
from gatepost_services.board import HEAD, REPORTED, BoardReader
from gatepost_services.commands.jws import Kind, is_signed_by, parse
from gatepost_services.credentials.signing import key_of_hex
from gatepost_services.journal import Entry, Journal

SOURCE = "/gatepost/s/g"
LANE = {"state": "idle", "standing": [], "inputs": {}, "passes_read": 0, "faults": []}


@pytest.fixture
def paths(tmp_path):
    for name in ("gate", "run"):
        (tmp_path / name).mkdir()
    return Paths(gate_dir=tmp_path / "gate", link_dir=tmp_path, run_dir=tmp_path / "run")


@pytest.fixture
def make(paths):
    made = []

    def make():
        made.append(Notices(paths, World(), source=SOURCE, about={"version": "1"}, documents=dict))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def journal(paths):
    from gatepost_services.contract.events import Envelope  # noqa: PLC0415

    with Journal(paths.journal, Envelope("s", "g", "boot-1")) as opened:
        yield opened


def head(paths):
    return BoardReader(paths.board).read(HEAD)


def reported(paths):
    return json.loads(BoardReader(paths.board).read(REPORTED))


def test_how_the_gate_is_stands_there(paths, make):
    make().report(LANE)
    said = reported(paths)
    assert (said["source"], said["version"], said["lane"]) == (SOURCE, "1", LANE)
    assert said["time_quality"] == "ntp"
    assert head(paths) is None  # there is no event yet


def test_the_head_is_signed_with_the_gates_own_key(paths, make, journal):
    journal.append([Entry("tamper.raised", 1.0, 2.0, {})])
    notices = make()
    notices.report(LANE)
    signed = parse(head(paths))
    key = key_of_hex(reported(paths)["device_key"])
    assert signed.kind is Kind.HEAD
    assert is_signed_by(signed, [key])
    claims = json.loads(signed.payload)
    assert (claims["source"], claims["seq"]) == (SOURCE, 1)
    assert claims["hash"] == journal_head(paths)
    journal.append([Entry("tamper.raised", 2.0, 3.0, {})])
    before = head(paths)
    notices.report(LANE)
    assert head(paths) != before
    assert json.loads(parse(head(paths)).payload)["seq"] == 2


def journal_head(paths):
    from gatepost_services.journal import JournalReader  # noqa: PLC0415

    with JournalReader(paths.journal) as reader:
        return reader.head()[1].hex()


def test_the_key_stays_and_is_the_gates_alone(paths, make):
    make().report(LANE)
    key = reported(paths)["device_key"]
    assert paths.device_key.stat().st_mode & 0o077 == 0
    make().report(LANE)
    assert reported(paths)["device_key"] == key


def test_a_head_that_could_not_be_pinned_is_pinned_later(paths, make, journal):
    journal.append([Entry("tamper.raised", 1.0, 2.0, {})])
    paths.board.write_text("in the way")
    notices = make()
    notices.report(LANE)
    paths.board.unlink()
    notices.report(LANE)
    assert json.loads(parse(head(paths)).payload)["seq"] == 1


@pytest.mark.parametrize("content", [b"", b"no key"])
def test_without_a_usable_key_the_rest_is_told(paths, make, journal, content):
    journal.append([Entry("tamper.raised", 1.0, 2.0, {})])
    paths.device_key.write_bytes(content)
    paths.device_key.chmod(0o600)
    make().report(LANE)
    assert reported(paths)["device_key"] is None
    assert head(paths) is None


@pytest.mark.skipif(os.getuid() == 0, reason="root may enter every folder")
def test_a_folder_that_must_not_be_entered_keeps_no_gate_from_starting(paths, make):
    paths.gate_dir.chmod(0)
    try:
        make().report(LANE)
        assert reported(paths)["device_key"] is None
    finally:
        paths.gate_dir.chmod(0o700)
