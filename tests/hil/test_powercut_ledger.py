"""What the ledger of the power cuts lets pass and what not: no guest."""

import pytest

from .powercut_ledger import Ledger

EVENTS = [(1, "a"), (2, "b"), (3, "c")]
NOTHING = {"gate": 0, "load": 0}


def journal(events, *, pruned=0, delivered_seq=0):
    last_seq = max((seq for seq, _ in events), default=0)
    return {"rows": events, "pruned": pruned, "delivered_seq": delivered_seq, "last_seq": last_seq}


def judged(ledger, *, load=None, gate=None, server=NOTHING, problems=(), **states):
    """Return the problems that a verdict brings."""
    before = len(ledger.problems)
    verdict = {
        "journals": {"gate": gate, "load": load},
        "problems": list(problems),
        "states": {"standing": [], **states},
    }
    ledger.judge(verdict, {**NOTHING, **server})
    return ledger.problems[before:]


@pytest.fixture
def ledger():
    ledger = Ledger()
    ledger.take({"tell": "durable", "journal": "load", "events": EVENTS})
    return ledger


def test_a_journal_that_has_what_was_told_and_more_is_whole(ledger):
    assert judged(ledger, load=journal([*EVENTS, (4, "d")])) == []
    assert judged(ledger, load=journal([*EVENTS, (4, "d")])) == []
    assert ledger.books["load"].acknowledged == 3


def test_an_event_that_was_told_and_is_gone_is_lost(ledger):
    (problem,) = judged(ledger, load=journal(EVENTS[:2]))
    assert "load: lost 1 acknowledged events, 3 to 3" in problem
    assert ledger.books["load"].lost == 1


@pytest.mark.parametrize("left", [None, {**journal([]), "why": "broken"}])
def test_a_journal_that_is_gone_or_cannot_be_read_has_lost_all(ledger, left):
    assert any("lost 3" in problem for problem in judged(ledger, load=left))


def test_a_journal_that_nothing_was_told_of_may_still_be_empty(ledger):
    assert judged(ledger, load=journal(EVENTS), gate=None) == []


def test_what_was_read_after_a_cut_must_be_there_after_the_next(ledger):
    assert judged(ledger, load=journal([*EVENTS, (4, "d")])) == []
    assert any("lost 1" in problem for problem in judged(ledger, load=journal(EVENTS)))


def test_a_number_is_given_once(ledger):
    (problem,) = judged(ledger, load=journal([*EVENTS[:2], (3, "x")]))
    assert "number 3 was given to two events" in problem
    ledger.take({"tell": "durable", "journal": "load", "events": [(1, "y")]})
    assert "number 1" in ledger.problems[-1]


def test_only_what_the_server_has_may_be_deleted(ledger):
    assert judged(ledger, load=journal(EVENTS[2:], pruned=2), server={"load": 2}) == []
    assert judged(ledger, load=journal([], pruned=3), server={"load": 2})


def test_the_gate_may_not_believe_that_the_server_has_more_than_it_has(ledger):
    (problem,) = judged(ledger, load=journal(EVENTS, delivered_seq=3), server={"load": 2})
    assert "delivered_seq is 3, and the server has 2" in problem


def test_what_the_server_received_must_be_in_the_journal(ledger):
    ledger.receive(7, "g", "gatepost.visit.admitted", {})
    (problem,) = judged(ledger, load=journal(EVENTS), gate=journal([(1, "q")]))
    assert "gate: lost 1" in problem


@pytest.mark.parametrize(
    ("type_", "data", "is_loss"),
    [
        ("gatepost.journal.gap", {}, True),
        ("gatepost.store.corrupt", {}, True),
        ("gatepost.fault.raised", {"fault": "whereabouts"}, True),
        ("gatepost.fault.raised", {"fault": "sensor"}, False),
        ("gatepost.passage.left", {}, False),
    ],
)
def test_an_event_that_tells_of_a_loss_is_one(ledger, type_, data, is_loss):
    ledger.receive(1, "a", type_, data)
    assert bool(ledger.problems) == is_loss


def test_a_number_of_another_file_never_falls_back(ledger):
    ledger.take({"tell": "stands", "states": {"offset": 5}})
    assert judged(ledger, load=journal(EVENTS), offset=6) == []
    assert judged(ledger, load=journal(EVENTS), offset=5) == ["offset is 5, and was 6"]
    assert judged(ledger, load=journal(EVENTS)) == ["offset is None, and was 5"]


def test_an_order_stands_as_confirmed_or_as_asked_for_since(ledger):
    ledger.take({"tell": "stands", "states": {"standing": ["lockdown"]}})
    assert judged(ledger, load=journal(EVENTS), standing=[])
    ledger.take({"tell": "wanted", "states": {"standing": ["lockdown"]}})
    assert judged(ledger, load=journal(EVENTS), standing=["lockdown"]) == []


@pytest.mark.parametrize(
    ("told", "is_problem"),
    [
        ({}, False),
        ({"is_at_rest": False}, True),
        ({"has_claimed": False}, True),
        ({"levels": [0, 1]}, True),
    ],
)
def test_a_relay_is_at_rest_after_the_start(ledger, told, is_problem):
    at_rest = {"tell": "at_rest", "is_at_rest": True, "has_claimed": True, "levels": [0, 0]}
    ledger.take({**at_rest, **told})
    assert bool(ledger.problems) == is_problem


@pytest.mark.parametrize(
    ("line", "is_problem"),
    [
        ("EXT4-fs (vda): recovery complete", False),
        ("EXT4-fs error (device vda): bad header", True),
    ],
)
def test_a_disk_that_is_broken_is_a_problem(ledger, line, is_problem):
    ledger.take({"tell": "mounted", "failure": "", "kernel": [line]})
    assert bool(ledger.problems) == is_problem
    assert ledger.recoveries == ("recovery" in line)
    assert ledger.take_mount_failure() == ""


def test_a_disk_that_is_not_mounted_is_told_once_to_who_mends_it(ledger):
    line = "EXT4-fs (vda): error loading journal"
    ledger.take({"tell": "mounted", "failure": "mount: needs cleaning", "kernel": [line]})
    assert ledger.problems == []
    assert "needs cleaning" in ledger.take_mount_failure()
    assert ledger.take_mount_failure() == ""


def test_what_was_found_in_the_guest_counts(ledger):
    assert judged(ledger, load=journal(EVENTS), problems=["x was set aside"]) == ["x was set aside"]
    ledger.take({"tell": "problem", "what": "gatepost run has ended"})
    assert ledger.problems[-1] == "gatepost run has ended"


def mounting(ledger, boot_id, *drawn):
    before = len(ledger.problems)
    ledger.take({"tell": "mounting", "boot_id": boot_id, "drawn": drawn})
    return ledger.problems[before:]


def test_a_restored_guest_is_a_boot_of_its_own(ledger):
    assert mounting(ledger, "one", "a", "b") == []
    assert mounting(ledger, "two", "c", "d") == []
    assert ledger.boot_ids == {"one", "two"}
    assert mounting(ledger, "one", "e", "f") == ["two boots have the id one"]
    assert mounting(ledger, "three", "g", "b") == ["two boots drew b"]
