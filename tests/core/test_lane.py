"""What each event does in each state, where a pass comes first and one contact tells of a turn."""

from dataclasses import replace

import pytest

from gatepost.core.events import Tick, Written
from gatepost.core.lane import ImpossibleTriggerError, advance, output_of, release_s
from gatepost.core.screening import Reason
from gatepost.core.states import EXIT, OUTPUTS, Standing, State
from gatepost.core.visit import Lane, Visit
from gatepost_hal.ports import InputChanged, InputName

# Records of the conditions themselves: they begin and end whatever the lane is doing.
BEGINS = {
    "key": (State.MAINTENANCE, "maintenance.begun"),
    "begin_maintenance": (State.MAINTENANCE, "maintenance.begun"),
    "lock": (State.LOCKED, "lane.locked"),
    "close": (State.CLOSED, "lane.closed"),
    "tamper": (State.TAMPER, "tamper.raised"),
}
FREES = {
    "fire": (State.FIRE, "fire.raised"),
    "emergency": (State.EMERGENCY, "emergency.raised"),
}
PASSES = ("shows_pass", "shows_other_pass", "shows_noted_pass")
NO_PASSES = ("shows_wrong_pass", "shows_blocked_pass")
WISHES = ("exit_button", "exit_pass", "exit_wrong_pass", "release_exit")
TESTS = ("entry_relay", "exit_relay", "green_lamp", "amber_lamp", "red_lamp", "buzzer")


def shut(*told, but=()):
    """The modes that take over at once, and what they end."""
    words = [word for word in BEGINS if word not in but]
    return {word: (BEGINS[word][0], [*told, BEGINS[word][1]]) for word in words}


def noted(state, but=()):
    """The same, where they have to wait."""
    return {word: (state, [BEGINS[word][1]]) for word in BEGINS if word not in but}


def freed(*told):
    return {word: (state, [*told, type_]) for word, (state, type_) in FREES.items()}


def known(state, *told):
    return dict.fromkeys(PASSES, (state, [*told]))


def unknown(state, *told):
    return dict.fromkeys(NO_PASSES, (state, [*told]))


def let_out(*told):
    return dict.fromkeys(WISHES, (State.LEAVING, [*told, "exit.released"]))


def forced(*told, to=State.FORCED):
    return {"passage": (to, [*told, "passage.forced"])}


GONE = "visit.abandoned"
BY_STAFF = dict.fromkeys(["staff", "release_entry"], (State.DECIDING, ["entry.commanded"]))
AGAIN = (State.PAUSING, ["visit.rechecked"])
ENDS = {"key_over": (State.IDLE, ["maintenance.ended"])}
# What a turn is where a mode stands is in test_passage.py.
SHUT = (
    known(State.REFUSED, "visit.denied")
    | unknown(State.REFUSED, "visit.denied")
    | let_out()
    | BY_STAFF
    | freed()
)
IN_THE_ENTRY = freed("passage.not_entered") | {"passage": (State.ENTERING, ["passage.entered"])}
IN_THE_EXIT = freed("passage.not_left") | {"passage": (State.EXITING, ["passage.left"])}
# The same contact soon after a turn was somebody's; see test_passage.py for what comes later.
IN_THE_ARM = freed() | {
    "passage": (State.FORCED, ["passage.tailgated"]),
    "deadline": (State.HELD, ["passage.held"]),
}

# Whatever is not listed for a state leaves state, visit and deadline alone and records nothing.
MOVES = {
    State.IDLE: shut()
    | freed()
    | let_out()
    | BY_STAFF
    | forced()
    | {"arrives": (State.AWAITING_PASS, [])},
    State.AWAITING_PASS: known(State.MEASURING)
    | unknown(State.REFUSED, "visit.denied")
    | let_out(GONE)
    | BY_STAFF
    | forced(GONE)
    | shut(GONE)
    | freed(GONE)
    | {"leaves": (State.IDLE, [GONE]), "deadline": (State.CLEARING, [GONE])},
    State.MEASURING: BY_STAFF
    | forced(GONE)
    | shut(GONE)
    | freed(GONE)
    | {
        "cool": (State.DECIDING, ["visit.admitted"]),
        "near": AGAIN,
        "near_over": AGAIN,
        "fever": (State.REFERRED, ["visit.referred"]),
        "deadline": AGAIN,
        "leaves": (State.IDLE, [GONE]),
    },
    State.PAUSING: BY_STAFF
    | forced(GONE)
    | shut(GONE)
    | freed(GONE)
    | {"deadline": (State.MEASURING, []), "leaves": (State.IDLE, [GONE])},
    State.DECIDING: forced(to=State.DECIDING)
    | noted(State.DECIDING)
    | freed("passage.not_entered")
    | {"written": (State.RELEASED, []), "not_written": (State.REFUSED, [])},
    State.RELEASED: IN_THE_ENTRY | noted(State.RELEASED) | {"deadline": (State.ENTRY_ENDING, [])},
    State.ENTRY_ENDING: IN_THE_ENTRY
    | noted(State.ENTRY_ENDING)
    | {"deadline": (State.CLEARING, ["passage.not_entered"])},
    State.ENTERING: IN_THE_ARM | noted(State.ENTERING) | {"passage_ends": (State.CLEARING, [])},
    State.LEAVING: IN_THE_EXIT | noted(State.LEAVING) | {"deadline": (State.EXIT_ENDING, [])},
    State.EXIT_ENDING: IN_THE_EXIT
    | noted(State.EXIT_ENDING)
    | {"deadline": (State.IDLE, ["passage.not_left"])},
    State.EXITING: IN_THE_ARM | noted(State.EXITING) | {"passage_ends": (State.IDLE, [])},
    State.REFUSED: known(State.MEASURING)
    | let_out()
    | BY_STAFF
    | forced()
    | noted(State.REFUSED)
    | freed()
    | {"leaves": (State.IDLE, []), "deadline": (State.CLEARING, [])},
    State.REFERRED: let_out()
    | BY_STAFF
    | forced()
    | shut()
    | freed()
    | {"leaves": (State.IDLE, []), "deadline": (State.CLEARING, [])},
    State.CLEARING: known(State.MEASURING)
    | unknown(State.REFUSED, "visit.denied")
    | let_out()
    | BY_STAFF
    | forced()
    | shut()
    | freed()
    | {"leaves": (State.IDLE, [])},
    State.HELD: let_out()
    | BY_STAFF
    | forced()
    | noted(State.HELD)  # an alarm is told to its end
    | shut(but=("lock", "close", "tamper"))  # but to a technician
    | freed()
    | {"passage_ends": (State.CLEARING, ["passage.rested"])},
    State.FORCED: let_out()
    | BY_STAFF
    | forced()
    | noted(State.FORCED)  # an alarm is told to its end
    | shut(but=("lock", "close", "tamper"))  # but to a technician
    | freed()
    | {"deadline": (State.ENTERING, [])},  # the arm has not come back to rest
    State.FIRE: noted(State.FIRE)
    | {
        "passage": (State.FIRE, ["passage.free"]),
        "emergency": (State.FIRE, ["emergency.raised"]),
        "fire_over": (State.IDLE, ["fire.cleared"]),
    },
    State.EMERGENCY: noted(State.EMERGENCY)
    | {
        "passage": (State.EMERGENCY, ["passage.free"]),
        "fire": (State.FIRE, ["fire.raised"]),
        "emergency_over": (State.IDLE, ["emergency.cleared"]),
    },
    State.MAINTENANCE: let_out()
    | noted(State.MAINTENANCE, but=("key", "begin_maintenance"))
    | freed()
    | ENDS
    | {"passage": (State.MAINTENANCE, ["passage.free"])}
    | {f"test_{output}": (State.TESTING, ["maintenance.tested"]) for output in TESTS},
    State.TESTING: noted(State.TESTING, but=("key", "begin_maintenance"))
    | freed()
    | ENDS
    | {
        "passage": (State.TESTING, ["passage.free"]),
        "deadline": (State.MAINTENANCE, []),
    },
    State.LOCKED: SHUT
    | noted(State.LOCKED)
    | shut(but=("lock", "close", "tamper"))
    | {"lock": (State.LOCKED, []), "unlock": (State.AWAITING_PASS, ["lane.unlocked"])},
    State.CLOSED: SHUT
    | noted(State.CLOSED)
    | shut(but=("close", "tamper"))
    | {"close": (State.CLOSED, []), "open": (State.AWAITING_PASS, ["lane.opened"])},
    State.TAMPER: SHUT
    | shut(but=("tamper",))
    | {"tamper_over": (State.AWAITING_PASS, ["tamper.cleared"])},
}
# The contacts of other sites are in test_passage.py too, a pass under threat in test_duress.py.
ELSEWHERE = {"outward", "outward_ends", "shows_duress_pass"}
SHUT_STATES = {State.LOCKED, State.CLOSED, State.TAMPER}
# What is noted in every state, so that it counts when the next one begins.
LEVELS = ("present", "standing", "turning", "turned_at_s", "turned_by", "key")
LEVELS += ("exit_wish", "served", "distrust")


def moved(walk, word):
    """Do the word; return the state, and what was told but the answer to a command."""
    told = [type_ for type_ in walk.does(word) if not type_.startswith("command.")]
    return walk.state, told


@pytest.mark.parametrize("state", State)
def test_each_event_does_in_each_state_what_is_listed_and_nothing_else(
    state, new_walk, event_words
):
    done = {}
    for word in set(event_words) - ELSEWHERE - ({"passage"} if state in SHUT_STATES else set()):
        walk = new_walk().to(state)
        before = walk.lane
        after = moved(walk, word)
        if after != (state, []):
            done[word] = after
        if walk.state is state:
            distrust = {"distrust": Reason.ERRATIC, "disturbed": Reason.DISTURBED}.get(word)
            levels = {name: getattr(walk.lane, name) for name in LEVELS}
            visit = replace(before.visit, distrust=distrust)
            assert walk.lane == replace(before, **levels, visit=visit)
    assert done == {
        word: (to, told) for word, (to, told) in MOVES[state].items() if (to, told) != (state, [])
    }


@pytest.mark.parametrize("state", State)
def test_a_state_ends_when_its_duration_is_over_and_not_before(state, walk, policy):
    walk.to(state)
    until = OUTPUTS[state].until
    durations_s = [walk.lane.deadline_at_s - walk.lane.entered_at_s] if until else []
    assert durations_s == [pytest.approx(policy.spans_s[span]) for span in [until] if span]
    before = walk.lane
    entered_at_s = before.entered_at_s
    for early_s in (walk.now_s, max(walk.now_s, entered_at_s + 1.499)):  # the shortest is 1.5 s
        walk.feed(Tick(early_s))
    assert walk.lane == before


@pytest.mark.parametrize(
    ("lane", "event"),
    [
        (Lane(deadline_at_s=1.0), Tick(1.0)),
        (Lane(State.CLEARING, deadline_at_s=1.0, present=True), Tick(1.0)),
        (Lane(State.DECIDING, deadline_at_s=1.0), Tick(1.0)),
        (Lane(State.HELD, deadline_at_s=1.0), Tick(1.0)),
        (Lane(State.LOCKED, 0.0, 1.0, standing=frozenset({Standing.LOCKDOWN})), Tick(1.0)),
        (Lane(State.FIRE, 0.0, 1.0, standing=frozenset({Standing.FIRE})), Tick(1.0)),
    ],
)
def test_an_impossible_trigger_raises_and_changes_nothing(lane, event, policy):
    as_it_was = replace(lane)
    with pytest.raises(ImpossibleTriggerError, match=rf"[A-Z]+ in state {lane.state.name}$"):
        advance(lane, event, policy)
    assert lane == as_it_was


def test_an_input_that_says_what_is_known_already_raises_nothing(policy):
    for name in (InputName.PRESENCE, InputName.FIRE, InputName.TAMPER, InputName.PASSAGE):
        lane = Lane()
        assert advance(lane, InputChanged(1.0, name, active=False), policy) == (lane, ())


@pytest.mark.parametrize("state", [state for state in State if state is not State.DECIDING])
def test_a_record_on_disk_that_nobody_waits_for_frees_nothing(state, walk):
    before = walk.to(state).lane
    for ok in (True, False):
        assert advance(before, Written(walk.next_s(), ok=ok), walk.policy) == (before, ())


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
    walk.does("shows_pass shows_wrong_pass shows_blocked_pass")
    assert walk.lane == Lane(entered_at_s=100.0)


@pytest.mark.parametrize("word", ["shows_other_pass", "shows_wrong_pass", "shows_blocked_pass"])
@pytest.mark.parametrize(
    "state", [State.MEASURING, State.PAUSING, State.DECIDING, State.RELEASED, State.REFERRED]
)
def test_a_pass_shown_during_a_visit_never_replaces_its_holder(state, word, walk):
    before = walk.to(state).lane
    assert walk.does(word) == []
    assert walk.lane == before


def test_who_walks_away_and_comes_back_begins_anew_without_a_pass(walk):
    walk.to(State.MEASURING).samples([34.1, 34.2, 34.15, 34.12])
    walk.does("leaves arrives")  # a flicker of the presence input looks the same
    assert walk.state is State.AWAITING_PASS
    assert walk.lane.visit == Visit(2)
    assert walk.samples([34.17]) == []


def test_who_is_gone_when_the_disk_fails_is_shown_nothing(walk):
    walk.to(State.DECIDING).does("leaves not_written")
    assert walk.state is State.IDLE


def test_the_exit_works_when_the_disk_does_not(walk):
    walk.to(State.DECIDING).does("not_written exit_button")
    assert walk.state is State.LEAVING


def test_the_next_in_line_needs_a_pass_and_a_measurement_of_their_own(walk):
    walk.to(State.RELEASED).does("leaves arrives passage passage_ends")
    assert walk.state is State.CLEARING
    walk.does("shows_pass")
    assert walk.state is State.MEASURING
    visit = walk.lane.visit
    assert (visit.number, visit.attempt, visit.samples, visit.decision) == (2, 1, (), None)


def test_a_relay_is_energised_as_long_as_its_state_may_last(policy):
    assert release_s(OUTPUTS[State.RELEASED], policy) == 5.0
    assert release_s(OUTPUTS[State.FIRE], policy) is None


@pytest.mark.parametrize(("pulse_s", "release_is_s"), [(0.5, 0.5), (5.0, 5.0), (60.0, 5.0)])
def test_a_pulse_shortens_a_release_and_never_prolongs_it(pulse_s, release_is_s, policy):
    policy = replace(policy, pulse_s=pulse_s)
    assert release_s(OUTPUTS[State.LEAVING], policy) == release_is_s
    assert release_s(OUTPUTS[State.FIRE], policy) is None  # until it is over


def test_the_output_of_a_lane_is_that_of_its_state(walk):
    for state in set(State) - {State.TESTING}:
        assert output_of(Lane(state)) is OUTPUTS[state]
    assert output_of(walk.to(State.LEAVING).lane).releases == EXIT
