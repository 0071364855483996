"""Unruly people, staff, alarms, failing parts and a process that dies: the books must balance.

A story that fails is repeated by the command that it prints; many more of them are told by
`python tests/bench/crowd.py --people 10000`.
"""

from collections import Counter

import pytest

from gatepost.core.states import State
from gatepost_hal.ports import Direction, InputName
from gatepost_hal.simulated.turnstile import Mechanism, PassageOutput

from .books import Books
from .fate import Fate
from .story import AGAIN, play

COUNT = 40
STORIES = range(16)


@pytest.mark.parametrize("number", STORIES, ids=lambda number: f"story {number}")
def test_whatever_happens_the_books_balance(number):
    told = play(f"2/{number}", COUNT)
    again = AGAIN.format(people=COUNT, seed=2, number=number)
    assert told.wrong == [], f"{told.site}\nonce more: {again}"


def test_the_same_seed_tells_the_same_story():
    one, other = play("3/0", 20), play("3/0", 20)
    assert (one.counts, one.lasted_s) == (other.counts, other.lasted_s)


def test_a_story_has_all_that_it_is_about():
    counts = sum((play(f"4/{number}", 30).counts for number in range(20)), Counter())
    wanted = {
        *("kills", "hangs", "ends in good order", "crashes"),
        *("fire.raised", "emergency.raised", "tamper.raised", "maintenance.tested"),
        *("lane.locked", "lane.closed", "entry.commanded", "command.refused", "journal.lost"),
        *("visit.admitted", "visit.referred", "visit.rechecked", "visit.denied"),
        *("passage.entered", "passage.left", "passage.forced", "passage.tailgated"),
        *("passage.not_entered", "passage.not_left", "passage.unconfirmed", "passage.free"),
        *("entry forced", "entry released", "entry in_an_alarm", "fault.raised"),
    }
    assert wanted - counts.keys() == set()


# ------------------------------------------------------------------- books that can tell a cheat


@pytest.fixture
def books(stage):
    fate = Fate(stage, chance=None)
    return Books(stage, fate, Mechanism.TRIPOD, PassageOutput.SINGLE)


def test_a_relay_without_a_record_is_found(stage, books):
    stage.hardware.turnstile.release(Direction.ENTRY, 1.0)
    assert "entry is energised without a record" in books.wrong[0]


def test_a_record_energises_once(stage, books):
    stage.reach(State.RELEASED)
    stage.hardware.turnstile.drop()
    assert books.wrong == []
    stage.hardware.turnstile.release(Direction.ENTRY, 1.0)
    assert "entry is energised without a record" in books.wrong[0]


def test_a_relay_that_is_energised_for_too_long_is_found(stage, books):
    stage.reach(State.RELEASED)
    stage.hardware.turnstile.release(Direction.ENTRY, 8.0)
    stage.world.advance(9.0)
    assert "entry was free for 8" in books.wrong[0]


def test_both_ways_without_an_alarm_are_found(stage, books):
    stage.reach(State.RELEASED)
    stage.hardware.turnstile.release(Direction.EXIT, 1.0)
    assert "both ways are free without an alarm" in books.wrong[-1]


def test_a_second_person_on_one_release_is_found(stage, books):
    stage.touch(InputName.STAFF_RELEASE, active=True)
    stage.play_until(lambda: stage.state is State.RELEASED, 1.0)
    assert books.push(Direction.ENTRY)
    stage.play(1.0)
    stage.log.tried.clear()
    books.windows[-1].until_s = None
    stage.lane.relays[Direction.ENTRY]._pin._change_state(value=True)
    assert books.push(Direction.ENTRY)
    assert "2 people on one release" in books.wrong[-1]


def test_a_release_without_an_outcome_is_found(stage, books):
    stage.reach(State.RELEASED)
    books.close()
    assert "no outcome of" in books.wrong[-1]


def test_a_way_that_is_left_free_is_found(stage, books):
    stage.reach(State.LEAVING)
    books.close()
    assert "left released" in books.wrong[0]
