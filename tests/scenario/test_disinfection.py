"""What people touch is disinfected twice a day (R220 R221): a reminder until somebody says so."""

from dataclasses import replace

import pytest

from gatepost.gate import Asked
from gatepost.wiring.disinfection import Disinfection
from gatepost.wiring.regimes import load
from gatepost_hal.simulated.world import World

TWICE = 2
HALF_A_DAY_S = 43_200.0


@pytest.fixture
def path(tmp_path):
    return tmp_path / "disinfection.json"


def test_r220_it_is_due_until_somebody_says_that_it_was_done(path):
    world = World()
    gate = Disinfection(path, world, "boot")
    assert gate.due(TWICE) == "not told of for 12 h"
    assert gate.done() is None
    assert gate.due(TWICE) is None


def test_r221_twice_a_day_is_every_twelve_hours(path):
    world = World()
    gate = Disinfection(path, world, "boot")
    gate.done()
    world.advance(HALF_A_DAY_S - 1)
    assert gate.due(TWICE) is None
    world.advance(1)
    assert gate.due(TWICE) is not None
    assert gate.due(1) is None  # once a day, as R224 has it


def test_an_order_without_a_number_reminds_nobody(path):
    assert Disinfection(path, World(), "boot").due(0) is None


def test_it_is_known_after_a_restart(path):
    world = World()
    Disinfection(path, world, "boot").done()
    assert Disinfection(path, world, "another").due(TWICE) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'["boot", 0.0]', b'["boot", "x", 1.0]'])
def test_a_file_that_says_nothing_counts_as_none(content, path):
    path.write_bytes(content)
    gate = Disinfection(path, World(), "boot")
    assert gate.due(TWICE) is not None
    assert gate.done() is None
    assert gate.due(TWICE) is None


def test_what_cannot_be_kept_is_said_and_counts_until_the_restart(path):
    path.mkdir()
    gate = Disinfection(path, World(), "boot")
    assert "cannot be written" in gate.done()
    assert gate.due(TWICE) is None


# ------------------------------------------------------------------------------------- in the loop


@pytest.fixture
def reminded(stage, path):
    """A lane under an order that wants it every half hour."""
    stage.disinfection = Disinfection(path, stage.world, "boot")
    stage.gate = stage.restart()
    order = load("normal")["normal"]
    often = order.limits._replace(disinfections_a_day=48)
    stage.regime = (replace(order, limits=often), None)
    assert stage.play_until(lambda: "raised disinfection" in stage.faults, 15.0)
    return stage


def tells(stage):
    answers = []
    stage.asked.append(Asked(None, None, "", "uid 1000", answers.append, disinfected=True))
    assert stage.play_until(lambda: bool(answers), 1.0)
    return answers[0]


def test_the_reminder_is_a_fault_that_ends_when_it_was_done(reminded):
    assert tells(reminded)["done"] is True
    assert reminded.last("disinfection.done").data == {"by": "uid 1000"}
    assert reminded.faults[-1] == "cleared disinfection"
    assert reminded.play_until(
        lambda: reminded.faults[-1] == "raised disinfection", HALF_A_DAY_S + 9
    )


def test_what_cannot_be_recorded_is_not_done(reminded):
    reminded.log.broken = True
    answer = tells(reminded)
    assert (answer["done"], answer["why"]) == (False, "no_record")
    assert reminded.disinfection.due(48) is not None


def test_no_order_no_reminder(reminded):
    reminded.regime = (None, None)
    assert reminded.play_until(lambda: reminded.faults[-1] == "cleared disinfection", 15.0)


def test_an_order_may_ask_for_none(reminded):
    order = load("normal")["normal"]
    none = replace(order, limits=order.limits._replace(disinfections_a_day=0))
    reminded.regime = (none, None)
    assert reminded.play_until(lambda: reminded.faults[-1] == "cleared disinfection", 15.0)
