"""The data of every record type, whole: what the central server is told."""

import json
import math
from dataclasses import replace

import pytest

from gatepost.core.correction import Correction
from gatepost.core.events import Holder
from gatepost.core.screening import Instrument
from gatepost.core.states import MODES, State
from gatepost.core.table import TABLE
from gatepost.core.visit import PassageSignal
from gatepost_hal.ports import Reading

WHO = {"direction": "entry", "subject": "subject-1", "category": "resident"}
LEAVES = {"direction": "exit", "subject": "subject-1", "category": "resident"}
NOBODY = {"direction": "entry", "subject": None, "category": None}
COOL = {
    "zone": "pass",
    "reason": "below_limit",
    "say": "please go",
    "index_c": 36.59,
    "guard_c": 0.2,
    "offset_c": 2.43,
    "object_c": 34.16,
    "skin_c": 34.16,
    "skin_max_c": 34.22,
    "spread_c": 0.12,
    "ambient_c": [24.0, 24.0],
    "samples_c": [34.1, 34.16, 34.22, 34.14, 34.18],
    "calibration": None,
}
NEAR = {
    "zone": "recheck",
    "reason": "near_limit",
    "say": "hold still, once more",
    "index_c": 37.28,
    "guard_c": 0.2,
    "offset_c": 2.43,
    "object_c": 34.85,
    "skin_c": 34.85,
    "skin_max_c": 34.89,
    "spread_c": 0.08,
    "ambient_c": [24.0, 24.0],
    "samples_c": [34.81, 34.83, 34.85, 34.87, 34.89],
    "calibration": None,
}
FEVER = {
    "zone": "refer",
    "reason": "above_limit",
    "say": "please wait for staff",
    "index_c": 38.87,
    "guard_c": 0.2,
    "offset_c": 2.43,
    "object_c": 36.44,
    "skin_c": 36.44,
    "skin_max_c": 36.48,
    "spread_c": 0.08,
    "ambient_c": [24.0, 24.0],
    "samples_c": [36.4, 36.44, 36.48, 36.42, 36.46],
    "calibration": None,
}
# The numbers that a thermometer gives are told also while it is not believed.
ERRATIC = COOL | {"zone": "no_information", "reason": "erratic", "say": "please wait for staff"}
NOTHING = {
    "zone": "no_information",
    "reason": "too_few_samples",
    "say": "hold still, once more",
    "index_c": None,
    "guard_c": None,
    "offset_c": None,
    "object_c": None,
    "skin_c": None,
    "skin_max_c": None,
    "spread_c": None,
    "ambient_c": [],
    "samples_c": [],
    "calibration": None,
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
        {
            "visit": 1,
            **WHO,
            "outcome": "refer",
            "rules": ["R017", "ours"],
            "attempt": 3,
            **NOTHING,
            "say": "please wait for staff",
        },
    ),
    (
        "arrives distrust shows_pass cool",
        "visit.referred",
        {
            "visit": 1,
            **WHO,
            "outcome": "refer",
            "rules": ["R017", "ours"],
            "attempt": 1,
            **ERRATIC,
        },
    ),
    (
        # What is said is what was decided.
        "arrives shows_pass near deadline near deadline near",
        "visit.admitted",
        {
            "visit": 1,
            **WHO,
            "outcome": "admit",
            "rules": ["R001", "R018", "R006", "R067"],
            "attempt": 3,
            **NEAR,
            "say": "please go",
        },
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
    (
        "arrives shows_blocked_pass",
        "visit.denied",
        {
            "visit": 1,
            **WHO,
            "outcome": "deny",
            "rules": ["ours", "R064"],
            "attempt": 0,
            "objection": "already_inside",
        },
    ),
    (
        "arrives lock shows_pass",
        "visit.denied",
        {
            "visit": 2,
            **WHO,
            "outcome": "deny",
            "rules": ["ours", "R112"],
            "attempt": 0,
            "state": "locked",
        },
    ),
    (
        "arrives shows_noted_pass cool",
        "visit.admitted",
        {
            "visit": 1,
            **WHO,
            "outcome": "admit",
            "rules": ["R001", "R006", "R067"],
            "attempt": 1,
            "objection": "already_inside",
            **COOL,
        },
    ),
    ("arrives shows_pass cool written passage", "passage.entered", {"visit": 1, **WHO}),
    (
        "arrives shows_pass cool written deadline deadline",
        "passage.not_entered",
        {"visit": 1, **WHO},
    ),
    ("arrives staff", "entry.commanded", {"visit": 1, **NOBODY, "by": "staff"}),
    ("arrives staff written passage", "passage.entered", {"visit": 1, **NOBODY, "by": "staff"}),
    ("arrives passage", "passage.forced", {"state": "awaiting_pass"}),
    ("passage", "passage.forced", {"state": "idle"}),
    ("exit_button passage passage_ends passage", "passage.tailgated", {"state": "idle"}),
    ("exit_button passage deadline", "passage.held", {}),
    ("exit_button passage deadline passage_ends", "passage.rested", {}),
    ("arrives leaves exit_button", "exit.released", {"direction": "exit"}),
    ("exit_pass", "exit.released", LEAVES),
    ("arrives leaves exit_button passage", "passage.left", {"direction": "exit"}),
    ("exit_pass passage", "passage.left", LEAVES),
    ("arrives leaves exit_button deadline deadline", "passage.not_left", {"direction": "exit"}),
    ("exit_pass deadline deadline", "passage.not_left", LEAVES),
    ("arrives shows_pass fire", "fire.raised", {}),
    ("fire passage", "passage.free", {"state": "fire"}),
    ("key passage", "passage.free", {"state": "maintenance"}),
    ("fire fire_over", "fire.cleared", {}),
    ("emergency", "emergency.raised", {}),
    ("emergency emergency_over", "emergency.cleared", {}),
    ("key", "maintenance.begun", {}),
    ("begin_maintenance", "maintenance.begun", {"by": "centre"}),
    ("key key_over", "maintenance.ended", {}),
    ("lock", "lane.locked", {"by": "centre"}),
    ("lock unlock", "lane.unlocked", {"by": "centre"}),
    ("close", "lane.closed", {"by": "centre"}),
    ("close open", "lane.opened", {"by": "centre"}),
    ("tamper", "tamper.raised", {}),
    ("tamper tamper_over", "tamper.cleared", {}),
    ("shows_duress_pass", "duress.shown", {"subject": "subject-3", "direction": "entry"}),
    (
        "key test_buzzer",
        "command.obeyed",
        {"command": "command-1", "verb": "test", "by": "centre", "tested": "buzzer"},
    ),
    (
        "test_buzzer",
        "command.refused",
        {
            "command": "command-1",
            "verb": "test",
            "by": "centre",
            "tested": "buzzer",
            "why": "not_now",
        },
    ),
]


@pytest.mark.parametrize(("words", "type_", "data"), GOLDEN)
def test_a_record_tells_exactly_this(words, type_, data, walk):
    walk.does(words)
    record = walk.records[-1]
    assert (record.type, record.at_s, dict(record.data)) == (type_, walk.now_s, data)


# The same, where what is told is not the last record, or the turnstile tells another thing.
ELSEWHERE = [
    ("key test_buzzer", "maintenance.tested", PassageSignal.SINGLE, {"tested": "buzzer"}),
    (
        "arrives shows_pass cool written outward",
        "passage.wrong_way",
        PassageSignal.PER_DIRECTION,
        {"state": "released", "direction": "exit"},
    ),
    (
        "arrives shows_pass cool written outward",
        "passage.not_entered",
        PassageSignal.PER_DIRECTION,
        {"visit": 1, **WHO},
    ),
    (
        "exit_pass passage",
        "passage.wrong_way",
        PassageSignal.PER_DIRECTION,
        {"state": "leaving", "direction": "entry"},
    ),
    (
        "arrives shows_pass cool written deadline",
        "passage.unconfirmed",
        PassageSignal.NONE,
        {"visit": 1, **WHO},
    ),
    ("exit_pass deadline", "passage.unconfirmed", PassageSignal.NONE, LEAVES),
]


@pytest.mark.parametrize(("words", "type_", "passage", "data"), ELSEWHERE)
def test_a_record_of_another_turnstile_tells_exactly_this(words, type_, passage, data, walk):
    walk.policy = replace(walk.policy, passage=passage)
    walk.does(words)
    assert walk.data(type_) == data


def test_an_exit_that_a_lock_down_refuses_tells_exactly_this(walk):
    walk.policy = replace(walk.policy, exit_in_lockdown=False)
    walk.does("lock exit_pass")
    assert walk.data("exit.refused") == LEAVES


def test_every_record_type_is_golden_here():
    types = {t for row in TABLE.values() for step in row.steps.values() for t in step.records}
    types |= {t for mode in MODES.values() for t in (mode.begun, mode.over)}
    types |= {"command.obeyed", "command.refused", "duress.shown"}
    golden = {type_ for _, type_, _ in GOLDEN} | {type_ for _, type_, _, _ in ELSEWHERE}
    assert golden | {"exit.refused"} == types


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


@pytest.mark.parametrize(
    ("objects_c", "ambient_c"), [([math.nan] * 5, 24.0), ([34.1, 34.2] * 3, -math.inf)]
)
def test_a_record_of_samples_that_are_no_numbers_is_ready_for_json(objects_c, ambient_c, walk):
    walk.to(State.MEASURING).samples(objects_c, ambient_c)
    walk.does("deadline")
    assert walk.types == ["visit.rechecked"]
    told = json.loads(json.dumps(walk.records[-1].data, allow_nan=False))
    assert (told["reason"], told["index_c"]) == ("no_number", None)


def test_celsius_are_told_in_hundredths_and_the_index_as_it_was_compared(new_walk, policy):
    policy = replace(policy, instrument=replace(policy.instrument, offset_c=2.43349))
    walk = new_walk(policy=policy).to(State.MEASURING)
    for n, object_c in enumerate((34.104, 34.156, 34.221, 34.143, 34.187)):
        walk.feed(Reading(walk.next_s(), object_c, 23.446 + n / 100))
    data = walk.records[-1].data
    assert data["samples_c"] == [34.1, 34.16, 34.22, 34.14, 34.19]
    keys = ("index_c", "offset_c", "object_c", "skin_c", "skin_max_c", "spread_c")
    assert [data[key] for key in keys] == [36.686, 2.433, 34.16, 34.16, 34.22, 0.12]
    assert data["ambient_c"] == [23.45, 23.49]


def test_what_was_corrected_is_told_beside_what_was_measured(new_walk, policy, chip, calibration):
    correction = Correction(supply_v=3.3, emissivity=0.98, calibration=calibration)
    policy = replace(policy, instrument=Instrument(2.0, doubt_c=0.25, correction=correction))
    walk = new_walk(policy=policy).to(State.MEASURING)
    for object_c in (34.1, 34.16, 34.22, 34.14, 34.18):
        walk.feed(Reading(walk.next_s(), object_c, 22.18, chip))
    data = walk.records[-1].data
    # 34.16 - 0.18 is 33.92 by the calibration; skin adds 0.24 for what it mirrors of the room.
    assert (data["object_c"], data["skin_c"], data["skin_max_c"]) == (34.16, 34.15, 34.21)
    assert (data["ambient_c"], data["spread_c"]) == ([22.0, 22.0], 0.13)
    assert (data["guard_c"], data["calibration"]) == (0.45, "00a1b2c3d4e5f607/2026-01-02")


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
