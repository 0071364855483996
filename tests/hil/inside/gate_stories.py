"""Run by pytest in the guest (see tests/hil/test_gate.py): people at a gate of real devices.

The gate runs through all of them, in the order of this file, as it does for months on a Pi.
"""

import errno
import signal
import time
from pathlib import Path
from threading import Event

import pytest

from gatepost_hal.gpio import PRESENCE_REST_S

from . import lane
from .lane import PINS
from .processes import PASS, SCANNER
from .site import Site, show_pass

RELAYS = (PINS.entry_relay, PINS.exit_relay)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    lane.rest()
    lane.show(lane.ROOM_C)
    lane.wait_until(SCANNER.exists, str(SCANNER))
    site = Site(tmp_path_factory.mktemp("site"))
    try:
        site.start()
        yield site
    finally:
        site.close()


@pytest.fixture(scope="module")
def kernel():
    return lane.Trace()


@pytest.fixture
def story(site, kernel):
    """Begin with an empty lane, and see to it that the next one finds it empty."""
    kernel.clear()
    site.mark = len(site.events)
    yield site
    mend(site)
    lane.rest()
    lane.show(lane.ROOM_C)
    lane.wait_until(is_dark, "nothing is lit when nobody is there")
    Event().wait(PRESENCE_REST_S + 0.2)  # so long is somebody not seen before they are gone


def break_all(site):
    """Hold the bus, take the broker away, and stop the link."""
    mark = len(site.events)
    lane.fail_transfers(errno.ETIMEDOUT, after_ms=1000)
    site.wait_event("fault.raised", mark, fault="sensor")
    site.stop_broker()
    site.link.send_signal(signal.SIGSTOP)


def mend(site):
    """Repair whatever a story may have broken."""
    lane.fail_transfers(0)
    site.link.send_signal(signal.SIGCONT)
    if not site.has_broker:
        site.start_broker()


def is_lit(lamp):
    return lambda: lane.level(lamp) == 1


def is_dark():
    return not any(map(lane.level, (PINS.green_lamp, PINS.amber_lamp, PINS.red_lamp, *RELAYS)))


def come(forehead_c, credential=PASS):
    """Step up, be asked for a pass, hold the forehead before the lens, and show a pass."""
    lane.close(PINS.presence)
    lane.wait_until(is_lit(PINS.amber_lamp), "the amber lamp asks for a pass")
    lane.show(forehead_c)
    show_pass(credential)


def walk_through(relay):
    """Push the arm; the turnstile closes its passage contact while it turns."""
    lane.close(PINS.passage)
    lane.wait_until(lambda: not lane.level(relay), "the relay falls when somebody walks")
    lane.open_(PINS.passage)


def ask_host(for_what):
    """Have the host do something to the machine's plugs."""
    Path("/dev/console").write_text(f"HOST: {for_what}\n")


def ups(kernel, *relays):
    return [change for change in kernel.changes(*relays) if change.level]


def test_a_healthy_resident_is_let_in(story, kernel):
    come(lane.HEALTHY_C)
    admitted = story.wait_event("visit.admitted", story.mark)
    lane.wait_until(is_lit(PINS.green_lamp), "the green lamp")
    assert lane.level(PINS.entry_relay)
    walk_through(PINS.entry_relay)
    story.wait_event("passage.entered", story.mark)
    (up,) = ups(kernel, *RELAYS)
    assert up.line == PINS.entry_relay
    assert admitted.uptime_s <= up.at_s
    assert story.types(story.mark)[:2] == ["visit.admitted", "passage.entered"]


def test_who_does_not_walk_finds_it_locked_after_the_hold(story, kernel):
    come(lane.HEALTHY_C)
    story.wait_event("passage.not_entered", story.mark)
    up, down = kernel.changes(PINS.entry_relay)[-2:]
    assert (up.level, down.level) == (1, 0)
    assert 4.95 < down.at_s - up.at_s < 5.1


def test_a_feverish_one_is_referred_and_no_relay_moves(story, kernel):
    come(lane.FEVERISH_C)
    referred = story.wait_event("visit.referred", story.mark)
    assert referred.data["reason"] == "above_limit"
    lane.wait_until(is_lit(PINS.red_lamp), "the red lamp")
    lane.open_(PINS.presence)
    lane.wait_until(is_dark, "the lane is free again")
    assert ups(kernel, *RELAYS) == []


def test_an_unknown_pass_is_denied_before_anybody_is_measured(story, kernel):
    come(lane.HEALTHY_C, "nobody's")
    denied = story.wait_event("visit.denied", story.mark)
    assert denied.data["rules"] == ["R067"]
    lane.wait_until(is_lit(PINS.red_lamp), "the red lamp")
    assert ups(kernel, *RELAYS) == []


def test_the_exit_button_lets_one_out(story, kernel):
    lane.close(PINS.exit_button)
    lane.wait_until(lambda: lane.level(PINS.exit_relay), "the exit relay")
    lane.open_(PINS.exit_button)
    walk_through(PINS.exit_relay)
    released = story.wait_event("exit.released", story.mark)
    story.wait_event("passage.left", story.mark)
    (up,) = ups(kernel, *RELAYS)
    assert up.line == PINS.exit_relay
    assert released.uptime_s <= up.at_s


def test_without_the_sensors_bus_nobody_is_let_in_and_all_are_let_out(story, kernel):
    # The driver gives the device up when nobody answers, and only then can it go.
    lane.fail_transfers(errno.EREMOTEIO)
    lane.unload_sensor()
    story.wait_event("fault.raised", story.mark, fault="sensor")
    lane.close(PINS.presence)
    lane.wait_until(is_lit(PINS.amber_lamp), "the amber lamp asks for a pass")
    show_pass(PASS)
    story.wait_event("visit.referred", story.mark)
    assert ups(kernel, *RELAYS) == []
    lane.close(PINS.exit_button)
    lane.wait_until(lambda: lane.level(PINS.exit_relay), "the exit relay")
    lane.rest()
    walk_through(PINS.exit_relay)
    lane.load_sensor()
    story.wait_event("fault.cleared", story.mark, fault="sensor")
    come(lane.HEALTHY_C)
    story.wait_event("visit.admitted", story.mark)
    lane.wait_until(is_lit(PINS.green_lamp), "the green lamp")
    walk_through(PINS.entry_relay)


def test_a_scanner_that_is_unplugged_and_plugged_in_again_is_found_again(story):
    ask_host("unplug")
    story.wait_event("fault.raised", story.mark, fault="reader")
    lane.wait_until(lambda: not SCANNER.exists(), f"{SCANNER} is gone")
    ask_host("plug")
    lane.wait_until(story.gate_has_scanner, f"the gate opens {SCANNER} again")
    come(lane.HEALTHY_C)
    story.wait_event("fault.cleared", story.mark, fault="reader")
    story.wait_event("visit.admitted", story.mark)
    lane.wait_until(is_lit(PINS.green_lamp), "the green lamp")
    walk_through(PINS.entry_relay)


def test_fire_frees_both_ways_with_everything_else_broken(story, kernel):
    break_all(story)
    kernel.clear()
    raised_at_s = lane.open_(PINS.fire)
    lane.wait_until(lambda: all(map(lane.level, RELAYS)), "both relays")
    # Longer than the driver frees by itself: the loop renews it.
    Event().wait(15.0)
    changes = kernel.changes(*RELAYS)
    assert sorted(change[1:] for change in changes) == [(each, 1) for each in sorted(RELAYS)]
    assert all(change.at_s - raised_at_s < 0.1 for change in changes)
    lane.close(PINS.fire)
    lane.wait_until(lambda: not any(map(lane.level, RELAYS)), "locked again after the fire")
    mend(story)
    story.wait_event("fire.raised", story.mark)
    story.wait_event("fire.cleared", story.mark)


def test_told_to_end_it_lets_go_first(story, kernel):
    lane.close(PINS.exit_button)
    lane.wait_until(lambda: lane.level(PINS.exit_relay), "the exit relay")
    told_at_s = time.monotonic()
    story.gate.send_signal(signal.SIGTERM)
    assert story.gate.wait(60.0) == 0
    # By the process itself: what the kernel does with a line that is given back is not traced.
    down = kernel.changes(PINS.exit_relay)[-1]
    assert down.level == 0
    assert down.at_s - told_at_s < 0.5
    assert not any(map(lane.level, RELAYS))
    stopped = story.wait_event("controller.stopped", story.mark)
    # Events have milliseconds.
    assert down.at_s <= stopped.uptime_s + 0.001
