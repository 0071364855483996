"""The mechanisms that other tests lean on: who gets through, and what the contacts say."""

import pytest

from gatepost_hal.ports import Direction, InputChanged, InputName
from gatepost_hal.simulated.lane import PINS, SimulatedLane
from gatepost_hal.simulated.turnstile import Mechanics, Mechanism, PassageOutput
from gatepost_hal.simulated.world import World

ENTRY, EXIT = Direction
WING = Mechanics(Mechanism.SWING_GATE)
LATCHING = Mechanics(latching=True)
SLACK_S = 0.03  # bounce and debounce


@pytest.fixture
def make_lane():
    lanes = []

    def make(mechanics=None, pins=PINS):
        options = {} if mechanics is None else {"mechanics": mechanics}
        lanes.append(SimulatedLane(World(), seed=1, pins=pins, **options))
        return lanes[-1]

    yield make
    for lane in lanes:
        lane.close()


def play(lane, duration_s):
    """Let time pass; return what the inputs reported: (name, active, seconds from now)."""
    began_s = lane.world.now_s()
    lane.world.advance(duration_s)
    return [
        (event.name, event.active, event.at_s - began_s)
        for event in lane.mailbox.wait(lane.world.now_s())
        if isinstance(event, InputChanged)
    ]


def names(events):
    return [(name, active) for name, active, _ in events]


def ways(lane):
    return [way for _, way in lane.rotations]


def both_sides(name):
    return [(name, True), (name, False)]


# ----------------------------------------------------------------------------------------- tripod


def test_a_locked_tripod_stops_whoever_pushes(make_lane):
    lane = make_lane()
    assert not lane.push(ENTRY)
    assert (play(lane, 2.0), lane.rotations) == ([], [])


def test_a_released_tripod_turns_its_own_way_alone(make_lane):
    lane = make_lane()
    lane.gpio.turnstile.release(EXIT, 5.0)
    assert not lane.push(ENTRY)
    assert lane.push(EXIT)
    assert ways(lane) == [EXIT]


@pytest.mark.parametrize("force", [False, True])
def test_a_tripod_closes_its_contact_in_the_middle_of_the_turn(make_lane, force):
    lane = make_lane()
    if not force:
        lane.gpio.turnstile.release(ENTRY, 5.0)
    assert lane.push(ENTRY, force=force)
    (began, active, began_s), (ended, inactive, ended_s) = play(lane, 2.0)
    assert (began, active, ended, inactive) == (InputName.PASSAGE, True, InputName.PASSAGE, False)
    assert 0.3 < began_s < 0.3 + SLACK_S
    assert 0.5 < ended_s < 0.5 + SLACK_S


def test_a_tripod_lets_one_person_through_a_turn(make_lane):
    lane = make_lane()
    lane.gpio.turnstile.release(ENTRY, 5.0)
    assert lane.push(ENTRY)
    play(lane, 0.7)
    assert not lane.push(ENTRY)
    assert not lane.push(ENTRY, force=True)
    play(lane, 0.2)
    assert lane.push(ENTRY)  # as long as its relay holds
    assert len(lane.rotations) == 2


def test_two_do_not_fit_into_a_tripod(make_lane):
    lane = make_lane()
    lane.gpio.turnstile.release(ENTRY, 5.0)
    with pytest.raises(ValueError, match="people = 2"):
        lane.push(ENTRY, people=2)
    assert lane.rotations == []


def test_a_tripod_cannot_be_held_open(make_lane):
    lane = make_lane()
    assert lane.push(ENTRY, force=True)
    assert not lane.turnstile.hold_open(5.0)


# ------------------------------------------------------------------------------- passage contacts


@pytest.mark.parametrize("mechanism", Mechanism)
@pytest.mark.parametrize("way", Direction)
@pytest.mark.parametrize(
    ("passage", "told"),
    [
        (PassageOutput.SINGLE, {ENTRY: InputName.PASSAGE, EXIT: InputName.PASSAGE}),
        (PassageOutput.PER_DIRECTION, {ENTRY: InputName.PASSAGE, EXIT: InputName.PASSAGE_EXIT}),
    ],
)
def test_the_contact_of_the_way_tells_of_a_passage(make_lane, mechanism, way, passage, told):
    lane = make_lane(Mechanics(mechanism, passage))
    assert lane.push(way, force=True)
    assert names(play(lane, 3.0)) == both_sides(told[way])
    assert ways(lane) == [way]


@pytest.mark.parametrize("mechanism", Mechanism)
def test_a_turnstile_without_an_output_tells_nothing_and_has_no_such_input(make_lane, mechanism):
    lane = make_lane(Mechanics(mechanism, PassageOutput.NONE))
    lane.gpio.turnstile.release(ENTRY, 5.0)
    assert lane.push(ENTRY)
    assert play(lane, 3.0) == []
    assert ways(lane) == [ENTRY]
    assert {InputName.PASSAGE, InputName.PASSAGE_EXIT}.isdisjoint(lane.contacts)
    assert set(lane.contacts) == set(InputName) - {InputName.PASSAGE, InputName.PASSAGE_EXIT}


def test_an_output_that_is_not_wired_tells_nothing(make_lane):
    lane = make_lane(pins=PINS._replace(inputs={InputName.FIRE: PINS.inputs[InputName.FIRE]}))
    assert lane.push(ENTRY, force=True)
    assert play(lane, 3.0) == []


# ------------------------------------------------------------------------------------------- wing


def test_a_locked_wing_stops_whoever_pushes(make_lane):
    lane = make_lane(WING)
    lane.gpio.turnstile.release(EXIT, 5.0)
    assert not lane.push(ENTRY)
    assert lane.rotations == []


@pytest.mark.parametrize(("people", "open_s"), [(1, 0.8), (2, 1.3), (3, 1.8)])
def test_several_slip_through_a_wing_while_its_contact_is_closed(make_lane, people, open_s):
    lane = make_lane(WING)
    lane.gpio.turnstile.release(ENTRY, 0.5)
    assert lane.push(ENTRY, people=people)
    (_, active, began_s), (_, inactive, ended_s) = play(lane, 5.0)
    assert (active, inactive) == (True, False)
    assert began_s < SLACK_S
    assert open_s < ended_s < open_s + SLACK_S
    assert lane.rotations == [(pytest.approx(0.5 * number), ENTRY) for number in range(people)]


def test_those_who_slip_through_are_not_there_before_they_walked(make_lane):
    lane = make_lane(WING)
    assert lane.push(ENTRY, people=2, force=True)
    assert len(lane.rotations) == 1
    play(lane, 0.6)
    assert len(lane.rotations) == 2


def test_an_open_wing_stops_nobody_whichever_way_they_walk(make_lane):
    lane = make_lane(Mechanics(Mechanism.SWING_GATE, PassageOutput.PER_DIRECTION))
    lane.gpio.turnstile.release(ENTRY, 0.5)
    assert lane.push(ENTRY)
    play(lane, 0.6)
    assert not lane.is_released(ENTRY)
    assert lane.push(EXIT)  # against the stream; the wing knows only how it was opened
    assert names(play(lane, 3.0)) == [(InputName.PASSAGE, False)]
    assert ways(lane) == [ENTRY, EXIT]
    assert not lane.push(ENTRY)


def test_a_wing_can_be_held_open(make_lane):
    lane = make_lane(WING)
    lane.gpio.turnstile.release(ENTRY, 0.5)
    assert lane.push(ENTRY)
    assert names(play(lane, 0.5)) == [(InputName.PASSAGE, True)]
    assert lane.turnstile.hold_open(10.0)
    assert play(lane, 9.9) == []
    assert names(play(lane, 0.5)) == [(InputName.PASSAGE, False)]
    assert ways(lane) == [ENTRY]
    assert not lane.turnstile.hold_open(10.0)


def test_nobody_walks_as_no_people(make_lane):
    with pytest.raises(ValueError, match="people = 0"):
        make_lane(WING).push(ENTRY, people=0)


# --------------------------------------------------------------------------------------- latching


@pytest.mark.parametrize("hold_s", [0.1, 0.25, 4.0])
def test_a_pulse_frees_a_latching_turnstile_for_one_turn(make_lane, hold_s):
    lane = make_lane(LATCHING)
    lane.gpio.turnstile.release(ENTRY, hold_s)
    assert not lane.push(ENTRY)
    play(lane, 0.15)
    assert not lane.push(EXIT)
    assert lane.push(ENTRY)
    play(lane, 1.0)
    assert not lane.push(ENTRY)
    play(lane, 4.0)  # the end of the pulse frees nothing anew
    assert not lane.push(ENTRY)


def test_a_latching_turnstile_locks_itself_after_its_time(make_lane):
    lane = make_lane(LATCHING._replace(latch_s=3.0))
    lane.gpio.turnstile.release(ENTRY, 0.2)
    play(lane, 3.0)
    assert lane.turnstile.is_free(ENTRY)
    play(lane, 0.2)
    assert not lane.push(ENTRY)


def test_a_pulse_that_is_too_short_does_not_free_a_latching_turnstile(make_lane):
    lane = make_lane(LATCHING)
    lane.gpio.turnstile.release(ENTRY, 5.0)
    play(lane, 0.05)
    lane.gpio.turnstile.drop()
    play(lane, 0.2)
    assert not lane.push(ENTRY)


def test_two_short_pulses_are_not_a_long_one(make_lane):
    lane = make_lane(LATCHING)
    for _ in range(2):
        lane.gpio.turnstile.release(ENTRY, 5.0)
        play(lane, 0.06)
        lane.gpio.turnstile.drop()
    play(lane, 0.2)
    assert not lane.push(ENTRY)


def test_a_new_pulse_frees_a_latching_turnstile_again(make_lane):
    lane = make_lane(LATCHING)
    for _ in range(2):
        lane.gpio.turnstile.release(ENTRY, 0.2)
        play(lane, 0.3)
        assert lane.push(ENTRY)
        play(lane, 1.0)
    assert len(lane.rotations) == 2


# ----------------------------------------------------------------------------------- electricity


@pytest.mark.parametrize("active_high", [True, False], ids=["high", "low"])
def test_a_tripod_gives_way_to_either_kind_of_relay_board(make_lane, active_high):
    lane = make_lane(pins=PINS._replace(relay_active_high=active_high))
    assert not any(lane.is_released(way) for way in Direction)
    lane.gpio.turnstile.release(ENTRY, 1.0)
    assert [lane.is_released(way) for way in Direction] == [True, False]
    assert not lane.push(EXIT)
    assert lane.push(ENTRY)
    play(lane, 1.1)
    assert not lane.is_released(ENTRY)


def test_the_exit_reader_reads_for_the_exit(make_lane):
    lane = make_lane()
    lane.reader.scan("IN")
    lane.exit_reader.scan("OUT")
    assert [(event.credential, event.direction) for event in lane.mailbox.wait(0.0)] == [
        ("IN", ENTRY),
        ("OUT", EXIT),
    ]


def test_every_input_has_a_line_of_its_own():
    lines = [*PINS.relays.values(), *PINS.lamps.values(), PINS.buzzer, *PINS.inputs.values()]
    assert set(PINS.inputs) == set(InputName)
    assert len(set(lines)) == len(lines)
