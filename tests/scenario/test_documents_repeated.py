"""Documents of a server at the gate: kills, repeats, and what works at the second try."""

import os
import threading

import pytest

from gatepost.wiring import document_jobs
from gatepost.wiring.document_jobs import Job
from gatepost_services.sync.documents import Why

from .documents_rig import DELTA, LATER, ROSTER, Rig, regime, trust_list, wait


@pytest.fixture
def rig(tmp_path):
    made = Rig(tmp_path)
    yield made
    made.close()


def test_what_was_offered_outlasts_a_kill_before_it_began(rig):
    rig.offer("roster", 1, ROSTER)
    rig.restart()
    assert rig.settle() == [("document.applied", 1, None)]


@pytest.mark.parametrize(
    ("kind", "content", "more"),
    [
        ("roster", ROSTER, {}),
        ("roster", DELTA, {"mode": "delta", "base_version": 1}),
        ("regime", regime(), {}),
        ("trust", trust_list(2), {}),
    ],
)
def test_a_kill_between_the_application_and_its_record_only_repeats_the_record(
    kind, content, more, rig
):
    if more:
        rig.applied("roster", 1, ROSTER)
    rig.offer(kind, 2, content, **more)
    rig.documents.poll()
    for _, job in rig.documents._jobs.values():
        wait(job)
    rig.restart()
    assert rig.settle() == [("document.applied", 2, None)]
    assert rig.state(kind) == (2, "applied", None)
    rig.restart()
    assert rig.settle() == []


def test_a_newer_one_takes_the_place_of_one_that_waits_and_an_older_one_does_not(rig):
    rig.offer("regime", 2, regime("lockdown"))
    rig.offer("regime", 3, regime("case"))
    assert rig.offer("regime", 2, regime("medium-risk")) == "not_newer"
    assert rig.offer("regime", 3, regime("case")) is None
    assert rig.settle() == [("document.refused", 2, "not_newer"), ("document.applied", 3, None)]
    assert rig.regime_name() == "case"


def test_one_that_is_offered_while_another_is_taken_follows_it(rig):
    rig.offer("roster", 1, ROSTER)
    rig.documents.poll()
    rig.offer("roster", 2, LATER)
    assert rig.settle() == [("document.applied", 1, None), ("document.applied", 2, None)]


def test_a_stop_in_the_middle_is_no_failure(rig):
    for _ in range(10):
        rig.offer("roster", 1, ROSTER)
        rig.documents.poll()
        rig.documents.close()
        rig.restart()
    assert rig.settle() == [("document.applied", 1, None)]


def test_one_that_takes_the_machine_down_each_time_is_given_up(rig):
    rig.offer("regime", 1, regime())
    for _ in range(5):
        rig.documents.poll()
        rig.restart()
    assert rig.settle() == [("document.refused", 1, "failed")]


def test_a_disk_that_is_full_for_a_while_is_waited_for(rig, monkeypatch):
    real, tries = document_jobs._regime, []

    def full(desired, settings):
        tries.append(desired.version)
        if len(tries) < 3:
            return document_jobs.Outcome(Why.DISK, "full")
        return real(desired, settings)

    monkeypatch.setattr(document_jobs, "_regime", full)
    rig.offer("regime", 1, regime())
    assert rig.settle() == []
    assert rig.settle() == []
    assert len(tries) == 1
    rig.clock.at_s += 31
    assert rig.settle() == []
    rig.clock.at_s += 61
    assert rig.settle() == [("document.applied", 1, None)]


def test_a_fault_of_our_own_in_a_thread_is_told_and_ends_nothing(rig, monkeypatch):
    def fails(_desired, _settings):
        raise RuntimeError

    monkeypatch.setattr(document_jobs, "_regime", fails)
    rig.offer("regime", 1, regime())
    told = rig.settle()
    for _ in range(5):
        rig.clock.at_s += 1000
        told += rig.settle()
    assert told == [("document.refused", 1, "failed")]


def test_a_child_that_dies_is_tried_again_and_told_in_the_end(rig, monkeypatch):
    monkeypatch.setattr(document_jobs, "_CHILD", ("-c", "import os; os.kill(os.getpid(), 9)"))
    rig.offer("roster", 1, ROSTER)
    told = rig.settle()
    for _ in range(5):
        rig.clock.at_s += 1000
        told += rig.settle()
    assert told == [("document.refused", 1, "failed")]


def test_a_child_that_hangs_is_ended(rig, monkeypatch):
    monkeypatch.setattr(document_jobs, "_CHILD", ("-c", "import signal; signal.pause()"))
    monkeypatch.setattr(document_jobs, "_LONGEST_S", 0.1)
    rig.offer("roster", 1, ROSTER)
    assert rig.settle() == []
    assert not rig.documents._jobs
    assert rig.documents._entries["roster"].tries == 1


def test_a_child_that_hangs_does_not_hold_up_a_stop(rig, monkeypatch):
    monkeypatch.setattr(document_jobs, "_CHILD", ("-c", "import signal; signal.pause()"))
    rig.offer("roster", 1, ROSTER)
    rig.documents.poll()
    ((_, job),) = rig.documents._jobs.values()
    rig.documents.close()
    assert not job._thread.is_alive()


def test_where_no_process_can_be_had_it_is_told(rig, monkeypatch):
    monkeypatch.setattr(document_jobs.sys, "executable", "/nowhere/python")
    rig.offer("roster", 1, ROSTER)
    assert rig.settle() == []
    assert rig.documents._entries["roster"].tries == 1


def test_a_damaged_note_of_what_waits_is_begun_anew(rig):
    rig.applied("regime", 1, regime())
    (rig.paths.gate_dir / "documents.json").write_bytes(b"[]")
    rig.restart()
    assert rig.state("regime") == (1, "applied", None)
    rig.applied("regime", 2, regime("case"))


def test_a_note_that_cannot_be_written_holds_nothing_up(rig):
    (rig.paths.gate_dir / "documents.json.new").mkdir()
    rig.applied("regime", 1, regime())
    assert rig.regime_name() == "lockdown"


def test_the_loops_thread_never_parses_a_regime(rig, monkeypatch):
    seen = []
    real = Job._run

    def noted(self):
        seen.append(threading.current_thread())
        real(self)

    monkeypatch.setattr(Job, "_run", noted)
    rig.applied("regime", 1, regime())
    assert threading.main_thread() not in seen
    assert len(seen) == 1


def test_the_process_that_takes_rosters_steps_back(rig, monkeypatch):
    code = (
        "import os, sys; from gatepost_services.sync import taking; taking._step_back(); "
        "first = open('/proc/self/oom_score_adj').read().strip(); "
        """print('{"why":null,"detail":"%d %s"}' % (os.nice(0), first))"""
    )
    monkeypatch.setattr(document_jobs, "_CHILD", ("-c", code))
    rig.offer("roster", 1, ROSTER)
    rig.documents.poll()
    ((_, job),) = rig.documents._jobs.values()
    wait(job)
    assert job.outcome().detail == f"{min(19, os.nice(0) + 19)} 1000"
