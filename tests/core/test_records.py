"""The data of every record type, whole: what the central server is told."""

import json
import math

import pytest

from gatepost.core.lane import Holder
from gatepost.core.table import TABLE, State
from gatepost_hal.ports import Reading

WHO = {"direction": "entry", "subject": "subject-1", "category": "resident"}
NOBODY = {"direction": "entry", "subject": None, "category": None}
COOL = {
    "zone": "pass",
    "reason": "below_limit",
    "index_c": 36.59,
    "object_c": 34.16,
    "ambient_c": 24.0,
    "spread_c": 0.12,
    "samples_c": [34.1, 34.16, 34.22, 34.14, 34.18],
}
NEAR = {
    "zone": "recheck",
    "reason": "near_limit",
    "index_c": 37.28,
    "object_c": 34.85,
    "ambient_c": 24.0,
    "spread_c": 0.08,
    "samples_c": [34.81, 34.83, 34.85, 34.87, 34.89],
}
FEVER = {
    "zone": "refer",
    "reason": "above_limit",
    "index_c": 38.87,
    "object_c": 36.44,
    "ambient_c": 24.0,
    "spread_c": 0.08,
    "samples_c": [36.4, 36.44, 36.48, 36.42, 36.46],
}
NOTHING = {
    "zone": "no_information",
    "reason": "too_few_samples",
    "index_c": None,
    "object_c": None,
    "ambient_c": None,
    "spread_c": None,
    "samples_c": [],
}
RECHECK = {"outcome": "recheck", "rules": ["R018"], "attempt": 1}

# What happens (see EVENTS in conftest.py), and the type and data of the last record that it left.
GOLDEN = [
    ("arrives leaves", "visit.abandoned", {"visit": 1, **NOBODY}),
    ("arrives deadline", "visit.abandoned", {"visit": 1, **NOBODY}),
    ("arrives shows_pass leaves", "visit.abandoned", {"visit": 1, **WHO}),
    (
        "arrives shows_pass near leaves",
        "visit.abandoned",
        {"visit": 1, **WHO, **RECHECK, **NEAR},
    ),
    (
        # What the attempt before said is no part of an attempt that was not finished.
        "arrives shows_pass near deadline leaves",
        "visit.abandoned",
        {"visit": 1, **WHO},
    ),
    (
        "arrives shows_wrong_pass",
        "visit.denied",
        {"visit": 1, **NOBODY, "outcome": "deny", "rules": ["R067"], "attempt": 0},
    ),
    (
        # The visit before was measured; nothing of it may show here.
        "arrives shows_pass fever deadline shows_wrong_pass",
        "visit.denied",
        {"visit": 2, **NOBODY, "outcome": "deny", "rules": ["R067"], "attempt": 0},
    ),
    ("arrives shows_pass near", "visit.rechecked", {"visit": 1, **WHO, **RECHECK, **NEAR}),
    (
        "arrives shows_pass deadline",
        "visit.rechecked",
        {"visit": 1, **WHO, **RECHECK, "rules": ["R017"], **NOTHING},
    ),
    (
        "arrives shows_pass near deadline fever",
        "visit.referred",
        {"visit": 1, **WHO, "outcome": "refer", "rules": ["R001", "R006"], "attempt": 2, **FEVER},
    ),
    (
        "arrives shows_pass deadline deadline deadline deadline deadline",
        "visit.referred",
        {"visit": 1, **WHO, "outcome": "refer", "rules": ["R017", "ours"], "attempt": 3, **NOTHING},
    ),
    (
        "arrives shows_pass cool",
        "visit.admitted",
        {
            "visit": 1,
            **WHO,
            "outcome": "admit",
            "rules": ["R001", "R006", "R067"],
            "attempt": 1,
            **COOL,
        },
    ),
    ("arrives shows_pass cool written passage", "passage.entered", {"visit": 1, **WHO}),
    (
        "arrives shows_pass cool written deadline deadline",
        "passage.not_entered",
        {"visit": 1, **WHO},
    ),
    ("arrives passage", "passage.forced", {"state": "awaiting_pass"}),
    ("passage", "passage.forced", {"state": "idle"}),
    ("arrives leaves exit_button", "exit.released", {}),
    ("arrives leaves exit_button passage", "passage.left", {"direction": "exit"}),
    ("arrives leaves exit_button deadline deadline", "passage.not_left", {"direction": "exit"}),
    ("arrives shows_pass fire", "fire.raised", {}),
    ("fire passage", "passage.free", {}),
    ("fire fire_over", "fire.cleared", {}),
]


@pytest.mark.parametrize(("words", "type_", "data"), GOLDEN)
def test_a_record_tells_exactly_this(words, type_, data, walk):
    walk.does(words)
    record = walk.records[-1]
    assert (record.type, record.at_s, dict(record.data)) == (type_, walk.now_s, data)


def test_every_record_type_is_golden_here():
    types = {t for row in TABLE.values() for step in row.steps.values() for t in step.records}
    assert {type_ for _, type_, _ in GOLDEN} == types


@pytest.mark.parametrize(("words", "type_", "data"), GOLDEN)
def test_a_record_is_ready_for_json(words, type_, data, walk):
    walk.does(words)
    assert walk.records[-1].type == type_
    assert json.loads(json.dumps(walk.records[-1].data, allow_nan=False)) == data


def test_records_of_one_event_keep_their_order_and_its_time(walk):
    walk.to(State.RELEASED).does("fire")
    told = [(record.type, record.at_s) for record in walk.records[-2:]]
    assert told == [("passage.not_entered", walk.now_s), ("fire.raised", walk.now_s)]


def test_a_record_speaks_of_the_holder_of_its_own_visit(walk):
    walk.to(State.REFERRED).does("deadline")
    walk.shows(Holder("subject-2", "visitor"))
    walk.does("leaves")
    assert dict(walk.records[-1].data) == {
        "visit": 2,
        "direction": "entry",
        "subject": "subject-2",
        "category": "visitor",
    }


@pytest.mark.parametrize(("object_c", "ambient_c"), [(math.nan, 24.0), (34.1, -math.inf)])
def test_a_record_of_samples_that_are_no_numbers_is_ready_for_json(object_c, ambient_c, walk):
    walk.to(State.MEASURING).samples([object_c] * 5, ambient_c)
    assert walk.types == ["visit.rechecked"]
    assert json.loads(json.dumps(walk.records[-1].data, allow_nan=False))["index_c"] is None


def test_celsius_are_told_in_hundredths_and_the_index_as_it_was_compared(walk):
    walk.to(State.MEASURING)
    for object_c in (34.104, 34.156, 34.221, 34.143, 34.187):
        walk.feed(Reading(walk.next_s(), object_c, 23.456))
    data = walk.records[-1].data
    assert data["samples_c"] == [34.1, 34.16, 34.22, 34.14, 34.19]
    numbers = [data[key] for key in ("index_c", "object_c", "ambient_c", "spread_c")]
    assert numbers == [36.684, 34.16, 23.46, 0.12]


@pytest.mark.parametrize(
    ("ambient_c", "index_c", "outcome"),
    [
        (24.0, 37.3, "admit"),
        (23.998, 37.3, "admit"),  # 37.30036: less than a thousandth over the limit
        (23.98, 37.304, "refer"),
    ],
)
def test_the_index_that_is_told_shows_why_one_was_referred(ambient_c, index_c, outcome, walk):
    walk.to(State.MEASURING)
    for _ in range(3):
        walk.samples([34.83, 34.85, 34.87, 34.89, 34.91], ambient_c)
        walk.does("deadline")
    data = next(r.data for r in walk.records if r.data["outcome"] != "recheck")
    assert (data["index_c"], data["outcome"]) == (index_c, outcome)
