"""Whole random histories, in their own time: what must hold from the first event to the last."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.core.events import Tick
from gatepost.core.lane import output_of
from gatepost.core.states import ENTRY, EXIT, Standing, State
from gatepost.core.visit import Order, PassageSignal
from gatepost_hal.ports import Direction, InputName

LIKELY = [
    "arrives shows_pass cool written passage passage_ends",
    "arrives cool shows_pass written passage",
    "arrives shows_pass near deadline near deadline near written",
    "arrives staff written",
    "arrives shows_pass",
    "cool written",
    "passage passage_ends",
    "outward outward_ends",
    "deadline",
    "deadline deadline",
    "leaves arrives",
    "exit_pass outward",
    "exit_button deadline deadline",
    "release_exit passage",
    "fire fire_over",
    "lock unlock",
    "key test_exit_relay deadline",
    "key_over end_maintenance unlock open tamper_over emergency_over fire_over",
    "arrives distrust shows_pass trust cool",
    "arrives shows_pass near distrust trust deadline cool",
]
FREE_FOR_ALL = {State.FIRE, State.EMERGENCY}
OUTCOMES = {"passage.entered", "passage.not_entered", "passage.unconfirmed"}
FEW = settings(max_examples=150, deadline=None)


@pytest.fixture(scope="session")
def histories(event_words):
    words = st.sampled_from([*event_words, *LIKELY])
    return st.lists(words, min_size=1, max_size=40).map(" ".join)


@pytest.fixture(scope="session")
def walks(new_walk, policy):
    """Draw a fresh lane on some site."""
    policies = st.builds(
        replace,
        st.just(policy),
        order=st.sampled_from(Order),
        passage=st.sampled_from(PassageSignal),
        exit_in_lockdown=st.booleans(),
    )
    return policies.map(lambda policy: new_walk(policy=policy))


def lives(walk, words):
    """Yield the word, the lane before and after it, and the records, word by word."""
    for word in words.split():
        before, told = walk.lane, len(walk.records)
        walk.does(word)
        walk.feed(Tick(walk.now_s))  # as the loop does at the end of every turn
        yield word, before, walk.lane, walk.records[told:]


def of_the_entry(record):
    return record.data.get("direction") == "entry"


@FEW
@given(data=st.data())
def test_each_entry_has_a_written_release_of_its_own(data, histories, walks):
    released, written, passed = Counter(), Counter(), Counter()
    for word, before, after, records in lives(data.draw(walks), data.draw(histories)):
        let_in = ("visit.admitted", "entry.commanded")
        released.update(r.data["visit"] for r in records if r.type in let_in)
        passed.update(r.data["visit"] for r in records if r.type == "passage.entered")
        if word == "written" and before.state is State.DECIDING:
            written[before.visit.number] += 1
        if after.state is State.RELEASED:
            assert written[after.visit.number] == 1
    assert passed <= written <= released
    assert set(released.values()) <= {1}


@FEW
@given(data=st.data())
def test_each_release_of_the_entry_has_one_outcome_before_the_next_one(data, histories, walks):
    is_open = False
    walk = data.draw(walks)
    for word, before, after, records in lives(walk, data.draw(histories)):
        for record in records:
            if record.type in ("visit.admitted", "entry.commanded"):
                assert not is_open
                is_open = True
            elif record.type in OUTCOMES and of_the_entry(record):
                assert is_open
                is_open = False
        if word == "not_written" and before.state is State.DECIDING:
            is_open = False
        in_the_entry = (State.DECIDING, State.RELEASED, State.ENTRY_ENDING)
        assert is_open == (after.state in in_the_entry)


@FEW
@given(data=st.data())
def test_each_release_of_the_exit_has_one_outcome_before_the_next_one(data, histories, walks):
    is_open = False
    walk = data.draw(walks)
    for _, _, after, records in lives(walk, data.draw(histories)):
        for record in records:
            if record.type == "exit.released":
                assert not is_open
                is_open = True
            elif record.type in ("passage.left", "passage.not_left") or (
                record.type == "passage.unconfirmed" and not of_the_entry(record)
            ):
                assert is_open
                is_open = False
        assert is_open == (after.state in (State.LEAVING, State.EXIT_ENDING))


@FEW
@given(data=st.data())
def test_no_release_outlives_its_duration(data, histories, walks):
    lasts_s = {State.RELEASED: 5.0, State.LEAVING: 5.0, State.TESTING: 3.0}
    for _, _, after, _ in lives(walk := data.draw(walks), data.draw(histories)):
        if output_of(after).releases and after.state not in FREE_FOR_ALL:
            assert after.deadline_at_s == after.entered_at_s + lasts_s[after.state]
            assert walk.now_s < after.deadline_at_s


@FEW
@given(data=st.data())
def test_both_ways_are_free_in_a_fire_and_an_emergency_and_never_else(data, histories, walks):
    for _, _, after, _ in lives(data.draw(walks), data.draw(histories)):
        freed = bool(after.standing & {Standing.FIRE, Standing.EMERGENCY})
        assert (output_of(after).releases == ENTRY | EXIT) == freed
        assert freed == (after.state in FREE_FOR_ALL)


# What each level is, by the words that were last said about it.
SAID = {
    Standing.FIRE: (["fire"], ["fire_over"]),
    Standing.EMERGENCY: (["emergency"], ["emergency_over"]),
    Standing.MAINTENANCE: (["key", "begin_maintenance"], ["key_over", "end_maintenance"]),
    Standing.LOCKDOWN: (["lock"], ["unlock"]),
    Standing.CLOSURE: (["close"], ["open"]),
    Standing.TAMPER: (["tamper"], ["tamper_over"]),
    "present": (["arrives"], ["leaves"]),
    InputName.PASSAGE: (["passage"], ["passage_ends"]),
    InputName.PASSAGE_EXIT: (["outward"], ["outward_ends"]),
}


@FEW
@given(data=st.data())
def test_the_levels_of_the_lane_are_what_was_last_said_of_them(data, histories, walks):
    now = dict.fromkeys(SAID, False)
    for word, _, after, _ in lives(data.draw(walks), data.draw(histories)):
        for level, (begin, over) in SAID.items():
            # Nobody elsewhere ends what the technician's key began.
            ends = word in over and not (word == "end_maintenance" and after.key)
            now[level] = word in begin or (now[level] and not ends)
        levels = after.standing | after.turning | ({"present"} if after.present else set())
        assert levels == {level for level, active in now.items() if active}


@FEW
@given(data=st.data())
def test_the_beginnings_and_ends_of_a_mode_take_turns(data, histories, walks):
    walk = data.draw(walks)
    walk.does(data.draw(histories))
    for begun, over in (
        ("fire.raised", "fire.cleared"),
        ("emergency.raised", "emergency.cleared"),
        ("maintenance.begun", "maintenance.ended"),
        ("lane.locked", "lane.unlocked"),
        ("lane.closed", "lane.opened"),
        ("tamper.raised", "tamper.cleared"),
    ):
        told = [type_ for type_ in walk.types if type_ in (begun, over)]
        assert told == ([begun, over] * len(told))[: len(told)]


@FEW
@given(data=st.data())
def test_a_lane_where_something_stands_admits_nobody_by_a_pass(data, histories, walks):
    for _, before, _, records in lives(data.draw(walks), data.draw(histories)):
        if before.standing:
            assert "visit.admitted" not in [record.type for record in records]


@FEW
@given(data=st.data())
def test_a_lock_down_that_holds_the_exit_frees_it_only_by_a_command(data, histories, walks):
    walk = data.draw(walks)
    walk.policy = replace(walk.policy, exit_in_lockdown=False)
    for _, before, after, records in lives(walk, data.draw(histories)):
        held = Standing.LOCKDOWN in before.standing & after.standing
        for record in records:
            if held and record.type == "exit.released":
                assert record.data["by"] == "centre"


@FEW
@given(data=st.data())
def test_every_command_is_answered_once(data, histories, walks):
    walk = data.draw(walks)
    walk.does(data.draw(histories))
    answers = [r.data["command"] for r in walk.records if r.type.startswith("command.")]
    assert answers == [f"command-{number}" for number in range(1, len(answers) + 1)]


@FEW
@given(data=st.data())
def test_visit_numbers_and_times_only_grow_and_numbers_have_no_holes(data, histories, walks):
    walk = data.draw(walks)
    numbers = [after.visit.number for _, _, after, _ in lives(walk, data.draw(histories))]
    assert sorted(numbers) == numbers
    assert set(numbers) <= set(range(max(numbers) + 1))
    assert len(set(numbers)) >= max(numbers)
    times_s = [record.at_s for record in walk.records]
    assert sorted(times_s) == times_s


@FEW
@given(data=st.data())
def test_every_measured_attempt_is_told_once_and_no_more_than_allowed(data, histories, walks):
    walk = data.draw(walks)
    walk.does(data.draw(histories))
    told = {"visit.admitted", "visit.rechecked", "visit.referred"}
    attempts = [(r.data["visit"], r.data["attempt"]) for r in walk.records if r.type in told]
    assert len(set(attempts)) == len(attempts)
    assert all(1 <= attempt <= 3 for _, attempt in attempts)


@FEW
@given(data=st.data())
def test_the_same_history_always_ends_the_same(data, histories, walks, new_walk):
    words, one = data.draw(histories), data.draw(walks)
    other = new_walk(policy=one.policy)
    assert one.does(words) == other.does(words)
    assert (one.lane, one.records) == (other.lane, other.records)


@FEW
@given(data=st.data())
def test_nobody_is_admitted_by_an_attempt_that_spoke_against_its_thermometer(
    data, histories, walks
):
    doubted = tainted = False
    for word, before, after, records in lives(data.draw(walks), data.draw(histories)):
        doubted = word in ("distrust", "disturbed") or (doubted and word != "trust")
        begins = after.state is State.MEASURING and before.state is not State.MEASURING
        tainted = doubted or (tainted and not begins)
        if "visit.admitted" in [record.type for record in records]:
            assert not tainted


@FEW
@given(data=st.data())
def test_nobody_is_admitted_without_a_known_pass_and_a_measurement(data, histories, walks):
    walk = data.draw(walks)
    walk.does(data.draw(histories))
    for record in walk.records:
        if record.type == "visit.admitted":
            assert record.data["subject"] is not None
            assert record.data["index_c"] <= 37.3
            assert len(record.data["samples_c"]) >= 5


@FEW
@given(data=st.data())
def test_the_entry_is_free_only_for_its_own_release(data, histories, walks):
    for _, _, after, _ in lives(data.draw(walks), data.draw(histories)):
        releases = output_of(after).releases
        if releases == {Direction.ENTRY}:
            admitted = after.visit.decision is not None and after.visit.holder is not None
            commanded = after.visit.released_by is not None
            assert after.state is State.TESTING or admitted or commanded
