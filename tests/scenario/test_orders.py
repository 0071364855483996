"""Orders on the control socket, as the loop obeys or refuses them; and what it says of itself."""

from collections import Counter

import pytest

from gatepost.core.events import Tested as Output  # by its own name pytest takes it for a test
from gatepost.core.events import Verb
from gatepost.core.states import State
from gatepost.gate import Asked
from gatepost_hal.ports import Direction, InputName
from gatepost_hal.simulated.mlx90614 import ChipFault

from .stage import FEVERISH_C, WELL_C


def types_of_orders(stage):
    return Counter(type_ for type_ in stage.types if type_.startswith("command."))


# ------------------------------------------------------------------------------------ what stands


def test_the_status_says_how_things_stand(stage):
    stage.order(Verb.LOCK)
    stage.touch(InputName.PRESENCE, active=True)
    stage.scan("UNKNOWN")
    answer = stage.order(None)
    assert answer["standing"] == ["lockdown"]
    assert answer["inputs"]["presence"] is True
    assert answer["passes_read"] == 1
    assert answer["faults"] == []


def test_the_status_has_the_faults_that_stand(stage):
    stage.lane.chip.fault = ChipFault.NACK
    stage.play(60.0)
    assert stage.order(None)["faults"] == ["sensor"]


@pytest.mark.parametrize("state", [State.RELEASED, State.REFERRED], ids=lambda state: state.name)
def test_the_status_has_no_temperature_and_no_name(stage, state):
    stage.reach(state)
    answer = stage.order(None)
    assert answer["state"] == state.name.lower()
    assert answer.keys() == {"state", "standing", "inputs", "passes_read", "faults"}
    assert "subject" not in str(answer)
    assert "37" not in str(answer)


def test_to_ask_changes_nothing(stage):
    stage.order(None)
    assert stage.types == []


# ---------------------------------------------------------------------------------------- obeyed


@pytest.mark.parametrize(
    ("verb", "way"),
    [(Verb.RELEASE_ENTRY, Direction.ENTRY), (Verb.RELEASE_EXIT, Direction.EXIT)],
    ids=lambda value: value.value,
)
def test_a_release_by_order_lets_one_person_through(stage, verb, way):
    answer = stage.order(verb)
    assert (answer["done"], answer["verb"], answer["by"]) == (True, verb.value, "uid 0")
    assert stage.released() == {way}
    assert stage.lane.push(way)
    stage.play(1.0)
    assert stage.released() == set()
    assert not stage.lane.push(way)


def test_a_release_by_order_has_its_record_before_the_relay_moves(stage):
    released_at_write = []
    stage.log.spy = lambda entries: released_at_write.append((entries[0].type, stage.released()))
    stage.order(Verb.RELEASE_ENTRY)
    assert released_at_write == [("entry.commanded", set())]


def test_a_release_by_order_needs_a_disk_for_the_entry_alone(stage):
    stage.log.broken = True
    stage.order(Verb.RELEASE_ENTRY)
    assert stage.released() == set()
    stage.play(10.0)
    stage.order(Verb.RELEASE_EXIT)
    assert stage.released() == {Direction.EXIT}


def test_staff_answers_for_somebody_who_was_referred(stage):
    stage.step_up(FEVERISH_C)
    stage.scan()
    assert stage.play_until(lambda: stage.state is State.REFERRED, 5.0)
    assert stage.order(Verb.RELEASE_ENTRY)["done"]
    stage.walk()
    stage.play(1.0)
    entered = stage.last("passage.entered").data
    assert (entered["subject"], entered["by"]) == ("subject-1", "uid 0")


# --------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize("times", [2, 3])
def test_an_order_that_comes_more_than_once_acts_once(stage, times):
    answers = []
    asked = Asked(Verb.RELEASE_ENTRY, None, "the same", "uid 0", answers.append)
    stage.asked += [asked] * times
    stage.play(0.5)
    assert [answer["done"] for answer in answers] == [True] + [False] * (times - 1)
    assert {answer["why"] for answer in answers[1:]} == {"repeated"}
    assert stage.types.count("entry.commanded") == 1
    assert stage.lane.relays[Direction.ENTRY].pulses == 1


@pytest.mark.parametrize(
    ("state", "verb", "tested"),
    [
        (State.IDLE, Verb.TEST, Output.ENTRY_RELAY),
        (State.TESTING, Verb.TEST, Output.EXIT_RELAY),
        (State.MAINTENANCE, Verb.RELEASE_ENTRY, None),
        (State.RELEASED, Verb.RELEASE_ENTRY, None),
        (State.LEAVING, Verb.RELEASE_ENTRY, None),
        (State.FIRE, Verb.RELEASE_ENTRY, None),
    ],
    ids=lambda value: getattr(value, "name", "nothing").lower(),
)
def test_what_cannot_be_done_now_is_refused_and_moves_nothing(stage, state, verb, tested):
    stage.reach(state)
    pulses = [relay.pulses for relay in stage.lane.relays.values()]
    answer = stage.order(verb, tested)
    assert (answer["done"], answer["why"]) == (False, "not_now")
    assert [relay.pulses for relay in stage.lane.relays.values()] == pulses
    assert types_of_orders(stage)["command.refused"] == 1


@pytest.mark.parametrize(
    ("verb", "tested"), [(Verb.TEST, None), (Verb.LOCK, Output.BUZZER)], ids=str
)
def test_an_order_that_makes_no_sense_is_refused(stage, verb, tested):
    answer = stage.order(verb, tested)
    assert (answer["done"], answer["why"]) == (False, "malformed")
    assert stage.state is State.IDLE


def test_each_order_is_one_record_with_who_gave_it(stage):
    for verb in (Verb.LOCK, Verb.UNLOCK, Verb.CLOSE, Verb.OPEN, Verb.RELEASE_EXIT):
        stage.order(verb)
    assert types_of_orders(stage) == {"command.obeyed": 5}
    orders = [entry.data for entry in stage.log.entries if entry.type == "command.obeyed"]
    assert {order["by"] for order in orders} == {"uid 0"}
    assert len({order["command"] for order in orders}) == 5


def test_an_order_waits_for_nobody_in_the_arm(stage):
    stage.step_up(WELL_C)
    stage.scan()
    assert stage.play_until(lambda: stage.state is State.RELEASED, 5.0)
    assert stage.order(Verb.LOCK)["done"]
    assert stage.released() == {Direction.ENTRY}  # they have been admitted, and finish
    stage.walk()
    stage.play(2.0)
    assert (stage.state, stage.released()) == (State.LOCKED, set())
