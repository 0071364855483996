"""What was pressed while nobody looked: a gate that starts, or that waits for its disk."""

import pytest

from gatepost.core.states import Span, State
from gatepost_hal.ports import Direction, InputName

from .stage import WELL_C

HOLD_S, WISH_S = 5.0, 10.0  # the settings' defaults
_TURN_S = 0.05  # a heartbeat


@pytest.fixture
def pulses_s(stage):
    """How long each pulse of the exit relay was, as they end."""
    told, began = [], []
    relay = stage.lane.relays[Direction.EXIT]
    tell = relay.on_change

    def change():
        tell()
        if relay.is_energised:
            began.append(stage.world.now_s())
        else:
            told.append(stage.world.now_s() - began.pop())

    relay.on_change = change
    return told


def start_while(stage, deed, start_s):
    """Let the gate start, have its lines, and need this long until its loop turns."""
    stage.restart()
    stage.world.advance(0.1)
    deed()
    stage.world.advance(start_s)


def people(stage):
    """What was told of people."""
    return [type_ for type_ in stage.types if type_.startswith(("exit.", "passage.", "visit."))]


def press(stage, for_s=0.3):
    stage.touch(InputName.EXIT_BUTTON, active=True)
    stage.world.advance(for_s)
    stage.touch(InputName.EXIT_BUTTON, active=False)


def block_at(stage, type_, blocked_s):
    """Let the disk block for this long at the first record of a type."""

    def spy(entries):
        if type_ in [entry.type for entry in entries]:
            stage.log.spy = lambda _entries: None
            stage.world.advance(blocked_s)

    stage.log.spy = spy


@pytest.mark.parametrize("start_s", [0.0, 1.0, HOLD_S - 0.4, HOLD_S, WISH_S - 0.5])
def test_pressed_while_the_gate_starts_the_exit_is_free_for_its_whole_time(
    stage, pulses_s, start_s
):
    start_while(stage, lambda: press(stage), start_s)
    stage.play(20.0)
    assert pulses_s == [pytest.approx(HOLD_S, abs=_TURN_S)]
    assert people(stage) == ["exit.released", "passage.not_left"]


def test_who_was_let_out_late_may_walk_for_as_long(stage):
    start_while(stage, lambda: press(stage), 4.0)
    stage.play(HOLD_S - 1.0)
    assert stage.lane.push(Direction.EXIT)
    stage.play(5.0)
    assert people(stage) == ["exit.released", "passage.left"]


def test_what_became_of_it_is_told_when_that_time_is_over(stage):
    start_while(stage, lambda: press(stage), 4.0)
    began_s = stage.world.now_s()
    stage.play(20.0)
    over_s = stage.last("passage.not_left").at_s - began_s
    turn_s = stage.policy.spans_s[Span.TURN]
    assert over_s == pytest.approx(HOLD_S + turn_s, abs=2 * _TURN_S)


def test_an_alarm_lasts_from_when_it_began(stage):
    """It frees nothing, so it is nobody's time."""
    began_s = stage.world.now_s()
    start_while(stage, lambda: stage.touch(InputName.PASSAGE, active=True), 4.0)
    assert stage.play_until(lambda: stage.state is State.HELD, 20.0)
    spans_s = stage.policy.spans_s
    over_s = spans_s[Span.ALARM_SHOW] + spans_s[Span.HELD]
    assert stage.world.now_s() - began_s == pytest.approx(over_s, abs=0.3)


def test_a_press_that_is_older_than_a_wish_counts_for_nothing(stage, pulses_s):
    """Whoever pressed has pressed again, or is gone; nobody else is let out for it."""
    start_while(stage, lambda: press(stage), WISH_S)
    stage.play(20.0)
    assert (pulses_s, people(stage)) == ([], [])
    stage.press(InputName.EXIT_BUTTON)
    stage.play(HOLD_S)
    assert len(pulses_s) == 1


def test_who_still_presses_is_let_out_however_long_it_took(stage, pulses_s):
    start_while(stage, lambda: stage.touch(InputName.EXIT_BUTTON, active=True), 60.0)
    stage.play(20.0)
    assert pulses_s == [pytest.approx(HOLD_S, abs=_TURN_S)]


def test_a_pass_inside_counts_as_long_as_a_press(make_stage):
    stage = make_stage()
    start_while(stage, lambda: stage.lane.exit_reader.scan("KNOWN"), WISH_S)
    stage.play(1.0)
    assert (stage.released(), people(stage)) == (set(), [])
    start_while(stage, lambda: stage.lane.exit_reader.scan("KNOWN"), WISH_S - 1.0)
    stage.play(HOLD_S - 0.2)
    assert stage.released() == {Direction.EXIT}


@pytest.mark.parametrize("blocked_s", [0.5, HOLD_S - 0.1, HOLD_S + 3.0])
def test_a_disk_that_blocks_takes_nothing_from_an_exit(stage, pulses_s, blocked_s):
    block_at(stage, "exit.released", blocked_s)
    stage.press(InputName.EXIT_BUTTON)
    stage.play(20.0)
    assert pulses_s == [pytest.approx(HOLD_S, abs=_TURN_S)]


@pytest.mark.parametrize("blocked_s", [0.5, HOLD_S - 0.1, HOLD_S + 3.0])
def test_nor_from_an_entry(stage, blocked_s):
    block_at(stage, "visit.admitted", blocked_s)
    stage.step_up(WELL_C)
    stage.scan()
    assert stage.play_until(lambda: stage.released() == {Direction.ENTRY}, 30.0)
    stage.play(HOLD_S - 0.2)
    assert (stage.released(), stage.state) == ({Direction.ENTRY}, State.RELEASED)
    stage.play(0.3)
    assert stage.released() == set()


def test_nor_from_a_pulse(make_stage):
    turnstile = {"passage": "none", "release": "pulse", "pulse_s": 0.5}
    stage = make_stage(sections={"turnstile": turnstile})
    block_at(stage, "exit.released", HOLD_S)
    stage.press(InputName.EXIT_BUTTON)
    assert stage.released() == {Direction.EXIT}
    stage.play(0.5)
    assert (stage.released(), stage.state) == (set(), State.LEAVING)


def test_a_fire_meanwhile_is_not_shortened_nor_ended_by_it(stage):
    start_while(
        stage,
        lambda: (stage.touch(InputName.FIRE, active=True), press(stage)),
        4.0,
    )
    stage.play(30.0)
    assert (stage.released(), stage.state) == (set(Direction), State.FIRE)
