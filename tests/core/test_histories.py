"""Whole random histories, in their own time: what must hold from the first event to the last."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.core.events import Tick
from gatepost.core.states import OUTPUTS, State
from gatepost_hal.ports import Direction

LIKELY = [
    "arrives shows_pass cool written passage",
    "arrives shows_pass near deadline near deadline near written",
    "arrives shows_pass",
    "cool written",
    "deadline",
    "leaves arrives",
    "fire fire_over",
    "arrives distrust shows_pass trust cool",
    "arrives shows_pass near distrust trust deadline cool",
]
FEW = settings(max_examples=150, deadline=None)


@pytest.fixture(scope="session")
def histories(event_words):
    words = st.sampled_from([*event_words, *LIKELY])
    return st.lists(words, min_size=1, max_size=40).map(" ".join)


def lives(walk, words):
    """Yield the word, the lane before and after it, and the records, word by word."""
    for word in words.split():
        before, told = walk.lane, len(walk.records)
        walk.does(word)
        walk.feed(Tick(walk.now_s))  # as the loop does at the end of every turn
        yield word, before, walk.lane, walk.records[told:]


@FEW
@given(data=st.data())
def test_each_entry_has_a_written_admission_of_its_own(data, histories, new_walk):
    admitted, written, passed = Counter(), Counter(), Counter()
    for word, before, after, records in lives(new_walk(), data.draw(histories)):
        admitted.update(r.data["visit"] for r in records if r.type == "visit.admitted")
        passed.update(r.data["visit"] for r in records if r.type == "passage.entered")
        if word == "written" and before.state is State.DECIDING:
            written[before.visit.number] += 1
        if Direction.ENTRY in OUTPUTS[after.state].releases and after.state is not State.FIRE:
            assert written[after.visit.number] == 1
    assert passed <= written <= admitted
    assert set(admitted.values()) <= {1}


@FEW
@given(data=st.data())
def test_no_release_outlives_its_duration(data, histories, new_walk):
    for _, _, after, _ in lives(walk := new_walk(), data.draw(histories)):
        if OUTPUTS[after.state].releases and after.state is not State.FIRE:
            assert after.deadline_at_s == after.entered_at_s + 5.0
            assert walk.now_s < after.deadline_at_s


@FEW
@given(data=st.data())
def test_visit_numbers_and_times_only_grow_and_numbers_have_no_holes(data, histories, new_walk):
    walk = new_walk()
    numbers = [after.visit.number for _, _, after, _ in lives(walk, data.draw(histories))]
    assert sorted(numbers) == numbers
    assert set(numbers) <= set(range(max(numbers) + 1))
    assert len(set(numbers)) >= max(numbers)
    times_s = [record.at_s for record in walk.records]
    assert sorted(times_s) == times_s


@FEW
@given(data=st.data())
def test_every_measured_attempt_is_told_once_and_no_more_than_allowed(data, histories, new_walk):
    walk = new_walk()
    walk.does(data.draw(histories))
    told = {"visit.admitted", "visit.rechecked", "visit.referred"}
    attempts = [(r.data["visit"], r.data["attempt"]) for r in walk.records if r.type in told]
    assert len(set(attempts)) == len(attempts)
    assert all(1 <= attempt <= 3 for _, attempt in attempts)


@FEW
@given(data=st.data())
def test_the_same_history_always_ends_the_same(data, histories, new_walk):
    words = data.draw(histories)
    one, other = new_walk(), new_walk()
    assert one.does(words) == other.does(words)
    assert (one.lane, one.records) == (other.lane, other.records)


@FEW
@given(data=st.data())
def test_nobody_is_admitted_by_an_attempt_that_spoke_against_its_thermometer(
    data, histories, new_walk
):
    doubted = tainted = False
    for word, before, after, records in lives(new_walk(), data.draw(histories)):
        doubted = word == "distrust" or (doubted and word != "trust")
        begins = after.state is State.MEASURING and before.state is not State.MEASURING
        tainted = doubted or (tainted and not begins)
        if "visit.admitted" in [record.type for record in records]:
            assert not tainted
