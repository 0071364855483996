import pytest

from gatepost.core.states import State
from gatepost_hal.ports import Direction, InputName, Lamp

WELL_C, FEVERISH_C, NEAR_LIMIT_C = 34.0, 36.2, 34.9


def test_a_well_person_with_a_known_pass_walks_through(stage):
    stage.step_up(WELL_C)
    assert stage.lit() == {Lamp.AMBER}
    stage.scan()
    assert stage.play_until(lambda: stage.state is State.RELEASED, 5.0)
    assert stage.released() == {Direction.ENTRY}
    assert stage.lit() == {Lamp.GREEN}
    assert stage.lane.push(Direction.ENTRY)
    stage.play(1.0)
    stage.walk_off()
    assert stage.state is State.IDLE
    assert stage.released() == set()
    assert stage.lit() == frozenset()
    assert stage.types == ["visit.admitted", "passage.entered"]


def test_the_decision_says_what_was_measured_and_by_which_rules(stage):
    stage.step_up(WELL_C)
    stage.scan()
    stage.play(3.0)
    data = stage.last("visit.admitted").data
    assert data["rules"] == ["R001", "R006", "R067"]
    assert len(data["samples_c"]) == 7
    assert data["subject"] == "subject-1"
    assert abs(data["index_c"] - (WELL_C + 2.43)) < 0.5
    # The room, and the part's own warmth: at the first and at the last sample.
    assert data["ambient_c"] == pytest.approx([24.4, 24.4], abs=0.011)
    assert data["calibration"] is None


def test_the_admission_is_on_disk_before_the_relay_moves(stage):
    released_at_write = []
    stage.log.spy = lambda entries: released_at_write.append(
        ([entry.type for entry in entries], stage.released())
    )
    stage.step_up(WELL_C)
    stage.scan()
    stage.play_until(lambda: stage.state is State.RELEASED, 5.0)
    assert released_at_write == [(["visit.admitted"], set())]
    assert stage.released() == {Direction.ENTRY}


def test_one_release_lets_one_person_through(stage):
    stage.reach(State.RELEASED)
    assert stage.lane.push(Direction.ENTRY)
    stage.play(1.0)
    assert not stage.lane.push(Direction.ENTRY)


@pytest.mark.parametrize("after_s", [0.5, 4.5, 4.7, 4.9])
def test_an_entry_that_began_while_it_was_free_is_an_entry_and_no_alarm(stage, after_s):
    stage.reach(State.RELEASED)
    stage.play(after_s)
    assert stage.lane.push(Direction.ENTRY)
    stage.play(3.0)
    assert stage.types == ["visit.admitted", "passage.entered"]


def test_a_release_that_nobody_uses_is_told_apart_from_an_entry(stage):
    stage.reach(State.RELEASED)
    stage.play(5.1)
    assert stage.released() == set()
    assert stage.types == ["visit.admitted"]  # the last moment's entry would still be told
    stage.play(1.5)
    assert stage.types == ["visit.admitted", "passage.not_entered"]


def test_a_feverish_person_is_asked_to_wait_for_staff(stage):
    stage.step_up(FEVERISH_C)
    stage.scan()
    assert stage.play_until(lambda: stage.state is State.REFERRED, 5.0)
    assert stage.lit() == {Lamp.RED, Lamp.AMBER}
    assert not stage.lane.push(Direction.ENTRY)
    assert stage.types == ["visit.referred"]
    assert stage.last("visit.referred").data["reason"] == "above_limit"


def test_a_person_near_the_limit_is_measured_again_and_then_decided(stage):
    stage.step_up(NEAR_LIMIT_C)
    stage.scan()
    assert stage.play_until(lambda: stage.state in (State.RELEASED, State.REFERRED), 30.0)
    attempts = [entry.data["attempt"] for entry in stage.log.entries]
    assert stage.types[:-1] == ["visit.rechecked"] * (len(attempts) - 1)
    assert attempts == list(range(1, len(attempts) + 1))
    last = stage.log.entries[-1].data
    assert (last["index_c"] > 37.3) == (last["outcome"] == "refer")


def test_an_unknown_pass_is_refused_without_a_measurement(stage):
    transfers = stage.lane.bus.transfers
    stage.step_up(WELL_C)
    stage.scan("UNKNOWN")
    assert stage.state is State.REFUSED
    assert stage.lit() == {Lamp.RED}
    stage.play(3.0)
    assert stage.lane.bus.transfers == transfers
    assert stage.types == ["visit.denied"]
    assert "UNKNOWN" not in str(stage.log.entries)


def test_the_right_pass_after_the_wrong_one_is_a_visit_of_its_own(stage):
    stage.step_up(WELL_C)
    stage.scan("UNKNOWN")
    stage.scan()
    assert stage.play_until(lambda: stage.state is State.RELEASED, 5.0)
    assert [entry.data["visit"] for entry in stage.log.entries] == [1, 2]


def test_whoever_walks_off_leaves_the_lane_ready(stage):
    stage.step_up(WELL_C)
    stage.scan()
    stage.play(0.5)
    stage.walk_off()
    assert stage.state is State.IDLE
    stage.play(10.0)
    assert stage.types == ["visit.abandoned"]
    assert stage.released() == set()


def test_somebody_who_only_stands_there_is_one_event_not_many(stage):
    stage.step_up(WELL_C)
    stage.play(120.0)
    assert stage.types == ["visit.abandoned"]
    stage.scan()  # and may still show a pass
    assert stage.play_until(lambda: stage.state is State.RELEASED, 5.0)


def test_a_pass_of_nobody_opens_nothing(stage):
    stage.scan()
    stage.play(10.0)
    assert stage.types == []
    assert stage.state is State.IDLE


def test_a_second_pass_during_the_measurement_changes_nothing(stage):
    stage.step_up(WELL_C)
    stage.scan()
    stage.scan("UNKNOWN")
    assert stage.play_until(lambda: stage.state is State.RELEASED, 5.0)
    assert stage.last("visit.admitted").data["subject"] == "subject-1"


def test_a_forced_passage_is_told_in_every_waiting_state(make_stage):
    for state in (State.IDLE, State.AWAITING_PASS, State.MEASURING, State.REFUSED, State.REFERRED):
        stage = make_stage()
        stage.reach(state)
        assert stage.lane.push(Direction.ENTRY, force=True)
        stage.play_until(lambda stage=stage: "passage.forced" in stage.types, 2.0)
        assert stage.last("passage.forced").data == {"state": state.name.lower()}


def test_the_exit_button_frees_the_exit_alone(stage):
    stage.touch(InputName.EXIT_BUTTON, active=True)
    assert stage.play_until(lambda: stage.state is State.LEAVING, 1.0)
    assert stage.released() == {Direction.EXIT}
    assert stage.lane.push(Direction.EXIT)
    stage.play(1.0)
    assert stage.types == ["exit.released", "passage.left"]
    assert stage.released() == set()


def test_who_waits_at_the_entry_during_an_exit_is_served_afterwards(stage):
    stage.step_up(WELL_C)
    stage.touch(InputName.EXIT_BUTTON, active=True)
    stage.play(0.2)
    assert stage.lane.push(Direction.EXIT)
    stage.play(1.0)
    assert stage.state is State.AWAITING_PASS
    stage.scan()
    assert stage.play_until(lambda: stage.state is State.RELEASED, 5.0)


def test_the_link_is_rung_for_every_record(stage):
    stage.reach(State.RELEASED)
    assert stage.rings == 1
