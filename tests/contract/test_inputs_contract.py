import pytest

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
    assert changes(bench) == [(name, False)]


@pytest.mark.parametrize("name", InputName)
def test_a_contact_is_reported_soon_and_with_its_time(bench, name):
    began_s = bench.now_s()
    bench.set_contact(name, active=True)
    (event,) = bench.events_within(0.3)
    assert began_s + DEBOUNCE_S <= event.at_s < began_s + 0.1


def test_bounces_shorter_than_the_debounce_time_are_no_event(bench):
    bench.bounce_contact(InputName.EXIT_BUTTON, times=5, gap_s=0.01)
    assert changes(bench) == []


def test_a_level_whose_edge_was_lost_is_found_by_refresh(bench):
    bench.lose_edges(InputName.FIRE)
    bench.set_contact(InputName.FIRE, active=True)
    assert changes(bench) == []
    bench.gpio.inputs.refresh()
    assert changes(bench) == [(InputName.FIRE, True)]


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
