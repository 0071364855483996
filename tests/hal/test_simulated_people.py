from itertools import pairwise
from statistics import median

import pytest

from gatepost_hal.simulated.lane import SimulatedLane
from gatepost_hal.simulated.people.crowd import Behaviour, Crowd, Person, people
from gatepost_hal.simulated.world import World


@pytest.fixture
def lane():
    lane = SimulatedLane(World(), seed=1)
    yield lane
    lane.close()


def arrival(lane, crowd):
    """Play until somebody stands there, and return when that was."""
    while crowd.present is None:
        lane.world.advance(0.01)
    return lane.world.now_s()


def reading_c(lane, person, samples=101):
    crowd = Crowd(lane, [person], seed=1)
    arrival(lane, crowd)
    objects_c = []
    while crowd.present and len(objects_c) < samples:
        lane.world.advance(0.14)
        objects_c.append(lane.chip.word(0x07) * 0.02 - 273.15)
    return median(objects_c)


def test_the_first_one_comes_after_a_second(lane):
    assert arrival(lane, Crowd(lane, people(1, seed=1), seed=1)) == pytest.approx(1.0, abs=0.011)


@pytest.mark.parametrize("start_at_s", [0.0, 5.0, 1800.0])
def test_nobody_comes_before_the_start(lane, start_at_s):
    crowd = Crowd(lane, people(1, seed=1), seed=1, start_at_s=start_at_s)
    assert arrival(lane, crowd) == pytest.approx(start_at_s, abs=0.011)


def test_a_start_that_is_past_is_now(lane):
    lane.world.advance(10.0)
    crowd = Crowd(lane, people(1, seed=1), seed=1, start_at_s=5.0)
    assert arrival(lane, crowd) == pytest.approx(10.0, abs=0.011)


def test_all_people_come_to_one_room_and_the_die_stays_where_it_is(lane):
    queue = people(6, seed=1)
    assert len({person.room_c for person in queue}) > 1
    crowd = Crowd(lane, queue, seed=1)
    while not crowd.is_finished:
        lane.world.advance(0.5)
        assert lane.chip.room_c == 24.0
        assert lane.chip.word(0x06) * 0.02 - 273.15 == pytest.approx(24.4, abs=0.011)


@pytest.mark.parametrize("room_c", [20.2, 24.0, 29.1])
def test_a_forehead_is_carried_from_its_room_to_the_lanes_and_seen_through_the_lens(lane, room_c):
    in_its_room_c = 34.5 + 0.18 * (room_c - 24.0)
    person = Person(0, (in_its_room_c,) * 4, room_c, Behaviour.WALKS)
    # Skin of 34.5 in a room of 24: 0.20 low by emissivity, 0.09 by the face around it.
    assert reading_c(lane, person) == pytest.approx(34.21, abs=0.06)


def test_a_forehead_moves_on_to_its_next_round_and_stays_at_the_last(lane):
    person = Person(0, (33.0, 34.0, 35.0, 36.0), 24.0, Behaviour.WALKS)
    crowd = Crowd(lane, [person], seed=1)
    at_s = arrival(lane, crowd)
    seen = [lane.chip.scene(at_s + after_s) for after_s in (0.0, 5.0, 9.0, 13.0, 17.0)]
    steps = [after - before for before, after in pairwise(seen)]
    assert steps == pytest.approx([1.0, 1.0, 1.0, 0.0], abs=0.03)
