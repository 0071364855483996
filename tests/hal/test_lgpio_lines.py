"""gpiozero's own lgpio classes above a stand-in for the lgpio module, which notes every call.

The stand-in knows what a kernel line does: it has a mode and a level, and a claim sets both.
"""

import sys
from collections import defaultdict
from types import ModuleType, SimpleNamespace

import pytest
from gpiozero.pins.local import LocalPiFactory

from gatepost_hal.gpio import GpioLane, lgpio_factory
from gatepost_hal.ports import Direction
from gatepost_hal.simulated.lane import PINS
from gatepost_hal.simulated.world import SimulatedMailbox, World

PI_3B = 0xA02082
IS_OUT = 1 << 1  # lgpio's mode bits, as gpiozero reads them


class StandInLgpio(ModuleType):
    SET_PULL_NONE, SET_PULL_UP, SET_PULL_DOWN = 128, 32, 64
    RISING_EDGE, FALLING_EDGE, BOTH_EDGES = 1, 2, 3

    class error(Exception):  # noqa: N801, N818 - lgpio's own name
        pass

    def __init__(self):
        super().__init__("lgpio")
        self.is_output = {}
        self.levels = {}
        self.driven = []  # (line, level) each time that an output has a level, also the same one
        self.listening = []  # lines with a callback, once for each

    def gpiochip_open(self, _chip):
        return 1

    def gpiochip_close(self, _handle):
        pass

    def gpio_claim_input(self, _handle, line, _flags=0):
        self.is_output[line] = False

    def gpio_claim_output(self, _handle, line, level=0, _flags=0):
        self.is_output[line] = True
        self._drive(line, level)

    def gpio_claim_alert(self, _handle, line, _edges, _flags=0):
        self.is_output[line] = False

    def gpio_free(self, _handle, line):
        self.is_output[line] = False

    def gpio_get_mode(self, _handle, line):
        return IS_OUT if self.is_output[line] else 0

    def gpio_read(self, _handle, line):
        return self.levels.get(line, 1)

    def gpio_write(self, _handle, line, level):
        assert self.is_output[line]
        self._drive(line, level)

    def gpio_set_debounce_micros(self, _handle, _line, _duration_us):
        pass

    def callback(self, _handle, line, _edges, _called):
        self.listening.append(line)
        return SimpleNamespace(cancel=lambda: self.listening.remove(line))

    def _drive(self, line, level):
        self.levels[line] = int(level)
        self.driven.append((line, int(level)))


@pytest.fixture
def lgpio(monkeypatch):
    lgpio = StandInLgpio()
    monkeypatch.setitem(sys.modules, "lgpio", lgpio)
    for module in ("gpiozero.pins.lgpio", "gatepost_hal.lgpio_lines"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(LocalPiFactory, "_get_revision", lambda _self: PI_3B)
    # Shared by all factories of a process.
    monkeypatch.setattr(LocalPiFactory, "pins", {})
    monkeypatch.setattr(LocalPiFactory, "_reservations", defaultdict(list))
    monkeypatch.setenv("LG_WD", "")
    yield lgpio
    for module in ("gpiozero.pins.lgpio", "gatepost_hal.lgpio_lines"):
        sys.modules.pop(module, None)


@pytest.fixture
def make_lane(lgpio, tmp_path):
    lanes = []

    def make(*, active_high):
        world = World()
        pins = PINS._replace(relay_active_high=active_high)
        factory = lgpio_factory(tmp_path)
        assert sys.modules["lgpio"] is lgpio
        mailbox = SimulatedMailbox(world)
        lanes.append(GpioLane(pins, factory=factory, clock=world, timer=world, mailbox=mailbox))
        return lanes[-1]

    yield make
    for lane in lanes:
        lane.close()


def levels_of(lgpio, line):
    return [level for driven, level in lgpio.driven if driven == line]


ENTRY, EXIT = (PINS.relays[way] for way in Direction)


def test_an_active_low_relay_is_claimed_high_and_never_low_before_its_release(lgpio, make_lane):
    make_lane(active_high=False)
    assert (levels_of(lgpio, ENTRY), levels_of(lgpio, EXIT)) == ([1], [1])


def test_an_active_high_relay_is_claimed_low(lgpio, make_lane):
    make_lane(active_high=True)
    assert (levels_of(lgpio, ENTRY), levels_of(lgpio, EXIT)) == ([0], [0])


@pytest.mark.parametrize("active_high", [True, False], ids=["high", "low"])
def test_lamps_and_buzzer_are_claimed_low_whatever_the_relays_are(lgpio, make_lane, active_high):
    make_lane(active_high=active_high)
    for line in (*PINS.lamps.values(), PINS.buzzer):
        assert levels_of(lgpio, line) == [0]


@pytest.mark.parametrize(("active_high", "levels"), [(True, [0, 1, 0]), (False, [1, 0, 1])])
def test_a_release_drives_the_line_to_its_other_level_and_back(
    lgpio, make_lane, active_high, levels
):
    lane = make_lane(active_high=active_high)
    lane.turnstile.release(Direction.ENTRY, 1.0)
    lane.turnstile.drop()
    assert (levels_of(lgpio, ENTRY), levels_of(lgpio, EXIT)) == (levels, levels[:1] * 2)


def test_a_lane_that_closes_energises_no_active_low_relay(lgpio, make_lane):
    lane = make_lane(active_high=False)
    lane.turnstile.release(Direction.ENTRY, 5.0)
    lane.close()
    assert levels_of(lgpio, ENTRY)[-1] == 1
    assert set(levels_of(lgpio, EXIT)) == {1}
    assert not lgpio.is_output[ENTRY]


def test_a_lane_that_closes_leaves_no_callback_behind(lgpio, make_lane):
    """An edge for one of a lane that is gone ends lgpio's only thread, and all edges with it."""
    lane = make_lane(active_high=True)
    assert sorted(lgpio.listening) == sorted(PINS.inputs.values())
    lane.close()
    assert lgpio.listening == []


def test_gpiozero_alone_would_energise_it_at_every_start(lgpio):
    """Why `lgpio_lines` is there. Once this fails, gpiozero has learnt it."""
    from gpiozero import DigitalOutputDevice  # noqa: PLC0415
    from gpiozero.pins.lgpio import LGPIOFactory  # noqa: PLC0415 - above the stand-in

    factory = LGPIOFactory()
    relay = DigitalOutputDevice(ENTRY, active_high=False, pin_factory=factory)
    assert levels_of(lgpio, ENTRY) == [0, 1]
    relay.close()
