"""What the contract cannot reach from outside: broken lines, late timers, a fire at the start."""

import pytest
from gpiozero import DigitalOutputDevice
from gpiozero.pins.mock import MockFactory

from gatepost_hal.gpio import GpioError, GpioLane
from gatepost_hal.ports import Direction, InputName
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


def break_line(factory, pin, *, times):
    """Let the line fail to go low so many times."""
    line = factory.pin(pin)
    set_state = line._set_state

    def failing(value):
        nonlocal times
        if not value and times:
            times -= 1
            raise OSError(5, "Input/output error")
        set_state(value)

    line._set_state = failing


def test_a_fire_that_burned_before_the_start_is_reported(world, mailbox, make_lane):
    lane = make_lane()  # nothing closes the contact: the pull-up says fire, and no edge comes
    lane.inputs.refresh()
    world.advance(0.1)
    (event,) = mailbox.wait(world.now_s())
    assert (event.name, event.active) == (InputName.FIRE, True)


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


def test_a_line_that_is_taken_is_named(factory, make_lane):
    taken = DigitalOutputDevice(PINS.buzzer, pin_factory=factory)
    with pytest.raises(GpioError, match=f"GPIO {PINS.buzzer} "):
        make_lane()
    taken.close()
