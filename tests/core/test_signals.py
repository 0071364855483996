"""What the lane shows and sounds can be told apart, also by the deaf and the blind."""

from itertools import accumulate, combinations

import pytest

from gatepost.core.signals import SIGNALS, Signal
from gatepost.core.states import OUTPUTS, TEST_OUTPUTS, State
from gatepost_hal.ports import Lamp

TESTS = {signal for signal in Signal if signal.name.startswith("TEST_")}
# What the lane has to say; a technician knows what is being tested.
SAID = [signal for signal in Signal if signal not in TESTS]
# What the blind have to hear: what to do, and what was decided.
HEARD = [
    Signal.SHOW_PASS,
    Signal.HOLD_STILL,
    Signal.TRY_AGAIN,
    Signal.GO,
    Signal.NO_ENTRY,
    Signal.WAIT_FOR_STAFF,
    Signal.ALARM,
    Signal.EVACUATE,
]
QUIET = [Signal.READY, Signal.LOCKED, Signal.CLOSED, Signal.SERVICE]
ALARMS = [Signal.ALARM, Signal.EVACUATE, Signal.TEST_BUZZER]


def instants(buzzer_s):
    """Return when each sound begins, in milliseconds."""
    times_s = [0.0, *accumulate(buzzer_s)]
    return [round(at_s * 1000) for at_s in times_s[: len(buzzer_s) : 2]]


def sounds(buzzer_s):
    return buzzer_s[::2]


def test_every_signal_has_a_pattern_and_is_used():
    outputs = [*OUTPUTS.values(), *TEST_OUTPUTS.values()]
    assert set(SIGNALS) == set(Signal) == {output.signal for output in outputs}


def test_the_deaf_can_tell_apart_all_that_the_lane_says():
    looks = [(SIGNALS[signal].lamps, SIGNALS[signal].blink_s) for signal in SAID]
    assert len(set(looks)) == len(SAID)


def test_whoever_cannot_tell_green_from_red_sees_by_the_place_what_was_decided():
    lamps = {signal: SIGNALS[signal].lamps for signal in (Signal.GO, Signal.NO_ENTRY)}
    assert lamps == {Signal.GO: {Lamp.GREEN}, Signal.NO_ENTRY: {Lamp.RED}}
    assert SIGNALS[Signal.WAIT_FOR_STAFF].lamps == {Lamp.RED, Lamp.AMBER}


def test_blinking_is_slow_or_fast_and_fast_is_at_least_twice_as_fast():
    paces_s = {SIGNALS[signal].blink_s for signal in SAID} - {0.0}
    fast_s, slow_s = sorted(paces_s)
    assert slow_s >= 2 * fast_s


def test_the_blind_can_tell_apart_what_to_do_and_what_was_decided():
    rhythms = {signal: SIGNALS[signal].buzzer_s for signal in HEARD}
    assert all(rhythms.values())
    assert len(set(rhythms.values())) == len(HEARD)


def differ_to_the_ear(one_s, other_s):
    """Whether one has more sounds than the other, or one of them or a silence is twice as long."""
    return len(one_s) != len(other_s) or any(
        max(pair) >= 2 * min(pair) for pair in zip(one_s, other_s, strict=True)
    )


def test_two_rhythms_differ_by_more_than_an_ear_may_miss():
    for signal, other in combinations(HEARD, 2):
        assert differ_to_the_ear(SIGNALS[signal].buzzer_s, SIGNALS[other].buzzer_s)


@pytest.mark.parametrize("signal", QUIET)
def test_a_lane_that_asks_nothing_of_anybody_is_silent(signal):
    assert SIGNALS[signal].buzzer_s == ()
    assert SIGNALS[signal].quiet().buzzer_s == ()


@pytest.mark.parametrize("signal", Signal)
def test_a_pattern_can_be_played_and_ends(signal):
    pattern = SIGNALS[signal]
    assert all(0.02 <= duration_s <= 2.0 for duration_s in pattern.buzzer_s)
    assert sum(pattern.buzzer_s) <= 15.0


@pytest.mark.parametrize("signal", [signal for signal in SAID if signal not in ALARMS])
def test_what_is_said_to_a_person_is_short(signal):
    assert sum(SIGNALS[signal].buzzer_s) <= 1.5


@pytest.mark.parametrize("signal", Signal)
def test_a_pattern_that_repeats_ends_with_a_silence_and_has_a_sound(signal):
    pattern = SIGNALS[signal]
    if pattern.repeat:
        assert pattern.buzzer_s
        assert len(pattern.buzzer_s) % 2 == 0


def test_only_evacuation_sounds_until_it_is_over():
    assert {signal for signal, pattern in SIGNALS.items() if pattern.repeat} == {Signal.EVACUATE}


@pytest.mark.parametrize("signal", [signal for signal in Signal if signal not in ALARMS])
def test_in_quiet_hours_each_sound_is_a_tick_at_its_own_instant(signal):
    loud, quiet = SIGNALS[signal], SIGNALS[signal].quiet()
    assert instants(quiet.buzzer_s) == instants(loud.buzzer_s)
    assert set(sounds(quiet.buzzer_s)) <= {0.02}
    assert all(silence_s > 0 for silence_s in quiet.buzzer_s[1::2])


@pytest.mark.parametrize("signal", Signal)
def test_quiet_hours_change_nothing_but_sounds(signal):
    loud, quiet = SIGNALS[signal], SIGNALS[signal].quiet()
    assert quiet._replace(buzzer_s=loud.buzzer_s) == loud


@pytest.mark.parametrize("signal", ALARMS)
def test_an_alarm_is_never_quiet(signal):
    assert SIGNALS[signal].is_alarm
    assert SIGNALS[signal].quiet() is SIGNALS[signal]


@pytest.mark.parametrize("signal", Signal)
def test_only_alarms_are_loud_in_quiet_hours(signal):
    assert SIGNALS[signal].is_alarm == (signal in ALARMS)


@pytest.mark.parametrize("signal", Signal)
def test_quieter_than_quiet_is_quiet(signal):
    quiet = SIGNALS[signal].quiet()
    assert instants(quiet.quiet().buzzer_s) == instants(quiet.buzzer_s)


def test_the_blind_can_tell_them_apart_in_quiet_hours_too():
    ticks = [signal for signal in HEARD if signal not in ALARMS]
    rhythms = {tuple(instants(SIGNALS[signal].quiet().buzzer_s)) for signal in ticks}
    assert len(rhythms) == len(ticks)


def test_the_people_who_must_act_hear_something_in_quiet_hours():
    assert all(SIGNALS[signal].quiet().buzzer_s for signal in HEARD)


def test_a_lane_that_frees_both_ways_says_so():
    assert OUTPUTS[State.FIRE].signal is OUTPUTS[State.EMERGENCY].signal is Signal.EVACUATE


@pytest.mark.parametrize("state", [State.HELD, State.FORCED, State.TAMPER])
def test_an_arm_or_a_housing_that_is_broken_open_is_an_alarm(state):
    assert OUTPUTS[state].signal is Signal.ALARM
