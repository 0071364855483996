import pytest

from gatepost_hal.gpio import ALARM_REST_S
from gatepost_hal.ports import InputChanged, InputName

DEBOUNCE_S = 0.02


def changes(bench, duration_s=0.3):
    return [
        (event.name, event.active)
        for event in bench.events_within(duration_s)
        if isinstance(event, InputChanged)
    ]


def test_a_lane_at_rest_reports_nothing(bench):
    bench.gpio.inputs.refresh()
    assert changes(bench) == []


@pytest.mark.parametrize("name", InputName)
def test_a_contact_is_reported_once_on_each_side(bench, name):
    bench.set_contact(name, active=True)
    assert changes(bench) == [(name, True)]
    bench.set_contact(name, active=False)
    assert changes(bench, ALARM_REST_S + 0.3) == [(name, False)]


@pytest.mark.parametrize("name", InputName)
def test_a_contact_is_reported_soon_and_with_its_time(bench, name):
    began_s = bench.now_s()
    bench.set_contact(name, active=True)
    (event,) = bench.events_within(0.3)
    assert began_s + DEBOUNCE_S <= event.at_s < began_s + 0.1


def test_bounces_shorter_than_the_debounce_time_are_no_event(bench):
    bench.bounce_contact(InputName.EXIT_BUTTON, times=5, gap_s=0.01)
    assert changes(bench) == []


@pytest.mark.parametrize("name", InputName)
def test_a_level_whose_edge_was_lost_is_found_by_refresh(bench, name):
    bench.lose_edges(name)
    bench.set_contact(name, active=True)
    assert changes(bench) == []
    bench.gpio.inputs.refresh()
    assert changes(bench) == [(name, True)]


def test_refresh_repeats_nothing_that_was_reported(bench):
    bench.set_contact(InputName.PRESENCE, active=True)
    assert changes(bench) == [(InputName.PRESENCE, True)]
    bench.gpio.inputs.refresh()
    assert changes(bench) == []


def test_a_burst_of_refreshes_does_not_put_a_change_off(bench):
    bench.set_contact(InputName.FIRE, active=True)
    seen = []
    for _ in range(10):
        bench.gpio.inputs.refresh()
        seen += changes(bench, 0.005)
    assert seen == [(InputName.FIRE, True)]


@pytest.mark.parametrize("gap_s", [0.005, 0.01, 0.018, 0.02, 0.03, 0.04])
def test_a_fire_contact_that_finds_no_rest_is_a_fire(bench, gap_s):
    # A cut wire beside a mains cable: 50 Hz of hum is an edge every 10 ms.
    bench.bounce_contact(InputName.FIRE, times=round(5.0 / gap_s), gap_s=gap_s)
    assert changes(bench, 0.2) == [(InputName.FIRE, True)]
    assert changes(bench, 4.5) == []
    assert changes(bench, ALARM_REST_S + 1.0) == [(InputName.FIRE, False)]


def test_a_loose_fire_contact_is_one_fire(bench):
    bench.bounce_contact(InputName.FIRE, times=50, gap_s=0.1)
    assert changes(bench, 5.0 + 2 * ALARM_REST_S) == [
        (InputName.FIRE, True),
        (InputName.FIRE, False),
    ]


def test_sparks_apart_from_one_another_are_no_fire(bench):
    for _ in range(5):
        bench.bounce_contact(InputName.FIRE, times=1, gap_s=0.01)
        assert changes(bench, 0.095) == []
