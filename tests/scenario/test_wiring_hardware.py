"""What the settings make of the lane's devices, on a machine without a lane."""

import os
import time
from contextlib import ExitStack

import pytest

from gatepost.core.faults import Fault
from gatepost.core.prompts import PROMPTS
from gatepost.wiring.hardware import _display, _speaker, _watchdog, lane_pins
from gatepost.wiring.lane import _quiet, policy
from gatepost_config.load import load
from gatepost_hal.ports import InputName
from gatepost_hal.simulated.world import World

PATIENCE_BYTES = 4096


@pytest.fixture
def settings_with(config):
    text = config.read_text()

    def make(more: str):
        config.write_text(f"{text}{more}")
        return load(config)

    return make


@pytest.fixture
def closing():
    with ExitStack() as stack:
        yield stack


def test_what_is_not_wired_is_no_input(settings_with):
    wired = {InputName.PRESENCE, InputName.PASSAGE, InputName.EXIT_BUTTON, InputName.FIRE}
    assert set(lane_pins(settings_with("")).inputs) == wired


def test_every_input_that_is_wired_has_its_line(settings_with):
    pins = lane_pins(
        settings_with(
            "[pins]\npassage_exit = 22\nstaff_release = 26\nmaintenance_key = 20\n"
            'emergency = 21\ntamper = 19\n[turnstile]\npassage = "per_direction"\n'
        )
    )
    assert set(pins.inputs) == set(InputName)
    assert pins.inputs[InputName.PASSAGE_EXIT] == 22
    assert len(set(pins.inputs.values())) == len(InputName)


def test_a_turnstile_that_tells_nothing_has_no_passage_line(settings_with):
    settings = settings_with('[turnstile]\npassage = "none"\nrelease = "pulse"\npulse_s = 0.3\n')
    assert InputName.PASSAGE not in lane_pins(settings).inputs
    assert (policy(settings).passage.value, policy(settings).pulse_s) == ("none", 0.3)


def test_the_polarity_of_the_relays_reaches_the_driver(settings_with):
    assert lane_pins(settings_with("")).relay_active_high
    low = '[pins]\nentry_relay = 4\nexit_relay = 7\n[turnstile]\nrelay_active = "low"\n'
    assert not lane_pins(settings_with(low)).relay_active_high


def test_prompts_are_shown_on_the_terminal_that_is_named(settings_with, closing):
    reader, terminal = os.openpty()
    closing.callback(os.close, reader)
    closing.callback(os.close, terminal)
    path = os.ttyname(terminal)
    settings = settings_with(f'[signals]\nlanguages = "en"\ndisplay = "{path}"\n')
    display = _display(settings, closing)
    display.tell(PROMPTS["go"])
    assert os.read(reader, PATIENCE_BYTES) == b"Please go\r\n"


def test_a_display_that_is_not_there_shows_nothing_and_stops_nothing(
    settings_with, closing, caplog
):
    display = _display(settings_with('[signals]\ndisplay = "/nonexistent/tty"\n'), closing)
    display.tell(PROMPTS["go"])
    assert "no display" in caplog.text


def test_a_voice_is_built_where_recordings_are(settings_with, closing, tmp_path):
    speaker = _speaker(settings_with(f'[signals]\nvoice_dir = "{tmp_path}"\n'), closing)
    assert tmp_path / "zh-CN" / "go.wav" in speaker.missing(["go"])


def test_a_watchdog_that_is_none_is_a_fault(settings_with, closing, tmp_path):
    (tmp_path / "dog").write_bytes(b"")
    faults: dict[Fault, str] = {}
    settings = settings_with(f'[watchdog]\ndevice = "{tmp_path}/dog"\n')
    _watchdog(settings, faults, closing).pet()
    assert str(tmp_path / "dog") in faults[Fault.WATCHDOG]


@pytest.fixture
def in_beijing(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC-8")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("hours", "quiet_hours"),
    [("22:00-06:00", {22, 23, 0, 1, 2, 3, 4, 5}), ("13:00-14:00", {13}), ("", set())],
)
@pytest.mark.usefixtures("in_beijing")
def test_quiet_hours_are_by_the_clock_on_the_wall(hours, quiet_hours):
    world = World(start_utc_s=1_790_006_400.0)  # 00:00 in Beijing
    is_quiet = _quiet(hours, world)
    found = set()
    for hour in range(24):
        if is_quiet():
            found.add(hour)
        world.advance(3600.0)
    assert found == quiet_hours
