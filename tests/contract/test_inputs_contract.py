import pytest

from gatepost_hal.gpio import ALARM_HOLD_S, ALARM_REST_S, PRESENCE_REST_S
from gatepost_hal.ports import Direction, InputChanged, InputName
from gatepost_hal.simulated.lane import PINS

DEBOUNCE_S = 0.02
# Written out: what the driver says of itself is what is tested here.
ALARMS = [InputName.FIRE, InputName.EMERGENCY, InputName.TAMPER]
FREEING = [InputName.FIRE, InputName.EMERGENCY]
OTHERS = [name for name in InputName if name not in FREEING]


def changes(bench, duration_s=0.3):
    return [
        (event.name, event.active)
        for event in bench.events_within(duration_s)
        if isinstance(event, InputChanged)
    ]


def released(bench):
    return [bench.is_released(way) for way in Direction]


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


@pytest.mark.parametrize("name", ALARMS)
@pytest.mark.parametrize("gap_s", [0.005, 0.01, 0.018, 0.02, 0.03, 0.04])
def test_an_alarm_contact_that_finds_no_rest_is_an_alarm(bench, name, gap_s):
    # A cut wire beside a mains cable: 50 Hz of hum is an edge every 10 ms.
    bench.bounce_contact(name, times=round(5.0 / gap_s), gap_s=gap_s)
    assert changes(bench, 0.2) == [(name, True)]
    assert changes(bench, 4.5) == []
    assert changes(bench, ALARM_REST_S + 1.0) == [(name, False)]


@pytest.mark.parametrize("name", ALARMS)
def test_a_loose_alarm_contact_is_one_alarm(bench, name):
    bench.bounce_contact(name, times=50, gap_s=0.1)
    assert changes(bench, 5.0 + 2 * ALARM_REST_S) == [(name, True), (name, False)]


@pytest.mark.parametrize("name", ALARMS)
def test_sparks_apart_from_one_another_are_no_alarm(bench, name):
    for _ in range(5):
        bench.bounce_contact(name, times=1, gap_s=0.01)
        assert changes(bench, 0.095) == []


def test_a_button_that_finds_no_rest_is_no_press(bench):
    bench.bounce_contact(InputName.EXIT_BUTTON, times=100, gap_s=0.01)
    assert changes(bench, 2.0) == []


@pytest.mark.parametrize("name", InputName)
def test_a_cut_wire_is_an_alarm_where_it_matters_and_nothing_elsewhere(bench, name):
    bench.cut_wire(name)
    assert changes(bench) == ([(name, True)] if name in ALARMS else [])


@pytest.mark.parametrize("name", FREEING)
def test_fire_and_emergency_free_both_ways_with_nobody_to_read_the_event(bench, name):
    bench.set_contact(name, active=True)
    bench.events_within(0.1)
    assert released(bench) == [True, True]
    bench.events_within(ALARM_HOLD_S - 0.2)
    assert released(bench) == [True, True]
    bench.events_within(0.2)
    assert released(bench) == [False, False]


@pytest.mark.parametrize("name", FREEING)
def test_a_freeing_contact_that_finds_no_rest_frees_both_ways(bench, name):
    bench.bounce_contact(name, times=100, gap_s=0.02)
    bench.events_within(0.2)
    assert released(bench) == [True, True]


@pytest.mark.parametrize("name", FREEING)
def test_the_end_of_an_alarm_frees_nothing_anew(bench, name):
    bench.set_contact(name, active=True)
    bench.events_within(ALARM_HOLD_S + 1.0)
    bench.set_contact(name, active=False)
    bench.events_within(ALARM_REST_S + 1.0)
    assert released(bench) == [False, False]


@pytest.mark.parametrize("name", OTHERS)
def test_no_other_contact_frees_a_way(bench, name):
    bench.set_contact(name, active=True)
    bench.events_within(1.0)
    bench.set_contact(name, active=False)
    bench.events_within(2.0)
    assert [bench.pulses(way) for way in Direction] == [0, 0]


def test_somebody_at_the_edge_of_the_zone_is_there_all_the_time(bench):
    bench.bounce_contact(InputName.PRESENCE, times=20, gap_s=0.5)  # 0.25 s there, 0.25 s away
    assert changes(bench, 9.9) == [(InputName.PRESENCE, True)]
    assert changes(bench, 0.1 + PRESENCE_REST_S) == [(InputName.PRESENCE, False)]


def test_somebody_who_left_is_gone_when_they_were_away_for_long_enough(bench):
    bench.set_contact(InputName.PRESENCE, active=True)
    bench.events_within(1.0)
    left_s = bench.now_s()
    bench.set_contact(InputName.PRESENCE, active=False)
    (event,) = bench.events_within(1.0)
    assert left_s + PRESENCE_REST_S <= event.at_s < left_s + PRESENCE_REST_S + 0.1


@pytest.mark.parametrize(
    "name", [name for name in InputName if name not in {*ALARMS, InputName.PRESENCE}]
)
def test_every_other_contact_ends_as_soon_as_it_began(bench, name):
    bench.set_contact(name, active=True)
    bench.events_within(1.0)
    left_s = bench.now_s()
    bench.set_contact(name, active=False)
    (event,) = bench.events_within(1.0)
    assert left_s + DEBOUNCE_S <= event.at_s < left_s + 0.1


@pytest.mark.parametrize("wired", [[], [InputName.EMERGENCY], [InputName.PASSAGE]], ids=str)
def test_an_input_that_is_not_wired_is_never_heard_of(make_bench, wired):
    bench = make_bench(PINS._replace(inputs={name: PINS.inputs[name] for name in wired}))
    bench.gpio.inputs.refresh()
    assert changes(bench, 2.0) == []
    assert [bench.pulses(way) for way in Direction] == [0, 0]
    for name in wired:
        bench.set_contact(name, active=True)
    assert changes(bench) == [(name, True) for name in wired]


@pytest.mark.parametrize("name", InputName)
def test_a_level_can_be_asked_for_as_it_was_last_told(bench, name):
    assert not bench.gpio.inputs.is_active(name)
    bench.set_contact(name, active=True)
    assert not bench.gpio.inputs.is_active(name)  # not told yet: it may be a bounce
    assert changes(bench) == [(name, True)]
    assert bench.gpio.inputs.is_active(name)
    assert not any(bench.gpio.inputs.is_active(other) for other in InputName if other is not name)
    bench.set_contact(name, active=False)
    assert changes(bench, ALARM_REST_S + 0.3) == [(name, False)]
    assert not bench.gpio.inputs.is_active(name)


def test_an_input_that_is_not_wired_is_not_active(make_bench):
    bench = make_bench(PINS._replace(inputs={}))
    assert not any(bench.gpio.inputs.is_active(name) for name in InputName)
