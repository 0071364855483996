"""The ledger of escorts and duty: opened and closed at the passage."""

import pytest

from gatepost.core.events import Record
from gatepost.core.ledgers import EMPTY, Stay, follow, overdue
from gatepost.core.passback import Moment

BEGIN = Moment("boot", 100.0, 1_000_100.0)
LATER = Moment("boot", 160.0, 1_000_160.0)
VISITOR = {"subject": "v", "category": "visitor", "direction": "entry", "escort": "host"}
GUARD = {"subject": "g", "category": "property_staff", "direction": "entry"}


def entered(data, ledger=EMPTY, now=BEGIN, type_="passage.entered"):
    return follow(ledger, Record(type_, now.at_s, data), now)


def left(subject, ledger, now=LATER, type_="passage.left"):
    return follow(ledger, Record(type_, now.at_s, {"subject": subject, "direction": "exit"}), now)


def told(records):
    return [(record.type, dict(record.data)) for record in records]


def test_r077_r171_an_escort_is_opened_at_the_entry_and_closed_at_the_exit():
    ledger, records = entered(VISITOR)
    assert told(records) == [
        ("escort.opened", {"subject": "v", "escort": "host", "rules": ["R077"]})
    ]
    ledger, records = left("v", ledger)
    assert ledger == EMPTY
    assert told(records) == [
        (
            "escort.closed",
            {
                "subject": "v",
                "why": "left",
                "lasted_s": 60.0,
                "escort": "host",
                "rules": ["R077", "R171"],
            },
        )
    ]


def test_r015_r202_duty_begins_when_staff_came_in_measured_and_ends_when_they_leave():
    ledger, records = entered(GUARD)
    assert told(records) == [("duty.begun", {"subject": "g", "rules": ["R015", "R202"]})]
    ledger, records = left("g", ledger)
    assert ledger == EMPTY
    assert [(record.type, record.data["lasted_s"]) for record in records] == [("duty.ended", 60.0)]


def test_a_resident_is_in_no_ledger():
    resident = {"subject": "r", "category": "resident", "direction": "entry"}
    assert entered(resident) == (EMPTY, ())
    assert left("r", EMPTY) == (EMPTY, ())


def test_a_release_of_staff_for_nobody_in_particular_is_in_no_ledger():
    assert entered({"subject": None, "category": None, "direction": "entry"}) == (EMPTY, ())


def test_where_the_turnstile_tells_nothing_the_release_counts():
    ledger, records = entered(VISITOR, type_="passage.unconfirmed")
    assert [record.type for record in records] == ["escort.opened"]
    ledger, records = left("v", ledger, type_="passage.unconfirmed")
    assert (ledger, [record.type for record in records]) == (EMPTY, ["escort.closed"])


@pytest.mark.parametrize("type_", ["passage.not_entered", "visit.admitted", "passage.free"])
def test_who_did_not_walk_is_in_no_ledger(type_):
    assert entered(VISITOR, type_=type_) == (EMPTY, ())


def test_who_comes_in_again_went_out_unseen():
    ledger, _ = entered(VISITOR)
    ledger, records = entered({**VISITOR, "escort": "other"}, ledger, LATER)
    assert [(r.type, r.data["escort"]) for r in records] == [
        ("escort.closed", "host"),
        ("escort.opened", "other"),
    ]
    assert records[0].data["why"] == "entered_again"
    assert ledger == {"v": Stay(LATER, "other")}


@pytest.mark.parametrize("type_", ["fire.cleared", "emergency.cleared"])
def test_after_an_evacuation_all_is_closed(type_):
    ledger, _ = entered(VISITOR)
    ledger, _ = entered(GUARD, ledger)
    ledger, records = follow(ledger, Record(type_, 160.0, {}), LATER)
    assert ledger == EMPTY
    assert [(r.type, r.data["why"]) for r in records] == [
        ("escort.closed", "evacuated"),
        ("duty.ended", "evacuated"),
    ]


def test_a_visit_that_lasts_too_long_is_told_once():
    ledger, _ = entered(VISITOR)
    assert overdue(ledger, LATER, 160.0, 61.0) == (ledger, ())
    ledger, records = overdue(ledger, LATER, 160.0, 60.0)
    assert told(records) == [
        (
            "escort.overdue",
            {"subject": "v", "escort": "host", "allowed_s": 60.0, "rules": ["R077"]},
        )
    ]
    assert overdue(ledger, LATER, 160.0, 60.0) == (ledger, ())
    _, records = left("v", ledger)  # and it is closed all the same
    assert [record.type for record in records] == ["escort.closed"]


def test_duty_is_never_overdue():
    ledger, _ = entered(GUARD)
    assert overdue(ledger, LATER, 160.0, 0.0) == (ledger, ())


def test_how_long_it_was_is_not_made_up():
    ledger, _ = entered(VISITOR)
    after_a_restart = Moment("other", 5.0, 1_000_400.0)
    _, records = left("v", ledger, after_a_restart)
    assert records[0].data["lasted_s"] == 300.0
    clock_went_back = Moment("other", 5.0, 999.0)
    _, records = left("v", ledger, clock_went_back)
    assert records[0].data["lasted_s"] is None
