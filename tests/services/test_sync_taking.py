"""The process that takes rosters, called as a function: what the loop's own look cannot see."""

import errno

import msgspec
import pytest

from gatepost_services.roster import Roster, RosterKey
from gatepost_services.roster.writer import RosterWriter, Whole
from gatepost_services.sync import taking
from gatepost_services.sync.documents import Why
from gatepost_services.sync.task import Task

from .sync_rig import desired

CONTENT = b"credential,subject,category\nP1,anna,resident\n"
DELTA = b"change,credential,subject,category\nput,P2,ben,resident\n"


@pytest.fixture
def make(tmp_path):
    RosterKey.load_or_make(tmp_path / "roster.key")

    def task(version, content, **more):
        wanted = desired("roster", version, content, **more)
        (tmp_path / wanted.digest).write_bytes(content)
        names = (wanted.digest, "roster.db", "roster.key")
        return Task(wanted, *(str(tmp_path / name) for name in names))

    return task


def held(task):
    with Roster(taking.Path(task.roster), taking.Path(task.key)) as roster:
        return roster.check().version


def test_a_version_that_came_in_between_is_not_gone_back_behind(make):
    assert taking.take(make(5, CONTENT)).why is None
    assert taking.take(make(4, CONTENT)).why is Why.NOT_NEWER
    assert held(make(4, CONTENT)) == 5


def test_a_second_start_changes_nothing(make):
    assert taking.take(make(1, CONTENT)) == taking.take(make(1, CONTENT))
    delta = make(2, DELTA, mode="delta", base_version=1)
    assert taking.take(delta).why is None
    assert taking.take(delta).detail == "was there already"
    assert held(delta) == 2


def test_another_roster_of_the_same_version_is_not_taken(make):
    taking.take(make(1, CONTENT))
    assert taking.take(make(1, CONTENT.replace(b"anna", b"ben"))).why is Why.INVALID


def test_a_roster_that_somebody_else_changes_is_waited_for(make, monkeypatch):
    monkeypatch.setattr("gatepost_services.roster.writer._BUSY_TIMEOUT_S", 0.01)
    task = make(2, CONTENT)
    key = RosterKey.load(taking.Path(task.key))
    with RosterWriter.open(taking.Path(task.roster), key) as other:
        other.replace(Whole([], 0))
        with other._transaction("hold"):
            assert taking.take(task).why is Why.BUSY
    assert taking.take(task).why is None


def test_a_folder_that_is_not_there_is_the_disks_fault(make, tmp_path):
    task = msgspec.structs.replace(make(1, CONTENT), roster=str(tmp_path / "gone" / "roster.db"))
    assert taking.take(task).why is Why.DISK


def test_a_key_that_is_not_there_is_told(make, tmp_path):
    task = msgspec.structs.replace(make(1, CONTENT), key=str(tmp_path / "gone"))
    assert taking.take(task).why is Why.NO_KEY


def test_it_says_one_line_of_json_and_ends_well(make, capfdbinary, monkeypatch):
    def denied(_by):
        raise OSError(errno.EPERM, "not by this unit")

    monkeypatch.setattr(taking.os, "nice", denied)
    monkeypatch.setattr(taking, "_FIRST_TO_GO", "0")
    assert taking.main([msgspec.json.encode(make(1, CONTENT)).decode()]) == 0
    assert capfdbinary.readouterr().out == b'{"why":null,"detail":""}\n'
