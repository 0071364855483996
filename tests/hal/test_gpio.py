"""What the contract cannot reach from outside: broken lines, late timers, a fire at the start."""

import pytest
from gpiozero import DigitalOutputDevice
from gpiozero.pins.mock import MockFactory

from gatepost_hal.gpio import NORMALLY_CLOSED, GpioError, GpioLane
from gatepost_hal.ports import Direction, InputName, Lamp
from gatepost_hal.simulated.lane import PINS
from gatepost_hal.simulated.world import SimulatedMailbox, World
from gatepost_hal.system import SystemClock, ThreadTimer


@pytest.fixture
def world():
    return World()


@pytest.fixture
def factory():
    return MockFactory()


@pytest.fixture
def mailbox(world):
    return SimulatedMailbox(world)


@pytest.fixture
def make_lane(world, factory, mailbox):
    def make(timer=world):
        return GpioLane(PINS, factory=factory, clock=world, timer=timer, mailbox=mailbox)

    return make


def released(factory):
    return [bool(factory.pin(PINS.relays[way]).state) for way in Direction]


def break_line(factory, pin, *, times, level=False):
    """Let the line fail to go to this level so many times."""
    line = factory.pin(pin)
    set_state = line._set_state

    def failing(value):
        nonlocal times
        if bool(value) is level and times:
            times -= 1
            raise OSError(5, "Input/output error")
        set_state(value)

    line._set_state = failing


def test_an_alarm_that_was_on_before_the_start_is_reported(world, mailbox, make_lane):
    lane = make_lane()  # nothing closes the contacts: the pull-ups say alarm, and no edge comes
    lane.inputs.refresh()
    world.advance(0.1)
    events = mailbox.wait(world.now_s())
    assert {(event.name, event.active) for event in events} == {
        (name, True) for name in NORMALLY_CLOSED
    }


def test_one_broken_line_does_not_keep_the_other_relay_on(world, factory, make_lane):
    lane = make_lane()
    for way in Direction:
        lane.turnstile.release(way, 5.0)
    break_line(factory, PINS.relays[Direction.ENTRY], times=1)
    with pytest.raises(OSError, match="Input/output"):
        lane.turnstile.drop()
    assert released(factory) == [True, False]
    world.advance(0.1)  # the timer tries again, long before the hold's own end
    assert released(factory) == [False, False]


def test_a_line_that_breaks_at_the_close_leaves_no_other_one_open(factory, make_lane):
    lane = make_lane()
    for way in Direction:
        lane.turnstile.release(way, 5.0)
    break_line(factory, PINS.relays[Direction.ENTRY], times=1)
    with pytest.raises(OSError, match="Input/output"):
        lane.close()
    assert {factory.pin(pin).function for pin in PINS.relays.values()} == {"input"}


def test_nothing_is_energised_without_a_timer_that_ends_it(factory, make_lane):
    timer = ThreadTimer(SystemClock(), name="test-timer")
    lane = make_lane(timer)
    timer.close()
    with pytest.raises(RuntimeError, match="closed"):
        lane.turnstile.release(Direction.ENTRY, 1.0)
    assert released(factory) == [False, False]


def test_a_drop_needs_no_timer(factory, world, make_lane):
    class EndingTimer:
        closed = False

        def call_at(self, at_s, action):
            if self.closed:
                raise RuntimeError("the timer is closed")
            return world.call_at(at_s, action)

    timer = EndingTimer()
    lane = make_lane(timer)
    for way in Direction:
        lane.turnstile.release(way, 5.0)
    timer.closed = True
    with pytest.raises(RuntimeError, match="closed"):
        lane.turnstile.drop()
    assert released(factory) == [False, False]


def test_one_broken_relay_does_not_keep_a_fire_from_freeing_the_other_way(
    world, factory, mailbox, make_lane
):
    lane = make_lane()
    break_line(factory, PINS.relays[Direction.ENTRY], times=1, level=True)
    lane.inputs.refresh()  # the contacts are open, as in a fire
    with pytest.raises(OSError, match="Input/output"):
        world.advance(0.02)
    assert mailbox.wait(world.now_s())  # told, too
    assert released(factory) == [False, True]


def test_debouncing_for_longer_than_the_rest_of_presence_is_kept(world, factory, mailbox):
    pins = PINS._replace(debounce_s=0.5)
    GpioLane(pins, factory=factory, clock=world, timer=world, mailbox=mailbox)
    presence = factory.pin(pins.inputs[InputName.PRESENCE])
    presence.drive_low()
    world.advance(0.6)
    presence.drive_high()
    world.advance(0.4)
    assert [event.active for event in mailbox.wait(world.now_s())] == [True]
    world.advance(0.2)
    assert [event.active for event in mailbox.wait(world.now_s())] == [False]


class LateTimer:
    """Cancels too late, as a thread does that has taken the action already."""

    def __init__(self):
        self.actions = []

    def call_at(self, _at_s, action):
        self.actions.append(action)
        return lambda: None


def test_a_step_that_comes_after_the_silence_makes_no_sound(factory, make_lane):
    timer = LateTimer()
    lane = make_lane(timer)
    lane.buzzer.play((0.5, 0.1, 0.5))
    lane.buzzer.play(())
    for action in list(timer.actions):
        action()
    assert not factory.pin(PINS.buzzer).state


@pytest.mark.parametrize("after", [0, 1, 2, 3], ids=lambda turns: f"{turns} turns")
def test_a_turn_that_comes_after_the_next_show_lights_nothing(factory, make_lane, after):
    timer = LateTimer()
    lane = make_lane(timer)
    lane.lamps.show(frozenset(Lamp), blink_s=0.2)
    for turn in range(after):
        timer.actions[turn]()
    lane.lamps.show(frozenset())
    for action in list(timer.actions):
        action()
    assert not any(factory.pin(pin).state for pin in PINS.lamps.values())
    assert len(timer.actions) == after + 1  # and nothing goes on


def test_a_turn_that_fails_is_made_up_for_and_not_doubled(factory, make_lane):
    timer = LateTimer()
    lane = make_lane(timer)
    lane.lamps.show(frozenset({Lamp.RED}), blink_s=0.2)
    break_line(factory, PINS.lamps[Lamp.RED], times=1)
    with pytest.raises(OSError, match="Input/output"):
        timer.actions[0]()
    timer.actions[0]()  # as a `ThreadTimer` does
    assert not factory.pin(PINS.lamps[Lamp.RED]).state
    assert len(timer.actions) == 2


def test_a_turn_that_failed_before_the_next_show_lights_nothing(factory, make_lane):
    timer = LateTimer()
    lane = make_lane(timer)
    lane.lamps.show(frozenset({Lamp.RED}), blink_s=0.2)
    timer.actions[0]()  # dark
    break_line(factory, PINS.lamps[Lamp.RED], times=1, level=True)
    with pytest.raises(OSError, match="Input/output"):
        timer.actions[1]()
    lane.lamps.show(frozenset())
    timer.actions[1]()
    assert not factory.pin(PINS.lamps[Lamp.RED]).state


def test_a_repetition_that_comes_after_the_silence_makes_no_sound(factory, make_lane):
    timer = LateTimer()
    lane = make_lane(timer)
    lane.buzzer.play((0.5, 0.1), repeat=True)
    lane.buzzer.play(())
    for action in list(timer.actions):
        action()
    assert not factory.pin(PINS.buzzer).state


def test_a_line_that_is_taken_is_named(factory, make_lane):
    taken = DigitalOutputDevice(PINS.buzzer, pin_factory=factory)
    with pytest.raises(GpioError, match=f"GPIO {PINS.buzzer} "):
        make_lane()
    taken.close()
