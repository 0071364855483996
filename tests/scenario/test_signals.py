"""What the lane shows, sounds and says of each outcome, as levels on its lines over time (S9)."""

import itertools

import pytest

from gatepost.core.states import State
from gatepost_hal.ports import Direction, InputName, Lamp

from .stage import FEVERISH_C, WELL_C

STEP_S = 0.01
TICK_S = 0.02
SEEN_S = 1.1  # two blinks of the slow kind
# What somebody must be able to tell from everything else.
TOLD = [
    State.AWAITING_PASS,
    State.MEASURING,
    State.PAUSING,
    State.RELEASED,
    State.REFUSED,
    State.REFERRED,
    State.FORCED,
    State.FIRE,
]
SILENT = [State.LOCKED, State.CLOSED, State.MAINTENANCE]
ALARMS = [State.FORCED, State.FIRE, State.EMERGENCY, State.TAMPER]
by_name = {"ids": lambda state: state.name.lower()}


def watch(stage, state, duration_s=SEEN_S):
    """Bring the lane into a state; return lamps and sounder at each step from its first moment.

    It ends with the state.
    """
    seen = []
    lane = stage.lane
    first = {}

    def look(at_s):
        if stage.state is state and stage.world.now_s() < first["s"] + duration_s:
            seen.append((lane.lit(), lane.is_sounding()))
            stage.world.call_at(at_s + STEP_S, lambda: look(at_s + STEP_S))

    show = stage.hardware.lamps.show

    def begin(lit, *, blink_s=0.0):
        show(lit, blink_s=blink_s)
        if stage.state is state and not first:
            first["s"] = stage.world.now_s()
            # In the middle of a step: at its edges what is seen depends on who is first.
            stage.world.call_at(first["s"] + STEP_S / 2, lambda: look(first["s"] + STEP_S / 2))

    lane.gpio.lamps.show = begin
    stage.reach(state)
    stage.play(duration_s)
    return seen


def runs(levels):
    """Return a sequence of levels as pairs of a level and how many steps it lasted."""
    return tuple((level, len(list(run))) for level, run in itertools.groupby(levels))


def seen_of(stage, state):
    return runs(lit for lit, _ in watch(stage, state))


def heard_of(stage, state):
    return runs(sounds for _, sounds in watch(stage, state))


def test_who_cannot_hear_can_tell_everything_apart(make_stage):
    states = [*TOLD, *SILENT]
    patterns = {state: seen_of(make_stage(), state) for state in states}
    for one, other in itertools.combinations(states, 2):
        shortest = min(sum(steps for _, steps in patterns[each]) for each in (one, other))
        assert cut(patterns[one], shortest) != cut(patterns[other], shortest), (one, other)


def cut(pattern, steps):
    flat = [level for level, count in pattern for _ in range(count)]
    return flat[:steps]


def test_who_cannot_see_can_tell_what_concerns_them_apart(make_stage):
    sounds = {state: heard_of(make_stage(), state) for state in TOLD}
    for one, other in itertools.combinations(TOLD, 2):
        shortest = min(sum(steps for _, steps in sounds[each]) for each in (one, other))
        assert cut(sounds[one], shortest) != cut(sounds[other], shortest), (one, other)
        assert any(level for level, _ in sounds[one])


def test_an_idle_lane_is_dark_and_silent(stage):
    seen = []
    stage.play_until(lambda: seen.append((stage.lit(), stage.lane.is_sounding())), 30.0)
    assert set(seen) == {(frozenset(), False)}


@pytest.mark.parametrize("state", SILENT, **by_name)
def test_nothing_sounds_while_the_lane_only_waits(stage, state):
    assert heard_of(stage, state) == ((False, round(SEEN_S / STEP_S)),)


@pytest.mark.parametrize(
    ("state", "lamps", "turns"),
    [
        (State.AWAITING_PASS, {Lamp.AMBER}, 1),
        (State.RELEASED, {Lamp.GREEN}, 1),
        (State.REFUSED, {Lamp.RED}, 1),
        (State.CLOSED, {Lamp.RED, Lamp.AMBER}, 1),
        (State.MEASURING, {Lamp.AMBER}, 3),  # on, off, on within 1.1 s
        (State.REFERRED, {Lamp.RED, Lamp.AMBER}, 3),
        (State.LOCKED, {Lamp.RED}, 3),
        (State.MAINTENANCE, set(Lamp), 3),
        (State.PAUSING, {Lamp.AMBER}, 6),
        (State.FORCED, {Lamp.RED}, 6),
        (State.FIRE, {Lamp.GREEN}, 6),
    ],
    ids=lambda value: value.name.lower() if isinstance(value, State) else None,
)
def test_each_state_has_its_lamps(stage, state, lamps, turns):
    seen = seen_of(stage, state)
    assert {lit for lit, _ in seen} - {frozenset()} == {frozenset(lamps)}
    assert seen[0][0] == lamps  # it begins lit
    assert len(seen) == turns


@pytest.mark.parametrize("state", [*TOLD, *SILENT], **by_name)
def test_no_lamp_flashes_so_fast_that_it_can_bring_on_a_seizure(stage, state):
    flashes = sum(bool(lit) for lit, _ in runs(lit for lit, _ in watch(stage, state, 1.0)))
    assert flashes <= 3


def test_an_alarm_of_fire_sounds_until_it_is_over(stage):
    stage.reach(State.FIRE)
    heard = []
    stage.play_until(lambda: heard.append(stage.lane.is_sounding()), 60.0)
    assert 0.45 < sum(heard) / len(heard) < 0.55
    assert any(heard[-30:])


def test_green_is_lit_for_no_longer_than_the_way_is_free(stage):
    stage.reach(State.RELEASED)
    wrong = []

    def look():
        if (Lamp.GREEN in stage.lit()) != (Direction.ENTRY in stage.released()):
            wrong.append(stage.world.now_s())

    stage.play_until(look, 10.0)
    assert wrong == []


# -------------------------------------------------------------------------------------- in words

SAID = {
    State.AWAITING_PASS: "show_pass",
    State.MEASURING: "hold_still",
    State.PAUSING: "once_more",
    State.RELEASED: "go",
    State.REFUSED: "unknown_pass",
    State.REFERRED: "wait_for_staff",
    State.LEAVING: "go",
    State.LOCKED: "locked",
    State.CLOSED: "closed",
    State.MAINTENANCE: "service",
    State.FORCED: "alarm",
    State.HELD: "alarm",
    State.TAMPER: "alarm",
    State.FIRE: "evacuate",
    State.EMERGENCY: "evacuate",
}


def told_since(announcer, at_s):
    return [prompt.key for told_s, prompt in announcer.told if told_s >= at_s]


@pytest.mark.parametrize("state", SAID, **by_name)
def test_the_same_is_shown_and_said_in_every_language(stage, state):
    stage.reach(state)
    prompt = stage.lane.announcer.told[-1][1]
    assert prompt.key == SAID[state]
    assert set(prompt.texts) == {"zh-CN", "en"}
    assert stage.speaker.told == stage.lane.announcer.told


def test_a_visit_is_told_step_by_step(stage):
    stage.reach(State.RELEASED)
    assert told_since(stage.speaker, 0.0) == ["show_pass", "hold_still", "go"]


def test_nothing_is_said_to_nobody(stage):
    stage.play(60.0)
    assert told_since(stage.lane.announcer, 0.0) == []


def test_what_somebody_can_do_about_an_attempt_is_said(stage):
    stage.step_up(25.0)  # the lens sees no skin
    stage.scan()
    assert stage.play_until(lambda: stage.state is State.PAUSING, 10.0)
    assert stage.speaker.told[-1][1].key == "bare_forehead"


def test_a_disk_that_takes_no_record_is_no_accusation(stage):
    stage.log.broken = True
    stage.step_up(WELL_C)
    stage.scan()
    assert stage.play_until(lambda: stage.state is State.REFUSED, 10.0)
    assert stage.speaker.told[-1][1].key == "no_entry"


# ------------------------------------------------------------------------------------ quiet hours


def onsets(heard):
    """Return at which steps a sound begins, and how long each lasts."""
    at, found = 0, []
    for sounds, steps in heard:
        if sounds:
            found.append((at, steps))
        at += steps
    return found


@pytest.mark.parametrize("state", [state for state in TOLD if state not in ALARMS], **by_name)
def test_in_quiet_hours_the_rhythm_is_kept_in_ticks(make_stage, state):
    loud, quiet = make_stage(), make_stage()
    quiet.quiet = True
    aloud, ticked = onsets(heard_of(loud, state)), onsets(heard_of(quiet, state))
    assert [at for at, _ in ticked] == [at for at, _ in aloud]
    assert {steps for _, steps in ticked} == {round(TICK_S / STEP_S)}


@pytest.mark.parametrize("state", ALARMS, **by_name)
def test_an_alarm_is_never_quiet(make_stage, state):
    loud, quiet = make_stage(), make_stage()
    quiet.quiet = True
    assert heard_of(quiet, state) == heard_of(loud, state)
    assert quiet.speaker.told[-1][1].key == SAID[state]


def test_in_quiet_hours_the_display_goes_on_and_the_speaker_is_silent(stage):
    stage.quiet = True
    stage.step_up(FEVERISH_C)
    stage.scan()
    assert stage.play_until(lambda: stage.state is State.REFERRED, 5.0)
    assert told_since(stage.lane.announcer, 0.0) == ["show_pass", "hold_still", "wait_for_staff"]
    assert stage.speaker.told == []


def test_an_order_in_quiet_hours_ends_no_alarm(stage):
    stage.quiet = True
    stage.reach(State.FIRE)
    stage.touch(InputName.TAMPER, active=True)
    stage.play(5.0)
    heard = []
    stage.play_until(lambda: heard.append(stage.lane.is_sounding()), 5.0)
    assert any(heard)
