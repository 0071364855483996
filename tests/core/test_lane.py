"""What each event does in each state, and what becomes of a visit."""

from dataclasses import replace

import pytest

from gatepost.core.lane import Holder, ImpossibleTriggerError, Lane, PassShown, Tick, Visit, advance
from gatepost.core.rules import Outcome
from gatepost.core.screening import Reason
from gatepost.core.table import OUTPUTS, State
from gatepost_hal.ports import InputChanged, InputName, Reading

LEFT_EARLY = (State.IDLE, ["visit.abandoned"])
FORCED = ["passage.forced"]
FIRE = (State.FIRE, ["fire.raised"])
FIRE_OVER_VISIT = (State.FIRE, ["visit.abandoned", "fire.raised"])
EXIT = (State.LEAVING, ["exit.released"])
AGAIN = (State.PAUSING, ["visit.rechecked"])

# Whatever is not listed for a state leaves state, visit and deadline alone and records nothing.
MOVES = {
    State.IDLE: {
        "arrives": (State.AWAITING_PASS, []),
        "exit_button": EXIT,
        "passage": (State.IDLE, FORCED),
        "fire": FIRE,
    },
    State.AWAITING_PASS: {
        "shows_pass": (State.MEASURING, []),
        "shows_wrong_pass": (State.REFUSED, ["visit.denied"]),
        "leaves": LEFT_EARLY,
        "deadline": (State.CLEARING, ["visit.abandoned"]),
        "exit_button": (State.LEAVING, ["visit.abandoned", "exit.released"]),
        "passage": (State.AWAITING_PASS, FORCED),
        "fire": FIRE_OVER_VISIT,
    },
    State.MEASURING: {
        "cool": (State.DECIDING, ["visit.admitted"]),
        "near": AGAIN,
        "near_over": AGAIN,
        "fever": (State.REFERRED, ["visit.referred"]),
        "deadline": AGAIN,
        "leaves": LEFT_EARLY,
        "passage": (State.MEASURING, FORCED),
        "fire": FIRE_OVER_VISIT,
    },
    State.PAUSING: {
        "deadline": (State.MEASURING, []),
        "leaves": LEFT_EARLY,
        "passage": (State.PAUSING, FORCED),
        "fire": FIRE_OVER_VISIT,
    },
    State.DECIDING: {
        "written": (State.RELEASED, []),
        "not_written": (State.REFUSED, []),
        "passage": (State.DECIDING, FORCED),
        "fire": FIRE,
    },
    State.RELEASED: {
        "passage": (State.CLEARING, ["passage.entered"]),
        "deadline": (State.ENTRY_ENDING, []),
        "fire": (State.FIRE, ["passage.not_entered", "fire.raised"]),
    },
    State.ENTRY_ENDING: {
        "passage": (State.CLEARING, ["passage.entered"]),
        "deadline": (State.CLEARING, ["passage.not_entered"]),
        "fire": (State.FIRE, ["passage.not_entered", "fire.raised"]),
    },
    State.LEAVING: {
        "passage": (State.IDLE, ["passage.left"]),
        "deadline": (State.EXIT_ENDING, []),
        "fire": (State.FIRE, ["passage.not_left", "fire.raised"]),
    },
    State.EXIT_ENDING: {
        "passage": (State.IDLE, ["passage.left"]),
        "deadline": (State.IDLE, ["passage.not_left"]),
        "fire": (State.FIRE, ["passage.not_left", "fire.raised"]),
    },
    State.REFUSED: {
        "shows_pass": (State.MEASURING, []),
        "leaves": (State.IDLE, []),
        "deadline": (State.CLEARING, []),
        "exit_button": EXIT,
        "passage": (State.REFUSED, FORCED),
        "fire": FIRE,
    },
    State.REFERRED: {
        "leaves": (State.IDLE, []),
        "deadline": (State.CLEARING, []),
        "exit_button": EXIT,
        "passage": (State.REFERRED, FORCED),
        "fire": FIRE,
    },
    State.CLEARING: {
        "shows_pass": (State.MEASURING, []),
        "shows_wrong_pass": (State.REFUSED, ["visit.denied"]),
        "leaves": (State.IDLE, []),
        "exit_button": EXIT,
        "passage": (State.CLEARING, FORCED),
        "fire": FIRE,
    },
    State.FIRE: {
        "passage": (State.FIRE, ["passage.free"]),
        "fire_over": (State.IDLE, ["fire.cleared"]),
    },
}


@pytest.mark.parametrize("state", State)
def test_each_event_does_in_each_state_what_is_listed_and_nothing_else(
    state, new_walk, event_words
):
    done = {}
    for word in event_words:
        walk = new_walk().to(state)
        before = walk.lane
        types = walk.does(word)
        moved = (walk.state, types)
        if moved != (state, []):
            done[word] = moved
        if walk.state is state:
            # Levels are noted in every state, so that they count when the next one begins.
            distrust = Reason.ERRATIC if word == "distrust" else None
            visit = replace(before.visit, distrust=distrust)
            present = walk.lane.present
            assert walk.lane == replace(before, present=present, distrust=distrust, visit=visit)
    assert done == MOVES[state]


@pytest.mark.parametrize("state", State)
def test_a_state_ends_when_its_duration_is_over_and_not_before(state, walk, policy):
    walk.to(state)
    until = OUTPUTS[state].until
    durations_s = [walk.lane.deadline_at_s - walk.lane.entered_at_s] if until else []
    assert durations_s == [pytest.approx(policy.spans_s[span]) for span in [until] if span]
    before = walk.lane
    for early_s in (walk.now_s, walk.now_s + 1.499):  # the shortest duration is 1.5 s
        walk.feed(Tick(early_s))
    assert walk.lane == before


@pytest.mark.parametrize(
    ("lane", "event"),
    [
        (Lane(present=True), InputChanged(1.0, InputName.PRESENCE, active=False)),
        (Lane(State.AWAITING_PASS), InputChanged(1.0, InputName.PRESENCE, active=True)),
        (Lane(State.CLEARING), InputChanged(1.0, InputName.PRESENCE, active=True)),
        (Lane(fire=True), InputChanged(1.0, InputName.FIRE, active=False)),
        (Lane(State.FIRE), InputChanged(1.0, InputName.FIRE, active=True)),
        (Lane(deadline_at_s=1.0), Tick(1.0)),
        (Lane(State.DECIDING, deadline_at_s=1.0), Tick(1.0)),
        (Lane(State.FIRE, fire=True, deadline_at_s=1.0), Tick(1.0)),
    ],
)
def test_an_impossible_trigger_raises_and_changes_nothing(lane, event, policy):
    as_it_was = replace(lane)
    with pytest.raises(ImpossibleTriggerError, match=rf"[A-Z]+ in state {lane.state.name}$"):
        advance(lane, event, policy)
    assert lane == as_it_was


def test_a_measured_person_without_a_pass_would_be_denied(new_walk):
    # No event leads there; the decision does not rely on it.
    lane = Lane(State.MEASURING, 100.0, 106.0, Visit(1, attempt=1), present=True)
    walk = new_walk(lane)
    assert walk.does("cool") == ["visit.denied"]
    assert walk.state is State.REFUSED


def test_visits_are_numbered_in_the_order_of_arrival(walk):
    numbers = []
    for _ in range(3):
        walk.does("arrives")
        numbers.append(walk.lane.visit.number)
        walk.does("shows_pass leaves")
    assert numbers == [1, 2, 3]


def test_a_pass_at_a_lane_that_was_dealt_with_begins_the_next_visit(walk):
    walk.does("arrives shows_wrong_pass")
    first = walk.lane.visit
    walk.does("shows_pass")
    second = walk.lane.visit
    walk.does("fever deadline shows_wrong_pass")
    third = walk.lane.visit
    assert (first.number, first.holder, first.attempt) == (1, None, 0)
    assert (second.number, second.holder.subject, second.attempt) == (2, "subject-1", 1)
    assert (third.number, third.holder, third.attempt) == (3, None, 0)
    assert third.verdict is None


def test_a_pass_that_nobody_waits_for_opens_no_visit(walk):
    walk.does("shows_pass shows_wrong_pass")
    assert walk.lane == Lane(entered_at_s=100.0)


@pytest.mark.parametrize("shown", [Holder("subject-2", "visitor"), None])
@pytest.mark.parametrize(
    "state", [State.MEASURING, State.PAUSING, State.DECIDING, State.RELEASED, State.REFERRED]
)
def test_a_pass_shown_during_a_visit_never_replaces_its_holder(state, shown, walk):
    before = walk.to(state).lane
    assert advance(before, PassShown(walk.next_s(), shown), walk.policy) == (before, ())


def test_readings_that_are_not_newer_than_the_attempt_are_ignored(walk):
    before = walk.to(State.MEASURING).lane
    for at_s in (before.entered_at_s, before.entered_at_s - 0.001, 0.0):
        walk.feed(Reading(at_s, 34.1, 24.0))
    assert walk.lane == before


def test_readings_of_one_attempt_are_not_used_for_the_next(walk):
    walk.to(State.MEASURING).samples([36.4, 36.5])
    walk.does("deadline deadline")
    assert walk.state is State.MEASURING
    assert (walk.lane.visit.attempt, walk.lane.visit.samples) == (2, ())
    assert walk.does("cool") == ["visit.admitted"]


def test_an_attempt_goes_on_until_its_last_sample_differs_from_the_one_before(walk):
    walk.to(State.MEASURING).samples([34.1, 34.2, 34.15, 34.12, 34.12])
    assert walk.state is State.MEASURING  # only a new value shows a sensor that is still alive
    assert walk.samples([34.14]) == ["visit.admitted"]
    assert len(walk.lane.visit.samples) == 6


@pytest.mark.parametrize("word", ["", "fault", "fault fault fault"])
def test_an_attempt_whose_last_sample_repeats_the_one_before_admits_nobody(word, walk):
    walk.to(State.MEASURING).samples([34.1, 34.2, 34.15, 34.12, 34.12])
    assert walk.does(f"{word} deadline") == ["visit.rechecked"]
    verdict = walk.lane.visit.verdict
    assert (verdict.reason, verdict.index_c) == (Reason.FROZEN, 36.55)


def test_a_sensor_that_repeats_itself_at_the_end_of_an_attempt_admits_nobody(walk):
    walk.to(State.MEASURING).samples([34.1, 34.2, 34.15, 34.12, 34.12, 34.12, 34.12])
    assert walk.does("deadline") == ["visit.rechecked"]
    assert walk.lane.visit.verdict.reason is Reason.FROZEN


@pytest.mark.parametrize("word", ["", "fault", "fault fault fault fault fault"])
def test_too_few_samples_at_the_deadline_are_measured_again_and_then_referred(word, walk):
    walk.to(State.MEASURING)
    types = []
    for _ in range(3):
        walk.samples([34.1, 34.2, 34.15, 34.12])
        types += walk.does(f"{word} deadline deadline")
    assert types == ["visit.rechecked", "visit.rechecked", "visit.referred"]
    assert walk.lane.visit.attempt == 3
    assert walk.lane.visit.verdict.reason is Reason.TOO_FEW_SAMPLES


def test_near_the_limit_one_passes_at_last_and_just_over_it_is_referred(new_walk):
    under = new_walk().to(State.MEASURING).does("near deadline near deadline near")
    over = new_walk().to(State.MEASURING).does("near_over deadline near_over deadline near_over")
    assert under == ["visit.rechecked", "visit.rechecked", "visit.admitted"]
    assert over == ["visit.rechecked", "visit.rechecked", "visit.referred"]


@pytest.mark.parametrize("words", ["near deadline fever", "deadline deadline fever"])
def test_a_fever_is_referred_at_once_also_after_a_recheck(words, walk):
    walk.to(State.MEASURING).does(words)
    assert walk.state is State.REFERRED
    assert walk.lane.visit.decision.outcome is Outcome.REFER


def test_who_walks_away_and_comes_back_begins_anew_without_a_pass(walk):
    walk.to(State.MEASURING).samples([34.1, 34.2, 34.15, 34.12])
    walk.does("leaves arrives")  # a flicker of the presence input looks the same
    assert walk.state is State.AWAITING_PASS
    assert walk.lane.visit == Visit(2)
    assert walk.samples([34.17]) == []


def test_who_is_gone_when_an_entry_is_over_leaves_an_idle_lane(walk):
    walk.to(State.RELEASED).does("leaves")
    assert walk.state is State.RELEASED  # on the way through the arm one leaves the zone
    assert walk.does("passage") == ["passage.entered"]
    assert walk.state is State.IDLE


def test_a_flickering_presence_during_a_release_changes_nothing(walk):
    before = walk.to(State.RELEASED).lane
    assert walk.does("leaves arrives leaves arrives") == []
    assert walk.lane == before


def test_who_is_gone_when_the_disk_fails_is_shown_nothing(walk):
    walk.to(State.DECIDING).does("leaves not_written")
    assert walk.state is State.IDLE


def test_the_exit_works_when_the_disk_does_not(walk):
    walk.to(State.DECIDING).does("not_written exit_button")
    assert walk.state is State.LEAVING


def test_the_next_in_line_needs_a_pass_and_a_measurement_of_their_own(walk):
    walk.to(State.RELEASED).does("leaves arrives passage")
    assert walk.state is State.CLEARING
    walk.does("shows_pass")
    assert walk.state is State.MEASURING
    visit = walk.lane.visit
    assert (visit.number, visit.attempt, visit.samples, visit.decision) == (2, 1, (), None)


def test_who_waits_at_the_entry_while_another_leaves_is_asked_for_a_pass_anew(walk):
    walk.to(State.AWAITING_PASS).does("exit_button shows_pass passage")
    assert walk.state is State.AWAITING_PASS
    assert walk.lane.visit.number == 2
    assert walk.types == ["visit.abandoned", "exit.released", "passage.left"]


def test_who_steps_up_while_another_leaves_is_asked_for_a_pass_then(walk):
    walk.to(State.LEAVING).does("arrives deadline deadline")
    assert walk.state is State.AWAITING_PASS
    assert walk.lane.visit.number == 1
    assert walk.lane.deadline_at_s == walk.lane.entered_at_s + 15.0


@pytest.mark.parametrize("state", [State.MEASURING, State.PAUSING, State.DECIDING, State.RELEASED])
def test_an_exit_button_during_another_ones_visit_has_to_be_pressed_again(state, walk):
    before = walk.to(state).lane
    assert walk.does("exit_button exit_button_up") == []
    assert walk.lane == before


def test_when_the_fire_is_over_who_stands_there_is_asked_for_a_pass(walk):
    walk.to(State.RELEASED).does("fire fire_over")
    assert walk.state is State.AWAITING_PASS
    assert walk.lane.visit.number == 2


def test_when_the_fire_is_over_an_empty_lane_is_idle(walk):
    walk.to(State.AWAITING_PASS).does("fire leaves fire_over")
    assert walk.state is State.IDLE


def test_a_fire_that_is_reported_again_and_again_is_recorded_once(walk):
    assert walk.does("fire fire fire fire_over fire_over fire") == [
        "fire.raised",
        "fire.cleared",
        "fire.raised",
    ]


def test_a_forced_passage_does_not_prolong_a_state(walk):
    before = walk.to(State.REFUSED).lane
    assert walk.does("passage passage_ends passage") == ["passage.forced", "passage.forced"]
    assert walk.lane == before


@pytest.mark.parametrize(
    ("attempts", "words"), [(1, "near"), (3, "deadline deadline deadline deadline near")]
)
def test_one_reading_near_the_limit_is_never_enough(attempts, words, new_walk, policy):
    walk = new_walk(policy=replace(policy, measure_attempts=attempts)).to(State.MEASURING)
    assert "visit.admitted" not in walk.does(words)
