"""Hundreds of people with random behaviour: the books must balance, whatever they do."""

from collections import Counter

import pytest

from gatepost_hal.ports import Direction
from gatepost_hal.simulated.people.crowd import Behaviour, Crowd, people

COUNT = 150
# What the demo sets: that of the camera that the people's readings come from, and what 5 cm cost.
OFFSET = {"offset_c": 2.55}


@pytest.fixture(params=range(4), ids=lambda seed: f"seed {seed}")
def books(request, make_real):
    stage = make_real(seed=request.param, screening=OFFSET)
    queue = people(COUNT, seed=request.param)
    stage.know(queue)
    crowd = Crowd(stage.lane, queue, seed=request.param)
    assert stage.play_until(lambda: crowd.is_finished, COUNT * 60.0)
    stage.play(10.0)
    return stage, queue, Counter(stage.types)


def test_every_admission_ends_as_an_entry_or_as_none(books):
    _, _, told = books
    assert told["visit.admitted"] == told["passage.entered"] + told["passage.not_entered"]
    assert told["visit.admitted"] > COUNT / 3


def test_nobody_turns_the_arm_without_an_admission_or_an_alarm(books):
    stage, _, told = books
    turned = Counter(direction for _, direction in stage.lane.rotations)
    assert turned[Direction.ENTRY] == told["passage.entered"] + told["passage.forced"]
    assert turned[Direction.EXIT] == 0


def test_the_turnstile_is_never_left_released(books):
    stage, _, _ = books
    assert stage.released() == set()
    assert stage.lit() == frozenset()


def test_whoever_has_no_pass_is_denied_and_whoever_forces_is_told(books):
    _, queue, told = books
    behaved = Counter(person.behaviour for person in queue)
    assert told["visit.denied"] == behaved[Behaviour.HAS_NO_PASS]
    assert told["passage.forced"] == behaved[Behaviour.FORCES]


def test_every_decision_is_about_a_person_in_the_roster_and_cites_its_rules(books):
    stage, _, _ = books
    for entry in stage.log.entries:
        if entry.type in ("visit.admitted", "visit.referred", "visit.rechecked"):
            assert entry.data["subject"].startswith("person-")
            assert entry.data["rules"]


def test_the_same_seed_gives_the_same_run(make_real):
    def run():
        stage = make_real(seed=5, screening=OFFSET)
        queue = people(20, seed=5)
        stage.know(queue)
        crowd = Crowd(stage.lane, queue, seed=5)
        stage.play_until(lambda: crowd.is_finished, 20 * 60.0)
        return stage.log.entries

    assert run() == run()
