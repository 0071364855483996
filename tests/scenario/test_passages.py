"""Who turns the arm, on every kind of turnstile: what is told of it, and what the relays do."""

import itertools

import pytest

from gatepost.core.events import Verb
from gatepost.core.states import Span, State
from gatepost_hal.ports import Direction, InputName
from gatepost_hal.simulated.turnstile import Mechanics, Mechanism, PassageOutput

TRIPOD, WING = Mechanism.TRIPOD, Mechanism.SWING_GATE
SEEN = [PassageOutput.SINGLE, PassageOutput.PER_DIRECTION]
KINDS = list(itertools.product(Mechanism, PassageOutput, (False, True), ("high", "low")))
named = {"ids": lambda value: value if isinstance(value, str) else getattr(value, "value", None)}
SPAN_S = 1e-9


def words(kind):
    mechanism, passage, latches, active = kind
    how = "pulse" if latches else "hold"
    return f"{mechanism.value} {passage.value} {how} active {active}"


@pytest.fixture
def make_site(make_stage):
    def make(mechanism=TRIPOD, passage=PassageOutput.SINGLE, *, latches=False, active="high"):
        turnstile = {"passage": passage.value, "relay_active": active}
        if latches:
            turnstile |= {"release": "pulse", "pulse_s": 0.3}
        return make_stage(
            sections={"turnstile": turnstile},
            mechanics=Mechanics(mechanism, passage, latching=latches),
        )

    return make


def pulses(stage):
    return {way: relay.pulses for way, relay in stage.lane.relays.items()}


def release(stage, way):
    """Let one way be free, by order."""
    verb = {Direction.ENTRY: Verb.RELEASE_ENTRY, Direction.EXIT: Verb.RELEASE_EXIT}[way]
    assert stage.order(verb)["done"]
    stage.play(0.2)  # a turnstile that latches takes its time


# ------------------------------------------------------------------------------------ in what order


@pytest.mark.parametrize("way", Direction, **named)
def test_the_way_is_shut_before_the_passage_is_recorded(make_site, way):
    """A disk that blocks must not keep it free for the next one."""
    stage = make_site()
    release(stage, way)
    free_at_write = []
    stage.log.spy = lambda entries: free_at_write.append((entries[0].type, stage.released()))
    stage.lane.push(way)
    stage.play(2.0)  # an arm takes its time
    told = {Direction.ENTRY: "passage.entered", Direction.EXIT: "passage.left"}[way]
    assert free_at_write == [(told, set())]


# -------------------------------------------------------------------------------- who may and does


@pytest.mark.parametrize("way", Direction, **named)
@pytest.mark.parametrize(
    "kind", KINDS, ids=lambda kind: " ".join(str(getattr(each, "value", each)) for each in kind)
)
def test_one_release_is_one_person_and_one_outcome(make_site, way, kind):
    mechanism, passage, latches, active = kind
    stage = make_site(mechanism, passage, latches=latches, active=active)
    release(stage, way)
    assert stage.lane.push(way)
    stage.play(10.0)
    expected = "passage.entered" if way is Direction.ENTRY else "passage.left"
    if passage is PassageOutput.NONE:
        expected = "passage.unconfirmed"
    assert stage.types[-1] == expected
    assert stage.last(expected).data["direction"] == way.value
    assert sum(type_.startswith("passage.") for type_ in stage.types) == 1
    assert pulses(stage) == {each: int(each is way) for each in Direction}
    assert (stage.state, stage.released()) == (State.IDLE, set())


@pytest.mark.parametrize("way", Direction, **named)
@pytest.mark.parametrize("passage", SEEN, **named)
def test_a_release_that_nobody_uses_is_told_apart(make_site, way, passage):
    stage = make_site(passage=passage)
    release(stage, way)
    stage.play(8.0)
    expected = {Direction.ENTRY: "passage.not_entered", Direction.EXIT: "passage.not_left"}
    assert stage.types[-1] == expected[way]


@pytest.mark.parametrize("active", ["high", "low"])
def test_a_pulse_lasts_as_long_as_the_site_says_and_frees_one_turn(make_site, active):
    stage = make_site(passage=PassageOutput.NONE, latches=True, active=active)
    edges = []
    relay = stage.lane.relays[Direction.ENTRY]
    tell = relay.on_change
    relay.on_change = lambda: (tell(), edges.append(stage.world.now_s()))
    release(stage, Direction.ENTRY)
    stage.play(1.0)
    began_s, ended_s = edges
    assert ended_s - began_s == pytest.approx(0.3, abs=SPAN_S)
    assert stage.lane.push(Direction.ENTRY)
    stage.play(2.0)
    assert not stage.lane.push(Direction.ENTRY)


@pytest.mark.parametrize("active", ["high", "low"])
def test_no_relay_is_energised_by_a_start(make_site, active):
    stage = make_site(active=active)
    assert pulses(stage) == {Direction.ENTRY: 0, Direction.EXIT: 0}
    stage.restart()
    stage.play(1.0)
    assert pulses(stage) == {Direction.ENTRY: 0, Direction.EXIT: 0}


def test_a_relay_that_a_dead_process_left_energised_is_claimed_at_rest(make_site):
    for active in ("high", "low"):
        stage = make_site(active=active)
        stage.reach(State.RELEASED)
        stage.life.end()
        stage.world.advance(20.0)
        assert stage.released() == {Direction.ENTRY}
        stage.restart()
        assert stage.released() == set()


# ------------------------------------------------------------------------------------ who may not


@pytest.mark.parametrize("way", Direction, **named)
@pytest.mark.parametrize("passage", SEEN, **named)
@pytest.mark.parametrize("mechanism", Mechanism, **named)
def test_a_forced_turn_is_an_alarm(make_site, mechanism, passage, way):
    stage = make_site(mechanism, passage)
    assert stage.lane.push(way, force=True)
    assert stage.play_until(lambda: stage.state is State.FORCED, 1.0)
    stage.play(stage.policy.spans_s[Span.ALARM_SHOW] + 1.0)
    assert stage.types == ["passage.forced"]
    known = {} if passage is PassageOutput.SINGLE else {"direction": way.value}
    assert stage.last("passage.forced").data == {"state": "idle"} | known
    assert (stage.state, stage.released()) == (State.IDLE, set())


@pytest.mark.parametrize("way", Direction, **named)
def test_the_wrong_way_is_an_alarm_where_it_can_be_known(make_site, way):
    stage = make_site(passage=PassageOutput.PER_DIRECTION)
    other = next(each for each in Direction if each is not way)
    release(stage, way)
    assert stage.lane.push(other, force=True)
    stage.play(1.0)
    gone = "passage.not_entered" if way is Direction.ENTRY else "passage.not_left"
    assert stage.types[-2:] == [gone, "passage.wrong_way"]
    assert stage.last("passage.wrong_way").data["direction"] == other.value
    assert stage.released() == set()


@pytest.mark.parametrize("passage", SEEN, **named)
def test_somebody_who_follows_at_once_is_a_tailgater(make_site, passage):
    stage = make_site(passage=passage)
    release(stage, Direction.ENTRY)
    assert stage.lane.push(Direction.ENTRY)
    stage.play(0.9)
    assert stage.lane.push(Direction.ENTRY, force=True)
    stage.play(1.0)
    assert stage.types[-2:] == ["passage.entered", "passage.tailgated"]
    assert stage.state is State.FORCED


def test_somebody_who_follows_later_forces_the_way(make_site):
    stage = make_site()
    release(stage, Direction.ENTRY)
    assert stage.lane.push(Direction.ENTRY)
    stage.play(stage.policy.tailgate_s + 1.0)
    assert stage.lane.push(Direction.ENTRY, force=True)
    stage.play(1.0)
    assert stage.types[-2:] == ["passage.entered", "passage.forced"]


@pytest.mark.parametrize("passage", SEEN, **named)
def test_two_through_one_wing_are_two_people_and_one_turn(make_site, passage):
    # They keep it open between them: no contact tells how many they were. A count needs more.
    stage = make_site(WING, passage)
    release(stage, Direction.ENTRY)
    assert stage.lane.push(Direction.ENTRY, people=2)
    stage.play(5.0)
    assert len(stage.lane.rotations) == 2
    assert [type_ for type_ in stage.types if type_.startswith("passage.")] == ["passage.entered"]


def test_a_wing_that_is_held_open_is_told_and_shuts_the_entry(make_site):
    stage = make_site(WING)
    release(stage, Direction.ENTRY)
    assert stage.lane.push(Direction.ENTRY)
    stage.play(0.3)
    assert stage.lane.turnstile.hold_open(30.0)
    stage.play(stage.policy.spans_s[Span.HELD] + 0.5)
    assert (stage.state, stage.released()) == (State.HELD, set())
    assert stage.types[-1] == "passage.held"
    stage.play(30.0)
    assert (stage.state, stage.types[-1]) == (State.IDLE, "passage.rested")


def test_a_passage_contact_that_is_stuck_keeps_nobody_in(make_site):
    stage = make_site()
    stage.touch(InputName.PASSAGE, active=True)
    assert stage.play_until(lambda: stage.state is State.HELD, 60.0)
    stage.press(InputName.EXIT_BUTTON)
    assert stage.released() == {Direction.EXIT}


def test_without_a_contact_nobody_is_accused(make_site):
    stage = make_site(passage=PassageOutput.NONE)
    assert stage.lane.push(Direction.ENTRY, force=True)
    stage.play(5.0)
    assert (stage.state, stage.types) == (State.IDLE, [])


# ------------------------------------------------------------------------------------ who walked


@pytest.mark.parametrize("passage", PassageOutput, **named)
def test_who_walked_in_is_noted(make_site, passage):
    stage = make_site(passage=passage)
    stage.reach(State.RELEASED)
    assert stage.lane.push(Direction.ENTRY)
    stage.play(10.0)
    assert stage.passes.walked == [("subject-1", Direction.ENTRY)]


@pytest.mark.parametrize("passage", PassageOutput, **named)
def test_who_walked_out_with_a_pass_is_noted(make_site, passage):
    stage = make_site(passage=passage)
    stage.lane.exit_reader.scan("KNOWN")
    stage.play(0.2)
    stage.walk()
    stage.play(10.0)
    assert stage.passes.walked == [("subject-1", Direction.EXIT)]


@pytest.mark.parametrize("passage", SEEN, **named)
def test_who_was_let_in_and_did_not_walk_is_not_noted(make_site, passage):
    stage = make_site(passage=passage)
    stage.reach(State.RELEASED)
    stage.play(10.0)
    assert stage.passes.walked == []
