import pytest

from gatepost_hal.ports import Direction, Lamp


def other(direction):
    return Direction.EXIT if direction is Direction.ENTRY else Direction.ENTRY


def test_nothing_is_energised_at_start(bench):
    assert [bench.is_released(way) for way in Direction] == [False, False]
    assert bench.lit() == frozenset()
    assert not bench.is_sounding()


@pytest.mark.parametrize("way", Direction)
def test_a_release_frees_its_direction_alone(bench, way):
    bench.gpio.turnstile.release(way, 5.0)
    assert bench.is_released(way)
    assert not bench.is_released(other(way))


@pytest.mark.parametrize("way", Direction)
@pytest.mark.parametrize("hold_s", [0.5, 30.0])  # 30 s: the most that a site may set
def test_a_release_ends_by_itself(bench, way, hold_s):
    bench.gpio.turnstile.release(way, hold_s)
    bench.events_within(hold_s - 0.1)
    assert bench.is_released(way)
    bench.events_within(0.3)
    assert not bench.is_released(way)


def test_a_second_release_moves_the_end(bench):
    bench.gpio.turnstile.release(Direction.ENTRY, 0.5)
    bench.events_within(0.3)
    bench.gpio.turnstile.release(Direction.ENTRY, 0.5)
    bench.events_within(0.4)
    assert bench.is_released(Direction.ENTRY)
    bench.events_within(0.3)
    assert not bench.is_released(Direction.ENTRY)


def test_a_shorter_second_release_ends_sooner(bench):
    bench.gpio.turnstile.release(Direction.ENTRY, 5.0)
    bench.gpio.turnstile.release(Direction.ENTRY, 0.2)
    bench.events_within(0.4)
    assert not bench.is_released(Direction.ENTRY)


def test_the_two_directions_end_each_at_its_own_time(bench):
    bench.gpio.turnstile.release(Direction.ENTRY, 0.3)
    bench.gpio.turnstile.release(Direction.EXIT, 0.9)
    assert [bench.is_released(way) for way in Direction] == [True, True]
    bench.events_within(0.6)
    assert [bench.is_released(way) for way in Direction] == [False, True]


def test_drop_ends_both_at_once_and_for_good(bench):
    for way in Direction:
        bench.gpio.turnstile.release(way, 0.5)
    bench.gpio.turnstile.drop()
    assert [bench.is_released(way) for way in Direction] == [False, False]
    bench.events_within(1.0)
    assert [bench.is_released(way) for way in Direction] == [False, False]


def test_an_old_timer_does_not_cut_a_later_release_short(bench):
    bench.gpio.turnstile.release(Direction.ENTRY, 0.3)
    bench.gpio.turnstile.drop()
    bench.gpio.turnstile.release(Direction.ENTRY, 1.0)
    bench.events_within(0.6)
    assert bench.is_released(Direction.ENTRY)


@pytest.mark.parametrize("hold_s", [0, -1.0, 61.0, float("inf"), float("nan")])
def test_a_release_without_an_end_in_sight_is_refused(bench, hold_s):
    with pytest.raises(ValueError, match="hold_s"):
        bench.gpio.turnstile.release(Direction.ENTRY, hold_s)
    assert not bench.is_released(Direction.ENTRY)


@pytest.mark.parametrize(
    "lamps", [frozenset(), {Lamp.GREEN}, {Lamp.RED, Lamp.AMBER}, frozenset(Lamp)], ids=str
)
def test_exactly_the_lamps_asked_for_are_lit(bench, lamps):
    bench.gpio.lamps.show(frozenset(Lamp))
    bench.gpio.lamps.show(frozenset(lamps))
    assert bench.lit() == frozenset(lamps)


def sound_of(bench, duration_s, step_s=0.05):
    heard = ""
    for _ in range(round(duration_s / step_s)):
        bench.events_within(step_s / 2)
        heard += "#" if bench.is_sounding() else "."
        bench.events_within(step_s / 2)
    return heard


def test_the_buzzer_plays_its_pattern_once(bench):
    bench.gpio.buzzer.play((0.2, 0.1, 0.1))
    assert sound_of(bench, 3.0) == "####..##" + "." * 52


def test_a_new_pattern_replaces_the_old_one(bench):
    bench.gpio.buzzer.play((0.5, 0.1, 0.5))
    bench.events_within(0.1)
    bench.gpio.buzzer.play((0.1,))
    assert sound_of(bench, 0.8) == "##" + "." * 14


def test_the_empty_pattern_is_silence(bench):
    bench.gpio.buzzer.play((0.5, 0.5, 0.5))
    bench.gpio.buzzer.play(())
    assert sound_of(bench, 1.0) == "." * 20


def test_closed_devices_leave_the_turnstile_locked(bench):
    bench.gpio.turnstile.release(Direction.ENTRY, 5.0)
    bench.gpio.close()
    assert not bench.is_released(Direction.ENTRY)
