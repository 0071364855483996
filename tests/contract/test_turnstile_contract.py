import pytest

from gatepost_hal.ports import Direction, Lamp


def other(direction):
    return Direction.EXIT if direction is Direction.ENTRY else Direction.ENTRY


def test_nothing_is_energised_at_start(bench):
    assert [bench.is_released(way) for way in Direction] == [False, False]
    assert bench.lit() == frozenset()
    assert not bench.is_sounding()


def test_no_relay_was_energised_for_a_moment_while_the_lines_were_claimed(bench):
    assert [bench.pulses(way) for way in Direction] == [0, 0]
    bench.gpio.turnstile.release(Direction.ENTRY, 0.5)
    assert [bench.pulses(way) for way in Direction] == [1, 0]


def test_giving_the_lines_back_energises_no_relay(bench):
    bench.gpio.close()
    assert [bench.pulses(way) for way in Direction] == [0, 0]


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


@pytest.mark.parametrize("hold_s", [0, -1.0, 0.099, 61.0, float("inf"), float("nan")])
def test_a_release_that_moves_no_relay_or_has_no_end_in_sight_is_refused(bench, hold_s):
    with pytest.raises(ValueError, match="hold_s"):
        bench.gpio.turnstile.release(Direction.ENTRY, hold_s)
    assert bench.pulses(Direction.ENTRY) == 0


def test_the_shortest_release_is_as_long_as_it_says(bench):
    bench.gpio.turnstile.release(Direction.ENTRY, 0.1)
    bench.events_within(0.09)
    assert bench.is_released(Direction.ENTRY)
    bench.events_within(0.02)
    assert not bench.is_released(Direction.ENTRY)


@pytest.mark.parametrize(
    "lamps",
    [frozenset(), {Lamp.GREEN}, {Lamp.RED, Lamp.AMBER}, frozenset(Lamp)],
    ids=["none", "green", "red and amber", "all"],
)
def test_exactly_the_lamps_asked_for_are_lit(bench, lamps):
    bench.gpio.lamps.show(frozenset(Lamp))
    bench.gpio.lamps.show(frozenset(lamps))
    assert bench.lit() == frozenset(lamps)


def seen(bench, duration_s, look, step_s=0.05):
    shown = ""
    for _ in range(round(duration_s / step_s)):
        bench.events_within(step_s / 2)
        shown += "#" if look() else "."
        bench.events_within(step_s / 2)
    return shown


def light_of(bench, lamp, duration_s):
    return seen(bench, duration_s, lambda: lamp in bench.lit())


def sound_of(bench, duration_s):
    return seen(bench, duration_s, bench.is_sounding)


def test_lamps_blink_by_turns_that_begin_with_light(bench):
    bench.gpio.lamps.show(frozenset({Lamp.RED}), blink_s=0.2)
    assert light_of(bench, Lamp.RED, 1.2) == "####....####....####...."


def test_lamps_that_blink_together_are_lit_together_and_no_other_is(bench):
    bench.gpio.lamps.show(frozenset(Lamp))
    bench.gpio.lamps.show(frozenset({Lamp.RED, Lamp.AMBER}), blink_s=0.125)
    states = set()
    for _ in range(40):
        bench.events_within(0.05)
        states.add(bench.lit())
    assert states == {frozenset(), frozenset({Lamp.RED, Lamp.AMBER})}


@pytest.mark.parametrize("after_s", [0.1, 0.3], ids=["lit", "dark"])
@pytest.mark.parametrize("then", [frozenset(), frozenset({Lamp.RED}), frozenset({Lamp.GREEN})])
def test_the_next_show_ends_the_blinking(bench, after_s, then):
    bench.gpio.lamps.show(frozenset({Lamp.RED}), blink_s=0.2)
    bench.events_within(after_s)
    bench.gpio.lamps.show(then)
    for _ in range(20):
        assert bench.lit() == then
        bench.events_within(0.07)


def test_a_new_blinking_begins_its_own_turns(bench):
    bench.gpio.lamps.show(frozenset({Lamp.RED}), blink_s=0.2)
    bench.events_within(0.3)
    bench.gpio.lamps.show(frozenset({Lamp.RED}), blink_s=0.1)
    assert light_of(bench, Lamp.RED, 0.8) == "##..##..##..##.."


@pytest.mark.parametrize("blink_s", [-0.1, 0.001, float("inf"), float("nan")])
def test_a_blinking_that_nobody_could_see_or_end_is_refused(bench, blink_s):
    bench.gpio.lamps.show(frozenset({Lamp.RED}))
    with pytest.raises(ValueError, match="blink_s"):
        bench.gpio.lamps.show(frozenset({Lamp.GREEN}), blink_s=blink_s)
    assert bench.lit() == {Lamp.RED}


def test_the_buzzer_plays_its_pattern_once(bench):
    bench.gpio.buzzer.play((0.2, 0.1, 0.1))
    assert sound_of(bench, 3.0) == "####..##" + "." * 52


def test_the_buzzer_plays_sounds_that_are_too_short_for_a_turnstile(bench):
    bench.gpio.buzzer.play((0.05, 0.1, 0.05))
    assert sound_of(bench, 0.5) == "#..#" + "." * 6


def test_a_pattern_that_ends_with_a_silence_is_played_once_all_the_same(bench):
    bench.gpio.buzzer.play((0.1, 0.1))
    assert sound_of(bench, 0.8) == "##" + "." * 14


def test_a_new_pattern_replaces_the_old_one(bench):
    bench.gpio.buzzer.play((0.5, 0.1, 0.5))
    bench.events_within(0.1)
    bench.gpio.buzzer.play((0.1,))
    assert sound_of(bench, 0.8) == "##" + "." * 14


def test_the_empty_pattern_is_silence(bench):
    bench.gpio.buzzer.play((0.5, 0.5, 0.5))
    bench.gpio.buzzer.play(())
    assert sound_of(bench, 1.0) == "." * 20


def test_a_repeated_pattern_begins_again_and_again(bench):
    bench.gpio.buzzer.play((0.1, 0.05, 0.15, 0.2), repeat=True)
    assert sound_of(bench, 30.0) == "##.###...." * 60


@pytest.mark.parametrize("after_s", [0.05, 0.15], ids=["sound", "silence"])
@pytest.mark.parametrize("then_s", [(), (0.1,)], ids=["silence", "a pattern"])
def test_the_next_pattern_ends_a_repeated_one(bench, after_s, then_s):
    bench.gpio.buzzer.play((0.1, 0.1), repeat=True)
    bench.events_within(1.0 + after_s)
    bench.gpio.buzzer.play(then_s)
    assert sound_of(bench, 1.0) == ("##" if then_s else "..") + "." * 18


def test_silence_may_be_repeated(bench):
    bench.gpio.buzzer.play((0.5, 0.5), repeat=True)
    bench.gpio.buzzer.play((), repeat=True)
    assert sound_of(bench, 1.0) == "." * 20


@pytest.mark.parametrize("pattern_s", [(0.1,), (0.1, 0.1, 0.1), (0.1, 0.0), (0.1, 0.1, 0.1, 0.001)])
def test_a_repetition_without_a_silence_at_its_end_is_refused(bench, pattern_s):
    with pytest.raises(ValueError, match="ends with a silence"):
        bench.gpio.buzzer.play(pattern_s, repeat=True)
    assert sound_of(bench, 0.5) == "." * 10


@pytest.mark.parametrize(
    "pattern_s", [(0.0,), (0.1, 0.1, 61.0), (0.1, -0.1, 0.1), (0.1, float("nan"), 0.1)], ids=str
)
def test_a_pattern_that_would_fail_half_way_is_refused_before_it_sounds(bench, pattern_s):
    with pytest.raises(ValueError, match="pattern_s"):
        bench.gpio.buzzer.play(pattern_s)
    assert sound_of(bench, 0.5) == "." * 10


def test_closed_devices_leave_the_turnstile_locked(bench):
    bench.gpio.turnstile.release(Direction.ENTRY, 5.0)
    bench.gpio.close()
    assert not bench.is_released(Direction.ENTRY)


def test_closed_devices_are_dark_and_silent_for_good(bench):
    bench.gpio.lamps.show(frozenset(Lamp), blink_s=0.1)
    bench.gpio.buzzer.play((0.1, 0.1), repeat=True)
    bench.gpio.close()
    for _ in range(20):
        assert (bench.lit(), bench.is_sounding()) == (frozenset(), False)
        bench.events_within(0.07)
